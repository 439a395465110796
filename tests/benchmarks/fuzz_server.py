"""Send mutated requests to the server: each must be answered, none with a failure of the server.

The server must not log an error, and its memory must not grow. Run it with ``python
tests/benchmarks/fuzz_server.py --requests 10000``.
"""

from __future__ import annotations

import argparse
import json
import re
import socket
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile

import numpy as np
from fuzz_idx import mutate
from serving import drawing

from skorch_mnist import load_digits28

# Requests that announce more than they send are answered after a second instead of thirty.
IMPATIENT = """
from skorch_mnist.serve import _bodies, _server
_bodies.TIMEOUT, _server.IDLE, _server.LINGER = 1, 2, 1
from skorch_mnist.cli import main
main(["serve", "--port", "0"])
"""


@contextmanager
def served(log):
    """The process and the port of a server that writes its errors to ``log``."""
    command = [sys.executable, "-c", IMPATIENT]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        yield process, int(re.search(r"http://[^:]+:(\d+)", process.stdout.readline())[1])
    finally:
        process.terminate()
        process.wait()


def requests():
    """Valid requests: pairs of headers and a body."""
    picture = drawing()
    form = (
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="\xc3\xbc.png"\r\n'
        b"Content-Type: image/png\r\n\r\n" + picture + b"\r\n--b--\r\n"
    )
    arrays = json.dumps({"instances": load_digits28().images[:2].tolist()}).encode()
    kinds = ("image/jpeg", drawing("JPEG")), ("multipart/form-data; boundary=b", form)
    for kind, body in (*kinds, ("application/json", arrays)):
        head = f"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\n"
        yield head.encode(), body
    yield b"GET /model HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\n", b""


def send(port, content):
    """Return the status of the answer, or 0 if the server closes the connection without one."""
    with socket.create_connection(("127.0.0.1", port), timeout=100) as sock:
        try:
            sock.sendall(content)
            answer = sock.recv(65536)
        except ConnectionError:
            return 0
    return int(answer.split()[1]) if answer else 0


def memory(process):
    """Return the memory of a process in MB."""
    return int(Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * 4096 // 2**20


def main():
    """Print what came of the mutated requests."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--random-state", type=int, default=0)
    args = parser.parse_args()
    seeds, outcomes, start = list(requests()), Counter(), time.monotonic()
    with (
        TemporaryFile("w+") as log,
        served(log) as (process, port),
        ThreadPoolExecutor(8) as pool,
    ):

        def one(number):
            rng = np.random.default_rng([args.random_state, number])
            head, body = seeds[number % len(seeds)]
            of_head = number // len(seeds) % 3 == 0  # else the body, if there is one
            body = body if of_head or not body else mutate(body, rng)
            head += b"Content-Length: %d\r\n\r\n" % len(body)
            status = send(port, (mutate(head, rng) if of_head else head) + body)
            if status >= 500:
                print(f"{number}: status {status}", flush=True)
            return status

        for first in range(0, args.requests, 1000):
            outcomes.update(pool.map(one, range(first, min(first + 1000, args.requests))))
            print(f"{outcomes.total():,} requests after {time.monotonic() - start:.0f} s, memory "
                  f"of the server {memory(process)} MB", flush=True)  # fmt: skip
        assert send(port, b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n") == 200
        log.seek(0)
        logged = log.read()
    for status, count in outcomes.most_common():
        print(f"{count:7,} {status or 'connection closed: nothing was left of the request'}")
    print(logged)
    sys.exit(bool(logged) or any(status >= 500 for status in outcomes))


if __name__ == "__main__":
    main()
