/* The message rules with any fields in any order: what is accepted keeps every promise of
 * http/rules.h. Input: a byte of options, then fields as length, name, length, value. */
#include "http/field_syntax.h"
#include "http/outgoing_fields.h"
#include "http/rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            __builtin_trap();                                                                      \
    } while (0)

static struct span take(const uint8_t **at, const uint8_t *end)
{
    size_t length = *at < end ? *(*at)++ : 0;

    if (length > (size_t)(end - *at))
        length = (size_t)(end - *at);
    struct span text = span_make(*at, length);
    *at += length;
    return text;
}

static void check_fields(const struct fields *fields, bool is_http1, bool trailers)
{
    for (size_t i = 0; i < fields->count; i++) {
        const struct field *field = &fields->items[i];
        enum known_name known = (enum known_name)field->known;

        CHECK(field_is_lower_name(field->name));
        CHECK(field_is_value(field->value));
        CHECK(known == known_name_find(field->name));
        CHECK(is_http1 || !field_is_connection_specific(known));
        CHECK(!trailers || !field_is_forbidden_in_trailers(known));
    }
}

static void check_request(const struct head_builder *builder, const struct message *message)
{
    bool connect = span_equals(message->method, SPAN_LITERAL("CONNECT"));

    CHECK(field_is_token(message->method));
    CHECK(message->method.length <= builder->limits->method_size);
    CHECK(message->path.length == 0
              ? connect
              : message->path.data[0] == '/' || span_equals(message->path, SPAN_LITERAL("*")));
    CHECK(field_target_is_valid(message->path));
    CHECK(message->authority.length == 0 || authority_is_valid(message->authority));
    CHECK(fields_find(&message->fields, KNOWN_HOST) == NULL);
    CHECK(fields_count(&message->fields, KNOWN_COOKIE) <= 1);
    CHECK(builder->is_http1 || connect || message->scheme.length != 0);
    CHECK(message->protocol.length == 0 || builder->extended_connect);
    if (builder->kind == HEAD_PROMISED_REQUEST)
        CHECK(message_method_is_safe(message->method) &&
              (message->content_length == CONTENT_LENGTH_UNKNOWN || message->content_length == 0));
}

static void check_message(const struct head_builder *builder, const struct message *message)
{
    check_fields(&message->fields, builder->is_http1, false);
    CHECK(fields_count(&message->fields, KNOWN_CONTENT_LENGTH) <= 1);
    if (fields_find(&message->fields, KNOWN_CONTENT_LENGTH) == NULL)
        CHECK(message->content_length == CONTENT_LENGTH_UNKNOWN);
    if (builder->kind == HEAD_RESPONSE)
        CHECK(message->status >= 100 && message->status <= 999);
    else
        check_request(builder, message);
    CHECK(fields_size(&message->fields) <= builder->limits->field_list_size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct account account = {0};
    struct limits limits = limits_default;
    struct head_builder builder;
    struct arena arena;
    struct message message;
    struct fields trailers;
    const uint8_t *end = data + size;

    if (size == 0)
        return 0;
    uint8_t options = *data++;
    limits.field_list_size = 1024;
    limits.field_count = 20;
    arena_init(&arena, 0, &account);
    if (options & 4)
        head_builder_init_http1(&builder, (enum head_kind)(options & 3), &arena, &limits);
    else
        head_builder_init(&builder, (enum head_kind)(options & 3), &arena, &limits);
    if (builder.is_http1 && builder.kind != HEAD_TRAILERS) {
        builder.message.method = take(&data, end);
        builder.message.path = take(&data, end);
        builder.message.status = (uint16_t)(100 + options);
        builder.message.version = options & 16 ? HTTP_1_0 : HTTP_1_1;
    }
    builder.extended_connect = (options & 8) != 0;
    while (data < end) {
        struct span name = take(&data, end);
        struct span value = take(&data, end);
        enum head_verdict before = builder.verdict;
        enum head_verdict after = head_builder_add(&builder, name, value, KNOWN_NONE, 0);
        CHECK(before == HEAD_OK || after == before || after == HEAD_FAR_TOO_LARGE);
    }
    if (builder.kind == HEAD_TRAILERS) {
        if (head_builder_finish_trailers(&builder, &trailers) == HEAD_OK)
            check_fields(&trailers, builder.is_http1, true);
    } else if (head_builder_finish(&builder, &message) == HEAD_OK) {
        check_message(&builder, &message);
    }
    CHECK((builder.verdict == HEAD_OK) == (builder.reason == NULL));
    CHECK(account.live <= 64 * 1024);
    arena_free(&arena);
    CHECK(account.live == 0);
    return 0;
}
