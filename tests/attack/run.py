"""The whole attack suite: every attack for longer, against Herald and, where it says so, nginx.

Prints a table; ``--json FILE`` keeps a line a record. The exit code is 1 when a record of Herald
fails. See docs/internals/attacks.md.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import families
import rig

CLEAN_SECONDS = 3.0
COLUMNS = (
    ("row", 6),
    ("attack", 42),
    ("server", 7),
    ("closed after", 12),
    ("code", 20),
    ("errors", 6),
    ("p99 before", 10),
    ("p99", 9),
    ("CPU", 5),
    ("memory", 9),
    ("verdict", 7),
)


def milliseconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1000:.1f} ms"


def line(values: list[str]) -> str:
    cells = [value.ljust(width) for value, (_, width) in zip(values, COLUMNS, strict=True)]
    return "  ".join(cells).rstrip()


def row(record: rig.Record) -> str:
    return line(
        [
            record.row,
            record.attack[:42],
            "nginx" if record.target == "nginx" else "herald",
            milliseconds(record.closed_after),
            record.code[:20] or "-",
            str(record.victim_errors),
            milliseconds(record.p99_before),
            milliseconds(record.p99),
            f"{record.cpu_share:.0%}",
            f"{record.memory_growth / rig.MIB:+.1f} MiB",
            record.verdict,
        ]
    )


@contextlib.contextmanager
def start(which: rig.Attack, kind: str, rate: float) -> Iterator[tuple[rig.Target, rig.Victim]]:
    """A server for one attack alone, with its victim."""
    with contextlib.ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        if kind == "nginx":
            target = stack.enter_context(rig.nginx(scratch))
        else:
            target = stack.enter_context(rig.herald(which.target, scratch, *which.options))
        victim = rig.Victim(target, rate)
        stack.callback(victim.stop)
        if not victim.wait_for_results(10):
            raise RuntimeError(f"the probes get no answer:\n{target.log}")
        time.sleep(CLEAN_SECONDS)
        yield target, victim


def run(which: rig.Attack, kind: str, options: argparse.Namespace) -> rig.Record:
    with start(which, kind, options.rate) as (target, victim):
        return rig.execute(which, target, victim, options.seconds, full=True)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev attack", description=__doc__)
    parser.add_argument("names", nargs="*", help="rows or parts of names; none: all")
    parser.add_argument("--seconds", type=float, default=10.0, help="an attack (default 10)")
    parser.add_argument("--rate", type=float, default=200.0, help="probes a second, each protocol")
    parser.add_argument("--json", type=Path, help="append a JSON line a record")
    parser.add_argument("--no-nginx", action="store_true", help="Herald alone")
    parser.add_argument("--peers", action="store_true", help="only what nginx is compared by")
    return parser.parse_args()


def chosen(options: argparse.Namespace) -> list[rig.Attack]:
    return [
        one
        for one in families.attacks
        if (one.peers or not options.peers)
        and (not options.names or any(name in str(one) for name in options.names))
    ]


def main() -> int:
    options = parse()
    rig.pin(os.getpid(), 1)
    print(line([name for name, _ in COLUMNS]))
    failed = 0
    for which in chosen(options):
        kinds = ["herald"]
        if which.peers and not options.no_nginx:
            kinds.append("nginx")
        for kind in kinds:
            record = run(which, kind, options)
            print(row(record), flush=True)
            for note in [*record.failures, *record.slow, *record.notes]:
                print(f"        {note}")
            if options.json:
                with options.json.open("a") as file:
                    file.write(record.json() + "\n")
            failed += bool(record.failures) and kind == "herald"
    print(f"{failed} of Herald's records fail" if failed else "Herald holds")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
