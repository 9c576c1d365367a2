/* A client and a server engine over a virtual network, driven by a seed: what they send is split
 * anywhere, delayed and interleaved with what their owners do. Everything is checked: bodies byte
 * by byte, outcomes, windows, memory. */
#ifndef H2_SIMULATION_H
#define H2_SIMULATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct simulation_result {
    unsigned requests, completed, cancelled, pushes, informed, trailers;
    uint64_t bytes;
    bool overtaken; /* a turn limit was hit: nothing moved any more */
};

/* Runs one schedule. Returns NULL, or what invariant was broken. */
const char *simulate(uint64_t seed, struct simulation_result *result);

#endif
