"""A mirror on loopback that misbehaves on purpose, and the files that it serves."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import struct
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

from skorch_mnist.datasets._files import Archive, DataFile

CODES = {"u1": 0x08, "i4": 0x0C}


def to_idx(array):
    """Return an array as an IDX file."""
    code = CODES[array.dtype.str[1:]]
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


def describe(name, content, *, published=True):
    """Return a file's entry in the table, and its archive."""
    packed = gzip.compress(content, mtime=0)
    archive = Archive(f"{name}.gz", len(packed), hashlib.sha256(packed).hexdigest())
    sha256 = hashlib.sha256(content).hexdigest() if published else None
    return DataFile(name, len(content), archive, sha256), packed


def describe_zip(contents):
    """Return the entries of files that come in one zip archive, and the archive."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as packer:
        for name, content in contents.items():
            packer.writestr(f"gzip/{name}.gz", gzip.compress(content, mtime=0))
    packed = stream.getvalue()
    archive = Archive("gzip.zip", len(packed), hashlib.sha256(packed).hexdigest())
    files = [
        DataFile(name, len(content), archive, member=f"gzip/{name}.gz")
        for name, content in contents.items()
    ]
    return files, packed


CONTENT = to_idx(np.arange(5, dtype=np.uint8))
FILE, ARCHIVE = describe("tiny-idx1-ubyte", CONTENT)


class Mirror(BaseHTTPRequestHandler):
    """Serves server.archives; the first part of the path says how to misbehave."""

    def do_GET(self):
        _, manner, name = self.path.split("/")
        self.server.requests.append(manner)
        if manner == "reset":
            self.connection.close()
            return
        if manner in ("redirect", "loop"):
            self.send_response(302)
            self.send_header("Location", f"/{'good' if manner == 'redirect' else 'loop'}/{name}")
            self.end_headers()
            return
        body = self.server.archives.get(name, b"")
        promised = len(body)
        if manner == "wrong":
            body = body[:-1] + bytes([body[-1] ^ 1])
        elif manner == "truncated":
            body = body[:-7]
        elif manner == "endless":
            body = body * 100
            promised = len(body)
        elif manner == "html":
            body = b"<html>Please log in to the network of this hotel</html>"
            promised = len(body)
        elif manner in ("silent", "slow"):
            self.server.released.wait(0.3 if manner == "slow" else 20)
        self.send_response(int(manner) if manner.isdigit() else 200)
        self.send_header("Content-Length", str(promised))
        self.end_headers()
        with contextlib.suppress(OSError):  # the client has gone
            if manner in ("half", "drip"):  # some of it, and then silence
                for start in range(0, len(body) // 2, 8):
                    self.wfile.write(body[start : start + 8])
                    self.wfile.flush()
                    self.server.released.wait(0.05)
                self.server.released.wait(20)
            else:
                self.wfile.write(body)

    def log_message(self, *args):
        pass


@contextlib.contextmanager
def running_mirror():
    """Serve ``server.archives`` on loopback, and record each request in ``server.requests``."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Mirror)
    server.archives = {FILE.archive.name: ARCHIVE}
    server.requests = []
    server.released = threading.Event()
    server.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
