/* What a proxy sends on: the request to the upstream, the response to the client. */
#ifndef SERVER_PROXY_FIELDS_H
#define SERVER_PROXY_FIELDS_H

#include "http/exchange.h"

struct proxy_rewrite {
    struct span authority; /* sent when the client named none (HTTP/1.0) */
    struct span base;      /* put before the path: "" or "/base", without a slash at the end */
    struct span prefix;    /* taken off the path before */
    bool trust_forwarded;
};

/* Builds the request for the upstream in the exchange's arena. Returns 0, HERALD_ERROR_REFUSED when
 * the request has passed too many proxies, HERALD_ERROR_NOMEM. */
int proxy_request(struct exchange *exchange, const struct proxy_rewrite *rewrite,
                  struct message *request);

/* The fields of an upstream's head that go on, in `arena`. Returns 0 or HERALD_ERROR_NOMEM. */
int proxy_response_fields(struct arena *arena, const struct message *head, struct fields *fields);

#endif
