"""Writes benchmarks/RESULTS.md from what the cases left."""

from __future__ import annotations

import json
import platform
import subprocess
from pathlib import Path
from statistics import median
from typing import Any

from .cases import CASES, Case
from .place import BUILD_OPTIONS, RESULTS, SERVER_CPU, VENV

PACKAGES = ("nginx", "h2o", "nghttp2-server", "nghttp2-client", "haproxy", "caddy", "libgnutls30")
PYTHON_PACKAGES = ("granian", "uvicorn", "hypercorn", "gunicorn", "uvloop", "httptools", "fastapi")
UNITS = {
    "cpu": "µs of CPU a request",
    "rate": "requests a second",
    "idle": "KiB a connection",
    "stalled": "KiB a stream",
}


def _output(command: list[str]) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=30).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""


def save(result: dict[str, Any]) -> None:
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{result['case']}.json").write_text(json.dumps(result, indent=1))


def _load() -> dict[str, dict[str, Any]]:
    found = {}
    for case in CASES:
        path = RESULTS / f"{case.name}.json"
        if path.exists():
            found[case.name] = json.loads(path.read_text())
    return found


def best_peer(case: Case, samples: dict[str, list[float]]) -> str:
    peers = {name: median(values) for name, values in samples.items() if name != "herald"}
    if not peers:
        return ""
    choose = max if case.measure == "rate" else min
    return choose(peers, key=lambda name: peers[name])


def ratio(samples: dict[str, list[float]], peer: str) -> float:
    """The median over the rounds of Herald's value by the peer's of the same round."""
    pairs = zip(samples["herald"], samples[peer], strict=False)
    return median(own / max(other, 1e-9) for own, other in pairs)


def _value(case: Case, value: float) -> str:
    if case.measure in ("idle", "stalled"):
        return f"{value / 1024:.1f}"
    if case.measure == "rate":
        return f"{value:,.0f}"
    return f"{value:.2f}" if value < 100 else f"{value:,.0f}"


def _verdict(case: Case, measured: float, goal: float) -> str:
    reached = measured >= goal if case.measure == "rate" else measured <= goal
    if reached:
        return "reached"
    return f"missed by {abs(measured / goal - 1) * 100:.0f} %"


def _summary(case: Case, result: dict[str, Any]) -> list[str]:
    samples = result["samples"]
    own = median(samples["herald"])
    peer = best_peer(case, samples)
    sign = "≥" if case.measure == "rate" else "≤"
    rows = []
    head = f"| {case.title} | {_value(case, own)} | "
    if not peer:
        return [head + "none measured | | | |"]
    best = f"{peer} {_value(case, median(samples[peer]))}"
    against = ratio(samples, peer)
    if case.measure == "stalled":
        bound = f"{sign} {case.goal / 1024:.0f} KiB"
        rows.append(f"{head}{best} | {against:.2f} | {bound} | {_verdict(case, own, case.goal)} |")
    else:
        bound = f"{sign} {case.goal:g}"
        verdict = _verdict(case, against, case.goal)
        rows.append(f"{head}{best} | {against:.2f} | {bound} | {verdict} |")
    for name, goal in case.extra:
        if name in samples:
            against = ratio(samples, name)
            other = f"{name} {_value(case, median(samples[name]))}"
            verdict = _verdict(case, against, goal)
            rows.append(f"{head}{other} | {against:.2f} | {sign} {goal:g} | {verdict} |")
    return rows


def _detail(case: Case, result: dict[str, Any]) -> list[str]:
    samples, rates, times = result["samples"], result["rates"], result["percentiles"]
    lines = ["", f"### {case.title}", ""]
    rounds = f"{result['rounds']} rounds of about {result['seconds']:g} s"
    if case.measure in ("idle", "stalled"):
        rounds = "one run each"
    lines.append(
        f"{rounds}, {result['when']}, Herald at {result['commit']}, load average before it "
        f"{result['load_average']:.1f}; {UNITS[case.measure]}."
    )
    if rates:
        lines += [
            "",
            "| server | CPU µs a request (spread) | requests/s (spread) | p50 µs | p99 µs |",
        ]
        lines += ["|---|---|---|---|---|"]
        for name, cpu in sorted(result["cpu"].items(), key=lambda item: median(item[1])):
            rate, time = rates[name], times.get(name, {})
            lines.append(
                f"| {name} | {median(cpu):.2f} ({min(cpu):.2f} to {max(cpu):.2f}) "
                f"| {median(rate):,.0f} ({min(rate):,.0f} to {max(rate):,.0f}) "
                f"| {time.get('p50', '')} | {time.get('p99', '')} |"
            )
    else:
        lines += ["", "| server | " + UNITS[case.measure] + " |", "|---|---|"]
        for name, values in sorted(samples.items(), key=lambda item: item[1]):
            lines.append(f"| {name} | {_value(case, median(values))} |")
    for name, reason in result["missing"].items():
        lines += ["", f"Left out: {name}: {reason}."]
    lines += ["", "```"]
    lines += [f"{name:10} {command}" for name, command in result["commands"].items()]
    return [*lines, "```"]


def _machine() -> list[str]:
    model = "unknown"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    cpus = len([1 for p in Path("/sys/devices/system/cpu").iterdir() if p.name[3:].isdigit()])
    lines = [f"- {model}, {cpus} CPUs, Linux {platform.release()}, {platform.machine()}"]
    versions = []
    for package in PACKAGES:
        version = _output(["dpkg-query", "-W", "-f", "${Version}", package])
        versions.append(f"{package} {version or '(not installed)'}")
    lines.append(f"- {', '.join(versions)}")
    python = _output([str(VENV / "python"), "--version"])
    text = "from importlib.metadata import version as v\n"
    text += f"print(', '.join(n + ' ' + v(n) for n in {PYTHON_PACKAGES!r}))"
    lines.append(f"- {python}; {_output([str(VENV / 'python'), '-c', text])}")
    compiler = _output(["gcc", "--version"]).splitlines()[:1]
    lines.append(f"- Herald: {' '.join(BUILD_OPTIONS)}, {''.join(compiler)}")
    return lines


INTRODUCTION = """\
# Herald beside other servers

Written by `./dev bench`; [README.md](README.md) says how it measures and how to read it. Every
figure is a median over the rounds; the ratio is the median of the rounds' own ratios, because the
servers of a round ran within seconds of each other. A ratio below 1 is better for Herald where CPU
or memory is compared, above 1 where throughput is.
"""


def write(path: Path, remark: str) -> None:
    found = _load()
    lines = [INTRODUCTION]
    if remark:
        lines += [remark, ""]
    lines += _machine()
    lines += [
        f"- one server worker on CPU {SERVER_CPU}, the load on the other; TLS 1.3 AES-128-GCM"
    ]
    lines += [
        "",
        "| case | Herald | best peer | ratio | goal | verdict |",
        "|---|---|---|---|---|---|",
    ]
    for case in CASES:
        if case.name in found:
            lines += _summary(case, found[case.name])
        else:
            lines.append(f"| {case.title} | not measured | | | | |")
    for case in CASES:
        if case.name in found:
            lines += _detail(case, found[case.name])
    path.write_text("\n".join(lines) + "\n")
