/* One thread of the load generator: its loop, its connections, its share of the requests. Files:
 * worker.c (phases and end), pace.c (which request goes out when), connection.c (one connection),
 * request.c (one request and its pushes). */
#ifndef BENCH_WORKER_H
#define BENCH_WORKER_H

#include "bench/bench.h"
#include "bench/schedule.h"
#include "client/client.h"
#include "net/link.h"
#include <uv.h>

enum worker_phase {
    WORKER_CONNECTING, /* until all connections stand or have failed */
    WORKER_RUNNING,
    WORKER_DRAINING, /* no new requests */
    WORKER_ENDING    /* connections close */
};

struct worker {
    const struct bench_config *config;
    unsigned index; /* from 0 */
    struct limits limits;
    struct loop *loop;
    struct tls_context *tls;
    struct bench_tally tally;
    enum worker_phase phase;
    int result; /* of the thread */

    struct list connections; /* of struct connection by node */
    struct list open;        /* of struct connection by open_node: with room for a request */
    struct list spare;       /* of struct request: not in use */
    struct list again;       /* of struct request: refused, to be sent again */
    size_t connection_count, opening;
    unsigned connection_numbers;
    uint64_t in_flight;
    uint64_t left;          /* closed loop: requests not yet taken, `pool` among them */
    uint64_t pool;          /* requests that any connection may take */
    uint64_t promises_open; /* pushed responses under way */

    struct schedule schedule; /* open loop */
    herald_time free_since;   /* open loop: when there was room again; 0: there was all along */
    int alarm;                /* timerfd of the schedule, or -1 */
    uv_poll_t alarm_poll;
    bool alarm_open;

    struct loop_work begin, pace;
    struct loop_timer timer; /* of the phase */
    herald_time cpu_start;
    struct loop_task stop_task;

    uint64_t shown_completed, shown_failed; /* atomic: read by other threads */
};

struct connection {
    struct worker *worker;
    struct link *link;
    struct list node, open_node;
    struct list requests; /* of struct request by node: under way */
    struct loop_work work;
    struct link_timing timing;
    unsigned number;
    unsigned in_flight, room; /* room: how many at once */
    uint64_t quota;           /* requests of its own still to take */
    uint64_t served;
    bool stands; /* takes requests */
    bool was_open, retired;
};

struct request {
    struct list node;
    struct connection *connection;
    struct exchange *exchange;
    void *digest; /* gnutls_hash_hd_t, kept from one use to the next, or NULL */
    herald_time due;
    unsigned attempts;
    bool has_hint;
};

/* worker.c */

/* The thread's function: fills worker->result and worker->tally. `config`, `index` and `loop` are
 * set, all else is zero. */
void worker_run(struct worker *worker);

/* After the thread has ended: the loop and all memory but the worker's own. */
void worker_free(struct worker *worker);

/* From other threads: no new requests. */
void worker_stop(struct worker *worker);

/* A connection has come to stand, or has ended. */
void worker_opened(struct worker *worker);
void worker_closed(struct worker *worker);

/* Ends the run when nothing is left to do. */
void worker_check_done(struct worker *worker);

/* Nanoseconds, read now: events of one turn of the loop are far apart when thousands of responses
 * come in at once. */
static inline herald_time worker_clock(void)
{
    return uv_hrtime();
}

/* pace.c */

void pace_init(struct worker *worker);

/* Sets what there is to send, when the measurement starts. */
int pace_start(struct worker *worker, herald_time now);
void pace_end(struct worker *worker);

/* Sends what can be sent on `connection` (closed loop) or on any (open loop). */
void pace_connection(struct connection *connection);
void pace_all(struct worker *worker);

/* Nothing more is to be sent, not even again. */
bool pace_is_done(const struct worker *worker);

/* How many of `whole` are this thread's. */
uint64_t pace_part(const struct worker *worker, uint64_t whole);

/* Open loop: what was due and has not been sent counts as unfinished. */
void pace_count_unfinished(struct worker *worker, herald_time now);

/* connection.c */

/* Starts one with `quota`. 0 or a negative code. */
int connection_start(struct worker *worker, uint64_t quota);

/* Something has changed that may let it take requests: looked at before the end of the turn. */
void connection_note(struct connection *connection);

bool connection_has_room(const struct connection *connection);
void connection_end(struct connection *connection);

/* request.c */

/* Sends a request that is due since `due` on a connection with room. Returns 0, or negative: then
 * it waits in worker->again (HERALD_ERROR_LIMIT, _REFUSED), or has failed. */
int request_send(struct connection *connection, herald_time due);
int request_send_again(struct connection *connection, struct request *request);

/* Ends those under way; their time so far is recorded. */
void requests_abandon(struct worker *worker, herald_time now);
void requests_free(struct worker *worker);

#endif
