/* Short answers: a status, its phrase as text, nothing more. */
#ifndef SERVER_STATUS_H
#define SERVER_STATUS_H

#include "http/exchange.h"

/* Responds with `status`, `fields` and the phrase as plain text, finishes and discards the rest of
 * the request. The caller still releases. Returns what exchange_respond returned. */
int status_respond(struct exchange *exchange, unsigned status, const struct field *fields,
                   size_t count);

#endif
