"""A server on loopback that answers like the Hugging Face Hub, as far as a model needs it."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit


class Hub(ThreadingHTTPServer):
    """Repositories by name; each is a list of commits, which are dicts of files."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.repositories, self.objects, self.requests, self.private = {}, {}, [], {}

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def commit(self, repo_id, **files):
        """Add a commit, and return its hash."""
        commits = self.repositories.setdefault(repo_id, [])
        commits.append({**(commits[-1] if commits else {}), **files})
        return self.hash_of(repo_id, len(commits) - 1)

    @staticmethod
    def hash_of(repo_id, number):
        return hashlib.sha1(f"{repo_id} {number}".encode()).hexdigest()

    def find(self, repo_id, revision):
        """Return the number of a commit, or None."""
        numbers = range(len(self.repositories[repo_id]))
        if revision == "main":
            return numbers[-1] if numbers else None
        return next((n for n in numbers if self.hash_of(repo_id, n) == revision), None)


class Handler(BaseHTTPRequestHandler):
    """The part of the protocol that uploads and downloads use."""

    protocol_version = "HTTP/1.1"

    def answer(self, status, body=b"", **headers):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def body(self):
        if self.headers.get("Transfer-Encoding") == "chunked":
            chunks = []
            while size := int(self.rfile.readline(), 16):
                chunks.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(chunks)
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def do_POST(self):
        path, body = urlsplit(self.path).path, self.body()
        self.server.requests.append(f"POST {path}")
        if path == "/api/repos/create":
            given = json.loads(body)
            repo_id = f"{given['organization']}/{given['name']}"
            if repo_id in self.server.repositories:
                return self.answer(409, {"error": "exists", "url": f"{self.server.url}/{repo_id}"})
            self.server.repositories[repo_id] = []
            asked = given.get("private"), given.get("visibility")
            self.server.private[repo_id] = asked[0] or asked[1] == "private" or None
            return self.answer(200, {"url": f"{self.server.url}/{repo_id}"})
        if path == "/api/validate-yaml":
            return self.answer(200, {"errors": [], "warnings": []})
        if found := re.fullmatch(r"/api/models/(.+/.+)/preupload/(.+)", path):
            names = [file["path"] for file in json.loads(body)["files"]]
            modes = {True: "lfs", False: "regular"}
            return self.answer(200, {"files": [
                {"path": name, "uploadMode": modes[name.endswith(".safetensors")],
                 "shouldIgnore": False} for name in names
            ]})  # fmt: skip
        if path.endswith(".git/info/lfs/objects/batch"):
            objects = json.loads(body)["objects"]
            return self.answer(200, {"transfer": "basic", "objects": [
                {**one, "actions": {"upload": {"href": f"{self.server.url}/lfs/{one['oid']}"}}}
                for one in objects
            ]})  # fmt: skip
        if found := re.fullmatch(r"/api/models/(.+/.+)/commit/(.+)", path):
            files = {}
            for line in map(json.loads, body.splitlines()):
                value = line["value"]
                if line["key"] == "file":
                    files[value["path"]] = base64.b64decode(value["content"])
                elif line["key"] == "lfsFile":
                    files[value["path"]] = self.server.objects[value["oid"]]
            oid = self.server.commit(found[1], **files)
            url = f"{self.server.url}/{found[1]}/commit/{oid}"
            return self.answer(200, {"commitUrl": url, "commitOid": oid, "hookOutput": ""})
        return self.answer(404)

    def do_PUT(self):
        body = self.body()
        self.server.objects[hashlib.sha256(body).hexdigest()] = body
        assert self.path.endswith(hashlib.sha256(body).hexdigest())
        self.answer(200)

    def do_GET(self):
        path = urlsplit(self.path).path
        self.server.requests.append(f"{self.command} {path}")
        found = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path)
        if not found or found[1] not in self.server.repositories:
            return self.answer(404, X_Error_Code="RepoNotFound")
        number = self.server.find(found[1], unquote(found[2]))
        if number is None:
            return self.answer(404, X_Error_Code="RevisionNotFound")
        commit = self.server.hash_of(found[1], number)
        content = self.server.repositories[found[1]][number].get(found[3])
        if content is None:
            return self.answer(404, X_Error_Code="EntryNotFound", X_Repo_Commit=commit)
        etag = f'"{hashlib.sha256(content).hexdigest()}"'
        return self.answer(200, content, ETag=etag, X_Repo_Commit=commit)

    def do_HEAD(self):
        self.do_GET()

    def log_message(self, *args):
        """Print nothing."""


@contextlib.contextmanager
def running_hub():
    """Run the server while the block runs."""
    with Hub() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
