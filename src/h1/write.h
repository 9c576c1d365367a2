/* Serialising HTTP/1.1 heads and trailer sections (RFC 9112 sections 2 to 4). Framing fields and
 * connection options are written from the plan, never from the field list. */
#ifndef H1_WRITE_H
#define H1_WRITE_H

#include "http/message.h"

struct h1_head_plan {
    const struct message *message;
    bool chunked;     /* Transfer-Encoding: chunked */
    bool close;       /* Connection: close */
    bool keep_alive;  /* Connection: keep-alive, for an HTTP/1.0 peer */
    bool send_length; /* Content-Length: length */
    uint64_t length;
    struct span upgrade; /* not empty: Connection: upgrade and Upgrade: this */
};

/* At most this many bytes are written for the head. */
size_t h1_head_bound(const struct h1_head_plan *plan);

/* Both write at `destination`, which has room for h1_head_bound bytes, and return the length. */
size_t h1_write_response_head(uint8_t *destination, const struct h1_head_plan *plan);
size_t h1_write_request_head(uint8_t *destination, const struct h1_head_plan *plan);

/* The field lines and the empty line after the last chunk's line. */
size_t h1_trailers_bound(const struct fields *trailers);
size_t h1_write_trailers(uint8_t *destination, const struct fields *trailers);

/* Writes `value` in lower-case hexadecimal without leading zeros; at most 16 bytes. */
size_t h1_write_hexadecimal(uint8_t *destination, uint64_t value);

#endif
