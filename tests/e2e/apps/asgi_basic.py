"""One ASGI application with a path for each thing the tests look at."""

import asyncio
import hashlib
import json
import os
from collections.abc import Awaitable, Callable
from typing import Any

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

running = 0
starts = 0
events: list[str] = []


async def answer(
    send: Send, body: bytes, status: int = 200, headers: list[tuple[bytes, bytes]] | None = None
) -> None:
    fields = headers if headers is not None else [(b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": body})


async def read_all(receive: Receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionError("disconnected")
        parts.append(message["body"])
        if not message["more_body"]:
            return b"".join(parts)


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    await answer(send, b"hello, world\n")


async def scope_json(scope: Scope, receive: Receive, send: Send) -> None:
    def plain(value: Any) -> Any:
        if isinstance(value, bytes):
            return value.decode("latin-1")
        if isinstance(value, dict):
            return {key: plain(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [plain(inner) for inner in value]
        return value

    await answer(send, json.dumps(plain(scope)).encode())


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    await answer(send, await read_all(receive))


async def stream_echo(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        more = message["more_body"]
        await send({"type": "http.response.body", "body": message["body"], "more_body": more})
        if not more:
            return


async def digest(scope: Scope, receive: Receive, send: Send) -> None:
    """SHA-256 and length of the request body."""
    total, state = 0, hashlib.sha256()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        total += len(message["body"])
        state.update(message["body"])
        if not message["more_body"]:
            break
    await answer(send, f"{total} {state.hexdigest()}".encode())


async def download(scope: Scope, receive: Receive, send: Send) -> None:
    """As many bytes as the query says, in pieces of 64 KiB of a repeating pattern."""
    left = int(scope["query_string"])
    block = bytes(range(256)) * 256
    headers = [(b"content-length", str(left).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    while left > 0:
        piece = block[: min(left, len(block))]
        left -= len(piece)
        await send({"type": "http.response.body", "body": piece, "more_body": left > 0})


async def ticks(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for number in range(5):
        body = f"tick {number}\n".encode()
        await send({"type": "http.response.body", "body": body, "more_body": True})
        await asyncio.sleep(0.05)
    await send({"type": "http.response.body"})


async def hints(scope: Scope, receive: Receive, send: Send) -> None:
    """Three ways to say 103."""
    link = b"</a.css>; rel=preload; as=style"
    await send({"type": "http.response.start", "status": 103, "headers": [(b"link", link)]})
    await send({"type": "http.response.early_hint", "links": [b"</b.js>; rel=preload; as=script"]})
    headers = [(b"link", b"</c.png>; rel=preload; as=image"), (b"x-kind", b"gunicorn")]
    await send({"type": "http.response.informational", "status": 103, "headers": headers})
    await answer(send, b"hinted\n")


async def push(scope: Scope, receive: Receive, send: Send) -> None:
    extensions = scope["extensions"]
    if "http.response.push" in extensions:
        await extensions["http.response.push"]({"path": "/hello", "headers": [(b"x-one", b"1")]})
        message = {
            "type": "http.response.push",
            "path": "/echo-headers",
            "headers": [(b"x-two", b"2")],
        }
        await send(message)
    await answer(send, b"pushed\n")


async def preload(scope: Scope, receive: Receive, send: Send) -> None:
    """A Link in the response, for the server's policy to act on."""
    headers = [(b"link", b"</hello>; rel=preload; as=fetch"), (b"content-type", b"text/html")]
    await answer(send, b"preload\n", headers=headers)


async def push_twice(scope: Scope, receive: Receive, send: Send) -> None:
    for _ in range(2):
        await send({"type": "http.response.push", "path": "/hello", "headers": []})
    await answer(send, b"pushed twice\n")


async def echo_headers(scope: Scope, receive: Receive, send: Send) -> None:
    lines = [b"%s: %s\n" % (name, value) for name, value in scope["headers"]]
    await answer(send, b"".join(lines))


async def trailers(scope: Scope, receive: Receive, send: Send) -> None:
    start = {"type": "http.response.start", "status": 200, "headers": [], "trailers": True}
    await send(start)
    await send({"type": "http.response.body", "body": b"with trailers\n"})
    more = {"headers": [(b"x-first", b"1")], "more_trailers": True}
    await send({"type": "http.response.trailers", **more})
    await send({"type": "http.response.trailers", "headers": [(b"x-second", b"2")]})


async def pathsend(scope: Scope, receive: Receive, send: Send) -> None:
    path = scope["query_string"].decode()
    headers = [(b"content-length", str(os.path.getsize(path)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.pathsend", "path": path})


async def raise_before(scope: Scope, receive: Receive, send: Send) -> None:
    raise RuntimeError("before the start")


async def raise_after(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"part", "more_body": True})
    await asyncio.sleep(0.05)
    raise RuntimeError("after the start")


async def raise_complete(scope: Scope, receive: Receive, send: Send) -> None:
    await answer(send, b"complete\n")
    raise RuntimeError("after the end")


async def return_nothing(scope: Scope, receive: Receive, send: Send) -> None:
    return


async def return_early(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"part", "more_body": True})


async def short_length(scope: Scope, receive: Receive, send: Send) -> None:
    headers = [(b"content-length", b"10")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"four"})


async def long_length(scope: Scope, receive: Receive, send: Send) -> None:
    headers = [(b"content-length", b"4")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"four and more"})


async def own_framing(scope: Scope, receive: Receive, send: Send) -> None:
    """Connection-specific fields, which the server must ignore."""
    headers = [(b"transfer-encoding", b"chunked"), (b"connection", b"x"), (b"X-Kept", b" yes ")]
    await answer(send, b"framed\n", headers=headers)


async def wait_disconnect(scope: Scope, receive: Receive, send: Send) -> None:
    """Waits for the client to go, then tries to send."""
    events.append("waiting")
    await read_all(receive)
    message = await receive()
    events.append(message["type"])
    try:
        await answer(send, b"late")
    except OSError as error:
        events.append(type(error).__name__)


async def report(scope: Scope, receive: Receive, send: Send) -> None:
    found = {"running": running, "starts": starts, "events": events, "pid": os.getpid()}
    await answer(send, json.dumps(found).encode())


async def slow(scope: Scope, receive: Receive, send: Send) -> None:
    await asyncio.sleep(float(scope["query_string"].split(b"&")[0] or b"1"))
    await answer(send, b"slow\n")


async def misuse(scope: Scope, receive: Receive, send: Send) -> None:
    """Sends what the query names; answers with the exception that came."""
    start = {"type": "http.response.start", "status": 200, "headers": []}
    body = {"type": "http.response.body", "body": b"x", "more_body": True}
    wrong: dict[str, list[Any]] = {
        "body-first": [body],
        "double-start": [start, start],
        "unknown-type": [{"type": "http.nonsense"}],
        "no-type": [{}],
        "not-a-dict": ["text"],
        "str-body": [start, {**body, "body": "text"}],
        "str-header": [{**start, "headers": [("name", "value")]}],
        "crlf-value": [{**start, "headers": [(b"x", b"a\r\nset-cookie: b")]}],
        "crlf-name": [{**start, "headers": [(b"x\r\ny", b"a")]}],
        "nul-value": [{**start, "headers": [(b"x", b"a\0b")]}],
        "empty-name": [{**start, "headers": [(b"", b"a")]}],
        "negative-status": [{**start, "status": -1}],
        "huge-status": [{**start, "status": 100000}],
        "str-status": [{**start, "status": "200"}],
        "no-status": [{"type": "http.response.start"}],
        "headers-number": [{**start, "headers": 5}],
        "triple": [{**start, "headers": [(b"a", b"b", b"c")]}],
        "trailers-unasked": [start, {"type": "http.response.trailers", "headers": []}],
        "push-no-path": [{"type": "http.response.push", "headers": []}],
    }
    try:
        for message in wrong[scope["query_string"].decode()]:
            await send(message)
    except Exception as error:
        text = f"{type(error).__name__}: {error}".encode()
        events.append(text.decode())
        if scope["query_string"] not in (b"double-start", b"str-body", b"trailers-unasked"):
            await answer(send, text)
        else:
            await send({"type": "http.response.body", "body": text})


PATHS = {
    "/": hello,
    "/hello": hello,
    "/scope": scope_json,
    "/echo": echo,
    "/stream-echo": stream_echo,
    "/digest": digest,
    "/download": download,
    "/ticks": ticks,
    "/hints": hints,
    "/push": push,
    "/echo-headers": echo_headers,
    "/preload": preload,
    "/push-twice": push_twice,
    "/trailers": trailers,
    "/pathsend": pathsend,
    "/raise-before": raise_before,
    "/raise-after": raise_after,
    "/raise-complete": raise_complete,
    "/return-nothing": return_nothing,
    "/return-early": return_early,
    "/short-length": short_length,
    "/long-length": long_length,
    "/own-framing": own_framing,
    "/wait-disconnect": wait_disconnect,
    "/report": report,
    "/slow": slow,
    "/misuse": misuse,
}


async def lifespan(scope: Scope, receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            scope["state"]["started"] = True
            await send({"type": "lifespan.startup.complete"})
        else:
            print("lifespan shutdown", flush=True)
            await send({"type": "lifespan.shutdown.complete"})
            return


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    global running, starts
    if scope["type"] == "lifespan":
        await lifespan(scope, receive, send)
        return
    starts += 1
    running += 1
    try:
        handler = PATHS.get(scope["path"])
        if handler is None:
            await answer(send, b"not found\n", 404)
        else:
            await handler(scope, receive, send)
    finally:
        running -= 1
