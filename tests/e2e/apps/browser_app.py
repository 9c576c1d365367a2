"""A page that a browser loads: an early hint, then the page once what it names was asked for.

Remembers when requests came.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

PAGE = b"""<!DOCTYPE html>
<html><head><title>Loaded</title><link rel="stylesheet" href="/style.css"></head>
<body><h1>Herald</h1></body></html>
"""
# How long the page waits for a browser that does not act on the hint.
PATIENCE_SECONDS = 3.0
times: dict[str, float] = {}
style_requested = asyncio.Event()


async def answer(send: Send, kind: bytes, body: bytes) -> None:
    headers = [(b"content-type", kind), (b"cache-control", b"max-age=60")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        raise NotImplementedError
    path = scope["path"]
    if path == "/reset":
        times.clear()
        style_requested.clear()
        await answer(send, b"text/plain", b"reset")
        return
    times.setdefault(path, time.monotonic())
    times[f"{path} version"] = float(scope["http_version"])
    if path == "/":
        link = b"</style.css>; rel=preload; as=style"
        await send({"type": "http.response.early_hint", "links": [link]})
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(style_requested.wait(), PATIENCE_SECONDS)
        times["response"] = time.monotonic()
        await answer(send, b"text/html; charset=utf-8", PAGE)
    elif path == "/style.css":
        style_requested.set()
        await answer(send, b"text/css", b"h1 { color: rgb(1, 2, 3); }")
    elif path == "/times":
        await answer(send, b"application/json", json.dumps(times).encode())
    else:
        await send({"type": "http.response.start", "status": 404, "headers": []})
        await send({"type": "http.response.body"})
