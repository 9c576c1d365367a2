/* Makes one connected socket out of a host name: resolver, then attempts at all its addresses, a
 * later one starting when the earlier failed or has not answered within 250 ms. */
#ifndef NET_CONNECTOR_H
#define NET_CONNECTOR_H

#include "net/loop.h"

struct connector;

struct connector_result {
    int descriptor; /* connected, non-blocking, the receiver's; -1 after an error */
    int code;       /* 0, HERALD_ERROR_REFUSED, _RESOLVE, _TIMEOUT, _NOMEM, _IO */
    int number;     /* errno of the last attempt; of the resolver, libuv's code; or 0 */
    herald_time resolved;
};

/* Resolves `host` (a name or numeric) with `port`, or takes `unix_path`. `done` is called once, not
 * from within this call; the connector is gone when it returns. Returns 0, HERALD_ERROR_NOMEM,
 * HERALD_ERROR_INVALID or HERALD_ERROR_IO. */
int connector_start(struct connector **connector, struct loop *loop, const char *host,
                    uint16_t port, const char *unix_path,
                    void (*done)(void *user, const struct connector_result *result), void *user);

/* `done` will not be called. */
void connector_cancel(struct connector *connector);

#endif
