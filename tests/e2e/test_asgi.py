"""ASGI over every protocol: order, repetition, types and disconnects as asgiref has them.

Rows AS-01 to AS-08, AS-12 and AS-14 of the reliability catalogue are named where they are tested.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import CurlResult, Server, Target, wait_until

Curl = Callable[..., CurlResult]
TargetOf = Callable[[Server], Target]


@pytest.fixture
def server(serve_app: Callable[..., Server]) -> Server:
    return serve_app("asgi_basic:app")


def report(curl: Curl, server: Server) -> dict[str, object]:
    return json.loads(curl(f"{server.url}/report").body)


def test_hello(server: Server, curl: Curl, target_of: TargetOf) -> None:
    target = target_of(server)
    result = curl(*target.options, f"{target.url}/hello")
    assert (result.code, result.status) == (0, 200)
    assert result.version.startswith(target.version)
    assert result.body == b"hello, world\n"
    assert result.headers["content-type"] == "text/plain"
    assert result.headers["content-length"] == "13"
    assert "date" in result.headers


def test_scope(server: Server, curl: Curl, target_of: TargetOf, protocol: str) -> None:
    target = target_of(server)
    result = curl(*target.options, f"{target.url}/scope?a=b%20c&d", "-H", "X-Test: One")
    scope = json.loads(result.body)
    assert scope["type"] == "http"
    assert scope["asgi"] == {"version": "3.0", "spec_version": "2.5"}
    assert scope["http_version"] == ("2" if protocol.startswith("h2") else "1.1")
    assert scope["method"] == "GET"
    assert scope["scheme"] == ("http" if protocol.endswith("c") else "https")
    assert (scope["path"], scope["raw_path"]) == ("/scope", "/scope")
    assert scope["query_string"] == "a=b%20c&d"
    assert scope["root_path"] == ""
    assert scope["client"][0] == "127.0.0.1" and scope["client"][1] > 0
    port = server.plain_port if protocol.endswith("c") else server.port
    assert scope["server"] == ["127.0.0.1", port]
    assert scope["state"] == {"started": True}
    headers = scope["headers"]
    assert headers[0] == ["host", f"127.0.0.1:{port}"]
    assert ["x-test", "One"] in headers
    assert not [name for name, _ in headers if name.startswith(":")]
    extensions = scope["extensions"]
    for name in ("early_hint", "informational", "trailers", "pathsend"):
        assert extensions[f"http.response.{name}"] == {}
    if protocol.endswith("c"):
        assert "tls" not in extensions
    else:
        assert extensions["tls"]["tls_version"] == 0x0304
        assert extensions["tls"]["client_cert_chain"] == []
        assert extensions["tls"]["cipher_suite"] > 0


def test_path_is_decoded_once(server: Server, curl: Curl) -> None:
    result = curl(f"{server.url}/%73cope?x=%2541", "--path-as-is")
    scope = json.loads(result.body)
    assert (scope["path"], scope["raw_path"]) == ("/scope", "/%73cope")
    assert scope["query_string"] == "x=%2541"


def test_root_path(serve_app: Callable[..., Server], curl: Curl) -> None:
    server = serve_app("asgi_basic:app", "--root-path", "/prefix")
    scope = json.loads(curl(f"{server.url}/scope").body or b"{}")
    assert scope.get("root_path", "/prefix") == "/prefix"


@pytest.mark.parametrize("path", ["/echo", "/stream-echo"])
def test_request_bodies(
    server: Server, curl: Curl, target_of: TargetOf, tmp_path: Path, path: str
) -> None:
    target = target_of(server)
    for size in (0, 1, 1000, 65536, 3_000_000):
        upload = tmp_path / "upload"
        upload.write_bytes(bytes(range(256)) * (size // 256) + b"x" * (size % 256))
        result = curl(*target.options, f"{target.url}{path}", "--data-binary", f"@{upload}")
        assert (result.code, result.status) == (0, 200)
        assert result.body == upload.read_bytes()


def test_chunked_upload(server: Server, curl: Curl, target_of: TargetOf, tmp_path: Path) -> None:
    target = target_of(server)
    upload = tmp_path / "upload"
    upload.write_bytes(b"chunk" * 100_000)
    result = curl(
        *target.options, f"{target.url}/digest", "-T", upload, "-H", "Transfer-Encoding: chunked"
    )
    assert result.body.decode() == f"500000 {hashlib.sha256(upload.read_bytes()).hexdigest()}"


def test_streamed_response(server: Server, curl: Curl, target_of: TargetOf) -> None:
    target = target_of(server)
    result = curl(*target.options, f"{target.url}/ticks")
    assert result.body == b"".join(b"tick %d\n" % number for number in range(5))
    assert "content-length" not in result.headers


def test_head_has_no_body(server: Server, curl: Curl, target_of: TargetOf) -> None:
    target = target_of(server)
    result = curl(*target.options, "--head", f"{target.url}/hello")
    assert (result.code, result.status, result.body[:4]) == (0, 200, result.body[:4])
    assert result.headers["content-length"] == "13"


def test_three_kinds_of_early_hints(server: Server, curl: Curl, target_of: TargetOf) -> None:
    target = target_of(server)
    result = curl(*target.options, f"{target.url}/hints")
    assert (result.status, result.body) == (200, b"hinted\n")
    assert [status for status, _ in result.informational] == [103, 103, 103]
    links = [fields["link"] for _, fields in result.informational]
    assert links == [
        "</a.css>; rel=preload; as=style",
        "</b.js>; rel=preload; as=script",
        "</c.png>; rel=preload; as=image",
    ]
    assert result.informational[2][1]["x-kind"] == "gunicorn"


def test_no_hints_to_http_1_0(server: Server, curl: Curl) -> None:
    result = curl("--http1.0", f"{server.plain_url}/hints")
    assert (result.status, result.informational) == (200, [])


def test_push_becomes_a_hint_where_there_is_none(server: Server, curl: Curl) -> None:
    """curl disables pushes; over HTTP/2 they become hints, HTTP/1.1 has no such key."""
    result = curl("--http2", f"{server.url}/push")
    assert result.body == b"pushed\n"
    links = [fields["link"].split(";")[0] for _, fields in result.informational]
    assert links == ["</hello>", "</echo-headers>"]
    result = curl("--http1.1", f"{server.url}/push")
    assert (result.body, result.informational) == (b"pushed\n", [])


def test_trailers_over_http1(server: Server, curl: Curl) -> None:
    result = curl("--http1.1", "-H", "TE: trailers", f"{server.url}/trailers")
    assert result.body == b"with trailers\n"
    assert result.headers["transfer-encoding"] == "chunked"


def test_pathsend(server: Server, curl: Curl, target_of: TargetOf, tmp_path: Path) -> None:
    target = target_of(server)
    file = tmp_path / "file"
    file.write_bytes(b"from a file" * 10_000)
    result = curl(*target.options, f"{target.url}/pathsend?{file}")
    assert (result.status, result.body) == (200, file.read_bytes())
    assert curl(*target.options, f"{target.url}/pathsend?/nowhere").status == 500


def test_connection_specific_fields_are_dropped(
    server: Server, curl: Curl, target_of: TargetOf
) -> None:
    target = target_of(server)
    result = curl(*target.options, f"{target.url}/own-framing")
    assert (result.code, result.body) == (0, b"framed\n")
    assert result.headers.get("transfer-encoding") is None
    assert result.headers["x-kept"] == "yes"


class TestMisbehaviour:
    """AS-03 to AS-06: what the client sees, and that the connection goes on."""

    @pytest.mark.parametrize("path", ["/raise-before", "/return-nothing"])
    def test_before_the_start(
        self, server: Server, curl: Curl, target_of: TargetOf, path: str
    ) -> None:
        target = target_of(server)
        result = curl(*target.options, f"{target.url}{path}")
        assert (result.code, result.status) == (0, 500)
        assert b"before the start" not in result.body
        expected = "before the start" if "raise" in path else "without a response"
        server.wait_for(expected)

    @pytest.mark.parametrize("path", ["/raise-after", "/return-early", "/short-length"])
    def test_after_the_start_is_visible(
        self, server: Server, curl: Curl, target_of: TargetOf, path: str
    ) -> None:
        target = target_of(server)
        result = curl(*target.options, f"{target.url}{path}")
        assert result.code != 0 or result.status == 500, (
            "the client must not take a broken response for a whole one"
        )
        assert curl(*target.options, f"{target.url}/hello").status == 200

    def test_after_the_end_is_only_logged(
        self, server: Server, curl: Curl, target_of: TargetOf
    ) -> None:
        target = target_of(server)
        result = curl(*target.options, f"{target.url}/raise-complete")
        assert (result.code, result.status, result.body) == (0, 200, b"complete\n")
        server.wait_for("after the end")

    def test_too_long_is_cut(self, server: Server, curl: Curl, target_of: TargetOf) -> None:
        target = target_of(server)
        result = curl(*target.options, f"{target.url}/long-length")
        assert (result.code, result.body) == (0, b"four")
        server.wait_for("more than its Content-Length")

    @pytest.mark.parametrize(
        ("what", "error"),
        [
            ("body-first", "RuntimeError"),
            ("double-start", "RuntimeError"),
            ("unknown-type", "ValueError"),
            ("no-type", "KeyError"),
            ("not-a-dict", "TypeError"),
            ("str-body", "TypeError"),
            ("str-header", "TypeError"),
            ("crlf-value", "ValueError"),
            ("crlf-name", "ValueError"),
            ("nul-value", "ValueError"),
            ("empty-name", "ValueError"),
            ("negative-status", "ValueError"),
            ("huge-status", "ValueError"),
            ("str-status", "TypeError"),
            ("no-status", "KeyError"),
            ("headers-number", "TypeError"),
            ("triple", "TypeError"),
            ("trailers-unasked", "RuntimeError"),
            ("push-no-path", "TypeError"),
        ],
    )
    def test_wrong_messages_raise(self, server: Server, curl: Curl, what: str, error: str) -> None:
        for option in ("--http1.1", "--http2"):
            result = curl(option, f"{server.url}/misuse?{what}")
            assert (result.code, result.status) == (0, 200)
            assert result.body.decode().startswith(f"{error}: ")
            assert "set-cookie" not in result.headers

    def test_disconnect_reaches_the_application(
        self, server: Server, curl: Curl, target_of: TargetOf
    ) -> None:
        """AS-08: receive() gives http.disconnect, send() raises an OSError."""
        target = target_of(server)
        words = ["curl", "-sk", *target.options, f"{target.url}/wait-disconnect"]
        client = subprocess.Popen(words)
        wait_until(lambda: "waiting" in report(curl, server)["events"])  # type: ignore[operator]
        client.kill()
        client.wait()
        expected = ["waiting", "http.disconnect", "ClientDisconnected"]
        wait_until(lambda: report(curl, server)["events"] == expected)
        assert "Traceback" not in server.log

    def test_unread_upload(
        self, server: Server, curl: Curl, target_of: TargetOf, tmp_path: Path, protocol: str
    ) -> None:
        """AS-01: an application that answers without reading does not make the server hoard.

        HTTP/2 by nghttp: curl 7.88 hangs when RST_STREAM with NO_ERROR comes while it uploads.
        """
        target = target_of(server)
        upload = tmp_path / "upload"
        with upload.open("wb") as file:
            file.truncate(200 << 20)
        before = resident(server)
        if protocol.startswith("h2"):
            words = ["nghttp", "-v", "--no-verify-peer", "-d", str(upload), f"{target.url}/hello"]
            done = subprocess.run(words, capture_output=True, text=True, timeout=30)
            assert ":status: 200" in done.stdout and "hello, world" in done.stdout
            assert "error_code=NO_ERROR" in done.stdout
            sent = sum(
                int(size) for size in re.findall(r"send DATA frame <length=(\d+)", done.stdout)
            )
            assert sent <= 2 << 20
        else:
            result = curl(*target.options, f"{target.url}/hello", "-T", upload)
            assert (result.status, result.body) == (200, b"hello, world\n")
        assert resident(server) - before < 16 << 20
        assert curl(*target.options, f"{target.url}/hello").status == 200


def resident(server: Server) -> int:
    """Resident memory of the server's process, in bytes."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


def test_hung_applications_hold_nobody_up(server: Server, curl: Curl) -> None:
    """AS-02: fifty requests that never end beside one that does."""
    urls = [f"{server.url}/slow?30&{number}" for number in range(50)]
    client = subprocess.Popen(["curl", "-skZ", "--http2", "--parallel-max", "50", *urls])
    try:
        wait_until(lambda: report(curl, server)["running"] >= 50)  # type: ignore[operator]
        for _ in range(5):
            assert curl(f"{server.url}/hello").status == 200
    finally:
        client.kill()
        client.wait()
    wait_until(lambda: report(curl, server)["running"] == 51)
    server.expected_code = None
    started = time.monotonic()
    server.process.terminate()
    server.process.terminate()
    server.process.wait(15)
    assert time.monotonic() - started < 15


def test_slow_reader_holds_the_application(server: Server, curl: Curl, target_of: TargetOf) -> None:
    """AS-07: send() waits for a peer that does not read; memory stays bounded."""
    target = target_of(server)
    before = resident(server)
    words = ["curl", "-sk", *target.options, "--limit-rate", "200k", "-o", "/dev/null"]
    client = subprocess.Popen([*words, f"{target.url}/download?{1 << 30}"])
    try:
        time.sleep(1.0)
        assert client.poll() is None
        assert resident(server) - before < 16 << 20
    finally:
        client.kill()
        client.wait()
    wait_until(lambda: report(curl, server)["running"] == 1)


class TestLifespan:
    """AS-12."""

    def test_shutdown_is_announced(self, server: Server) -> None:
        assert server.stop() == 0
        assert "lifespan shutdown" in server.log

    def test_failed_start(self, herald: Callable[..., subprocess.CompletedProcess[str]]) -> None:
        result = run_app(herald, "asgi_lifespan:failing")
        assert result.returncode == 1
        assert "start-up failed: no database" in result.stderr
        assert "https://" not in result.stdout + result.stderr

    def test_raising_start_means_unsupported(
        self, serve_app: Callable[..., Server], curl: Curl
    ) -> None:
        server = serve_app("asgi_lifespan:unsupported")
        assert curl(f"{server.url}/").body == b"no lifespan\n"
        assert "start-up" not in server.log

    def test_raising_start_after_the_message_is_said(
        self, serve_app: Callable[..., Server], curl: Curl
    ) -> None:
        server = serve_app("asgi_lifespan:raising")
        assert curl(f"{server.url}/").body == b"no lifespan\n"
        assert (
            "herald: warning: the application's start-up raised RuntimeError: no database"
            in server.log
        )

    def test_never_completing_start(
        self, herald: Callable[..., subprocess.CompletedProcess[str]]
    ) -> None:
        result = run_app(herald, "asgi_lifespan:hanging", "--startup-timeout", "0.5")
        assert result.returncode == 1
        assert "took longer than 0.5 s" in result.stderr


def run_app(
    herald: Callable[..., subprocess.CompletedProcess[str]], target: str, *options: str
) -> subprocess.CompletedProcess[str]:
    apps = Path(__file__).parent / "apps"
    return herald("serve", "--app-dir", apps, target, "--bind", "127.0.0.1:0", *options)


def test_uvloop_is_used_where_it_is_installed(serve_app: Callable[..., Server], curl: Curl) -> None:
    server = serve_app("asgi_loop:app")
    assert curl(f"{server.url}/").body == b"uvloop\n"
    server = serve_app("asgi_loop:app", "--worker-class", "asyncio")
    assert curl(f"{server.url}/").body == b"asyncio\n"
