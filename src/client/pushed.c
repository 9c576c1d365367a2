#include "client/client_internal.h"
#include <stdlib.h>

/* RFC 9113 section 8.4: the server must be authoritative; this connection was made for one origin.
 */
static bool promise_is_ours(const struct exchange *exchange, const struct exchange *promised)
{
    return span_equals_ignoring_case(promised->outgoing.authority, exchange->outgoing.authority) &&
           span_equals_ignoring_case(promised->outgoing.scheme, exchange->outgoing.scheme);
}

void request_pushed(struct exchange *exchange, struct exchange *promised)
{
    struct request *parent = exchange->user;
    struct request *request = NULL;
    int reason = HERALD_ERROR_CANCELLED;

    parent->shown = true;
    if (!promise_is_ours(exchange, promised)) {
        reason = HERALD_ERROR_PROTOCOL;
        goto refuse;
    }
    if (parent->base.events->pushed == NULL || parent->client == NULL || parent->connection == NULL)
        goto refuse;
    request = request_create(parent->client, parent->origin);
    if (request == NULL)
        goto refuse;
    request->base.exchange = promised;
    request->base.is_pushed = true;
    request->base.attempts = 1;
    request->total_due = parent->total_due;
    request->connection = parent->connection;
    if (!parent->base.events->pushed(&parent->base, &request->base))
        goto refuse;
    promised->events = &request_exchange_events;
    promised->user = request;
    connection_add(request->connection);
    request_set_deadline(request);
    (void)exchange_accept_push(promised);
    return;
refuse:
    if (request != NULL) {
        request_detach(request);
        free(request);
    }
    exchange_cancel(promised, reason);
    exchange_release(promised);
}
