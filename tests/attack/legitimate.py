"""No attacks: peers that look a little like one and must be served. H2-30."""

from __future__ import annotations

import time

import wire
from rig import Arena, attack


@attack("H2-30", "browser-like cancels", target="app")
def browser_like_cancels(arena: Arena) -> None:
    """Fifty requests a second, of which six in ten are cancelled."""
    rate, seconds = 50, arena.seconds if not arena.full else 60.0
    with arena.connect() as peer:
        start, asked, expected = time.monotonic(), 0, []
        while (passed := time.monotonic() - start) < seconds:
            while asked < passed * rate and not peer.over:
                stream = peer.ask(b"/small")
                if asked % 5 < 3:
                    peer.write(wire.reset(stream))
                else:
                    expected.append(stream)
                asked += 1
            peer.read(0.01)
        for stream in expected:
            peer.read_answer(stream, 3.0)
        good = sum(peer.answer(stream).status == 200 for stream in expected)
        arena.check(not peer.over, f"ended by {peer.goaway} after {asked} requests")
        arena.check(good == len(expected), f"{good} of {len(expected)} were answered")
        arena.note(f"{asked} requests, {asked - len(expected)} cancelled")


@attack("H2-30", "leaving a page", target="app")
def leaving_a_page(arena: Arena) -> None:
    """Eighty requests in flight, all cancelled at once, and the next page after them."""
    with arena.connect() as peer:
        streams = [peer.ask(b"/large") for _ in range(80)]
        peer.write(b"".join(wire.reset(stream) for stream in streams))
        peer.read(0.2)
        stream = peer.ask(b"/small")
        arena.check(peer.read_answer(stream).status == 200, "the next page does not come")
        arena.check(not peer.over, f"ended by {peer.goaway}")


@attack("H2-30", "gRPC-like messages", target="app")
def grpc_like_messages(arena: Arena) -> None:
    """One byte a DATA frame, both ways, as fast as they come back."""
    message = wire.frame(wire.DATA, 0, 1, b"m")
    total = arena.count(2000, 100_000)
    with arena.connect() as peer:
        peer.write(wire.request(1, wire.request_block(b"/echo", b"POST"), end=False))
        peer.write(wire.window_update(0, 1 << 24) + wire.window_update(1, 1 << 24))
        sent = 0
        while sent < total and not peer.over:
            peer.write(message * 8)
            sent += 8
            peer.read(5.0, lambda: peer.answer(1).length >= sent or peer.over)  # noqa: B023
            if not arena.check(peer.answer(1).length >= sent, f"stuck after {sent} messages"):
                break
        arena.check(not peer.over, f"ended by {peer.goaway} after {sent} messages")
        peer.write(wire.frame(wire.DATA, wire.END_STREAM, 1))
        arena.check(peer.read_answer(1).ended, "the response does not end")
        arena.note(f"{sent} messages both ways")


@attack("H2-30", "cookie crumbs", target="app")
def cookie_crumbs(arena: Arena) -> None:
    """Ninety crumbs in every request."""
    crumbs = b"".join(wire.literal(b"cookie", b"crumb%d=%d" % (i, i)) for i in range(90))
    with arena.connect() as peer:
        for _ in range(arena.count(20, 500)):
            stream = peer.ask(b"/small", fields=crumbs)
            status = peer.read_answer(stream).status
            if not arena.check(status == 200, f"90 crumbs: status {status}"):
                return
        arena.check(not peer.over, f"ended by {peer.goaway}")


@attack("H2-30", "keep-alive pings")
def keep_alive_pings(arena: Arena) -> None:
    """Ten thousand at once would be the budget; a hundred a second never end a connection."""
    total = arena.count(9000, 10000)
    rate = 3000 if not arena.full else 300
    with arena.connect() as peer:
        start, sent = time.monotonic(), 0
        while sent < total and not peer.over:
            due = min(total, int((time.monotonic() - start) * rate)) - sent
            if due > 0:
                peer.write(wire.ping() * due)
                sent += due
            peer.read(0.01)
        peer.read(3.0, lambda: peer.acks[wire.PING] >= sent or peer.over)
        arena.check(peer.acks[wire.PING] == sent, f"{peer.acks[wire.PING]} of {sent} answered")
        arena.check(not peer.over, f"ended by {peer.goaway} after {sent}")
        arena.note(f"{sent} at {rate} a second")
