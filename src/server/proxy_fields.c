#include "server/proxy_fields.h"

#include "http/conn.h"
#include "http/outgoing_fields.h"
#include "server/proxy.h"

static bool is_forwarding(uint16_t known, struct span name)
{
    return known == KNOWN_FORWARDED || known == KNOWN_X_REAL_IP ||
           span_starts_with(name, SPAN_LITERAL("x-forwarded-"));
}

/* Fields that end here, whoever sent them. */
static bool ends_here(const struct field *field)
{
    switch (field->known) {
    case KNOWN_CONTENT_LENGTH:
    case KNOWN_EARLY_DATA:
    case KNOWN_EXPECT:
    case KNOWN_HOST:
    case KNOWN_HTTP2_SETTINGS:
    case KNOWN_PROXY_AUTHORIZATION:
        return true;
    case KNOWN_TE:
        return !span_equals_ignoring_case(field->value, SPAN_LITERAL("trailers"));
    default:
        return field_is_connection_specific((enum known_name)field->known) ||
               memchr(field->name.data, '_', field->name.length) != NULL;
    }
}

static int add(struct fields *fields, struct arena *arena, enum known_name known, struct span value)
{
    return fields_add(
        fields, arena,
        (struct field){.name = known_name_text(known), .value = value, .known = (uint16_t)known});
}

static int join(struct arena *arena, struct span left, struct span middle, struct span right,
                struct span *joined)
{
    size_t length = left.length + middle.length + right.length;
    uint8_t *text = arena_alloc(arena, length + 1), *at = text;

    if (text == NULL)
        return HERALD_ERROR_NOMEM;
    const struct span parts[] = {left, middle, right};
    for (size_t i = 0; i < 3; i++) {
        if (parts[i].length > 0)
            memcpy(at, parts[i].data, parts[i].length);
        at += parts[i].length;
    }
    *joined = span_make(text, length);
    return 0;
}

static int add_forwarded_for(struct exchange *exchange, struct span earlier, struct fields *fields)
{
    const struct conn_info *info = exchange->conn == NULL ? NULL : exchange->conn->info;
    struct span peer = info == NULL || info->peer_address[0] == '\0'
                           ? SPAN_LITERAL("unknown")
                           : span_from_text(info->peer_address);
    struct span value;
    int result = join(&exchange->arena, earlier,
                      earlier.length == 0 ? SPAN_EMPTY : SPAN_LITERAL(", "), peer, &value);

    return result < 0 ? result : add(fields, &exchange->arena, KNOWN_X_FORWARDED_FOR, value);
}

/* Who asked, and how; what a trusted client said itself stays. */
static int add_forwarding(struct exchange *exchange, bool trusted, struct fields *fields)
{
    const struct message *from = &exchange->incoming;
    struct arena *arena = &exchange->arena;
    struct span earlier = SPAN_EMPTY;
    int result = 0;

    for (size_t i = 0; trusted && i < from->fields.count && result == 0; i++) {
        const struct field *field = &from->fields.items[i];

        if (field->known == KNOWN_X_FORWARDED_FOR)
            result = join(arena, earlier, earlier.length == 0 ? SPAN_EMPTY : SPAN_LITERAL(", "),
                          field->value, &earlier);
    }
    if (result == 0)
        result = add_forwarded_for(exchange, earlier, fields);
    if (result == 0 && fields_find(fields, KNOWN_X_FORWARDED_PROTO) == NULL)
        result = add(fields, arena, KNOWN_X_FORWARDED_PROTO, from->scheme);
    if (result == 0 && fields_find(fields, KNOWN_X_FORWARDED_HOST) == NULL &&
        from->authority.length > 0)
        result = add(fields, arena, KNOWN_X_FORWARDED_HOST, from->authority);
    return result;
}

static int add_via(struct exchange *exchange, struct fields *fields)
{
    struct span value = exchange->incoming.version == HTTP_3     ? SPAN_LITERAL("3 herald")
                        : exchange->incoming.version == HTTP_2   ? SPAN_LITERAL("2 herald")
                        : exchange->incoming.version == HTTP_1_0 ? SPAN_LITERAL("1.0 herald")
                                                                 : SPAN_LITERAL("1.1 herald");
    size_t hops = 0;

    for (size_t i = 0; i < fields->count; i++) {
        const struct field *field = &fields->items[i];

        if (field->known != KNOWN_VIA)
            continue;
        hops++;
        for (size_t j = 0; j < field->value.length; j++)
            hops += field->value.data[j] == ',';
    }
    return hops >= PROXY_VIA_MAXIMUM ? HERALD_ERROR_REFUSED
                                     : add(fields, &exchange->arena, KNOWN_VIA, value);
}

static int copy_fields(struct exchange *exchange, bool trusted, struct fields *fields)
{
    const struct fields *from = &exchange->incoming.fields;

    for (size_t i = 0; i < from->count; i++) {
        const struct field *field = &from->items[i];
        int result;

        if (ends_here(field) || field->known == KNOWN_X_FORWARDED_FOR ||
            (!trusted && is_forwarding(field->known, field->name)))
            continue;
        result = fields_add(fields, &exchange->arena, *field);
        if (result < 0)
            return result;
    }
    return 0;
}

/* "/prefix/a?b" to "/base/a?b". */
static int rewrite_path(struct exchange *exchange, const struct proxy_rewrite *rewrite,
                        struct span *path)
{
    struct span rest = exchange->incoming.path, slash = SPAN_EMPTY;

    if (rewrite->prefix.length > 0 && span_starts_with(rest, rewrite->prefix))
        rest = span_slice(rest, rewrite->prefix.length, rest.length);
    if (span_equals(rest, SPAN_LITERAL("*"))) {
        *path = rest;
        return 0;
    }
    if (rest.length == 0 || rest.data[0] != '/')
        slash = SPAN_LITERAL("/");
    if (rewrite->base.length == 0 && slash.length == 0) {
        *path = rest;
        return 0;
    }
    return join(&exchange->arena, rewrite->base, slash, rest, path);
}

int proxy_request(struct exchange *exchange, const struct proxy_rewrite *rewrite,
                  struct message *request)
{
    const struct message *from = &exchange->incoming;
    int result;

    *request = (struct message){
        .method = from->method,
        .scheme = from->scheme,
        .authority = from->authority.length > 0 ? from->authority : rewrite->authority,
        .content_length = from->content_length,
    };
    result = rewrite_path(exchange, rewrite, &request->path);
    if (result == 0)
        result = copy_fields(exchange, rewrite->trust_forwarded, &request->fields);
    if (result == 0)
        result = add_forwarding(exchange, rewrite->trust_forwarded, &request->fields);
    if (result == 0 && exchange->early_data)
        result = add(&request->fields, &exchange->arena, KNOWN_EARLY_DATA, SPAN_LITERAL("1"));
    return result == 0 ? add_via(exchange, &request->fields) : result;
}

int proxy_response_fields(struct arena *arena, const struct message *head, struct fields *fields)
{
    *fields = (struct fields){0};
    for (size_t i = 0; i < head->fields.count; i++) {
        const struct field *field = &head->fields.items[i];
        int result;

        /* Alternatives to the upstream are not alternatives to us. */
        if (field->known == KNOWN_ALT_SVC ||
            field_is_connection_specific((enum known_name)field->known))
            continue;
        result = fields_add(fields, arena, *field);
        if (result < 0)
            return result;
    }
    return 0;
}
