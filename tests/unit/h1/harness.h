/* A server connection with a small scripted handler, and a client connection, driven by a test
 * without sockets or clocks. What happens is written down as text, one line an event. */
#ifndef TESTS_H1_HARNESS_H
#define TESTS_H1_HARNESS_H

#include "base/buf.h"
#include "h1/h1.h"
#include "http/exchange_engine.h"
#include "http/limits.h"
#include "support/check.h"

enum handler_kind {
    HANDLER_ECHO,    /* reads all, then answers 200 with the body */
    HANDLER_EARLY,   /* answers 200 "early" at once, never reads */
    HANDLER_STREAM,  /* answers 200 without a length and sends what comes as it comes */
    HANDLER_HOLD,    /* keeps the exchange for the test (harness.held) */
    HANDLER_HINTS,   /* 103, then 200 "page" with a trailer */
    HANDLER_UPGRADE, /* 101 or 2xx to CONNECT, then echoes the tunnel */
    HANDLER_EMPTY,   /* 204 */
};

struct harness {
    struct conn *server, *client;
    struct limits limits;
    struct conn_info info;
    enum handler_kind handler;
    struct buf log;    /* what handlers and clients saw */
    struct buf output; /* what the server sent (harness_pull) */
    struct exchange *held;
    struct exchange *asked; /* the client's */
    herald_time now;
    size_t pull_size; /* capacity of the buffer given to pull */
    unsigned wakes, dispatched, completed, ready, gone;
    int server_result, client_result;
    bool client_body_done;
};

/* Starts with the default limits at a time that is not 0. */
void harness_init(struct harness *harness, enum handler_kind handler);
void harness_open(struct harness *harness);        /* the server connection */
void harness_open_client(struct harness *harness); /* the client connection */
void harness_close(struct harness *harness);

/* Feeds the server; the result of recv is kept in server_result. */
void harness_feed(struct harness *harness, struct span data);

/* Pulls from the server until nothing comes; appends to `output`. */
void harness_pull(struct harness *harness);

/* Feeds text, pulls, and returns the output as NUL-terminated text. */
const char *harness_exchange(struct harness *harness, const char *text);

/* NUL-terminated views. */
const char *harness_log(struct harness *harness);
const char *harness_output(struct harness *harness);

/* Calls expire when the deadline is at or before `now` + `step`, and moves the time there. */
void harness_advance(struct harness *harness, struct conn *conn, herald_time step);

/* A request by the client; the body (may be NULL) is given with a length, or chunked. */
int harness_ask(struct harness *harness, const char *method, const char *path, const char *body,
                bool chunked);

/* Moves bytes both ways between client and server in pieces of at most `piece` until nothing moves.
 */
void harness_run(struct harness *harness, size_t piece);

/* Feeds the client's side with what a server is said to have sent. */
void harness_answer(struct harness *harness, struct span data);

#endif
