"""Builds the libFuzzer programs and runs each for a time; a finding keeps its input."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from compile import BuildError, build
from run_tests import ASAN_OPTIONS

ROOT = Path(__file__).resolve().parent.parent


def main(arguments: list[str]) -> int:
    seconds = int(arguments[0]) if arguments else 60
    names = sorted(path.name[5:-2] for path in (ROOT / "tests/fuzz").glob("fuzz_*.c"))
    for name in arguments[1:]:
        if name not in names:
            print(f"fuzz: no target '{name}'; there are: {', '.join(names)}", file=sys.stderr)
            return 2
    chosen = arguments[1:] or names
    try:
        folder = build("asan", [f"tests/fuzz/fuzz_{name}" for name in chosen])
    except BuildError as error:
        print(f"fuzz: {error}", file=sys.stderr)
        return 1
    failed = []
    for name in chosen:
        corpus = ROOT / ".cache/fuzz" / name
        findings = ROOT / ".cache/findings" / name
        corpus.mkdir(parents=True, exist_ok=True)
        findings.mkdir(parents=True, exist_ok=True)
        command = [
            str(folder / "tests/fuzz" / f"fuzz_{name}"),
            f"-max_total_time={seconds}",
            "-timeout=10",
            "-rss_limit_mb=2048",
            "-print_final_stats=1",
            f"-artifact_prefix={findings}/",
            str(corpus),
        ]
        seeds = ROOT / "tests/fuzz/corpus" / name
        if seeds.is_dir():
            command.append(str(seeds))
        print(f"== {name}: {seconds} s", flush=True)
        if subprocess.run(command, env={**os.environ, **ASAN_OPTIONS}).returncode != 0:
            failed.append(name)
    print(f"{len(chosen) - len(failed)} targets clean, {len(failed)} with findings")
    for name in failed:
        print(f"  {name}: see .cache/findings/{name}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
