/* Byte ranges (RFC 9110 section 14). */
#ifndef HTTP_RANGE_H
#define HTTP_RANGE_H

#include "base/span.h"

#define RANGE_MAXIMUM 16 /* ranges in one request */

struct range {
    uint64_t first, last; /* both included */
};

enum range_result {
    RANGE_IGNORE = 0,        /* send the whole representation, 200 */
    RANGE_PARTIAL = 1,       /* 206 with the ranges given */
    RANGE_UNSATISFIABLE = -1 /* 416 with "Content-Range: bytes (asterisk)/length" */
};

/* Evaluates a Range field value against a representation of `length` bytes (at most 2^63 - 1).
 * `ranges` has room for RANGE_MAXIMUM. Other units, bad syntax, more than RANGE_MAXIMUM ranges and
 * more than two overlapping ones give RANGE_IGNORE (section 14.2). Ranges come back in the order
 * asked for, cut to `length`; those that touch or overlap their predecessor are joined to it. A
 * single one that covers everything is still RANGE_PARTIAL. */
enum range_result range_parse(struct span value, uint64_t length, struct range *ranges,
                              size_t *count);

#define RANGE_CONTENT_LENGTH 80 /* room that range_format_content asks for */

/* "bytes 0-499/1234"; with `range` NULL "bytes (asterisk)/1234". Returns the length. */
size_t range_format_content(const struct range *range, uint64_t length,
                            char text[RANGE_CONTENT_LENGTH]);

/* "bytes 0-499/1234" of a response. `length` is UINT64_MAX for an asterisk. Returns 0 or
 * HERALD_ERROR_INVALID. */
int range_parse_content(struct span value, struct range *range, uint64_t *length);

#endif
