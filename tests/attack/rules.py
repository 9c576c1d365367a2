"""Rules with an exact answer, and what is held open.

H2-19 to H2-21, H2-24, H2-28, H2-29, H2-31 to H2-34.
"""

from __future__ import annotations

import http.client
import ssl
import struct
import threading
import time

import wire
from rig import MIB, Arena, attack, wait_until

SMALL = wire.request_block(b"/small")


def promise() -> bytes:
    return wire.frame(wire.PUSH_PROMISE, wire.END_HEADERS, 1, struct.pack(">I", 2) + SMALL)


@attack("H2-19", "push from a client", peers=True)
def push_from_a_client(arena: Arena) -> None:
    cases = {
        "PUSH_PROMISE": wire.request(1, SMALL, end=False) + promise(),
        "ENABLE_PUSH of 2": wire.settings((wire.ENABLE_PUSH, 2)),
    }
    for name, bad in cases.items():
        with arena.connect() as peer:
            peer.write(bad)
            arena.ended(peer, [wire.PROTOCOL_ERROR], name)


@attack("H2-20", "stream ids", peers=True)
def stream_ids(arena: Arena) -> None:
    cases = {
        "an even id": (wire.request(2, SMALL), [wire.PROTOCOL_ERROR]),
        "stream 0": (wire.request(0, SMALL), [wire.PROTOCOL_ERROR]),
        "a smaller id": (wire.request(9, SMALL) + wire.request(5, SMALL), [wire.PROTOCOL_ERROR]),
        "DATA on an idle stream": (wire.frame(wire.DATA, 0, 7, b"x"), [wire.PROTOCOL_ERROR]),
    }
    for name, (bad, codes) in cases.items():
        with arena.connect() as peer:
            peer.write(bad)
            arena.ended(peer, codes, name)
    with arena.connect() as peer:
        peer.write(wire.request(1, SMALL))
        peer.read_answer(1)
        peer.write(wire.request(1, SMALL))
        arena.ended(peer, [wire.STREAM_CLOSED, wire.PROTOCOL_ERROR], "an id used twice")


@attack("H2-20", "the last stream id")
def the_last_stream_id(arena: Arena) -> None:
    with arena.connect() as peer:
        last = wire.WINDOW_MAXIMUM
        peer.write(wire.request(last, SMALL))
        arena.check(peer.read_answer(last).status == 200, "stream 2^31-1 is not served")
        peer.read(3.0, lambda: peer.goaways or peer.closed)
        arena.check(peer.goaways or peer.closed, "no GOAWAY although the ids are used up")


@attack("H2-21", "frames over the size", memory=4 * MIB)
def frames_over_the_size(arena: Arena) -> None:
    kinds = [*range(10), wire.PRIORITY_UPDATE, 0xEE]
    for kind in kinds:
        for length in (16385, (1 << 24) - 1):
            with arena.connect() as peer:
                stream = 0 if kind in (4, 6, 7, wire.PRIORITY_UPDATE) else 1
                peer.write(
                    wire.request(1, SMALL, end=False)
                    + wire.header_only(kind, 0, stream, length)
                    + b"\0" * 64
                )
                arena.ended(peer, [wire.FRAME_SIZE_ERROR], f"type {kind:#x}, {length} bytes")
    wrong = {
        "PING of 7": wire.frame(wire.PING, 0, 0, b"1234567"),
        "SETTINGS of 5": wire.frame(wire.SETTINGS, 0, 0, b"12345"),
        "SETTINGS ACK of 6": wire.frame(wire.SETTINGS, wire.ACK, 0, b"123456"),
        "WINDOW_UPDATE of 3": wire.frame(wire.WINDOW_UPDATE, 0, 0, b"123"),
        "RST_STREAM of 5": wire.frame(wire.RST_STREAM, 0, 1, b"12345"),
        "GOAWAY of 7": wire.frame(wire.GOAWAY, 0, 0, b"1234567"),
    }
    for name, bad in wrong.items():
        with arena.connect() as peer:
            peer.write(wire.request(1, SMALL, end=False) + bad)
            arena.ended(peer, [wire.FRAME_SIZE_ERROR], name)


@attack("H2-24", "more after the end", target="app")
def more_after_the_end(arena: Arena) -> None:
    """What follows the fatal frame in the same segment is not acted on."""
    requests = b"".join(wire.request(2 * i + 3, wire.request_block(b"/slow")) for i in range(20))
    fatal = {
        "bad setting": wire.settings((wire.ENABLE_PUSH, 7)),
        "bad block": wire.request(1, b"\x80"),
        "bad size": wire.frame(wire.PING, 0, 0, b"123"),
        "window overflow": wire.window_update(0, wire.WINDOW_MAXIMUM),
        "even id": wire.request(2, SMALL),
    }
    for name, bad in fatal.items():
        arena.target.get("/clear")
        with arena.connect() as peer:
            malformed = wire.frame(wire.RST_STREAM, 0, 0, b"1") + b"\xff" * 100
            peer.write(bad + malformed + requests)
            arena.ended(peer, [], name)
            peer.read(0.05)
        seen = arena.target.statistics()["starts"]
        arena.check(seen == 0, f"{name}: {seen} requests after it were started")


SHORT_HEAD = ("--limit", "head_timeout=1", "--ssl-handshake-timeout", "1")
PREFACES = {
    "nothing": b"",
    "part of the preface": wire.PREFACE[:14],
    "no SETTINGS": wire.PREFACE,
    "part of SETTINGS": wire.PREFACE + wire.settings((4, 65535))[:12],
    "an open block": wire.PREFACE + wire.settings() + wire.frame(wire.HEADERS, 0, 1, SMALL),
}


@attack("H2-28", "preface", options=SHORT_HEAD)
def preface(arena: Arena) -> None:
    bad = {
        "another protocol": (b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", ()),
        "no settings first": (wire.PREFACE + wire.ping(), (wire.PROTOCOL_ERROR,)),
        "acknowledged first": (
            wire.PREFACE + wire.frame(wire.SETTINGS, wire.ACK, 0),
            (wire.PROTOCOL_ERROR,),
        ),
    }
    for name, (sent, codes) in bad.items():
        with arena.connect(greet=False) as peer:
            peer.write(sent)
            arena.ended(peer, codes, name)


@attack("H2-28", "slow prefaces", options=SHORT_HEAD)
def slow_prefaces(arena: Arena) -> None:
    count = arena.count(100, 2000)
    for name, sent in PREFACES.items():
        before, start = arena.target.resident(), time.monotonic()
        peers = [arena.connect(greet=False, polite=False) for _ in range(count // 5)]
        for peer in peers:
            peer.write(sent, read=False)
        held = max(0, arena.target.resident() - before) / len(peers)
        arena.note(f"{name}: {held / 1024:.1f} KiB")
        gone = wait_until(lambda: _all_over(peers), 1.0 + arena.wait(5.0))  # noqa: B023 (called here)
        took = time.monotonic() - start
        arena.check(gone, f"{name}: held longer than {took:.1f} s, the limit is 1 s")
        arena.record.closed_after = max(took, arena.record.closed_after or 0)
        for peer in peers:
            peer.__exit__()


def _all_over(peers: list[wire.Peer]) -> bool:
    for peer in peers:
        if not peer.over:
            peer.read(0.001)
    return all(peer.over for peer in peers)


@attack("H2-29", "first flight over the limit", target="app")
def first_flight(arena: Arena) -> None:
    with arena.connect(polite=False, greet=False) as peer:
        slow = wire.request_block(b"/slow")
        flight = b"".join(wire.request(2 * i + 1, slow) for i in range(150))
        peer.write(wire.PREFACE + wire.settings((wire.HEADER_TABLE_SIZE, 0)) + flight)
        peer.read(
            6.0,
            lambda: len(peer.answers) == 150 and all(a.done for a in peer.answers.values()),
        )
        good = sum(answer.status == 200 for answer in peer.answers.values())
        refused = peer.reset_codes[wire.REFUSED_STREAM]
        arena.note(f"{good} served, {refused} refused")
        arena.check((good, refused) == (100, 50), f"{good} served, {refused} refused of 150")
        arena.check(not peer.over, "the connection was ended")


@attack("H2-31", "weak ciphers")
def weak_ciphers(arena: Arena) -> None:
    suites = {
        "CBC": "AES128-SHA",
        "CBC, ECDHE": "ECDHE-ECDSA-AES128-SHA",
        "no forward secrecy": "AES128-GCM-SHA256",
    }
    for name, suite in suites.items():
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["h2"])
        context.set_ciphers(f"{suite}:@SECLEVEL=0")
        try:
            with wire.Peer(arena.target.tls_port, context=context) as peer:
                peer.read_until_over(1.0)
                selected = peer.sock.selected_alpn_protocol()  # type: ignore[attr-defined]
                bad = selected == "h2" and peer.goaway != wire.INADEQUATE_SECURITY
                arena.check(not bad, f"{name}: HTTP/2 over {suite}")
        except (ssl.SSLError, ConnectionError):
            pass  # refused in the handshake
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["h2"])
    with wire.Peer(arena.target.tls_port, context=context) as peer:
        stream = peer.ask(b"/small")
        arena.check(peer.read_answer(stream).status == 200, "TLS 1.2 with AEAD is refused")


def connect_block(*fields: bytes) -> bytes:
    return b"\x02\x07CONNECT" + b"".join(fields)


AUTHORITY = b"\x01\x09localhost"
PROTOCOL = wire.literal(b":protocol", b"websocket")


@attack("H2-32", "extended CONNECT", target="app")
def extended_connect(arena: Arena) -> None:
    with arena.connect() as peer:
        peer.read(0.2)
        announced = peer.peer_settings.get(8, 0)
        arena.note(f"SETTINGS_ENABLE_CONNECT_PROTOCOL {announced}")
        cases = {
            "unknown :protocol": connect_block(
                b"\x86\x04\x01/", AUTHORITY, wire.literal(b":protocol", b"gopher")
            ),
            "without :path": connect_block(b"\x86", AUTHORITY, PROTOCOL),
            "with GET": SMALL + PROTOCOL,
        }
        if not announced:
            cases["not announced"] = connect_block(b"\x86\x04\x01/", AUTHORITY, PROTOCOL)
        for name, block in cases.items():
            stream = peer.next_id()
            peer.write(wire.request(stream, block, end=False))
            answer = peer.read_answer(stream, 3.0)
            good = answer.reset == wire.PROTOCOL_ERROR or answer.status >= 400
            arena.check(good, f"{name}: status {answer.status}, reset {answer.reset}")
        seen = arena.target.statistics()["starts"]
        arena.check(seen == 0, f"{seen} of them reached the application")


@attack("H2-33", "CONNECT", target="app")
def plain_connect(arena: Arena) -> None:
    with arena.connect() as peer:
        cases = {
            "CONNECT": connect_block(AUTHORITY),
            "with :path": connect_block(b"\x86\x04\x01/", AUTHORITY),
            "without :authority": connect_block(),
        }
        for name, block in cases.items():
            stream = peer.next_id()
            peer.write(wire.request(stream, block, end=False))
            answer = peer.read_answer(stream, 3.0)
            good = answer.reset is not None or answer.status in (400, 405, 501)
            arena.check(good, f"{name}: status {answer.status}, reset {answer.reset}")
    connection = http.client.HTTPConnection("127.0.0.1", arena.target.port, timeout=5)
    connection.putrequest("CONNECT", "example.org:443", skip_host=True)
    connection.putheader("host", "example.org:443")
    connection.endheaders()
    answer = connection.getresponse()
    arena.check(answer.status in (400, 405, 501), f"HTTP/1.1 CONNECT: status {answer.status}")
    connection.close()
    seen = arena.target.statistics()["starts"]
    arena.check(seen == 0, f"{seen} of them reached the application")


@attack("H2-34", "old connections", options=("--limit", "connection_age=1"))
def old_connections(arena: Arena) -> None:
    """Requests without a pause over connections that are retired every second: none fails."""
    end = time.monotonic() + max(2.5, arena.seconds)
    results: list[tuple[int, int, int]] = []

    def client() -> None:
        served = failed = retired = 0
        while time.monotonic() < end:
            with wire.Peer(arena.target.port) as peer:
                while time.monotonic() < end and not peer.goaways and not peer.closed:
                    stream = peer.ask(b"/small")
                    answer = peer.read_answer(stream)
                    refused = peer.goaways and stream > peer.goaways[-1][0]
                    if answer.ended and answer.status == 200 and answer.length == 1024:
                        served += 1
                    elif not refused:
                        failed += 1
                retired += bool(peer.goaways)
                if peer.goaways and peer.goaways[0] != (wire.WINDOW_MAXIMUM, wire.NO_ERROR):
                    failed += 1
        results.append((served, failed, retired))

    threads = [threading.Thread(target=client) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    served, failed, retired = (sum(column) for column in zip(*results, strict=True))
    arena.note(f"{served} served over {retired} retired connections")
    arena.check(failed == 0, f"{failed} requests failed")
    arena.check(retired >= 4, f"only {retired} connections were retired")
