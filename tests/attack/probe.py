"""The victim: small GETs over HTTP/1.1 and HTTP/2 at a fixed rate, whatever the server does.

A program of its own: ``probe.py PORT RATE H1-PORT``. Latency counts from when a request was due,
so a server that stalls cannot hide it. Prints a JSON list of [due, seconds or null] ten times a
second; null is a request that failed or took longer than five seconds. Ends when standard input
does.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import deque

import wire

PATIENCE = 5.0
H2_STREAMS = 90  # below the server's limit; what is due beyond waits, and its clock runs
H1_REQUEST = b"GET /small HTTP/1.1\r\nhost: localhost\r\n\r\n"

results: list[tuple[float, float | None]] = []


def finish(due: float, good: bool) -> None:
    results.append((due, time.monotonic() - due if good else None))


class H1Connection(asyncio.Protocol):
    """One request at a time."""

    def __init__(self, idle: deque[H1Connection]) -> None:
        self.idle = idle
        self.due: float | None = None
        self.data = bytearray()
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def ask(self, due: float) -> None:
        self.due = due
        self.data.clear()
        assert self.transport is not None
        self.transport.write(H1_REQUEST)

    def data_received(self, data: bytes) -> None:
        self.data += data
        head, separator, body = bytes(self.data).partition(b"\r\n\r\n")
        if separator and len(body) >= 1024 and self.due is not None:
            finish(self.due, head.startswith(b"HTTP/1.1 200"))
            self.due = None
            if self.idle and self.transport is not None:
                self.transport.close()  # one is enough in quiet times
            else:
                self.idle.append(self)

    def connection_lost(self, error: Exception | None) -> None:
        if self in self.idle:
            self.idle.remove(self)
        elif self.due is not None:
            finish(self.due, False)
            self.due = None


class H2Connection(asyncio.Protocol):
    """Many requests at once."""

    def __init__(self) -> None:
        self.due: dict[int, float] = {}
        self.buffer = bytearray()
        self.next_id = 1
        self.waiting: deque[float] = deque()
        self.unacknowledged = 0
        self.usable = True
        self.good: dict[int, bool] = {}
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(wire.PREFACE + wire.settings((wire.HEADER_TABLE_SIZE, 0)))

    def ask(self, due: float) -> None:
        if len(self.due) >= H2_STREAMS:
            self.waiting.append(due)
            return
        stream, self.next_id = self.next_id, self.next_id + 2
        self.due[stream] = due
        assert self.transport is not None
        self.transport.write(wire.request(stream, wire.request_block(b"/small")))

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while len(self.buffer) >= 9:
            length = int.from_bytes(self.buffer[:3], "big")
            if len(self.buffer) < 9 + length:
                return
            kind, flags = self.buffer[3], self.buffer[4]
            stream = int.from_bytes(self.buffer[5:9], "big")
            payload = bytes(self.buffer[9 : 9 + length])
            del self.buffer[: 9 + length]
            self.take(kind, flags, stream, payload)

    def take(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        assert self.transport is not None
        if kind in (wire.SETTINGS, wire.PING) and not flags & wire.ACK:
            body = payload if kind == wire.PING else b""
            self.transport.write(wire.frame(kind, wire.ACK, 0, body))
        elif kind == wire.GOAWAY:
            self.usable = False
        elif kind == wire.RST_STREAM and stream in self.due:
            finish(self.due.pop(stream), False)
        elif kind == wire.HEADERS:
            self.good[stream] = wire.status_of(payload) == 200
        elif kind == wire.DATA:
            self.unacknowledged += len(payload)
            if self.unacknowledged > 16384:
                self.transport.write(wire.window_update(0, self.unacknowledged))
                self.unacknowledged = 0
        if kind in (wire.HEADERS, wire.DATA) and flags & wire.END_STREAM and stream in self.due:
            finish(self.due.pop(stream), self.good.pop(stream, False))
            if self.waiting:
                self.ask(self.waiting.popleft())

    def connection_lost(self, error: Exception | None) -> None:
        self.usable = False
        for due in [*self.due.values(), *self.waiting]:
            finish(due, False)
        self.due.clear()
        self.waiting.clear()


class Prober:
    """Keeps the rate."""

    def __init__(self, port: int, rate: float, h1_port: int) -> None:
        self.port, self.rate, self.h1_port = port, rate, h1_port
        self.idle: deque[H1Connection] = deque()
        self.opened: list[H1Connection] = []
        self.h2: H2Connection | None = None
        self.tasks: set[asyncio.Task[None]] = set()

    async def ask_h1(self, due: float) -> None:
        try:
            if not self.idle:
                loop = asyncio.get_running_loop()
                make = lambda: H1Connection(self.idle)  # noqa: E731
                connecting = loop.create_connection(make, "127.0.0.1", self.h1_port)
                _, connection = await asyncio.wait_for(connecting, PATIENCE)
                self.opened.append(connection)
            else:
                connection = self.idle.popleft()
            connection.ask(due)
        except OSError:
            finish(due, False)

    async def ask_h2(self, due: float) -> None:
        try:
            if self.h2 is None or not self.h2.usable:
                loop = asyncio.get_running_loop()
                connecting = loop.create_connection(H2Connection, "127.0.0.1", self.port)
                _, self.h2 = await asyncio.wait_for(connecting, PATIENCE)
            self.h2.ask(due)
        except OSError:
            finish(due, False)

    def expire(self) -> None:
        """A request without an answer for too long ends its connection, which counts it."""
        before = time.monotonic() - PATIENCE
        for connection in self.opened:
            if connection.due is not None and connection.due < before and connection.transport:
                connection.transport.abort()
        self.opened = [one for one in self.opened if one.due is not None or one in self.idle]
        if self.h2 and self.h2.transport and any(due < before for due in self.h2.due.values()):
            self.h2.usable = False
            self.h2.transport.abort()

    def report(self) -> None:
        print(json.dumps(results), flush=True)
        results.clear()
        self.expire()

    async def run(self) -> None:
        asyncio.get_running_loop().add_reader(sys.stdin, lambda: sys.exit(0))
        due = reported = time.monotonic()
        while True:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            for ask in (self.ask_h1, self.ask_h2):
                task = asyncio.create_task(ask(due))
                self.tasks.add(task)
                task.add_done_callback(self.tasks.discard)
            due += 1 / self.rate
            if due - reported > 0.1:
                self.report()
                reported = due


if __name__ == "__main__":
    asyncio.run(Prober(int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[-1])).run())
