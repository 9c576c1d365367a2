"""One run of the load generator against one server."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .place import LOAD_CPU, BenchError, on_cpu
from .processes import Server


@dataclass(frozen=True)
class Load:
    """What is asked for: `path`, over `connections` with `streams` requests at a time on each."""

    path: str
    size: int
    connections: int
    streams: int
    http1: bool = False
    tls: bool = True

    def command(self, port: int, requests: int) -> list[str]:
        scheme = "https" if self.tls else "http"
        command = ["h2load", "-n", str(requests), "-c", str(self.connections)]
        command += ["-m", str(self.streams), "-w", "24", "-W", "24"]
        if self.http1:
            command.append("--h1")
        if self.tls:
            command += ["--tls13-ciphers", "TLS_AES_128_GCM_SHA256"]
        return [*command, f"{scheme}://127.0.0.1:{port}{self.path}"]


@dataclass
class Sample:
    """What one run showed: CPU seconds a request, requests a second."""

    cpu: float
    rate: float


def _finish(output: str, load: Load, requests: int, name: str) -> float:
    """Requests a second, after the answers were checked: all 200, every byte there."""
    rate = re.search(r"finished in .*?, ([\d.]+) req/s", output)
    statuses = re.search(r"status codes: (\d+) 2xx", output)
    bodies = re.search(r"headers .*?, \S+ \((\d+)\) data", output)
    if rate is None or statuses is None or bodies is None:
        raise BenchError(f"{name}: h2load ended without a summary")
    # h2load counts a status line without a reason phrase in no class at all (Hypercorn's); the
    # bytes of the bodies are then the check.
    classes = re.search(r"status codes: (.*)", output)
    unclassed = classes is not None and not re.search(r"[1-9]", re.sub(r"\dxx", "", classes[1]))
    if int(statuses.group(1)) != requests and not (unclassed and load.http1):
        raise BenchError(f"{name}: {statuses.group(1)} of {requests} answers were 2xx")
    if int(bodies.group(1)) != requests * load.size:
        raise BenchError(f"{name}: {bodies.group(1)} bytes instead of {requests * load.size}")
    return float(rate.group(1))


def _run(command: list[str], name: str) -> str:
    try:
        done = subprocess.run(on_cpu(LOAD_CPU, command), capture_output=True, text=True, timeout=60)
    except subprocess.TimeoutExpired:
        raise BenchError(f"{name}: no end after 60 s") from None
    return done.stdout


def run(server: Server, load: Load, requests: int) -> Sample:
    before = server.cpu_seconds()
    output = _run(load.command(server.port, requests), server.name)
    after = server.cpu_seconds()
    rate = _finish(output, load, requests, server.name)
    return Sample((after - before) / requests, rate)


def calibrate(server: Server, load: Load, seconds: float) -> int:
    """So many requests that a run takes about `seconds`; warms the server up as well."""
    least = max(2 * load.connections * load.streams, 20)
    requests = least
    for part in (0.1, 0.3):
        rate = run(server, load, requests).rate
        requests = max(least, int(rate * part))
    rate = run(server, load, requests).rate
    # So many on a connection that its handshake is no part of what is compared, within reason.
    few = min(500 * load.connections, int(rate * seconds * 4)) if load.size < 1 << 20 else 0
    return max(least, few, int(rate * seconds))


def percentiles(server: Server, load: Load, requests: int, folder: Path) -> dict[str, float]:
    """Microseconds, from the log of every request, in a run of its own."""
    log = folder / "h2load.log"
    log.unlink(missing_ok=True)
    command = load.command(server.port, requests)
    _run([*command[:-1], f"--log-file={log}", command[-1]], server.name)
    times = sorted(int(line.split("\t")[2]) for line in log.read_text().splitlines() if line)
    if not times:
        return {}
    return {f"p{p}": times[min(len(times) - 1, int(len(times) * p / 100))] for p in (50, 99)}
