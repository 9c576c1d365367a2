#include "http/range.h"
#include "base/err.h"
#include <inttypes.h>
#include <stdio.h>

#define OVERLAPS_ALLOWED 2

/* Digits at the front of `*text`; a number over 2^63 - 1 counts as that. False without any. */
static bool take_number(struct span *text, uint64_t *value)
{
    size_t digits = 0;

    *value = 0;
    while (digits < text->length && text->data[digits] >= '0' && text->data[digits] <= '9') {
        unsigned digit = text->data[digits++] - '0';
        *value = *value > ((uint64_t)INT64_MAX - digit) / 10 ? INT64_MAX : *value * 10 + digit;
    }
    *text = span_slice(*text, digits, text->length);
    return digits != 0;
}

static bool take_byte(struct span *text, uint8_t byte)
{
    if (text->length == 0 || text->data[0] != byte)
        return false;
    *text = span_slice(*text, 1, text->length);
    return true;
}

/* One range-spec. Returns 1 with `range` cut to the length, 0 when it lies outside, negative for
 * bad syntax. */
static int parse_one(struct span text, uint64_t length, struct range *range)
{
    bool has_first = take_number(&text, &range->first);

    if (!take_byte(&text, '-'))
        return HERALD_ERROR_INVALID;
    bool has_last = take_number(&text, &range->last);
    if (text.length != 0 || (!has_first && !has_last) ||
        (has_first && has_last && range->last < range->first))
        return HERALD_ERROR_INVALID;
    if (!has_first) {
        uint64_t suffix = range->last;
        if (suffix == 0 || length == 0)
            return 0;
        range->first = suffix < length ? length - suffix : 0;
        range->last = length - 1;
        return 1;
    }
    if (range->first >= length)
        return 0;
    if (!has_last || range->last >= length)
        range->last = length - 1;
    return 1;
}

static bool overlap(const struct range *left, const struct range *right)
{
    return left->first <= right->last && right->first <= left->last;
}

static size_t join(struct range *ranges, size_t count)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        struct range *previous = kept == 0 ? NULL : &ranges[kept - 1];

        if (previous != NULL && ranges[i].first <= previous->last + 1 &&
            ranges[i].last + 1 >= previous->first) {
            if (ranges[i].first < previous->first)
                previous->first = ranges[i].first;
            if (ranges[i].last > previous->last)
                previous->last = ranges[i].last;
        } else {
            ranges[kept++] = ranges[i];
        }
    }
    return kept;
}

enum range_result range_parse(struct span value, uint64_t length, struct range *ranges,
                              size_t *count)
{
    const struct span unit = SPAN_LITERAL("bytes=");
    size_t specs = 0, overlaps = 0, kept = 0;

    *count = 0;
    if (!span_equals_ignoring_case(span_slice(value, 0, unit.length), unit))
        return RANGE_IGNORE;
    value = span_slice(value, unit.length, value.length);
    while (value.length != 0) {
        const uint8_t *comma = memchr(value.data, ',', value.length);
        size_t here = comma == NULL ? value.length : (size_t)(comma - value.data);
        struct span spec = span_trim(span_slice(value, 0, here));
        struct range range;

        value = span_slice(value, here + 1, value.length);
        if (spec.length == 0)
            continue; /* empty list elements are to be ignored (section 5.6.1) */
        if (++specs > RANGE_MAXIMUM)
            return RANGE_IGNORE;
        int state = parse_one(spec, length, &range);
        if (state < 0)
            return RANGE_IGNORE;
        if (state == 0)
            continue;
        for (size_t i = 0; i < kept; i++)
            overlaps += overlap(&ranges[i], &range);
        if (overlaps > OVERLAPS_ALLOWED)
            return RANGE_IGNORE;
        ranges[kept++] = range;
    }
    if (specs == 0)
        return RANGE_IGNORE;
    *count = join(ranges, kept);
    return kept == 0 ? RANGE_UNSATISFIABLE : RANGE_PARTIAL;
}

size_t range_format_content(const struct range *range, uint64_t length,
                            char text[RANGE_CONTENT_LENGTH])
{
    int written = range == NULL ? snprintf(text, RANGE_CONTENT_LENGTH, "bytes */%" PRIu64, length)
                                : snprintf(text, RANGE_CONTENT_LENGTH,
                                           "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, range->first,
                                           range->last, length);
    return (size_t)written;
}

int range_parse_content(struct span value, struct range *range, uint64_t *length)
{
    const struct span unit = SPAN_LITERAL("bytes ");

    if (!span_equals_ignoring_case(span_slice(value, 0, unit.length), unit))
        return HERALD_ERROR_INVALID;
    value = span_slice(value, unit.length, value.length);
    if (!take_number(&value, &range->first) || !take_byte(&value, '-') ||
        !take_number(&value, &range->last) || !take_byte(&value, '/') || range->last < range->first)
        return HERALD_ERROR_INVALID;
    *length = UINT64_MAX;
    if (span_equals(value, SPAN_LITERAL("*")))
        return 0;
    if (!take_number(&value, length) || value.length != 0 || range->last >= *length)
        return HERALD_ERROR_INVALID;
    return 0;
}
