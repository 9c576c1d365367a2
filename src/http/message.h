/* A message head (RFC 9110 section 6): control data and fields of one request or response, the same
 * for every version of HTTP. */
#ifndef HTTP_MESSAGE_H
#define HTTP_MESSAGE_H

#include "http/fields.h"

enum http_version { HTTP_1_0 = 10, HTTP_1_1 = 11, HTTP_2 = 20, HTTP_3 = 30 };

#define CONTENT_LENGTH_UNKNOWN UINT64_MAX

struct message {
    enum http_version version;
    /* Request. `path` is the request target's path and query as received ("/a?b", or "*" for
     * OPTIONS *); empty for a plain CONNECT. `authority` is the one true host: Host and :authority
     * have been reconciled. */
    struct span method, scheme, authority, path;
    struct span protocol; /* :protocol of an extended CONNECT (RFC 8441), or the Upgrade token; else
                             empty */
    /* Response. */
    uint16_t status;    /* 0 for a request */
    struct span reason; /* HTTP/1.x only; may be empty */

    struct fields fields;
    uint64_t content_length; /* from Content-Length, or CONTENT_LENGTH_UNKNOWN */
    bool upgrade;            /* HTTP/1.1: the client asks for `protocol` (Connection: upgrade) */
    bool expects_continue;   /* Expect: 100-continue */
};

/* Deep copy into `arena`. Returns 0 or HERALD_ERROR_NOMEM (`copy` is then undefined but needs no
 * freeing). */
int message_copy(struct arena *arena, const struct message *source, struct message *copy);

/* True for GET, HEAD, OPTIONS and TRACE (RFC 9110 section 9.2.1). */
bool message_method_is_safe(struct span method);

/* False where the version, method or status forbids content in the response (HEAD, 1xx, 204, 304,
 * 2xx to CONNECT). */
bool message_response_has_content(struct span request_method, unsigned status);

#endif
