"""WSGI on application threads, over every protocol."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import CurlResult, Server, Target

Curl = Callable[..., CurlResult]
TargetOf = Callable[[Server], Target]


@pytest.fixture
def server(serve_app: Callable[..., Server]) -> Server:
    return serve_app("wsgi_basic:app")


def test_hello(server: Server, curl: Curl, target_of: TargetOf) -> None:
    target = target_of(server)
    result = curl(*target.options, f"{target.url}/hello")
    assert (result.status, result.body) == (200, b"hello, world\n")
    assert result.headers["content-length"] == "13"
    assert curl(*target.options, f"{target.url}/nothing").status == 404


def test_environ(server: Server, curl: Curl, target_of: TargetOf, protocol: str) -> None:
    target = target_of(server)
    result = curl(
        *target.options,
        f"{target.url}/environ?q=%20",
        "-H",
        "X-A: 1",
        "-H",
        "X-A: 2",
        "-H",
        "X_A: spoofed",
        "-H",
        "Cookie: a=b",
    )
    environ = json.loads(result.body)
    port = server.plain_port if protocol.endswith("c") else server.port
    assert environ["REQUEST_METHOD"] == "GET"
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == ("", "/environ")
    assert environ["QUERY_STRING"] == "q=%20"
    assert environ["SERVER_PROTOCOL"] == ("HTTP/2" if protocol.startswith("h2") else "HTTP/1.1")
    assert environ["HTTP_HOST"] == f"127.0.0.1:{port}"
    assert environ["REMOTE_ADDR"] == "127.0.0.1"
    assert environ["HTTP_X_A"] == "1,2"
    assert environ["HTTP_COOKIE"] == "a=b"
    assert environ["wsgi.url_scheme"] == ("http" if protocol.endswith("c") else "https")
    assert environ["wsgi.multithread"] is True
    assert environ["wsgi.version"] == [1, 0]


def test_bodies(server: Server, curl: Curl, target_of: TargetOf, tmp_path: Path) -> None:
    target = target_of(server)
    upload = tmp_path / "upload"
    upload.write_bytes(bytes(range(256)) * 10_000)
    for path in ("/echo", "/digest"):
        result = curl(*target.options, "--data-binary", f"@{upload}", f"{target.url}{path}")
        content = upload.read_bytes()
        expected = f"{len(content)} {hashlib.sha256(content).hexdigest()}".encode()
        assert result.body == (content if path == "/echo" else expected)
    result = curl(*target.options, "--data-binary", "a\nbc\nd", f"{target.url}/lines")
    assert result.body == b"[a][bc][d]"


def test_responses(server: Server, curl: Curl, target_of: TargetOf) -> None:
    target = target_of(server)
    result = curl(*target.options, f"{target.url}/stream")
    assert result.body == b"".join(b"part %d\n" % number for number in range(5))
    assert curl(*target.options, f"{target.url}/write").body == b"written twice\n"
    result = curl(*target.options, f"{target.url}/download?5000000")
    assert result.body == (bytes(range(256)) * 20_000)[:5_000_000]


def test_early_hints(server: Server, curl: Curl, target_of: TargetOf) -> None:
    target = target_of(server)
    result = curl(*target.options, f"{target.url}/hints")
    assert [status for status, _ in result.informational] == [103]
    assert result.informational[0][1]["link"] == "</a.css>; rel=preload; as=style"
    assert result.body == b"hinted\n"


def test_failures(server: Server, curl: Curl, target_of: TargetOf) -> None:
    target = target_of(server)
    assert curl(*target.options, f"{target.url}/failing").status == 500
    late = curl(*target.options, f"{target.url}/failing-late")
    assert late.code != 0 or late.status == 500
    result = curl(*target.options, f"{target.url}/splitting")
    assert (result.status, "set-cookie" in result.headers) == (500, False)
    server.wait_for("the application is broken")
    assert curl(*target.options, f"{target.url}/hello").status == 200


def test_iterables_are_closed(server: Server, curl: Curl) -> None:
    for _ in range(3):
        curl(f"{server.url}/closing")
    assert curl(f"{server.url}/closed").body == b"3"


def test_threads_run_side_by_side(server: Server, curl: Curl) -> None:
    urls = [f"{server.url}/parallel?{number}" for number in range(4)]
    result = curl("-Z", "--http2", *urls)
    assert result.code == 0
    assert int(curl(f"{server.url}/parallel").body) > 1
