/* Two engines without a protocol and a server that only accepts: what a test needs to see which
 * connection a client gives which request to. */
#ifndef CLIENT_FAKE_ENGINE_H
#define CLIENT_FAKE_ENGINE_H

#include "client/client.h"
#include "http/exchange_engine.h"
#include "net/loop.h"

#define FAKE_EXCHANGES 64
#define FAKE_SOCKETS   64

/* What every fake connection does; set before a test, reset by fake_reset. */
struct fake_script {
    unsigned streams;      /* requests a connection takes at a time; more: HERALD_ERROR_LIMIT */
    bool silent;           /* never answer */
    unsigned refuse;       /* so many requests are closed with HERALD_ERROR_REFUSED */
    unsigned drop_reused;  /* so many connections end when they get their second request */
    unsigned inform;       /* interim responses before the head */
    unsigned pushes;       /* promises before the head */
    const char *authority; /* of promises; NULL: the request's */
    bool endless;          /* a body that never ends, so much in each pull */

    /* counts */
    unsigned created, requests, cancelled, promised_refused, promised_accepted, shutdowns;
    char order[1024]; /* paths in the order of requests, each followed by its connection's number */
};

extern struct fake_script fake;
extern const struct engine fake_http1, fake_http2;

void fake_reset(void);

/* Listens on a socket below the temporary folder; what connects is accepted and kept. */
struct fake_server {
    struct loop *loop;
    uv_poll_t watch;
    char path[108];
    int descriptor, accepted[FAKE_SOCKETS];
    unsigned count;
};

void fake_server_open(struct fake_server *server, struct loop *loop);
void fake_server_close(struct fake_server *server);

/* Closes what has been accepted so far: clients see the end. */
void fake_server_hang_up(struct fake_server *server);

#endif
