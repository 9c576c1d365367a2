"""The reverse proxy in front of Python servers: what a page announces reaches its visitors."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from conftest import CurlResult, Server, Target

Curl = Callable[..., CurlResult]
Serve = Callable[..., Server]


class Page(BaseHTTPRequestHandler):
    """A page with a preload Link; `may_answer` holds it back."""

    protocol_version = "HTTP/1.1"
    may_answer = threading.Event()

    def do_GET(self) -> None:
        self.may_answer.wait(30)
        self.send_response(200)
        self.send_header("Link", "</style.css>; rel=preload; as=style")
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"page\n")

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.fixture
def listen() -> Iterator[Callable[..., str]]:
    """Run a handler of http.server; its URL."""
    running: list[ThreadingHTTPServer] = []

    def start(handler: Callable[..., BaseHTTPRequestHandler]) -> str:
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        running.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield start
    for server in running:
        server.shutdown()
        server.server_close()


def read_until(connection: socket.socket, ending: bytes) -> bytes:
    seen = b""
    while not seen.endswith(ending):
        part = connection.recv(1)
        assert part, seen
        seen += part
    return seen


def visit(connection: socket.socket) -> None:
    """As a browser asks: hints go to HTTP/1.1 clients that look like one."""
    connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nSec-Fetch-Mode: navigate\r\n\r\n")


def test_the_next_visitor_gets_the_hint_before_the_upstream_answers(
    serve: Serve, listen: Callable[..., str], connect: Callable[[int], socket.socket]
) -> None:
    server = serve(listen(Page))
    Page.may_answer.set()
    first = connect(server.plain_port)
    visit(first)
    assert read_until(first, b"\r\n\r\n").startswith(b"HTTP/1.1 103 ")
    assert read_until(first, b"page\n").startswith(b"HTTP/1.1 200 ")
    Page.may_answer.clear()
    second = connect(server.plain_port)
    visit(second)
    hint = read_until(second, b"\r\n\r\n")
    assert hint.startswith(b"HTTP/1.1 103 ")
    assert b"\r\nlink: </style.css>; rel=preload; as=style\r\n" in hint
    Page.may_answer.set()
    assert read_until(second, b"page\n").startswith(b"HTTP/1.1 200 "), "and only once"


def test_nothing_is_remembered_where_that_is_not_wanted(
    serve: Serve, listen: Callable[..., str], connect: Callable[[int], socket.socket]
) -> None:
    server = serve(listen(Page), "--no-push-learn", "--push", "push")
    Page.may_answer.set()
    for _ in range(2):
        visitor = connect(server.plain_port)
        visit(visitor)
        assert read_until(visitor, b"page\n").startswith(b"HTTP/1.1 200 ")


def test_pythons_file_server(
    serve: Serve,
    listen: Callable[..., str],
    curl: Curl,
    target_of: Callable[[Server], Target],
    tmp_path: Path,
) -> None:
    """It answers HTTP/1.0 and closes; each protocol in front of it works all the same."""
    content = bytes(range(256)) * 4000
    (tmp_path / "file.bin").write_bytes(content)

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *arguments: object) -> None:
            pass

    target = target_of(serve(listen(partial(Quiet, directory=str(tmp_path)))))
    for _ in range(3):
        result = curl(*target.options, f"{target.url}/file.bin")
        assert (result.status, result.body) == (200, content)
    assert curl(*target.options, f"{target.url}/nothing").status == 404
    head = curl(*target.options, "-I", f"{target.url}/file.bin")
    assert head.headers["content-length"] == str(len(content))


def test_hints_of_an_asgi_application_pass(
    serve: Serve,
    serve_app: Serve,
    curl: Curl,
    target_of: Callable[[Server], Target],
) -> None:
    behind = serve_app("asgi_basic:app")
    target = target_of(serve(behind.plain_url))
    direct = curl("--http1.1", f"{behind.plain_url}/hints")
    passed = curl(*target.options, f"{target.url}/hints")
    assert [status for status, _ in passed.informational] == [103, 103, 103]
    assert passed.informational == direct.informational
    assert (passed.status, passed.body) == (direct.status, direct.body)
