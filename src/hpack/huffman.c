#include "hpack/huffman.h"
#include <endian.h>
#include <stdbool.h>
#include <string.h>

#define EOS          256
#define LONGEST_CODE 30

static inline uint64_t load_big_endian(const uint8_t *in)
{
    uint64_t value;
    memcpy(&value, in, sizeof(value));
    return be64toh(value);
}

/* The symbol whose code, longer than the window, `top` begins with; `*length` is set to that
 * code's. */
static unsigned long_symbol(uint32_t top, unsigned *length)
{
    const struct hpack_huffman_range *range = hpack_huffman_ranges;
    while (range < hpack_huffman_ranges + HPACK_HUFFMAN_RANGES - 1 && top >= range->limit)
        range++;
    *length = range->bits;
    return hpack_huffman_order[range->position + ((top - range->first) >> (32 - range->bits))];
}

/* Bits not yet decoded: `held` of them count, left-justified in `bits`. */
struct reader {
    const uint8_t *at, *end;
    uint64_t bits;
    unsigned held;
};

/* Decodes while eight bytes can be loaded at once. Bits beyond `held` in `bits` are the true ones
 * that follow, so or-ing them in again at the next load changes nothing. */
static int decode_wide(struct reader *reader, uint8_t **out, const uint8_t *limit)
{
    uint64_t bits = reader->bits;
    unsigned held = reader->held;
    uint8_t *to = *out;
    while (reader->end - reader->at >= 8) {
        bits |= load_big_endian(reader->at) >> held;
        unsigned bytes = (63 - held) >> 3;
        reader->at += bytes;
        held += bytes * 8;
        while (held >= HPACK_HUFFMAN_WINDOW) {
            const struct hpack_huffman_window *window =
                &hpack_huffman_windows[bits >> (64 - HPACK_HUFFMAN_WINDOW)];
            unsigned used = window->bits;
            if (__builtin_expect(window->count != 0, 1)) {
                memcpy(to, window->symbols, 2);
                to += window->count;
            } else {
                if (held < LONGEST_CODE)
                    break;
                unsigned symbol = long_symbol((uint32_t)(bits >> 32), &used);
                if (symbol == EOS)
                    return HERALD_ERROR_COMPRESSION;
                *to++ = (uint8_t)symbol;
            }
            bits <<= used;
            held -= used;
        }
        /* One load gives at most 12 symbols: the slack holds them. */
        if (to > limit)
            return HERALD_ERROR_LIMIT;
    }
    reader->bits = bits;
    reader->held = held;
    *out = to;
    return 0;
}

/* The last bytes, with ones behind the end so that what is left of a legal string looks like no
 * short code. */
static int decode_tail(struct reader *reader, uint8_t **out, const uint8_t *limit)
{
    for (;;) {
        while (reader->held < 56 && reader->at < reader->end) {
            reader->bits |= (uint64_t)*reader->at++ << (56 - reader->held);
            reader->held += 8;
        }
        if (reader->at == reader->end)
            reader->bits |= UINT64_MAX >> reader->held;
        const struct hpack_huffman_window *window =
            &hpack_huffman_windows[reader->bits >> (64 - HPACK_HUFFMAN_WINDOW)];
        if (window->count == 2 && window->bits <= reader->held) {
            memcpy(*out, window->symbols, 2);
            *out += 2;
            if (*out > limit)
                return HERALD_ERROR_LIMIT;
            reader->bits <<= window->bits;
            reader->held -= window->bits;
            continue;
        }
        unsigned used = hpack_huffman_lengths[window->symbols[0]];
        unsigned symbol = window->symbols[0];
        if (window->count == 0)
            symbol = long_symbol((uint32_t)(reader->bits >> 32), &used);
        if (used > reader->held)
            break;
        if (symbol == EOS)
            return HERALD_ERROR_COMPRESSION;
        *(*out)++ = (uint8_t)symbol;
        if (*out > limit)
            return HERALD_ERROR_LIMIT;
        reader->bits <<= used;
        reader->held -= used;
    }
    return reader->held < 8 && reader->bits == UINT64_MAX ? 0 : HERALD_ERROR_COMPRESSION;
}

int hpack_huffman_decode(const uint8_t *in, size_t length, uint8_t *out, size_t maximum,
                         size_t *decoded)
{
    struct reader reader = {in, in + length, 0, 0};
    uint8_t *to = out;
    int result = decode_wide(&reader, &to, out + maximum);
    if (result == 0)
        result = decode_tail(&reader, &to, out + maximum);
    *decoded = (size_t)(to - out);
    return result;
}

size_t hpack_huffman_encoded_length(const uint8_t *in, size_t length)
{
    size_t bits = 7;
    for (size_t at = 0; at < length; at++)
        bits += hpack_huffman_lengths[in[at]];
    return bits / 8;
}

uint8_t *hpack_huffman_encode(const uint8_t *in, size_t length, uint8_t *out)
{
    uint64_t bits = 0;
    unsigned held = 0;
    for (size_t at = 0; at < length; at++) {
        unsigned used = hpack_huffman_lengths[in[at]];
        bits = bits << used | hpack_huffman_codes[in[at]];
        held += used;
        if (held >= 32) {
            held -= 32;
            uint32_t word = htobe32((uint32_t)(bits >> held));
            memcpy(out, &word, sizeof(word));
            out += sizeof(word);
        }
    }
    for (; held >= 8; held -= 8)
        *out++ = (uint8_t)(bits >> (held - 8));
    if (held > 0)
        *out++ = (uint8_t)(bits << (8 - held) | 0xff >> held);
    return out;
}
