#include "h1/connection.h"

#include "h1/write.h"

static bool method_is(const struct message *message, const char *name)
{
    return span_equals(message->method, span_from_text(name));
}

static bool is_tunnel_request(const struct message *message)
{
    return message->upgrade || method_is(message, "CONNECT");
}

/* "http://host?query" has an empty path, which is the same as "/" (RFC 9112 section 3.2.1). */
static int put_slash(struct arena *arena, struct span query, struct span *path)
{
    uint8_t *text = arena_alloc(arena, query.length + 1);

    if (text == NULL)
        return HERALD_ERROR_NOMEM;
    text[0] = '/';
    if (query.length > 0)
        memcpy(text + 1, query.data, query.length);
    *path = span_make(text, query.length + 1);
    return 0;
}

/* "http://host/path" (RFC 9112 section 3.2.2): what stands there wins over Host. */
static int read_absolute_target(struct arena *arena, struct span target, struct message *message)
{
    static const struct span schemes[] = {SPAN_LITERAL("http://"), SPAN_LITERAL("https://")};

    for (size_t i = 0; i < 2; i++) {
        size_t start = schemes[i].length, end = start;

        if (!span_equals_ignoring_case(span_slice(target, 0, start), schemes[i]))
            continue;
        while (end < target.length && target.data[end] != '/' && target.data[end] != '?')
            end++;
        message->authority = span_slice(target, start, end - start);
        message->path = span_slice(target, end, target.length);
        if (message->authority.length == 0)
            return HERALD_ERROR_MALFORMED;
        if (message->path.length == 0 || message->path.data[0] == '?')
            return put_slash(arena, message->path, &message->path);
        return 0;
    }
    return HERALD_ERROR_MALFORMED;
}

/* The four forms of a request target (RFC 9112 section 3.2). */
static int read_target(struct arena *arena, struct span target, struct message *message)
{
    if (method_is(message, "CONNECT")) {
        message->authority = target;
        return 0;
    }
    if (target.data[0] == '/' || span_equals(target, SPAN_LITERAL("*"))) {
        message->path = target;
        return target.data[0] == '/' || method_is(message, "OPTIONS") ? 0 : HERALD_ERROR_MALFORMED;
    }
    return read_absolute_target(arena, target, message);
}

/* The start line into `message`, in memory of the exchange. */
static int read_request_line(struct h1_connection *connection, struct exchange *exchange,
                             struct span *head, struct message *message, unsigned *status)
{
    const struct conn_info *info = connection->conn.info;
    struct h1_request_line line;
    struct span copy;
    size_t method_length;
    int result = h1_split_request_line(*head, connection->conn.limits, &line, head, status);

    if (result < 0)
        return result;
    *status = 503;
    method_length = line.method.length;
    copy = span_make(line.method.data, method_length + 1 + line.target.length);
    result = arena_copy(&exchange->arena, copy, &copy);
    if (result < 0)
        return result;
    *status = 400;
    message->version = line.version;
    message->method = span_slice(copy, 0, method_length);
    message->scheme = info == NULL ? SPAN_LITERAL("http") : span_from_text(info->scheme);
    return read_target(&exchange->arena, span_slice(copy, method_length + 1, line.target.length),
                       message);
}

/* Upgrade is heard when it could be obeyed: HTTP/1.1, no body, one protocol, and not h2c, which has
 * no upgrade any more (RFC 9113 section 3.1). */
static void read_upgrade(struct message *message, struct h1_connection_options options,
                         enum h1_framing framing)
{
    struct span value = fields_value(&message->fields, KNOWN_UPGRADE);

    if (!options.upgrade || value.length == 0 || framing != H1_FRAMING_NONE ||
        message->version != HTTP_1_1 || fields_count(&message->fields, KNOWN_UPGRADE) != 1 ||
        span_starts_with(value, SPAN_LITERAL("h2")) ||
        memchr(value.data, ',', value.length) != NULL || method_is(message, "CONNECT"))
        return;
    message->upgrade = true;
    message->protocol = value;
}

static int read_request(struct h1_connection *connection, struct exchange *exchange,
                        struct span head, enum h1_framing *framing, unsigned *status)
{
    struct message *message = &exchange->incoming;
    struct head_builder builder;
    struct h1_connection_options options;
    int result;

    head_builder_init_http1(&builder, HEAD_REQUEST, &exchange->arena, connection->conn.limits);
    result = read_request_line(connection, exchange, &head, &builder.message, status);
    if (result < 0)
        return result;
    result = h1_feed_fields(&builder, head);
    if (result < 0)
        return result;
    result = h1_verdict_error(head_builder_finish(&builder, message), status);
    if (result < 0)
        return result;
    result = h1_request_framing(message, framing, status);
    if (result < 0)
        return result;
    *status = 400;
    if (method_is(message, "CONNECT") && *framing != H1_FRAMING_NONE)
        return HERALD_ERROR_MALFORMED;
    options = h1_read_connection_options(&message->fields);
    read_upgrade(message, options, *framing);
    if (message->version == HTTP_1_0 || *framing == H1_FRAMING_NONE)
        message->expects_continue = false;
    connection->keep_alive =
        message->version == HTTP_1_0 ? options.keep_alive && !options.close : !options.close;
    h1_remove_connection_fields(&message->fields);
    return 0;
}

void h1_server_head(struct h1_connection *connection, struct span head, herald_time now)
{
    struct conn *conn = &connection->conn;
    struct exchange *exchange =
        exchange_new(conn, &h1_exchange_ops, connection, conn->limits, &conn->account);
    enum h1_framing framing = H1_FRAMING_NONE;
    unsigned status = 400;
    int result;

    if (exchange == NULL) {
        h1_refuse(connection, HERALD_ERROR_NOMEM, 503, now);
        return;
    }
    result = read_request(connection, exchange, head, &framing, &status);
    if (result < 0) {
        exchange_unhold(exchange);
        h1_refuse(connection, result, result == HERALD_ERROR_NOMEM ? 503 : status, now);
        return;
    }
    connection->exchange = exchange;
    exchange->id = ++connection->requests;
    exchange->timing.started = connection->message_start;
    exchange->timing.head = now;
    exchange->early_data = connection->early_data || (conn->info != NULL && conn->info->early_data);
    connection->continue_owed = exchange->incoming.expects_continue;
    connection->continue_due = connection->continue_owed ? now + H1_CONTINUE_DELAY : HERALD_NEVER;
    connection->input_upgraded = is_tunnel_request(&exchange->incoming);
    connection->output_state = H1_OUTPUT_HEAD;
    h1_trace_head(connection, FRAME_IN, &exchange->incoming, head.length, now);
    exchange_deliver_head(exchange);
    h1_start_body(connection, framing, exchange->incoming.content_length, now);
    if (framing == H1_FRAMING_NONE)
        h1_end_input(connection, now);
    if (connection->exchange == exchange)
        conn_dispatch(conn, exchange);
}

/* Whether the connection goes on after this response. */
static void decide_keep_alive(struct h1_connection *connection, herald_time now)
{
    const struct limits *limits = connection->conn.limits;
    const struct exchange *exchange = connection->exchange;

    if (connection->conn.shutting_down || connection->peer_ended || exchange->tunnel ||
        (limits->requests != 0 && connection->requests >= limits->requests) ||
        now - connection->created >= limits->connection_age)
        connection->keep_alive = false;
    /* The client may or may not send the body now (RFC 9110 section 10.1.1). */
    if (connection->continue_owed)
        connection->keep_alive = false;
    /* Bytes behind a refused upgrade or CONNECT may be meant for the other protocol. */
    if (connection->input_upgraded &&
        (buf_length(&connection->input) > 0 || method_is(&exchange->incoming, "CONNECT")))
        connection->keep_alive = false;
}

static void plan_body(struct h1_connection *connection, struct h1_head_plan *plan)
{
    struct exchange *exchange = connection->exchange;
    const struct message *head = &exchange->outgoing;
    bool counted = head->content_length == CONTENT_LENGTH_UNKNOWN && exchange->out_ended &&
                   exchange->out.source == NULL && exchange->outgoing_trailers.count == 0;
    uint64_t length = counted ? exchange->out.queued : head->content_length;

    if (exchange->tunnel) {
        connection->out_framing = H1_FRAMING_CLOSE;
    } else if (exchange->out_no_content) {
        connection->out_framing = H1_FRAMING_NONE;
        plan->send_length = head->content_length != CONTENT_LENGTH_UNKNOWN && head->status != 204;
    } else if (length != CONTENT_LENGTH_UNKNOWN) {
        connection->out_framing = H1_FRAMING_LENGTH;
        plan->send_length = true;
    } else if (exchange->incoming.version == HTTP_1_0) {
        connection->out_framing = H1_FRAMING_CLOSE;
        connection->keep_alive = false;
    } else {
        connection->out_framing = H1_FRAMING_CHUNKED;
        plan->chunked = true;
    }
    plan->length = length;
    connection->out_left = connection->out_framing == H1_FRAMING_LENGTH ? length : 0;
}

/* 101 or 2xx to CONNECT has been written: what waits behind the request belongs to the tunnel. */
static void start_tunnel(struct h1_connection *connection, herald_time now)
{
    connection->exchange->in_ended = false;
    h1_start_body(connection, H1_FRAMING_CLOSE, 0, now);
    h1_resume_input(connection, now);
    if (connection->exchange != NULL && connection->peer_ended)
        h1_end_input(connection, now);
}

static int output_head(struct h1_connection *connection, struct conn_out *out,
                       struct exchange_item *item, herald_time now)
{
    struct exchange *exchange = connection->exchange;
    struct h1_head_plan plan = {.message = &exchange->outgoing};
    uint8_t *text;
    size_t length;

    decide_keep_alive(connection, now);
    plan_body(connection, &plan);
    if (exchange->tunnel && exchange->outgoing.status == 101)
        plan.upgrade = exchange->incoming.protocol;
    plan.close = !connection->keep_alive && !exchange->tunnel;
    plan.keep_alive = connection->keep_alive && exchange->incoming.version == HTTP_1_0;
    text = h1_reserve(connection, out, h1_head_bound(&plan));
    if (text == NULL)
        return HERALD_ERROR_NOMEM;
    length = h1_write_response_head(text, &plan);
    h1_commit(connection, out, text, length);
    h1_trace_head(connection, FRAME_OUT, &exchange->outgoing, length, now);
    exchange_item_done(exchange, item);
    exchange->timing.responded = now;
    connection->output_state = H1_OUTPUT_BODY;
    connection->continue_due = HERALD_NEVER;
    if (exchange->tunnel)
        start_tunnel(connection, now);
    return 1;
}

static int output_informational(struct h1_connection *connection, struct conn_out *out,
                                struct exchange_item *item, herald_time now)
{
    struct h1_head_plan plan = {.message = &item->message};
    bool is_continue = item->message.status == 100;
    uint8_t *text;
    size_t length;

    /* The body is on its way or has come: nobody waits for it any more. */
    if (!is_continue || connection->continue_owed) {
        text = h1_reserve(connection, out, h1_head_bound(&plan));
        if (text == NULL)
            return HERALD_ERROR_NOMEM;
        length = h1_write_response_head(text, &plan);
        h1_commit(connection, out, text, length);
        h1_trace_head(connection, FRAME_OUT, &item->message, length, now);
    }
    exchange_item_done(connection->exchange, item);
    if (is_continue) {
        connection->continue_owed = false;
        connection->continue_due = HERALD_NEVER;
    }
    return 1;
}

int h1_server_output(struct h1_connection *connection, struct conn_out *out, herald_time now)
{
    struct exchange_item *item;

    if (connection->output_state == H1_OUTPUT_DONE)
        return 0;
    if (connection->output_state == H1_OUTPUT_BODY)
        return h1_output_body(connection, out, now);
    item = exchange_next_item(connection->exchange);
    if (item == NULL)
        return 0;
    if (item->kind == EXCHANGE_HEAD)
        return output_head(connection, out, item, now);
    return output_informational(connection, out, item, now);
}
