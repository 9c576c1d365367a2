/* Structured field values (RFC 9651): a parser that walks the text without allocating, and a
 * writer. */
#ifndef HTTP_SFV_H
#define HTTP_SFV_H

#include "base/buf.h"

enum sfv_type {
    SFV_INTEGER,
    SFV_DECIMAL,
    SFV_STRING,
    SFV_TOKEN,
    SFV_BYTES,
    SFV_BOOLEAN,
    SFV_DATE,
    SFV_DISPLAY_STRING,
    SFV_INNER_LIST
};

struct sfv_item {
    enum sfv_type type;
    bool boolean;
    int64_t integer;  /* integer; date in seconds since 1970; decimal in thousandths */
    struct span text; /* token; string, bytes, display string as written (see sfv_decode) */
};

/* Walks one field value; nothing is owned. A loop over a dictionary:
 *
 *     sfv_parser_init(&parser, text);
 *     while ((state = sfv_next_member(&parser, &key, &item)) > 0) { ... }
 *     if (state < 0) ...
 *
 * What the caller does not look at (inner lists, parameters) is checked and skipped by the next
 * call. A field is valid only once a call has returned 0: one that breaks off half-way must be
 * ignored as a whole (section 4.2), so apply nothing before that. Duplicate keys are all given: the
 * last one counts. */
struct sfv_parser {
    const uint8_t *cursor, *end;
    bool started;
    bool in_inner;   /* inside an inner list */
    bool parameters; /* parameters of the last value may follow */
    bool failed;
};

/* The lines of a field that came more than once are joined with ", " by the caller. */
void sfv_parser_init(struct sfv_parser *parser, struct span text);

/* All of these: 1 and a value, 0 at the end, HERALD_ERROR_INVALID (then for ever). */

/* A list's next member: an item, or SFV_INNER_LIST to be walked with sfv_next_inner. */
int sfv_next_element(struct sfv_parser *parser, struct sfv_item *item);

/* A dictionary's next member. A key without a value is the boolean true. */
int sfv_next_member(struct sfv_parser *parser, struct span *key, struct sfv_item *item);

/* The next item of the inner list that was given last. After 0 the list's own parameters follow. */
int sfv_next_inner(struct sfv_parser *parser, struct sfv_item *item);

/* The next parameter of the item or inner list that was given last. */
int sfv_next_parameter(struct sfv_parser *parser, struct span *key, struct sfv_item *item);

/* A field that is one item: 1 the first time, 0 the second time when nothing but its parameters
 * stood behind it. */
int sfv_next_item(struct sfv_parser *parser, struct sfv_item *item);

/* The bytes of a string, byte sequence or display string without its escapes. `destination` has
 * room for item->text.length bytes. Returns how many. */
size_t sfv_decode(const struct sfv_item *item, uint8_t *destination);

/* The writer appends bare items; commas, parentheses, ";" and "=" are the caller's. Each returns as
 * buf_append, or HERALD_ERROR_INVALID when the value cannot be expressed. */
int sfv_write_integer(struct buf *out, int64_t value);       /* up to 15 digits */
int sfv_write_decimal(struct buf *out, int64_t thousandths); /* up to 12 digits before the point */
int sfv_write_string(struct buf *out, struct span text);     /* printable ASCII */
int sfv_write_token(struct buf *out, struct span text);
int sfv_write_bytes(struct buf *out, struct span bytes);
int sfv_write_boolean(struct buf *out, bool value);
int sfv_write_date(struct buf *out, int64_t seconds);
int sfv_write_display_string(struct buf *out, struct span utf8);
int sfv_write_key(struct buf *out, struct span key);

#endif
