"""Runs the parts of the test suite named, or all; the last line is "N passed, N failed"."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from compile import BuildError, build, install_python

ROOT = Path(__file__).resolve().parent.parent
REPORTS = ROOT / "build" / "reports"
ASAN_OPTIONS = {
    "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:detect_stack_use_after_return=1",
    "UBSAN_OPTIONS": "print_stacktrace=1",
}
LINT_CHECKS = (
    "check_includes.py",
    "check_functions.py",
    "check_banned.py",
    "check_sources.py",
    "check_format.py",
    "check_features.py",
)


@dataclass
class Outcome:
    """What a step contributed to the totals."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    failures: list[str] = field(default_factory=list)

    def add(self, other: Outcome) -> None:
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        self.failures += other.failures

    @staticmethod
    def of(name: str, good: bool) -> Outcome:
        return Outcome(passed=1) if good else Outcome(failed=1, failures=[name])


def run(command: list[str], seconds: int, **variables: str) -> int:
    """The exit code; -1 when the time ran out, with everything the command started ended."""
    process = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, **variables}, start_new_session=True
    )
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        print(f"timed out after {seconds} s: {' '.join(command)}", flush=True)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return -1


def cmocka_counts(output: str) -> tuple[int, int] | None:
    """Passed and failed tests of a cmocka program; None when it did not reach its summary."""
    passed = re.search(r"^\[  PASSED  \] (\d+) test\(s\)", output, re.MULTILINE)
    failed = re.search(r"^\[  FAILED  \] (\d+) test\(s\)", output, re.MULTILINE)
    if passed is None:
        return None
    return int(passed.group(1)), int(failed.group(1)) if failed else 0


def program_outcome(entry: dict[str, str], label: str) -> Outcome:
    name = f"{label}: {entry['name']}"
    good = entry["result"] == "OK"
    if entry["result"] == "SKIP":
        print(f"skipped: {name}: {entry.get('stdout', '').strip()[-300:]}", flush=True)
        return Outcome(skipped=1)
    output = f"{entry.get('stdout', '')}\n{entry.get('stderr', '')}"
    counts = cmocka_counts(output)
    if not good:
        print(f"---- {name}: {entry['result']}\n{output[-6000:]}", flush=True)
    if counts is None:
        return Outcome.of(name, good)
    passed, failed = counts
    # A program that fails after a clean summary (a leak, say) still is a failure.
    if not good and failed == 0:
        failed = 1
    failures = [f"{name} {test}" for test in re.findall(r"^\[  FAILED  \] (\w+)$", output, re.M)]
    return Outcome(passed, failed, failures=sorted(set(failures)) or ([name] if failed else []))


def meson_tests(kind: str, suite: str) -> Outcome:
    folder = build(kind, ["all"])
    log = folder / "meson-logs" / "testlog.json"
    log.unlink(missing_ok=True)
    command = ["meson", "test", "-C", str(folder), "--no-rebuild", "--suite", suite, "--quiet"]
    code = run(command, 600, **(ASAN_OPTIONS if kind == "asan" else {}))
    outcome = Outcome()
    label = suite if kind == "plain" else f"{suite} ({kind})"
    if log.exists():
        for line in log.read_text().splitlines():
            outcome.add(program_outcome(json.loads(line), label))
    if code != 0 and outcome.failed == 0:
        outcome.add(Outcome.of(f"{label}: meson test exited with {code}", False))
    return outcome


def junit_outcome(report: Path, label: str) -> Outcome:
    outcome = Outcome()
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            name = f"{case.get('classname')}::{case.get('name')}"
            outcome.add(Outcome(failed=1, failures=[f"{label}: {name}"]))
        elif case.find("skipped") is not None:
            outcome.skipped += 1
        else:
            outcome.passed += 1
    return outcome


def pytest(folder: str, seconds: int) -> Outcome:
    """Runs the Python tests under `folder`; a folder without any is reported, not passed over."""
    if not any((ROOT / folder).rglob("test_*.py")):
        print(f"no tests in {folder}", flush=True)
        return Outcome()
    report = REPORTS / f"{Path(folder).name}.xml"
    REPORTS.mkdir(parents=True, exist_ok=True)
    report.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "-q", f"--junitxml={report}", folder]
    path = f"{ROOT}/.venv/bin:{ROOT}/.cache/bin:{os.environ['PATH']}"
    code = run(command, seconds, PATH=path)
    outcome = junit_outcome(report, folder) if report.exists() else Outcome()
    if code != 0 and outcome.failed == 0:
        outcome.add(Outcome.of(f"{folder}: pytest exited with {code}", False))
    return outcome


def run_lint() -> Outcome:
    outcome = Outcome()
    ruff = str(ROOT / ".venv/bin/ruff")
    for check in LINT_CHECKS:
        outcome.add(Outcome.of(check, run([sys.executable, f"tools/{check}"], 120) == 0))
    outcome.add(Outcome.of("ruff check", run([ruff, "check", "-q", "."], 60) == 0))
    outcome.add(Outcome.of("ruff format", run([ruff, "format", "-q", "--check", "."], 60) == 0))
    return outcome


def run_unit() -> Outcome:
    outcome = meson_tests("plain", "unit")
    outcome.add(pytest("tests/unit", 300))
    return outcome


def run_fuzz_replay() -> Outcome:
    return meson_tests("plain", "fuzz-replay")


def run_sanitized() -> Outcome:
    outcome = meson_tests("asan", "unit")
    outcome.add(meson_tests("asan", "fuzz-replay"))
    return outcome


def run_end_to_end() -> Outcome:
    build("plain", ["all"])
    install_python()
    return pytest("tests/e2e", 720)


def run_conformance() -> Outcome:
    build("plain", ["all"])
    install_python()
    outcome = meson_tests("plain", "conformance")
    outcome.add(pytest("tests/conformance", 300))
    return outcome


def run_attacks() -> Outcome:
    build("plain", ["all"])
    install_python()
    return pytest("tests/attack", 720)


PARTS: dict[str, Callable[[], Outcome]] = {
    "lint": run_lint,
    "unit": run_unit,
    "fuzz": run_fuzz_replay,
    "san": run_sanitized,
    "e2e": run_end_to_end,
    "conformance": run_conformance,
    "attack": run_attacks,
}


def run_part(name: str) -> Outcome:
    start = time.monotonic()
    print(f"== {name}", flush=True)
    try:
        outcome = PARTS[name]()
    except BuildError as error:
        print(error, flush=True)
        outcome = Outcome.of(f"{name}: {error}", False)
    skipped = f", {outcome.skipped} skipped" if outcome.skipped else ""
    took = time.monotonic() - start
    print(f"== {name}: {outcome.passed} passed, {outcome.failed} failed{skipped} ({took:.0f} s)")
    return outcome


def main(arguments: list[str]) -> int:
    unknown = [argument for argument in arguments if argument not in PARTS]
    if unknown:
        print(f"test: no part '{unknown[0]}'; there are: {', '.join(PARTS)}", file=sys.stderr)
        return 2
    total = Outcome()
    for name in arguments or PARTS:
        total.add(run_part(name))
    for failure in total.failures:
        print(f"FAILED {failure}")
    if total.skipped:
        print(f"{total.skipped} skipped (reasons above)")
    print(f"{total.passed} passed, {total.failed} failed", flush=True)
    return 1 if total.failed or not total.passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
