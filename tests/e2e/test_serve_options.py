"""What `herald serve` can be told, seen from outside: addresses, files, signals, log, deadlines."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import APPS, CurlResult, Server, wait_until

Curl = Callable[..., CurlResult]
Serve = Callable[..., Server]
Herald = Callable[..., subprocess.CompletedProcess[str]]
Connect = Callable[[int], socket.socket]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    root.mkdir()
    (root / "index.html").write_text("index\n")
    return root


def settings(herald: Herald, url: str) -> dict[str, int]:
    """The values in the SETTINGS frame that the server sends."""
    trace = herald("get", "-v", "-k", f"{url}/").stderr
    frame = re.search(r"<- SETTINGS stream 0, \d+ bytes\n((?: {16}.*\n)+)", trace)
    assert frame is not None, trace
    found = re.findall(r"(\w+) = (\d+)", frame.group(1))
    return {name: int(value) for name, value in found}


# ---- addresses ----


@pytest.mark.parametrize("workers", ["1", "2"])
def test_unix_socket(
    serve: Serve, folder: Path, curl: Curl, herald: Herald, tmp_path: Path, workers: str
) -> None:
    path = tmp_path / "s"
    server = serve(folder, "--insecure-bind", f"unix:{path}", "--workers", workers)
    assert curl("--unix-socket", path, "http://x/").body == b"index\n"
    result = herald("get", "--http2", "--unix-socket", path, "http://x/")
    assert result.stdout == "index\n", result.stderr
    assert server.stop() == 0
    assert not path.exists()


def test_unix_socket_left_over_by_a_crash(serve: Serve, folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    serve(folder, "--insecure-bind", f"unix:{path}")
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


def test_unix_socket_in_use(serve: Serve, folder: Path, herald: Herald, tmp_path: Path) -> None:
    path = tmp_path / "s"
    serve(folder, "--insecure-bind", f"unix:{path}")
    result = herald("serve", folder, "--insecure-bind", f"unix:{path}")
    assert result.returncode == 1
    assert result.stderr == (
        f"herald: error: cannot listen on unix:{path}: address already in use\n"
    )


def test_ipv6(serve: Serve, folder: Path, curl: Curl, herald: Herald) -> None:
    server = serve(folder, "--bind", "[::1]:0", "--insecure-bind", "[::1]:0")
    secure = re.search(r"https://\[::1\]:\d+", server.log)
    clear = re.search(r"http://\[::1\]:\d+", server.log)
    assert secure is not None and clear is not None
    assert curl("-g", f"{secure.group()}/").body == b"index\n"
    assert curl("-g", f"{clear.group()}/").body == b"index\n"
    assert herald("get", f"{secure.group()}/").stdout == "index\n"


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("target", ["folder", "application"])
def test_inherited_socket(
    environment: dict[str, str], folder: Path, target: str, workers: str
) -> None:
    """As a service manager hands it over."""
    words = [str(folder)] if target == "folder" else ["--app-dir", str(APPS), "asgi_basic:app"]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        number = listener.fileno()
        port = listener.getsockname()[1]
        process = subprocess.Popen(
            [sys.executable, "-m", "herald", "serve", *words, "--workers", workers]
            + ["--insecure-bind", f"fd://{number}"],
            env=environment,
            pass_fds=[number],
            stderr=subprocess.DEVNULL,
        )
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert client.recv(12) == b"HTTP/1.1 200"
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


def test_cleartext_alone_makes_no_certificate(
    serve: Serve, folder: Path, curl: Curl, tmp_path: Path
) -> None:
    server = serve(
        folder, "--insecure-bind", "127.0.0.1:0", bind=False, XDG_DATA_HOME=str(tmp_path / "data")
    )
    assert "https://" not in server.log
    assert curl(f"{server.plain_url}/").body == b"index\n"
    assert not (tmp_path / "data").exists()


# ---- configuration files ----

FILES = {
    "settings.py": "{name} = {value}\n",
    "settings.toml": "{name} = {value}\n",
    "settings.yaml": "{name}: {value}\n",
    "settings.json": None,
}


@pytest.mark.parametrize("name", list(FILES))
def test_configuration_file_is_seen_on_the_wire(
    serve: Serve, folder: Path, herald: Herald, tmp_path: Path, name: str
) -> None:
    values = {
        "h2_max_concurrent_streams": 77,
        "h2_max_header_list_size": 33000,
        "h2_initial_window_size": 70000,
        "h2_max_inbound_frame_size": 20000,
    }
    line = FILES[name]
    if line is None:
        text = repr(values).replace("'", '"')
    else:
        text = "".join(line.format(name=key, value=value) for key, value in values.items())
    (tmp_path / name).write_text(text)
    seen = settings(herald, serve(folder, "-c", tmp_path / name).url)
    assert seen["MAX_CONCURRENT_STREAMS"] == 77
    assert seen["MAX_HEADER_LIST_SIZE"] == 33000
    assert seen["INITIAL_WINDOW_SIZE"] == 70000
    assert seen["MAX_FRAME_SIZE"] == 20000


def test_the_command_line_wins_over_the_file(
    serve: Serve, folder: Path, herald: Herald, tmp_path: Path
) -> None:
    (tmp_path / "settings.toml").write_text("h2_max_concurrent_streams = 77\n")
    options = ["-c", tmp_path / "settings.toml", "--h2-max-concurrent-streams", "78"]
    assert settings(herald, serve(folder, *options).url)["MAX_CONCURRENT_STREAMS"] == 78


def test_a_hypercorn_command_line_is_accepted(herald: Herald, folder: Path) -> None:
    """Each option of `hypercorn --help`; those that mean nothing here say why."""
    known = "--access-log - --access-logfile - --access-logformat %(h)s --backlog 20 -b 127.0.0.1:0"
    known += " --cert-reqs 0 --debug --error-log - --error-logfile - --log-file - --keep-alive 3"
    known += " --graceful-timeout 1 --read-timeout 2 --max-requests 9 --max-requests-jitter 2"
    known += " --insecure-bind 127.0.0.1:0 --log-level INFO --root-path /x --server-name a"
    known += " --verify-mode CERT_NONE -w 1 -k asyncio"
    result = herald("serve", folder, "--check", *known.split())
    assert (result.returncode, result.stderr) == (0, "")
    ignored = "-D -g 0 --log-config x --reload --statsd-host a:1 --statsd-prefix x"
    ignored += " -m 7 -u 0 --websocket-ping-interval 3"
    result = herald("serve", folder, "--check", *ignored.split())
    assert result.returncode == 0
    assert len(re.findall(r"^herald: warning: --?\S+ is ignored: .+$", result.stderr, re.M)) == 9


# ---- signals and logs ----


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("target", ["folder", "application"])
def test_log_files_are_opened_again_at_sighup(
    serve: Serve, folder: Path, curl: Curl, tmp_path: Path, target: str, workers: str
) -> None:
    words = [folder] if target == "folder" else ["--app-dir", APPS, "asgi_basic:app"]
    log = tmp_path / "access.log"
    server = serve(*words, "--access-logfile", log, "--workers", workers)
    curl(f"{server.url}/?first")
    wait_until(lambda: log.exists() and log.read_text().count("\n") == 1)
    log.rename(tmp_path / "access.log.1")
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: server.log.count("certificates were read again") == int(workers))
    curl(f"{server.url}/?second")
    wait_until(lambda: log.exists() and log.read_text().count("\n") == 1)
    assert (tmp_path / "access.log.1").read_text().count("\n") == 1


@pytest.mark.parametrize("workers", ["1", "2"])
def test_ctrl_c_ends_quietly(serve: Serve, folder: Path, workers: str) -> None:
    server = serve(folder, "--workers", workers)
    lines = len(server.lines)
    assert server.stop(signal.SIGINT) == 0
    assert server.lines[lines:] == []


def test_output_and_log_in_one_file(
    environment: dict[str, str], folder: Path, curl: Curl, tmp_path: Path
) -> None:
    """`herald serve ... --access-logfile - >file 2>&1` loses no line."""
    both = tmp_path / "both"
    with both.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "herald", "serve", str(folder), "--access-logfile", "-"]
            + ["--insecure-bind", "127.0.0.1:0"],
            env=environment,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_until(lambda: "try:" in both.read_text())
        said = both.read_text()
        url = re.search(r"http://[\d.:]+", said)
        assert url is not None
        curl(f"{url.group()}/")
        wait_until(lambda: '"GET / 1.1" 200' in both.read_text())
        assert both.read_text().startswith(said)
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


def test_no_escape_sequences_where_nobody_looks(serve: Serve, folder: Path, curl: Curl) -> None:
    server = serve(folder, "--trace")
    curl(f"{server.url}/")
    server.wait_for("GOAWAY|connection closed|END_STREAM")
    assert "\x1b" not in server.log


# ---- peers ----


def answer(connection: socket.socket, request: bytes) -> bytes:
    """All that comes until the server closes."""
    connection.settimeout(20)
    connection.sendall(request)
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts)


def test_peers_that_speak_something_else(serve: Serve, folder: Path, connect: Connect) -> None:
    server = serve(folder)
    assert answer(connect(server.port), b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")[:4] != b"HTTP"
    server.wait_for(
        rf"herald: info: 127\.0\.0\.1:\d+ made no request on port {server.port}: "
        "the peer does not speak TLS"
    )
    assert answer(connect(server.plain_port), b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc") == b""
    server.wait_for(rf"made no request on port {server.plain_port}: a TLS hello on a cleartext")
    assert answer(connect(server.plain_port), b"SSH-2.0-x\r\n").startswith(b"HTTP/1.1 400 ")
    assert len(re.findall("made no request", server.log)) == 2


def test_http_1_0_and_connection_fields(serve: Serve, folder: Path, connect: Connect) -> None:
    server = serve(folder)
    once = answer(connect(server.plain_port), b"GET / HTTP/1.0\r\n\r\n")
    assert b"\r\nconnection: close\r\n" in once and once.endswith(b"index\n")
    kept = answer(
        connect(server.plain_port),
        b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.0\r\n\r\n",
    )
    assert kept.count(b"index\n") == 2
    assert kept.index(b"connection: keep-alive") < kept.index(b"connection: close")
    closed = answer(
        connect(server.plain_port), b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )
    assert b"\r\nconnection: close\r\n" in closed


def test_heads_that_are_too_long_or_too_slow(serve: Serve, folder: Path, connect: Connect) -> None:
    server = serve(folder, "--read-timeout", "0.5", "--keep-alive", "0.5")
    long = b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n"
    assert answer(connect(server.plain_port), long).startswith(b"HTTP/1.1 414 ")
    wide = b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 70000 + b"\r\n\r\n"
    assert answer(connect(server.plain_port), wide).startswith(b"HTTP/1.1 431 ")
    slow = answer(connect(server.plain_port), b"GET / HTTP/1.1\r\nHost:")
    assert slow.startswith(b"HTTP/1.1 408 ")
    assert answer(connect(server.plain_port), b"") == b""
    idle = answer(connect(server.plain_port), b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert idle.endswith(b"index\n"), "an idle connection is closed without a word"


def test_pid_file(serve: Serve, folder: Path, tmp_path: Path) -> None:
    server = serve(folder, "--pid", tmp_path / "pid")
    assert int((tmp_path / "pid").read_text()) == server.process.pid
    assert server.stop() == 0
    assert not os.path.exists(tmp_path / "pid")


def test_server_names(serve: Serve, folder: Path, curl: Curl) -> None:
    server = serve(folder, "--server-name", "here.example", "--no-server-header")
    known = curl("-H", "Host: here.example", f"{server.plain_url}/")
    assert known.status == 200 and "server" not in known.headers
    assert curl("-H", "Host: elsewhere.example", f"{server.plain_url}/").status == 404
