"""A server on this machine alone that can do what servers do wrong, and a cache of the test's own."""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from huggingface_hub import constants


@dataclass
class FileServer:
    """Serves `content` at every address, plain or as the Hugging Face Hub does."""

    url: str = ""
    content: bytes = b""
    status: int = 0
    """Instead of content, if not 0."""
    cut_after: int = -1
    """Bytes after which the connection breaks once; negative: never."""
    ranges: bool = True
    """Whether it can resume."""
    requests: list[str] = field(default_factory=list)
    """Method and range of each request."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    files: FileServer

    def log_message(self, *arguments: object) -> None:
        """Says nothing."""

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, *, with_body: bool) -> None:
        files, wanted = self.files, self.headers.get("Range", "")
        files.requests.append(f"{self.command} {wanted}".strip())
        if files.status:
            self.send_response(files.status)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        match = re.fullmatch(r"bytes=(\d+)-", wanted) if files.ranges else None
        start = int(match[1]) if match else 0
        if start >= len(files.content):
            self.send_response(416)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        body = files.content[start:]
        self.send_response(206 if match else 200)
        self.send_header("Content-Length", str(len(body)))
        if match:
            self.send_header("Content-Range", f"bytes {start}-{len(files.content) - 1}/{len(files.content)}")
        self.send_header("ETag", f'"{hashlib.sha256(files.content).hexdigest()}"')
        self.send_header("X-Repo-Commit", "0" * 40)
        self.end_headers()
        if with_body:
            if files.cut_after >= 0:
                body, files.cut_after = body[: files.cut_after], -1
                self.close_connection = True
            self.wfile.write(body)


@pytest.fixture
def server() -> Iterator[FileServer]:
    """A running file server on 127.0.0.1."""
    files = FileServer()
    handler = type("Handler", (_Handler,), {"files": files})
    http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    files.url = f"http://127.0.0.1:{http.server_port}"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield files
    http.shutdown()
    http.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache; nothing beyond this machine can be reached."""
    monkeypatch.setenv("CS3_CACHE", str(tmp_path / "cs3"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    reach_hub(monkeypatch, "http://127.0.0.1:1")
    return tmp_path / "cs3"


def reach_hub(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Puts another server in the place of the Hugging Face Hub."""
    monkeypatch.setattr(constants, "ENDPOINT", url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", url + "/{repo_id}/resolve/{revision}/{filename}")


@pytest.fixture
def hub(server: FileServer, monkeypatch: pytest.MonkeyPatch) -> FileServer:
    """The server in the place of the Hugging Face Hub."""
    reach_hub(monkeypatch, server.url)
    return server


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the pauses between attempts."""
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
