/* What answers an exchange: a folder, an upstream, an application, a C callback. All the same to
 * the engines. */
#ifndef HTTP_HANDLER_H
#define HTTP_HANDLER_H

#include "http/exchange.h"

struct handler {
    /* A request head has arrived. The handler holds the exchange from now on: it sets
     * exchange->events and user (events may stay NULL for an answer given at once), responds now or
     * later, and calls exchange_release once. Must not block. */
    void (*start)(struct handler *handler, struct exchange *exchange);
    /* Called once when no exchange will start any more and none is running. May be NULL. */
    void (*destroy)(struct handler *handler);
};

#endif
