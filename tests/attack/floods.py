"""Many frames that are legal and useless: H2-08, H2-09, H2-14, H2-16, H2-17, H2-26."""

from __future__ import annotations

import itertools
import struct
import time
from collections.abc import Callable, Iterable

import wire
from rig import Arena, attack

PIECE = 32768


def repeat(one: bytes) -> Callable[[], Iterable[bytes]]:
    """The same frame for ever, in pieces worth a system call."""
    return lambda: itertools.repeat(one * max(1, PIECE // len(one)))


def after(first: bytes, one: bytes) -> Callable[[], Iterable[bytes]]:
    return lambda: itertools.chain([first], repeat(one)())


def unread(arena: Arena, pieces: Callable[[], Iterable[bytes]]) -> None:
    """The same from a peer that never reads: what is owed to it is bounded."""
    before = arena.target.resident()
    arena.flood(pieces, read=False, receive_buffer=4096)
    growth = (arena.target.resident() - before) / max(1, arena.record.connections)
    arena.note(f"{max(0, growth) / 1024:.0f} KiB a connection")


@attack("H2-08", "settings flood", peers=True)
def settings_flood(arena: Arena) -> None:
    arena.flood(repeat(wire.settings()))


@attack("H2-08", "settings flood unread")
def settings_flood_unread(arena: Arena) -> None:
    unread(arena, repeat(wire.settings()))


@attack("H2-08", "full settings flood")
def full_settings_flood(arena: Arena) -> None:
    arena.flood(repeat(wire.settings(*[(0x99, i) for i in range(32)])))


@attack("H2-08", "entries of settings")
def entries_of_settings(arena: Arena) -> None:
    with arena.connect() as peer:
        peer.write(wire.settings(*[(0x99, i) for i in range(32)]))
        stream = peer.ask(b"/small")
        arena.check(peer.read_answer(stream).status == 200, "32 settings were not taken")
    with arena.connect() as peer:
        peer.write(wire.settings(*[(0x99, i) for i in range(33)]))
        arena.ended(peer, [wire.ENHANCE_YOUR_CALM], "33 settings")


@attack("H2-08", "window toggling", target="app")
def window_toggling(arena: Arena) -> None:
    opening = b"".join(
        wire.request(2 * i + 1, wire.request_block(b"/unread", b"POST"), end=False)
        for i in range(99)
    )
    toggle = wire.settings((wire.INITIAL_WINDOW_SIZE, 0)) + wire.settings(
        (wire.INITIAL_WINDOW_SIZE, wire.WINDOW_MAXIMUM)
    )
    arena.flood(after(opening, toggle))


@attack("H2-09", "ping flood", peers=True)
def ping_flood(arena: Arena) -> None:
    arena.flood(repeat(wire.ping()))


@attack("H2-09", "ping flood unread")
def ping_flood_unread(arena: Arena) -> None:
    unread(arena, repeat(wire.ping()))


def priority(stream: int, parent: int, weight: int = 15, exclusive: bool = False) -> bytes:
    value = struct.pack(">IB", parent | (0x80000000 if exclusive else 0), weight)
    return wire.frame(wire.PRIORITY, 0, stream, value)


def priority_update(stream: int, text: bytes) -> bytes:
    return wire.frame(wire.PRIORITY_UPDATE, 0, 0, struct.pack(">I", stream) + text)


PRIORITY_FLOODS = {
    "priority flood": priority(1, 3),
    "priority cycles": priority(1, 3) + priority(3, 5) + priority(5, 1),
    "exclusive churn": priority(1, 0, exclusive=True) + priority(3, 0, exclusive=True),
    "deep chain": b"".join(priority(2 * i + 3, 2 * i + 1) for i in range(1000)),
    "idle priority updates": b"".join(priority_update(2 * i + 1, b"u=1") for i in range(500)),
}


def _priorities(name: str, one: bytes) -> None:
    @attack("H2-14", name, peers=name == "priority flood")
    def run(arena: Arena) -> None:
        arena.flood(repeat(one))


for _name, _one in PRIORITY_FLOODS.items():
    _priorities(_name, _one)


@attack("H2-14", "priority mistakes", target="app")
def priority_mistakes(arena: Arena) -> None:
    slow = wire.request_block(b"/slow")
    with arena.connect() as peer:
        peer.write(wire.request(1, slow) + priority(1, 1))
        found = peer.read_answer(1).reset
        arena.check(found == wire.PROTOCOL_ERROR, f"a stream depends on itself: reset {found}")
        peer.write(wire.request(3, slow) + wire.frame(wire.PRIORITY, 0, 3, b"\0" * 4))
        found = peer.read_answer(3).reset
        arena.check(found == wire.FRAME_SIZE_ERROR, f"a short PRIORITY: reset {found}")
        arena.check(not peer.over, "mistakes of two streams ended the connection")
    for name, one in {
        "PRIORITY on stream 0": priority(0, 1),
        "PRIORITY_UPDATE of stream 0": priority_update(0, b"u=1"),
        "PRIORITY_UPDATE on a stream": wire.frame(wire.PRIORITY_UPDATE, 0, 1, b"\0\0\0\x01u=1"),
    }.items():
        with arena.connect() as peer:
            peer.write(one)
            arena.ended(peer, [wire.PROTOCOL_ERROR], name)


OPEN_POST = wire.request(1, wire.request_block(b"/unread", b"POST"), end=False)
EMPTY_DATA = wire.frame(wire.DATA, 0, 1)
PADDED_DATA = wire.frame(wire.DATA, wire.PADDED, 1, b"\x10" + b"\0" * 16)


@attack("H2-16", "empty data", target="app")
def empty_data(arena: Arena) -> None:
    arena.flood(after(OPEN_POST, EMPTY_DATA))


@attack("H2-16", "empty data for a folder", peers=True)
def empty_data_for_a_folder(arena: Arena) -> None:
    post = wire.request(1, wire.request_block(b"/large", b"POST"), end=False)
    arena.flood(
        after(post, EMPTY_DATA),
        codes=(wire.ENHANCE_YOUR_CALM, wire.STREAM_CLOSED, wire.PROTOCOL_ERROR),
    )


@attack("H2-16", "padded empty data", target="app")
def padded_empty_data(arena: Arena) -> None:
    arena.flood(after(OPEN_POST, PADDED_DATA))


@attack("H2-16", "empty headers")
def empty_headers(arena: Arena) -> None:
    """Blocks without a field: each is a malformed request."""
    from resets import batches

    arena.flood(lambda: batches(lambda stream: wire.request(stream, b"")))


@attack("H2-17", "tiny data unread", target="app", memory=8 << 20)
def tiny_data_unread(arena: Arena) -> None:
    arena.flood(after(OPEN_POST, wire.frame(wire.DATA, 0, 1, b"x")))


@attack("H2-17", "64 KiB as one-byte frames", target="app", memory=8 << 20)
def one_byte_frames(arena: Arena) -> None:
    with arena.connect() as peer:
        peer.write(OPEN_POST)
        peer.flood([wire.frame(wire.DATA, 0, 1, b"x") * 65000], 5.0)
        arena.ended(peer, [wire.ENHANCE_YOUR_CALM])


UNKNOWN = wire.frame(0xEE, 0xFF, 0, b"nothing")


@attack("H2-26", "unknown frames")
def unknown_frames(arena: Arena) -> None:
    with arena.connect() as peer:
        peer.write(UNKNOWN * 100 + wire.settings((0x7777, 1)) + wire.frame(0xEE, 0, 0x80000001))
        stream = peer.ask(b"/small")
        arena.check(peer.read_answer(stream).status == 200, "100 unknown frames: no answer")
    arena.flood(repeat(UNKNOWN))


@attack("H2-26", "framing without content")
def framing_without_content(arena: Arena) -> None:
    """Long frames of an unknown type: what the overhead ratio is for."""
    arena.flood(repeat(wire.frame(0xEE, 0, 0, b"\0" * 16384)))


@attack("H2-11", "window updates", target="app")
def window_updates(arena: Arena) -> None:
    arena.flood(repeat(wire.window_update(0, 1)))


def paced(peer: wire.Peer, one: bytes, rate: float, seconds: float) -> int:
    """Send ``one`` at a rate; how often it went out."""
    start, count = time.monotonic(), 0
    while (passed := time.monotonic() - start) < seconds and not peer.over:
        due = int(passed * rate) - count
        if due > 0:
            peer.write(one * due)
            count += due
        peer.read(0.01)
    return count
