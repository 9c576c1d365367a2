/* Which handler answers: mounts by host and path prefix. The longest prefix of the host's own
 * mounts wins, then that of the mounts for any host; nothing found: 404. */
#ifndef SERVER_ROUTES_H
#define SERVER_ROUTES_H

#include "http/handler.h"

#define ROUTES_MAXIMUM 256

struct routes;

/* NULL when memory is out. */
struct routes *routes_create(void);

/* The handler to give to a server; destroying it destroys the routes and the mounted handlers. */
struct handler *routes_handler(struct routes *routes);

/* `host`: lower case without port, or empty for any; `prefix`: "" or "/name", matched by whole
 * segments. The handler belongs to the routes on success. Returns 0, HERALD_ERROR_INVALID (prefix
 * does not start with a slash or ends with one), HERALD_ERROR_STATE (mounted before),
 * HERALD_ERROR_LIMIT, HERALD_ERROR_NOMEM. */
int routes_mount(struct routes *routes, struct span host, struct span prefix,
                 struct handler *handler);

/* What would answer, or NULL. `authority` may carry a port. */
struct handler *routes_find(const struct routes *routes, struct span authority, struct span path);

#endif
