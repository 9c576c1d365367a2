/* A server's exchange without an engine: the test plays the engine. */
#ifndef SERVER_FAKE_H
#define SERVER_FAKE_H

#include "http/conn.h"
#include "http/exchange_engine.h"
#include "http/handler.h"

#include <stdbool.h>

struct fake {
    struct conn conn;
    struct conn_info info;
    struct exchange *exchange; /* NULL after fake_end */
    bool takes_pushes;
    bool cancelled;
    /* What was said, in order, a line each: "103 LINK" for each field of an interim response,
     * "push PATH", "200 -". */
    char said[4096];
    unsigned status; /* of the final head; 0: none yet */
    char body[65536];
    size_t body_length;
    bool complete; /* the message ended as it should */
    bool failed;   /* the body's source failed */
    char value[1024];
};

/* A request without body. `fields`: name, value, ..., NULL; may be NULL itself. */
void fake_init(struct fake *fake, const char *method, const char *path, const char *const *fields);

/* Takes the owner's hold and hands the exchange to `handler`. */
void fake_start(struct fake *fake, struct handler *handler);

/* Takes the owner's hold, for a test that is the handler itself. */
void fake_hold(struct fake *fake);

/* Takes what the exchange says now, at most `capacity` bytes of body at a time. */
void fake_drain(struct fake *fake, size_t capacity);

/* Value of a field of the final response, or NULL. Valid until the next call. */
const char *fake_field(struct fake *fake, const char *name);

/* Ends the stream and drops the engine's hold. */
void fake_end(struct fake *fake, int reason);

/* fake_init, fake_start, fake_drain. */
void fake_run(struct fake *fake, struct handler *handler, const char *method, const char *path,
              const char *const *fields);

#endif
