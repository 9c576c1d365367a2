/* What the two halves of the public API share. */
#ifndef API_API_PRIVATE_H
#define API_API_PRIVATE_H

#include "herald.h"
#include "http/exchange.h"

/* In the exchange's arena; exchange->user. */
struct herald_exchange {
    struct exchange *exchange;
    const herald_events *events;
    void *user;
};

/* Wraps an exchange that a handler is started for. NULL when memory is out. */
struct herald_exchange *api_exchange_wrap(struct exchange *exchange, void *user);

#endif
