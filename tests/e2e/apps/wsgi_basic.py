"""One WSGI application with a path for each thing the tests look at."""

import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

Environ = dict[str, Any]
StartResponse = Callable[..., Callable[[bytes], None]]


def hello(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello, world\n"]


def show_environ(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [])
    shown = {key: value for key, value in environ.items() if isinstance(value, str | bool | tuple)}
    return [json.dumps(shown).encode()]


def echo(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [])
    return [environ["wsgi.input"].read()]


def lines(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [])
    return [b"[" + line.strip() + b"]" for line in environ["wsgi.input"]]


def digest(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    state, total = hashlib.sha256(), 0
    while piece := environ["wsgi.input"].read(100_000):
        state.update(piece)
        total += len(piece)
    start_response("200 OK", [])
    return [f"{total} {state.hexdigest()}".encode()]


def stream(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
    start_response("200 OK", [])
    for number in range(5):
        yield b"part %d\n" % number


def download(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
    left = int(environ["QUERY_STRING"])
    block = bytes(range(256)) * 256
    start_response("200 OK", [("Content-Length", str(left))])
    while left > 0:
        yield block[: min(left, len(block))]
        left -= len(block)


def write_callable(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    write = start_response("200 OK", [])
    write(b"written ")
    write(b"twice\n")
    return []


def hints(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    environ["wsgi.early_hints"]([("Link", "</a.css>; rel=preload; as=style")])
    start_response("200 OK", [])
    return [b"hinted\n"]


def failing(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    raise RuntimeError("the application is broken")


def failing_late(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
    start_response("200 OK", [])
    yield b"part"
    raise RuntimeError("broken after the start")


class Closing:
    """An iterable whose close() is counted."""

    closed = 0

    def __iter__(self) -> Iterator[bytes]:
        yield b"x" * 1000

    def close(self) -> None:
        Closing.closed += 1


def closing(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [])
    return Closing()


def closed(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [])
    return [str(Closing.closed).encode()]


_running = 0
_most = 0
_lock = threading.Lock()


def parallel(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """How many ran at once, at most."""
    global _running, _most
    with _lock:
        _running += 1
        _most = max(_most, _running)
    time.sleep(0.2)
    with _lock:
        _running -= 1
    start_response("200 OK", [])
    return [str(_most).encode()]


def splitting(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [("X-Bad", "a\r\nSet-Cookie: b")])
    return [b""]


PATHS = {
    "/hello": hello,
    "/environ": show_environ,
    "/echo": echo,
    "/lines": lines,
    "/digest": digest,
    "/stream": stream,
    "/download": download,
    "/write": write_callable,
    "/hints": hints,
    "/failing": failing,
    "/failing-late": failing_late,
    "/closing": closing,
    "/closed": closed,
    "/parallel": parallel,
    "/splitting": splitting,
}


def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    handler = PATHS.get(environ["PATH_INFO"])
    if handler is None:
        start_response("404 Not Found", [])
        return [b"not found\n"]
    return handler(environ, start_response)
