/* Hands exchanges to a pool of application threads and carries what they do back to the loop: a
 * bounded queue, bounded buffers in both directions, blocking calls for the threads. It knows no
 * language and no loop: the owner wakes its loop.
 *
 * Two sides. Loop side: gateway_handler, gateway_turn, gateway_close, gateway_destroy. Thread side:
 * gateway_take and gateway_job_*. A job belongs to one thread from gateway_take to
 * gateway_job_done. */
#ifndef GATEWAY_GATEWAY_H
#define GATEWAY_GATEWAY_H

#include "http/handler.h"

struct gateway;
struct gateway_job;

struct gateway_options {
    size_t queue_maximum;  /* jobs waiting for a thread; 503 beyond it */
    size_t buffer_maximum; /* bytes a job may hold in each direction before somebody waits */
    uint64_t body_maximum; /* of a request; 413 beyond it; 0: none */
    /* Thread-safe: gateway_turn must be called on the loop's thread soon. */
    void (*wake)(void *user);
    void *user;
    /* On the loop's thread, just before a final response is given; for push policy. May be NULL. */
    void (*responding)(struct exchange *exchange, unsigned status, const struct field *fields,
                       size_t count);
};

/* Returns 0 or HERALD_ERROR_NOMEM / HERALD_ERROR_IO. */
int gateway_create(const struct gateway_options *options, struct gateway **gateway);

/* Valid until gateway_destroy; its destroy member is NULL. */
struct handler *gateway_handler(struct gateway *gateway);

/* Carries out what the threads have asked for. */
void gateway_turn(struct gateway *gateway);

/* No more jobs: gateway_take returns NULL from now on. Jobs in hand go on. */
void gateway_close(struct gateway *gateway);

/* All threads have left and every exchange has ended. */
void gateway_destroy(struct gateway *gateway);

/* Blocks until there is a job. NULL once the gateway is closed. */
struct gateway_job *gateway_take(struct gateway *gateway);

/* The request, constant while the job lasts. */
const struct exchange *gateway_job_exchange(const struct gateway_job *job);

/* Where the request came from, copied when the job was made: the connection may be gone by now. */
struct gateway_endpoints {
    char peer_address[64], local_address[64];
    uint16_t peer_port, local_port;
};
const struct gateway_endpoints *gateway_job_endpoints(const struct gateway_job *job);

/* Blocks until at least one byte of the request body is there. Returns how many were stored, 0 at
 * the end of the body, HERALD_ERROR_CLOSED when the client has gone before the end. */
int64_t gateway_job_read(struct gateway_job *job, uint8_t *destination, size_t capacity);

/* As exchange_inform and exchange_respond; fields are copied. The thread does not learn what the
 * exchange said (an error ends the job as closed). Return 0, HERALD_ERROR_NOMEM,
 * HERALD_ERROR_CLOSED. */
int gateway_job_inform(struct gateway_job *job, unsigned status, const struct field *fields,
                       size_t count);
int gateway_job_respond(struct gateway_job *job, unsigned status, const struct field *fields,
                        size_t count, uint64_t content_length);

/* Copies `data`; blocks while more than buffer_maximum is waiting. Return as above. */
int gateway_job_write(struct gateway_job *job, struct span data);

/* Ends the response; or, with a negative `reason`, aborts it (exchange_cancel). */
int gateway_job_finish(struct gateway_job *job, int reason);

/* The thread is through; the pointer is dead for it. */
void gateway_job_done(struct gateway_job *job);

#endif
