/* Reading message heads and trailer sections (RFC 9112 sections 2 to 5): finding the end while
 * bytes arrive, then splitting. Strict: every line ends with CRLF; a bare CR or LF,
 * obs-fold, space before the colon, NUL and other control bytes are errors.
 *
 * Functions that return an error also set `*status` to the response a server owes for it. */
#ifndef H1_HEAD_H
#define H1_HEAD_H

#include "base/err.h"
#include "http/limits.h"
#include "http/message.h"

enum h1_section { H1_REQUEST_HEAD, H1_RESPONSE_HEAD, H1_TRAILER_SECTION };

/* How far a section has been looked at, so that each byte is looked at once however it is split. */
struct h1_scan {
    size_t position;   /* bytes looked at; the section's length once it is whole */
    size_t line_start; /* of the line being looked at */
    uint32_t lines;    /* whole ones, without the empty line that ends the section */
    bool start_checked;
};

/* Looks for the end of the section at the start of `input`, which has grown since the last call
 * with the same `scan` (all zero at first). Returns 1 when it is whole, 0 when more is needed,
 * HERALD_ERROR_MALFORMED, or HERALD_ERROR_LIMIT for a line, a section or a number of lines over the
 * limits. What can already be seen to be no HTTP/1.x is refused before the section is whole. */
int h1_scan_section(struct h1_scan *scan, struct span input, enum h1_section section,
                    const struct limits *limits, unsigned *status);

/* The greatest length a section can have before h1_scan_section refuses it. */
size_t h1_section_maximum(enum h1_section section, const struct limits *limits);

/* Splits the request line at the start of `head`, a whole head. `*rest` is what follows its CRLF.
 * Spans point into `head`. The target is checked to be visible ASCII only. Errors:
 * HERALD_ERROR_MALFORMED (400), HERALD_ERROR_UNSUPPORTED (505 for a version other than 1.0 and 1.1,
 * 501 for a method that is too long). */
struct h1_request_line {
    struct span method, target;
    enum http_version version;
};
int h1_split_request_line(struct span head, const struct limits *limits,
                          struct h1_request_line *line, struct span *rest, unsigned *status);

/* The same for a status line. HERALD_ERROR_MALFORMED or HERALD_ERROR_UNSUPPORTED. */
struct h1_status_line {
    enum http_version version;
    uint16_t code;
    struct span reason;
};
int h1_split_status_line(struct span head, struct h1_status_line *line, struct span *rest,
                         unsigned *status);

/* Takes the next field line off `*rest`, the field lines of a whole section with its last empty
 * line: name as received, value without the blanks around it. Returns 1, 0 at the empty line (which
 * must be all that is left), HERALD_ERROR_MALFORMED. */
int h1_next_field(struct span *rest, struct span *name, struct span *value);

#endif
