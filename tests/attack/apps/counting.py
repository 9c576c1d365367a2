"""An application that counts what it is made to do, by connection."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

SMALL = b"s" * 1024
LARGE = b"l" * (1 << 20)
TINY = b"nineteen bytes long"

starts: Counter[int] = Counter()
running: Counter[int] = Counter()
most: Counter[int] = Counter()
received: Counter[int] = Counter()


async def answer(send: Send, body: bytes, status: int = 200) -> None:
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": body})


async def read_body(receive: Receive, port: int) -> int:
    length = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return length
        length += len(message["body"])
        received[port] += len(message["body"])
        if not message["more_body"]:
            return length


async def respond(path: str, receive: Receive, send: Send, port: int) -> None:
    if path == "/small":
        await answer(send, SMALL)
    elif path == "/tiny":
        await answer(send, TINY)
    elif path == "/large":
        await answer(send, LARGE)
    elif path == "/slow":
        await asyncio.sleep(1.0)
        await answer(send, SMALL)
    elif path == "/unread":
        await asyncio.sleep(3.0)
        await answer(send, SMALL)
    elif path == "/read":
        await answer(send, str(await read_body(receive, port)).encode())
    elif path == "/echo":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            more = message["more_body"]
            await send({"type": "http.response.body", "body": message["body"], "more_body": more})
            if not more:
                return
    else:
        await answer(send, b"", 404)


def statistics() -> bytes:
    return json.dumps(
        {
            "starts": sum(starts.values()),
            "starts_most": max(starts.values(), default=0),
            "running": sum(running.values()),
            "running_most": max(most.values(), default=0),
            "received": sum(received.values()),
        }
    ).encode()


def clear() -> None:
    starts.clear()
    most.clear()
    received.clear()


async def app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    path, port = scope["path"], scope["client"][1]
    if path == "/statistics":
        await answer(send, statistics())
        return
    if path == "/clear":
        clear()
        await answer(send, b"")
        return
    counted = path != "/small"  # which the probes ask for
    starts[port] += counted
    running[port] += 1
    most[port] = max(most[port], running[port])
    try:
        await respond(path, receive, send, port)
    finally:
        running[port] -= 1
