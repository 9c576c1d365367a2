/* The format language of the access log: compiled once, evaluated a line. */
#ifndef SERVER_ACCESS_FORMAT_H
#define SERVER_ACCESS_FORMAT_H

#include "base/buf.h"
#include "http/conn.h"

#define ACCESS_FORMAT_PIECES_MAXIMUM 64

enum access_atom {
    ATOM_TEXT, /* literal */
    ATOM_CLIENT,
    ATOM_DASH,
    ATOM_TIME,
    ATOM_REQUEST_LINE,
    ATOM_REQUEST_LINE_QUERY,
    ATOM_STATUS,
    ATOM_STATUS_PHRASE,
    ATOM_SCHEME,
    ATOM_METHOD,
    ATOM_PATH,
    ATOM_PATH_QUERY,
    ATOM_QUERY,
    ATOM_VERSION,
    ATOM_BYTES,
    ATOM_REFERER,
    ATOM_USER_AGENT,
    ATOM_SECONDS,
    ATOM_MICROSECONDS,
    ATOM_SECONDS_DECIMAL,
    ATOM_PROCESS,
    ATOM_REQUEST_FIELD,
    ATOM_RESPONSE_FIELD,
    ATOM_ENVIRONMENT
};

struct access_piece {
    enum access_atom atom;
    struct span text; /* literal; field or variable name */
};

struct access_format {
    struct access_piece pieces[ACCESS_FORMAT_PIECES_MAXIMUM];
    size_t count;
    char *text; /* what the pieces point into */
};

/* Returns 0; HERALD_ERROR_INVALID with `*bad` at the place in `text`; HERALD_ERROR_LIMIT (too many
 * pieces); HERALD_ERROR_NOMEM. `format` needs freeing after 0 only. */
int access_format_compile(struct access_format *format, const char *text, const char **bad);
void access_format_free(struct access_format *format);

/* Appends one line without its end; `time` is the text of %(t)s. Values are escaped. Returns as
 * buf_append. */
int access_format_write(const struct access_format *format, const struct exchange *exchange,
                        struct span time, struct buf *line);

#endif
