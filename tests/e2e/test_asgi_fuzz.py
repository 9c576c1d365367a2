"""AS-05 and AS-06: whatever an application sends, the bytes on the wire are valid HTTP.

Thousands of random message sequences, each by its seed; httpx (h11 and h2, both strict) reads the
answers. One may be an error or break off, but a client must never be misled about where it ends.
"""

from __future__ import annotations

import asyncio
import collections
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from conftest import Server

SEEDS = 5000
# What a strict client may report: the server broke the response off, on purpose.
BROKEN_OFF = ("peer closed connection without", "Server disconnected", "StreamReset", "error_code:")


async def fetch(client: httpx.AsyncClient, url: str, outcomes: collections.Counter[str]) -> None:
    try:
        response = await client.get(url)
    except httpx.RemoteProtocolError as error:
        text = str(error)
        assert any(part in text for part in BROKEN_OFF), f"{url}: {text}"
        outcomes["broken off"] += 1
        return
    except httpx.ReadError:
        outcomes["broken off"] += 1
        return
    length = response.headers.get("content-length")
    if length is not None and response.status_code not in (204, 304):
        assert int(length) == len(response.content), url
    for name, value in response.headers.raw:
        assert b"\r" not in name + value and b"\n" not in name + value, url
    outcomes[str(response.status_code)] += 1


@pytest.mark.timeout(180)
@pytest.mark.parametrize("http2", [False, True])
def test_random_applications(serve_app: Callable[..., Server], ca_file: Path, http2: bool) -> None:
    server = serve_app("asgi_fuzz:app")
    outcomes: collections.Counter[str] = collections.Counter()

    async def worker(first: int) -> None:
        async with httpx.AsyncClient(http2=http2, verify=str(ca_file), timeout=20) as client:
            for seed in range(first, SEEDS, 8):
                await fetch(client, f"{server.url}/?{seed + 1}", outcomes)

    async def main() -> None:
        await asyncio.gather(*(worker(first) for first in range(8)))
        async with httpx.AsyncClient(http2=http2, verify=str(ca_file)) as client:
            assert (await client.get(f"{server.url}/")).content == b"alive"

    asyncio.run(main())
    assert sum(outcomes.values()) == SEEDS
    assert outcomes["200"] > 100 and outcomes["500"] > 100, outcomes
    assert server.process.poll() is None
