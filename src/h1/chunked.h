/* The chunked transfer coding, decoding side (RFC 9112 section 7.1). Strict: a line ends with CRLF
 * and nothing else, a size is 1 to 16 hexadecimal digits, chunk data is followed by exactly CRLF.
 */
#ifndef H1_CHUNKED_H
#define H1_CHUNKED_H

#include "base/err.h"
#include "base/span.h"
#include "http/limits.h"

/* Overhead (all bytes that are not data) is not judged before this many bytes of it. */
#define H1_CHUNKED_OVERHEAD_FREE (UINT64_C(1) << 20)
/* Beyond it, overhead may be at most this many times the data. */
#define H1_CHUNKED_OVERHEAD_RATIO 8

struct h1_chunked {
    uint64_t remaining; /* data bytes of the present chunk */
    uint64_t payload;   /* data bytes so far */
    uint64_t overhead;  /* other bytes so far */
    uint64_t extension_total;
    uint32_t extension_length; /* of the present chunk line */
    uint32_t extension_size;   /* limits */
    uint32_t extension_total_limit;
    uint8_t digits;
    uint8_t state;
};

enum h1_chunked_event {
    H1_CHUNKED_MORE, /* all input is consumed: come back with more */
    H1_CHUNKED_DATA, /* a run of data */
    H1_CHUNKED_LAST  /* the last chunk's line is consumed; a trailer section follows (at least CRLF)
                      */
};

void h1_chunked_init(struct h1_chunked *decoder, const struct limits *limits);

/* Takes one step through `*input`, which is moved past what was consumed. H1_CHUNKED_DATA: `*data`
 * is a non-empty part of the input. Returns an enum h1_chunked_event, HERALD_ERROR_MALFORMED, or
 * HERALD_ERROR_LIMIT (extensions too long, too much overhead). After H1_CHUNKED_LAST or an error
 * the decoder must not be called again without h1_chunked_init. */
int h1_chunked_step(struct h1_chunked *decoder, struct span *input, struct span *data);

#endif
