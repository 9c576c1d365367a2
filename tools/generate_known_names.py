#!/usr/bin/env python3
"""Writes src/http/known_names_table.h: the field names the program knows and a perfect hash of them.

Run after changing NAMES: python3 tools/generate_known_names.py > src/http/known_names_table.h
"""

from __future__ import annotations

import random
import sys

# RFC 7541 appendix A from index 15 on, in its order: the numbers are the static table's indices.
STATIC = """
accept-charset accept-encoding accept-language accept-ranges accept access-control-allow-origin age
allow authorization cache-control content-disposition content-encoding content-language
content-length content-location content-range content-type cookie date etag expect expires from host
if-match if-modified-since if-none-match if-range if-unmodified-since last-modified link location
max-forwards proxy-authenticate proxy-authorization range referer refresh retry-after server
set-cookie strict-transport-security transfer-encoding user-agent vary via www-authenticate
""".split()
STATIC_FIRST = 15

OTHERS = """
accept-push-policy access-control-allow-credentials access-control-allow-headers
access-control-allow-methods access-control-max-age access-control-request-headers
access-control-request-method alt-svc alt-used authentication-info cache-digest capsule-protocol
connection content-digest content-md5 content-security-policy digest dnt early-data forwarded
http2-settings idempotency-key keep-alive last-event-id origin pragma priority
proxy-authentication-info proxy-connection proxy-status purpose push-policy repr-digest sec-ch-ua
sec-ch-ua-mobile sec-ch-ua-platform sec-fetch-dest sec-fetch-mode sec-fetch-site sec-fetch-user
sec-websocket-accept sec-websocket-extensions sec-websocket-key sec-websocket-protocol
sec-websocket-version server-timing surrogate-control te timing-allow-origin traceparent trailer
upgrade upgrade-insecure-requests want-content-digest want-repr-digest x-content-type-options
x-forwarded-for x-forwarded-host x-forwarded-port x-forwarded-proto x-frame-options x-http2-push
x-powered-by x-push x-real-ip x-request-id x-requested-with x-xss-protection
""".split()

SLOTS = 1024


def hash_name(name: bytes, factors: tuple[int, ...]) -> int:
    length = len(name)
    parts = (length, name[0], name[length - 1], name[length // 2], name[length - 2])
    total = sum(part * factor for part, factor in zip(parts, factors, strict=True))
    return (total & 0xFFFF) >> 6


def find_factors(names: list[str]) -> tuple[int, ...]:
    source = random.Random(1)
    encoded = [name.encode() for name in names]
    while True:
        factors = tuple(source.randrange(1, 65536, 2) for _ in range(5))
        if len({hash_name(name, factors) for name in encoded}) == len(encoded):
            return factors


def main() -> None:
    names = STATIC + sorted(OTHERS)
    factors = find_factors(names)
    out = sys.stdout.write
    out("/* Written by tools/generate_known_names.py. */\n")
    out("/* clang-format off */\n#define KNOWN_NAMES(X) \\\n")
    lines = []
    for number, name in enumerate(names, STATIC_FIRST):
        constant = "KNOWN_" + name.upper().replace("-", "_")
        lines.append(f'    X({number}, {constant}, "{name}")')
    out(" \\\n".join(lines) + "\n\n")
    out(f"#define KNOWN_NAME_SLOTS {SLOTS}\n")
    for label, factor in zip(
        ("LENGTH", "FIRST", "LAST", "MIDDLE", "PENULTIMATE"), factors, strict=True
    ):
        out(f"#define KNOWN_NAME_{label}_FACTOR {factor}u\n")
    out("\n#define KNOWN_NAME_SLOT_VALUES \\\n")
    slots = [
        f"    [{hash_name(name.encode(), factors)}] = {number}"
        for number, name in enumerate(names, STATIC_FIRST)
    ]
    out(", \\\n".join(slots) + "\n/* clang-format on */\n")


if __name__ == "__main__":
    main()
