"""Compare the server with the functions that it calls, in turns; then with 50 slow clients.

Run it with ``python tests/benchmarks/serving.py``.
"""

from __future__ import annotations

import argparse
import http.client
import io
import json
import re
import socket
import subprocess
import sys
import time
from contextlib import contextmanager

import numpy as np
import torch
from PIL import Image, ImageDraw

from skorch_mnist import load_digits28, read_digits
from skorch_mnist.rejection import RejectingClassifier

SLOW = 50


@contextmanager
def served():
    """The port of a server in another process."""
    command = [sys.executable, "-m", "skorch_mnist", "serve", "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield int(re.search(r"http://[^:]+:(\d+)", process.stdout.readline())[1])
    finally:
        process.terminate()
        process.wait()


def drawing(form="PNG"):
    """A drawing as the page sends it, or in another format."""
    image = Image.new("RGB", (460, 360), "white")
    ImageDraw.Draw(image).line([(170, 90), (290, 90), (215, 275)], "black", 16, "curve")
    file = io.BytesIO()
    image.save(file, form)
    return file.getvalue()


def seconds(function, *args):
    """Return how long a call takes."""
    begin = time.perf_counter()
    function(*args)
    return time.perf_counter() - begin


def in_turns(rounds, *functions):
    """Return the median time of each function, called in turns."""
    for function in functions:
        function()
    return np.median([[seconds(function) for function in functions] for _ in range(rounds)], axis=0)


def main():
    """Print the times and their ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    args = parser.parse_args()
    torch.set_num_threads(1)
    clf = RejectingClassifier.from_pretrained("digits")
    picture, image = drawing(), load_digits28().images[:1]
    body = json.dumps({"instances": image.tolist()})
    with served() as port:
        connection = http.client.HTTPConnection("127.0.0.1", port)

        def post(path, content, kind):
            connection.request("POST", path, content, {"Content-Type": kind})
            response = connection.getresponse()
            assert response.status == 200
            return response.read()

        def draw():
            return post("/predict?details=true", picture, "image/png")

        def predict_array():
            return post("/predict", body, "application/json")

        read, answered = in_turns(args.rounds, lambda: read_digits(picture), draw)
        print(f"a drawing: {1e3 * read:.1f} ms in process, {1e3 * answered:.1f} ms served, "
              f"{answered / read:.2f} times")  # fmt: skip
        alone, single = in_turns(20 * args.rounds, lambda: clf.predict(image), predict_array)
        print(f"an array: {1 / alone:.0f} predictions per second in process, {1 / single:.0f} "
              f"served, {alone / single:.0%}")  # fmt: skip
        head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n"
        slow = [socket.create_connection(("127.0.0.1", port)) for _ in range(SLOW)]
        for number, sock in enumerate(slow):
            sock.sendall(head[: number + 20])
        (with_slow,) = in_turns(20 * args.rounds, predict_array)
        print(f"an array with {SLOW} slow clients: {1 / with_slow:.0f} per second")


if __name__ == "__main__":
    main()
