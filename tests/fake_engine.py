"""An engine made of one socket and canned answers, for what a real one does not do on request."""

import json
import socket
import socketserver
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import ClassVar

VERSION = {"Version": "99.1", "KernelVersion": "6.1.0-fake"}
ENGINE: Mapping[str, bytes] = {"/_ping": b"OK", "/version": json.dumps(VERSION).encode()}


@contextmanager
def silent_engine(path: Path) -> Iterator[str]:
    """Takes every connection at `path` and never says anything, as one that hangs; yields its address."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(100)
        yield f"unix://{path}"


@contextmanager
def fake_engine(path: Path, answers: Mapping[str, bytes] = ENGINE) -> Iterator[str]:
    """Listens at `path` and yields its address; what is not in `answers` is a 404."""
    path.parent.mkdir(parents=True, exist_ok=True)

    class Handler(BaseHTTPRequestHandler):
        canned: ClassVar[Mapping[str, bytes]] = answers

        def do_GET(self) -> None:
            body = self.canned.get(self.path)
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name for it
            pass

    with socketserver.UnixStreamServer(str(path), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"unix://{path}"
        finally:
            server.shutdown()
            thread.join()
