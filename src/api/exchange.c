#include "api/api_private.h"

#include "base/err.h"

#define STACK_FIELDS 32

static void on_readable(struct exchange *exchange)
{
    herald_exchange *self = exchange->user;
    if (self->events != NULL && self->events->readable != NULL)
        self->events->readable(self, self->user);
}

static void on_writable(struct exchange *exchange)
{
    herald_exchange *self = exchange->user;
    if (self->events != NULL && self->events->writable != NULL)
        self->events->writable(self, self->user);
}

static void on_closed(struct exchange *exchange, int reason)
{
    herald_exchange *self = exchange->user;
    (void)reason;
    if (self->events != NULL && self->events->closed != NULL)
        self->events->closed(self, self->user);
}

static const struct exchange_events wrapper_events = {
    .readable = on_readable, .writable = on_writable, .closed = on_closed};

struct herald_exchange *api_exchange_wrap(struct exchange *exchange, void *user)
{
    herald_exchange *self = arena_alloc(&exchange->arena, sizeof(*self));
    if (self == NULL)
        return NULL;
    *self = (herald_exchange){.exchange = exchange, .user = user};
    exchange->user = self;
    exchange->events = &wrapper_events;
    return self;
}

static herald_text text_of(struct span span)
{
    return (herald_text){(const char *)span.data, span.length};
}

herald_text herald_exchange_method(const herald_exchange *self)
{
    return text_of(self->exchange->incoming.method);
}

herald_text herald_exchange_scheme(const herald_exchange *self)
{
    return text_of(self->exchange->incoming.scheme);
}

herald_text herald_exchange_authority(const herald_exchange *self)
{
    return text_of(self->exchange->incoming.authority);
}

herald_text herald_exchange_path(const herald_exchange *self)
{
    return text_of(self->exchange->incoming.path);
}

int herald_exchange_version(const herald_exchange *self)
{
    return (int)self->exchange->incoming.version;
}

herald_text herald_exchange_field(const herald_exchange *self, const char *name)
{
    const struct field *field =
        fields_find_name(&self->exchange->incoming.fields, span_from_text(name));
    if (field == NULL)
        return (herald_text){NULL, 0};
    /* data tells an empty value from none. */
    return field->value.length > 0 ? text_of(field->value) : (herald_text){"", 0};
}

int herald_exchange_is_pushed(const herald_exchange *self)
{
    return self->exchange->is_pushed;
}

size_t herald_exchange_read(herald_exchange *self, void *buffer, size_t capacity)
{
    return exchange_read(self->exchange, buffer, capacity);
}

int herald_exchange_at_end(const herald_exchange *self)
{
    return exchange_at_end(self->exchange);
}

void herald_exchange_listen(herald_exchange *self, const herald_events *events, void *user)
{
    self->events = events;
    self->user = user;
}

/* The fields as the inside wants them: in `room` when they fit, else in the exchange's arena. */
static struct field *convert(herald_exchange *self, const herald_field *fields, size_t count,
                             struct field room[STACK_FIELDS])
{
    struct field *converted = room;
    if (count > STACK_FIELDS) {
        if (count > self->exchange->limits->field_count)
            return NULL;
        converted = arena_alloc(&self->exchange->arena, count * sizeof(*converted));
    }
    for (size_t i = 0; converted != NULL && i < count; i++)
        converted[i] = (struct field){.name = span_from_text(fields[i].name),
                                      .value = span_from_text(fields[i].value)};
    return converted;
}

int herald_exchange_inform(herald_exchange *self, unsigned status, const herald_field *fields,
                           size_t count)
{
    struct field room[STACK_FIELDS];
    struct field *converted = convert(self, fields, count, room);
    return converted == NULL ? HERALD_ERROR_NOMEM
                             : exchange_inform(self->exchange, status, converted, count);
}

int herald_exchange_push(herald_exchange *self, const char *path, const herald_field *fields,
                         size_t count)
{
    struct field room[STACK_FIELDS];
    struct field *converted = convert(self, fields, count, room);
    if (converted == NULL)
        return HERALD_ERROR_NOMEM;
    const struct message *request = &self->exchange->incoming;
    const struct message promised = {
        .version = request->version,
        .method = SPAN_LITERAL("GET"),
        .scheme = request->scheme,
        .authority = request->authority,
        .path = span_from_text(path),
        .fields = {.items = converted, .count = count, .capacity = count},
        .content_length = CONTENT_LENGTH_UNKNOWN,
    };
    return exchange_push(self->exchange, &promised);
}

int herald_exchange_respond(herald_exchange *self, unsigned status, const herald_field *fields,
                            size_t count)
{
    struct field room[STACK_FIELDS];
    struct field *converted = convert(self, fields, count, room);
    if (converted == NULL)
        return HERALD_ERROR_NOMEM;
    return exchange_respond(self->exchange, status, converted, count, CONTENT_LENGTH_UNKNOWN);
}

int herald_exchange_write(herald_exchange *self, const void *data, size_t length)
{
    return exchange_write(self->exchange, span_make(data, length));
}

int herald_exchange_can_write(herald_exchange *self)
{
    return exchange_can_write(self->exchange);
}

void herald_exchange_finish(herald_exchange *self)
{
    struct exchange *exchange = self->exchange;
    /* What fails here leaves the response incomplete, and releasing it then aborts it. */
    (void)exchange_finish(exchange, NULL, 0);
    exchange_release(exchange);
}

int herald_exchange_reply(herald_exchange *self, unsigned status, const char *content_type,
                          const void *body, size_t length)
{
    struct exchange *exchange = self->exchange;
    struct field type = FIELD("content-type", "");
    if (content_type != NULL)
        type.value = span_from_text(content_type);
    int result = exchange_respond(exchange, status, &type, content_type == NULL ? 0 : 1, length);
    if (result == 0 && length > 0)
        result = exchange_write(exchange, span_make(body, length));
    if (result == 0)
        result = exchange_finish(exchange, NULL, 0);
    exchange_release(exchange);
    return result;
}

void herald_exchange_abort(herald_exchange *self)
{
    struct exchange *exchange = self->exchange;
    exchange_cancel(exchange, HERALD_ERROR_INTERNAL);
    exchange_release(exchange);
}
