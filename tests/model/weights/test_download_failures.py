"""Downloads in the field: every failure is one line with place, size and the manual command, and none loops."""

from __future__ import annotations

import os
import socket
import ssl
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from huggingface_hub import close_session, constants

from cs3_model.hints import cs3_command
from cs3_model.weights import WeightFile, fetch, stored_path
from cs3_model.weights.store import own_path, remove

CONTENT = os.urandom(50_000)
Act = Callable[[BaseHTTPRequestHandler], None]


def send(handler: BaseHTTPRequestHandler, content: bytes = CONTENT) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content)


@contextmanager
def serving(act: Act, certificate: Path | None = None) -> Iterator[str]:
    """Address of a server on this machine that answers each request by `act`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            act(self)

        def log_message(self, *arguments: object) -> None:
            """Says nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *arguments: object) -> None:
            """A client that hangs up is what is tested."""

    http = Server(("127.0.0.1", 0), Handler)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        http.socket = context.wrap_socket(http.socket, server_side=True)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield f"http{'s' if certificate else ''}://127.0.0.1:{http.server_port}"
    http.shutdown()
    http.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def direct(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Without the proxies and certificates of this machine."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
    close_session()
    yield
    close_session()


@pytest.fixture
def certificate(tmp_path: Path) -> Callable[[str], Path]:
    """Makes a self-signed certificate, with its key, for a host."""

    def make(host: str) -> Path:
        path = tmp_path / "certificate.pem"
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test"]
        command += ["-addext", f"subjectAltName={host}", "-keyout", path, "-out", tmp_path / "public.pem"]
        subprocess.run(command, check=True, capture_output=True)
        path.write_bytes(path.read_bytes() + (tmp_path / "public.pem").read_bytes())
        return path

    return make


def file_at(url: str) -> WeightFile:
    return WeightFile(name="plain", filename="plain.pth", licence="MIT", megabytes=1, url=f"{url}/plain.pth")


def failure(weights: WeightFile, mirror: str = "") -> str:
    with pytest.raises(ValueError) as error:
        fetch(weights, mirror=mirror)
    message = str(error.value)
    assert "\n" not in message and stored_path(weights) is None
    assert f"save it as {own_path(weights)} ({weights.size})" in message
    assert f"curl -fL -C - -o {own_path(weights)} " in message
    return message


def says_once_what_to_do_by_hand(message: str) -> bool:
    return "cs3 weights fetch" not in message


def test_a_self_signed_certificate(certificate, impatient) -> None:
    with serving(send, certificate("IP:127.0.0.1")) as url:
        message = failure(file_at(url))
    assert "certificate or encryption is not accepted" in message and says_once_what_to_do_by_hand(message)


def test_a_certificate_of_another_host(certificate, impatient, monkeypatch) -> None:
    """It is trusted, but for another name."""
    path = certificate("DNS:elsewhere.example")
    monkeypatch.setenv("SSL_CERT_FILE", str(path.with_name("public.pem")))
    close_session()
    with serving(send, path) as url:
        message = failure(file_at(url))
    assert "certificate or encryption is not accepted" in message and says_once_what_to_do_by_hand(message)


def test_a_name_that_nobody_knows(impatient) -> None:
    """`.invalid` is reserved: no server of names knows it."""
    message = failure(file_at("http://weights.invalid"))
    assert "(DNS)" in message and says_once_what_to_do_by_hand(message)


def test_a_proxy_that_refuses(impatient, monkeypatch) -> None:
    def refuse(handler: BaseHTTPRequestHandler) -> None:
        handler.send_error(407)

    with serving(refuse) as url:
        monkeypatch.setenv("http_proxy", url)
        close_session()
        message = failure(file_at("http://weights.invalid"))
    assert "407 Proxy Authentication Required" in message and says_once_what_to_do_by_hand(message)


def test_a_connection_that_is_reset(impatient) -> None:
    def reset(handler: BaseHTTPRequestHandler) -> None:
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        handler.connection.close()

    with serving(reset) as url:
        message = failure(file_at(url))
    assert "the connection failed" in message and f"later run: {cs3_command('weights fetch plain')}" in message


def test_a_server_that_says_nothing(impatient, monkeypatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 0.2)
    over = threading.Event()
    with serving(lambda handler: over.wait(30)) as url:
        message = failure(file_at(url))
        over.set()
    assert "the server answers too slowly" in message and "which goes on where it stopped" in message


def test_a_file_that_has_moved_is_followed() -> None:
    def move(handler: BaseHTTPRequestHandler) -> None:
        if handler.path == "/new":
            send(handler)
        else:
            handler.send_response(302)
            handler.send_header("Location", "/new")
            handler.send_header("Content-Length", "0")
            handler.end_headers()

    with serving(move) as url:
        assert fetch(file_at(url)).read_bytes() == CONTENT


@pytest.mark.parametrize(("status", "may_pass"), [(404, False), (403, False), (429, True), (503, True)])
def test_a_server_that_refuses(status: int, may_pass: bool, impatient) -> None:
    with serving(lambda handler: handler.send_error(status)) as url:
        message = failure(file_at(url))
    assert f"the server answered {status} " in message
    assert says_once_what_to_do_by_hand(message) is not may_pass


def test_a_page_that_asks_for_a_sign_in_is_not_taken_for_the_file() -> None:
    with serving(lambda handler: send(handler, b"\n <!DOCTYPE html><html>Welcome to our hotel</html>")) as url:
        message = failure(file_at(url))
    assert "sent a web page instead of plain.pth: does this network ask for a sign-in?" in message


def test_a_file_of_another_size_is_refused_by_its_size() -> None:
    with serving(send) as url:
        message = failure(replace(file_at(url), num_bytes=50_001))
    assert "sent 50,000 bytes instead of 50,001 bytes" in message


def test_a_mirror_of_ones_own_takes_the_place_of_the_published_address(cache: Path) -> None:
    """Asked again, the file is found without the mirror, and `remove` forgets it."""
    published = WeightFile(name="hub", filename="model.bin", licence="MIT", megabytes=1, repo="someone/something")
    asked = []
    with serving(lambda handler: asked.append(handler.path) or send(handler)) as url:
        path = fetch(published, mirror=f"{url}/mine/")
    assert path == cache / "hub" / "model.bin" == stored_path(published) == fetch(published)
    assert path.read_bytes() == CONTENT and asked == ["/mine/model.bin"]
    remove(published)
    assert stored_path(published) is None


def test_a_mirror_that_fails_is_named() -> None:
    published = WeightFile(name="hub", filename="model.bin", licence="MIT", megabytes=1, repo="someone/something")
    with serving(lambda handler: handler.send_error(404)) as url:
        assert f"could not be downloaded from {url}/model.bin" in failure(published, mirror=url)
