"""Field blocks: CONTINUATION floods, what HPACK can blow up, and what it must refuse.

H2-03 to H2-07, H2-15, H2-25.
"""

from __future__ import annotations

import os
import random
import socket
import ssl
import struct
import time
from collections.abc import Callable, Iterable, Iterator

import wire
from resets import batches
from rig import MIB, Arena, attack

CONTINUATIONS = 8  # limit
HEAD = wire.request_block(b"/small")
INDEX = 62  # the newest entry of the dynamic table


def continuation_flood(first: bytes, piece: bytes, stream: int = 1) -> Iterator[bytes]:
    yield wire.frame(wire.HEADERS, wire.END_STREAM, stream, first)
    batch = wire.frame(wire.CONTINUATION, 0, stream, piece) * max(1, 32768 // (len(piece) + 9))
    while True:
        yield batch


BIG_PIECE = wire.literal(b"filler", b"f" * 16000)
CONTINUATION_PIECES = {
    "empty": (HEAD, b""),
    "one byte": (HEAD + b"\x00\x7f\xff\xff\x7f", b"a"),  # within a name of a megabyte
    "full": (HEAD, BIG_PIECE),
    "after an invalid field": (HEAD + wire.literal(b"Upper", b"x"), wire.literal(b"a", b"b")),
    "references": (HEAD, b"\x82" * 16000),
}


def _continuation(name: str, first: bytes, piece: bytes) -> None:
    @attack("H2-03", f"continuation flood {name}", peers=name in ("empty", "full"))
    def run(arena: Arena) -> None:
        codes = (wire.ENHANCE_YOUR_CALM, wire.COMPRESSION_ERROR)
        arena.flood(lambda: continuation_flood(first, piece), codes=codes, polite=False)


for _name, (_first, _piece) in CONTINUATION_PIECES.items():
    _continuation(_name, _first, _piece)


@attack("H2-03", "the ninth continuation")
def the_ninth_continuation(arena: Arena) -> None:
    pieces = [wire.literal(b"x-%d" % i, b"v") for i in range(CONTINUATIONS)]
    start = wire.frame(wire.HEADERS, wire.END_STREAM, 1, HEAD)
    middle = b"".join(wire.frame(wire.CONTINUATION, 0, 1, piece) for piece in pieces[:-1])
    with arena.connect(polite=False) as peer:
        last = wire.frame(wire.CONTINUATION, wire.END_HEADERS, 1, pieces[-1])
        peer.write(start + middle + last)
        answer = peer.read_answer(1)
        arena.check(answer.status == 200, f"eight CONTINUATION frames: status {answer.status}")
    with arena.connect(polite=False) as peer:
        peer.write(start + middle + wire.frame(wire.CONTINUATION, 0, 1, pieces[-1]))
        peer.read(0.2)
        arena.check(not peer.over, "closed before the ninth CONTINUATION frame")
        peer.write(wire.frame(wire.CONTINUATION, 0, 1, b""))
        arena.ended(peer, [wire.ENHANCE_YOUR_CALM], "the ninth CONTINUATION frame")


def with_block(block: bytes, stream: int = 1, end: bool = True) -> bytes:
    """A request whose block takes as many frames as it needs."""
    pieces = [block[i : i + 16384] for i in range(0, len(block), 16384)] or [b""]
    out = bytearray()
    for i, piece in enumerate(pieces):
        flags = wire.END_HEADERS if i + 1 == len(pieces) else 0
        if i == 0:
            flags |= wire.END_STREAM if end else 0
        out += wire.frame(wire.CONTINUATION if i else wire.HEADERS, flags, stream, piece)
    return bytes(out)


ENTRY = wire.literal(b"b", b"v" * 4000, indexed=True)  # fills the table


@attack("H2-04", "size bomb", memory=4 * MIB)
def size_bomb(arena: Arena) -> None:
    with arena.connect() as peer:
        peer.write(with_block(HEAD + ENTRY + wire.reference(INDEX) * 30))
        answer = peer.read_answer(1)
        arena.check(answer.status == 431, f"120 KiB of fields: status {answer.status}, not 431")
        peer.write(wire.request(3, HEAD))  # the table is still in step
        arena.check(peer.read_answer(3).status == 200, "a good request after 431 fails")
    end = time.monotonic() + arena.seconds
    while time.monotonic() < end:
        with arena.connect() as peer:
            peer.write(with_block(HEAD + ENTRY + wire.reference(INDEX) * 4000))
            arena.ended(peer, [wire.ENHANCE_YOUR_CALM, wire.COMPRESSION_ERROR], "16 MiB of fields")
        time.sleep(0.02)


# What a bomb stuffs a request with, within the limits of a field list.
BOMBS: dict[str, Callable[[], tuple[bytes, bytes]]] = {
    # what goes once into the table, what a request then is
    "short references": lambda: (wire.literal(b"a", b"", indexed=True), HEAD + b"\xbe" * 250),
    "empty cookies": lambda: (wire.literal(b"cookie", b"", indexed=True), HEAD + b"\xbe" * 250),
    "long cookies": lambda: (
        wire.literal(b"cookie", b"c" * 4000, indexed=True),
        HEAD + b"\xbe" * 15,
    ),
    "long values": lambda: (ENTRY, HEAD + b"\xbe" * 15),
}


def _bomb(name: str, make: Callable[[], tuple[bytes, bytes]]) -> None:
    options = ("--limit", "stall_grace=1", "--limit", "stall_timeout=2")

    @attack("H2-05", f"bomb of {name}", memory=16 * MIB, options=options)
    def run(arena: Arena) -> None:
        prime, block = make()
        block = block.replace(b"/small", b"/large")
        greeting = ((wire.HEADER_TABLE_SIZE, 0), (wire.INITIAL_WINDOW_SIZE, 0))
        before = arena.target.resident()
        peers = [arena.connect(greeting=greeting) for _ in range(4)]
        wire_bytes = 0
        for peer in peers:
            peer.write(wire.request(1, HEAD + prime))
            for i in range(1, 100):
                peer.write(with_block(block, 2 * i + 1))
            wire_bytes += peer.sent
        time.sleep(0.2)
        held = max(0, arena.target.resident() - before)
        arena.note(f"{held / MIB:.1f} MiB held for {wire_bytes / 1024:.0f} KiB sent")
        end = time.monotonic() + 8
        while time.monotonic() < end and not all(_is_free(peer) for peer in peers):
            for peer in peers:
                for stream in [s for s, answer in peer.answers.items() if not answer.done]:
                    peer.write(wire.window_update(stream, 1), 0.5)
                peer.read(0.1)
        arena.check(all(_is_free(peer) for peer in peers), "streams are held past the stall limit")
        for peer in peers:
            peer.__exit__()


def _is_free(peer: wire.Peer) -> bool:
    return peer.over or all(answer.done for answer in peer.answers.values())


for _bomb_name, _make in BOMBS.items():
    _bomb(_bomb_name, _make)


@attack("H2-05", "too many fields")
def too_many_fields(arena: Arena) -> None:
    crumb = wire.literal(b"cookie", b"a=b")
    cases = {"fields": wire.literal(b"a", b""), "cookie crumbs": crumb}
    for name, one in cases.items():
        with arena.connect() as peer:
            peer.write(with_block(HEAD + one * 900))
            answer = peer.read_answer(1)
            good = answer.status == 431 or peer.over
            arena.check(good, f"900 {name}: status {answer.status}, not 431")
    with arena.connect() as peer:
        peer.write(with_block(wire.request_block(b"/small", b"POST"), end=False))
        peer.write(with_block(wire.literal(b"a", b"") * 900))
        peer.read(1.0, lambda: peer.answer(1).done or peer.over)
        good = peer.answer(1).reset is not None or peer.over or peer.answer(1).status >= 400
        arena.check(good, "900 trailers are taken")


@attack("H2-05", "a browser's cookies", target="app")
def a_browsers_cookies(arena: Arena) -> None:
    """No attack: 150 crumbs and 30 fields."""
    fields = b"".join(wire.literal(b"x-field-%d" % i, b"value" * 5) for i in range(30))
    crumbs = b"".join(wire.literal(b"cookie", b"crumb%d=%d" % (i, i * i)) for i in range(150))
    with arena.connect() as peer:
        peer.write(with_block(HEAD + fields + crumbs))
        answer = peer.read_answer(1)
        arena.check(answer.status == 200, f"150 crumbs and 30 fields: status {answer.status}")


def huffman(octets: bytes, code: int, bits: int) -> bytes:
    """A literal whose value is octets of one and the same Huffman code."""
    number, length = 0, bits * len(octets)
    for _ in octets:
        number = number << bits | code
    padding = -length % 8
    number = number << padding | ((1 << padding) - 1)
    value = number.to_bytes((length + padding) // 8, "big")
    return b"\x00\x01h" + wire.integer(len(value), 7, 0x80) + value


# Codes of RFC 7541 appendix B: "0" has five bits, 0xff twenty-six.
HUFFMAN_KINDS = {
    "plain": wire.literal(b"h", b"a" * 4000),
    "short codes": huffman(b"0" * 6000, 0x0, 5),
    "long codes": huffman(b"\xff" * 1200, 0x3FFFFEE, 26),
}


@attack("H2-06", "Huffman worst case")
def huffman_worst_case(arena: Arena) -> None:
    costs = {}
    for name, one in HUFFMAN_KINDS.items():
        block = HEAD + one * 3
        with arena.connect() as peer:
            cpu, sent, stream = arena.target.cpu_seconds(), peer.sent, 1
            end = time.monotonic() + arena.seconds / 3
            while time.monotonic() < end and not peer.over:
                batch = b"".join(wire.request(stream + 2 * i, block) for i in range(50))
                peer.write(batch)
                last = stream + 98
                peer.read(2.0, lambda last=last: peer.answer(last).done or peer.over)
                stream += 100
            arena.check(peer.answer(1).done, f"{name}: no answer")
            arena.check(not peer.over, f"{name}: the connection was closed")
            spent = arena.target.cpu_seconds() - cpu
            costs[name] = spent * 1e9 / max(1, peer.sent - sent)
            arena.record.bytes_sent += peer.sent
    arena.note(", ".join(f"{name} {cost:.0f} ns a byte" for name, cost in costs.items()))


@attack("H2-07", "table rules")
def table_rules(arena: Arena) -> None:
    updates = wire.size_update(0) + wire.size_update(4096)
    good = {"two size updates": updates, "size update to 0": wire.size_update(0)}
    for name, prefix in good.items():
        with arena.connect() as peer:
            peer.write(wire.request(1, prefix + HEAD))
            arena.check(peer.read_answer(1).status == 200, f"{name}: refused")
    bad = {
        "size over the setting": wire.size_update(1 << 20) + HEAD,
        "size update after a field": HEAD + wire.size_update(0),
        "index past the table": HEAD + wire.reference(120),
        "index 0": HEAD + b"\x80",
        "integer without end": HEAD + b"\x7f" + b"\xff" * 20 + b"\x7f",
        "string past the block": HEAD + b"\x00\x7fabc",
        "EOS in a string": HEAD + b"\x00\x01a\x84\xff\xff\xff\xff",
        "long padding in a string": HEAD + b"\x00\x01a\x82\x07\xff",
    }
    for name, block in bad.items():
        with arena.connect() as peer:
            peer.write(wire.request(1, block))
            arena.ended(peer, [wire.COMPRESSION_ERROR], name)


@attack("H2-07", "table thrash")
def table_thrash(arena: Arena) -> None:
    """Each request resizes the table twice and throws all of it out with one insertion."""
    block = wire.size_update(0) + wire.size_update(4096) + HEAD + ENTRY
    with arena.connect() as peer:
        cpu, stream, end = arena.target.cpu_seconds(), 1, time.monotonic() + arena.seconds
        while time.monotonic() < end and not peer.over:
            batch = b"".join(wire.request(stream + 2 * i, block) for i in range(50))
            peer.write(batch)
            last = stream + 98
            peer.read(2.0, lambda last=last: peer.answer(last).done or peer.over)
            stream += 100
        spent = arena.target.cpu_seconds() - cpu
        arena.check(not peer.over, "a legal use of the table was ended")
        arena.note(f"{spent * 2e6 / stream:.1f} µs a request")
        arena.record.bytes_sent += peer.sent


EMPTY_NAME = HEAD + wire.literal(b"", b"x")


@attack("H2-15", "empty names", memory=4 * MIB)
def empty_names(arena: Arena) -> None:
    with arena.connect() as peer:
        peer.write(wire.request(1, EMPTY_NAME))
        answer = peer.read_answer(1)
        good = answer.reset == wire.PROTOCOL_ERROR or answer.status == 400
        arena.check(good, f"an empty name: status {answer.status}, reset {answer.reset}")
    many = HEAD + wire.literal(b"", b"") * 200
    arena.flood(lambda: batches(lambda stream: wire.request(stream, many)))


def random_blocks(random_source: random.Random) -> Iterable[bytes]:
    for stream in range(1, 200, 2):
        size = random_source.choice((0, 1, 5, 40, 400))
        flags = random_source.choice((wire.END_HEADERS, wire.END_HEADERS | wire.END_STREAM, 0))
        yield wire.frame(wire.HEADERS, flags, stream, random_source.randbytes(size))


@attack("H2-25", "malformed blocks and abrupt ends")
def malformed_blocks(arena: Arena) -> None:
    """Over TLS and in cleartext, with a TCP reset in the middle."""
    seed = int.from_bytes(os.urandom(4), "big")
    arena.note(f"seed {seed}")
    source = random.Random(seed)
    context = tls_context() if arena.target.is_herald else None
    end = time.monotonic() + arena.seconds
    while time.monotonic() < end:
        tls = context is not None and source.random() < 0.5
        port = arena.target.tls_port if tls else arena.target.port
        arena.record.connections += 1
        with wire.Peer(port, context=context if tls else None) as peer:
            peer.flood(random_blocks(source), 0.3)
            linger = struct.pack("ii", 1, 0)
            peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    arena.check(arena.target.alive(), "the worker is gone")


def tls_context() -> ssl.SSLContext:

    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    return context
