/* The Huffman code of RFC 7541 section 5.2 and appendix B. */
#ifndef HPACK_HUFFMAN_H
#define HPACK_HUFFMAN_H

#include "base/err.h"
#include <stddef.h>
#include <stdint.h>

#define HPACK_HUFFMAN_WINDOW 11 /* bits looked up at once */
#define HPACK_HUFFMAN_RANGES 15 /* code lengths beyond the window */
#define HPACK_HUFFMAN_SLACK                                                                        \
    16 /* bytes beyond the decoded length that the decoder may scribble on */

/* One or two symbols that the next HPACK_HUFFMAN_WINDOW bits begin with; count 0: a longer code. */
struct hpack_huffman_window {
    uint8_t symbols[2];
    uint8_t count;
    uint8_t bits; /* of all `count` codes */
};

/* The codes of one length, as the top of 32 bits: [first, limit). */
struct hpack_huffman_range {
    uint32_t limit;
    uint32_t first;
    uint16_t position; /* of the first one's symbol in hpack_huffman_order */
    uint8_t bits;
};

extern const uint32_t hpack_huffman_codes[256];
extern const uint8_t hpack_huffman_lengths[256];
extern const struct hpack_huffman_window hpack_huffman_windows[1 << HPACK_HUFFMAN_WINDOW];
extern const struct hpack_huffman_range hpack_huffman_ranges[HPACK_HUFFMAN_RANGES];
extern const uint16_t hpack_huffman_order[257];

/* Bounds of the decoded length of `length` encoded bytes: codes are 5 to 30 bits long, less up to 7
 * bits of padding. */
static inline size_t hpack_huffman_decoded_most(size_t length)
{
    return length / 5 * 8 + length % 5 * 8 / 5;
}

static inline size_t hpack_huffman_decoded_least(size_t length)
{
    return length == 0 ? 0 : (length - 1) / 15 * 4;
}

/* Expands `length` bytes into `out`, at most `maximum` bytes; `out` has room for the smaller of
 * `maximum` and hpack_huffman_decoded_most(length), and HPACK_HUFFMAN_SLACK more. Linear in
 * `length`. Returns 0 with `*decoded` set, HERALD_ERROR_COMPRESSION (EOS in the string, padding
 * longer than 7 bits or not of ones) or HERALD_ERROR_LIMIT. */
int hpack_huffman_decode(const uint8_t *in, size_t length, uint8_t *out, size_t maximum,
                         size_t *decoded);

/* The encoded length of `length` bytes. */
size_t hpack_huffman_encoded_length(const uint8_t *in, size_t length);

/* Writes the encoded bytes, hpack_huffman_encoded_length of them, and returns where they end. */
uint8_t *hpack_huffman_encode(const uint8_t *in, size_t length, uint8_t *out);

#endif
