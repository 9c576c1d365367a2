/* The event loop of one worker: libuv, one clock reading a turn, one set of input and output
 * buffers shared by all connections, a heap of deadlines, and the list of links that have something
 * to say at the end of the turn. It runs by itself (loop_run) or inside another loop (loop_turn).
 *
 * One thread owns a loop; only loop_post may be called from others. */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include "base/heap.h"
#include "base/list.h"
#include "base/time.h"
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#define LOOP_INPUT_SIZE  (64 * 1024) /* one read takes at most this */
#define LOOP_PLAIN_SIZE  (96 * 1024) /* one read and a record begun before it, decrypted */
#define LOOP_OUTPUT_SIZE (64 * 1024) /* one pass of a link sends at most this, before TLS */
#define LOOP_SEALED_SIZE (96 * 1024) /* the same with record headers and tags */

/* Work handed over from another thread. The memory is the poster's until `run` has been called. */
struct loop_task {
    struct loop_task *next; /* the loop's */
    void (*run)(struct loop_task *task);
};

/* A deadline. Zero-initialise, set `expired`; lives in its owner. */
struct loop_timer {
    struct heap_node node;
    void (*expired)(struct loop_timer *timer, herald_time now);
};

/* Work for the end of the present turn. Initialise with loop_work_init; lives in its owner. */
struct loop_work {
    struct list node;
    void (*run)(struct loop_work *work, herald_time now);
};

struct loop {
    uv_loop_t *uv;
    herald_time now; /* of the present turn; outside of a turn use loop_now */
    void *user;      /* the owner's */

    /* Shared by the links of this loop; contents mean nothing between two calls. */
    uint8_t *input, *plain, *output, *sealed;
    unsigned handshakes; /* steps still allowed in this turn */

    struct loop_private *private;
};

/* `*loop` is valid only after 0. Returns 0, HERALD_ERROR_NOMEM or HERALD_ERROR_IO. */
int loop_create(struct loop **loop);

/* Runs until loop_stop, or until nothing is left that could wake it. Returns 0, or
 * HERALD_ERROR_IO. */
int loop_run(struct loop *loop);

/* From within a turn or before loop_run: the turn is finished, then loop_run returns. */
void loop_stop(struct loop *loop);

/* Close listeners and links first: libuv handles that are still open are closed without their
 * owners being told. Drops tasks that have not run. NULL is allowed. */
void loop_destroy(struct loop *loop);

/* Nanoseconds, monotonic: loop->now inside a turn (read at most once a turn), fresh outside. */
herald_time loop_now(struct loop *loop);

/* Thread-safe. `task->run` is called once on the loop's thread, tasks in the order of posting. */
void loop_post(struct loop *loop, struct loop_task *task);

/* Sets, moves, or with HERALD_NEVER removes the deadline. A due timer is removed before `expired`
 * is called, never before `due`, at most about 1 ms after it when the loop is not busy. Returns 0
 * or HERALD_ERROR_NOMEM (never when removing, or when moving one that is set). */
int loop_timer_set(struct loop *loop, struct loop_timer *timer, herald_time due);
void loop_timer_stop(struct loop *loop, struct loop_timer *timer);

/* Calls `run` once at the end of this turn; again before that is harmless. */
void loop_work_init(struct loop_work *work, void (*run)(struct loop_work *, herald_time));
void loop_work_add(struct loop *loop, struct loop_work *work);
void loop_work_remove(struct loop_work *work);

/* Embedding. The descriptor becomes readable when there are events, to be followed by loop_turn;
 * after each loop_turn ask for the timeout: milliseconds until loop_turn must be called even
 * without events, 0 at once, -1 never. loop_turn does not block. */
int loop_backend_fd(const struct loop *loop);
int loop_backend_timeout(const struct loop *loop);
void loop_turn(struct loop *loop);

/* Call after starting a libuv handle of one's own, or changing what it waits for: libuv tells the
 * kernel only when it polls, so an embedded loop has to poll once more. */
void loop_watch_changed(struct loop *loop);

/* Embedding: `attention` is called, on the loop's thread and at most once before the next
 * loop_turn, when work or an earlier deadline has been noted outside of a turn, so that the host
 * loop schedules a loop_turn (asyncio: call_soon). */
void loop_set_attention(struct loop *loop, void (*attention)(struct loop *, void *user),
                        void *user);

#endif
