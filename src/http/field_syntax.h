/* Byte rules of names, values and tokens (RFC 9110 sections 5.1, 5.5, 5.6.2; RFC 9113 section
 * 8.2.1), the same for every version of HTTP and both directions. */
#ifndef HTTP_FIELD_SYNTAX_H
#define HTTP_FIELD_SYNTAX_H

#include "base/span.h"

enum {
    FIELD_BYTE_TOKEN = 1 << 0,      /* tchar */
    FIELD_BYTE_LOWER_NAME = 1 << 1, /* tchar without upper case: names in HTTP/2 and HTTP/3 */
    FIELD_BYTE_VALUE = 1 << 2,      /* SP, HTAB, VCHAR, obs-text */
    FIELD_BYTE_TARGET = 1 << 3,     /* VCHAR, obs-text */
    FIELD_BYTE_HOST = 1 << 4        /* unreserved and sub-delims of RFC 3986 */
};

extern const uint8_t field_byte_classes[256];

static inline bool field_byte_is(uint8_t byte, unsigned classes)
{
    return (field_byte_classes[byte] & classes) != 0;
}

/* At least one tchar and nothing else: a method, a name in HTTP/1.1. */
bool field_is_token(struct span text);

/* As field_is_token without upper-case letters. */
bool field_is_lower_name(struct span text);

/* No byte that is not allowed anywhere in a value; blanks at the ends are not looked at (HTTP/1.1
 * removes them). */
bool field_value_bytes_are_valid(struct span value);

/* As field_value_bytes_are_valid, without SP or HTAB at either end: what HTTP/2 and HTTP/3 carry.
 */
bool field_is_value(struct span value);

/* No blank, no control byte, no DEL: a request target or an authority that cannot break a request
 * line. Empty text passes. */
bool field_target_is_valid(struct span text);

/* A Content-Length value: digits only, at most 2^63 - 1 (RFC 9110 section 8.6). Returns 0 or
 * HERALD_ERROR_INVALID. A list of equal numbers is refused too. */
int field_content_length(struct span value, uint64_t *length);

#endif
