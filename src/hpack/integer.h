/* Integers with a prefix (RFC 7541 section 5.1), up to 32 bits. */
#ifndef HPACK_INTEGER_H
#define HPACK_INTEGER_H

#include "base/err.h"
#include <stdint.h>

#define HPACK_INTEGER_BYTES 6 /* the longest encoding: prefix and five more */

enum hpack_progress {
    HPACK_COMPLETE = 0,
    HPACK_INCOMPLETE = 1 /* the input ends inside */
};

/* Reads an integer with a prefix of `prefix` bits (1 to 8) at `*at`, which is before `end`; moves
 * `*at` past it. Returns an hpack_progress, or HERALD_ERROR_COMPRESSION for one that needs more
 * than 32 bits. */
static inline int hpack_read_integer(const uint8_t **at, const uint8_t *end, unsigned prefix,
                                     uint32_t *value)
{
    uint32_t mask = (1u << prefix) - 1;
    uint64_t sum = *(*at)++ & mask;
    if (sum == mask) {
        for (unsigned shift = 0;; shift += 7) {
            if (shift > 28)
                return HERALD_ERROR_COMPRESSION;
            if (*at == end)
                return HPACK_INCOMPLETE;
            uint8_t byte = *(*at)++;
            sum += (uint64_t)(byte & 0x7f) << shift;
            if ((byte & 0x80) == 0)
                break;
        }
    }
    if (sum > UINT32_MAX)
        return HERALD_ERROR_COMPRESSION;
    *value = (uint32_t)sum;
    return HPACK_COMPLETE;
}

/* Writes `value` with the bits above the prefix taken from `pattern`; returns where it ends, at
 * most HPACK_INTEGER_BYTES on. */
static inline uint8_t *hpack_write_integer(uint8_t *out, uint8_t pattern, unsigned prefix,
                                           uint32_t value)
{
    uint32_t mask = (1u << prefix) - 1;
    if (value < mask) {
        *out++ = (uint8_t)(pattern | value);
        return out;
    }
    *out++ = (uint8_t)(pattern | mask);
    for (value -= mask; value >= 0x80; value >>= 7)
        *out++ = (uint8_t)(value | 0x80);
    *out++ = (uint8_t)value;
    return out;
}

#endif
