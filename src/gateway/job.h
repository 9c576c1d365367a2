/* The inside of a job, shared by the gateway's two sides. All members but the constant ones are
 * guarded by the gateway's mutex. */
#ifndef GATEWAY_JOB_H
#define GATEWAY_JOB_H

#include "base/buf.h"
#include "gateway/gateway.h"
#include <pthread.h>

enum gateway_command_kind { COMMAND_INFORM, COMMAND_RESPOND, COMMAND_WRITE, COMMAND_FINISH };

struct gateway_command {
    struct list node;
    enum gateway_command_kind kind;
    int reason; /* finish */
    unsigned status;
    uint64_t content_length;
    struct fields fields;
    struct arena arena; /* of the fields */
    size_t length;      /* write */
    uint8_t data[];
};

struct gateway_job {
    struct gateway *gateway;   /* constant */
    struct exchange *exchange; /* constant; touched on the loop's thread but for the request head */
    struct gateway_endpoints endpoints; /* constant */
    struct list node;                   /* in gateway->waiting while no thread has it */
    struct list dirty_node;             /* in gateway->dirty when the loop has something to do */
    pthread_cond_t changed;             /* the thread waits here */
    struct list commands;
    size_t queued;    /* bytes of write commands */
    struct buf input; /* request body, at most buffer_maximum */
    bool input_ended;
    bool closed;   /* the peer has gone or the exchange failed */
    bool done;     /* the thread is through */
    bool finished; /* so has a finish command: loop side only */
};

struct gateway {
    struct handler handler;
    struct gateway_options options;
    pthread_mutex_t mutex;
    pthread_cond_t available;
    struct list waiting, dirty;
    size_t waiting_count;
    size_t jobs;
    bool closed;
    bool woken; /* options.wake has been called and gateway_turn has not */
};

/* With the mutex held: puts the job on the loop's list and wakes the loop once. */
void gateway_mark_dirty(struct gateway_job *job);

/* Takes the command out of its list and frees it. With the mutex held when it is in one. */
void gateway_command_free(struct gateway_command *command);

/* With the mutex held. */
void gateway_job_drop_commands(struct gateway_job *job);

#endif
