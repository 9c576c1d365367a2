"""``herald get`` against nghttpd, Node, Python's http.server and servers that misbehave."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import json
import os
import pty
import re
import select
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
NODE_SERVER = Path(__file__).parent / "node" / "http2_server.mjs"
NGHTTPD = shutil.which("nghttpd", path=os.environ["PATH"] + ":/usr/sbin")
MEMORY_LIMIT_KIB = 48 * 1024


def herald_command() -> list[str]:
    """The C command where there is one, else the installed package."""
    chosen = os.environ.get("HERALD")
    if chosen:
        return [chosen]
    built = ROOT / "build" / "herald"
    return [str(built)] if built.exists() else [sys.executable, "-m", "herald"]


@dataclass
class Result:
    code: int
    body: bytes
    error: str
    seconds: float
    memory_kib: int = 0

    def frames(self) -> list[dict[str, Any]]:
        """The JSON trace on standard error; other lines are left out."""
        return [json.loads(line) for line in self.error.splitlines() if line.startswith("{")]


Get = Callable[..., Result]


def peak_memory(pid: int) -> int:
    """KiB; 0 for a process that has ended. (wait4 would count Python's own, from before exec.)"""
    with contextlib.suppress(OSError):
        found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
        return int(found[1]) if found else 0
    return 0


def bounded(command: list[str], environment: dict[str, str], stdin: Any, seconds: float) -> Result:
    """Run to the end, watching the peak of its memory."""
    began = time.monotonic()
    process = subprocess.Popen(
        command,
        env=environment,
        stdin=stdin if stdin is not None else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out: list[bytes] = []
    err: list[bytes] = []
    readers = [
        threading.Thread(target=lambda: out.append(process.stdout.read())),  # type: ignore[union-attr]
        threading.Thread(target=lambda: err.append(process.stderr.read())),  # type: ignore[union-attr]
    ]
    killer = threading.Timer(seconds, process.kill)
    killer.start()
    for reader in readers:
        reader.start()
    peak = 0
    while process.poll() is None:
        peak = max(peak, peak_memory(process.pid))
        time.sleep(0.002)
    for reader in readers:
        reader.join()
    killer.cancel()
    assert process.returncode >= 0, f"ended by signal {-process.returncode}: {err[0]!r}"
    return Result(
        process.returncode,
        out[0],
        err[0].decode(errors="replace"),
        time.monotonic() - began,
        peak,
    )


@pytest.fixture
def get(tmp_path_factory: pytest.TempPathFactory) -> Get:
    """Run ``herald get`` with arguments."""
    environment = {**os.environ, "XDG_DATA_HOME": str(tmp_path_factory.mktemp("data"))}

    def run(*arguments: str | Path, stdin: Any = None, seconds: float = 30.0) -> Result:
        command = [*herald_command(), "get", *map(str, arguments)]
        return bounded(command, environment, stdin, seconds)

    return run


# ---- servers ----


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("www")
    (path / "page.html").write_text("<p>page</p>\n")
    (path / "style.css").write_text("body {}\n")
    (path / "app.js").write_text("run()\n")
    (path / "big.bin").write_bytes(os.urandom(5_000_000))
    (path / "many").mkdir()
    for number in range(50):
        (path / "many" / f"{number}.txt").write_bytes(b"%d" % number * 1000)
    return path


@dataclass
class Authority:
    """A CA for tests; ``leaf`` makes certificates that are wrong in one way each."""

    path: Path

    @property
    def file(self) -> Path:
        return self.path / "ca.pem"

    def openssl(self, *arguments: str | Path) -> None:
        subprocess.run(
            ["openssl", *map(str, arguments)], check=True, capture_output=True, cwd=self.path
        )

    def create(self) -> None:
        self.openssl(
            *"req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30".split(),
            *"-keyout ca-key.pem -out ca.pem -subj /CN=test-ca".split(),
        )

    def leaf(self, name: str, names: str, days: int = 30, own: bool = False) -> tuple[Path, Path]:
        key, request, leaf = (self.path / f"{name}{end}" for end in ("-key.pem", ".csr", ".pem"))
        self.openssl(
            *"req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=x".split(),
            *("-keyout", key, "-out", request),
        )
        extensions = self.path / f"{name}.ext"
        extensions.write_text(f"subjectAltName={names}\nextendedKeyUsage=serverAuth,clientAuth\n")
        signer = ("-signkey", key) if own else ("-CA", "ca.pem", "-CAkey", "ca-key.pem")
        self.openssl(
            *("x509", "-req", "-in", request, "-out", leaf, "-days", str(days)),
            *("-extfile", extensions, *signer),
            *(() if own else ("-CAcreateserial",)),
        )
        return leaf, key


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    made = Authority(tmp_path_factory.mktemp("ca"))
    made.create()
    return made


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port: int, process: subprocess.Popen[Any]) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        time.sleep(0.02)
    pytest.fail("the server did not start")


@contextlib.contextmanager
def nghttpd(folder: Path, *arguments: str) -> Iterator[int]:
    """The reference HTTP/2 server; a port taken meanwhile by somebody else is replaced."""
    if NGHTTPD is None:
        pytest.skip("nghttpd is not installed")
    port = free_port()
    process = subprocess.Popen(
        [NGHTTPD, "-a", "127.0.0.1", "-d", str(folder), *arguments[:1], str(port), *arguments[1:]],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for_port(port, process)
        yield port
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="module")
def tls_server(folder: Path, authority: Authority) -> Iterator[str]:
    leaf, key = authority.leaf("good", "DNS:localhost,IP:127.0.0.1")
    with nghttpd(folder, "-p/page.html=/style.css,/app.js", str(key), str(leaf)) as port:
        yield f"https://localhost:{port}"


@pytest.fixture(scope="module")
def clear_server(folder: Path) -> Iterator[str]:
    with nghttpd(folder, "--no-tls") as port:
        yield f"http://127.0.0.1:{port}"


class Node:
    """The Node server and what it has said."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            ["node", str(NODE_SERVER)], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.port = json.loads(self.process.stdout.readline())["port"]
        self.url = f"http://127.0.0.1:{self.port}"
        self.said: list[dict[str, Any]] = []
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(json.loads(line))

    def wait_for(self, test: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            for line in list(self.said):
                if test(line):
                    return line
            time.sleep(0.01)
        pytest.fail(f"the server did not say it: {self.said}")


@pytest.fixture
def node() -> Iterator[Node]:
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    server = Node()
    yield server
    server.process.terminate()
    server.process.wait()


class Raw:
    """A server that hands every connection to a function, in a thread of its own."""

    def __init__(self, answer: Callable[[socket.socket], None]) -> None:
        self.answer = answer
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.connections = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.socket.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            connection.settimeout(20)
            self.answer(connection)

    def close(self) -> None:
        self.socket.close()


@pytest.fixture
def raw() -> Iterator[Callable[[Callable[[socket.socket], None]], Raw]]:
    started: list[Raw] = []

    def start(answer: Callable[[socket.socket], None]) -> Raw:
        started.append(Raw(answer))
        return started[-1]

    yield start
    for server in started:
        server.close()


def read_head(connection: socket.socket) -> bytes:
    head = b""
    while b"\r\n\r\n" not in head:
        piece = connection.recv(65536)
        if not piece:
            break
        head += piece
    return head


def always(response: bytes) -> Callable[[socket.socket], None]:
    def answer(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(response)

    return answer


def endless(head: bytes, piece: bytes) -> Callable[[socket.socket], None]:
    def answer(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(head)
        while True:
            connection.sendall(piece)

    return answer


class Handler(http.server.BaseHTTPRequestHandler):
    """HTTP/1.1: redirects, and an echo of what was asked."""

    protocol_version = "HTTP/1.1"
    seen: list[dict[str, Any]] = []

    def answer(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(length)
        self.seen.append(
            {
                "method": self.command,
                "path": self.path,
                "headers": {name.lower(): value for name, value in self.headers.items()},
                "body": body,
            }
        )
        match = re.match(r"/redirect/(\d+)\?(.*)", self.path)
        status, text = 200, f"{self.command} {self.path}\n".encode()
        self.send_response(int(match[1]) if match else status)
        if match:
            self.send_header("location", match[2])
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = answer  # noqa: N815

    def log_message(self, format: str, *arguments: Any) -> None:
        pass


class EchoServer(http.server.ThreadingHTTPServer):
    seen: list[dict[str, Any]]
    url: str


def echo_server() -> EchoServer:
    handler = type("OwnHandler", (Handler,), {"seen": []})
    server = EchoServer(("127.0.0.1", 0), handler)
    server.seen = handler.seen  # type: ignore[attr-defined]
    server.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


@pytest.fixture
def echo() -> Iterator[EchoServer]:
    server = echo_server()
    yield server
    server.shutdown()
    server.server_close()


# ---- HTTP/2 over TLS, push ----


def test_page_and_pushed_bodies_are_shown(get: Get, tls_server: str, authority: Authority) -> None:
    result = get("-v", "--cacert", authority.file, f"{tls_server}/page.html")
    assert result.code == 0, result.error
    assert result.body == b"<p>page</p>\nbody {}\nrun()\n"
    assert (
        len(re.findall(r"<- PUSH_PROMISE stream 1, .* promises stream [24]\n", result.error)) == 2
    )
    assert "-> SETTINGS stream 0" in result.error
    assert ":path: /style.css" in result.error
    assert "pushed /style.css 200 8 bytes" in result.error
    assert "RST_STREAM" not in result.error
    assert "\x1b" not in result.error


def test_json_trace_tells_the_same(get: Get, tls_server: str, authority: Authority) -> None:
    result = get("--trace", "json", "--cacert", authority.file, f"{tls_server}/page.html")
    assert result.code == 0, result.error
    assert result.body == b"<p>page</p>\n"
    frames = result.frames()
    assert len(frames) == len(result.error.splitlines())
    promises = [frame for frame in frames if frame.get("frame") == "PUSH_PROMISE"]
    assert [frame["stream"] for frame in promises] == [1, 1]
    assert [frame["promised_stream"] for frame in promises] == [2, 4]
    assert [frame["path"] for frame in promises] == ["/style.css", "/app.js"]
    request = next(frame for frame in frames if frame.get("frame") == "HEADERS")
    assert (request["direction"], request["method"], request["path"]) == (
        "out",
        "GET",
        "/page.html",
    )
    assert request["flags"] == ["END_STREAM", "END_HEADERS"]
    times = [frame["time"] for frame in frames]
    assert times == sorted(times)
    data = [frame for frame in frames if frame.get("frame") == "DATA"]
    assert sum(frame["length"] for frame in data) == 12 + 8 + 6
    assert all(frame["connection_window"] > 0 for frame in data)


def test_a_trace_file_alone_asks_for_a_trace(get: Get, clear_server: str, tmp_path: Path) -> None:
    trace = tmp_path / "frames.txt"
    result = get("--http2", "--trace-file", str(trace), f"{clear_server}/page.html")
    assert result.code == 0, result.error
    assert "-> SETTINGS" not in result.error
    assert "-> SETTINGS" in trace.read_text()


def test_pushes_are_announced_without_a_trace(
    get: Get, tls_server: str, authority: Authority
) -> None:
    result = get("--cacert", authority.file, f"{tls_server}/page.html")
    assert result.body == b"<p>page</p>\n"
    assert sorted(result.error.splitlines()) == [
        "pushed /app.js 200 6 bytes",
        "pushed /style.css 200 8 bytes",
    ]
    quiet = get("-s", "--cacert", authority.file, f"{tls_server}/page.html")
    assert (quiet.code, quiet.error) == (0, "")


def test_pushes_refused_and_off(get: Get, tls_server: str, authority: Authority) -> None:
    options = ["--trace", "json", "--cacert", str(authority.file), f"{tls_server}/page.html"]
    refused = get("--push", "refuse", *options)
    assert refused.code == 0
    resets = [frame for frame in refused.frames() if frame.get("frame") == "RST_STREAM"]
    assert [(frame["stream"], frame["error"]) for frame in resets] == [(2, "CANCEL"), (4, "CANCEL")]
    off = get("--push", "off", *options)
    assert off.code == 0
    assert "PUSH_PROMISE" not in off.error
    settings = next(frame for frame in off.frames() if frame.get("frame") == "SETTINGS")
    assert {"id": 2, "name": "ENABLE_PUSH", "value": 0} in settings["settings"]


def test_pushed_bodies_are_saved(
    get: Get, tls_server: str, authority: Authority, tmp_path: Path
) -> None:
    result = get("--output-dir", tmp_path, "--cacert", authority.file, f"{tls_server}/page.html")
    assert result.code == 0, result.error
    assert result.body == b""
    found = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert found == {
        "page.html": b"<p>page</p>\n",
        "style.css": b"body {}\n",
        "app.js": b"run()\n",
    }


def test_a_pushed_response_is_not_asked_for_again(
    get: Get, tls_server: str, authority: Authority
) -> None:
    result = get(
        *("--trace", "json", "--parallel", "1", "--show-pushed", "--cacert", authority.file),
        f"{tls_server}/page.html",
        f"{tls_server}/many/1.txt",
        f"{tls_server}/style.css",
    )
    asked = [
        frame["path"]
        for frame in result.frames()
        if frame.get("frame") == "HEADERS" and frame["direction"] == "out"
    ]
    assert asked in (["/page.html", "/many/1.txt"], ["/page.html", "/many/1.txt", "/style.css"])
    assert result.body.count(b"body {}\n") >= 1


def test_many_urls_over_one_connection(
    get: Get, tls_server: str, authority: Authority, folder: Path
) -> None:
    urls = [f"{tls_server}/many/{number}.txt" for number in range(50)]
    result = get("--trace", "json", "--cacert", authority.file, *urls, f"{tls_server}/big.bin")
    assert result.code == 0
    expected = b"".join((folder / "many" / f"{n}.txt").read_bytes() for n in range(50))
    assert result.body == expected + (folder / "big.bin").read_bytes()
    assert {frame["connection"] for frame in result.frames()} == {1}


def test_order_on_standard_output_is_that_of_the_urls(get: Get, node: Node) -> None:
    result = get("--h2c", f"{node.url}/slow", f"{node.url}/a", f"{node.url}/b")
    assert result.body == b"slow\nGET /a\nGET /b\n"


def test_big_bodies(get: Get, tls_server: str, authority: Authority, folder: Path) -> None:
    expected = (folder / "big.bin").read_bytes()
    target = folder.parent / "got.bin"
    result = get("-o", target, "--cacert", authority.file, f"{tls_server}/big.bin")
    assert result.code == 0, result.error
    assert target.read_bytes() == expected
    assert result.memory_kib < MEMORY_LIMIT_KIB


def test_cleartext_http2(get: Get, clear_server: str) -> None:
    for option in ("--h2c", "--http2-prior-knowledge", "--http2"):
        result = get(option, "-i", f"{clear_server}/page.html")
        assert result.code == 0, result.error
        assert result.body.startswith(b"HTTP/2 200\n")
        assert result.body.endswith(b"\n\n<p>page</p>\n")


def test_the_wrong_protocol_is_an_error(get: Get, clear_server: str, echo: EchoServer) -> None:
    result = get("--http1.1", "--max-time", "5", f"{clear_server}/page.html")
    assert result.code == 1
    assert "what the server sent is not valid HTTP/1.1" in result.error
    result = get("--http2", "--max-time", "5", f"{echo.url}/")
    assert result.code == 1
    assert "what the server sent is not valid HTTP/2" in result.error
    result = get("--max-time", "5", f"https://127.0.0.1:{echo.url.rpartition(':')[2]}/")
    assert result.code == 1
    assert "does not speak TLS" in result.error or "closed during the TLS handshake" in result.error
    assert len(result.error.splitlines()) == 1


# ---- Node ----


def test_early_hints_pushes_and_trailers_of_node(get: Get, node: Node) -> None:
    result = get("-v", "--h2c", f"{node.url}/push")
    assert result.code == 0, result.error
    assert result.body.startswith(b"<p>page</p>\n")
    assert b"body { margin: 0 }\n" in result.body
    assert b"run()\n" in result.body
    assert "early hints" in result.error
    assert ":status: 103" in result.error
    plain = get("--h2c", f"{node.url}/push")
    assert plain.body == b"<p>page</p>\n"
    assert "103 Early Hints\n  link: </style.css>; rel=preload; as=style\n" in plain.error
    heads = get("-i", "--h2c", f"{node.url}/push")
    assert heads.body.startswith(b"HTTP/2 103\nlink: </style.css>; rel=preload; as=style\n\n")
    assert b"\n\nHTTP/2 200\n" in heads.body
    assert "Early Hints" not in heads.error, "said once"
    trailers = get("--trace", "json", "--h2c", f"{node.url}/trailers")
    last = [frame for frame in trailers.frames() if "trailers" in frame]
    assert last[-1]["trailers"] == [{"name": "x-checksum", "value": "abc"}]


def test_node_sees_refusals(get: Get, node: Node) -> None:
    assert get("--push", "refuse", "--h2c", f"{node.url}/push").code == 0
    for path in ("/style.css", "/app.js"):
        line = node.wait_for(lambda line, path=path: line.get("pushClosed") == path)
        assert line["code"] == 8


def test_node_sees_that_push_is_off(get: Get, node: Node) -> None:
    assert get("--push", "off", "--h2c", f"{node.url}/push").code == 0
    assert node.wait_for(lambda line: "enablePush" in line)["enablePush"] is False


@pytest.mark.parametrize("size", [0, 1, 65535, 65536, 3_000_000])
def test_uploads(get: Get, node: Node, tmp_path: Path, size: int) -> None:
    body = os.urandom(size)
    expected = f"{size} {hashlib.sha256(body).hexdigest()}\n".encode()
    path = tmp_path / "body"
    path.write_bytes(body)
    result = get("--h2c", "-T", path, f"{node.url}/hash")
    assert (result.code, result.body) == (0, expected), result.error
    with path.open("rb") as file:
        redirected = get("--h2c", "-T", "-", f"{node.url}/hash", stdin=file)
    assert (redirected.code, redirected.body) == (0, expected)
    data = get("--h2c", "-d", f"@{path}", f"{node.url}/hash")
    assert (data.code, data.body) == (0, expected)


def test_upload_from_a_slow_pipe(get: Get, node: Node) -> None:
    script = "import sys,time\nfor n in range(5): print(n, flush=True); time.sleep(0.05)"
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as source:
        result = get("--h2c", "-T", "-", f"{node.url}/hash", stdin=source.stdout)
    expected = hashlib.sha256(b"0\n1\n2\n3\n4\n").hexdigest()
    assert result.body == f"10 {expected}\n".encode(), result.error


def test_priority_is_sent(get: Get, node: Node) -> None:
    assert get("--h2c", "--priority", "u=1, i", f"{node.url}/p").code == 0
    line = node.wait_for(lambda line: line.get("request") == "/p")
    assert line["headers"]["priority"] == "u=1, i"


# ---- requests ----


def test_methods_fields_and_bodies(get: Get, echo: EchoServer) -> None:
    result = get("-H", "X-One: 1", "-H", "accept:", "-H", "x-empty;", f"{echo.url}/a?b")
    assert result.body == b"GET /a?b\n"
    headers = echo.seen[-1]["headers"]
    assert headers["x-one"] == "1"
    assert headers["x-empty"] == ""
    assert "accept" not in headers
    assert headers["host"] == echo.url.removeprefix("http://")
    assert headers["user-agent"].startswith("herald/")

    assert get("-d", "a=1", "-d", "b=2", f"{echo.url}/form").code == 0
    assert (echo.seen[-1]["method"], echo.seen[-1]["body"]) == ("POST", b"a=1&b=2")
    assert echo.seen[-1]["headers"]["content-type"] == "application/x-www-form-urlencoded"
    assert get("-X", "DELETE", f"{echo.url}/gone").body == b"DELETE /gone\n"
    assert get("-H", "Host: other.example", f"{echo.url}/").code == 0
    assert echo.seen[-1]["headers"]["host"] == "other.example"

    head = get("-I", f"{echo.url}/")
    assert head.body.startswith(b"HTTP/1.1 200 OK\n")
    assert echo.seen[-1]["method"] == "HEAD"


def test_unix_socket_resolve_and_connect_to(get: Get, echo: EchoServer) -> None:
    port = echo.server_port
    result = get("--resolve", f"name.example:{port}:127.0.0.1", f"http://name.example:{port}/r")
    assert result.body == b"GET /r\n", result.error
    assert echo.seen[-1]["headers"]["host"] == f"name.example:{port}"
    result = get("--connect-to", f"127.0.0.1:{port}", "http://name.example/c")
    assert result.body == b"GET /c\n", result.error
    assert echo.seen[-1]["headers"]["host"] == "name.example"


def test_redirects(get: Get, echo: EchoServer) -> None:
    chain = f"{echo.url}/redirect/302?/redirect/301?/end"
    assert get(chain).body.startswith(b"GET /redirect/302")
    assert get("-L", chain).body == b"GET /end\n"
    assert get("-L", "-d", "x", f"{echo.url}/redirect/303?/end").body == b"GET /end\n"
    assert "content-type" not in echo.seen[-1]["headers"]
    assert get("-L", "-d", "x", f"{echo.url}/redirect/307?/end").body == b"POST /end\n"
    assert echo.seen[-1]["body"] == b"x"
    loop = get("-L", f"{echo.url}/redirect/302?")
    assert loop.code in (0, 1)
    away = get("-L", f"{echo.url}/redirect/302?ftp://h/")
    assert away.code == 1
    assert "only http and https are supported" in away.error


def test_redirect_loops_end(get: Get, raw: Callable[..., Raw]) -> None:
    server = raw(
        always(b"HTTP/1.1 302 x\r\nlocation: /a\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
    )
    result = get("-L", server.url)
    assert result.code == 1
    assert "more than 10 redirects" in result.error
    assert server.connections == 11


def test_credentials_stay_with_their_origin(get: Get, echo: EchoServer) -> None:
    other = echo_server()
    try:
        secret = ["-H", "Authorization: Bearer hunter2", "-H", "Cookie: a=hunter2", "-H", "x-a: b"]
        result = get("-L", *secret, f"{echo.url}/redirect/302?{other.url}/there")
        assert result.body == b"GET /there\n"
        assert echo.seen[-1]["headers"]["authorization"] == "Bearer hunter2"
        headers = other.seen[-1]["headers"]
        assert headers["x-a"] == "b"
        assert "authorization" not in headers
        assert "cookie" not in headers
        same = get("-L", *secret, f"{echo.url}/redirect/302?/here")
        assert same.body == b"GET /here\n"
        assert echo.seen[-1]["headers"]["cookie"] == "a=hunter2"
    finally:
        other.shutdown()
        other.server_close()


def test_secrets_stay_out_of_traces(get: Get, echo: EchoServer) -> None:
    secret = ["-H", "Authorization: Bearer hunter2", "-H", "Cookie: a=hunter2"]
    for trace in ("text", "json"):
        assert "hunter2" not in get("--trace", trace, *secret, echo.url).error
        assert "hunter2" in get("--trace", trace, "--show-secrets", *secret, echo.url).error


def test_fail_turns_a_status_into_an_exit_code(get: Get, raw: Callable[..., Raw]) -> None:
    server = raw(always(b"HTTP/1.1 404 no\r\ncontent-length: 3\r\nconnection: close\r\n\r\nno\n"))
    assert (get(server.url).code, get(server.url).body) == (0, b"no\n")
    failed = get("--fail", server.url)
    assert failed.code == 1
    assert "status 404" in failed.error


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "a URL is missing"),
        (["http://"], "the host is missing"),
        (["http://h:99999/"], "the port"),
        (["ftp://h/"], "only http and https"),
        (["http://u:p@h/"], "do not belong into a URL"),
        (["--http1.1", "--http2", "http://h/"], "exclude each other"),
        (["--verbos", "http://h/"], "--verbose"),
        (["-H", "nonsense", "http://h/"], "NAME: VALUE"),
        (["-H", "a: b\r\nc: d", "http://h/"], "control character"),
        (["--priority", "x y", "http://h/"], "--priority"),
        (["--resolve", "x", "http://h/"], "--resolve"),
        (["--connect-to", "x:y", "http://h/"], "--connect-to"),
        (["--push", "maybe", "http://h/"], "accept"),
        (["-d", "@/nonexistent", "http://h/"], "/nonexistent"),
        (["-T", "/nonexistent", "http://127.0.0.1:9/"], "/nonexistent"),
        (["--cacert", "/nonexistent", "https://h/"], "/nonexistent"),
        (["-X", "A B", "http://h/"], "not a method"),
        (["--max-time", "soon", "http://h/"], "--max-time"),
        (["--output-dir", "/nonexistent", "http://h/"], "'/nonexistent': no such folder"),
        (["--output-dir", "/dev/null", "http://h/"], "'/dev/null': not a folder"),
    ],
)
def test_usage_errors(get: Get, arguments: list[str], said: str) -> None:
    result = get(*arguments)
    assert result.code == 2, result.error
    assert said in result.error
    assert len(result.error.splitlines()) == 1
    assert result.body == b""


# ---- TLS ----


@pytest.mark.parametrize(
    ("names", "days", "own", "host", "said"),
    [
        ("DNS:localhost", 30, False, "localhost", None),
        ("IP:127.0.0.1", 30, False, "127.0.0.1", None),
        ("DNS:*.example.org", 30, False, "a.example.org", None),
        ("DNS:*.example.org", 30, False, "a.b.example.org", "not valid for"),
        ("DNS:*.example.org", 30, False, "example.org", "not valid for"),
        ("DNS:localhost", 30, False, "127.0.0.1", "not valid for"),
        ("DNS:127.0.0.1", 30, False, "127.0.0.1", "not valid for"),
        ("DNS:other.example", 30, False, "localhost", "not valid for"),
        ("DNS:localhost", 30, True, "localhost", "not signed by a trusted"),
        ("DNS:localhost", -1, False, "localhost", "expired"),
    ],
)
def test_certificates_are_verified(
    get: Get,
    authority: Authority,
    folder: Path,
    names: str,
    days: int,
    own: bool,
    host: str,
    said: str | None,
) -> None:
    try:
        leaf, key = authority.leaf("leaf", names, days, own)
    except subprocess.CalledProcessError:
        pytest.skip("this openssl does not make such a certificate")
    with nghttpd(folder, "-v", str(key), str(leaf)) as port:
        there = ["--connect-to", f"127.0.0.1:{port}", "--cacert", str(authority.file)]
        url = f"https://{host}:{port}/style.css"
        result = get(*there, url)
        assert result.code == (0 if said is None else 1), result.error
        assert said is None or said in result.error
        assert result.body == (b"body {}\n" if said is None else b"")
        assert get("-k", *there, url).body == b"body {}\n"
        assert get("--connect-to", f"127.0.0.1:{port}", url).code == 1


def test_client_certificates(get: Get, authority: Authority, folder: Path) -> None:
    leaf, key = authority.leaf("mutual", "DNS:localhost")
    with nghttpd(folder, "--verify-client", str(key), str(leaf)) as port:
        url = f"https://localhost:{port}/style.css"
        trust = ["--cacert", str(authority.file), "--connect-to", f"127.0.0.1:{port}"]
        assert get(*trust, url).code == 1
        shown = get(*trust, "--cert", leaf, "--key", key, url)
        assert (shown.code, shown.body) == (0, b"body {}\n"), shown.error
        wrong = get(*trust, "--cert", leaf, "--key", authority.path / "ca-key.pem", url)
        assert wrong.code == 2
        assert len(wrong.error.splitlines()) == 1


# ---- servers that misbehave ----


HOSTILE = {
    "informational flood": endless(b"", b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n"),
    "100 flood": endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "header flood": endless(b"HTTP/1.1 200 OK\r\n", b"x-%d: y\r\n" * 100 % tuple(range(100))),
    "header without end": endless(b"HTTP/1.1 200 OK\r\nx: ", b"y" * 4096),
    "status line without end": endless(b"HTTP/1.1 200 ", b"y" * 4096),
    "trailer flood": endless(
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n", b"x: y\r\n" * 100
    ),
    "chunk extension without end": endless(
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;", b"y" * 4096
    ),
    "chunk size without end": endless(
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", b"0" * 4096
    ),
    "bad chunk": always(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n"),
    "bad chunk end": always(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nab\r\n"),
    "huge chunk": always(
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\n"
    ),
    "two lengths": always(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab"),
    "huge length": always(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999\r\n\r\nab"),
    "negative length": always(b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\nab"),
    "cut body": always(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nab"),
    "cut chunks": always(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab"),
    "cut head": always(b"HTTP/1.1 200 OK\r\ncontent-le"),
    "nothing": always(b""),
    "no http": always(b"220 mail.example ESMTP\r\n"),
    "NUL in a value": always(b"HTTP/1.1 200 OK\r\nx: a\0b\r\n\r\n"),
    "101 unasked": always(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n"),
    "h2 preface": always(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
}


@pytest.mark.parametrize("name", list(HOSTILE))
def test_hostile_http1_servers(get: Get, raw: Callable[..., Raw], name: str) -> None:
    result = get("--http1.1", "--max-time", "10", raw(HOSTILE[name]).url, seconds=20)
    assert result.code == 1, (result.body[:200], result.error[:2000])
    assert result.seconds < 9
    assert result.memory_kib < MEMORY_LIMIT_KIB
    assert "herald: error:" in result.error


PREFACE = b"\0\0\0\4\0\0\0\0\0"


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    head = len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big")
    return head + payload


def http2(head: bytes, piece: bytes = b"") -> Callable[[socket.socket], None]:
    """After the client's request: settings, `head`, then `piece` for ever (or hold on)."""

    def answer(connection: socket.socket) -> None:
        received = b""
        while b"\x01\x05\0\0\0\1" not in received:
            received += connection.recv(65536)
        connection.sendall(PREFACE + head)
        if not piece:
            while connection.recv(65536):
                pass
        threading.Thread(target=lambda: drain(connection), daemon=True).start()
        while piece:
            connection.sendall(piece * 100)

    return answer


def drain(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while connection.recv(65536):
            pass


STATUS_200 = b"\x88"
STATUS_103 = b"\x08\x03103"
OK_HEAD = frame(1, 4, 1, STATUS_200)
PROMISE = b"\x82\x87\x04\x01/\x01\x01x"
# A field of nearly 4,000 bytes enters the dynamic table and is named 9,000 times.
BOMB = b"\x40\x01a\x7f\xa1\x1e" + b"b" * 4000 + b"\xbe" * 9000
HOSTILE_HTTP2 = {
    "ping flood": http2(b"", frame(6, 0, 0, b"12345678")),
    "settings flood": http2(b"", frame(4, 0, 0)),
    "informational flood": http2(b"", frame(1, 4, 1, STATUS_103)),
    "continuation flood": http2(frame(1, 0, 1), frame(9, 0, 1, b"\x40\x01a\x01b" * 100)),
    "empty data flood": http2(OK_HEAD, frame(0, 0, 1)),
    "window update flood": http2(b"", frame(8, 0, 0, b"\0\0\0\1")),
    "bomb": http2(
        frame(1, 4, 1, STATUS_200 + b"\x40\x01a\x7f\x81\x1e" + b"b" * 4000 + b"\xbe" * 9000)
    ),
    "even stream": http2(frame(1, 4, 2, STATUS_200)),
    "other stream": http2(frame(1, 4, 3, STATUS_200)),
    "data before head": http2(frame(0, 0, 1, b"x")),
    "frame too large": http2(frame(0, 0, 1, b"x" * 16385)),
    "window overflow": http2(frame(8, 0, 0, b"\x7f\xff\xff\xff")),
    "window of zero": http2(frame(8, 0, 1, b"\0\0\0\0")),
    "bad setting": http2(frame(4, 0, 0, b"\0\5\0\0\0\0")),
    "enable push": http2(frame(4, 0, 0, b"\0\2\0\0\0\1")),
    "bad hpack": http2(frame(1, 4, 1, b"\xff\xff\xff\xff\xff\xff")),
    "no status": http2(frame(1, 5, 1, b"\x40\x01a\x01b")),
    "upper case": http2(frame(1, 5, 1, STATUS_200 + b"\x40\x01A\x01b")),
    "goaway": http2(frame(7, 0, 0, b"\0\0\0\0\0\0\0\x0b")),
    "more than the flow allows": http2(OK_HEAD + frame(0, 0, 1, b"x" * 16384) * 100),
    "length too short": http2(
        frame(1, 4, 1, STATUS_200 + b"\x0f\x0d\x011") + frame(0, 1, 1, b"xx")
    ),
    "length too long": http2(frame(1, 4, 1, STATUS_200 + b"\x0f\x0d\x013") + frame(0, 1, 1, b"xx")),
    "promise on a closed stream": http2(frame(5, 4, 1, b"\0\0\0\3" + PROMISE)),
    "not http/2": always(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
}


@pytest.mark.parametrize("name", list(HOSTILE_HTTP2))
def test_hostile_http2_servers(get: Get, raw: Callable[..., Raw], name: str) -> None:
    result = get("--h2c", "--max-time", "12", raw(HOSTILE_HTTP2[name]).url, seconds=20)
    assert result.code == 1, (result.body[:200], result.error[:2000])
    assert result.seconds < 11
    assert result.memory_kib < MEMORY_LIMIT_KIB
    assert "herald: error:" in result.error


def test_a_reset_response_is_incomplete(get: Get, raw: Callable[..., Raw]) -> None:
    reset = frame(3, 0, 1, b"\0\0\0\2")
    result = get("--h2c", raw(http2(OK_HEAD + frame(0, 0, 1, b"half") + reset)).url)
    assert (result.code, result.body) == (1, b"half")
    assert "incomplete response after 4 bytes: the server reset the stream" in result.error


def test_a_refused_request_is_repeated_and_given_up(get: Get, raw: Callable[..., Raw]) -> None:
    server = raw(http2(frame(3, 0, 1, b"\0\0\0\7") + frame(7, 0, 0, b"\0" * 8)))
    result = get("--h2c", server.url)
    assert result.code == 1
    assert server.connections == 4


def test_a_body_without_end_meets_max_time(get: Get, raw: Callable[..., Raw]) -> None:
    server = raw(endless(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65536))
    result = get("--max-time", "1", "-o", "/dev/null", server.url)
    assert result.code == 1
    assert result.seconds < 3
    assert result.memory_kib < MEMORY_LIMIT_KIB
    assert "incomplete response" in result.error


def test_a_silent_server_meets_its_deadlines(get: Get, raw: Callable[..., Raw]) -> None:
    server = raw(lambda connection: time.sleep(5))
    assert "no response in time" in get("--first-byte-timeout", "0.3", server.url).error
    tls = server.url.replace("http:", "https:")
    silent = get("--connect-timeout", "0.3", tls)
    assert silent.code == 1
    assert silent.seconds < 3


def test_connections_that_fail(get: Get) -> None:
    refused = get(f"http://127.0.0.1:{free_port()}/")
    assert (refused.code, len(refused.error.splitlines())) == (1, 1)
    assert "connection refused" in refused.error.lower()
    unknown = get("http://name.invalid/")
    assert unknown.code == 1
    assert "name.invalid" in unknown.error
    nowhere = get("--unix-socket", "/nonexistent.sock", "http://h/")
    assert "/nonexistent.sock" in nowhere.error


def test_pushed_names_stay_inside_the_folder(
    get: Get, raw: Callable[..., Raw], tmp_path: Path
) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    (tmp_path / "victim").write_text("untouched")
    (inside / "link").symlink_to(tmp_path / "victim")
    paths = [b"/..", b"/.profile", b"/-rf", b"/a/..%2fx", b"/link"]

    def answer(connection: socket.socket) -> None:
        received = b""
        while b"\x01\x05\0\0\0\1" not in received:
            received += connection.recv(65536)
        port = str(connection.getsockname()[1]).encode()
        authority = b"127.0.0.1:" + port
        out = PREFACE
        for number, path in enumerate(paths):
            block = b"\x82\x86\x04" + bytes([len(path)]) + path
            block += b"\x01" + bytes([len(authority)]) + authority
            out += frame(5, 4, 1, (2 * number + 2).to_bytes(4, "big") + block)
        out += OK_HEAD + frame(0, 1, 1, b"page")
        for number in range(len(paths)):
            stream = 2 * number + 2
            out += frame(1, 4, stream, STATUS_200) + frame(0, 1, stream, b"pushed")
        connection.sendall(out)
        drain(connection)

    get("--h2c", "--output-dir", inside, raw(answer).url)
    assert (tmp_path / "victim").read_text() == "untouched"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["inside", "victim"]
    names = sorted(path.name for path in inside.iterdir())
    assert all(not name.startswith((".", "-")) for name in names), names


# ---- the terminal ----


def on_terminal(command: list[str], environment: dict[str, str]) -> tuple[int, str]:
    """Run with a terminal as standard output and error."""
    pid, descriptor = pty.fork()
    if pid == 0:
        os.execvpe(command[0], command, environment)
    output = b""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        readable, _, _ = select.select([descriptor], [], [], 1)
        if not readable:
            continue
        try:
            piece = os.read(descriptor, 65536)
        except OSError:
            break
        if not piece:
            break
        output += piece
    os.close(descriptor)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status), output.decode(errors="replace")


def test_a_terminal_shows_no_escape_sequences_of_the_peer(raw: Callable[..., Raw]) -> None:
    body = "caf\u00e9 \u202e \x1b]0;title\x07 \x9b31m\ttab\n".encode() + b"\xff\xc3"
    server = raw(
        always(
            b"HTTP/1.1 200 \x9bbad\r\nx-title: \xc2\x9b31m\xe2\x80\xae\r\nconnection: close\r\n\r\n"
            + body
        )
    )
    command = [*herald_command(), "get", "-v", server.url]
    code, output = on_terminal(command, {**os.environ, "TERM": "xterm"})
    assert code == 0, output
    without_colours = re.sub(r"\x1b\[[0-9;]*m", "", output)
    assert "\x1b" not in without_colours
    assert "\x9b" not in output
    assert "\u202e" not in output
    assert "\x07" not in output
    assert "\\x1b]0;title\\x07" in output
    assert "caf\u00e9 \\u{202e}" in output
    assert "\x1b[" in output
    plain = on_terminal(command, {**os.environ, "TERM": "xterm", "NO_COLOR": "1"})[1]
    assert "\x1b" not in plain


def test_a_progress_bar_for_long_bodies(raw: Callable[..., Raw], tmp_path: Path) -> None:
    def answer(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
        for _ in range(10):
            connection.sendall(b"x" * 10000)
            time.sleep(0.1)

    url = raw(answer).url
    command = [*herald_command(), "get", "-o", str(tmp_path / "out"), url]
    code, output = on_terminal(command, dict(os.environ))
    assert code == 0, output
    assert re.search(r"\[#+\.+\] +\d+% of 97\.7 KiB", output), output
    assert (tmp_path / "out").stat().st_size == 100000
    silent = on_terminal([*command[:2], "-s", *command[2:]], dict(os.environ))[1]
    assert silent == ""


# ---- the other half of the program ----


def test_the_development_certificate_is_trusted_on_loopback(tmp_path: Path, folder: Path) -> None:
    environment = {**os.environ, "XDG_DATA_HOME": str(tmp_path)}
    port = free_port()
    process = subprocess.Popen(
        [*herald_command(), "serve", str(folder), "--bind", f"127.0.0.1:{port}"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for_port(port, process)
        for option, version in (("--http2", b"HTTP/2 200"), ("--http1.1", b"HTTP/1.1 200")):
            command = [*herald_command(), "get", "-i", option]
            result = bounded(
                [*command, f"https://127.0.0.1:{port}/page.html"], environment, None, 20
            )
            assert result.code == 0, result.error
            assert result.body.startswith(version)
            assert result.body.endswith(b"<p>page</p>\n")
    finally:
        process.terminate()
        process.wait()
