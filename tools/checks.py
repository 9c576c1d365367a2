"""What the source checks share: finding files, blanking comments and strings, reporting."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
C_FOLDERS = ("include", "src", "python", "tests", "examples", "benchmarks")

# A comment, a string or a character constant; alternatives in the order a compiler would see them.
_BLANKED = re.compile(
    r"""/\*.*?\*/|//(?:\\\n|[^\n])*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""", re.DOTALL
)


def c_files(root: Path, folders: Iterable[str] = C_FOLDERS) -> list[Path]:
    """All .c and .h files under the folders, in a fixed order."""
    found: list[Path] = []
    for folder in folders:
        found += [path for path in (root / folder).rglob("*.[ch]") if path.is_file()]
    return sorted(found)


def blank(text: str, keep_strings: bool = False) -> str:
    """The same text with comments and the insides of strings as spaces: offsets and lines stay."""

    def replace(match: re.Match[str]) -> str:
        piece = match.group()
        if piece[0] in "\"'":
            if keep_strings:
                return piece
            return piece[0] + re.sub(r"[^\n]", " ", piece[1:-1]) + piece[-1]
        return re.sub(r"[^\n]", " ", piece)

    return _BLANKED.sub(replace, text)


def line_of(text: str, offset: int) -> int:
    return text.count("\n", 0, offset) + 1


def finish(name: str, findings: list[str]) -> int:
    """Prints the findings; the exit code of the check."""
    for finding in findings:
        print(finding)
    print(f"{name}: {f'{len(findings)} findings' if findings else 'clean'}", flush=True)
    return 1 if findings else 0


def run_check(name: str, check: Callable[[Path], list[str]]) -> None:
    sys.exit(finish(name, check(ROOT)))
