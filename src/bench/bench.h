/* The load generator: many requests of one kind to one server, closed loop (a new request when an
 * old one has ended) or open loop (at a rate, whatever the server does), over several threads with
 * a loop each. It stands on links and engines directly: no pool, no queue, no repetition, except of
 * requests that the server provably has not processed. */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include "bench/tally.h"
#include "client/client.h"
#include "net/tls.h"
#include <signal.h>

#define BENCH_THREADS_MAXIMUM     64
#define BENCH_CONNECTIONS_MAXIMUM 100000
#define BENCH_STREAMS_MAXIMUM     10000
#define BENCH_SHA256_SIZE         32

enum bench_push { BENCH_PUSH_ACCEPT, BENCH_PUSH_REFUSE, BENCH_PUSH_OFF };

struct bench_progress {
    herald_time elapsed; /* since bench_run was called */
    uint64_t completed, failed;
    double share; /* of the work, from 0 to 1 */
};

/* All pointers outlive the run. Counts are at least 1 unless said otherwise. */
struct bench_config {
    const struct engine *const *engines; /* offered by ALPN in this order; cleartext: the first */
    size_t engine_count;
    const char *host; /* to connect to */
    uint16_t port;
    const char *unix_path;               /* instead, or NULL */
    const char *server_name;             /* for TLS */
    const struct tls_client_config *tls; /* NULL: cleartext. Each thread makes its own context */
    const struct message *request;
    struct span body;
    unsigned connections, streams; /* streams: requests under way on a multiplexed connection */
    unsigned threads;              /* at most `connections` */
    uint64_t requests;             /* in all; 0: no such bound */
    herald_time duration;          /* 0: no such bound. One of the two is needed */
    double rate;                   /* requests a second in all; 0: closed loop */
    herald_time drain;             /* waited at the end for what is under way */
    herald_time connect_timeout;
    bool share;         /* connections take requests from one pool, not an equal part each */
    bool count_connect; /* time starts with the connections, not once they all stand */
    enum bench_push push;
    unsigned check_status; /* 0: any status is right */
    const uint8_t *check_sha256;
    uint64_t seed;
    void (*progress)(void *user, const struct bench_progress *progress); /* or NULL */
    void *user;
    const volatile sig_atomic_t *stop; /* not 0: no new requests, and an end soon. Or NULL */
};

/* Runs to the end; blocks the calling thread, which calls `progress` five times a second. Returns
 * 0 with `tally` filled (whatever the server did), HERALD_ERROR_NOMEM, _IO, _TLS (no context), or
 * _INVALID when the request cannot be sent. */
int bench_run(const struct bench_config *config, struct bench_tally *tally);

#endif
