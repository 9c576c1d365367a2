"""TLS: protocol choice, versions, several certificates, client certificates, tickets, reload."""

from __future__ import annotations

import json
import signal
import socket
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import CurlResult, Server, wait_until

Curl = Callable[..., CurlResult]


def make_certificate(folder: Path, name: str, *names: str) -> tuple[Path, Path]:
    """A self-signed certificate for ``names``, the way the seed makes one, with names added."""
    certificate, key = folder / f"{name}.pem", folder / f"{name}-key.pem"
    alternatives = ",".join(f"DNS:{one}" for one in names)
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-keyout", key, "-out", certificate]
        + [
            "-days",
            "30",
            "-nodes",
            "-subj",
            f"/CN={name}",
            "-addext",
            f"subjectAltName={alternatives}",
        ],
        check=True,
        capture_output=True,
    )
    return certificate, key


def handshake(
    port: int, name: str = "localhost", alpn: list[str] | None = None, **options: object
) -> ssl.SSLSocket:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if alpn is not None:
        context.set_alpn_protocols(alpn)
    for key, value in options.items():
        setattr(context, key, value)
    raw = socket.create_connection(("127.0.0.1", port), timeout=10)
    return context.wrap_socket(raw, server_hostname=name)


def common_name(peer: ssl.SSLSocket) -> str:
    der = peer.getpeercert(binary_form=True)
    assert der is not None
    text = subprocess.run(
        ["openssl", "x509", "-inform", "der", "-noout", "-subject"],
        input=der,
        capture_output=True,
        check=True,
    )
    return text.stdout.decode().split("CN = ")[-1].strip()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    root.mkdir()
    (root / "file.txt").write_text("over TLS\n")
    return root


@pytest.fixture
def server(serve: Callable[..., Server], folder: Path) -> Server:
    return serve(folder)


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [(["h2", "http/1.1"], "h2"), (["http/1.1", "h2"], "h2"), (["http/1.1"], "http/1.1")],
)
def test_protocol_choice(server: Server, offered: list[str], chosen: str) -> None:
    with handshake(server.port, alpn=offered) as peer:
        assert peer.selected_alpn_protocol() == chosen


def test_no_protocol_named_means_http1(server: Server) -> None:
    with handshake(server.port) as peer:
        assert peer.selected_alpn_protocol() is None
        peer.sendall(b"GET /file.txt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert peer.recv(4096).startswith(b"HTTP/1.1 200 OK\r\n")


def test_no_common_protocol(server: Server) -> None:
    """TL-06: the alert no_application_protocol."""
    with pytest.raises(ssl.SSLError, match="(?i)no.application.protocol"):
        handshake(server.port, alpn=["spdy/3"])


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_versions(server: Server, version: ssl.TLSVersion) -> None:
    with handshake(
        server.port, alpn=["h2"], minimum_version=version, maximum_version=version
    ) as peer:
        assert peer.version() == version.name.replace("_", ".")
        assert peer.selected_alpn_protocol() == "h2"
        cipher = peer.cipher()
        assert cipher is not None and ("GCM" in cipher[0] or "POLY1305" in cipher[0])


def test_old_versions_are_refused(server: Server) -> None:
    done = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", "-tls1_1"]
        + ["-cipher", "DEFAULT@SECLEVEL=0"],
        input=b"",
        capture_output=True,
        timeout=20,
    )
    assert b"Cipher is (NONE)" in done.stdout


def test_weak_suites_are_refused(server: Server) -> None:
    """TLS 1.2 with CBC or RSA key exchange: no handshake."""
    for cipher in ("ECDHE-ECDSA-AES128-SHA", "AES128-GCM-SHA256", "AES256-SHA"):
        done = subprocess.run(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", "-tls1_2"]
            + ["-cipher", f"{cipher}:@SECLEVEL=0"],
            input=b"",
            capture_output=True,
            timeout=20,
        )
        assert b"Cipher is (NONE)" in done.stdout, cipher


def test_the_seeds_self_signed_certificate(
    serve: Callable[..., Server], folder: Path, tmp_path: Path, curl: Curl
) -> None:
    certificate, key = make_certificate(tmp_path, "localhost", "localhost")
    server = serve(folder, "--certfile", certificate, "--keyfile", key)
    result = curl("--cacert", certificate, f"https://localhost:{server.port}/file.txt", "--http2")
    assert (result.status, result.body) == (200, b"over TLS\n")


def test_several_certificates(serve: Callable[..., Server], folder: Path, tmp_path: Path) -> None:
    first, first_key = make_certificate(tmp_path, "first", "first.example")
    second, second_key = make_certificate(tmp_path, "second", "second.example", "*.second.example")
    server = serve(
        *(folder, "--certfile", first, "--keyfile", first_key),
        *("--certfile", second, "--keyfile", second_key),
    )
    for name, expected in (
        ("first.example", "first"),
        ("second.example", "second"),
        ("www.second.example", "second"),
        ("SECOND.example", "second"),
        ("unknown.example", "first"),
    ):
        with handshake(server.port, name) as peer:
            assert common_name(peer) == expected, name


def test_client_certificates(
    serve: Callable[..., Server], folder: Path, tmp_path: Path, curl: Curl
) -> None:
    certificate, key = make_certificate(tmp_path, "client", "client.example")
    other, other_key = make_certificate(tmp_path, "other", "other.example")
    server = serve(folder, "--ca-certs", certificate, "--verify-mode", "CERT_REQUIRED")
    url = f"{server.url}/file.txt"
    assert curl("--cert", certificate, "--key", key, url).body == b"over TLS\n"
    assert curl(url).code != 0
    assert curl("--cert", other, "--key", other_key, url).code != 0


def test_application_sees_the_client_certificate(
    serve_app: Callable[..., Server], tmp_path: Path, curl: Curl
) -> None:
    """The ASGI tls extension: chain as PEM, name as RFC 4514."""
    certificate, key = make_certificate(tmp_path, "client", "client.example")
    server = serve_app(
        "asgi_basic:app", "--ca-certs", certificate, "--verify-mode", "CERT_OPTIONAL"
    )
    scope = json.loads(curl("--cert", certificate, "--key", key, f"{server.url}/scope").body)
    tls = scope["extensions"]["tls"]
    assert tls["client_cert_name"] == "CN=client"
    assert [pem.split() for pem in tls["client_cert_chain"]] == [certificate.read_text().split()]
    tls = json.loads(curl(f"{server.url}/scope").body)["extensions"]["tls"]
    assert (tls["client_cert_name"], tls["client_cert_chain"]) == (None, [])


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tickets_resume(server: Server, version: ssl.TLSVersion) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = context.maximum_version = version
    session: ssl.SSLSession | None = None
    for expected in (False, True, True):
        raw = socket.create_connection(("127.0.0.1", server.port), timeout=10)
        with context.wrap_socket(raw, server_hostname="localhost", session=session) as peer:
            peer.sendall(b"GET /file.txt HTTP/1.1\r\nHost: x\r\n\r\n")
            assert peer.recv(4096).startswith(b"HTTP/1.1 200")
            assert peer.session_reused is expected
            session = peer.session


def resume(
    port: int, session: ssl.SSLSession | None, name: str, context: ssl.SSLContext
) -> tuple[ssl.SSLSession | None, bool, bytes]:
    """One request; the new session, whether the old one was taken up, and the answer."""
    raw = socket.create_connection(("127.0.0.1", port), timeout=10)
    with context.wrap_socket(raw, server_hostname=name, session=session) as peer:
        peer.sendall(b"GET /scope HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: peer.recv(65536), b""))
        return peer.session, bool(peer.session_reused), answer


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tickets_and_client_certificates(
    serve_app: Callable[..., Server], tmp_path: Path, version: ssl.TLSVersion
) -> None:
    """SM-15: a ticket carries the identity it was given for, and is worth nothing elsewhere."""
    certificate, key = make_certificate(tmp_path, "client", "client.example")
    asks = ["--ca-certs", certificate, "--verify-mode"]
    optional = serve_app("asgi_basic:app", *asks, "optional")
    required = serve_app("asgi_basic:app", *asks, "required")

    def client(*identity: Path) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.minimum_version = context.maximum_version = version
        if identity:
            context.load_cert_chain(*identity)
        return context

    known = client(certificate, key)
    session, _, answer = resume(optional.port, None, "localhost", known)
    assert b'"client_cert_name": "CN=client"' in answer
    _, reused, answer = resume(optional.port, session, "localhost", known)
    assert reused and b'"client_cert_name": "CN=client"' in answer

    stranger = client()
    session, _, answer = resume(optional.port, None, "localhost", stranger)
    assert b'"client_cert_name": null' in answer
    _, reused, answer = resume(optional.port, session, "localhost", stranger)
    assert reused and b'"client_cert_name": null' in answer
    with pytest.raises((ssl.SSLError, OSError)):
        _, _, answer = resume(required.port, session, "localhost", stranger)
        assert answer == b"", "no certificate, no answer"
        raise OSError


def test_reload_without_a_restart(
    serve: Callable[..., Server], folder: Path, tmp_path: Path
) -> None:
    certificate, key = make_certificate(tmp_path, "before", "localhost")
    server = serve(folder, "--certfile", certificate, "--keyfile", key)
    with handshake(server.port) as old:
        assert common_name(old) == "before"
        after, after_key = make_certificate(tmp_path, "after", "localhost")
        after_key.replace(key)
        after.replace(certificate)
        server.process.send_signal(signal.SIGHUP)

        def present() -> str:
            with handshake(server.port) as peer:
                return common_name(peer)

        wait_until(lambda: present() == "after")
        old.sendall(b"GET /file.txt HTTP/1.1\r\nHost: x\r\n\r\n")
        assert old.recv(4096).startswith(b"HTTP/1.1 200")
        certificate.write_text("broken\n")
        server.process.send_signal(signal.SIGHUP)
        server.wait_for(str(certificate))
        assert present() == "after", "a broken pair leaves the old one in use"


def test_fragmented_client_hello(server: Server) -> None:
    """TL-03: one byte a segment."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as raw:
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                for byte in outgoing.read():
                    raw.sendall(bytes([byte]))
                incoming.write(raw.recv(65536))
        assert tls.version() == "TLSv1.3"
