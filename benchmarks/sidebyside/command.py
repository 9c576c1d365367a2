"""The command line of benchmarks/run."""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import tempfile
from pathlib import Path

from . import measure, place, report
from .cases import CASES


def _parse(words: list[str]) -> argparse.Namespace:
    names = [case.name for case in CASES]
    parser = argparse.ArgumentParser(
        prog="./dev bench", description="Herald beside other servers; writes benchmarks/RESULTS.md."
    )
    parser.add_argument("case", nargs="*", help=f"cases to run (default all): {', '.join(names)}")
    parser.add_argument("--setup", action="store_true", help="install the peers first")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each server (default 5)")
    parser.add_argument("--seconds", type=float, default=2.0, help="of one run (default 2)")
    parser.add_argument("--remark", default="", help="a sentence for the head of RESULTS.md")
    parser.add_argument("--no-build", action="store_true", help="measure the build that is there")
    parser.add_argument("--report", action="store_true", help="write RESULTS.md anew, run nothing")
    arguments = parser.parse_args(words)
    for name in arguments.case:
        if name not in names:
            parser.error(f"no case '{name}'; there are: {', '.join(names)}")
    if arguments.rounds < 1 or arguments.seconds <= 0:
        parser.error("--rounds and --seconds are above 0")
    return arguments


def _prepare(arguments: argparse.Namespace) -> str:
    """What is missing, in one line, or nothing."""
    if arguments.setup:
        subprocess.run([place.ROOT / "tools/setup", "bench"], check=True)
    missing = [name for name in ("h2load", "taskset", "openssl") if not shutil.which(name)]
    if not (place.VENV / "python").exists():
        missing.append(".venv-bench")
    if missing:
        return f"missing: {', '.join(missing)}; ./dev bench --setup installs it"
    if (os.cpu_count() or 1) < 2:
        return "two CPUs are needed: one for the server, one for the load"
    return ""


def main(words: list[str]) -> int:
    arguments = _parse(words)
    problem = _prepare(arguments)
    if problem:
        measure.say(f"bench: {problem}")
        return 1
    failed = 0
    if not arguments.report:
        if not arguments.no_build:
            place.build_herald()
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 40000), hard))
        for case in CASES:
            if arguments.case and case.name not in arguments.case:
                continue
            with tempfile.TemporaryDirectory(prefix="herald-bench-") as name:
                folder = Path(name)
                folder.chmod(0o755)
                (folder / "files").mkdir()
                place.make_files(folder / "files")
                place.make_certificate(folder)
                try:
                    result = measure.run(case, arguments.rounds, arguments.seconds, folder)
                except place.BenchError as error:
                    measure.say(f"bench: {error}")
                    failed += 1
                    continue
                report.save(result.document())
    report.write(place.ROOT / "benchmarks/RESULTS.md", arguments.remark)
    return 1 if failed else 0
