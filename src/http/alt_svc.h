/* The Alt-Svc field (RFC 7838). */
#ifndef HTTP_ALT_SVC_H
#define HTTP_ALT_SVC_H

#include "base/span.h"

#define ALT_SVC_MAX_AGE_DEFAULT 86400

struct alt_svc {
    char protocol[16]; /* ALPN name, percent-decoded, NUL-terminated; empty when longer than that */
    struct span host;  /* empty: the origin's */
    uint16_t port;
    uint32_t max_age; /* seconds */
    bool persist;
};

/* Takes the next alternative from the front of `*rest`. Returns 1; 0 at the end; 2 for "clear";
 * HERALD_ERROR_INVALID for a value that cannot be parsed (then ignore all of it). */
int alt_svc_next(struct span *rest, struct alt_svc *service);

/* Writes "h3=\":8443\"; ma=86400". Returns the length, 0 when `capacity` is too small. */
size_t alt_svc_format(const struct alt_svc *service, char *text, size_t capacity);

#endif
