#include "h1/harness.h"

static struct harness *from_conn(struct conn *conn)
{
    return conn->host_data;
}

static void note(struct harness *harness, const char *format, const char *text, long number)
{
    (void)buf_printf(&harness->log, format, text, number);
}

static void note_span(struct harness *harness, const char *label, struct span span)
{
    (void)buf_append_text(&harness->log, label);
    (void)buf_append_span(&harness->log, span);
}

static void note_head(struct harness *harness, const struct message *message)
{
    for (size_t i = 0; i < message->fields.count; i++) {
        note_span(harness, " ", message->fields.items[i].name);
        note_span(harness, "=", message->fields.items[i].value);
    }
    (void)buf_append_text(&harness->log, "\n");
}

static void finish_echo(struct exchange *exchange)
{
    struct field type = FIELD("x-kind", "echo");

    (void)exchange_finish(exchange, NULL, 0);
    (void)type;
    exchange_release(exchange);
}

/* The echo keeps what it has read in the user's buffer. */
static void echo_readable(struct exchange *exchange)
{
    struct harness *harness = exchange->user;
    bool stream = harness->handler != HANDLER_ECHO;
    uint8_t bytes[4096];
    size_t count;

    while ((count = exchange_read(exchange, bytes, sizeof(bytes))) > 0) {
        note(harness, "body%s %ld\n", "", (long)count);
        if (!stream && !exchange->head_queued)
            (void)exchange_respond(exchange, 200, NULL, 0, exchange->incoming.content_length);
        if (exchange_write(exchange, span_make(bytes, count)) < 0)
            return;
    }
    if (!exchange_at_end(exchange))
        return;
    if (!exchange->head_queued && exchange_respond(exchange, 200, NULL, 0, 0) < 0)
        (void)buf_append_text(&harness->log, "cannot respond\n");
    for (size_t i = 0; i < exchange->trailers.count; i++) {
        note_span(harness, "trailer ", exchange->trailers.items[i].name);
        note_span(harness, "=", exchange->trailers.items[i].value);
        (void)buf_append_text(&harness->log, "\n");
    }
    (void)buf_append_text(&harness->log, "end\n");
    finish_echo(exchange);
}

static void server_closed(struct exchange *exchange, int reason)
{
    struct harness *harness = exchange->user;

    note(harness, "closed %s%ld\n", "", reason);
    if (harness->held == exchange)
        harness->held = NULL;
    exchange_release(exchange);
}

static const struct exchange_events echo_events = {
    .readable = echo_readable,
    .closed = server_closed,
};

static void held_closed(struct exchange *exchange, int reason)
{
    note(exchange->user, "closed %s%ld\n", "", reason);
}

static const struct exchange_events held_events = {
    .closed = held_closed,
};

static void answer_hints(struct exchange *exchange)
{
    struct field hint = FIELD("link", "</a.css>; rel=preload; as=style");
    struct field trailer = FIELD("x-checksum", "1");

    (void)exchange_inform(exchange, 103, &hint, 1);
    (void)exchange_respond(exchange, 200, NULL, 0, CONTENT_LENGTH_UNKNOWN);
    (void)exchange_write(exchange, SPAN_LITERAL("page"));
    (void)exchange_finish(exchange, &trailer, 1);
    exchange_release(exchange);
}

static void start(struct harness *harness, struct exchange *exchange)
{
    exchange->user = harness;
    switch (harness->handler) {
    case HANDLER_EARLY:
        (void)exchange_respond(exchange, 200, NULL, 0, 5);
        (void)exchange_write(exchange, SPAN_LITERAL("early"));
        (void)exchange_finish(exchange, NULL, 0);
        exchange_release(exchange);
        break;
    case HANDLER_EMPTY:
        (void)exchange_respond(exchange, 204, NULL, 0, CONTENT_LENGTH_UNKNOWN);
        (void)exchange_finish(exchange, NULL, 0);
        exchange_release(exchange);
        break;
    case HANDLER_HOLD:
        exchange->events = &held_events;
        harness->held = exchange;
        break;
    case HANDLER_HINTS:
        answer_hints(exchange);
        break;
    case HANDLER_STREAM:
        exchange->events = &echo_events;
        (void)exchange_respond(exchange, 200, NULL, 0, CONTENT_LENGTH_UNKNOWN);
        echo_readable(exchange);
        break;
    case HANDLER_UPGRADE:
        exchange->events = &echo_events;
        (void)exchange_respond(exchange, exchange->incoming.upgrade ? 101 : 200, NULL, 0,
                               CONTENT_LENGTH_UNKNOWN);
        if (!exchange->tunnel)
            echo_readable(exchange);
        break;
    default:
        exchange->events = &echo_events;
        echo_readable(exchange);
        break;
    }
}

static void server_dispatch(struct conn *conn, struct exchange *exchange)
{
    struct harness *harness = from_conn(conn);
    const struct message *request = &exchange->incoming;

    harness->dispatched++;
    note_span(harness, "request ", request->method);
    note_span(harness, " ", request->path);
    note_span(harness, " ", request->authority);
    note_head(harness, request);
    start(harness, exchange);
}

static void count_completed(struct conn *conn, struct exchange *exchange)
{
    (void)exchange;
    from_conn(conn)->completed++;
}

static void count_wake(struct conn *conn)
{
    from_conn(conn)->wakes++;
}

static void count_ready(struct conn *conn)
{
    from_conn(conn)->ready++;
}

static void count_gone(struct conn *conn)
{
    from_conn(conn)->gone++;
}

static const struct conn_host_ops server_host = {
    .dispatch = server_dispatch,
    .completed = count_completed,
    .wake = count_wake,
};

static const struct conn_host_ops client_host = {
    .wake = count_wake,
    .ready = count_ready,
    .going_away = count_gone,
};

void harness_init(struct harness *harness, enum handler_kind handler)
{
    memset(harness, 0, sizeof(*harness));
    harness->handler = handler;
    harness->limits = limits_default;
    harness->info = (struct conn_info){.scheme = "http",
                                       .peer_address = "127.0.0.1",
                                       .local_address = "127.0.0.1",
                                       .server_name = "",
                                       .tls_version = "",
                                       .tls_cipher = ""};
    harness->now = 1000 * HERALD_SECOND;
    harness->pull_size = 65536;
    buf_init(&harness->log, 16 << 20, NULL);
    buf_init(&harness->output, 64 << 20, NULL);
}

static struct conn *open_conn(struct harness *harness, enum conn_role role)
{
    struct conn_config config = {
        .role = role,
        .host = role == CONN_SERVER ? &server_host : &client_host,
        .host_data = harness,
        .info = &harness->info,
        .limits = &harness->limits,
    };

    return h1_engine.create(&config, harness->now);
}

void harness_open(struct harness *harness)
{
    harness->server = open_conn(harness, CONN_SERVER);
}

void harness_open_client(struct harness *harness)
{
    harness->client = open_conn(harness, CONN_CLIENT);
}

void harness_close(struct harness *harness)
{
    if (harness->server != NULL)
        harness->server->ops->destroy(harness->server);
    if (harness->client != NULL)
        harness->client->ops->destroy(harness->client);
    if (harness->held != NULL)
        exchange_release(harness->held);
    if (harness->asked != NULL)
        exchange_release(harness->asked);
    harness->server = harness->client = NULL;
    harness->held = harness->asked = NULL;
    buf_free(&harness->log);
    buf_free(&harness->output);
}

void harness_feed(struct harness *harness, struct span data)
{
    struct conn_in in = {.data = data};

    harness->server_result = harness->server->ops->recv(harness->server, &in, harness->now);
}

void harness_pull(struct harness *harness)
{
    uint8_t *bytes = malloc(harness->pull_size);
    struct conn_out out = {.data = bytes, .capacity = harness->pull_size};

    if (bytes == NULL)
        return;
    for (;;) {
        (void)harness->server->ops->pull(harness->server, &out, harness->now);
        if (out.length == 0)
            break;
        (void)buf_append(&harness->output, bytes, out.length);
    }
    free(bytes);
}

static const char *text_of(struct buf *buf)
{
    uint8_t *end = buf_reserve(buf, 1, NULL);

    if (end == NULL)
        return "";
    *end = '\0';
    return (const char *)buf_span(buf).data;
}

const char *harness_log(struct harness *harness)
{
    return text_of(&harness->log);
}

const char *harness_output(struct harness *harness)
{
    return text_of(&harness->output);
}

const char *harness_exchange(struct harness *harness, const char *text)
{
    harness_feed(harness, span_from_text(text));
    harness_pull(harness);
    return harness_output(harness);
}

void harness_advance(struct harness *harness, struct conn *conn, herald_time step)
{
    herald_time until = harness->now + step;

    while (conn->ops->deadline(conn) <= until) {
        herald_time due = conn->ops->deadline(conn);
        int result;

        if (due > harness->now)
            harness->now = due;
        result = conn->ops->expire(conn, harness->now);
        if (conn == harness->server)
            harness->server_result = result;
        else
            harness->client_result = result;
        if (result < 0 || conn->finished)
            break;
    }
    if (harness->now < until)
        harness->now = until;
}

static void client_head(struct exchange *exchange)
{
    struct harness *harness = exchange->user;

    note(harness, "response %s%ld", "", exchange->incoming.status);
    note_head(harness, &exchange->incoming);
}

static void client_informational(struct exchange *exchange, const struct message *message)
{
    struct harness *harness = exchange->user;

    note(harness, "informational %s%ld", "", message->status);
    note_head(harness, message);
}

static void client_readable(struct exchange *exchange)
{
    struct harness *harness = exchange->user;
    uint8_t bytes[4096];
    size_t count;

    while ((count = exchange_read(exchange, bytes, sizeof(bytes))) > 0)
        (void)buf_append(&harness->output, bytes, count);
    if (exchange_at_end(exchange)) {
        for (size_t i = 0; i < exchange->trailers.count; i++) {
            note_span(harness, "trailer ", exchange->trailers.items[i].name);
            note_span(harness, "=", exchange->trailers.items[i].value);
            (void)buf_append_text(&harness->log, "\n");
        }
        (void)buf_append_text(&harness->log, "complete\n");
    }
}

static void client_closed(struct exchange *exchange, int reason)
{
    struct harness *harness = exchange->user;

    note(harness, "done %s%ld\n", "", reason);
    if (harness->asked == exchange)
        harness->asked = NULL;
    exchange_release(exchange);
}

static const struct exchange_events client_events = {
    .head = client_head,
    .informational = client_informational,
    .readable = client_readable,
    .closed = client_closed,
};

int harness_ask(struct harness *harness, const char *method, const char *path, const char *body,
                bool chunked)
{
    struct message request = {
        .method = span_from_text(method),
        .scheme = SPAN_LITERAL("http"),
        .authority = SPAN_LITERAL("example.org"),
        .path = span_from_text(path),
        .content_length = chunked || body == NULL ? CONTENT_LENGTH_UNKNOWN : (uint64_t)strlen(body),
    };
    struct exchange *exchange =
        exchange_new_request(&request, &harness->limits, &client_events, harness);
    int result;

    if (exchange == NULL)
        return HERALD_ERROR_NOMEM;
    result = harness->client->ops->request(harness->client, exchange, harness->now);
    if (result < 0) {
        exchange_release(exchange);
        return result;
    }
    harness->asked = exchange;
    if (body != NULL)
        result = exchange_write(exchange, span_from_text(body));
    return result < 0 ? result : exchange_finish(exchange, NULL, 0);
}

static size_t move(struct harness *harness, struct conn *from, struct conn *to, size_t piece)
{
    static uint8_t bytes[65536];
    struct conn_out out = {.data = bytes, .capacity = harness->pull_size};
    int result = 0;

    (void)from->ops->pull(from, &out, harness->now);
    for (size_t at = 0; at < out.length; at += piece) {
        size_t length = out.length - at < piece ? out.length - at : piece;
        struct conn_in in = {.data = span_make(bytes + at, length)};

        result = to->ops->recv(to, &in, harness->now);
    }
    if (to == harness->server)
        harness->server_result = result;
    else
        harness->client_result = result;
    return out.length;
}

void harness_run(struct harness *harness, size_t piece)
{
    size_t moved;

    do {
        moved = move(harness, harness->client, harness->server, piece);
        moved += move(harness, harness->server, harness->client, piece);
    } while (moved > 0);
}

void harness_answer(struct harness *harness, struct span data)
{
    struct conn_in in = {.data = data};

    harness->client_result = harness->client->ops->recv(harness->client, &in, harness->now);
}
