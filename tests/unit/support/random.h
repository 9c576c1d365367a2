/* A seeded generator for property tests: the same seed gives the same run everywhere. */
#ifndef SUPPORT_RANDOM_H
#define SUPPORT_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* xorshift64*; `state` is not 0. */
static inline uint64_t random_next(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(0x2545f4914f6cdd1d);
}

/* 0 <= result < bound; `bound` is not 0. */
static inline size_t random_below(uint64_t *state, size_t bound)
{
    return (size_t)((random_next(state) >> 16) % bound);
}

#endif
