"""nghttp beyond pages and pushes: trailers both ways, large bodies, many streams at once."""

from __future__ import annotations

import hashlib
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Server


def nghttp(*arguments: str | Path) -> bytes:
    done = subprocess.run(
        ["nghttp", "--no-verify-peer", *map(str, arguments)], capture_output=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def server(serve_app: Callable[..., Server]) -> Server:
    return serve_app("asgi_basic:app")


def test_trailers_of_the_response(server: Server) -> None:
    shown = nghttp("-nv", "-H", "te: trailers", f"{server.url}/trailers").decode()
    text = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    stream = re.search(r"recv \(stream_id=(\d+)\) :status: 200", text)
    assert stream is not None, text
    last = text.rindex(f"recv (stream_id={stream.group(1)}) x-second: 2")
    assert last > text.rindex("recv DATA frame"), "trailers come after the body"
    assert re.search(r"recv HEADERS frame <length=\d+, flags=0x05", text[last:]), text


@pytest.mark.parametrize("path", ["/echo", "/stream-echo"])
def test_trailers_of_the_request(server: Server, tmp_path: Path, path: str) -> None:
    body = tmp_path / "body"
    body.write_bytes(b"with trailers")
    words = ["-d", body, "--trailer", "x-checksum: 7", f"{server.url}{path}"]
    assert nghttp(*words) == b"with trailers"


def test_large_bodies_both_ways(server: Server, tmp_path: Path) -> None:
    body = tmp_path / "body"
    body.write_bytes(hashlib.shake_128(b"body").digest(8 << 20))
    expected = hashlib.sha256(body.read_bytes()).digest()
    answer = nghttp("-d", body, f"{server.url}/stream-echo")
    assert hashlib.sha256(answer).digest() == expected
    answer = nghttp("-w", "20", "-W", "22", "-d", body, f"{server.url}/stream-echo")
    assert hashlib.sha256(answer).digest() == expected


def test_many_streams(server: Server) -> None:
    """Four hundred on one connection, of which a hundred at a time are taken."""
    text = nghttp("-nv", "-m", "400", f"{server.url}/hello").decode()
    assert len(re.findall(r":status: .*200", re.sub(r"\x1b\[[0-9;]*m", "", text))) == 400
