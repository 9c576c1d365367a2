#include "base/span.h"
#include "base/err.h"

static uint8_t lower(uint8_t byte)
{
    return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte + ('a' - 'A')) : byte;
}

bool span_equals_ignoring_case(struct span left, struct span right)
{
    if (left.length != right.length)
        return false;
    for (size_t i = 0; i < left.length; i++) {
        if (lower(left.data[i]) != lower(right.data[i]))
            return false;
    }
    return true;
}

struct span span_slice(struct span whole, size_t from, size_t length)
{
    if (from >= whole.length)
        return SPAN_EMPTY;
    if (length > whole.length - from)
        length = whole.length - from;
    return span_make(whole.data + from, length);
}

static bool is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\t';
}

struct span span_trim(struct span whole)
{
    size_t from = 0;
    size_t to = whole.length;

    while (from < to && is_blank(whole.data[from]))
        from++;
    while (to > from && is_blank(whole.data[to - 1]))
        to--;
    return span_slice(whole, from, to - from);
}

int span_to_unsigned(struct span text, uint64_t maximum, uint64_t *value)
{
    uint64_t result = 0, tens = maximum / 10;
    unsigned last = (unsigned)(maximum % 10);
    bool exceeded = false;

    if (text.length == 0)
        return HERALD_ERROR_INVALID;
    /* All of the text is looked at even after the value is too large: "99x" is a syntax error, not
     * a large number. */
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return HERALD_ERROR_INVALID;
        unsigned digit = text.data[i] - '0';
        if (result > tens || (result == tens && digit > last))
            exceeded = true;
        else if (!exceeded)
            result = result * 10 + digit;
    }
    if (exceeded)
        return HERALD_ERROR_LIMIT;
    *value = result;
    return 0;
}
