"""Builds what was asked for: the command, the Python package, test programs.

Usage: tools/compile.py command|python...
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV_PYTHON = ROOT / ".venv/bin/python"
PYTHON_INPUTS = ("include", "meson.build", "meson_options.txt", "pyproject.toml", "python", "src")


class BuildError(Exception):
    """A step failed; what it printed says why."""


def run(command: list[str], **variables: str) -> None:
    # To standard error, so that what `./dev serve` prints is the server's alone.
    environment = {**os.environ, **variables}
    if subprocess.run(command, cwd=ROOT, env=environment, stdout=sys.stderr).returncode != 0:
        raise BuildError(f"failed: {' '.join(command)}")


def with_ccache(compiler: str) -> str:
    return f"ccache {compiler}" if shutil.which("ccache") and "ccache" not in compiler else compiler


def configure(folder: Path, compiler: str, options: list[str], tests: bool) -> None:
    """Configures once, and from nothing when the compiler or the options changed. The tests need
    more packages than the command, so they are switched on when they are first asked for."""
    key = f"{compiler} {' '.join(options)}\n"
    stamp = folder / ".configured"
    with_tests = folder / ".with-tests"
    if not (folder / "build.ninja").exists() or not stamp.exists() or stamp.read_text() != key:
        shutil.rmtree(folder, ignore_errors=True)
        choice = f"-Dtests={str(tests).lower()}"
        run(["meson", "setup", str(folder), choice, *options], CC=with_ccache(compiler))
        stamp.write_text(key)
    elif tests and not with_tests.exists():
        run(["meson", "configure", str(folder), "-Dtests=true"])
    if tests:
        with_tests.touch()


def ninja(folder: Path, targets: list[str]) -> None:
    run(["ninja", f"-j{os.cpu_count() or 1}", "-C", str(folder), *targets])


def build(kind: str, targets: list[str]) -> Path:
    """Builds `targets` ("all" for everything) of `kind`, "plain" or "asan"; returns the folder."""
    options = ["-Dwerror=true"] if os.environ.get("CI") == "true" else []
    tests = targets != ["herald"]
    if kind == "asan":
        folder = ROOT / "build-asan"
        options += ["-Db_sanitize=address,undefined", "-Db_lundef=false", "-Dfuzz=true"]
        configure(folder, "clang", options, tests)
    else:
        folder = ROOT / "build"
        configure(folder, os.environ.get("CC", "gcc"), options, tests)
    ninja(folder, targets)
    return folder


def newest_input() -> float:
    newest = 0.0
    for name in PYTHON_INPUTS:
        path = ROOT / name
        files = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
        for file in files:
            if file.suffix != ".pyc":
                newest = max(newest, file.stat().st_mtime)
    return newest


def install_python() -> None:
    """Installs the Python package into .venv when a source is newer than the last installation."""
    stamp = ROOT / ".venv/.herald-installed"
    newest = newest_input()
    if stamp.exists() and stamp.read_text() == str(newest):
        return
    command = [str(VENV_PYTHON), "-m", "pip", "--disable-pip-version-check", "install", "-q"]
    command += [
        "--no-build-isolation",
        "--no-deps",
        "--force-reinstall",
        # The long form: Debian 12's pip does not know -C.
        "--config-settings=build-dir=build-python",
    ]
    path = f"{VENV_PYTHON.parent}:{os.environ['PATH']}"
    run([*command, "."], PATH=path, CC=with_ccache(os.environ.get("CC", "gcc")))
    stamp.write_text(str(newest))


def main(arguments: list[str]) -> int:
    try:
        for argument in arguments:
            if argument == "command":
                build("plain", ["herald"])
            elif argument == "python":
                install_python()
            else:
                print(f"build: unknown '{argument}': command or python", file=sys.stderr)
                return 2
    except BuildError as error:
        print(f"build: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
