/* When the requests of an open loop are due: at even distances, whatever the server does. A request
 * that cannot go out when it is due stays due since then, so that its latency counts the wait
 * (no coordinated omission). No clock: time is an argument. */
#ifndef BENCH_SCHEDULE_H
#define BENCH_SCHEDULE_H

#include "base/time.h"
#include <stdbool.h>

struct schedule {
    herald_time start;
    double interval; /* nanoseconds between two of this schedule */
    double offset;   /* of the first, nanoseconds after start */
    uint64_t next;   /* number of the next one, from 0 */
    uint64_t limit;  /* how many there are in all */
};

/* Schedule `part` of `parts` that together make `rate` a second from `start` on: number i of this
 * one is due at start + (i * parts + part) / rate seconds. `limit` of this part. */
void schedule_init(struct schedule *schedule, herald_time start, double rate, unsigned part,
                   unsigned parts, uint64_t limit);

/* When number `index` is due. */
herald_time schedule_due(const struct schedule *schedule, uint64_t index);

/* True when there is another one and it is due by `now`; `*due` is since when. It is still there
 * until schedule_take. */
bool schedule_is_due(const struct schedule *schedule, herald_time now, herald_time *due);
void schedule_take(struct schedule *schedule);

/* When the next one is due, or HERALD_NEVER after the last. */
herald_time schedule_next(const struct schedule *schedule);

/* How many were due by `now`, taken or not. */
uint64_t schedule_count_due(const struct schedule *schedule, herald_time now);

#endif
