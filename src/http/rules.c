#include "http/rules.h"
#include "base/err.h"
#include "http/field_syntax.h"
#include "http/outgoing_fields.h"
#include "http/rules_internal.h"

#define BLOCK_SIZE   512
#define FIRST_FIELDS 12 /* what an ordinary head has; the list doubles from there */

enum head_verdict head_builder_fault(struct head_builder *builder, enum head_verdict verdict,
                                     const char *reason)
{
    if (builder->verdict == HEAD_OK ||
        (verdict == HEAD_FAR_TOO_LARGE && builder->verdict != HEAD_FAR_TOO_LARGE)) {
        builder->verdict = verdict;
        builder->reason = reason;
    }
    return builder->verdict;
}

static enum head_verdict malformed(struct head_builder *builder, const char *reason)
{
    return head_builder_fault(builder, HEAD_MALFORMED, reason);
}

void head_builder_init(struct head_builder *builder, enum head_kind kind, struct arena *arena,
                       const struct limits *limits)
{
    *builder = (struct head_builder){
        .arena = arena,
        .limits = limits,
        .kind = kind,
        .message = {.version = HTTP_2, .content_length = CONTENT_LENGTH_UNKNOWN},
    };
}

void head_builder_init_http1(struct head_builder *builder, enum head_kind kind, struct arena *arena,
                             const struct limits *limits)
{
    head_builder_init(builder, kind, arena, limits);
    builder->is_http1 = true;
    builder->message.version = HTTP_1_1;
}

/* Unaligned bytes from the arena: names and values lie close together. NULL when it is full. */
static uint8_t *take_bytes(struct head_builder *builder, size_t length)
{
    if (length > builder->block_left) {
        size_t size = length > BLOCK_SIZE ? length : BLOCK_SIZE;
        uint8_t *block = arena_alloc(builder->arena, size);
        if (block == NULL) {
            head_builder_fault(builder, HEAD_NO_MEMORY, "out of memory for a field block");
            return NULL;
        }
        builder->block = block;
        builder->block_left = size;
    }
    uint8_t *bytes = builder->block;
    builder->block += length;
    builder->block_left -= length;
    return bytes;
}

static bool copy_bytes(struct head_builder *builder, struct span source, struct span *copy)
{
    *copy = SPAN_EMPTY;
    if (source.length == 0)
        return true;
    uint8_t *bytes = take_bytes(builder, source.length);
    if (bytes == NULL)
        return false;
    memcpy(bytes, source.data, source.length);
    *copy = span_make(bytes, source.length);
    return true;
}

static uint8_t lower_case(uint8_t byte)
{
    return byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte;
}

static bool copy_lower(struct head_builder *builder, struct span source, struct span *copy)
{
    *copy = SPAN_EMPTY;
    if (source.length == 0)
        return true;
    uint8_t *bytes = take_bytes(builder, source.length);
    if (bytes == NULL)
        return false;
    for (size_t i = 0; i < source.length; i++)
        bytes[i] = lower_case(source.data[i]);
    *copy = span_make(bytes, source.length);
    return true;
}

/* ---- limits ---- */

static bool count_field(struct head_builder *builder, struct span name, struct span value)
{
    const struct limits *limits = builder->limits;
    bool trailers = builder->kind == HEAD_TRAILERS;
    uint64_t size_limit = trailers ? limits->trailer_size : limits->field_list_size;
    uint64_t count_limit = trailers ? limits->trailer_count : limits->field_count;

    builder->size += (uint64_t)name.length + value.length + FIELD_OVERHEAD;
    builder->count++;
    if (builder->size <= size_limit && builder->count <= count_limit)
        return true;
    if (builder->size > size_limit * HEAD_FAR_FACTOR ||
        builder->count > count_limit * HEAD_FAR_FACTOR)
        head_builder_fault(builder, HEAD_FAR_TOO_LARGE, "field list far over the limit");
    else
        head_builder_fault(builder, HEAD_TOO_LARGE, "field list over the limit");
    return false;
}

/* ---- pseudo-fields ---- */

static uint32_t pseudo_bit(struct span name)
{
    switch (name.length) {
    case 5:
        return memcmp(name.data, ":path", 5) == 0 ? SEEN_PATH : 0;
    case 7:
        return memcmp(name.data, ":method", 7) == 0   ? SEEN_METHOD
               : memcmp(name.data, ":scheme", 7) == 0 ? SEEN_SCHEME
               : memcmp(name.data, ":status", 7) == 0 ? SEEN_STATUS
                                                      : 0;
    case 9:
        return memcmp(name.data, ":protocol", 9) == 0 ? SEEN_PROTOCOL : 0;
    case 10:
        return memcmp(name.data, ":authority", 10) == 0 ? SEEN_AUTHORITY : 0;
    default:
        return 0;
    }
}

/* Three digits, 100 to 999 (RFC 9110 section 15). 0 for anything else. */
static unsigned parse_status(struct span value)
{
    uint64_t status;

    if (value.length != 3 || span_to_unsigned(value, 999, &status) != 0 || status < 100)
        return 0;
    return (unsigned)status;
}

static enum head_verdict store_pseudo(struct head_builder *builder, uint32_t bit, struct span value)
{
    struct message *message = &builder->message;
    struct span *slot = bit == SEEN_METHOD      ? &message->method
                        : bit == SEEN_SCHEME    ? &message->scheme
                        : bit == SEEN_PATH      ? &message->path
                        : bit == SEEN_AUTHORITY ? &message->authority
                                                : &message->protocol;

    if (bit == SEEN_STATUS) {
        message->status = (uint16_t)parse_status(value);
        return message->status != 0 ? builder->verdict : malformed(builder, "bad :status");
    }
    if (bit == SEEN_METHOD && value.length > builder->limits->method_size)
        return head_builder_fault(builder, HEAD_METHOD_TOO_LONG, "method too long");
    if (bit == SEEN_PATH && value.length > builder->limits->request_line_size)
        return head_builder_fault(builder, HEAD_TARGET_TOO_LONG, "path too long");
    if (bit == SEEN_SCHEME)
        copy_lower(builder, value, slot);
    else
        copy_bytes(builder, value, slot);
    return builder->verdict;
}

static enum head_verdict add_pseudo(struct head_builder *builder, struct span name,
                                    struct span value)
{
    const uint32_t of_requests =
        SEEN_METHOD | SEEN_SCHEME | SEEN_AUTHORITY | SEEN_PATH | SEEN_PROTOCOL;
    uint32_t bit = pseudo_bit(name);

    if (builder->kind == HEAD_TRAILERS)
        return malformed(builder, "pseudo-field in trailers");
    if (builder->seen & SEEN_FIELD)
        return malformed(builder, "pseudo-field after a field");
    if (bit == 0 || ((bit & of_requests) != 0) != (builder->kind != HEAD_RESPONSE))
        return malformed(builder, "unknown pseudo-field");
    if (builder->seen & bit)
        return malformed(builder, "pseudo-field twice");
    if (bit == SEEN_PROTOCOL && !builder->extended_connect)
        return malformed(builder, ":protocol without extended CONNECT");
    builder->seen |= bit;
    /* Method, scheme, authority and path have their own, narrower rules at the end. */
    return store_pseudo(builder, bit, value);
}

/* ---- fields with a meaning ---- */

static enum head_verdict add_content_length(struct head_builder *builder, struct span value)
{
    if (builder->seen & SEEN_CONTENT_LENGTH)
        return malformed(builder, "Content-Length twice");
    builder->seen |= SEEN_CONTENT_LENGTH;
    if (field_content_length(value, &builder->message.content_length) != 0)
        return malformed(builder, "bad Content-Length");
    return HEAD_OK;
}

static enum head_verdict add_host(struct head_builder *builder, struct span value)
{
    if (builder->seen & SEEN_HOST)
        return malformed(builder, "Host twice");
    builder->seen |= SEEN_HOST;
    copy_bytes(builder, value, &builder->host);
    return builder->verdict;
}

static enum head_verdict add_expect(struct head_builder *builder, struct span value)
{
    builder->seen |= SEEN_EXPECT;
    if (!span_equals_ignoring_case(value, SPAN_LITERAL("100-continue")))
        return head_builder_fault(builder, HEAD_EXPECTATION_FAILED, "unknown expectation");
    builder->message.expects_continue = builder->message.version != HTTP_1_0;
    return HEAD_OK;
}

static enum head_verdict check_connection_specific(struct head_builder *builder,
                                                   enum known_name known, struct span value)
{
    if (builder->is_http1)
        return HEAD_OK;
    if (field_is_connection_specific(known))
        return malformed(builder, "connection-specific field");
    if (known == KNOWN_TE && (builder->kind == HEAD_RESPONSE ||
                              !span_equals_ignoring_case(value, SPAN_LITERAL("trailers"))))
        return malformed(builder, "TE other than trailers");
    return HEAD_OK;
}

/* Appends a crumb to the one Cookie field. */
static enum head_verdict join_cookie(struct head_builder *builder, struct span crumb)
{
    struct cookie_join *cookie = &builder->cookie;
    struct span *joined = &builder->message.fields.items[cookie->position].value;
    size_t length = joined->length;

    if (crumb.length == 0)
        return HEAD_OK;
    if (length + 2 + crumb.length > cookie->capacity) {
        size_t capacity = (length + 2 + crumb.length) * 2;
        uint8_t *bytes = arena_alloc(builder->arena, capacity);
        if (bytes == NULL)
            return head_builder_fault(builder, HEAD_NO_MEMORY, "out of memory for a field block");
        if (length != 0)
            memcpy(bytes, joined->data, length);
        cookie->bytes = bytes;
        cookie->capacity = capacity;
    }
    if (length != 0) {
        memcpy(cookie->bytes + length, "; ", 2);
        length += 2;
    }
    memcpy(cookie->bytes + length, crumb.data, crumb.length);
    *joined = span_make(cookie->bytes, length + crumb.length);
    return HEAD_OK;
}

/* The fields whose meaning concerns the message itself. `*keep` is cleared for those that do not
 * become a field of their own. */
static enum head_verdict add_special(struct head_builder *builder, enum known_name known,
                                     struct span value, uint8_t flags, bool *keep)
{
    bool request = builder->kind == HEAD_REQUEST || builder->kind == HEAD_PROMISED_REQUEST;

    switch (known) {
    case KNOWN_CONTENT_LENGTH:
        return add_content_length(builder, value);
    case KNOWN_HOST:
        *keep = !request;
        return request ? add_host(builder, value) : HEAD_OK;
    case KNOWN_EXPECT:
        return request ? add_expect(builder, value) : HEAD_OK;
    case KNOWN_COOKIE:
        if (!(builder->seen & SEEN_COOKIE)) {
            builder->seen |= SEEN_COOKIE;
            builder->cookie.position = builder->message.fields.count;
            return HEAD_OK;
        }
        *keep = false;
        builder->message.fields.items[builder->cookie.position].flags |= flags;
        return join_cookie(builder, value);
    default:
        return check_connection_specific(builder, known, value);
    }
}

/* ---- any field ---- */

/* Checks the name, finds its number and gives a name that lives as long as the arena. */
static bool settle_name(struct head_builder *builder, struct span *name, enum known_name *known)
{
    uint8_t lower[KNOWN_NAME_LENGTH_MAXIMUM];
    struct span searched = *name;

    if (*known < KNOWN_STATIC_FIRST || *known >= KNOWN_NAME_END) {
        if (builder->is_http1 && name->length <= sizeof(lower)) {
            for (size_t i = 0; i < name->length; i++)
                lower[i] = lower_case(name->data[i]);
            searched.data = lower;
        }
        /* What is in the table is a name: no need to look at its bytes. */
        *known = known_name_find(searched);
    }
    if (*known != KNOWN_NONE) {
        *name = known_name_text(*known);
        return true;
    }
    if (builder->is_http1 ? field_is_token(*name) : field_is_lower_name(*name))
        return builder->is_http1 ? copy_lower(builder, *name, name)
                                 : copy_bytes(builder, *name, name);
    malformed(builder, "bad field name");
    return false;
}

static int append(struct head_builder *builder, struct field field)
{
    struct fields *fields = &builder->message.fields;

    if (fields->count == fields->capacity &&
        fields_reserve(fields, builder->arena, FIRST_FIELDS) != 0)
        return HERALD_ERROR_NOMEM;
    fields->items[fields->count++] = field;
    return 0;
}

enum head_verdict head_builder_add(struct head_builder *builder, struct span name,
                                   struct span value, enum known_name known, uint8_t flags)
{
    struct field field = {.flags = flags};
    bool keep = true;

    if (builder->verdict == HEAD_FAR_TOO_LARGE || !count_field(builder, name, value) ||
        builder->verdict != HEAD_OK)
        return builder->verdict;
    if (name.length != 0 && name.data[0] == ':' && !builder->is_http1)
        return add_pseudo(builder, name, value);
    builder->seen |= SEEN_FIELD;

    if (builder->is_http1)
        value = span_trim(value);
    if (!settle_name(builder, &name, &known))
        return builder->verdict;
    if (!field_is_value(value))
        return malformed(builder, "bad field value");

    if (builder->kind == HEAD_TRAILERS) {
        if (check_connection_specific(builder, known, value) != HEAD_OK ||
            field_is_forbidden_in_trailers(known))
            return builder->verdict;
    } else if (known != KNOWN_NONE &&
               (add_special(builder, known, value, flags, &keep) != HEAD_OK || !keep)) {
        return builder->verdict;
    }
    field.name = name;
    field.known = (uint16_t)known;
    if (!copy_bytes(builder, value, &field.value))
        return builder->verdict;
    if (append(builder, field) != 0)
        return head_builder_fault(builder, HEAD_NO_MEMORY, "out of memory for a field block");
    return HEAD_OK;
}
