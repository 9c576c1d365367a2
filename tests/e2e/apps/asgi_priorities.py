"""Bodies for the tests of priorities: what a path is like is said in its query."""

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

PIECE = bytes(65536)

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """``/large`` comes in pieces, ``/medium`` and ``/page`` at once; ``push`` names a promise."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    asked = parse_qs(scope["query_string"].decode())
    headers = [(b"priority", value.encode()) for value in asked.get("priority", [])]
    for path in asked.get("push", []):
        await send({"type": "http.response.push", "path": path, "headers": []})
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    if scope["path"] == "/large":
        for _ in range(160):
            await send({"type": "http.response.body", "body": PIECE, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    elif scope["path"] == "/small":
        await send({"type": "http.response.body", "body": b"s" * 100})
    else:
        await send({"type": "http.response.body", "body": bytes(1 << 20)})
