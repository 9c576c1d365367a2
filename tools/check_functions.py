"""Caps the length and the branches of every C function, and names the longest files.

tools/long_functions.txt lists the exceptions: "path function reason" a line. An entry that is no
longer needed is a finding too.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from checks import ROOT, blank, c_files, run_check

LENGTH_CAP = 80
COMPLEXITY_CAP = 20
ALLOWED = "tools/long_functions.txt"
# McCabe's count: one, and one for every place where the flow divides.
BRANCH = re.compile(r"\b(?:if|for|while|case)\b|\b\w*FOR_EACH\w*\b|&&|\|\||\?")


@dataclass
class Function:
    path: str
    name: str
    first: int
    last: int
    complexity: int

    @property
    def length(self) -> int:
        return self.last - self.first + 1


def functions_of(root: Path, paths: list[Path]) -> list[Function]:
    """Every function definition in `paths`, by universal-ctags."""
    if not paths:
        return []
    names = [path.relative_to(root).as_posix() for path in paths]
    command = ["ctags", "--options=NONE", "-f", "-", "--sort=no", "--languages=C"]
    command += ["--langmap=C:.c.h", "--kinds-C=f", "--fields=ne", "-L", "-"]
    listing = subprocess.run(
        command, cwd=root, input="\n".join(names), capture_output=True, text=True, check=True
    ).stdout
    lines: dict[str, list[str]] = {}
    found = []
    for row in listing.splitlines():
        columns = row.split("\t")
        name, path = columns[0], columns[1]
        extras = dict(column.split(":", 1) for column in columns[3:] if ":" in column)
        if "end" not in extras:
            continue
        if path not in lines:
            lines[path] = blank((root / path).read_text()).splitlines()
        first, last = int(extras["line"]), int(extras["end"])
        body = "\n".join(lines[path][first - 1 : last])
        found.append(Function(path, name, first, last, 1 + len(BRANCH.findall(body))))
    return found


def read_allowed(root: Path) -> tuple[dict[tuple[str, str], str], list[str]]:
    allowed: dict[tuple[str, str], str] = {}
    findings = []
    file = root / ALLOWED
    for number, line in enumerate(file.read_text().splitlines() if file.exists() else [], 1):
        if not line.strip() or line.startswith("#"):
            continue
        parts = line.split(maxsplit=2)
        if len(parts) < 3:
            findings.append(f"{ALLOWED}:{number}: expected: path function reason")
            continue
        allowed[parts[0], parts[1]] = parts[2]
    return allowed, findings


def check(root: Path) -> list[str]:
    allowed, findings = read_allowed(root)
    used = set()
    for function in functions_of(root, c_files(root)):
        problems = []
        if function.length > LENGTH_CAP:
            problems.append(f"{function.length} lines (at most {LENGTH_CAP})")
        if function.complexity > COMPLEXITY_CAP:
            problems.append(f"complexity {function.complexity} (at most {COMPLEXITY_CAP})")
        if not problems:
            continue
        key = (function.path, function.name)
        if key in allowed:
            used.add(key)
        else:
            where = f"{function.path}:{function.first}: {function.name}"
            findings.append(f"{where}: {' and '.join(problems)}")
    for path, name in sorted(set(allowed) - used):
        findings.append(f"{ALLOWED}: {path} {name} is within the caps or gone; remove the line")
    return findings


def report_longest(root: Path, count: int = 5) -> None:
    sizes = [
        (len(path.read_text().splitlines()), path) for path in c_files(root, ("src", "python"))
    ]
    for lines, path in sorted(sizes, reverse=True)[:count]:
        print(f"  {lines:5} lines  {path.relative_to(root)}")


if __name__ == "__main__":
    print("longest files:")
    report_longest(ROOT)
    run_check("check_functions", check)
