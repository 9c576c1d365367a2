"""An application that sends a random sequence of messages, right ones and wrong ones, by seed."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

Send = Callable[[dict[str, Any]], Awaitable[None]]

STATUSES: list[Any] = [200, 200, 200, 204, 304, 404, 500, 103, 100, 101, 0, -5, 1000, "200", None]
HEADERS: list[Any] = [
    (b"content-type", b"text/plain"),
    (b"content-length", b"5"),
    (b"content-length", b"0"),
    (b"content-length", b"x"),
    (b"transfer-encoding", b"chunked"),
    (b"connection", b"close"),
    (b"X-Upper", b" value "),
    (b"x-empty", b""),
    (b"set-cookie", b"a=b"),
    (b"bad name", b"x"),
    (b"x", b"a\r\nb: c"),
    (b":status", b"200"),
    ("text", "text"),
    (b"one",),
    b"ab",
]
BODIES: list[Any] = [
    b"",
    b"12345",
    b"x" * 5000,
    b"y" * 100_000,
    "text",
    None,
    bytearray(b"12345"),
    7,
]


def calm_messages(rng: random.Random) -> list[Any]:
    """A right sequence, so that not every answer is a failure."""
    bodies = [rng.choice(BODIES[:4]) for _ in range(rng.randrange(1, 5))]
    start = {"type": "http.response.start", "status": rng.choice(STATUSES[:7]), "headers": []}
    found: list[Any] = [start]
    for body in bodies:
        found.append({"type": "http.response.body", "body": body, "more_body": True})
    return [*found, {"type": "http.response.body"}]


def message(rng: random.Random) -> Any:
    kind = rng.choice(
        ["start"] * 4 + ["body"] * 6 + ["trailers", "hint", "push", "pathsend", "nonsense", "none"]
    )
    headers: Any = [rng.choice(HEADERS) for _ in range(rng.randrange(3))]
    if rng.random() < 0.6:
        headers = [pair for pair in headers if pair in HEADERS[:1] + HEADERS[6:9]]
    if kind == "start":
        found = {"type": "http.response.start", "status": rng.choice(STATUSES), "headers": headers}
        if rng.random() < 0.2:
            found["trailers"] = True
        return found
    if kind == "body":
        more = rng.random() < 0.5
        return {"type": "http.response.body", "body": rng.choice(BODIES), "more_body": more}
    if kind == "trailers":
        return {"type": "http.response.trailers", "headers": headers}
    if kind == "hint":
        return {
            "type": "http.response.early_hint",
            "links": [b"</a>; rel=preload", rng.choice(BODIES[:3] + BODIES[4:6])],
        }
    if kind == "push":
        return {
            "type": "http.response.push",
            "path": rng.choice(["/p", "p", "/a b", b"/p"]),
            "headers": headers,
        }
    if kind == "pathsend":
        return {"type": "http.response.pathsend", "path": rng.choice([__file__, "/nowhere", 5])}
    return None if kind == "none" else {"type": "http.nonsense"}


async def app(scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Send) -> None:
    if scope["type"] != "http":
        raise NotImplementedError
    if not scope["query_string"]:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"alive"})
        return
    received = False
    rng = random.Random(int(scope["query_string"]))
    messages = [message(rng) for _ in range(rng.randrange(8))]
    if rng.random() < 0.3:
        messages = calm_messages(rng)
    for one in messages:
        try:
            await send(one)
        except Exception:
            if rng.random() < 0.3:
                raise
        if not received and rng.random() < 0.1:
            received = True
            await receive()
        if rng.random() < 0.1:
            await asyncio.sleep(0)
