"""``pip install .`` in a clean virtual environment gives the command and the package."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
APPLICATION = """
import asyncio


async def app(scope, receive, send):
    if scope["type"] != "http":
        raise RuntimeError("only HTTP")
    body = type(asyncio.get_running_loop()).__module__.encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})
"""


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built as pip builds it, with the build tools of this environment."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    run(*pip, "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", folder, ".")
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Path:
    """The bin folder of a virtual environment that holds nothing but Herald."""
    folder = tmp_path_factory.mktemp("clean") / "venv"
    run(sys.executable, "-m", "venv", folder)
    run(folder / "bin/python", "-m", "pip", "install", "-q", "--no-index", wheel)
    return folder / "bin"


@pytest.fixture
def application(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(APPLICATION)
    return tmp_path


def test_the_wheel_holds_the_package_alone(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    folders = {name.split("/")[0] for name in names}
    assert {re.sub(r"-.*", "", folder) for folder in folders} == {"herald"}
    assert any(re.fullmatch(r"herald/_ext\..*\.so", name) for name in names)
    assert "herald/py.typed" in names
    assert not [name for name in names if name.endswith((".c", ".h", ".pyc", "meson.build"))]


def test_the_command_and_the_package_agree(clean: Path) -> None:
    version = run(clean / "python", "-c", "import herald; print(herald.__version__)").strip()
    assert re.fullmatch(r"\d+\.\d+\.\d+", version)
    assert version in run(clean / "herald", "--version")
    assert version in run(clean / "python", "-m", "herald", "--version")


@pytest.fixture
def address(clean: Path, application: Path) -> Iterator[tuple[str, int]]:
    """A server started as a newcomer starts it, in the application's folder."""
    command = [str(clean / "herald"), "serve", "app:app", "--insecure-bind", "127.0.0.1:0"]
    command += ["--bind", "127.0.0.1:0"]
    environment = {"PATH": f"{clean}:/usr/bin:/bin", "XDG_DATA_HOME": str(application / "data")}
    log = application / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=application, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        deadline = time.monotonic() + 30
        while (found := re.search(r"http://(127\.0\.0\.1):(\d+)", log.read_text())) is None:
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.02)
        yield found.group(1), int(found.group(2))
    finally:
        process.terminate()
        assert process.wait(20) == 0, log.read_text()


def test_it_serves_under_asyncio(address: tuple[str, int]) -> None:
    with socket.create_connection(address, 10) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        connection.settimeout(10)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 200 "), answer
    assert b"asyncio" in answer
