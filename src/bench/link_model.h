/* A slow link, as a function of time: when bytes that enter it now come out. Delay, loss and
 * bandwidth, the same for the same seed. No clock, no I/O.
 *
 * Bytes are cut into segments of LINK_SEGMENT. With R the round-trip time, B the bandwidth and s
 * the size of a segment, a segment that enters at t leaves at
 *
 *     d = max(t, end of the segment before it in this direction, t0 + R) + s / B
 *
 * (t0: when its connection was asked for; the handshake of TCP takes a round trip) and arrives at
 * d + R / 2. Each time it is lost, with the probability given, it is sent again a round trip later,
 * as fast retransmission does, and takes its part of the bandwidth again. A connection delivers in
 * order: a segment waits for those before it. Congestion control is not modelled. */
#ifndef BENCH_LINK_MODEL_H
#define BENCH_LINK_MODEL_H

#include "base/span.h"
#include "base/time.h"

#define LINK_SEGMENT 1460

struct link_model {
    herald_time round_trip;
    double loss;      /* from 0 to less than 1 */
    double bandwidth; /* bits a second in each direction; 0: without end */
    uint64_t seed;
};

/* One direction, shared by all connections. Zero-initialise. */
struct link_direction {
    herald_time free_at;
};

/* One direction of one connection. */
struct link_flow {
    uint64_t random;
    herald_time ready;   /* nothing leaves before */
    herald_time arrival; /* of the newest segment */
};

/* Reads "50ms,1%,20mbit": any of the three, in any order; s, ms, us; kbit, mbit, gbit. Returns 0 or
 * HERALD_ERROR_INVALID. The seed is left alone. */
int link_model_parse(struct link_model *model, struct span text);

/* `number`: of the connection and direction, for the random source. `ready`: see above. */
void link_flow_init(const struct link_model *model, struct link_flow *flow, uint64_t number,
                    herald_time ready);

/* When a segment of `length` bytes that enters now arrives. */
herald_time link_flow_send(const struct link_model *model, struct link_direction *direction,
                           struct link_flow *flow, size_t length, herald_time now);

#endif
