#include "http/outgoing_fields.h"
#include "base/err.h"
#include "http/field_syntax.h"

bool field_is_connection_specific(enum known_name known)
{
    switch (known) {
    case KNOWN_CONNECTION:
    case KNOWN_KEEP_ALIVE:
    case KNOWN_PROXY_CONNECTION:
    case KNOWN_TRANSFER_ENCODING:
    case KNOWN_UPGRADE:
        return true;
    default:
        return false;
    }
}

static const bool forbidden_in_trailers[KNOWN_NAME_END] = {
    [KNOWN_AGE] = true,
    [KNOWN_AUTHENTICATION_INFO] = true,
    [KNOWN_AUTHORIZATION] = true,
    [KNOWN_CACHE_CONTROL] = true,
    [KNOWN_CONNECTION] = true,
    [KNOWN_CONTENT_ENCODING] = true,
    [KNOWN_CONTENT_LENGTH] = true,
    [KNOWN_CONTENT_RANGE] = true,
    [KNOWN_CONTENT_TYPE] = true,
    [KNOWN_COOKIE] = true,
    [KNOWN_DATE] = true,
    [KNOWN_EARLY_DATA] = true,
    [KNOWN_EXPECT] = true,
    [KNOWN_EXPIRES] = true,
    [KNOWN_FORWARDED] = true,
    [KNOWN_HOST] = true,
    [KNOWN_IF_MATCH] = true,
    [KNOWN_IF_MODIFIED_SINCE] = true,
    [KNOWN_IF_NONE_MATCH] = true,
    [KNOWN_IF_RANGE] = true,
    [KNOWN_IF_UNMODIFIED_SINCE] = true,
    [KNOWN_KEEP_ALIVE] = true,
    [KNOWN_LOCATION] = true,
    [KNOWN_MAX_FORWARDS] = true,
    [KNOWN_PRAGMA] = true,
    [KNOWN_PROXY_AUTHENTICATE] = true,
    [KNOWN_PROXY_AUTHENTICATION_INFO] = true,
    [KNOWN_PROXY_AUTHORIZATION] = true,
    [KNOWN_PROXY_CONNECTION] = true,
    [KNOWN_RANGE] = true,
    [KNOWN_RETRY_AFTER] = true,
    [KNOWN_SET_COOKIE] = true,
    [KNOWN_TE] = true,
    [KNOWN_TRAILER] = true,
    [KNOWN_TRANSFER_ENCODING] = true,
    [KNOWN_UPGRADE] = true,
    [KNOWN_VARY] = true,
    [KNOWN_WWW_AUTHENTICATE] = true,
    [KNOWN_X_FORWARDED_FOR] = true,
    [KNOWN_X_FORWARDED_HOST] = true,
    [KNOWN_X_FORWARDED_PORT] = true,
    [KNOWN_X_FORWARDED_PROTO] = true,
    [KNOWN_X_REAL_IP] = true,
};

bool field_is_forbidden_in_trailers(enum known_name known)
{
    return (unsigned)known < KNOWN_NAME_END && forbidden_in_trailers[known];
}

static bool is_left_out(enum outgoing_kind kind, enum known_name known, struct span value)
{
    if (known == KNOWN_NONE)
        return false;
    if (kind == OUTGOING_TRAILERS)
        return field_is_forbidden_in_trailers(known);
    if (known == KNOWN_CONTENT_LENGTH || field_is_connection_specific(known))
        return true;
    if (kind != OUTGOING_REQUEST)
        return false;
    return known == KNOWN_HOST ||
           (known == KNOWN_TE && !span_equals_ignoring_case(value, SPAN_LITERAL("trailers")));
}

static void copy_lower(uint8_t *destination, struct span source)
{
    for (size_t i = 0; i < source.length; i++) {
        uint8_t byte = source.data[i];
        destination[i] = byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte;
    }
}

/* The number of a name in lower case, from the field when it is right about it. */
static enum known_name known_of(const struct field *field)
{
    enum known_name known = (enum known_name)field->known;

    if (known != KNOWN_NONE) {
        struct span text = known_name_text(known);
        /* Names written by us are most often the table's own bytes. */
        if (text.length == field->name.length &&
            (text.data == field->name.data || span_equals(text, field->name)))
            return known;
    }
    return known_name_find(field->name);
}

/* A field that is about to be sent: what is returned still has the bytes of `source`, trimmed. */
static struct field tidy(const struct field *source)
{
    enum known_name known = known_of(source);

    return (struct field){
        .name = known == KNOWN_NONE ? source->name : known_name_text(known),
        .value = span_trim(source->value),
        .known = (uint16_t)known,
        .flags = source->flags,
    };
}

static bool may_be_sent(const struct field *tidied)
{
    return (tidied->known != KNOWN_NONE || field_is_token(tidied->name)) &&
           field_value_bytes_are_valid(tidied->value);
}

static size_t bytes_of(const struct field *field)
{
    return (field->known == KNOWN_NONE ? field->name.length : 0) + field->value.length;
}

/* Gives a checked field bytes of its own; `*bytes` moves behind them. */
static void settle_field(struct field *field, uint8_t **bytes)
{
    if (field->known == KNOWN_NONE) {
        copy_lower(*bytes, field->name);
        field->name.data = *bytes;
        *bytes += field->name.length;
        /* The number of a name that was written in upper case. */
        field->known = (uint16_t)known_name_find(field->name);
    }
    if (field->value.length != 0)
        memcpy(*bytes, field->value.data, field->value.length);
    field->value.data = *bytes;
    *bytes += field->value.length;
}

int outgoing_fields_copy(struct arena *arena, enum outgoing_kind kind, const struct field *fields,
                         size_t count, size_t spare, struct fields *copy)
{
    size_t size = 0;

    *copy = (struct fields){0};
    if (count + spare == 0)
        return 0;
    if (fields_reserve(copy, arena, count + spare) != 0)
        return HERALD_ERROR_NOMEM;
    for (size_t i = 0; i < count; i++) {
        copy->items[i] = tidy(&fields[i]);
        if (!may_be_sent(&copy->items[i]))
            return HERALD_ERROR_INVALID;
        size += bytes_of(&copy->items[i]);
    }
    uint8_t *bytes = arena_alloc(arena, size);
    if (bytes == NULL)
        return HERALD_ERROR_NOMEM;
    for (size_t i = 0; i < count; i++) {
        struct field *field = &copy->items[copy->count];
        if (copy->count != i)
            *field = copy->items[i];
        settle_field(field, &bytes);
        copy->count += !is_left_out(kind, (enum known_name)field->known, field->value);
    }
    return 0;
}

static bool has_name(const struct fields *fields, size_t count, const struct field *wanted)
{
    for (size_t i = 0; i < count; i++) {
        if (fields->items[i].known == wanted->known &&
            (wanted->known != KNOWN_NONE || span_equals(fields->items[i].name, wanted->name)))
            return true;
    }
    return false;
}

int outgoing_add_defaults(struct fields *fields, struct arena *arena, const struct fields *defaults)
{
    size_t own = fields->count, size = 0;

    for (size_t i = 0; i < defaults->count; i++)
        size += defaults->items[i].name.length + defaults->items[i].value.length;
    uint8_t *bytes = arena_alloc(arena, size);
    if (bytes == NULL || fields_reserve(fields, arena, defaults->count) != 0)
        return HERALD_ERROR_NOMEM;
    for (size_t i = 0; i < defaults->count; i++) {
        struct field *field = &fields->items[fields->count];
        *field = tidy(&defaults->items[i]);
        settle_field(field, &bytes);
        fields->count += !has_name(fields, own, field);
    }
    return 0;
}

int outgoing_content_length(const struct field *fields, size_t count, uint64_t *length)
{
    const struct span name = SPAN_LITERAL("content-length");

    *length = CONTENT_LENGTH_UNKNOWN;
    for (size_t i = 0; i < count; i++) {
        uint64_t number;
        if (fields[i].name.length != name.length ||
            !span_equals_ignoring_case(fields[i].name, name))
            continue;
        if (field_content_length(span_trim(fields[i].value), &number) != 0 ||
            (*length != CONTENT_LENGTH_UNKNOWN && *length != number))
            return HERALD_ERROR_INVALID;
        *length = number;
    }
    return 0;
}

int outgoing_add_content_length(struct fields *fields, struct arena *arena, uint64_t length)
{
    uint8_t *digits = arena_alloc(arena, 20);
    size_t start = 20;

    if (digits == NULL)
        return HERALD_ERROR_NOMEM;
    do {
        digits[--start] = (uint8_t)('0' + length % 10);
        length /= 10;
    } while (length != 0);
    return fields_add(fields, arena,
                      (struct field){known_name_text(KNOWN_CONTENT_LENGTH),
                                     span_make(digits + start, 20 - start), KNOWN_CONTENT_LENGTH,
                                     0});
}
