/* What was counted and measured: one for each thread, added up at the end. */
#ifndef BENCH_TALLY_H
#define BENCH_TALLY_H

#include "base/time.h"
#include "bench/histogram.h"
#include <stddef.h>

#define BENCH_ERROR_SIZE 256
#define BENCH_STATUSES   1000

/* Zero-initialise. */
struct bench_tally {
    /* Times of requests. In an open loop they count from when the request was due, else from when
     * it was handed to its connection. */
    struct histogram latency;    /* complete responses, and for unfinished ones the time waited */
    struct histogram first_byte; /* the final head */
    struct histogram hint;       /* the first 103 */
    struct histogram push;       /* from the promise to the end of the pushed response */
    struct histogram connect;    /* name, connection and TLS of each connection */
    struct histogram lag; /* open loop: how long the generator itself let due requests wait */

    uint64_t sent;       /* handed to a connection, repetitions left out */
    uint64_t completed;  /* with a whole response of any status */
    uint64_t failed;     /* reset, cut off, refused for good */
    uint64_t unfinished; /* not complete when the time was over, or never sent though due */
    uint64_t repeated;   /* after a provable refusal */
    uint64_t status[BENCH_STATUSES];
    uint64_t status_wrong, body_wrong; /* of completed ones */
    uint64_t informational, hints;     /* all 1xx, and 103 among them */
    uint64_t promises, pushes, push_failures;
    uint64_t push_bytes;
    uint64_t body_bytes, wire_in, wire_out;
    uint64_t connections, connections_http1, connections_http2; /* that came to stand */
    uint64_t connect_failures, connections_lost;                /* lost: ended while needed */
    uint64_t due;                                               /* open loop: by the schedule */

    herald_time start, end;       /* of the measurement; end: the last event of a request */
    herald_time sending;          /* open loop: from start to the last request sent */
    herald_time cpu;              /* of all threads between start and end */
    double busiest;               /* the largest share of a core that one thread used */
    char error[BENCH_ERROR_SIZE]; /* the first failure, or "" */
};

/* Adds `other`. */
void bench_tally_merge(struct bench_tally *tally, const struct bench_tally *other);

/* Keeps the first text. */
void bench_tally_note(struct bench_tally *tally, const char *text);

/* Seconds from start to end, at least a nanosecond. */
double bench_tally_seconds(const struct bench_tally *tally);

#endif
