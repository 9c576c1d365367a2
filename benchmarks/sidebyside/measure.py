"""Runs one case: every server of it side by side, round by round."""

from __future__ import annotations

import os
import statistics
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from . import hold, load, servers
from .cases import Case
from .place import LOAD_CPU, ROOT, BenchError, commit
from .processes import Server


@dataclass
class Result:
    """What a case showed. `samples` holds, by server, one value a round in the case's unit."""

    case: str
    rounds: int
    seconds: float
    when: str
    load_average: float
    commit: str
    samples: dict[str, list[float]] = field(default_factory=dict)
    rates: dict[str, list[float]] = field(default_factory=dict)
    cpu: dict[str, list[float]] = field(default_factory=dict)
    percentiles: dict[str, dict[str, float]] = field(default_factory=dict)
    commands: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        return asdict(self)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def shown(command: list[str], folder: Path) -> str:
    """A command line without the folders of this run."""
    return " ".join(command).replace(str(folder), "$T").replace(f"{ROOT}/", "")


def _start(case: Case, setting: servers.Setting, result: Result) -> list[Server]:
    own = "herald-asgi" if case.app else "herald"
    started = []
    for name in (own, *case.peers):
        server = servers.make(name, setting)
        result.commands[server.name] = shown(server.command, setting.folder)
        try:
            server.start()
        except (BenchError, OSError) as error:
            result.missing[server.name] = str(error).replace(str(setting.folder), "$T")
            say(f"  {name}: left out: {error}")
            continue
        started.append(server)
    return started


def _rounds_of_load(case: Case, started: list[Server], result: Result, folder: Path) -> None:
    requests: dict[str, int] = {}
    for server in list(started):
        try:
            requests[server.name] = load.calibrate(server, case.load, result.seconds)
        except BenchError as error:
            result.missing[server.name] = str(error)
            say(f"  {server.name}: left out: {error}")
            started.remove(server)
    result.commands["load"] = shown(case.load.command(0, requests.get("herald", 0)), folder)
    for number in range(result.rounds):
        # Each round begins with another server, so that none always follows the same one.
        turn = number % len(started)
        for server in started[turn:] + started[:turn]:
            sample = load.run(server, case.load, requests[server.name])
            result.cpu.setdefault(server.name, []).append(sample.cpu * 1e6)
            result.rates.setdefault(server.name, []).append(sample.rate)
    for server in started:
        few = max(1000, requests[server.name] // 10)
        if case.load.size < 1 << 20:
            result.percentiles[server.name] = load.percentiles(server, case.load, few, folder)
    result.samples = result.cpu if case.measure == "cpu" else result.rates


def _rounds_of_memory(case: Case, started: list[Server], result: Result) -> None:
    action = hold.idle if case.measure == "idle" else hold.stalled
    # A second round would find the memory the first one left in the process; so one, each afresh.
    result.rounds = 1
    for server in started:
        try:
            result.samples[server.name] = [action(server, case.load)]
        except (BenchError, OSError) as error:
            result.missing[server.name] = str(error)
            say(f"  {server.name}: left out: {error}")


def run(case: Case, rounds: int, seconds: float, folder: Path) -> Result:
    say(f"{case.name}: {case.title}")
    when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    result = Result(case.name, rounds, seconds, when, os.getloadavg()[0], commit())
    setting = servers.Setting(
        folder,
        tls=case.load.tls,
        file=case.load.path[1:],
        app=case.app,
        h2=not case.load.http1,
    )
    upstream: Server | None = None
    started: list[Server] = []
    try:
        if case.proxy:
            plain = servers.Setting(folder, tls=False)
            upstream = servers.make("nginx", plain, LOAD_CPU)
            upstream.start()
            setting.upstream = upstream.port
        started = _start(case, setting, result)
        if not started or started[0].name != "herald":
            raise BenchError(f"{case.name}: Herald did not start")
        if case.measure in ("idle", "stalled"):
            _rounds_of_memory(case, started, result)
        else:
            _rounds_of_load(case, started, result, folder)
    finally:
        for server in started:
            server.stop()
        if upstream:
            upstream.stop()
    for name, values in result.samples.items():
        say(f"  {name:10} {statistics.median(values):12.3f}")
    return result
