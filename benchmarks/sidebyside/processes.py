"""Servers as processes: started on their CPU, waited for, and their CPU time and memory read."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from .place import BenchError, on_cpu


@dataclass
class Server:
    """A server under test. `port` answers once `start` has returned."""

    name: str
    command: list[str]
    port: int
    cpu: int
    log: Path
    variables: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        variables = {**os.environ, **self.variables}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                on_cpu(self.cpu, self.command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=variables,
                start_new_session=True,
            )
        limit = time.monotonic() + 20
        while time.monotonic() < limit:
            if self.process.poll() is not None:
                break
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        self.stop()
        last = self.log.read_text(errors="replace").strip().splitlines()[-1:] or ["no output"]
        raise BenchError(f"{self.name} does not answer: {last[0]}")

    def stop(self) -> None:
        """Ends the processes of this server's own session, and no others."""
        if self.process is None:
            return
        for wanted in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, wanted)
                self.process.wait(3)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue
        self.process = None

    def pids(self) -> list[int]:
        """The process and all its descendants."""
        assert self.process is not None
        children: dict[int, list[int]] = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    stat = (entry / "stat").read_text()
                except OSError:
                    continue
                parent = int(stat.rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(entry.name))
        found = [self.process.pid]
        for pid in found:
            found += children.get(pid, [])
        return found

    def cpu_seconds(self) -> float:
        """CPU time of all processes and threads, user and system. The scheduler's own nanoseconds
        where the kernel tells them, else the ticks of /proc/<pid>/stat: both are one account."""
        total = 0.0
        for pid in self.pids():
            try:
                threads = list(Path(f"/proc/{pid}/task").iterdir())
                total += sum(int((t / "schedstat").read_text().split()[0]) for t in threads) / 1e9
            except (OSError, IndexError):
                words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                total += (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")
        return total

    def memory(self) -> int:
        """Bytes that would be freed if the server ended (its proportional set size)."""
        total = 0
        for pid in self.pids():
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
        return total
