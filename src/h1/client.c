#include "h1/connection.h"

#include "h1/write.h"

int h1_client_request(struct conn *conn, struct exchange *exchange, herald_time now)
{
    struct h1_connection *connection = h1_from_conn(conn);

    if (connection->failure != 0 || conn->finished || conn->shutting_down || connection->peer_ended)
        return HERALD_ERROR_REFUSED;
    if (connection->exchange != NULL)
        return HERALD_ERROR_LIMIT;
    if (!exchange->is_client || exchange->outgoing.authority.data == NULL)
        return HERALD_ERROR_INVALID;
    exchange_attach(exchange, conn, &h1_exchange_ops, connection);
    connection->exchange = exchange;
    exchange->id = ++connection->requests;
    exchange->timing.started = now;
    conn_wake(conn);
    return 0;
}

/* Methods whose requests have a body by nature say so when it is empty (RFC 9110 section 8.6). */
static bool expects_length(struct span method)
{
    return !message_method_is_safe(method) && !span_equals(method, SPAN_LITERAL("DELETE")) &&
           !span_equals(method, SPAN_LITERAL("CONNECT"));
}

static void plan_body(struct h1_connection *connection, struct h1_head_plan *plan)
{
    struct exchange *exchange = connection->exchange;
    const struct message *head = &exchange->outgoing;
    bool counted = head->content_length == CONTENT_LENGTH_UNKNOWN && exchange->out_ended &&
                   exchange->out.source == NULL && exchange->outgoing_trailers.count == 0;
    uint64_t length = counted ? exchange->out.queued : head->content_length;

    connection->tunnel_pending =
        head->upgrade || span_equals(head->method, SPAN_LITERAL("CONNECT"));
    if (connection->tunnel_pending) {
        connection->out_framing = H1_FRAMING_CLOSE;
    } else if (length == CONTENT_LENGTH_UNKNOWN) {
        connection->out_framing = H1_FRAMING_CHUNKED;
        plan->chunked = true;
    } else {
        connection->out_framing = H1_FRAMING_LENGTH;
        plan->send_length = length > 0 || expects_length(head->method);
    }
    plan->length = length;
    connection->out_left = connection->out_framing == H1_FRAMING_LENGTH ? length : 0;
}

static bool asks_for_continue(const struct h1_connection *connection)
{
    const struct message *head = &connection->exchange->outgoing;

    return !connection->tunnel_pending &&
           (connection->out_framing == H1_FRAMING_CHUNKED || connection->out_left > 0) &&
           span_equals_ignoring_case(fields_value(&head->fields, KNOWN_EXPECT),
                                     SPAN_LITERAL("100-continue"));
}

static int output_head(struct h1_connection *connection, struct conn_out *out,
                       struct exchange_item *item, herald_time now)
{
    struct exchange *exchange = connection->exchange;
    struct h1_head_plan plan = {.message = &exchange->outgoing};
    uint8_t *text;
    size_t length;

    plan_body(connection, &plan);
    if (exchange->outgoing.upgrade)
        plan.upgrade = exchange->outgoing.protocol;
    plan.close = connection->conn.shutting_down;
    text = h1_reserve(connection, out, h1_head_bound(&plan));
    if (text == NULL)
        return HERALD_ERROR_NOMEM;
    length = h1_write_request_head(text, &plan);
    h1_commit(connection, out, text, length);
    h1_trace_head(connection, FRAME_OUT, &exchange->outgoing, length, now);
    exchange_item_done(exchange, item);
    connection->output_state = H1_OUTPUT_BODY;
    connection->continue_owed = asks_for_continue(connection);
    if (connection->continue_owed)
        connection->continue_due = now + H1_CONTINUE_WAIT;
    return 1;
}

int h1_client_output(struct h1_connection *connection, struct conn_out *out, herald_time now)
{
    struct exchange_item *item = exchange_next_item(connection->exchange);

    if (item != NULL && connection->output_state == H1_OUTPUT_HEAD)
        return output_head(connection, out, item, now);
    if (connection->output_state != H1_OUTPUT_BODY || connection->tunnel_pending ||
        connection->continue_owed)
        return 0;
    return h1_output_body(connection, out, now);
}

static int read_response(struct h1_connection *connection, struct span head,
                         struct message *message)
{
    struct exchange *exchange = connection->exchange;
    struct head_builder builder;
    struct h1_status_line line;
    unsigned status;
    int result = h1_split_status_line(head, &line, &head, &status);

    if (result < 0)
        return result;
    head_builder_init_http1(&builder, HEAD_RESPONSE, &exchange->arena, connection->conn.limits);
    builder.message.version = line.version;
    builder.message.status = line.code;
    result = arena_copy(&exchange->arena, line.reason, &builder.message.reason);
    if (result < 0)
        return result;
    result = h1_feed_fields(&builder, head);
    if (result < 0)
        return result;
    return h1_verdict_error(head_builder_finish(&builder, message), &status);
}

static void no_more_waiting(struct h1_connection *connection)
{
    connection->continue_owed = false;
    connection->continue_due = HERALD_NEVER;
}

static void take_informational(struct h1_connection *connection, struct message *message,
                               herald_time now)
{
    struct exchange *exchange = connection->exchange;
    int result;

    connection->scan = (struct h1_scan){0};
    connection->message_start = HERALD_NEVER;
    if (message->status == 100)
        no_more_waiting(connection);
    h1_remove_connection_fields(&message->fields);
    result = exchange_deliver_informational(exchange, message);
    if (result < 0 && connection->exchange == exchange)
        h1_fail(connection, HERALD_ERROR_PROTOCOL, now);
}

/* The answer to CONNECT or upgrade is here: the waiting bytes go into the tunnel, or nowhere. */
static void settle_tunnel(struct h1_connection *connection)
{
    if (!connection->tunnel_pending)
        return;
    connection->tunnel_pending = false;
    connection->keep_alive = connection->keep_alive && !connection->exchange->tunnel;
    if (!connection->exchange->tunnel) {
        connection->output_state = H1_OUTPUT_DONE;
        connection->exchange->out_complete = true;
    }
}

static void take_final(struct h1_connection *connection, const struct message *message,
                       enum h1_framing framing, herald_time now)
{
    struct exchange *exchange = connection->exchange;
    struct h1_connection_options options = h1_read_connection_options(&message->fields);

    exchange->incoming = *message;
    h1_remove_connection_fields(&exchange->incoming.fields);
    connection->keep_alive = !options.close &&
                             (message->version != HTTP_1_0 || options.keep_alive) &&
                             framing != H1_FRAMING_CLOSE;
    no_more_waiting(connection);
    exchange->timing.head = now;
    exchange_deliver_head(exchange);
    if (connection->exchange != exchange)
        return;
    settle_tunnel(connection);
    if (exchange->tunnel)
        framing = H1_FRAMING_CLOSE;
    h1_start_body(connection, framing, exchange->incoming.content_length, now);
    if (framing == H1_FRAMING_NONE)
        h1_end_input(connection, now);
}

void h1_client_head(struct h1_connection *connection, struct span head, herald_time now)
{
    struct exchange *exchange = connection->exchange;
    enum h1_framing framing = H1_FRAMING_NONE;
    struct message message;
    int result = read_response(connection, head, &message);

    if (result == 0 && message.status == 101 && !exchange->outgoing.upgrade)
        result = HERALD_ERROR_PROTOCOL;
    if (result == 0 && message.status >= 200)
        result = h1_response_framing(&message, exchange->outgoing.method, &framing);
    if (result < 0) {
        h1_refuse(connection, result, 502, now);
        return;
    }
    if (exchange->timing.responded == 0)
        exchange->timing.responded = now;
    h1_trace_head(connection, FRAME_IN, &message, head.length, now);
    if (message.status < 200 && message.status != 101)
        take_informational(connection, &message, now);
    else
        take_final(connection, &message, framing, now);
}
