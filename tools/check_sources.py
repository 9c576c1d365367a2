"""No source lies outside the build: modules, unit tests and fuzz targets are all listed."""

from __future__ import annotations

import re
from pathlib import Path

from checks import run_check


def listed(file: Path, pattern: str) -> set[str]:
    """What `pattern` captures in a meson.build, comments aside."""
    if not file.exists():
        return set()
    return set(re.findall(pattern, re.sub(r"#.*", "", file.read_text())))


def compare(where: str, present: set[str], names: set[str], kind: str) -> list[str]:
    findings = [f"{where}: {name} is not listed" for name in sorted(present - names)]
    findings += [f"{where}: {kind} {name} does not exist" for name in sorted(names - present)]
    return findings


def check_module(root: Path, folder: Path) -> list[str]:
    where = f"{folder.relative_to(root).as_posix()}/meson.build"
    present = {path.relative_to(folder).as_posix() for path in folder.rglob("*.c")}
    if folder.name == "cli":
        present.discard("main.c")  # the top-level meson.build's
    return compare(where, present, listed(folder / "meson.build", r"'([^'\s]+\.c)'"), "source")


def check_extension(root: Path) -> list[str]:
    present = {path.name for path in (root / "python/herald/_ext").rglob("*.c")}
    names = listed(root / "python/meson.build", r"'herald/_ext/([^'\s]+\.c)'")
    return compare("python/meson.build", present, names, "source")


def check_units(root: Path, folder: Path) -> list[str]:
    where = f"{folder.relative_to(root).as_posix()}/meson.build"
    present = {path.stem.removeprefix("test_") for path in folder.glob("test_*.c")}
    build = folder / "meson.build"
    text = re.sub(r"#.*", "", build.read_text()) if build.exists() else ""
    lists = re.search(rf"^{folder.name}_tests\s*[+]?=\s*\[(.*?)\]", text, re.DOTALL | re.MULTILINE)
    names = set(re.findall(r"'([\w-]+)'", lists.group(1))) if lists else set()
    return compare(where, present, names, "test")


def check_fuzz(root: Path) -> list[str]:
    folder = root / "tests/fuzz"
    present = {path.stem.removeprefix("fuzz_") for path in folder.glob("fuzz_*.c")}
    names = listed(folder / "meson.build", r"'(\w+)'\s*:\s*\[")
    return compare("tests/fuzz/meson.build", present, names, "target")


def check(root: Path) -> list[str]:
    findings = []
    for folder in sorted(path for path in (root / "src").iterdir() if path.is_dir()):
        findings += check_module(root, folder)
    findings += check_extension(root)
    for folder in sorted(path for path in (root / "tests/unit").iterdir() if path.is_dir()):
        if any(folder.glob("test_*.c")) or (folder / "meson.build").exists():
            findings += check_units(root, folder)
    return findings + check_fuzz(root)


if __name__ == "__main__":
    run_check("check_sources", check)
