"""Large bodies in bounded memory, and a thousand streams at once, every body checked."""

from __future__ import annotations

import asyncio
import hashlib
import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from conftest import CurlResult, Server, Target

GIB = 1 << 30
# What a server may grow by while a body of any size passes through it.
ALLOWANCE = 24 << 20


def peak(server: Server) -> int:
    """High-water mark of the server's resident memory, in bytes."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def pattern_digest(length: int) -> str:
    """SHA-256 of what /download?length sends."""
    state, block = hashlib.sha256(), bytes(range(256)) * 4096
    while length > 0:
        state.update(block[: min(length, len(block))])
        length -= len(block)
    return state.hexdigest()


def download_digest(words: list[str]) -> str:
    """SHA-256 of what a command writes to its standard output."""
    process = subprocess.Popen(words, stdout=subprocess.PIPE)
    assert process.stdout is not None
    state = hashlib.sha256()
    while piece := process.stdout.read(1 << 20):
        state.update(piece)
    assert process.wait() == 0
    return state.hexdigest()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("application", ["asgi_basic:app", "wsgi_basic:app"])
def test_gibibyte_down(
    serve_app: Callable[..., Server],
    curl: Callable[..., CurlResult],
    target_of: Callable[[Server], Target],
    ca_file: Path,
    application: str,
) -> None:
    server = serve_app(application)
    target = target_of(server)
    curl(*target.options, f"{target.url}/hello")
    before = peak(server)
    words = ["curl", "-sS", "--cacert", str(ca_file), *target.options]
    found = download_digest([*words, f"{target.url}/download?{GIB}"])
    assert found == pattern_digest(GIB)
    assert peak(server) - before < ALLOWANCE


@pytest.mark.timeout(300)
@pytest.mark.parametrize("application", ["asgi_basic:app", "wsgi_basic:app"])
def test_gibibyte_up(
    serve_app: Callable[..., Server],
    curl: Callable[..., CurlResult],
    target_of: Callable[[Server], Target],
    tmp_path: Path,
    application: str,
) -> None:
    server = serve_app(application)
    target = target_of(server)
    upload = tmp_path / "upload"
    with upload.open("wb") as file:
        file.truncate(GIB)
    curl(*target.options, f"{target.url}/hello")
    before = peak(server)
    result = curl(*target.options, "-T", upload, f"{target.url}/digest", seconds=280)
    state, zeros = hashlib.sha256(), bytes(1 << 20)
    for _ in range(1 << 10):
        state.update(zeros)
    assert result.body.decode() == f"{GIB} {state.hexdigest()}"
    assert peak(server) - before < ALLOWANCE


@pytest.mark.timeout(300)
def test_folder_gibibyte(
    serve: Callable[..., Server],
    curl: Callable[..., CurlResult],
    target_of: Callable[[Server], Target],
    ca_file: Path,
    tmp_path: Path,
) -> None:
    content = tmp_path / "big.bin"
    block = bytes(range(256)) * 4096
    with content.open("wb") as file:
        for _ in range(GIB // len(block)):
            file.write(block)
    server = serve(tmp_path)
    target = target_of(server)
    curl(*target.options, f"{target.url}/nothing")
    before = peak(server)
    words = ["curl", "-sS", "--cacert", str(ca_file), *target.options]
    assert download_digest([*words, f"{target.url}/big.bin"]) == pattern_digest(GIB)
    assert peak(server) - before < ALLOWANCE


@pytest.mark.timeout(180)
def test_thousand_streams(serve_app: Callable[..., Server], ca_file: Path) -> None:
    """Ten HTTP/2 connections with a hundred streams each, twice over; every body is checked."""
    server = serve_app("asgi_basic:app")

    async def one(client: httpx.AsyncClient, number: int) -> None:
        content = hashlib.sha256(str(number).encode()).digest() * (number % 300)
        response = await client.post(f"{server.url}/echo?{number}", content=content)
        assert response.http_version == "HTTP/2"
        assert response.content == content

    async def connection(index: int) -> None:
        async with httpx.AsyncClient(http2=True, verify=str(ca_file), timeout=120) as client:
            await one(client, index)
            for turn in range(2):
                numbers = range(turn * 1000 + index * 100, turn * 1000 + index * 100 + 100)
                await asyncio.gather(*(one(client, number) for number in numbers))

    async def main() -> None:
        await asyncio.gather(*(connection(index) for index in range(10)))

    asyncio.run(main())


def test_nghttp_many_streams(serve_app: Callable[..., Server]) -> None:
    """h2load's ten connections with a hundred streams: 5,000 requests, none failed."""
    server = serve_app("asgi_basic:app")
    done = subprocess.run(
        ["h2load", "-n5000", "-c10", "-m100", f"{server.url}/hello"],
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert "5000 succeeded, 0 failed, 0 errored" in done.stdout, done.stdout
    assert "status codes: 5000 2xx" in done.stdout
