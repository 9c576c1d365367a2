"""Targets, probes and judges of the attack suite.

A *target* is a running server with counted resources. An *attack* is a function of an ``Arena``:
it opens connections to the target, says what it did, and checks what must hold. ``execute`` runs it
while a victim asks for small things at a fixed rate, and returns a ``Record``: what was measured,
and every check that failed. What depends on the machine's speed (latency, share of the CPU) is
reported and never fails a record.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import wire

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent
MIB = 1 << 20
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")

CLOSE_SECONDS = 1.0  # a hostile connection ends within it
CLOSE_LENIENCE = 4.0  # what a busy machine may add before a test fails
RECOVERY_SECONDS = 8.0
MEMORY_GROWTH = 16 * MIB
LOG_LINES_A_SECOND = 10
CPU_SHARE = 0.40
SANITIZED = bool(os.environ.get("HERALD_SANITIZED"))  # then memory says nothing
CONNECT_PAUSE = 0.05  # an attacker that has been closed comes back so soon

CODES = {
    0: "NO_ERROR",
    1: "PROTOCOL_ERROR",
    2: "INTERNAL_ERROR",
    3: "FLOW_CONTROL_ERROR",
    4: "SETTINGS_TIMEOUT",
    5: "STREAM_CLOSED",
    6: "FRAME_SIZE_ERROR",
    7: "REFUSED_STREAM",
    8: "CANCEL",
    9: "COMPRESSION_ERROR",
    10: "CONNECT_ERROR",
    11: "ENHANCE_YOUR_CALM",
    12: "INADEQUATE_SECURITY",
    13: "HTTP_1_1_REQUIRED",
}


def pin(pid: int, cpu: int) -> None:
    """Keep a process on one CPU, where there are two."""
    if len(os.sched_getaffinity(0) | {0, 1}) > 1 and (os.cpu_count() or 1) >= 2:
        with contextlib.suppress(OSError):
            os.sched_setaffinity(pid, {cpu})


def wait_until(condition: Callable[[], object], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


# ---- targets ----


@dataclass
class Target:
    """A running server: ``kind`` is "app", "folder" (Herald) or "nginx"."""

    kind: str
    process: subprocess.Popen[bytes]
    lines: list[str] = field(default_factory=list)
    worker: int = 0  # the process that serves
    port: int = 0
    tls_port: int = 0

    @property
    def is_herald(self) -> bool:
        return self.kind != "nginx"

    @property
    def log(self) -> str:
        return "\n".join(self.lines)

    def alive(self) -> bool:
        return self.process.poll() is None and Path(f"/proc/{self.worker}").exists()

    def cpu_seconds(self) -> float:
        values = Path(f"/proc/{self.worker}/stat").read_text().rpartition(")")[2].split()
        return (int(values[11]) + int(values[12])) / TICKS

    def resident(self) -> int:
        return int(Path(f"/proc/{self.worker}/statm").read_text().split()[1]) * PAGE

    def descriptors(self) -> int:
        """Open sockets: what else is open depends on what has been asked for before."""
        folder, count = f"/proc/{self.worker}/fd", 0
        for name in os.listdir(folder):
            with contextlib.suppress(OSError):
                count += os.readlink(f"{folder}/{name}").startswith("socket:")
        return count

    def get(self, path: str) -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path)
            return connection.getresponse().read()
        finally:
            connection.close()

    def statistics(self) -> dict[str, int]:
        return json.loads(self.get("/statistics"))

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


def _collect(target: Target) -> None:
    assert target.process.stdout is not None
    for line in target.process.stdout:
        target.lines.append(line.decode(errors="replace").rstrip("\n"))


def herald_command() -> list[str]:
    """The command of the variable HERALD, of the build, or of the package, in this order."""
    built = ROOT / "build/herald"
    if os.environ.get("HERALD"):
        return [os.environ["HERALD"]]
    return [str(built)] if built.exists() else [sys.executable, "-m", "herald"]


def make_folder(path: Path) -> Path:
    """The files that the application of apps/counting.py answers with, as files."""
    path.mkdir(parents=True, exist_ok=True)
    for name, content in (("small", b"s" * 1024), ("large", b"l" * MIB), ("tiny", b"t" * 19)):
        (path / name).write_bytes(content)
    (path / "slow").write_bytes(b"s" * 1024)
    return path


def _wait_for_ports(target: Target, count: int) -> None:
    def listening() -> bool:
        return len(re.findall(r"https?://\S+:\d+", target.log)) >= count

    wait_until(lambda: target.process.poll() is not None or listening(), 30)
    if not listening():
        raise RuntimeError(f"the target did not start:\n{target.log}")
    for scheme, name in (("http", "port"), ("https", "tls_port")):
        found = re.search(rf"\b{scheme}://127\.0\.0\.1:(\d+)", target.log)
        if found is None:
            found = re.search(rf"\b{scheme}://localhost:(\d+)", target.log)
        setattr(target, name, int(found.group(1)) if found else 0)


@contextlib.contextmanager
def herald(kind: str, scratch: Path, *options: str) -> Iterator[Target]:
    """``herald serve`` of the counting application or of a folder."""
    words = [*options, "--insecure-bind", "127.0.0.1:0", "--bind", "127.0.0.1:0"]
    if kind == "app":
        words = [sys.executable, "-m", "herald", "serve", *words]
        words += ["--app-dir", str(HERE / "apps"), "counting:app"]
    else:
        words = [*herald_command(), "serve", *words, str(make_folder(scratch / "files"))]
    environment = {**os.environ, "XDG_DATA_HOME": str(scratch), "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        words, env=environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    target = Target(kind, process, worker=process.pid)
    threading.Thread(target=_collect, args=(target,), daemon=True).start()
    try:
        _wait_for_ports(target, 2)
        pin(process.pid, 0)
        for name in ("/small", "/large", "/tiny", "/slow"):
            target.get(name)  # open files are kept
        yield target
    finally:
        target.stop()


NGINX = """
daemon off; master_process on; worker_processes 1; pid {scratch}/nginx.pid;
error_log {scratch}/error.log warn;
events {{ worker_connections 16384; }}
http {{
    access_log off; types {{ }} default_type text/plain; sendfile on; tcp_nopush on;
    client_body_temp_path {scratch}/b; proxy_temp_path {scratch}/p; fastcgi_temp_path {scratch}/f;
    uwsgi_temp_path {scratch}/u; scgi_temp_path {scratch}/s; keepalive_requests 100000000;
    server {{ listen 127.0.0.1:{port} http2; root {scratch}/files; }}
    server {{ listen 127.0.0.1:{plain}; root {scratch}/files; }}
}}
"""


def free_port() -> int:
    with contextlib.closing(__import__("socket").create_server(("127.0.0.1", 0))) as sock:
        return sock.getsockname()[1]


def child_of(pid: int) -> int:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(found[0]) if found else 0


@contextlib.contextmanager
def nginx(scratch: Path) -> Iterator[Target]:
    """Debian's nginx with one worker, HTTP/2 in cleartext; ``tls_port`` is where it has HTTP/1.1.

    It cannot speak both on one cleartext port.
    """
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        raise RuntimeError("nginx is not installed; tools/setup attack installs it")
    make_folder(scratch / "files")
    for path in (scratch, scratch / "files"):
        path.chmod(0o755)
    port, plain = free_port(), free_port()
    configuration = scratch / "nginx.conf"
    configuration.write_text(NGINX.format(scratch=scratch, port=port, plain=plain))
    process = subprocess.Popen(
        [program, "-c", str(configuration), "-p", str(scratch)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    target = Target("nginx", process, port=port, tls_port=plain)
    threading.Thread(target=_collect, args=(target,), daemon=True).start()
    try:
        if not wait_until(lambda: child_of(process.pid), 10):
            raise RuntimeError(f"nginx did not start:\n{target.log}")
        target.worker = child_of(process.pid)
        pin(target.worker, 0)
        yield target
    finally:
        target.stop()


# ---- the victim ----


def percentile(values: list[float], share: float) -> float | None:
    if not values:
        return None
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


class Victim:
    """probe.py, running; its results by the time they were due."""

    def __init__(self, target: Target, rate: float) -> None:
        h1_port = target.port if target.is_herald else target.tls_port
        words = [sys.executable, str(HERE / "probe.py"), str(target.port), str(rate), str(h1_port)]
        self.process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        pin(self.process.pid, 1)
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, self.process.pid, -5)
        self.results: list[tuple[float, float | None]] = []
        threading.Thread(target=self._collect, daemon=True).start()

    def _collect(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.results.extend((due, took) for due, took in json.loads(line))

    def between(self, start: float, end: float) -> tuple[list[float], int]:
        """Latencies and the number of failures of what was due then."""
        found = [took for due, took in self.results if start <= due < end]
        return [took for took in found if took is not None], found.count(None)

    def wait_for_results(self, count: int, seconds: float = 10.0) -> bool:
        return wait_until(lambda: len(self.results) >= count, seconds)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


# ---- attacks ----


@dataclass
class Record:
    """One attack on one target."""

    row: str
    attack: str
    target: str
    failures: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    closed_after: float | None = None
    code: str = ""
    connections: int = 0
    bytes_sent: int = 0
    victim_requests: int = 0
    victim_errors: int = 0
    p99_before: float | None = None
    p99: float | None = None
    cpu_share: float = 0.0
    memory_growth: int = 0
    log_lines: float = 0.0
    slow: list[str] = field(default_factory=list)  # of the envelope, what depends on the machine

    @property
    def verdict(self) -> str:
        return "fails" if self.failures else "slow" if self.slow else "holds"

    def json(self) -> str:
        return json.dumps({**asdict(self), "verdict": self.verdict})


@dataclass
class Arena:
    """What an attack works with."""

    target: Target
    seconds: float
    full: bool
    record: Record
    memory_allowed: int = MEMORY_GROWTH
    log_allowed: int = 20  # lines, beside the rate
    patience: float = CLOSE_LENIENCE  # a test that expects to wait in vain has less

    def check(self, good: object, what: str) -> bool:
        if not good:
            self.record.failures.append(what)
        return bool(good)

    def note(self, what: str) -> None:
        if what not in self.record.notes:
            self.record.notes.append(what)

    def count(self, smoke: int, full: int) -> int:
        return full if self.full else smoke

    def connect(self, **options: Any) -> wire.Peer:
        self.record.connections += 1
        return wire.Peer(self.target.port, **options)

    def ended(self, peer: wire.Peer, codes: Iterable[int], what: str = "") -> bool:
        """The connection is over, in time, for one of ``codes``; none: any, or without a word."""
        peer.read_until_over(CLOSE_SECONDS + self.patience)
        self.record.bytes_sent += peer.sent
        after, record = peer.over_after, self.record
        label = f"{what}: " if what else ""
        if not self.check(after is not None, f"{label}the connection stays open"):
            return False
        assert after is not None
        record.closed_after = max(after, record.closed_after or 0.0)
        name = "closed" if peer.goaway is None else CODES.get(peer.goaway, str(peer.goaway))
        record.code = name if name in record.code or not record.code else f"{record.code}, {name}"
        codes = list(codes)
        expected = " or ".join(CODES[code] for code in codes)
        return self.check(
            not codes or not self.target.is_herald or peer.goaway in codes,
            f"{label}ended by {name} instead of {expected}",
        )

    def wait(self, seconds: float) -> float:
        """How long to wait for what should have happened by now; less for the impatient."""
        return seconds * self.patience / CLOSE_LENIENCE

    def flood(
        self,
        pieces: Callable[[], Iterable[bytes]],
        codes: Iterable[int] = (wire.ENHANCE_YOUR_CALM,),
        read: bool = True,
        once: bool = False,
        **options: Any,
    ) -> None:
        """Send what ``pieces()`` makes until the server ends it, again and again."""
        end = time.monotonic() + self.seconds
        while True:
            with self.connect(**options) as peer:
                peer.flood(pieces(), CLOSE_SECONDS + self.patience, read)
                if not read:
                    self.check(peer.closed, "a peer that does not read is not cut off")
                if not self.ended(peer, codes if read else ()):
                    return
            if once or time.monotonic() > end:
                return
            time.sleep(CONNECT_PAUSE)


@dataclass(frozen=True)
class Attack:
    """A row of the catalogue, or a variant of one."""

    row: str
    name: str
    run: Callable[[Arena], None]
    target: str = "folder"
    options: tuple[str, ...] = ()  # of herald serve: a server of its own
    peers: bool = False  # run against nginx too
    memory: int = MEMORY_GROWTH

    def __str__(self) -> str:
        return f"{self.row}-{self.name}"


attacks: list[Attack] = []


def attack(row: str, name: str, **options: Any) -> Callable[[Callable[[Arena], None]], Any]:
    """Register a function as an attack."""

    def add(run: Callable[[Arena], None]) -> Callable[[Arena], None]:
        attacks.append(Attack(row, name.replace(" ", "-"), run, **options))
        return run

    return add


class Sampler:
    """The largest resident size while it runs."""

    def __init__(self, target: Target) -> None:
        self.target, self.most = target, target.resident()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._done.wait(0.02):
            with contextlib.suppress(OSError, IndexError):
                self.most = max(self.most, self.target.resident())

    def stop(self) -> int:
        self._done.set()
        self._thread.join()
        return self.most


def _judge_victim(record: Record, victim: Victim, before: float, start: float, end: float) -> None:
    clean, _ = victim.between(before, start)
    during, record.victim_errors = victim.between(start, end + 0.5)
    record.victim_requests = len(during) + record.victim_errors
    record.p99_before, record.p99 = percentile(clean, 0.99), percentile(during, 0.99)
    if record.victim_errors:
        record.failures.append(
            f"{record.victim_errors} of {record.victim_requests} requests of the victim failed"
        )
    if record.p99 is not None and record.p99_before is not None:
        allowed = max(0.010, 3 * record.p99_before)
        if record.p99 > allowed:
            record.slow.append(f"p99 {record.p99 * 1000:.1f} ms over {allowed * 1000:.1f} ms")


def _judge_server(
    record: Record, arena: Arena, memory: int, most: int, descriptors: int, started: float
) -> None:
    target = arena.target
    if not target.alive():
        record.failures.append("the worker is gone")
        return
    record.memory_growth = max(0, most - memory)
    if record.memory_growth > arena.memory_allowed and not SANITIZED:
        record.failures.append(
            f"memory grew by {record.memory_growth / MIB:.1f} MiB,"
            f" {arena.memory_allowed / MIB:.0f} are allowed"
        )
    if "Sanitizer" in target.log or "runtime error:" in target.log:
        record.failures.append(f"a report of a sanitizer:\n{target.log[-2000:]}")
    allowed = arena.log_allowed + LOG_LINES_A_SECOND * (time.monotonic() - started)
    lines = record.log_lines * (time.monotonic() - started)
    if lines > allowed:
        record.failures.append(f"{lines:.0f} lines of log, {allowed:.0f} are allowed")
    if not wait_until(lambda: target.descriptors() <= descriptors, RECOVERY_SECONDS):
        record.failures.append(f"sockets: {descriptors} before, {target.descriptors()} after")


def execute(
    which: Attack,
    target: Target,
    victim: Victim | None,
    seconds: float,
    full: bool = False,
    patience: float = CLOSE_LENIENCE,
) -> Record:
    """Run an attack to its end and judge it."""
    record = Record(which.row, which.name, target.kind)
    arena = Arena(target, seconds, full, record, which.memory, patience=patience)
    memory, descriptors, cpu = target.resident(), target.descriptors(), target.cpu_seconds()
    lines = len(target.lines)
    if target.kind == "app":
        target.get("/clear")
    start = time.monotonic()
    sampler = Sampler(target)
    try:
        which.run(arena)
    except OSError as error:
        record.failures.append(f"{type(error).__name__}: {error}")
    end = time.monotonic()
    most = sampler.stop()
    if target.alive():
        record.cpu_share = (target.cpu_seconds() - cpu) / max(end - start, 0.001)
    if record.cpu_share > CPU_SHARE:
        record.slow.append(f"CPU {record.cpu_share:.0%}")
    record.log_lines = (len(target.lines) - lines) / max(end - start, 0.001)
    if victim is not None:
        time.sleep(0.7)
        _judge_victim(record, victim, start - max(5.0, seconds), start, end)
    _judge_server(record, arena, memory, most, descriptors, start)
    return record
