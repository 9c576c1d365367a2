/* URLs of http and https (RFC 3986, RFC 9110 section 4.2), as a client asks for them. */
#ifndef CLIENT_URL_H
#define CLIENT_URL_H

#include "base/arena.h"

#define URL_MAXIMUM 16384

/* Text lives in the arena given, NUL-terminated. */
struct url {
    const char *scheme;    /* "http" or "https" */
    const char *host;      /* lower case; address literals without brackets */
    uint16_t port;         /* the scheme's when none was given */
    struct span authority; /* as it is sent: brackets, and the port when it is not the scheme's */
    struct span path;      /* and query, at least "/"; without fragment */
};

/* Reads an absolute URL. Bytes that a request target cannot carry are percent-encoded; dot segments
 * stay. Returns 0; HERALD_ERROR_INVALID (also for user information, which does not belong into a
 * URL) or HERALD_ERROR_UNSUPPORTED (another scheme) with a phrase in `*why`; HERALD_ERROR_NOMEM.
 * `why` may be NULL. */
int url_parse(struct arena *arena, struct span text, struct url *url, const char **why);

/* The absolute URL of `reference` as it stands in a document at `base` (RFC 3986 section 5.2).
 * Returns as url_parse. */
int url_resolve(struct arena *arena, const struct url *base, struct span reference, struct url *url,
                const char **why);

/* The same scheme, host and port (RFC 6454). */
bool url_same_origin(const struct url *left, const struct url *right);

#endif
