"""``herald bench``: exact counts, honest latencies, checks, comparison, limits of use."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import hashlib
import io
import json
import os
import pty
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from test_get import herald_command

BODY = b"hello, world\n"

Bench = Callable[..., "Outcome"]


@dataclass
class Outcome:
    code: int
    output: str
    error: str

    @property
    def figures(self) -> dict[str, Any]:
        return json.loads(self.output)


@pytest.fixture
def bench(environment: dict[str, str]) -> Bench:
    """Run ``herald bench`` to its end."""

    def run(*arguments: str | Path | int, seconds: float = 30.0) -> Outcome:
        done = subprocess.run(
            [*herald_command(), "bench", *map(str, arguments)],
            env=environment,
            capture_output=True,
            text=True,
            timeout=seconds,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    return run


@dataclass
class Counter:
    """A HTTP/1.1 server that counts what arrives, and can stand still for a while."""

    port: int = 0
    requests: int = 0
    bodies: list[bytes] = field(default_factory=list)
    heads: list[bytes] = field(default_factory=list)
    stall_at: int = -1
    stall_seconds: float = 0.0
    close_after: int = 0
    reset: bool = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        found = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
        body = await reader.readexactly(int(found.group(1))) if found else b""
        self.requests += 1
        if len(self.heads) < 10:
            self.heads.append(head)
            self.bodies.append(body)
        if self.requests == self.stall_at:
            time.sleep(self.stall_seconds)  # the whole server, on purpose
        if self.reset:
            return False
        last = self.close_after != 0 and self.requests % self.close_after == 0
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n%s\r\n%s"
            % (len(BODY), b"connection: close\r\n" if last else b"", BODY)
        )
        return not last

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while await self._one(reader, writer):
                pass
            await writer.drain()
        writer.close()


@pytest.fixture
def counter() -> Iterator[Counter]:
    """The counting server, on a thread of its own."""
    made = Counter()
    loop = asyncio.new_event_loop()
    ready = threading.Event()

    async def main() -> None:
        server = await asyncio.start_server(made.serve, "127.0.0.1", 0, backlog=512)
        made.port = server.sockets[0].getsockname()[1]
        ready.set()
        await server.serve_forever()

    def run() -> None:
        task = loop.create_task(main())
        with contextlib.suppress(asyncio.CancelledError):
            loop.run_until_complete(task)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(10)
    yield made
    loop.call_soon_threadsafe(lambda: [task.cancel() for task in asyncio.all_tasks(loop)])
    thread.join(10)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "small.txt").write_bytes(BODY)
    (tmp_path / "www" / "large.bin").write_bytes(bytes(range(256)) * 4096)
    return tmp_path / "www"


def options_of(protocol: str) -> list[str]:
    return {"h1": ["--http1.1"], "h2": ["--http2"], "h1c": [], "h2c": ["--h2c"]}[protocol]


# ---- counts ----


@pytest.mark.parametrize("load", [(1, 1, 1), (3, 7, 1), (4, 10, 2)])
def test_every_request_is_sent_once(
    serve: Callable[..., Any],
    bench: Bench,
    folder: Path,
    tmp_path: Path,
    protocol: str,
    load: tuple[int, int, int],
) -> None:
    log = tmp_path / "access.log"
    server = serve(folder, "--access-logfile", log)
    base = server.plain_url if protocol.endswith("c") else server.url
    connections, streams, threads = load
    done = bench(
        *options_of(protocol),
        *("-n", 503, "-c", connections, "-m", streams, "-t", threads, "--json"),
        f"{base}/small.txt",
    )
    assert done.code == 0, done.error
    figures = done.figures
    assert figures["protocol"] == ("HTTP/2" if protocol.startswith("h2") else "HTTP/1.1")
    assert figures["sent"] == figures["completed"] == 503
    assert figures["failed"] == figures["unfinished"] == figures["repeated"] == 0
    assert figures["status"] == {"200": 503}
    assert figures["body_bytes"] == 503 * len(BODY)
    assert figures["connections"] == connections
    assert figures["latency"]["count"] == figures["first_byte"]["count"] == 503
    assert (
        0 < figures["latency"]["50%"] <= figures["latency"]["99.99%"] <= figures["latency"]["max"]
    )
    assert figures["wire_in"] > 503 * len(BODY)
    assert server.stop() == 0
    assert len(log.read_text().splitlines()) == 503


def test_method_fields_and_body_arrive(counter: Counter, bench: Bench) -> None:
    done = bench("-n", 5, "-X", "PATCH", "-H", "X-One: two", "-d", "a=b", "--json", counter.url)
    assert done.code == 0, done.error
    assert counter.requests == 5
    assert counter.bodies == [b"a=b"] * 5
    for head in counter.heads:
        assert head.startswith(b"PATCH / HTTP/1.1\r\n")
        assert b"\r\nx-one: two\r\n" in head.lower()


def test_bodies_reach_an_http2_server(serve_app: Callable[..., Any], bench: Bench) -> None:
    server = serve_app("asgi_basic:app")
    text = "x" * 30000
    wanted = hashlib.sha256(text.encode()).hexdigest()
    done = bench("-n", 50, "-m", 10, "-d", text, "--check-sha256", wanted, server.url + "/echo")
    assert done.code == 0, done.output + done.error


def test_connections_that_servers_end_are_made_again(counter: Counter, bench: Bench) -> None:
    counter.close_after = 10
    done = bench("-n", 100, "-c", 2, "--json", counter.url)
    assert done.code == 0, done.error
    assert counter.requests == 100
    assert done.figures["completed"] == 100
    assert done.figures["connections"] > 2


def test_large_bodies_at_once(serve: Callable[..., Any], bench: Bench, folder: Path) -> None:
    server = serve(folder)
    wanted = hashlib.sha256(bytes(range(256)) * 4096).hexdigest()
    for options in (["--http1.1"], ["--http2"], ["--http2", "--check-sha256", wanted]):
        done = bench(*options, "-n", 40, "-c", 2, "-m", 10, "--json", f"{server.url}/large.bin")
        assert done.code == 0, done.error
        assert done.figures["body_bytes"] == 40 * 1048576


# ---- time ----


def test_duration_is_kept(serve: Callable[..., Any], bench: Bench, folder: Path) -> None:
    server = serve(folder)
    start = time.monotonic()
    done = bench("-D", "0.5", "-m", 5, "--json", f"{server.url}/small.txt")
    assert done.code == 0, done.error
    assert time.monotonic() - start < 10
    assert 0.4 < done.figures["seconds"] < 3
    assert done.figures["completed"] == done.figures["sent"] > 10


def test_an_open_loop_charges_a_stall_to_all_who_waited(counter: Counter, bench: Bench) -> None:
    counter.stall_at, counter.stall_seconds = 300, 1.0
    done = bench("--rate", 200, "-D", 4, "-c", 50, "--json", counter.url)
    assert done.code == 0, done.error
    figures = done.figures
    assert counter.requests == figures["due"] == figures["completed"] == 800
    # A quarter of the requests were due during the second and waited for its end: the slowest of a
    # hundred waited all but 40 ms of it. A closed loop would have seen 50 slow ones, or counted
    # from when each was sent.
    assert 0.88 < figures["latency"]["99%"] < 1.3
    assert 0.5 < figures["latency"]["90%"] < 0.95
    assert figures["latency"]["50%"] < 0.2
    assert 0.95 < figures["latency"]["max"] < 1.5


def test_a_rate_is_kept(serve: Callable[..., Any], bench: Bench, folder: Path) -> None:
    server = serve(folder)
    done = bench(
        "--rate", 500, "-D", 1, "-c", 4, "-m", 20, "-t", 2, "--json", f"{server.url}/small.txt"
    )
    assert done.code == 0, done.error
    figures = done.figures
    assert figures["completed"] == figures["due"] == 500
    assert 0.9 < figures["seconds"] < 2
    assert figures["lag"]["count"] == 500


def test_a_rate_that_is_not_met_is_not_claimed(counter: Counter, bench: Bench) -> None:
    counter.stall_at, counter.stall_seconds = 10, 3.0
    done = bench("--rate", 100, "-D", 1, "-c", 2, "--drain", "0.5", "--json", counter.url)
    figures = done.figures
    assert done.code == 1
    assert figures["rate_met"] is False
    assert figures["unfinished"] > 50
    assert figures["completed"] + figures["unfinished"] == figures["due"] == 100
    assert figures["latency"]["count"] == 100
    assert figures["latency"]["max"] > 1.2
    assert "was not met" in done.error


# ---- checks, exit codes ----


def test_wrong_status_fails_the_check(
    serve: Callable[..., Any], bench: Bench, folder: Path
) -> None:
    server = serve(folder)
    done = bench("-n", 7, "--check-status", 200, f"{server.url}/missing")
    assert done.code == 1
    assert "7 responses without status 200" in done.output
    assert re.search(r"^status +404: 7$", done.output, re.MULTILINE)
    assert bench("-n", 7, "--check-status", 404, f"{server.url}/missing").code == 0
    assert bench("-n", 7, f"{server.url}/missing").code == 0


def test_bodies_are_checked(
    serve: Callable[..., Any], bench: Bench, folder: Path, protocol: str
) -> None:
    server = serve(folder)
    base = server.plain_url if protocol.endswith("c") else server.url
    words = [*options_of(protocol), "-n", 20, "-m", 4, f"{base}/small.txt", "--check-sha256"]
    assert bench(*words, hashlib.sha256(BODY).hexdigest()).code == 0
    done = bench(*words, hashlib.sha256(b"another").hexdigest(), "--json")
    assert done.code == 1
    assert done.figures["body_wrong"] == 20


def test_nobody_listens(bench: Bench) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        done = bench("-n", 5, f"http://127.0.0.1:{held.getsockname()[1]}/", "--json")
    assert done.code == 1
    assert done.figures["unfinished"] == 5
    assert "cannot connect: connection refused" in done.error


def test_answers_cut_off_are_failures(counter: Counter, bench: Bench) -> None:
    counter.reset = True
    done = bench("-n", 4, "-c", 2, "--json", counter.url)
    assert done.code == 1
    assert done.figures["completed"] == 0
    assert done.figures["failed"] + done.figures["unfinished"] == 4


def test_an_interrupt_ends_it_with_the_figures_so_far(
    serve: Callable[..., Any], environment: dict[str, str], folder: Path
) -> None:
    server = serve(folder)
    process = subprocess.Popen(
        [*herald_command(), "bench", "-D", "60", "--json", f"{server.url}/small.txt"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    time.sleep(0.7)
    process.send_signal(signal.SIGINT)
    output, error = process.communicate(timeout=10)
    assert process.returncode == 0, error
    assert json.loads(output)["completed"] > 0


# ---- pushes, early hints ----


def test_pushes_are_counted(serve_app: Callable[..., Any], bench: Bench) -> None:
    server = serve_app("asgi_basic:app")
    url = f"{server.url}/push"
    # A server does not push what it has pushed on that connection already.
    words = ("-n", 20, "-c", 5, "-m", 2, "--json", url)
    figures = bench(*words).figures
    assert figures["promises"] == figures["pushes"] == figures["push"]["count"] == 10
    assert figures["completed"] == 20
    assert figures["push_failures"] == 0
    assert figures["push_bytes"] > 20
    off = bench("--push", "off", *words).figures
    assert (off["promises"], off["completed"]) == (0, 20)
    refused = bench("--push", "refuse", *words).figures
    assert refused["promises"] >= 10
    assert (refused["pushes"], refused["completed"]) == (0, 20)


def test_early_hints_are_counted(serve_app: Callable[..., Any], bench: Bench) -> None:
    server = serve_app("asgi_basic:app")
    done = bench("-n", 10, "-m", 2, "--json", f"{server.url}/hints")
    assert done.code == 0, done.error
    figures = done.figures
    assert figures["informational"] == figures["hints"] == 30
    assert figures["hint"]["count"] == figures["completed"] == 10
    assert figures["hint"]["max"] <= figures["latency"]["max"]


# ---- output ----


def test_comparison_prints_the_three_lines(
    serve: Callable[..., Any], bench: Bench, folder: Path
) -> None:
    server = serve(folder)
    done = bench("--compare", "h1,h2", f"{server.url}/small.txt")
    assert done.code == 0, done.error
    lines = done.output.splitlines()
    assert re.fullmatch(r"HTTP/1\.1: \d+\.\d{3}s", lines[0])
    assert re.fullmatch(r"HTTP/2: \d+\.\d{3}s", lines[1])
    assert re.fullmatch(r"Speedup: \d+\.\dx", lines[2])
    rows = {line.split()[0]: line.split()[1:] for line in lines[5:]}
    assert rows["HTTP/1.1"][:3] == ["6", "20", "0"]
    assert rows["HTTP/2"][:3] == ["1", "20", "0"]


def test_comparison_with_other_numbers(
    serve: Callable[..., Any], bench: Bench, folder: Path
) -> None:
    server = serve(folder)
    url = f"{server.plain_url}/small.txt"
    done = bench("--compare", "h2,h1", "--h1-connections", 2, "-n", 30, "--json", url)
    assert done.code == 0, done.error
    second, first = done.figures
    assert (first["protocol"], first["connections"], first["completed"]) == ("HTTP/1.1", 2, 30)
    assert (second["protocol"], second["connections"], second["completed"]) == ("HTTP/2", 1, 30)


def test_csv_has_a_value_for_every_name(
    serve: Callable[..., Any], bench: Bench, folder: Path
) -> None:
    server = serve(folder)
    done = bench("-n", 20, "--csv", f"{server.url}/small.txt")
    assert done.code == 0, done.error
    (row,) = csv.DictReader(io.StringIO(done.output))
    assert None not in row
    assert None not in row.values()
    assert row["completed"] == "20"
    assert float(row["latency_99%"]) > 0


def test_live_figures_on_a_terminal(
    serve: Callable[..., Any], environment: dict[str, str], folder: Path
) -> None:
    server = serve(folder)
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*herald_command(), "bench", "-D", "0.9", "--json", f"{server.url}/small.txt"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # what reading says once the other side is closed
        while data := os.read(ours, 4096):
            shown += data
    os.close(ours)
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    assert json.loads(output)["completed"] > 0
    assert re.search(rb"\d+%  \d\.\d s  \d+ complete  0 failed  \d+ requests/s", shown)
    assert b"\r\x1b[K" in shown


# ---- emulated link ----


def test_round_trips_of_a_link_are_waited_for(
    serve: Callable[..., Any], bench: Bench, folder: Path
) -> None:
    server = serve(folder)
    words = ("-n", 3, "--link", "60ms", "--json")
    plain = bench(*words, f"{server.plain_url}/small.txt")
    assert plain.code == 0, plain.error
    assert 0.058 < plain.figures["latency"]["50%"] < 0.5
    secure = bench(*words, f"{server.url}/small.txt").figures
    # TCP and TLS 1.3: two round trips before the first request.
    assert 0.118 < secure["connect"]["max"] < 0.8


def test_bandwidth_and_losses_of_a_link_leave_the_bytes_whole(
    serve: Callable[..., Any], bench: Bench, folder: Path, protocol: str
) -> None:
    server = serve(folder)
    base = server.plain_url if protocol.endswith("c") else server.url
    wanted = hashlib.sha256(bytes(range(256)) * 4096).hexdigest()
    words = ["-n", 2, "-c", 2, "--link", "5ms,2%,40mbit", "--check-sha256", wanted, "--json"]
    done = bench(*options_of(protocol), *words, f"{base}/large.bin")
    assert done.code == 0, done.error
    # Two MiB at 5 MB a second.
    assert 0.4 < done.figures["seconds"] < 5


# ---- usage ----


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "a URL is missing"),
        (["http://127.0.0.1/", "http://127.0.0.1/"], "takes one URL"),
        (["ftp://127.0.0.1/"], "is not a URL"),
        (["http://192.0.2.1/"], "--allow-remote"),
        (["http://example.org/"], "--allow-remote"),
        (["http://127.0.0.1/", "--connect-to", "192.0.2.1:80"], "--allow-remote"),
        (["--requests", "0", "http://127.0.0.1/"], "--requests"),
        (["-c", "x", "http://127.0.0.1/"], "-c: 'x'"),
        (["-t", "3", "-c", "2", "http://127.0.0.1/"], "--threads"),
        (["--rate", "-5", "http://127.0.0.1/"], "--rate"),
        (["--json", "--csv", "http://127.0.0.1/"], "exclude each other"),
        (["--http1.1", "--http2", "http://127.0.0.1/"], "exclude each other"),
        (["--compare", "h1", "http://127.0.0.1/"], "two protocols"),
        (["--compare", "h1,spdy", "http://127.0.0.1/"], "'spdy' is not h1 or h2"),
        (["--compare", "h1,h1", "http://127.0.0.1/"], "named twice"),
        (["--compare", "h1,h2", "--rate", "5", "http://127.0.0.1/"], "--compare excludes"),
        (["--check-sha256", "12", "http://127.0.0.1/"], "64 hexadecimal digits"),
        (["--link", "50", "http://127.0.0.1/"], "--link: '50' is not like"),
        (["--link", "5ms", "--unix-socket", "/x", "http://127.0.0.1/"], "--unix-socket"),
        (["-H", "no colon", "http://127.0.0.1/"], "--header"),
        (["-X", "G ET", "http://127.0.0.1/"], "--method"),
        (["--cacert", "/does/not/exist", "https://127.0.0.1/"], "/does/not/exist"),
    ],
)
def test_mistakes_are_named(bench: Bench, words: list[str], message: str) -> None:
    done = bench(*words)
    assert done.code == 2
    assert message in done.error
    assert len(done.error.splitlines()) == 1
    assert done.output == ""


def test_unknown_certificates_are_refused(
    serve: Callable[..., Any], folder: Path, tmp_path: Path
) -> None:
    server = serve(folder)
    words = [*herald_command(), "bench", "-n", "3", "--json", f"{server.url}/small.txt"]
    stranger = {**os.environ, "XDG_DATA_HOME": str(tmp_path / "empty")}
    done = subprocess.run(words, env=stranger, capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert json.loads(done.stdout)["completed"] == 0
    assert "certificate" in done.stderr
    trusting = subprocess.run(
        [*words, "-k"], env=stranger, capture_output=True, text=True, timeout=30
    )
    assert trusting.returncode == 0, trusting.stderr


@pytest.mark.skipif(shutil.which("nghttpd", path="/usr/sbin:/usr/bin") is None, reason="nghttpd")
def test_another_server(bench: Bench, folder: Path, tmp_path: Path) -> None:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    server = subprocess.Popen(
        ["nghttpd", "--no-tls", "-d", str(folder), str(port)],
        env={**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin"},
    )
    try:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
        done = bench(
            "--h2c", "-n", 1000, "-c", 3, "-m", 150, "--json", f"http://127.0.0.1:{port}/small.txt"
        )
        assert done.code == 0, done.error
        assert done.figures["completed"] == 1000
        assert done.figures["body_bytes"] == 1000 * len(BODY)
    finally:
        server.terminate()
        server.wait(10)
