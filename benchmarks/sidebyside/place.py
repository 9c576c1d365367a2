"""Where things are: folders, the certificate, the files that are served, free ports."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BUILD = ROOT / "build-benchmark"
PACKAGE = BUILD / "package"
RESULTS = BUILD / "results"
VENV = ROOT / ".venv-bench/bin"
APPS = Path(__file__).resolve().parent / "apps"

SERVER_CPU = 0
LOAD_CPU = 1

BUILD_OPTIONS = ("-Dbuildtype=release", "-Db_lto=true", "-Dpython=enabled", "-Dtests=false")
FILES = {
    "13.txt": 13,
    "1k.bin": 1 << 10,
    "10k.bin": 10 << 10,
    "1m.bin": 1 << 20,
    "10m.bin": 10 << 20,
}


class BenchError(Exception):
    """A case cannot be run; the text says why."""


def on_cpu(cpu: int, command: list[str]) -> list[str]:
    return ["taskset", "-c", str(cpu), *command]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def commit() -> str:
    """The commit that is measured, and whether sources differ from it."""

    def git(*words: str) -> str:
        command = ["git", "-C", str(ROOT), *words]
        return subprocess.run(command, capture_output=True, text=True).stdout.strip()

    changed = git("status", "--porcelain", "-uno", "--", "src", "python")
    return git("rev-parse", "--short", "HEAD") + (" with uncommitted changes" if changed else "")


def build_herald() -> None:
    """The release build that is measured, in a folder of its own, and the package beside it."""
    variables = {**os.environ, "PATH": f"{VENV}:/usr/bin:{os.environ['PATH']}"}
    if not (BUILD / "build.ninja").exists():
        setup = ["meson", "setup", str(BUILD), *BUILD_OPTIONS]
        subprocess.run(setup, cwd=ROOT, env=variables, check=True, stdout=subprocess.DEVNULL)
    ninja = ["ninja", "-C", str(BUILD), "herald", "all"]
    subprocess.run(ninja, env=variables, check=True, stdout=subprocess.DEVNULL)
    shutil.rmtree(PACKAGE, ignore_errors=True)
    ignored = shutil.ignore_patterns("_ext", "__pycache__")
    shutil.copytree(ROOT / "python/herald", PACKAGE / "herald", ignore=ignored)
    for extension in (BUILD / "python").glob("_ext.*.so"):
        shutil.copy(extension, PACKAGE / "herald")


def make_files(folder: Path) -> None:
    for name, size in FILES.items():
        # Not all alike, so that nothing on the way could fold it.
        block = bytes((i * 31 + i // 251) % 251 for i in range(min(size, 65536)))
        content = b"Hello, world\n" if size == 13 else block * (size // len(block))
        (folder / name).write_bytes(content)
        os.chmod(folder / name, 0o644)
    os.chmod(folder, 0o755)


def make_certificate(folder: Path) -> None:
    """One self-signed P-256 certificate for every server."""
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-days", "30", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    command += ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    subprocess.run(command, check=True, capture_output=True)
    both = (folder / "cert.pem").read_text() + (folder / "key.pem").read_text()
    (folder / "both.pem").write_text(both)
