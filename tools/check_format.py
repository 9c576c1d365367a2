"""C sources are as clang-format leaves them; --fix rewrites them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from checks import ROOT, c_files, finish

# Versions differ in details, so one version decides; others do not.
VERSION = "14"


def find_formatter() -> str | None:
    for name in (f"clang-format-{VERSION}", "clang-format"):
        path = shutil.which(name)
        if path is None:
            continue
        shown = subprocess.run([path, "--version"], capture_output=True, text=True).stdout
        version = re.search(r"version (\d+)", shown)
        if version is not None and version.group(1) == VERSION:
            return path
    return None


def check(root: Path, formatter: str) -> list[str]:
    findings = []
    for path in c_files(root):
        text = path.read_bytes()
        formatted = subprocess.run(
            [formatter, "--style=file", f"--assume-filename={path}"],
            input=text,
            capture_output=True,
            check=True,
        ).stdout
        if formatted != text:
            before, after = text.splitlines(), formatted.splitlines()
            pairs = enumerate(zip(before, after, strict=False), 1)
            line = next((number for number, (a, b) in pairs if a != b), len(before))
            findings.append(f"{path.relative_to(root)}:{line}: clang-format would change this")
    return findings


def main() -> int:
    formatter = find_formatter()
    if formatter is None:
        print(f"check_format: not checked: clang-format {VERSION} is not installed")
        return 0
    if "--fix" in sys.argv[1:]:
        files = [str(path) for path in c_files(ROOT)]
        return subprocess.run([formatter, "--style=file", "-i", *files]).returncode
    return finish("check_format", check(ROOT, formatter))


if __name__ == "__main__":
    sys.exit(main())
