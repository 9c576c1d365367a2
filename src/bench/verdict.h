/* Whether the figures may be believed: was the load generator itself the limit, and was the rate of
 * an open loop met. */
#ifndef BENCH_VERDICT_H
#define BENCH_VERDICT_H

#include "bench/tally.h"
#include <stdbool.h>

#define VERDICT_BUSY      0.90 /* of a core, by one thread */
#define VERDICT_LAG       0.01 /* of the schedule's length, or of all requests */
#define VERDICT_OWN_DELAY 0.10 /* of the latencies */

struct verdict {
    bool cpu_bound; /* tally.busiest > VERDICT_BUSY */
    bool open_loop;
    double sent_rate; /* requests a second sent, in an open loop */
    /* How far behind its schedule the last request was sent: (sending - planned) / planned, where
     * planned = (due - 1) / rate. */
    double lag;
    /* Of the summed latencies, the part that requests waited because the generator looked late. */
    double own_delay;
    bool delayed;  /* own_delay > VERDICT_OWN_DELAY */
    bool rate_met; /* open loop: all due were sent, lag <= VERDICT_LAG, and failed + unfinished <=
                      VERDICT_LAG * due, and not cpu_bound */
};

/* `rate` 0: a closed loop. */
struct verdict verdict_of(const struct bench_tally *tally, double rate);

#endif
