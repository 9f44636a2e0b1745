"""A model served on loopback within a test, and how it is asked."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time

import uvicorn


class Served:
    """An ASGI application behind a real server on a free port; use it in a `with` block."""

    def __init__(self, app, **options):
        self.app, self.options = app, options

    def __enter__(self):
        self.door = socket.socket()
        self.door.bind(("127.0.0.1", 0))
        self.port = self.door.getsockname()[1]
        config = uvicorn.Config(self.app, log_level="critical", timeout_graceful_shutdown=5, **self.options)
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self.door]}, daemon=True)
        self.thread.start()
        while not self.server.started:
            time.sleep(0.01)
        return self

    def __exit__(self, *failure):
        self.server.should_exit = True
        self.thread.join(30)
        self.door.close()

    def ask(self, method, path, body=None, **headers):
        """Return (status, headers, bytes) of one request; a body that is no bytes is sent as JSON."""
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
        given = {"Content-Type": "application/json", **{k.replace("_", "-"): v for k, v in headers.items()}}
        try:
            link.request(method, path, data, {k: v for k, v in given.items() if v is not None})
            answer = link.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            link.close()

    def refusal(self, *request, **headers):
        """Return (status, sentence) of a request that is refused."""
        status, _, data = self.ask(*request, **headers)
        values = json.loads(data)
        assert set(values) == {"error"} and "\n" not in values["error"] and len(values["error"]) < 500
        return status, values["error"]
