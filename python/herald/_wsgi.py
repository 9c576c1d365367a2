"""WSGI (PEP 3333) on application threads."""

import io
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import unquote_to_bytes

from herald import _errors
from herald._ext import ClientDisconnected, Job, Server

Headers = list[tuple[str, str]]


class _Input(io.RawIOBase):
    """The request body as a raw stream; ``wsgi.input`` buffers it."""

    def __init__(self, job: Job) -> None:
        self._job = job

    def readable(self) -> bool:
        return True

    def readinto(self, target: Any) -> int:
        return self._job.readinto(target)


def environ_of(job: Job, root_path: str, multiprocess: bool) -> dict[str, Any]:
    """The environment of PEP 3333 for one request.

    Field names with an underscore are dropped: they would pass for the hyphenated ones.
    """
    method, scheme, authority, target, protocol, headers = job.request()
    peer, peer_port, local, local_port = job.endpoints()
    path, _, query = target.partition("?")
    decoded = unquote_to_bytes(path.encode("latin-1")).decode("latin-1")
    if root_path and (decoded == root_path or decoded.startswith(root_path + "/")):
        decoded = decoded[len(root_path) :]
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method.upper(),
        "SCRIPT_NAME": root_path,
        "PATH_INFO": decoded,
        "QUERY_STRING": query,
        "RAW_URI": target,
        "SERVER_NAME": local or "localhost",
        "SERVER_PORT": str(local_port),
        "SERVER_PROTOCOL": protocol,
        "REMOTE_ADDR": peer,
        "REMOTE_PORT": str(peer_port),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scheme,
        "wsgi.input": io.BufferedReader(_Input(job), 65536),
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": multiprocess,
        "wsgi.run_once": False,
        "wsgi.early_hints": _early_hints(job),
    }
    if authority:
        environ["HTTP_HOST"] = authority
    for name, value in headers:
        if "_" in name or name == "proxy":
            continue
        key = name.upper().replace("-", "_")
        if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            key = "HTTP_" + key
        if key == "HTTP_HOST":
            continue
        if key in environ:
            value = environ[key] + ("; " if key == "HTTP_COOKIE" else ",") + value
        environ[key] = value
    return environ


def _early_hints(job: Job) -> Callable[[Iterable[tuple[str, str]]], None]:
    def early_hints(headers: Iterable[tuple[str, str]]) -> None:
        job.inform(103, [_field(name, value) for name, value in headers])

    return early_hints


def _field(name: Any, value: Any) -> tuple[bytes, bytes]:
    if not isinstance(name, str) or not isinstance(value, str):
        raise TypeError(f"header names and values must be str, not {name!r}: {value!r}")
    return name.encode("latin-1"), value.encode("latin-1")


class _Response:
    """``start_response`` and ``write`` of one request."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._status: int | None = None
        self._headers: list[tuple[bytes, bytes]] = []
        self.sent = False

    def start_response(
        self, status: str, headers: Headers, exc_info: Any = None
    ) -> Callable[[bytes], None]:
        if exc_info is not None:
            try:
                if self.sent:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None
        elif self._status is not None:
            raise RuntimeError("start_response was called before")
        code = int(status[:3])
        if not 200 <= code <= 999:
            raise ValueError(f"not a final status: {status!r}")
        self._headers = [_field(name, value) for name, value in headers]
        self._status = code
        return self.write

    def send_head(self, length: int = -1) -> None:
        if self._status is None:
            raise RuntimeError("the application sent a body before calling start_response")
        if not self.sent:
            if any(name.lower() == b"content-length" for name, _ in self._headers):
                length = -1
            self._job.respond(self._status, self._headers, length)
            self.sent = True

    def write(self, data: bytes) -> None:
        if not isinstance(data, bytes):
            raise TypeError(f"body parts must be bytes, not {type(data).__name__}")
        if data:
            self.send_head()
            self._job.write(data)


def _send_parts(response: _Response, parts: Any) -> None:
    if isinstance(parts, list | tuple) and len(parts) == 1 and isinstance(parts[0], bytes):
        response.send_head(len(parts[0]))
    for part in parts:
        response.write(part)
    response.send_head(0)


def run_job(application: Any, job: Job, root_path: str, multiprocess: bool) -> None:
    """Run one request to its end; the application's failures become a 500 or a broken response."""
    response = _Response(job)
    parts = None
    try:
        environ = environ_of(job, root_path, multiprocess)
        parts = application(environ, response.start_response)
        _send_parts(response, parts)
        job.finish()
    except ClientDisconnected:
        pass
    except BaseException as error:
        _errors.report("running the application", error)
        _fail(job, response)
    finally:
        try:
            if hasattr(parts, "close"):
                parts.close()
        except BaseException as error:
            _errors.report("closing the application's response", error)
        job.done()


def _fail(job: Job, response: _Response) -> None:
    try:
        if response.sent:
            job.abort()
            return
        text = b"Internal Server Error\n"
        job.respond(500, [(b"content-type", b"text/plain; charset=utf-8")], len(text))
        job.write(text)
        job.finish()
    except ClientDisconnected:
        pass


def start_threads(
    server: Server, application: Any, count: int, root_path: str, multiprocess: bool
) -> list[threading.Thread]:
    """Start ``count`` threads that serve until the server's gateway is closed."""

    def work() -> None:
        while (job := server.take_job()) is not None:
            run_job(application, job, root_path, multiprocess)

    threads = [
        threading.Thread(target=work, name=f"herald-wsgi-{number}", daemon=True)
        for number in range(1, count + 1)
    ]
    for thread in threads:
        thread.start()
    return threads
