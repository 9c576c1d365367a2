#include "http/message.h"
#include "base/err.h"

/* Copies `source` to `*cursor`, which the caller has made long enough, and moves on. */
static struct span put(uint8_t **cursor, struct span source)
{
    struct span copy = span_make(*cursor, source.length);

    if (source.length != 0)
        memcpy(*cursor, source.data, source.length);
    *cursor += source.length;
    return copy;
}

int message_copy(struct arena *arena, const struct message *source, struct message *copy)
{
    size_t size = source->method.length + source->scheme.length + source->authority.length +
                  source->path.length + source->protocol.length + source->reason.length;

    for (size_t i = 0; i < source->fields.count; i++)
        size += source->fields.items[i].name.length + source->fields.items[i].value.length;

    *copy = *source;
    copy->fields = (struct fields){0};
    uint8_t *bytes = arena_alloc(arena, size);
    if (bytes == NULL || fields_reserve(&copy->fields, arena, source->fields.count) != 0)
        return HERALD_ERROR_NOMEM;

    copy->method = put(&bytes, source->method);
    copy->scheme = put(&bytes, source->scheme);
    copy->authority = put(&bytes, source->authority);
    copy->path = put(&bytes, source->path);
    copy->protocol = put(&bytes, source->protocol);
    copy->reason = put(&bytes, source->reason);
    for (size_t i = 0; i < source->fields.count; i++) {
        struct field *field = &copy->fields.items[i];
        *field = source->fields.items[i];
        field->name = put(&bytes, field->name);
        field->value = put(&bytes, field->value);
        if (field->known == KNOWN_NONE)
            field->known = (uint16_t)known_name_find(field->name);
    }
    copy->fields.count = source->fields.count;
    return 0;
}

bool message_method_is_safe(struct span method)
{
    return span_equals(method, SPAN_LITERAL("GET")) || span_equals(method, SPAN_LITERAL("HEAD")) ||
           span_equals(method, SPAN_LITERAL("OPTIONS")) ||
           span_equals(method, SPAN_LITERAL("TRACE"));
}

bool message_response_has_content(struct span request_method, unsigned status)
{
    if (status < 200 || status == 204 || status == 304)
        return false;
    if (span_equals(request_method, SPAN_LITERAL("HEAD")))
        return false;
    return !(status < 300 && span_equals(request_method, SPAN_LITERAL("CONNECT")));
}
