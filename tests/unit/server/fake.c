#include "server/fake.h"

#include "support/check.h"

#include <stdio.h>

static void ignore(struct exchange *exchange)
{
    (void)exchange;
}

static void ignore_length(struct exchange *exchange, size_t length)
{
    (void)exchange;
    (void)length;
}

static int can_push(const struct exchange *exchange)
{
    struct fake *fake = CONTAINER_OF(exchange->conn, struct fake, conn);
    return fake->takes_pushes ? 0 : HERALD_ERROR_UNSUPPORTED;
}

static void cancel(struct exchange *exchange, int reason)
{
    (void)reason;
    CONTAINER_OF(exchange->conn, struct fake, conn)->cancelled = true;
}

static const struct exchange_ops ops = {
    .wake = ignore,
    .consumed = ignore_length,
    .discard = ignore,
    .can_push = can_push,
    .cancel = cancel,
    .released = ignore,
    .reprioritise = ignore,
};

static void no_wake(struct conn *conn)
{
    (void)conn;
}

static const struct conn_host_ops host_ops = {.wake = no_wake};

void fake_init(struct fake *fake, const char *method, const char *path, const char *const *fields)
{
    memset(fake, 0, sizeof(*fake));
    fake->info = (struct conn_info){
        .scheme = "https", .peer_address = "192.0.2.7", .peer_port = 4711, .local_address = ""};
    const struct conn_config config = {
        .role = CONN_SERVER, .host = &host_ops, .info = &fake->info, .limits = &limits_default};
    conn_init(&fake->conn, NULL, &config, HTTP_2);
    struct exchange *exchange =
        exchange_new(&fake->conn, &ops, NULL, &limits_default, &fake->conn.account);
    assert_non_null(exchange);
    struct message *request = &exchange->incoming;
    request->version = HTTP_2;
    request->method = span_from_text(method);
    request->scheme = SPAN_LITERAL("https");
    request->authority = SPAN_LITERAL("example.com");
    request->path = span_from_text(path);
    for (size_t i = 0; fields != NULL && fields[i] != NULL; i += 2) {
        const struct field field = {.name = span_from_text(fields[i]),
                                    .value = span_from_text(fields[i + 1])};
        assert_int_equal(fields_add_copy(&request->fields, &exchange->arena, field), 0);
    }
    exchange->head_received = exchange->in_ended = true;
    fake->exchange = exchange;
}

void fake_hold(struct fake *fake)
{
    fake->exchange->owned = true;
    fake->exchange->holds++;
    fake->conn.running++;
}

void fake_start(struct fake *fake, struct handler *handler)
{
    fake_hold(fake);
    handler->start(handler, fake->exchange);
}

static void say(struct fake *fake, const char *what, struct span text)
{
    size_t length = strlen(fake->said);
    if (text.length == 0)
        text = SPAN_LITERAL("-");
    snprintf(fake->said + length, sizeof(fake->said) - length, "%s %.*s\n", what,
             SPAN_ARGUMENTS(text));
}

static void take_item(struct fake *fake, struct exchange_item *item)
{
    char status[16];
    snprintf(status, sizeof(status), "%u", item->message.status);
    if (item->kind == EXCHANGE_PROMISE)
        say(fake, "push", item->promised->incoming.path);
    else if (item->kind == EXCHANGE_HEAD)
        say(fake, status, SPAN_EMPTY);
    for (size_t i = 0; item->kind == EXCHANGE_INFORMATIONAL && i < item->message.fields.count; i++)
        say(fake, status, item->message.fields.items[i].value);
    if (item->kind == EXCHANGE_HEAD)
        fake->status = item->message.status;
    struct exchange *promised = item->promised;
    exchange_item_done(fake->exchange, item);
    if (promised != NULL)
        exchange_deliver_closed(promised, HERALD_ERROR_CANCELLED);
}

void fake_drain(struct fake *fake, size_t capacity)
{
    struct exchange_item *item;
    while ((item = exchange_next_item(fake->exchange)) != NULL)
        take_item(fake, item);
    bool end = false;
    while (!end && exchange_body_ready(fake->exchange)) {
        size_t room = sizeof(fake->body) - fake->body_length;
        int64_t count =
            exchange_body_read(fake->exchange, (uint8_t *)fake->body + fake->body_length,
                               room < capacity ? room : capacity, &end);
        fake->failed = count < 0;
        if (count <= 0 && !end)
            break;
        fake->body_length += (size_t)count;
    }
    fake->complete = end && !fake->failed && !fake->cancelled;
}

const char *fake_field(struct fake *fake, const char *name)
{
    const struct field *field =
        fields_find_name(&fake->exchange->outgoing.fields, span_from_text(name));
    if (field == NULL)
        return NULL;
    snprintf(fake->value, sizeof(fake->value), "%.*s", SPAN_ARGUMENTS(field->value));
    return fake->value;
}

void fake_end(struct fake *fake, int reason)
{
    exchange_deliver_closed(fake->exchange, reason);
    fake->exchange = NULL;
    assert_int_equal(fake->conn.account.live, 0);
}

void fake_run(struct fake *fake, struct handler *handler, const char *method, const char *path,
              const char *const *fields)
{
    fake_init(fake, method, path, fields);
    fake_start(fake, handler);
    fake_drain(fake, 4096);
}
