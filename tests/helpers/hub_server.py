"""A stand-in for the Hugging Face hub on loopback: it takes one model by its own protocol and gives it back."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Hub:
    """A hub with its address in `url`; `files` are what was pushed, `asked` each request. Use it in a `with` block."""

    def __enter__(self):
        self.files, self.asked = {}, []
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def answer(self, body, code=200, **headers):
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(code)
                for name, value in {"Content-Length": str(len(data)), **headers}.items():
                    self.send_header(name.replace("_", "-"), value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(data)

            def do_POST(self):
                size = int(self.headers.get("Content-Length") or 0)
                hub.post(self, self.rfile.read(size))

            def do_GET(self):
                hub.get(self)

            do_HEAD = do_GET

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *failure):
        self.server.shutdown()
        self.server.server_close()

    def post(self, handler, body):
        self.asked.append(handler.path)
        if handler.path.endswith("/repos/create"):
            return handler.answer({"url": f"{self.url}/ada/digits"})
        if handler.path.endswith("/validate-yaml"):
            return handler.answer({"errors": [], "warnings": []})
        if "/preupload/" in handler.path:
            names = [f["path"] for f in json.loads(body)["files"]]
            return handler.answer(
                {"files": [{"path": n, "uploadMode": "regular", "shouldIgnore": False} for n in names]}
            )
        if "/commit/" in handler.path:
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    self.files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            return handler.answer(
                {"commitUrl": f"{self.url}/ada/digits/commit/{'0' * 40}", "commitOid": "0" * 40, "pullRequestUrl": None}
            )
        return handler.answer({"error": "not found"}, 404)

    def get(self, handler):
        self.asked.append(handler.path)
        path = handler.path.partition("?")[0]
        if "/resolve/" in path:
            data = self.files.get(path.rpartition("/")[2])
            if data is None:
                return handler.answer({"error": "no entry"}, 404, X_Error_Code="EntryNotFound")
            return handler.answer(data, ETag=f'"{hashlib.sha256(data).hexdigest()}"', X_Repo_Commit="0" * 40)
        if path.startswith("/api/models/") and "missing" not in path:
            siblings = [{"rfilename": name} for name in self.files]
            tree = [{"type": "file", "path": n, "size": len(d), "oid": "0" * 40} for n, d in self.files.items()]
            if "/tree/" in path:
                return handler.answer(tree)
            return handler.answer({"id": "ada/digits", "sha": "0" * 40, "siblings": siblings, "private": False})
        return handler.answer({"error": "Repository Not Found"}, 404, X_Error_Code="RepoNotFound")
