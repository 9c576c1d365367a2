"""What every end-to-end test uses: the real command, its development certificate, free ports."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
APPS = Path(__file__).parent / "apps"
START_SECONDS = 30.0
STOP_SECONDS = 20.0


def wait_until(condition: Callable[[], object], seconds: float = 10.0, what: str = "") -> None:
    """Return once ``condition()`` is true; fail the test when it is not after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds:g} s: {what or condition}")
        time.sleep(0.01)


@dataclass
class Server:
    """A running ``herald serve``."""

    process: subprocess.Popen[bytes]
    lines: list[str] = field(default_factory=list)
    expected_code: int | None = 0

    @property
    def log(self) -> str:
        """All that it wrote to standard output and error so far."""
        return "\n".join(self.lines)

    def _port(self, scheme: str) -> int:
        found = re.search(rf"listening on {scheme}://(?:127\.0\.0\.1|localhost):(\d+)", self.log)
        assert found is not None, f"no {scheme} address in: {self.log}"
        return int(found.group(1))

    @property
    def port(self) -> int:
        """The TLS port on 127.0.0.1."""
        return self._port("https")

    @property
    def plain_port(self) -> int:
        """The cleartext port on 127.0.0.1."""
        return self._port("http")

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def plain_url(self) -> str:
        return f"http://127.0.0.1:{self.plain_port}"

    def wait_for(self, pattern: str, seconds: float = 10.0) -> None:
        wait_until(lambda: re.search(pattern, self.log), seconds, f"/{pattern}/ in {self.log}")

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and return the exit code; a negative one is the signal that ended it."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            pytest.fail(f"did not stop within {STOP_SECONDS:g} s:\n{self.log}")


@pytest.fixture(scope="session")
def data_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The user's data folder, where the development CA is kept."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="session")
def environment(data_home: Path) -> dict[str, str]:
    """The environment of every command a test starts."""
    values = {**os.environ, "XDG_DATA_HOME": str(data_home), "PYTHONUNBUFFERED": "1"}
    values["PATH"] = f"{Path(sys.executable).parent}:{values['PATH']}"
    return values


@pytest.fixture(scope="session")
def herald(environment: dict[str, str]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run ``herald`` with arguments to its end; text in and out."""

    def run(
        *arguments: str | Path, seconds: float = 60.0, **options: object
    ) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "herald", *map(str, arguments)]
        return subprocess.run(
            command,
            env=environment,
            capture_output=True,
            text=True,
            timeout=seconds,
            **options,  # type: ignore[call-overload]
        )

    return run


@pytest.fixture(scope="session")
def ca_file(herald: Callable[..., subprocess.CompletedProcess[str]]) -> Path:
    """The development CA's certificate, made by ``herald cert``."""
    result = herald("cert", "--host", "api.example.com", "--host", "example.com")
    assert result.returncode == 0, result.stderr
    result = herald("cert", "--ca")
    assert result.returncode == 0, result.stderr
    path = Path(result.stdout.strip())
    assert path.read_text().startswith("-----BEGIN CERTIFICATE-----")
    return path


def _collect(server: Server) -> None:
    assert server.process.stdout is not None
    for line in server.process.stdout:
        server.lines.append(line.decode(errors="replace").rstrip("\n"))


@pytest.fixture
def serve(environment: dict[str, str], ca_file: Path) -> Iterator[Callable[..., Server]]:
    """Start ``herald serve``: TLS and cleartext on free ports of 127.0.0.1 unless bound otherwise.

    At the end of the test it must stop by SIGTERM with ``expected_code`` (0) and without a crash.
    """
    started: list[Server] = []

    def start(
        *arguments: str | Path,
        bind: bool = True,
        command: list[str] | None = None,
        **variables: str,
    ) -> Server:
        words = [*(command or [sys.executable, "-m", "herald"]), "serve", *map(str, arguments)]
        if bind:
            words += ["--bind", "127.0.0.1:0", "--insecure-bind", "127.0.0.1:0"]
        process = subprocess.Popen(
            words,
            env={**environment, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
        )
        server = Server(process)
        started.append(server)
        threading.Thread(target=_collect, args=(server,), daemon=True).start()
        expected = 2 if bind else 1
        wait_until(
            lambda: (
                process.poll() is not None
                or len(re.findall(r"listening on https?://\S+:\d+", server.log)) >= expected
            ),
            START_SECONDS,
            "the addresses in the server's output",
        )
        if process.poll() is not None:
            pytest.fail(f"herald serve ended with {process.returncode}:\n{server.log}")
        return server

    yield start
    for server in started:
        code = server.stop()
        if server.expected_code is not None:
            assert code == server.expected_code, f"exit code {code}:\n{server.log}"
        assert "AddressSanitizer" not in server.log, server.log


@pytest.fixture
def serve_app(serve: Callable[..., Server]) -> Callable[..., Server]:
    """Start ``herald serve MODULE:ATTRIBUTE`` with the applications of this folder."""

    def start(target: str, *arguments: str | Path, **options: object) -> Server:
        return serve("--app-dir", APPS, target, *arguments, **options)

    return start


@dataclass
class CurlResult:
    """One transfer: status, headers of the final response (lower case), body, informational."""

    code: int
    status: int
    version: str
    headers: dict[str, str]
    body: bytes
    informational: list[tuple[int, dict[str, str]]]
    error: str


def _parse_heads(text: str) -> list[tuple[str, int, dict[str, str]]]:
    heads: list[tuple[str, int, dict[str, str]]] = []
    for block in re.split(r"\r?\n\r?\n", text.strip()):
        first, *rest = block.splitlines()
        if not first.startswith("HTTP/"):
            continue  # a trailer section
        version, status, *_ = first.split()
        headers = {}
        for line in rest:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        heads.append((version, int(status), headers))
    return heads


@pytest.fixture
def curl(ca_file: Path, tmp_path: Path) -> Callable[..., CurlResult]:
    """Run curl with arguments; trusts the development CA."""

    def run(*arguments: str | Path, seconds: float = 60.0) -> CurlResult:
        heads, body = tmp_path / "curl.heads", tmp_path / "curl.body"
        heads.write_bytes(b"")
        body.write_bytes(b"")
        words = ["curl", "-sS", "--cacert", str(ca_file), "-D", str(heads), "-o", str(body)]
        done = subprocess.run(
            [*words, *map(str, arguments)], capture_output=True, text=True, timeout=seconds
        )
        found = _parse_heads(heads.read_text(errors="replace")) if heads.stat().st_size else []
        informational = [(status, fields) for _, status, fields in found if status < 200]
        version, status, headers = found[-1] if found else ("", 0, {})
        return CurlResult(
            done.returncode, status, version, headers, body.read_bytes(), informational, done.stderr
        )

    return run


PROTOCOLS = {
    "h1": ["--http1.1"],
    "h2": ["--http2"],
    "h1c": ["--http1.1"],
    "h2c": ["--http2-prior-knowledge"],
}


@pytest.fixture(params=list(PROTOCOLS))
def protocol(request: pytest.FixtureRequest) -> str:
    """Each way to speak to the server: HTTP/1.1 and HTTP/2, over TLS and in cleartext ("c")."""
    return request.param


@dataclass
class Target:
    """Where and how a parametrised test talks to the server."""

    url: str
    options: list[str]
    version: str


@pytest.fixture
def target_of(protocol: str) -> Callable[[Server], Target]:
    """The base URL and curl's options for the protocol of this test."""

    def target(server: Server) -> Target:
        url = server.plain_url if protocol.endswith("c") else server.url
        version = "HTTP/2" if protocol.startswith("h2") else "HTTP/1.1"
        return Target(url, PROTOCOLS[protocol], version)

    return target


@pytest.fixture
def connect() -> Iterator[Callable[[int], socket.socket]]:
    """A plain TCP connection to a port of 127.0.0.1, closed at the end of the test."""
    sockets: list[socket.socket] = []

    def open_socket(port: int) -> socket.socket:
        made = socket.create_connection(("127.0.0.1", port), timeout=10)
        sockets.append(made)
        return made

    yield open_socket
    for one in sockets:
        one.close()
