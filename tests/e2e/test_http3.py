"""HTTP/3: two independent clients, aioquic and ngtcp2's gtlsclient, against herald serve."""

from __future__ import annotations

import asyncio
import hashlib
import re
import shutil
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from conftest import Server

pytest.importorskip("aioquic")
from aioquic.tls import Epoch  # noqa: E402
from h3_client import Client, client  # noqa: E402

LARGE = 10 * 1024 * 1024
PATTERN = bytes(range(256)) * 256


@pytest.fixture
def server(serve_app: Callable[..., Server]) -> Server:
    """The basic ASGI application, where the build has QUIC."""
    started = serve_app("asgi_basic:app")
    if "no HTTP/3" in started.log:
        pytest.skip("this build has no QUIC")
    return started


def over_h3(server: Server, ca_file: Path, work: Callable[[Client], Awaitable[None]]) -> None:
    """Run ``work`` with a connected client."""

    async def run() -> None:
        async with client(server.port, ca_file) as connected:
            await work(connected)

    asyncio.run(asyncio.wait_for(run(), 25))


def test_get(server: Server, ca_file: Path) -> None:
    async def work(h3: Client) -> None:
        response = await h3.fetch("GET", "/hello")
        assert response.status == 200
        assert bytes(response.body) == b"hello, world\n"
        assert response.heads[0]["server"] == "herald"
        assert "alt-svc" not in response.heads[0]

    over_h3(server, ca_file, work)


def test_scope_says_http_3(server: Server, ca_file: Path) -> None:
    async def work(h3: Client) -> None:
        response = await h3.fetch("GET", "/scope?a=b")
        text = response.body.decode()
        assert '"http_version": "3"' in text
        assert '"scheme": "https"' in text
        assert '"127.0.0.1"' in text

    over_h3(server, ca_file, work)


def test_post_is_echoed(server: Server, ca_file: Path) -> None:
    async def work(h3: Client) -> None:
        response = await h3.fetch("POST", "/echo", body=b"some bytes")
        assert bytes(response.body) == b"some bytes"

    over_h3(server, ca_file, work)


def test_request_trailers_end_the_body(server: Server, ca_file: Path) -> None:
    async def work(h3: Client) -> None:
        response = await h3.fetch("POST", "/echo", body=b"abc", trailers=[(b"x-sum", b"1")])
        assert bytes(response.body) == b"abc"

    over_h3(server, ca_file, work)


def test_large_download(server: Server, ca_file: Path) -> None:
    async def work(h3: Client) -> None:
        response = await h3.fetch("GET", f"/download?{LARGE}")
        assert len(response.body) == LARGE
        expected = hashlib.sha256(PATTERN * (LARGE // len(PATTERN)))
        assert hashlib.sha256(response.body).digest() == expected.digest()

    over_h3(server, ca_file, work)


def test_large_upload(server: Server, ca_file: Path) -> None:
    body = PATTERN * (4 * 1024 * 1024 // len(PATTERN))

    async def work(h3: Client) -> None:
        response = await h3.fetch("POST", "/digest", body=body)
        assert response.body.decode() == f"{len(body)} {hashlib.sha256(body).hexdigest()}"

    over_h3(server, ca_file, work)


def test_response_trailers(server: Server, ca_file: Path) -> None:
    async def work(h3: Client) -> None:
        response = await h3.fetch("GET", "/trailers", fields=[(b"te", b"trailers")])
        assert bytes(response.body) == b"with trailers\n"
        assert response.trailers == {"x-first": "1", "x-second": "2"}

    over_h3(server, ca_file, work)


def test_many_requests_at_once(server: Server, ca_file: Path) -> None:
    async def work(h3: Client) -> None:
        responses = await asyncio.gather(*(h3.fetch("GET", "/hello") for _ in range(80)))
        assert {response.status for response in responses} == {200}
        for _ in range(3):
            responses = await asyncio.gather(*(h3.fetch("GET", "/hello") for _ in range(80)))
            assert {response.status for response in responses} == {200}

    over_h3(server, ca_file, work)


def test_early_abort_reaches_the_application(server: Server, ca_file: Path) -> None:
    async def work(h3: Client) -> None:
        stream_id, _ = h3.send("POST", "/wait-disconnect", body=b"x")
        for _ in range(200):
            if b"waiting" in (await h3.fetch("GET", "/report")).body:
                break
        h3.cancel(stream_id)
        for _ in range(200):
            report = (await h3.fetch("GET", "/report")).body
            if b"http.disconnect" in report:
                break
        assert b"http.disconnect" in report

    over_h3(server, ca_file, work)


def test_aborted_download_leaves_the_connection(server: Server, ca_file: Path) -> None:
    async def work(h3: Client) -> None:
        stream_id, response = h3.send("GET", f"/download?{LARGE}")
        await asyncio.wait_for(response.began.wait(), 10)
        h3.cancel(stream_id)
        assert (await h3.fetch("GET", "/hello")).status == 200

    over_h3(server, ca_file, work)


def test_failing_application_resets_the_stream(server: Server, ca_file: Path) -> None:
    async def work(h3: Client) -> None:
        response = await h3.fetch("GET", "/raise-after")
        assert response.reset_code == 0x102  # H3_INTERNAL_ERROR
        assert (await h3.fetch("GET", "/raise-before")).status == 500
        assert (await h3.fetch("GET", "/hello")).status == 200

    over_h3(server, ca_file, work)


def test_long_path_is_414(server: Server, ca_file: Path) -> None:
    async def work(h3: Client) -> None:
        assert (await h3.fetch("GET", "/" + "a" * 9000)).status == 414
        assert (await h3.fetch("GET", "/hello")).status == 200

    over_h3(server, ca_file, work)


def test_too_many_fields_are_431(server: Server, ca_file: Path) -> None:
    async def work(h3: Client) -> None:
        fields = [(b"x-%d" % number, b"v") for number in range(300)]
        assert (await h3.fetch("GET", "/hello", fields=fields)).status == 431
        assert (await h3.fetch("GET", "/hello")).status == 200

    over_h3(server, ca_file, work)


def test_client_moves_to_another_port(server: Server, ca_file: Path) -> None:
    async def work(h3: Client) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(5):
            assert (await h3.fetch("GET", "/hello")).status == 200
            old = h3._transport
            transport, _ = await loop.create_datagram_endpoint(
                asyncio.DatagramProtocol, local_addr=("::ffff:127.0.0.1", 0)
            )
            # The protocol goes on with the new socket, as after a NAT has forgotten its mapping.
            transport.set_protocol(h3)
            h3.connection_made(transport)
            assert old is not h3._transport
        response = await h3.fetch("GET", f"/download?{LARGE}")
        assert len(response.body) == LARGE

    over_h3(server, ca_file, work)


def test_tls_key_update_closes_one_connection(server: Server, ca_file: Path) -> None:
    """RFC 9001 section 6: error 0x010a, and everybody else is served on."""

    async def other(h3: Client) -> None:
        assert (await h3.fetch("GET", "/hello")).status == 200

    async def work(h3: Client) -> None:
        async with client(server.port, ca_file) as bystander:
            await other(h3)
            crypto = h3._quic._crypto_streams[Epoch.ONE_RTT]
            crypto.sender.write(b"\x18\x00\x00\x01\x00")
            h3.transmit()
            await asyncio.wait_for(h3.wait_closed(), 10)
            assert h3._quic._close_event is not None
            assert h3._quic._close_event.error_code == 0x10A
            await other(bystander)

    over_h3(server, ca_file, work)
    over_h3(server, ca_file, other)


def test_shutdown_lets_the_response_finish(server: Server, ca_file: Path) -> None:
    async def work(h3: Client) -> None:
        assert (await h3.fetch("GET", "/hello")).status == 200
        _, response = h3.send("GET", "/slow?0.5")
        await h3.ping()
        server.process.terminate()
        await asyncio.wait_for(response.ended.wait(), 10)
        assert bytes(response.body) == b"slow\n"

    over_h3(server, ca_file, work)


@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_alt_svc_over_tcp(server: Server, curl: Callable[..., object], version: str) -> None:
    result = curl(version, f"{server.url}/hello")
    assert result.headers["alt-svc"] == f'h3=":{server.port}"; ma=86400'


def test_no_alt_svc_in_cleartext(server: Server, curl: Callable[..., object]) -> None:
    assert "alt-svc" not in curl(f"{server.plain_url}/hello").headers


def test_access_log_names_http_3(
    serve_app: Callable[..., Server], ca_file: Path, tmp_path: Path
) -> None:
    log = tmp_path / "access.log"
    server = serve_app("asgi_basic:app", "--access-logfile", log)
    if "no HTTP/3" in server.log:
        pytest.skip("this build has no QUIC")

    async def work(h3: Client) -> None:
        await h3.fetch("GET", "/hello")

    over_h3(server, ca_file, work)
    server.stop()
    assert '"GET /hello 3" 200 13' in log.read_text()


@pytest.fixture
def gtlsclient() -> str:
    found = shutil.which("gtlsclient")
    if found is None:
        pytest.skip("gtlsclient is missing (package ngtcp2-client)")
    return found


def run_gtlsclient(program: str, server: Server, *arguments: str | Path) -> str:
    port = str(server.port)
    words = [program, "--exit-on-all-streams-close", *map(str, arguments)]
    done = subprocess.run(
        [*words[:-1], "127.0.0.1", port, f"https://localhost:{port}{words[-1]}"],
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_gtlsclient_downloads(server: Server, gtlsclient: str, tmp_path: Path) -> None:
    run_gtlsclient(gtlsclient, server, "-q", f"--download={tmp_path}", f"/download?{LARGE}")
    (file,) = tmp_path.glob("download*")
    body = file.read_bytes()
    assert body == PATTERN * (LARGE // len(PATTERN))


def test_gtlsclient_sees_early_hints(server: Server, gtlsclient: str) -> None:
    output = run_gtlsclient(gtlsclient, server, "--no-quic-dump", "/hints")
    assert output.count("[:status: 103]") == 3
    assert output.index("[:status: 103]") < output.index("[:status: 200]")
    assert "</a.css>; rel=preload; as=style" in output


def test_head_has_no_body(server: Server, gtlsclient: str) -> None:
    output = run_gtlsclient(gtlsclient, server, "-m", "HEAD", "/hello")
    assert "[:status: 200]" in output
    assert "[content-length: 13]" in output
    assert "hello, world" not in output


def test_gtlsclient_updates_keys_and_moves(server: Server, gtlsclient: str, tmp_path: Path) -> None:
    options = ["--key-update=100ms", "--change-local-addr=150ms", "--delay-stream=250ms"]
    run_gtlsclient(
        gtlsclient, server, "-q", *options, f"--download={tmp_path}", "/download?1000000"
    )
    (file,) = tmp_path.glob("download*")
    assert file.stat().st_size == 1000000


def test_gtlsclient_resumes(server: Server, gtlsclient: str, tmp_path: Path) -> None:
    session = [f"--session-file={tmp_path / 'session'}", f"--tp-file={tmp_path / 'parameters'}"]
    first = run_gtlsclient(gtlsclient, server, *session, "/ticks")
    second = run_gtlsclient(gtlsclient, server, *session, "/hello")
    assert "[:status: 200]" in second
    # Without a certificate the server has much less to say in the handshake.
    lengths = [
        sum(map(int, re.findall(r"pkt rx .*type=Handshake len=(\d+)", output)))
        for output in (first, second)
    ]
    assert 0 < lengths[1] < lengths[0] // 2


def test_gtlsclient_speaks_version_2(server: Server, gtlsclient: str) -> None:
    output = run_gtlsclient(gtlsclient, server, "--no-quic-dump", "--version=v2", "/hello")
    assert "[:status: 200]" in output
