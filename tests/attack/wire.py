"""HTTP/2 as an attacker writes it: frames from parts, and a connection that only counts."""

from __future__ import annotations

import select
import socket
import ssl
import struct
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE = range(6)
PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(6, 10)
PRIORITY_UPDATE = 0x10

END_STREAM = ACK = 0x1
END_HEADERS = 0x4
PADDED = 0x8
PRIORITISED = 0x20

NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR, SETTINGS_TIMEOUT = range(5)
STREAM_CLOSED, FRAME_SIZE_ERROR, REFUSED_STREAM, CANCEL, COMPRESSION_ERROR = range(5, 10)
CONNECT_ERROR, ENHANCE_YOUR_CALM, INADEQUATE_SECURITY, HTTP_1_1_REQUIRED = range(10, 14)

HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS = 1, 2, 3
INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE = 4, 5

WINDOW_MAXIMUM = 2**31 - 1
SEND_PIECE = 65536


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">HBBBI", len(payload) >> 8, len(payload) & 255, kind, flags, stream) + (
        payload
    )


def header_only(kind: int, flags: int, stream: int, length: int) -> bytes:
    """A frame header that announces a payload which does not follow."""
    return struct.pack(">HBBBI", length >> 8, length & 255, kind, flags, stream)


def integer(value: int, bits: int, first: int = 0) -> bytes:
    """RFC 7541 section 5.1; ``first`` has the bits above the prefix."""
    most = (1 << bits) - 1
    if value < most:
        return bytes([first | value])
    out = bytearray([first | most])
    value -= most
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def text(value: bytes) -> bytes:
    return integer(len(value), 7) + value


def literal(name: bytes, value: bytes, indexed: bool = False) -> bytes:
    """A field with a name of its own, for the table or not."""
    return (b"\x40" if indexed else b"\x00") + text(name) + text(value)


def reference(index: int) -> bytes:
    return integer(index, 7, 0x80)


def size_update(size: int) -> bytes:
    return integer(size, 5, 0x20)


METHODS = {b"GET": b"\x82", b"POST": b"\x83"}


def request_block(path: bytes, method: bytes = b"GET", fields: bytes = b"") -> bytes:
    return (
        METHODS.get(method, b"\x02" + text(method))
        + b"\x86\x04"
        + text(path)
        + b"\x01"
        + text(b"localhost")
        + fields
    )


def request(stream: int, block: bytes, end: bool = True) -> bytes:
    return frame(HEADERS, END_HEADERS | (END_STREAM if end else 0), stream, block)


def reset(stream: int, code: int = CANCEL) -> bytes:
    return frame(RST_STREAM, 0, stream, struct.pack(">I", code))


def window_update(stream: int, increment: int) -> bytes:
    return frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", increment))


def settings(*pairs: tuple[int, int]) -> bytes:
    return frame(SETTINGS, 0, 0, b"".join(struct.pack(">HI", *pair) for pair in pairs))


def ping(data: bytes = b"herald??") -> bytes:
    return frame(PING, 0, 0, data)


_HUFFMAN_DIGITS = {"00000": "0", "00001": "1", "00010": "2"} | {
    format(0b011001 + i, "06b"): str(3 + i) for i in range(7)
}
_STATIC_STATUS = {8: 200, 9: 204, 10: 206, 11: 304, 12: 400, 13: 404, 14: 500}


def _digits(value: bytes) -> str:
    bits = "".join(f"{octet:08b}" for octet in value)
    found, word = "", ""
    for bit in bits:
        word += bit
        if word in _HUFFMAN_DIGITS:
            found, word = found + _HUFFMAN_DIGITS[word], ""
    return found


def status_of(block: bytes) -> int:
    """The status a response's field block begins with; the sender's table must be empty."""
    while block and block[0] & 0xE0 == 0x20:  # size update
        size = 1
        if block[0] & 0x1F == 0x1F:
            while block[size] & 0x80:
                size += 1
            size += 1
        block = block[size:]
    if block[0] & 0x80:
        return _STATIC_STATUS.get(block[0] & 0x7F, 0)
    length, value = block[1] & 0x7F, block[2:]
    return int(_digits(value[:length]) if block[1] & 0x80 else value[:length])


@dataclass
class Answer:
    """What came back on a stream."""

    status: int = 0
    length: int = 0
    data_frames: int = 0
    ended: bool = False
    reset: int | None = None

    @property
    def done(self) -> bool:
        return self.ended or self.reset is not None


@dataclass
class Peer:
    """A connection to a server that speaks HTTP/2 in cleartext, or over ``context``.

    Reading never blocks longer than asked; what comes in is counted by stream. Where ``polite``
    SETTINGS and PING are acknowledged and the connection's window is kept open.
    """

    port: int
    greeting: tuple[tuple[int, int], ...] = ((HEADER_TABLE_SIZE, 0),)
    greet: bool = True
    polite: bool = True
    receive_buffer: int = 0
    context: ssl.SSLContext | None = None
    sock: socket.socket = field(init=False)
    opened: float = 0.0
    goaway: int | None = None
    goaway_last: int = 0
    goaways: list[tuple[int, int]] = field(default_factory=list)
    goaway_at: float = 0.0
    closed_at: float = 0.0
    sent: int = 0
    kinds: Counter[int] = field(default_factory=Counter)
    acks: Counter[int] = field(default_factory=Counter)
    reset_codes: Counter[int] = field(default_factory=Counter)
    credit: Counter[int] = field(default_factory=Counter)
    peer_settings: dict[int, int] = field(default_factory=dict)
    answers: dict[int, Answer] = field(default_factory=dict)
    _buffer: bytearray = field(default_factory=bytearray)
    _owed: bytearray = field(default_factory=bytearray)  # never sent within another frame
    _taken: int = 0
    _next_id: int = 1

    def __post_init__(self) -> None:
        plain = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if self.receive_buffer:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.receive_buffer)
        plain.settimeout(10)
        plain.connect(("127.0.0.1", self.port))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.context is None:
            self.sock = plain
            plain.setblocking(False)
        else:
            self.sock = self.context.wrap_socket(plain, server_hostname="localhost")
            self.sock.settimeout(5)
        self.opened = time.monotonic()
        if self.greet:
            self.write(PREFACE + settings(*self.greeting))

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    @property
    def closed(self) -> bool:
        return self.closed_at != 0.0

    @property
    def over(self) -> bool:
        """The server has said, or shown, that it will take nothing more."""
        return self.closed or bool(self.goaway)

    @property
    def over_after(self) -> float | None:
        """Seconds from connecting to the GOAWAY with an error, or to the end of the connection."""
        times = [at for at in (self.closed_at, self.goaway_at if self.goaway else 0.0) if at]
        return min(times) - self.opened if times else None

    def next_id(self) -> int:
        self._next_id += 2
        return self._next_id - 2

    def skip_to(self, stream: int) -> None:
        """The next request is on ``stream``."""
        self._next_id = stream

    def ask(self, path: bytes, **options: object) -> int:
        """Send a request at once and return its stream."""
        end = bool(options.pop("end", True))
        stream = self.next_id()
        self.write(request(stream, request_block(path, **options), end))  # type: ignore[arg-type]
        return stream

    def _close(self) -> None:
        if not self.closed:
            self.closed_at = time.monotonic()

    def write(self, data: bytes, seconds: float = 5.0, read: bool = True) -> bool:
        """Send all of it, reading meanwhile; False when the connection ended or time ran out."""
        return self.flood([data], seconds, read)

    def flood(self, pieces: Iterable[bytes], seconds: float, read: bool = True) -> bool:
        """Send piece after piece as fast as they are taken. True when all have been sent."""
        deadline = time.monotonic() + seconds
        for piece in pieces:
            view = memoryview(self._take_owed() + piece)
            while view:
                if self.closed or time.monotonic() > deadline:
                    return False
                readable, writable, _ = select.select(
                    [self.sock] if read else [], [self.sock], [], 0.05
                )
                if readable:
                    self._read()
                if writable and not self.closed:
                    view = view[self._send(view) :]
        return not self.closed

    def _take_owed(self) -> bytes:
        owed = bytes(self._owed)
        self._owed.clear()
        return owed

    def _send(self, view: memoryview) -> int:
        try:
            count = self.sock.send(view[:SEND_PIECE])
        except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
            return 0
        except OSError:
            self._drain()
            self._close()
            return 0
        self.sent += count
        return count

    def _drain(self) -> None:
        """What was said before the end, where it can still be read."""
        while self._read():
            pass

    def _read(self) -> bool:
        try:
            data = self.sock.recv(262144)
        except (BlockingIOError, ssl.SSLWantReadError, TimeoutError):
            return False
        except OSError:
            data = b""
        if not data:
            self._close()
            return False
        self._buffer += data
        self._take_frames()
        return True

    def read(self, seconds: float, until: object = None) -> bool:
        """Read until ``until()``, the end of the connection, or for so long."""
        deadline = time.monotonic() + seconds
        while True:
            if self._owed and not self.closed:
                self.flood([b""], 1.0, read=False)
            if callable(until) and until():
                return True
            left = deadline - time.monotonic()
            if self.closed or left <= 0:
                return not callable(until)
            pending = isinstance(self.sock, ssl.SSLSocket) and self.sock.pending() > 0
            if pending or select.select([self.sock], [], [], min(left, 0.05))[0]:
                self._read()

    def read_until_over(self, seconds: float) -> bool:
        return self.read(seconds, lambda: self.over)

    def answer(self, stream: int) -> Answer:
        return self.answers.setdefault(stream, Answer())

    def read_answer(self, stream: int, seconds: float = 5.0) -> Answer:
        self.read(seconds, lambda: self.answer(stream).done or self.closed)
        return self.answer(stream)

    def _take_frames(self) -> None:
        buffer, position = self._buffer, 0
        while len(buffer) - position >= 9:
            length = int.from_bytes(buffer[position : position + 3], "big")
            end = position + 9 + length
            if len(buffer) < end:
                break
            kind, flags, stream = struct.unpack_from(">BBI", buffer, position + 3)
            self._take(kind, flags, stream & WINDOW_MAXIMUM, bytes(buffer[position + 9 : end]))
            position = end
        del buffer[:position]

    def _take(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        self.kinds[kind] += 1
        if kind in (HEADERS, DATA):
            self._take_message(kind, flags, self.answer(stream), payload)
            self._give_back(len(payload) if kind == DATA else 0)
        elif kind == RST_STREAM:
            (code,) = struct.unpack(">I", payload)
            self.answer(stream).reset = code
            self.reset_codes[code] += 1
        elif kind == GOAWAY:
            self.goaway_last, self.goaway = struct.unpack_from(">II", payload)
            self.goaways.append((self.goaway_last, self.goaway))
            self.goaway_at = self.goaway_at or time.monotonic()
        elif kind == WINDOW_UPDATE:
            self.credit[stream] += struct.unpack(">I", payload)[0]
        elif kind in (SETTINGS, PING):
            self._take_control(kind, flags, payload)

    @staticmethod
    def _take_message(kind: int, flags: int, answer: Answer, payload: bytes) -> None:
        if kind == DATA:
            answer.length += len(payload)
            answer.data_frames += 1
        elif answer.status < 200:
            answer.status = status_of(payload)
        if flags & END_STREAM:
            answer.ended = True

    def _give_back(self, length: int) -> None:
        """Keep the connection's window open."""
        self._taken += length
        if self.polite and self._taken > 16384:
            self._owed += window_update(0, self._taken)
            self._taken = 0

    def _take_control(self, kind: int, flags: int, payload: bytes) -> None:
        if flags & ACK:
            self.acks[kind] += 1
            return
        if kind == SETTINGS:
            for position in range(0, len(payload), 6):
                name, value = struct.unpack_from(">HI", payload, position)
                self.peer_settings[name] = value
        if self.polite:
            self._owed += frame(kind, ACK, 0, payload if kind == PING else b"")
