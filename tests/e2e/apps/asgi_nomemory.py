"""An application whose send() and receive() run out of memory now and then."""

import os
import sys
from collections.abc import Awaitable, Callable
from typing import Any

failing: Callable[..., Any] = sys.modules["__main__"].failing  # type: ignore[attr-defined]


async def app(
    scope: dict[str, Any],
    receive: Callable[[], Any],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    if scope["type"] != "http":
        raise NotImplementedError
    if scope["path"] == "/pid":
        body = str(os.getpid()).encode()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})
        return
    try:
        failing(receive().send)(None)
    except StopIteration:
        pass
    headers = [(b"x-name", b"value"), (b"content-type", b"text/plain")]
    messages = [
        {"type": "http.response.early_hint", "links": [b"</a.css>; rel=preload"]},
        {"type": "http.response.push", "path": "/pushed", "headers": headers},
        {"type": "http.response.start", "status": 200, "headers": headers, "trailers": True},
        {"type": "http.response.body", "body": b"x" * 10_000, "more_body": True},
        {"type": "http.response.body", "body": b"y"},
        {"type": "http.response.trailers", "headers": headers},
    ]
    for message in messages:
        try:
            failing(send(message).send)(None)
        except StopIteration:
            pass
