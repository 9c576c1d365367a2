"""The client role of HTTP/2, rule by rule: a scripted server breaks each one once.

What h2spec is for servers. Every row names the text, sends raw frames to ``herald get`` and says
what the client must do: the code of its GOAWAY, or of its RST_STREAM and on which stream, or
nothing, and the exit code. Floods and hostile HTTP/1.1 servers are in tests/e2e/test_get.py.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 10.0
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY = range(8)
WINDOW_UPDATE, CONTINUATION, ALTSVC, ORIGIN, PRIORITY_UPDATE, UNKNOWN = 8, 9, 10, 12, 16, 0xBE
END_STREAM = ACK = 1
END_HEADERS, PADDED, WITH_PRIORITY = 4, 8, 32

NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR, SETTINGS_TIMEOUT = range(5)
STREAM_CLOSED, FRAME_SIZE_ERROR, REFUSED_STREAM, CANCEL, COMPRESSION_ERROR = range(5, 10)
ENHANCE_YOUR_CALM = 11


def number(value: int, size: int = 4) -> bytes:
    return value.to_bytes(size, "big")


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return number(len(payload), 3) + bytes([kind, flags]) + number(stream) + payload


def text(value: bytes) -> bytes:
    """A string literal of RFC 7541 section 5.2, without the Huffman code."""
    assert len(value) < 127
    return bytes([len(value)]) + value


def named(name: bytes, value: bytes) -> bytes:
    """A literal field that is not indexed."""
    return b"\0" + text(name) + text(value)


STATUS = b"\x88"  # :status: 200
HEAD = frame(HEADERS, END_HEADERS, 1, STATUS)
BODY = b"the body"
END = frame(DATA, END_STREAM, 1, BODY)
GOOD = HEAD + END
EMPTY_SETTINGS = frame(SETTINGS, 0, 0)
GET = b"\x82\x86"  # :method: GET, :scheme: http


def setting(name: int, value: int) -> bytes:
    return frame(SETTINGS, 0, 0, number(name, 2) + number(value))


def response(*fields: tuple[bytes, bytes], status: bytes = STATUS, end: bool = False) -> bytes:
    block = status + b"".join(named(*one) for one in fields)
    return frame(HEADERS, END_HEADERS | (END_STREAM if end else 0), 1, block)


def interim(status: bytes, end: bool = False) -> bytes:
    return response(status=b"\x08" + text(status), end=end)


def promise(stream: int, promised: int, path: bytes = b"/p", method: bytes = b"\x82") -> bytes:
    """A promise without authority; the script's AUTHORITY is replaced by the server's own."""
    block = method + b"\x86\x04" + text(path) + b"AUTHORITY"
    return frame(PUSH_PROMISE, END_HEADERS, stream, number(promised) + block)


def pushed(stream: int) -> bytes:
    return frame(HEADERS, END_HEADERS | END_STREAM, stream, STATUS)


def goaway(last: int, code: int = NO_ERROR) -> bytes:
    return frame(GOAWAY, 0, 0, number(last) + number(code))


@dataclass
class Row:
    """One broken (or strange, but legal) thing and what is to happen."""

    name: str
    rule: str
    script: bytes
    goaway: int | None = None
    resets: dict[int, int] = field(default_factory=dict)
    exit_code: int | None = None
    first: bytes = EMPTY_SETTINGS
    arguments: tuple[str, ...] = ()
    requests: int = 1
    again: bytes = b""  # what the connection after the first one is told
    after_end: bytes = b""  # sent once the next request has come
    blocked: bool = False  # nobody reads what the client writes
    upload: bool = False
    expect: Callable[[Seen], bool] | None = None

    @property
    def code(self) -> int:
        if self.exit_code is not None:
            return self.exit_code
        return 0 if self.goaway is None and not self.resets.get(1) else 1


def wrong(name: str, rule: str, script: bytes, goaway: int = PROTOCOL_ERROR, **more: object) -> Row:
    """The connection must end with `goaway`."""
    return Row(name, rule, script, goaway, **more)  # type: ignore[arg-type]


def bad(name: str, rule: str, script: bytes, code: int = PROTOCOL_ERROR, **more: object) -> Row:
    """Stream 1 must be reset with `code`."""
    return Row(name, rule, script, resets={1: code}, **more)  # type: ignore[arg-type]


def fine(name: str, rule: str, script: bytes, **more: object) -> Row:
    """Is taken without a complaint, and the response after it is complete."""
    return Row(name, rule, script, **more)  # type: ignore[arg-type]


Frame = tuple[int, int, int, bytes]


@dataclass
class Seen:
    """What the client has said on one connection."""

    frames: list[Frame] = field(default_factory=list)

    def of(self, kind: int) -> list[Frame]:
        return [one for one in self.frames if one[0] == kind]

    @property
    def resets(self) -> dict[int, int]:
        return {one[2]: int.from_bytes(one[3], "big") for one in self.of(RST_STREAM)}

    @property
    def goaways(self) -> list[int]:
        return [int.from_bytes(one[3][4:8], "big") for one in self.of(GOAWAY)]

    @property
    def requests(self) -> int:
        return len({one[2] for one in self.of(HEADERS)})


def one_frame(connection: socket.socket, pending: bytearray) -> Frame | None:
    def fill(length: int) -> bool:
        while len(pending) < length:
            piece = connection.recv(65536)
            if not piece:
                return False
            pending.extend(piece)
        return True

    if not fill(9):
        return None
    length = int.from_bytes(pending[:3], "big")
    if not fill(9 + length):
        return None
    found = (
        pending[3],
        pending[4],
        int.from_bytes(pending[5:9], "big"),
        bytes(pending[9:][:length]),
    )
    del pending[: 9 + length]
    return found


class ScriptedServer:
    """Speaks one row's lines, one connection after the other."""

    def __init__(self, row: Row) -> None:
        self.row = row
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.connections: list[Seen] = []
        self.reacted = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                connection.settimeout(SECONDS)
                seen = Seen()
                self.connections.append(seen)
                with contextlib.suppress(OSError), connection:
                    self._serve(connection, seen, len(self.connections) == 1)

    def _script(self, script: bytes) -> bytes:
        """Put the authority into the promises; their lengths grow by that."""
        value = b"\x01" + text(b"127.0.0.1:%d" % self.port)
        out = b""
        while script:
            length = int.from_bytes(script[:3], "big")
            whole, script = script[: 9 + length], script[9 + length :]
            if whole[3:4] == bytes([PUSH_PROMISE]):
                payload = whole[9:].replace(b"AUTHORITY", value)
                whole = number(len(payload), 3) + whole[3:9] + payload
            out += whole
        return out

    def _serve(self, connection: socket.socket, seen: Seen, is_first: bool) -> None:
        row, pending = self.row, bytearray()
        while len(pending) < len(PREFACE):
            pending.extend(connection.recv(65536))
        assert pending.startswith(PREFACE)
        del pending[: len(PREFACE)]
        connection.sendall(row.first if is_first else EMPTY_SETTINGS)
        spoken = late = False
        while (one := one_frame(connection, pending)) is not None:
            seen.frames.append(one)
            wanted = row.requests if is_first else 1
            if seen.requests >= wanted and not spoken:
                spoken = True
                connection.sendall(self._script(row.script if is_first else row.again))
            if row.after_end and spoken and seen.requests > wanted and not late:
                late = True
                connection.sendall(self._script(row.after_end))
            if seen.goaways or row.resets.items() <= seen.resets.items():
                self.reacted.set()
        self.reacted.set()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(SECONDS)


def spread(streams: int, size: int) -> bytes:
    """Bodies of `size` bytes without an end on the streams 1, 3, ..."""
    out = b""
    for stream in range(1, 2 * streams, 2):
        out += frame(HEADERS, END_HEADERS, stream, STATUS)
        for begin in range(0, size, 16384):
            out += frame(DATA, 0, stream, bytes(min(16384, size - begin)))
    return out


def acknowledged(count: int) -> Callable[[Seen], bool]:
    return lambda seen: len([one for one in seen.of(SETTINGS) if one[1] & ACK]) == count


PREFACE_ROWS = [
    wrong("PING first", "9113 3.4", b"", first=frame(PING, 0, 0, bytes(8))),
    wrong("HEADERS first", "9113 3.4", b"", first=HEAD),
    wrong("an acknowledgement first", "9113 3.4", b"", first=frame(SETTINGS, ACK, 0)),
    wrong("an answer in HTTP/1.1", "9113 3.4", b"", first=b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    fine("settings are acknowledged", "9113 6.5.3", GOOD, expect=acknowledged(1)),
    fine("each is", "9113 6.5.3", 3 * EMPTY_SETTINGS + GOOD, expect=acknowledged(4)),
]

SETTINGS_ROWS = [
    wrong("SETTINGS on a stream", "9113 6.5", frame(SETTINGS, 0, 1)),
    wrong("SETTINGS of 5 bytes", "9113 6.5", frame(SETTINGS, 0, 0, bytes(5)), FRAME_SIZE_ERROR),
    wrong("an ACK with settings", "9113 6.5", frame(SETTINGS, ACK, 0, bytes(6)), FRAME_SIZE_ERROR),
    wrong("ENABLE_PUSH 1", "9113 6.5.2", setting(2, 1)),
    wrong("ENABLE_PUSH 2", "9113 6.5.2", setting(2, 2)),
    fine("ENABLE_PUSH 0", "9113 6.5.2", setting(2, 0) + GOOD),
    wrong("INITIAL_WINDOW_SIZE 2^31", "9113 6.5.2", setting(4, 1 << 31), FLOW_CONTROL_ERROR),
    wrong("MAX_FRAME_SIZE 16383", "9113 6.5.2", setting(5, 16383)),
    wrong("MAX_FRAME_SIZE 2^24", "9113 6.5.2", setting(5, 1 << 24)),
    fine("MAX_FRAME_SIZE 2^24 - 1", "9113 6.5.2", setting(5, (1 << 24) - 1) + GOOD),
    wrong("ENABLE_CONNECT_PROTOCOL 2", "8441 3", setting(8, 2)),
    wrong("ENABLE_CONNECT_PROTOCOL taken back", "8441 3", setting(8, 1) + setting(8, 0)),
    wrong("NO_RFC7540_PRIORITIES 2", "9218 2.1", setting(9, 2)),
    wrong("NO_RFC7540_PRIORITIES changed", "9218 2.1", setting(9, 1)),
    fine("NO_RFC7540_PRIORITIES again", "9218 2.1", setting(9, 1) + GOOD, first=setting(9, 1)),
    fine("an unknown setting", "9113 6.5.2", setting(0xF00, 7) + GOOD),
    wrong(
        "a growing initial window overflows a stream's",
        "9113 6.9.2",
        frame(WINDOW_UPDATE, 0, 1, number((1 << 31) - 65536)) + setting(4, 65536),
        FLOW_CONTROL_ERROR,
    ),
    fine("streams forbidden later", "9113 5.1.2", setting(3, 0) + GOOD),
]

SIZE_ROWS = [
    wrong("DATA too long", "9113 4.2", HEAD + frame(DATA, 0, 1, bytes(16385)), FRAME_SIZE_ERROR),
    wrong(
        "an unknown frame too long", "9113 4.2", frame(190, 0, 0, bytes(16385)), FRAME_SIZE_ERROR
    ),
    fine("DATA of 16384 bytes", "9113 4.2", HEAD + frame(DATA, 1, 1, bytes(16384))),
    wrong("PING of 7 bytes", "9113 6.7", frame(PING, 0, 0, bytes(7)), FRAME_SIZE_ERROR),
    wrong("PING of 9 bytes", "9113 6.7", frame(PING, 0, 0, bytes(9)), FRAME_SIZE_ERROR),
    wrong("PING on a stream", "9113 6.7", frame(PING, 0, 1, bytes(8))),
    wrong("RST_STREAM of 3 bytes", "9113 6.4", frame(RST_STREAM, 0, 1, bytes(3)), FRAME_SIZE_ERROR),
    wrong("RST_STREAM on stream 0", "9113 6.4", frame(RST_STREAM, 0, 0, bytes(4))),
    wrong("RST_STREAM on an idle stream", "9113 6.4", frame(RST_STREAM, 0, 3, bytes(4))),
    bad("PRIORITY of 4 bytes", "9113 6.3", frame(PRIORITY, 0, 1, bytes(4)), FRAME_SIZE_ERROR),
    wrong("PRIORITY on stream 0", "9113 6.3", frame(PRIORITY, 0, 0, bytes(5))),
    fine("PRIORITY", "9113 6.3", frame(PRIORITY, 0, 1, bytes(5)) + GOOD),
    fine("PRIORITY on an idle stream", "9113 5.1", frame(PRIORITY, 0, 3, bytes(5)) + GOOD),
    bad("a stream that depends on itself", "7540 5.3.1", frame(PRIORITY, 0, 1, number(1) + b"x")),
    wrong("WINDOW_UPDATE of 3 bytes", "9113 6.9", frame(8, 0, 0, bytes(3)), FRAME_SIZE_ERROR),
    wrong("GOAWAY of 7 bytes", "9113 6.8", frame(GOAWAY, 0, 0, bytes(7)), FRAME_SIZE_ERROR),
    wrong("GOAWAY on a stream", "9113 6.8", frame(GOAWAY, 0, 1, bytes(8))),
    wrong("PUSH_PROMISE of 3 bytes", "9113 6.6", frame(5, 4, 1, bytes(3)), FRAME_SIZE_ERROR),
    wrong(
        "HEADERS too short for a priority", "9113 6.2", frame(1, 36, 1, bytes(4)), FRAME_SIZE_ERROR
    ),
    fine("HEADERS with a priority", "9113 6.2", frame(1, 36, 1, bytes(5) + STATUS) + END),
    wrong("PRIORITY_UPDATE", "9218 7.1", frame(PRIORITY_UPDATE, 0, 0, number(1) + b"u=1")),
]

PADDING_ROWS = [
    wrong("padded DATA without a length", "9113 6.1", HEAD + frame(0, 8, 1), FRAME_SIZE_ERROR),
    wrong("DATA is all padding and more", "9113 6.1", HEAD + frame(0, 8, 1, b"\x05" + bytes(4))),
    wrong("HEADERS padded too far", "9113 6.2", frame(1, 12, 1, b"\x02" + STATUS)),
    wrong("PUSH_PROMISE padded too far", "9113 6.6", frame(5, 12, 1, b"\x09" + bytes(8))),
    fine("padded DATA", "9113 6.1", HEAD + frame(0, 9, 1, b"\x03" + BODY + bytes(3))),
    fine("padded HEADERS", "9113 6.2", frame(1, 12, 1, b"\x02" + STATUS + bytes(2)) + END),
    fine("DATA of padding only", "9113 6.1", HEAD + frame(0, 8, 1, b"\x01\0") + END),
]

STATE_ROWS = [
    wrong("DATA on stream 0", "9113 6.1", frame(DATA, 0, 0, b"x")),
    wrong("HEADERS on stream 0", "9113 6.2", frame(HEADERS, 5, 0, STATUS)),
    wrong("DATA on an idle stream", "9113 5.1", frame(DATA, 0, 3, b"x")),
    wrong("DATA on an idle stream of the server", "9113 5.1", frame(DATA, 0, 2, b"x")),
    wrong("HEADERS on an idle stream", "9113 5.1", frame(HEADERS, 5, 3, STATUS)),
    wrong("a response never promised", "9113 5.1.1", frame(HEADERS, 5, 2, STATUS)),
    wrong("WINDOW_UPDATE on an idle stream", "9113 5.1", frame(8, 0, 3, number(1))),
    bad("DATA before the head", "9113 8.1", frame(DATA, 0, 1, b"x")),
    bad("DATA after an interim response", "9113 8.1", interim(b"103") + frame(DATA, 0, 1, b"x")),
    bad(
        "DATA after END_STREAM",
        "9113 5.1",
        GOOD + frame(0, 0, 1, b"x"),
        STREAM_CLOSED,
        upload=True,
        exit_code=0,
    ),
    bad(
        "HEADERS after END_STREAM", "9113 5.1", GOOD + HEAD, STREAM_CLOSED, upload=True, exit_code=0
    ),
    wrong(
        "DATA on a closed stream",
        "9113 5.1",
        GOOD,
        STREAM_CLOSED,
        arguments=("--parallel", "1", "URL"),
        after_end=frame(DATA, 0, 1, b"x"),
        again=GOOD,
        exit_code=0,
    ),
    wrong(
        "HEADERS on a closed stream",
        "9113 5.1",
        GOOD,
        STREAM_CLOSED,
        arguments=("--parallel", "1", "URL"),
        after_end=HEAD,
        again=GOOD,
        exit_code=0,
    ),
    fine(
        "WINDOW_UPDATE, RST_STREAM and PRIORITY on a closed stream",
        "9113 5.1",
        GOOD,
        arguments=("--parallel", "1", "URL"),
        after_end=frame(8, 0, 1, number(1))
        + frame(RST_STREAM, 0, 1, bytes(4))
        + frame(PRIORITY, 0, 1, bytes(5))
        + frame(HEADERS, 5, 3, STATUS),
    ),
    Row(
        "DATA after the server's own RST_STREAM",
        "9113 5.1",
        frame(RST_STREAM, 0, 1, number(CANCEL)) + frame(0, 0, 1, b"x") + frame(1, 5, 3, STATUS),
        resets={1: STREAM_CLOSED},
        requests=2,
        arguments=("URL",),
    ),
    fine("an end without a body", "9113 8.1", response(end=True)),
    fine(
        "a RST_STREAM NO_ERROR after the response",
        "9113 8.1",
        GOOD + frame(3, 0, 1, bytes(4)),
        upload=True,
    ),
    Row(
        "RST_STREAM NO_ERROR before the end",
        "9113 8.1",
        HEAD + frame(3, 0, 1, bytes(4)),
        exit_code=1,
    ),
    fine("the reserved bit of a stream id", "9113 4.1", frame(1, 4, (1 << 31) + 1, STATUS) + END),
]

PUSH_ROWS = [
    fine("a pushed response", "9113 8.4", promise(1, 2) + pushed(2) + GOOD),
    fine(
        "an interim response pushed",
        "9113 8.4.2",
        promise(1, 2) + frame(1, 4, 2, b"\x08\x03103") + pushed(2) + GOOD,
    ),
    wrong("a promise on stream 0", "9113 6.6", promise(0, 2)),
    wrong("a promise of an odd stream", "9113 5.1.1", promise(1, 3)),
    wrong("a promise of stream 0", "9113 6.6", promise(1, 0)),
    wrong("a promise twice", "9113 5.1.1", promise(1, 2) + promise(1, 2)),
    wrong("promises in the wrong order", "9113 5.1.1", promise(1, 4) + promise(1, 2)),
    wrong("a promise on an idle stream", "9113 6.6", promise(3, 2)),
    wrong("a promise on a pushed stream", "9113 6.6", promise(1, 2) + promise(2, 4)),
    wrong("a promise after the end", "9113 6.6", GOOD + promise(1, 2), upload=True, exit_code=0),
    wrong("a promise although push is off", "9113 8.4", promise(1, 2), arguments=("--push", "off")),
    wrong("DATA on a reserved stream", "9113 5.1", promise(1, 2) + frame(DATA, 0, 2, b"x")),
    wrong(
        "WINDOW_UPDATE on a reserved stream", "9113 5.1", promise(1, 2) + frame(8, 0, 2, number(1))
    ),
    Row(
        "RST_STREAM on a reserved stream",
        "9113 5.1",
        promise(1, 2) + frame(3, 0, 2, number(8)) + GOOD,
        exit_code=1,
    ),
    Row(
        "a promised POST",
        "9113 8.4",
        promise(1, 2, method=b"\x83") + GOOD,
        resets={2: PROTOCOL_ERROR},
    ),
    Row(
        "a promise of no path",
        "9113 8.4",
        promise(1, 2, path=b"") + GOOD,
        resets={2: PROTOCOL_ERROR},
    ),
    Row(
        "a promise for another origin",
        "9113 8.4",
        frame(5, 4, 1, number(2) + GET + b"\x04\x02/p\x01" + text(b"example.net")) + GOOD,
        resets={2: PROTOCOL_ERROR},
    ),
    Row(
        "a promise with content",
        "9113 8.4",
        frame(5, 4, 1, number(2) + GET + b"\x04\x02/pAUTHORITY" + named(b"content-length", b"3"))
        + GOOD,
        resets={2: PROTOCOL_ERROR},
    ),
    Row(
        "a promise above the limit",
        "9113 5.1.2",
        b"".join(promise(1, 2 * each, b"/%d" % each) for each in range(1, 34)) + GOOD,
        resets={66: REFUSED_STREAM},
        arguments=("--max-time", "1"),
        exit_code=1,
    ),
    Row(
        "a pushed response without status",
        "9113 8.3.2",
        promise(1, 2) + frame(HEADERS, 5, 2, named(b"a", b"b")) + GOOD,
        resets={2: PROTOCOL_ERROR},
        exit_code=1,
    ),
    wrong(
        "a block that is no HPACK, promised",
        "9113 4.3",
        frame(5, 4, 1, number(2) + b"\x80"),
        COMPRESSION_ERROR,
    ),
]

# The connection's window cannot be overrun from outside: the client reads what it must hold back
# from standard output into memory. tests/unit/h2 does it with an owner that does not read.
FLOW_ROWS = [
    bad(
        "DATA over the stream's window",
        "9113 6.9.1",
        spread(1, 65536),
        FLOW_CONTROL_ERROR,
        blocked=True,
    ),
    wrong("WINDOW_UPDATE by 0", "9113 6.9", frame(8, 0, 0, bytes(4))),
    bad("WINDOW_UPDATE by 0 on a stream", "9113 6.9", frame(8, 0, 1, bytes(4))),
    wrong(
        "the connection's window overflows",
        "9113 6.9.1",
        frame(8, 0, 0, number((1 << 31) - 1)),
        FLOW_CONTROL_ERROR,
    ),
    bad(
        "a stream's window overflows",
        "9113 6.9.1",
        frame(8, 0, 1, number((1 << 31) - 1)),
        FLOW_CONTROL_ERROR,
    ),
    fine(
        "the largest windows",
        "9113 6.9.1",
        frame(8, 0, 0, number((1 << 31) - 65536))
        + frame(8, 0, 1, number((1 << 31) - 65536))
        + GOOD,
    ),
]

LITERAL = b"\0\x01a\x01b"
HPACK_ROWS = [
    wrong("index 0", "7541 6.1", frame(HEADERS, 5, 1, b"\x80"), COMPRESSION_ERROR),
    wrong(
        "an index beyond the tables", "7541 2.3.3", frame(HEADERS, 5, 1, b"\xbe"), COMPRESSION_ERROR
    ),
    wrong(
        "a name's index beyond the tables",
        "7541 2.3.3",
        frame(HEADERS, 5, 1, b"\x7f\x00\x01a"),
        COMPRESSION_ERROR,
    ),
    wrong(
        "a table larger than allowed",
        "7541 6.3",
        frame(HEADERS, 5, 1, b"\x3f\xff\xff\x7f" + STATUS),
        COMPRESSION_ERROR,
    ),
    wrong(
        "a table's size after a field",
        "7541 4.2",
        frame(HEADERS, 5, 1, STATUS + b"\x20"),
        COMPRESSION_ERROR,
    ),
    wrong(
        "an integer without end", "7541 5.1", frame(HEADERS, 5, 1, b"\xff" * 12), COMPRESSION_ERROR
    ),
    wrong(
        "a block cut short",
        "7541 5.2",
        frame(HEADERS, 5, 1, STATUS + b"\0\x05ab"),
        COMPRESSION_ERROR,
    ),
    wrong(
        "a Huffman code with EOS",
        "7541 5.2",
        frame(HEADERS, 5, 1, b"\x08\x84" + b"\xff" * 4),
        COMPRESSION_ERROR,
    ),
    wrong(
        "Huffman padding of a byte",
        "7541 5.2",
        frame(HEADERS, 5, 1, b"\x08\x82\x17\xff"),
        COMPRESSION_ERROR,
    ),
    wrong(
        "Huffman padding of zeros",
        "7541 5.2",
        frame(HEADERS, 5, 1, b"\x08\x81\x00"),
        COMPRESSION_ERROR,
    ),
    wrong("wrong trailers", "9113 4.3", HEAD + frame(HEADERS, 5, 1, b"\x80"), COMPRESSION_ERROR),
    wrong(
        "a wrong block in CONTINUATION",
        "9113 4.3",
        frame(HEADERS, 1, 1, STATUS) + frame(9, 4, 1, b"\x80"),
        COMPRESSION_ERROR,
    ),
    fine(
        "table sizes at the beginning",
        "7541 4.2",
        frame(HEADERS, 4, 1, b"\x20\x3f\x09" + STATUS) + END,
    ),
]


def malformed(name: str, *fields: tuple[bytes, bytes]) -> Row:
    return bad(name, "9113 8.2", response(*fields))


MESSAGE_ROWS = [
    bad("no :status", "9113 8.3.2", frame(HEADERS, 5, 1, LITERAL)),
    bad("two of :status", "9113 8.3", frame(HEADERS, 5, 1, STATUS + STATUS)),
    bad(":status after a field", "9113 8.3", frame(HEADERS, 5, 1, LITERAL + STATUS)),
    bad("a request's pseudo-field", "9113 8.3", response((b":path", b"/"))),
    bad("an unknown pseudo-field", "9113 8.3", response((b":x", b"y"))),
    bad("a pseudo-field in trailers", "9113 8.1", HEAD + frame(HEADERS, 5, 1, STATUS)),
    bad("trailers that do not end", "9113 8.1", HEAD + frame(HEADERS, 4, 1, LITERAL)),
    fine("trailers", "9113 8.1", HEAD + frame(HEADERS, 5, 1, LITERAL)),
    bad(
        "a connection field in trailers",
        "9113 8.2.2",
        HEAD + frame(1, 5, 1, named(b"connection", b"close")),
    ),
    bad("status 101", "9113 8.6", interim(b"101")),
    bad("status 99", "9110 15", interim(b"099")),
    bad("a status of two digits", "9113 8.3.2", interim(b"20")),
    bad("a status that is no number", "9113 8.3.2", interim(b"abc")),
    bad("an interim response that ends", "9113 8.1", interim(b"103", end=True)),
    fine(
        "interim responses", "9113 8.1", interim(b"100") + interim(b"103") + interim(b"199") + GOOD
    ),
    bad("more than Content-Length", "9113 8.1.1", response((b"content-length", b"7")) + END),
    bad("less than Content-Length", "9113 8.1.1", response((b"content-length", b"9")) + END),
    bad("nothing of Content-Length", "9113 8.1.1", response((b"content-length", b"9"), end=True)),
    bad(
        "trailers before Content-Length",
        "9113 8.1.1",
        response((b"content-length", b"9")) + frame(1, 5, 1, LITERAL),
    ),
    fine(
        "Content-Length and padding",
        "9113 8.1.1",
        response((b"content-length", b"8")) + frame(0, 9, 1, b"\x03" + BODY + bytes(3)),
    ),
    fine(
        "Content-Length of a HEAD",
        "9110 8.6",
        response((b"content-length", b"9"), end=True),
        arguments=("-I",),
    ),
    bad("DATA for a HEAD", "9113 8.1.1", HEAD + END, arguments=("-I",)),
    bad("DATA in a 204", "9113 8.1.1", response(status=b"\x89") + END),
    bad("DATA in a 304", "9113 8.1.1", response(status=b"\x8b") + END),
    malformed("two Content-Lengths", (b"content-length", b"7"), (b"content-length", b"8")),
    malformed("a Content-Length with a sign", (b"content-length", b"+8")),
    malformed("an upper case name", (b"Server", b"x")),
    malformed("a name with a blank", (b"a b", b"x")),
    malformed("a name with a colon", (b"a:b", b"x")),
    malformed("a name of nothing", (b"", b"x")),
    malformed("a name above ASCII", (b"a\xe9", b"x")),
    malformed("a line end in a value", (b"a", b"x\r\ny: z")),
    malformed("a bare line feed in a value", (b"a", b"x\ny")),
    malformed("NUL in a value", (b"a", b"x\0y")),
    malformed("a blank before a value", (b"a", b" x")),
    malformed("a tab after a value", (b"a", b"x\t")),
    malformed("connection", (b"connection", b"close")),
    malformed("keep-alive", (b"keep-alive", b"timeout=5")),
    malformed("proxy-connection", (b"proxy-connection", b"close")),
    malformed("transfer-encoding", (b"transfer-encoding", b"chunked")),
    malformed("upgrade", (b"upgrade", b"h2c")),
]

BLOCK_ROWS = [
    wrong("CONTINUATION without a block", "9113 6.10", frame(CONTINUATION, 4, 1, STATUS)),
    wrong("CONTINUATION after the end of a block", "9113 6.10", HEAD + frame(9, 4, 1, LITERAL)),
    wrong("CONTINUATION on stream 0", "9113 6.10", frame(1, 0, 1, STATUS) + frame(9, 4, 0)),
    wrong("CONTINUATION on another stream", "9113 6.10", frame(1, 0, 1, STATUS) + frame(9, 4, 3)),
    wrong("PING within a block", "9113 4.3", frame(1, 0, 1, STATUS) + frame(6, 0, 0, bytes(8))),
    wrong("DATA within a block", "9113 4.3", frame(1, 0, 1, STATUS) + frame(0, 0, 1)),
    wrong("an unknown frame within a block", "9113 5.5", frame(1, 0, 1, STATUS) + frame(190, 0, 0)),
    wrong("HEADERS within a promise", "9113 4.3", frame(5, 0, 1, number(2) + GET) + HEAD),
    fine(
        "CONTINUATION",
        "9113 6.10",
        frame(1, 0, 1) + frame(9, 0, 1, STATUS) + frame(9, 4, 1, LITERAL) + END,
    ),
    fine(
        "a field over two frames",
        "9113 4.3",
        frame(1, 0, 1, STATUS + LITERAL[:3]) + frame(9, 4, 1, LITERAL[3:]) + END,
    ),
    wrong(
        "CONTINUATION without end",
        "9113 10.5",
        frame(1, 0, 1, STATUS) + 9 * frame(9, 0, 1, LITERAL),
        ENHANCE_YOUR_CALM,
    ),
]

OTHER_ROWS = [
    wrong("GOAWAY with a growing id", "9113 6.8", goaway(1) + goaway(3)),
    fine("GOAWAY in two steps", "9113 6.8", goaway((1 << 31) - 1) + goaway(1) + GOOD),
    fine("the response after GOAWAY", "9113 6.8", goaway(1) + GOOD),
    fine("debug data", "9113 6.8", frame(GOAWAY, 0, 0, number(1) + bytes(4) + b"bye") + GOOD),
    fine("a request not processed is sent again", "9113 6.8", goaway(0), again=GOOD),
    fine(
        "a request refused is sent again",
        "9113 8.7",
        frame(3, 0, 1, number(7)) + goaway(1),
        again=GOOD,
    ),
    Row(
        "GOAWAY with an error",
        "9113 6.8",
        goaway(1, INTERNAL_ERROR) + HEAD + frame(3, 0, 1, number(2)),
        exit_code=1,
    ),
    Row("RST_STREAM", "9113 6.4", HEAD + frame(3, 0, 1, number(INTERNAL_ERROR)), exit_code=1),
    fine("an unknown frame", "9113 5.5", frame(UNKNOWN, 255, 0, b"x") + GOOD),
    fine("an unknown frame on a stream", "9113 5.5", HEAD + frame(UNKNOWN, 255, 1, b"x") + END),
    fine("an unknown frame on an idle stream", "9113 5.5", frame(UNKNOWN, 0, 99, b"x") + GOOD),
    fine("unknown flags", "9113 4.1", frame(HEADERS, 0xD6 & ~8, 1, STATUS) + END),
    fine("an ACK nobody asked for", "9113 6.7", frame(PING, ACK, 0, bytes(8)) + GOOD),
    fine(
        "PING is answered",
        "9113 6.7",
        frame(PING, 0, 0, b"herald.."),
        after_end=b"",
        expect=lambda seen: (PING, ACK, 0, b"herald..") in seen.frames,
        arguments=("--max-time", "1"),
        exit_code=1,
    ),
    fine("ALTSVC", "7838 4", frame(ALTSVC, 0, 1, bytes(2) + b'h2=":1"') + GOOD),
    fine("ALTSVC without an origin", "7838 4", frame(ALTSVC, 0, 0, bytes(2) + b'h2=":1"') + GOOD),
    fine("ORIGIN", "8336 2", frame(ORIGIN, 0, 0, b"\0\x13https://example.net") + GOOD),
    fine(
        "ORIGIN on a stream", "8336 2.1", frame(ORIGIN, 0, 1, b"\0\x13https://example.net") + GOOD
    ),
    fine("ORIGIN cut short", "8336 2.1", frame(ORIGIN, 0, 0, b"\0\x20https") + GOOD),
]

ROWS = [
    *(PREFACE_ROWS + SETTINGS_ROWS + SIZE_ROWS + PADDING_ROWS + STATE_ROWS + PUSH_ROWS),
    *(FLOW_ROWS + HPACK_ROWS + MESSAGE_ROWS + BLOCK_ROWS + OTHER_ROWS),
]


def herald_command() -> list[str]:
    """The C command where there is one, else the installed package."""
    chosen = os.environ.get("HERALD")
    if chosen:
        return [chosen]
    built = ROOT / "build" / "herald"
    return [str(built)] if built.exists() else [sys.executable, "-m", "herald"]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.rule}: {row.name}")
def test_the_client_reacts(row: Row, tmp_path: Path) -> None:
    server = ScriptedServer(row)
    url = f"http://127.0.0.1:{server.port}/"
    arguments = [url if one == "URL" else one for one in row.arguments]
    if row.upload:
        (tmp_path / "upload").write_bytes(bytes(1 << 20))
        arguments += ["-T", str(tmp_path / "upload")]
    client = subprocess.Popen(
        [*herald_command(), "get", "--h2c", *arguments, url],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "XDG_DATA_HOME": str(tmp_path)},
    )
    try:
        if row.blocked:
            assert server.reacted.wait(SECONDS), server.connections
        out, error = client.communicate(timeout=SECONDS)
    finally:
        client.kill()
        server.close()
    said = error.decode(errors="replace")
    assert server.connections, said
    seen = server.connections[0]
    goaways = [code for code in seen.goaways if code != NO_ERROR]
    assert goaways == ([row.goaway] if row.goaway is not None else []), said
    if row.goaway is None:
        resets = {stream: code for stream, code in seen.resets.items() if code != CANCEL}
        assert resets == row.resets, said
    assert client.returncode == row.code, said
    if row.expect is not None:
        assert row.expect(seen), seen.frames
    if row.script.endswith(GOOD) and client.returncode == 0:
        assert out in (BODY, 2 * BODY)


def test_every_rule_has_a_row_of_its_own() -> None:
    names = [row.name for row in ROWS]
    assert len(names) == len(set(names)) >= 60
