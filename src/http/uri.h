/* http and https URLs, and request paths (RFC 3986, RFC 9110 section 4.2). Nothing is owned: spans
 * point into the text given or into the caller's buffer. */
#ifndef HTTP_URI_H
#define HTTP_URI_H

#include "base/span.h"

struct uri {
    struct span scheme;    /* as written */
    struct span authority; /* host and port, without userinfo */
    struct span userinfo;  /* empty when absent */
    struct span host;      /* an IPv6 literal without its brackets */
    struct span path;      /* "/..." or empty */
    struct span query;     /* without "?" */
    struct span target;    /* path and query as they stand: "/a?b", "?b" or empty */
    struct span fragment;  /* without "#" */
    uint16_t port;         /* the scheme's default when none is given */
    bool is_https;
    bool is_ipv6;
    bool has_query;
};

/* Parses an absolute http or https URL. Returns 0; HERALD_ERROR_UNSUPPORTED for another scheme;
 * HERALD_ERROR_INVALID for anything that is no URL (blanks, control bytes, no host, a bad port,
 * ...).
 */
int uri_parse(struct span text, struct uri *uri);

/* Splits "host", "host:port", "[::1]:port" (no userinfo). `port` is `default_port` when none is
 * given. Returns 0 or HERALD_ERROR_INVALID. `host` comes without brackets; `is_ipv6` may be NULL.
 */
int authority_split(struct span authority, uint16_t default_port, struct span *host, uint16_t *port,
                    bool *is_ipv6);

/* Replaces every %XX. `destination` has room for text.length bytes and may be text.data itself.
 * Returns the length, or HERALD_ERROR_INVALID for an incomplete or impossible escape. */
int64_t uri_decode(struct span text, uint8_t *destination);

/* Makes a request path safe to look up below a root: decodes it once, takes "." and ".." out and
 * joins runs of slashes. `path` may end in a query, which is left out. `destination` has room for
 * path.length bytes. Returns the length of the result, which begins with '/', keeps a slash at the
 * end and has neither NUL, "." nor ".." segments. HERALD_ERROR_INVALID for a bad escape, a NUL, a
 * path that does not begin with '/'; HERALD_ERROR_NOT_FOUND for one that would leave the root, or
 * has an escaped slash or a backslash (which some systems take for one). */
int64_t uri_normalise_path(struct span path, uint8_t *destination);

/* The path before the first '?', and the query behind it (empty without one). */
void uri_split_query(struct span target, struct span *path, struct span *query);

#endif
