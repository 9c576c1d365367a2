#include "http/conditional.h"
#include "http/date.h"
#include <inttypes.h>
#include <stdio.h>

static const struct span weak_mark = {(const uint8_t *)"W/", 2};

bool etag_is_weak(struct span etag)
{
    return span_starts_with(etag, weak_mark);
}

static struct span opaque_of(struct span etag)
{
    return etag_is_weak(etag) ? span_slice(etag, 2, etag.length) : etag;
}

bool etag_is_valid(struct span etag)
{
    struct span opaque = opaque_of(etag);

    if (opaque.length < 2 || opaque.data[0] != '"' || opaque.data[opaque.length - 1] != '"')
        return false;
    for (size_t i = 1; i < opaque.length - 1; i++) {
        if (opaque.data[i] <= ' ' || opaque.data[i] == '"' || opaque.data[i] == 0x7f)
            return false;
    }
    return true;
}

bool etag_equals_strongly(struct span left, struct span right)
{
    return left.length != 0 && !etag_is_weak(left) && span_equals(left, right);
}

bool etag_equals_weakly(struct span left, struct span right)
{
    return left.length != 0 && span_equals(opaque_of(left), opaque_of(right));
}

size_t etag_of_file(uint64_t size, int64_t modified, char text[ETAG_FILE_LENGTH])
{
    return (size_t)snprintf(text, ETAG_FILE_LENGTH, "\"%" PRIx64 "-%" PRIx64 "\"",
                            (uint64_t)modified, size);
}

/* Takes the next entity tag from a list. 1, 0 at the end, -1 for what is none. */
static int next_etag(struct span *rest, struct span *etag)
{
    while (rest->length != 0 && strchr(", \t", rest->data[0]) != NULL && rest->data[0] != 0)
        *rest = span_slice(*rest, 1, rest->length);
    if (rest->length == 0)
        return 0;
    size_t start = etag_is_weak(*rest) ? 2 : 0;
    struct span opaque = span_slice(*rest, start, rest->length);
    if (opaque.length < 2 || opaque.data[0] != '"')
        return -1;
    const uint8_t *quote = memchr(opaque.data + 1, '"', opaque.length - 1);
    if (quote == NULL)
        return -1;
    *etag = span_make(rest->data, (size_t)(quote + 1 - rest->data));
    *rest = span_slice(*rest, etag->length, rest->length);
    if (rest->length != 0 && strchr(", \t", rest->data[0]) == NULL)
        return -1;
    return etag_is_valid(*etag) ? 1 : -1;
}

enum match { MATCH_ABSENT, MATCH_YES, MATCH_NO, MATCH_BAD };

/* Looks for the present tag in every field of that name. */
static enum match match_etags(const struct fields *request, enum known_name known,
                              const struct validators *validators, bool exists,
                              bool (*equals)(struct span, struct span))
{
    enum match result = MATCH_ABSENT;

    for (size_t i = 0; i < request->count; i++) {
        struct span rest = request->items[i].value, etag;
        int state;

        if (request->items[i].known != known)
            continue;
        if (span_equals(span_trim(rest), SPAN_LITERAL("*"))) {
            if (exists)
                return MATCH_YES;
            result = MATCH_NO;
            continue;
        }
        while ((state = next_etag(&rest, &etag)) > 0) {
            if (exists && equals(validators->etag, etag))
                return MATCH_YES;
        }
        if (state < 0)
            return MATCH_BAD;
        result = MATCH_NO;
    }
    return result;
}

/* The date of a field that must come once. */
static bool date_of(const struct fields *request, enum known_name known, int64_t now,
                    int64_t *seconds)
{
    return fields_count(request, known) == 1 &&
           date_parse(fields_value(request, known), now, seconds) == 0;
}

enum condition_result condition_evaluate(const struct fields *request, struct span method,
                                         const struct validators *validators, bool exists,
                                         int64_t now)
{
    bool reads =
        span_equals(method, SPAN_LITERAL("GET")) || span_equals(method, SPAN_LITERAL("HEAD"));
    bool dated = exists && validators->last_modified >= 0;
    int64_t date;

    enum match match =
        match_etags(request, KNOWN_IF_MATCH, validators, exists, etag_equals_strongly);
    if (match == MATCH_NO || match == MATCH_BAD)
        return CONDITION_PRECONDITION_FAILED;
    if (match == MATCH_ABSENT && dated && date_of(request, KNOWN_IF_UNMODIFIED_SINCE, now, &date) &&
        validators->last_modified > date)
        return CONDITION_PRECONDITION_FAILED;

    match = match_etags(request, KNOWN_IF_NONE_MATCH, validators, exists, etag_equals_weakly);
    if (match == MATCH_YES)
        return reads ? CONDITION_NOT_MODIFIED : CONDITION_PRECONDITION_FAILED;
    if (match == MATCH_ABSENT && reads && dated &&
        date_of(request, KNOWN_IF_MODIFIED_SINCE, now, &date) && validators->last_modified <= date)
        return CONDITION_NOT_MODIFIED;
    return CONDITION_PROCEED;
}

bool condition_range_applies(const struct fields *request, const struct validators *validators,
                             int64_t now)
{
    struct span value = fields_value(request, KNOWN_IF_RANGE);
    int64_t date;

    if (fields_count(request, KNOWN_IF_RANGE) == 0)
        return true;
    if (fields_count(request, KNOWN_IF_RANGE) != 1)
        return false;
    if (etag_is_valid(value))
        return etag_equals_strongly(validators->etag, value);
    return date_parse(value, now, &date) == 0 && date == validators->last_modified && date < now;
}
