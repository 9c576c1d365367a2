"""Flow control: peers that take nothing, peers that lie about it.

H2-11, H2-12, H2-13, H2-18, H2-22, H2-23, H2-27.
"""

from __future__ import annotations

import time

import wire
from floods import paced
from rig import MIB, RECOVERY_SECONDS, Arena, attack, wait_until

CLOSED_WINDOW = ((wire.HEADER_TABLE_SIZE, 0), (wire.INITIAL_WINDOW_SIZE, 0))
OPEN_WINDOW = ((wire.HEADER_TABLE_SIZE, 0), (wire.INITIAL_WINDOW_SIZE, wire.WINDOW_MAXIMUM))
SHORT_STALL = (
    *("--limit", "stall_grace=1"),
    *("--limit", "stall_timeout=2"),
    *("--limit", "stall_rate=500"),
)
STALL_SECONDS = 2.0
STALL_LENIENCE = 14.0  # the average is taken over ten seconds where the timeout does not apply


@attack("H2-11", "data dribble", options=SHORT_STALL)
def data_dribble(arena: Arena) -> None:
    """Twenty downloads of a megabyte, each window opened byte by byte."""
    with arena.connect(greeting=CLOSED_WINDOW) as peer:
        streams = [peer.ask(b"/large") for _ in range(20)]
        start = time.monotonic()
        updates = b"".join(wire.window_update(stream, 1) for stream in streams)
        paced(peer, updates, 50, arena.seconds)
        took = time.monotonic() - start
        frames = sum(answer.data_frames for answer in peer.answers.values())
        length = sum(answer.length for answer in peer.answers.values())
        allowed = length / 1024 + len(streams) * (took / 0.1 + 2)
        arena.note(f"{frames} DATA frames for {length} bytes in {took:.1f} s")
        arena.check(frames <= allowed, f"{frames} DATA frames, {allowed:.0f} are allowed")
        all_free = wait_for_streams(peer, STALL_SECONDS + arena.wait(STALL_LENIENCE))
        arena.check(all_free, "a dribbling stream is held past the stall limit")
        arena.record.closed_after = time.monotonic() - start


def wait_for_streams(peer: wire.Peer, seconds: float) -> bool:
    return peer.read(
        seconds,
        lambda: peer.over or all(answer.done for answer in peer.answers.values()),
    )


@attack("H2-11", "a small body through a window of 1")
def a_small_body(arena: Arena) -> None:
    """No attack: 19 bytes, with a window of 1 each time, arrive within three seconds."""
    with arena.connect(greeting=((wire.HEADER_TABLE_SIZE, 0), (wire.INITIAL_WINDOW_SIZE, 1))) as (
        peer
    ):
        stream, start, seen = peer.ask(b"/tiny"), time.monotonic(), 0
        while not peer.answer(stream).done and time.monotonic() - start < 6:
            if peer.answer(stream).length > seen:
                peer.write(wire.window_update(stream, peer.answer(stream).length - seen))
                seen = peer.answer(stream).length
            peer.read(0.02)
        arena.check(peer.answer(stream).length == 19, f"{peer.answer(stream).length} of 19 bytes")
        arena.note(f"complete after {time.monotonic() - start:.1f} s")


def hold(arena: Arena, connections: int, per_stream: int, drip: bool) -> None:
    """Ask for more than is taken, and look at what it costs and how long it lasts."""
    before = arena.target.resident()
    start = time.monotonic()
    peers = []
    for _ in range(connections):
        peer = arena.connect(greeting=CLOSED_WINDOW)
        ask = wire.request_block(b"/large")
        peer.write(b"".join(wire.request(2 * i + 1, ask) for i in range(100)))
        for i in range(100):
            peer.answer(2 * i + 1)
        peers.append(peer)
    for peer in peers:
        peer.read(0.05)
    held = max(0, arena.target.resident() - before) / (100 * connections)
    arena.note(f"{held / 1024:.1f} KiB a stream")
    # What a process takes at first for a connection is not the streams'.
    allowed = per_stream + 4 * MIB / (100 * connections)
    arena.check(
        held <= allowed, f"{held / 1024:.1f} KiB a stalled stream, {allowed / 1024:.1f} allowed"
    )
    end = start + STALL_SECONDS + arena.wait(STALL_LENIENCE)
    update = b"".join(wire.window_update(2 * i + 1, 1) for i in range(100))
    waiting = list(peers)
    while waiting and time.monotonic() < end:
        for peer in waiting:
            if drip:
                peer.write(update, 0.5)
            peer.read(0.02)
        waiting = [
            peer
            for peer in waiting
            if not peer.over and not all(answer.done for answer in peer.answers.values())
        ]
        time.sleep(0.1)
    arena.record.closed_after = time.monotonic() - start
    arena.check(not waiting, f"{len(waiting)} connections hold streams past the stall limit")
    for peer in peers:
        peer.__exit__()


@attack("H2-12", "zero window on files", options=SHORT_STALL, memory=48 * MIB)
def zero_window_on_files(arena: Arena) -> None:
    hold(arena, arena.count(5, 20), 20 * 1024, drip=False)


@attack("H2-12", "dripping window on files", options=SHORT_STALL, memory=48 * MIB)
def dripping_window_on_files(arena: Arena) -> None:
    hold(arena, arena.count(3, 20), 20 * 1024, drip=True)


@attack(
    "H2-12", "zero window on an application", target="app", options=SHORT_STALL, memory=96 * MIB
)
def zero_window_on_an_application(arena: Arena) -> None:
    hold(arena, arena.count(4, 10), 80 * 1024, drip=False)


def stalled_sockets(arena: Arena, count: int) -> None:
    before, start = arena.target.resident(), time.monotonic()
    peers = []
    for _ in range(count):
        peer = arena.connect(greeting=OPEN_WINDOW, receive_buffer=4096)
        peer.write(
            wire.window_update(0, wire.WINDOW_MAXIMUM - 65535)
            + b"".join(wire.request(2 * i + 1, wire.request_block(b"/large")) for i in range(4)),
            read=False,
        )
        peers.append(peer)
    time.sleep(0.3)
    held = max(0, arena.target.resident() - before) / count
    allowed = 64 * 1024 + 2 * MIB / count
    arena.note(f"{held / 1024:.1f} KiB a connection")
    arena.check(held <= allowed, f"{held / 1024:.1f} KiB a connection that does not read")
    quiet = arena.target.descriptors() - count
    gone = wait_until(
        lambda: arena.target.descriptors() <= quiet + 1, STALL_SECONDS + arena.wait(STALL_LENIENCE)
    )
    arena.record.closed_after = time.monotonic() - start
    arena.check(gone, "connections that do not read are held past the stall limit")
    for peer in peers:
        peer.__exit__()


@attack("H2-13", "sockets that are not read", options=SHORT_STALL, memory=64 * MIB)
def sockets_that_are_not_read(arena: Arena) -> None:
    stalled_sockets(arena, arena.count(40, 400))


PADDING = 255


@attack("H2-18", "padding", target="app")
def padding(arena: Arena) -> None:
    """What padding takes from the windows comes back: an upload of mostly padding goes on."""
    one = bytes([PADDING]) + b"c" * 300 + b"\0" * PADDING
    piece = wire.frame(wire.DATA, wire.PADDED, 1, one)
    with arena.connect() as peer:
        peer.write(wire.request(1, wire.request_block(b"/read", b"POST"), end=False))
        peer.read(0.2)
        stream_window = peer.peer_settings.get(wire.INITIAL_WINDOW_SIZE, 65535)
        total = arena.count(4000, 40000)
        charge = len(one)

        def has_credit() -> bool:
            return min(stream_window + peer.credit[1], 65535 + peer.credit[0]) >= charge

        for _ in range(total):
            peer.read(5.0, lambda: has_credit() or peer.over)
            if not arena.check(has_credit(), "credit for padding is not given back"):
                return
            peer.credit[1] -= charge
            peer.credit[0] -= charge
            if not arena.check(peer.write(piece), "the connection was ended"):
                return
        peer.write(wire.frame(wire.DATA, wire.END_STREAM, 1, b"end"))
        arena.check(peer.read_answer(1).status == 200, "the upload was not answered")
    for name, payload in {"as long as the frame": b"\x05" + b"\0" * 4, "longer": b"\xff\0"}.items():
        with arena.connect() as peer:
            peer.write(
                wire.request(1, wire.request_block(b"/read", b"POST"), end=False)
                + wire.frame(wire.DATA, wire.PADDED, 1, payload)
            )
            arena.ended(peer, [wire.PROTOCOL_ERROR], f"padding {name}")


@attack("H2-22", "window overflow")
def window_overflow(arena: Arena) -> None:
    with arena.connect() as peer:
        peer.write(wire.settings((wire.INITIAL_WINDOW_SIZE, wire.WINDOW_MAXIMUM + 1)))
        arena.ended(peer, [wire.FLOW_CONTROL_ERROR], "a setting of 2^31")
    with arena.connect(greeting=CLOSED_WINDOW) as peer:
        stream = peer.ask(b"/large")
        peer.write(wire.window_update(stream, wire.WINDOW_MAXIMUM))
        peer.write(wire.window_update(stream, wire.WINDOW_MAXIMUM))
        found = peer.read_answer(stream).reset
        arena.check(found == wire.FLOW_CONTROL_ERROR, f"a stream's window overflows: {found}")
    # Settings may take a window below zero (RFC 9113 section 6.9.2), and back.
    with arena.connect() as peer:
        stream = peer.ask(b"/large")
        peer.read(0.2)
        peer.write(wire.settings((wire.INITIAL_WINDOW_SIZE, 0)))
        peer.read(0.1)
        peer.write(wire.settings((wire.INITIAL_WINDOW_SIZE, 4 * MIB)))
        peer.write(wire.window_update(0, 4 * MIB))
        answer = peer.read_answer(stream)
        arena.check(answer.length == MIB, f"after a negative window {answer.length} bytes came")
    end = time.monotonic() + arena.seconds
    while time.monotonic() < end:
        with arena.connect() as peer:
            peer.write(wire.window_update(0, wire.WINDOW_MAXIMUM))
            arena.ended(peer, [wire.FLOW_CONTROL_ERROR], "the connection's window overflows")


@attack("H2-23", "data beyond the window", target="app", memory=8 * MIB)
def data_beyond_the_window(arena: Arena) -> None:
    post = wire.request_block(b"/unread", b"POST")
    chunk = wire.frame(wire.DATA, 0, 1, b"d" * 16384)
    with arena.connect() as peer:
        peer.write(wire.request(1, post, end=False))
        peer.flood([chunk] * 8, 2.0)
        peer.read(3.0, lambda: peer.answer(1).done or peer.over)
        code = peer.answer(1).reset if peer.answer(1).reset is not None else peer.goaway
        arena.check(code == wire.FLOW_CONTROL_ERROR, f"a stream's window exceeded: {code}")
    with arena.connect() as peer:
        for i in range(40):
            peer.write(wire.request(2 * i + 1, post, end=False))
            peer.flood([wire.frame(wire.DATA, 0, 2 * i + 1, b"d" * 16384)] * 3, 2.0)
        arena.ended(peer, [wire.FLOW_CONTROL_ERROR], "the connection's window exceeded")


@attack("H2-27", "uploads that are reset", target="app")
def uploads_that_are_reset(arena: Arena) -> None:
    """What a reset stream has not read comes back to the connection's window."""
    post = wire.request_block(b"/unread", b"POST")
    with arena.connect() as peer:
        sent = 0

        def has_credit() -> bool:
            return 65535 + peer.credit[0] - sent >= 16384

        for i in range(60):
            stream = 2 * i + 1
            peer.write(wire.request(stream, post, end=False))
            for _ in range(3):
                peer.read(2.0, lambda: has_credit() or peer.over)
                if not arena.check(has_credit(), f"no credit after {sent} bytes"):
                    return
                peer.write(wire.frame(wire.DATA, 0, stream, b"d" * 16384))
                sent += 16384
            peer.write(wire.reset(stream))
            if not arena.check(not peer.over, f"the connection was ended after {sent} bytes"):
                return
        arena.note(f"{sent / MIB:.1f} MiB through a window of 1 MiB")
        peer.skip_to(121)
        stream = peer.ask(b"/small")
        # The work of the reset streams may still take all slots.
        if peer.read_answer(stream).reset == wire.REFUSED_STREAM:
            wait_until(lambda: arena.target.statistics()["running"] <= 1, RECOVERY_SECONDS)
            stream = peer.ask(b"/small")
        arena.check(peer.read_answer(stream).status == 200, "no answer after reset uploads")
    with arena.connect() as peer:
        peer.write(wire.request(1, post, end=False))
        peer.write(wire.frame(wire.GOAWAY, 0, 0, b"\0" * 8) + wire.frame(wire.DATA, 0, 1, b"x"))
        peer.write(wire.frame(wire.DATA, wire.END_STREAM, 1, b"y"))
        arena.check(peer.read_answer(1, 6.0).status == 200, "a request before GOAWAY: no answer")
