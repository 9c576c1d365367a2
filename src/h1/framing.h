/* How long a body is (RFC 9112 section 6), and what Connection says (RFC 9110 section 7.6.1).
 * Strict where the RFC leaves a choice, because a difference between two readers of the same bytes
 * is what request smuggling lives on: Transfer-Encoding is exactly "chunked" in one field of an
 * HTTP/1.1 message, Content-Length is one field of digits only, and never both. */
#ifndef H1_FRAMING_H
#define H1_FRAMING_H

#include "base/err.h"
#include "http/message.h"

enum h1_framing {
    H1_FRAMING_NONE,    /* no body */
    H1_FRAMING_LENGTH,  /* Content-Length */
    H1_FRAMING_CHUNKED, /* Transfer-Encoding: chunked */
    H1_FRAMING_CLOSE    /* until the end of the connection; tunnels too */
};

/* Framing of a request, from its version, fields and content_length (as checked by http/rules.h);
 * sets content_length to 0 when there is no body. Returns 0; HERALD_ERROR_MALFORMED (`*status` 400)
 * or HERALD_ERROR_UNSUPPORTED (501: a transfer coding other than chunked). */
int h1_request_framing(struct message *message, enum h1_framing *framing, unsigned *status);

/* Framing of a final response to a request with `method`. Returns 0, HERALD_ERROR_MALFORMED or
 * HERALD_ERROR_UNSUPPORTED. */
int h1_response_framing(const struct message *message, struct span method,
                        enum h1_framing *framing);

/* Members of every Connection field. */
struct h1_connection_options {
    bool close, keep_alive, upgrade;
};
struct h1_connection_options h1_read_connection_options(const struct fields *fields);

/* Removes the fields of this hop: Connection, Keep-Alive, Proxy-Connection, Transfer-Encoding,
 * Upgrade, and what Connection names unless it is known to be end to end. */
void h1_remove_connection_fields(struct fields *fields);

#endif
