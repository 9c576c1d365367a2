"""Request smuggling seen from outside: one connection, exact bytes, and what the application got.

Rows SM-01 to SM-10, SM-14, SM-16 and SM-20 to SM-22 over a real socket; the exhaustive tables are
unit tests of the engines.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable

import pytest
from conftest import CurlResult, Server

HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture
def server(serve_app: Callable[..., Server]) -> Server:
    return serve_app("asgi_basic:app")


def talk(port: int, sent: bytes) -> bytes:
    """Everything the server answers until it closes; the test fails when it does not."""
    with socket.create_connection(("127.0.0.1", port), timeout=15) as peer:
        peer.sendall(sent)
        answer = b""
        while piece := peer.recv(65536):
            answer += piece
        return answer


def request(*lines: bytes, body: bytes = b"") -> bytes:
    return b"\r\n".join([b"POST /echo HTTP/1.1", b"Host: a", *lines, b"", b""]) + body


REFUSED = {
    "content-length and transfer-encoding": request(
        b"Content-Length: 5", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n" + HIDDEN
    ),
    "transfer-encoding and content-length": request(
        b"Transfer-Encoding: chunked", b"Content-Length: 4", body=b"0\r\n\r\n" + HIDDEN
    ),
    "two lengths": request(b"Content-Length: 0", b"Content-Length: 33", body=HIDDEN),
    "list of lengths": request(b"Content-Length: 0, 0", body=HIDDEN),
    "signed length": request(b"Content-Length: +0", body=HIDDEN),
    "hexadecimal length": request(b"Content-Length: 0x0", body=HIDDEN),
    "huge length": request(b"Content-Length: 18446744073709551621", body=HIDDEN),
    "empty length": request(b"Content-Length: ", body=HIDDEN),
    "xchunked": request(b"Transfer-Encoding: xchunked", body=b"0\r\n\r\n" + HIDDEN),
    "chunked, identity": request(
        b"Transfer-Encoding: chunked, identity", body=b"0\r\n\r\n" + HIDDEN
    ),
    "vertical tab": request(b"Transfer-Encoding: \x0bchunked", body=b"0\r\n\r\n" + HIDDEN),
    "space before colon": request(b"Transfer-Encoding : chunked", body=b"0\r\n\r\n" + HIDDEN),
    "folded field": request(b"X: a", b" b: c", body=HIDDEN),
    "bare line feed": b"GET /hello HTTP/1.1\nHost: a\n\n" + HIDDEN,
    "bare carriage return": b"GET /hello HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n" + HIDDEN,
    "NUL in a value": request(b"X: a\0b", body=HIDDEN),
    "no colon": request(b"nonsense", body=HIDDEN),
    "no host": b"GET /hello HTTP/1.1\r\n\r\n" + HIDDEN,
    "two hosts": b"GET /hello HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n" + HIDDEN,
    "host with a path": b"GET /hello HTTP/1.1\r\nHost: a/b\r\n\r\n" + HIDDEN,
    "chunk size with underscore": request(
        b"Transfer-Encoding: chunked", body=b"0_0\r\n\r\n" + HIDDEN
    ),
    "chunk size overflow": request(
        b"Transfer-Encoding: chunked", body=b"fffffffffffffffff\r\n" + HIDDEN
    ),
    "chunk without its end": request(
        b"Transfer-Encoding: chunked", body=b"3\r\nabcd\r\n0\r\n\r\n" + HIDDEN
    ),
    "chunk ended by a line feed": request(
        b"Transfer-Encoding: chunked", body=b"3\nabc\r\n0\r\n\r\n" + HIDDEN
    ),
    "HTTP/1.0 with transfer-encoding": b"POST /echo HTTP/1.0\r\nHost: a\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + HIDDEN,
    "HTTP/2.0 in a request line": b"GET /hello HTTP/2.0\r\nHost: a\r\n\r\n" + HIDDEN,
    "HTTP/0.9": b"GET /hello\r\n" + HIDDEN,
    "long request line": b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n" + HIDDEN,
    "long method": b"A" * 100 + b" / HTTP/1.1\r\nHost: a\r\n\r\n" + HIDDEN,
    "many fields": request(*[b"X-%d: a" % number for number in range(300)], body=HIDDEN),
    "large fields": request(
        *[b"X-%d: " % number + b"a" * 4000 for number in range(20)], body=HIDDEN
    ),
    "odd expectation": request(b"Expect: 200-maybe", b"Content-Length: 0", body=HIDDEN),
}


@pytest.mark.parametrize("name", list(REFUSED))
def test_refused_and_closed(server: Server, curl: Callable[..., CurlResult], name: str) -> None:
    answer = talk(server.plain_port, REFUSED[name])
    assert answer.startswith(b"HTTP/1.1 "), answer[:100]
    assert 400 <= int(answer[9:12]) <= 505, answer[:100]
    assert answer.count(b"HTTP/1.1 ") == 1, "the bytes behind it were taken for a request"
    state = json.loads(curl(f"{server.url}/report").body)
    # A body that breaks off may have reached the application; a second request must not.
    assert state["starts"] <= 2


def test_pipelined_requests_are_answered_in_order(server: Server) -> None:
    """SM-09."""
    sent = b"".join(
        b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n%d" % number
        for number in range(5)
    )
    sent += b"GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    answer = talk(server.plain_port, sent)
    bodies = [part.split(b"\r\n\r\n")[1] for part in answer.split(b"HTTP/1.1 200 OK\r\n")[1:]]
    assert bodies == [b"0", b"1", b"2", b"3", b"4", b"hello, world\n"]


def test_absolute_form_rewrites_host(server: Server) -> None:
    """SM-14."""
    sent = b"GET http://inner:1/scope HTTP/1.1\r\nHost: outer\r\nConnection: close\r\n\r\n"
    answer = talk(server.plain_port, sent)
    scope = json.loads(answer.split(b"\r\n\r\n", 1)[1])
    assert ["host", "inner:1"] in scope["headers"]
    assert "outer" not in json.dumps(scope["headers"])


def test_upgrade_to_h2c_is_ignored(server: Server) -> None:
    """SM-16."""
    sent = (
        b"GET /hello HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings, close\r\n"
        b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n"
    )
    assert talk(server.plain_port, sent).startswith(b"HTTP/1.1 200 OK\r\n")


def test_expect_continue(server: Server) -> None:
    """SM-10: the interim response comes when the application reads, and not unasked."""
    with socket.create_connection(("127.0.0.1", server.plain_port), timeout=10) as peer:
        peer.sendall(
            b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n"
            b"Connection: close\r\n\r\n"
        )
        interim = peer.recv(1000)
        assert interim == b"HTTP/1.1 100 Continue\r\n\r\n"
        peer.sendall(b"abc")
        answer = b""
        while piece := peer.recv(65536):
            answer += piece
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n") and answer.endswith(b"abc")


def test_connect_is_refused(server: Server) -> None:
    """H2-33."""
    answer = talk(server.plain_port, b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n" + HIDDEN)
    assert int(answer[9:12]) in (400, 405, 501)
    assert answer.count(b"HTTP/1.1 ") == 1
