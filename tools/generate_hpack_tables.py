#!/usr/bin/env python3
"""Writes src/hpack/huffman_table.c and src/hpack/static_table.c from RFC 7541's appendices.

tools/generate_hpack_tables.py            write both files
tools/generate_hpack_tables.py --check    exit 1 when either differs from what would be written
"""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "src" / "hpack"

# Appendix B: the code is canonical, so the lengths say everything. Symbol 256 is EOS.
LENGTHS = [
    int(length)
    for length in """
13 23 28 28 28 28 28 28 28 24 30 28 28 30 28 28 28 28 28 28 28 28 30 28 28 28 28 28 28 28 28 28
6 10 10 12 13 6 8 11 10 10 8 11 8 6 6 6 5 5 5 6 6 6 6 6 6 6 7 8 15 6 12 10
13 6 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 8 7 8 13 19 13 14 6
15 5 6 5 6 5 6 6 6 5 7 7 6 6 6 5 6 7 6 5 5 6 7 7 7 7 7 15 11 14 13 28
20 22 20 20 22 22 22 23 22 23 23 23 23 23 24 23 24 24 22 23 24 23 23 23 23 21 22 23 22 23 23 24
22 21 20 22 22 23 23 21 23 22 22 24 21 22 23 23 21 21 22 21 23 22 23 23 20 22 22 22 23 22 22 23
26 26 20 19 22 23 22 25 26 26 26 27 27 26 24 25 19 21 26 27 27 26 27 24 21 21 26 26 28 27 27 27
20 24 20 21 22 21 21 23 22 22 25 25 24 24 26 23 26 27 26 26 27 27 27 27 27 28 27 27 27 27 27 26
30
""".split()
]
EOS = 256
WINDOW_BITS = 11

# Appendix A.
STATIC = [
    (":authority", ""),
    (":method", "GET"),
    (":method", "POST"),
    (":path", "/"),
    (":path", "/index.html"),
    (":scheme", "http"),
    (":scheme", "https"),
    (":status", "200"),
    (":status", "204"),
    (":status", "206"),
    (":status", "304"),
    (":status", "400"),
    (":status", "404"),
    (":status", "500"),
    ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"),
    ("accept-language", ""),
    ("accept-ranges", ""),
    ("accept", ""),
    ("access-control-allow-origin", ""),
    ("age", ""),
    ("allow", ""),
    ("authorization", ""),
    ("cache-control", ""),
    ("content-disposition", ""),
    ("content-encoding", ""),
    ("content-language", ""),
    ("content-length", ""),
    ("content-location", ""),
    ("content-range", ""),
    ("content-type", ""),
    ("cookie", ""),
    ("date", ""),
    ("etag", ""),
    ("expect", ""),
    ("expires", ""),
    ("from", ""),
    ("host", ""),
    ("if-match", ""),
    ("if-modified-since", ""),
    ("if-none-match", ""),
    ("if-range", ""),
    ("if-unmodified-since", ""),
    ("last-modified", ""),
    ("link", ""),
    ("location", ""),
    ("max-forwards", ""),
    ("proxy-authenticate", ""),
    ("proxy-authorization", ""),
    ("range", ""),
    ("referer", ""),
    ("refresh", ""),
    ("retry-after", ""),
    ("server", ""),
    ("set-cookie", ""),
    ("strict-transport-security", ""),
    ("transfer-encoding", ""),
    ("user-agent", ""),
    ("vary", ""),
    ("via", ""),
    ("www-authenticate", ""),
]
NAME_SLOTS = 128


def assign_codes() -> tuple[list[int], list[int]]:
    """The canonical code: (code by symbol, symbols in code order)."""
    order = sorted(range(257), key=lambda symbol: (LENGTHS[symbol], symbol))
    codes = [0] * 257
    code = 0
    previous = LENGTHS[order[0]]
    for symbol in order:
        code <<= LENGTHS[symbol] - previous
        previous = LENGTHS[symbol]
        codes[symbol] = code
        code += 1
    assert code == 1 << 30, "the code is complete"
    return codes, order


def window_entry(window: int, short: dict[tuple[int, int], int]) -> tuple[int, int, int, int]:
    """(first symbol, second symbol, how many there are, bits of all of them)."""
    symbols: list[int] = []
    used = 0
    while len(symbols) < 2:
        for length in range(5, WINDOW_BITS - used + 1):
            code = (window >> (WINDOW_BITS - used - length)) & ((1 << length) - 1)
            if (length, code) in short:
                symbols.append(short[(length, code)])
                used += length
                break
        else:
            break
    count = len(symbols)
    symbols += [0] * (2 - count)
    return symbols[0], symbols[1], count, used


def rows(items: list[str], per_line: int) -> str:
    lines = [", ".join(items[at : at + per_line]) for at in range(0, len(items), per_line)]
    return ",\n".join("    " + line for line in lines)


def huffman_file() -> str:
    codes, order = assign_codes()
    short = {
        (LENGTHS[symbol], codes[symbol]): symbol
        for symbol in range(256)
        if LENGTHS[symbol] <= WINDOW_BITS
    }
    windows = [window_entry(window, short) for window in range(1 << WINDOW_BITS)]
    long_lengths = sorted({length for length in LENGTHS if length > WINDOW_BITS})
    ranges = []
    for length in long_lengths:
        members = [symbol for symbol in order if LENGTHS[symbol] == length]
        first = codes[members[0]] << (32 - length)
        limit = (codes[members[-1]] + 1) << (32 - length)
        ranges.append((min(limit, 0xFFFFFFFF), first, order.index(members[0]), length))
    return "\n".join(
        [
            "/* Generated by tools/generate_hpack_tables.py; do not edit. */",
            "/* clang-format off */",
            '#include "hpack/huffman.h"',
            "",
            "const uint32_t hpack_huffman_codes[256] = {",
            rows([f"0x{codes[symbol]:x}" for symbol in range(256)], 8),
            "};",
            "",
            "const uint8_t hpack_huffman_lengths[256] = {",
            rows([str(LENGTHS[symbol]) for symbol in range(256)], 16),
            "};",
            "",
            "const struct hpack_huffman_window hpack_huffman_windows[1 << HPACK_HUFFMAN_WINDOW] = {",
            rows([f"{{{{{a}, {b}}}, {count}, {bits}}}" for a, b, count, bits in windows], 5),
            "};",
            "",
            "const struct hpack_huffman_range hpack_huffman_ranges[HPACK_HUFFMAN_RANGES] = {",
            rows(
                [
                    f"{{0x{limit:08x}, 0x{first:08x}, {at}, {length}}}"
                    for limit, first, at, length in ranges
                ],
                2,
            ),
            "};",
            "",
            "const uint16_t hpack_huffman_order[257] = {",
            rows([str(symbol) for symbol in order], 12),
            "};",
            "",
        ]
    )


def name_slot(name: str, factors: tuple[int, ...]) -> int:
    third, middle, last, length = factors
    value = (
        ord(name[len(name) // 3]) * third
        + ord(name[len(name) // 2]) * middle
        + ord(name[-1]) * last
        + len(name) * length
    )
    return (value ^ (value >> 7)) % NAME_SLOTS


def find_factors(names: list[str]) -> tuple[int, ...]:
    for factors in itertools.product(range(1, 48), repeat=4):
        slots: set[int] = set()
        for name in names:
            slot = name_slot(name, factors)
            if slot in slots:
                break
            slots.add(slot)
        else:
            return factors
    raise SystemExit("no perfect hash found: add a term")


def static_file() -> str:
    first_index: dict[str, int] = {}
    for index, (name, _) in enumerate(STATIC, 1):
        first_index.setdefault(name, index)
    factors = find_factors(list(first_index))
    slots = [0] * NAME_SLOTS
    for name, index in first_index.items():
        slots[name_slot(name, factors)] = index
    entries = [f'    FIELD("{name}", "{value}", {first_index[name]}),' for name, value in STATIC]
    return "\n".join(
        [
            "/* Generated by tools/generate_hpack_tables.py; do not edit. */",
            "/* clang-format off */",
            '#include "hpack/static_table.h"',
            "",
            "#define FIELD(name, value, index)                                                        \\",
            "    {{(const uint8_t *)(name), sizeof(name) - 1},                                         \\",
            "     {(const uint8_t *)(value), sizeof(value) - 1},                                       \\",
            "     false,                                                                               \\",
            "     index}",
            "",
            "const struct hpack_field hpack_static_fields[HPACK_STATIC_COUNT + 1] = {",
            "    {{NULL, 0}, {NULL, 0}, false, 0},",
            *entries,
            "};",
            "",
            f"static const uint8_t names_by_slot[{NAME_SLOTS}] = {{",
            rows([str(index) for index in slots], 16),
            "};",
            "",
            "uint8_t hpack_static_name(struct span name)",
            "{",
            "    if (name.length == 0)",
            "        return 0;",
            "    /* The factors make the slot of every name in the table its own. */",
            f"    uint32_t value = name.data[name.length / 3] * {factors[0]}u +",
            f"                     name.data[name.length / 2] * {factors[1]}u +",
            f"                     name.data[name.length - 1] * {factors[2]}u +",
            f"                     (uint32_t)name.length * {factors[3]}u;",
            f"    uint8_t index = names_by_slot[(value ^ (value >> 7)) % {NAME_SLOTS}];",
            "    return index != 0 && span_equals(hpack_static_fields[index].name, name) ? index : 0;",
            "}",
            "",
        ]
    )


def main() -> int:
    files = {"huffman_table.c": huffman_file(), "static_table.c": static_file()}
    if "--check" in sys.argv[1:]:
        stale = [name for name, text in files.items() if (FOLDER / name).read_text() != text]
        for name in stale:
            print(f"src/hpack/{name} is not what {Path(__file__).name} writes", file=sys.stderr)
        return 1 if stale else 0
    for name, text in files.items():
        (FOLDER / name).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
