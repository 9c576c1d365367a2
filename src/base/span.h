/* A borrowed run of bytes: pointer and length, owned by somebody else. */
#ifndef BASE_SPAN_H
#define BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
    const uint8_t *data; /* may be NULL when length is 0 */
    size_t length;
};

#define SPAN_LITERAL(text) ((struct span){(const uint8_t *)(text), sizeof(text) - 1})
#define SPAN_EMPTY         ((struct span){NULL, 0})

/* For printf's "%.*s". */
#define SPAN_ARGUMENTS(span) (int)(span).length, (const char *)(span).data

static inline struct span span_make(const void *data, size_t length)
{
    return (struct span){(const uint8_t *)data, length};
}

static inline struct span span_from_text(const char *text)
{
    return span_make(text, strlen(text));
}

static inline bool span_equals(struct span left, struct span right)
{
    return left.length == right.length &&
           (left.length == 0 || memcmp(left.data, right.data, left.length) == 0);
}

/* ASCII only, as field names and schemes are compared (RFC 9110 section 5.1). */
bool span_equals_ignoring_case(struct span left, struct span right);

static inline bool span_starts_with(struct span whole, struct span prefix)
{
    return whole.length >= prefix.length &&
           (prefix.length == 0 || memcmp(whole.data, prefix.data, prefix.length) == 0);
}

/* Bytes [from, from + length) of `whole`, cut to what is there. */
struct span span_slice(struct span whole, size_t from, size_t length);

/* Without leading and trailing SP and HTAB (OWS, RFC 9110 section 5.6.3). */
struct span span_trim(struct span whole);

/* Reads decimal digits only, all of `text`, at least one. Returns 0, HERALD_ERROR_INVALID for
 * anything else, HERALD_ERROR_LIMIT when the value exceeds `maximum`. */
int span_to_unsigned(struct span text, uint64_t maximum, uint64_t *value);

#endif
