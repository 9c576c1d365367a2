"""What goes wrong before anything is served: one clear line, the exit code, nothing left over."""

from __future__ import annotations

import re
import socket
import ssl
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import APPS, CurlResult, Server

Herald = Callable[..., subprocess.CompletedProcess[str]]


def refused(result: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    """One line on standard error that has all the words, and the exit code."""
    assert result.returncode == code, result.stderr
    lines = [line for line in result.stderr.splitlines() if line.strip()]
    assert len(lines) == 1, result.stderr
    for word in words:
        assert word in lines[0], f"{word!r} is not in: {lines[0]}"
    assert not re.search(r"https?://127\.0\.0\.1:\d+", result.stdout + result.stderr)


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("no_such_module:app", ["no_such_module"]),
        ("asgi_basic:nothing", ["asgi_basic", "nothing"]),
        ("asgi_basic:starts", ["int", "not callable"]),
    ],
)
def test_application_that_cannot_be_had(herald: Herald, target: str, words: list[str]) -> None:
    refused(herald("serve", "--app-dir", APPS, target, "--bind", "127.0.0.1:0"), 2, *words)


def test_application_whose_import_fails(herald: Herald, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("raise ValueError('half-written')\n")
    result = herald("serve", "--app-dir", tmp_path, "broken:app", "--bind", "127.0.0.1:0")
    assert result.returncode == 2
    assert result.stderr.splitlines()[-1] == (
        "herald: error: broken:app cannot be imported: ValueError: half-written"
    )
    assert "importlib" not in result.stderr
    assert "https://" not in result.stderr


def test_application_that_does_not_parse(herald: Herald, tmp_path: Path) -> None:
    (tmp_path / "unparsed.py").write_text("import os\n\ndef (\n")
    result = herald("serve", "--app-dir", tmp_path, "unparsed:app", "--bind", "127.0.0.1:0")
    assert result.returncode == 2
    assert result.stderr.splitlines()[-1] == (
        "herald: error: unparsed:app cannot be imported: "
        "SyntaxError: invalid syntax (unparsed.py, line 3)"
    )


def test_missing_certificate(herald: Herald, tmp_path: Path) -> None:
    result = herald(
        "serve", tmp_path, "--certfile", "/nowhere/cert.pem", "--keyfile", "/nowhere/key.pem"
    )
    refused(result, 2, "/nowhere/cert.pem")


def test_unreadable_certificate(herald: Herald, tmp_path: Path) -> None:
    certificate = tmp_path / "cert.pem"
    certificate.write_text("this is no certificate\n")
    result = herald("serve", tmp_path, "--certfile", certificate, "--keyfile", certificate)
    refused(result, 2, f"there is no certificate (PEM) in '{certificate}'")


def test_unusable_key(herald: Herald, ca_file: Path, tmp_path: Path) -> None:
    """Said by --check as well, which opens no port."""
    key = tmp_path / "key.pem"
    key.write_text("this is no key\n")
    certificate = ca_file.parent / "cert.pem"
    words = {
        certificate: "there is no private key (PEM) in",
        key: f"there is no private key (PEM) in '{key}'",
        tmp_path: "is not a regular file",
        ca_file.parent / "ca-key.pem": "does not belong to the certificate",
    }
    for path, said in words.items():
        for more in (["--bind", "127.0.0.1:0"], ["--check"]):
            options = ["--certfile", certificate, "--keyfile", path, *more]
            refused(herald("serve", tmp_path, *options), 2, said)
    good = ["--certfile", certificate, "--keyfile", ca_file.parent / "key.pem"]
    result = herald("serve", tmp_path, *good, "--check")
    assert (result.returncode, result.stderr) == (0, "")


def test_port_in_use(herald: Herald, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        refused(herald("serve", tmp_path, "--bind", address), 1, address, "in use")
        refused(
            herald("serve", tmp_path, "--bind", address, "--workers", "2"), 1, address, "in use"
        )


@pytest.mark.parametrize(
    ("option", "nearest"),
    [("--wrokers", "--workers"), ("--bnid", "--bind"), ("--acces-logfile", "--access-logfile")],
)
def test_misspelt_option(herald: Herald, option: str, nearest: str) -> None:
    refused(herald("serve", "app:app", option, "1"), 2, option, nearest)


@pytest.mark.parametrize(
    ("option", "value"),
    [("--workers", "many"), ("--bind", "127.0.0.1:99999"), ("--graceful-timeout", "soon")],
)
def test_wrong_value(herald: Herald, tmp_path: Path, option: str, value: str) -> None:
    refused(herald("serve", tmp_path, option, value), 2, option, value)


def test_missing_value_and_no_target(herald: Herald) -> None:
    refused(herald("serve", "app:app", "--bind"), 2, "--bind")
    result = herald("serve")
    assert result.returncode == 2 and result.stderr


def test_unknown_command(herald: Herald) -> None:
    refused(herald("sevre", "app:app"), 2, "sevre", "serve")


def test_folder_that_is_not_there(herald: Herald) -> None:
    refused(herald("serve", "./no-such-folder"), 2, "no-such-folder")


@pytest.mark.parametrize("url", ["http://", "http://host:port", "http://[::1", "ftp://host"])
def test_upstream_that_is_no_url(herald: Herald, url: str) -> None:
    refused(herald("serve", url, "--bind", "127.0.0.1:0"), 2, url)


@pytest.mark.parametrize(
    "url", ["https://", "https://host:port/", "gopher://host/", "https://[::1/"]
)
def test_get_url_that_cannot_be_parsed(herald: Herald, url: str) -> None:
    refused(herald("get", url), 2, url)


def test_configuration_files(herald: Herald, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.toml"
    wrong.write_text("wrokers = 3\n")
    refused(herald("serve", "-c", wrong, tmp_path), 2, str(wrong), "wrokers", "workers")
    wrong.write_text("workers = \n")
    refused(herald("serve", "-c", wrong, tmp_path), 2, str(wrong))
    refused(herald("serve", "-c", tmp_path / "missing.py", tmp_path), 2, "missing.py")
    script = tmp_path / "wrong.py"
    script.write_text("1 / 0\n")
    refused(herald("serve", "-c", script, tmp_path), 2, "wrong.py", "division by zero")


def test_help_is_no_error(herald: Herald) -> None:
    for words in (["--help"], ["serve", "--help"], ["get", "--help"], ["cert", "--help"], ["help"]):
        result = herald(*words)
        assert result.returncode == 0 and len(result.stdout) > 100, words
        assert result.stderr == ""
    assert re.match(r"herald \d+\.\d+", herald("--version").stdout)


class TestPeersThatSpeakSomethingElse:
    def test_cleartext_on_the_tls_port(
        self, serve: Callable[..., Server], tmp_path: Path, curl: Callable[..., CurlResult]
    ) -> None:
        server = serve(tmp_path)
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as peer:
            peer.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            while peer.recv(4096):
                pass
        assert curl(f"{server.url}/").status == 404

    def test_tls_on_the_cleartext_port(
        self, serve: Callable[..., Server], tmp_path: Path, curl: Callable[..., CurlResult]
    ) -> None:
        server = serve(tmp_path)
        context = ssl.create_default_context()
        started = time.monotonic()
        with (
            socket.create_connection(("127.0.0.1", server.plain_port), timeout=10) as peer,
            pytest.raises((ssl.SSLError, OSError)),
        ):
            context.wrap_socket(peer, server_hostname="localhost")
        assert time.monotonic() - started < 1
        assert curl(f"{server.plain_url}/").status == 404

    def test_nonsense(self, serve: Callable[..., Server], tmp_path: Path) -> None:
        server = serve(tmp_path)
        with socket.create_connection(("127.0.0.1", server.plain_port), timeout=10) as peer:
            peer.sendall(b"EHLO mail.example.com\r\n\r\n")
            answer = b""
            while piece := peer.recv(4096):
                answer += piece
        assert answer.startswith(b"HTTP/1.1 400 ")
