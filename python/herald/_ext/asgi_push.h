/* http.response.push: a promise where the client takes pushes, else an early hint where that is
 * configured. */
#ifndef HERALD_EXT_ASGI_PUSH_H
#define HERALD_EXT_ASGI_PUSH_H

#include "asgi.h"

/* True when the scope should offer http.response.push. */
bool asgi_push_offered(const AsgiExchange *self);

/* {"path": str, "headers": [(name, value), ...]}. Returns 0, or -1 with an exception. A push that
 * the peer has no room for is left out: it is an optimisation, not an answer. */
int asgi_push(AsgiExchange *self, PyObject *message);

#endif
