#include "h1/connection.h"

#include "h1/write.h"
#include "http/reason.h"
#include <stdlib.h>

static void stop_input(struct h1_connection *connection)
{
    connection->input_state = H1_INPUT_CLOSED;
    connection->keep_alive = false;
    connection->conn.finished = true;
}

/* A body that ends with the connection and is cut looks complete to the peer, unless the connection
 * ends in another way than by its end. */
static void note_broken(struct h1_connection *connection)
{
    if (connection->output_state == H1_OUTPUT_BODY && connection->out_framing == H1_FRAMING_CLOSE)
        connection->conn.broken = true;
}

static void stop_timers(struct h1_connection *connection)
{
    connection->head_due = HERALD_NEVER;
    connection->message_start = HERALD_NEVER;
    connection->continue_due = HERALD_NEVER;
    connection->drain_due = HERALD_NEVER;
    connection->half_close_due = HERALD_NEVER;
    h1_pace_stop(&connection->body_pace);
}

/* The connection is ready for a message in each direction. */
static void start_over(struct h1_connection *connection, herald_time idle_due)
{
    stop_timers(connection);
    connection->scan = (struct h1_scan){0};
    connection->input_state = H1_INPUT_HEAD;
    connection->output_state = H1_OUTPUT_HEAD;
    connection->in_framing = connection->out_framing = H1_FRAMING_NONE;
    connection->keep_alive = true;
    connection->input_upgraded = connection->continue_owed = connection->tunnel_pending = false;
    connection->blank_lines = 0;
    if (h1_is_server(connection))
        connection->head_due = idle_due;
}

/* Client: there will be no other request on this connection. */
static void tell_gone(struct h1_connection *connection)
{
    struct conn *conn = &connection->conn;

    if (!h1_is_server(connection) && conn->host->going_away != NULL)
        conn->host->going_away(conn);
}

void h1_end_exchange(struct h1_connection *connection, int reason, herald_time now)
{
    struct exchange *exchange = connection->exchange;
    struct conn *conn = &connection->conn;
    bool reusable = reason == 0 && connection->keep_alive && !connection->peer_ended &&
                    !conn->shutting_down && connection->input_state == H1_INPUT_DONE &&
                    connection->output_state == H1_OUTPUT_DONE;

    connection->exchange = NULL;
    stop_timers(connection);
    if (reason != 0)
        note_broken(connection);
    if (reusable)
        start_over(connection, now + conn->limits->idle_timeout);
    else
        stop_input(connection);
    exchange->timing.ended = now;
    exchange_deliver_closed(exchange, reason);
    if (h1_is_server(connection))
        return;
    if (!reusable) {
        buf_free(&connection->spill);
        tell_gone(connection);
    } else if (connection->exchange == NULL && conn->host->ready != NULL) {
        conn->host->ready(conn);
    }
}

void h1_fail(struct h1_connection *connection, int code, herald_time now)
{
    bool known = connection->conn.finished;

    if (connection->failure == 0)
        connection->failure = code;
    stop_input(connection);
    if (connection->exchange != NULL) {
        h1_end_exchange(connection, code, now);
    } else {
        stop_timers(connection);
        if (!known)
            tell_gone(connection);
    }
}

/* A small response of our own. Without memory for it the connection just closes. */
static void write_error(struct h1_connection *connection, unsigned status)
{
    struct span phrase = reason_phrase(status);
    struct field type = FIELD("content-type", "text/plain");
    struct message message = {.status = (uint16_t)status, .fields = {&type, 1, 1}};
    struct h1_head_plan plan = {
        .message = &message, .close = true, .send_length = true, .length = phrase.length + 1};
    uint8_t *text = buf_reserve(&connection->spill, h1_head_bound(&plan) + phrase.length + 1, NULL);
    size_t length;

    if (text == NULL)
        return;
    length = h1_write_response_head(text, &plan);
    memcpy(text + length, phrase.data, phrase.length);
    text[length + phrase.length] = '\n';
    buf_commit(&connection->spill, length + phrase.length + 1);
}

void h1_refuse(struct h1_connection *connection, int code, unsigned status, herald_time now)
{
    if (!h1_is_server(connection))
        code = code == HERALD_ERROR_NOMEM ? code : HERALD_ERROR_PROTOCOL;
    else if (connection->output_state == H1_OUTPUT_HEAD && connection->failure == 0)
        write_error(connection, status);
    h1_fail(connection, code, now);
}

/* The response is complete, the request's body is not: take a bounded rest of it to keep the
 * connection, or close. A handler that still reads is waited for. */
static void settle_unread(struct h1_connection *connection, herald_time now)
{
    const struct exchange *exchange = connection->exchange;
    const struct limits *limits = connection->conn.limits;

    if (!exchange->released && !exchange->in_discarded && !exchange->tunnel)
        return;
    if (!connection->keep_alive || connection->continue_owed || connection->conn.shutting_down ||
        exchange_drain_exceeded(exchange) ||
        (connection->in_framing == H1_FRAMING_LENGTH && connection->in_left > limits->drain_size)) {
        h1_end_exchange(connection, 0, now);
        return;
    }
    if (connection->drain_due == HERALD_NEVER) {
        connection->drain_due = now + H1_DRAIN_TIME;
        h1_pace_stop(&connection->body_pace);
    }
}

void h1_settle(struct h1_connection *connection, herald_time now)
{
    bool in_done = connection->input_state == H1_INPUT_DONE;
    bool out_done = connection->output_state == H1_OUTPUT_DONE;

    if (connection->exchange == NULL)
        return;
    if (in_done && out_done) {
        h1_end_exchange(connection, 0, now);
    } else if (h1_is_server(connection)) {
        if (out_done)
            settle_unread(connection, now);
    } else if (in_done && !connection->exchange->tunnel) {
        /* The final response is here and the server may never read the rest of the request. */
        connection->keep_alive = false;
        h1_end_exchange(connection, 0, now);
    }
}

void h1_resume_input(struct h1_connection *connection, herald_time now)
{
    struct span data = buf_span(&connection->input);
    size_t before = data.length;

    if (before > 0) {
        h1_parse(connection, &data, now);
        buf_consume(&connection->input, before - data.length);
    }
    if (buf_length(&connection->input) == 0 || connection->input_state == H1_INPUT_CLOSED)
        buf_free(&connection->input);
    h1_update_reading(connection, now);
}

/* Not while something is being parsed from there. */
static void free_dead_input(struct h1_connection *connection)
{
    if (connection->input_state == H1_INPUT_CLOSED)
        buf_free(&connection->input);
}

static int h1_recv(struct conn *conn, const struct conn_in *in, herald_time now)
{
    struct h1_connection *connection = h1_from_conn(conn);
    struct span data = in->data;

    if (connection->failure != 0 || conn->finished)
        return connection->failure;
    connection->early_data = in->early_data;
    if (buf_length(&connection->input) == 0)
        h1_parse(connection, &data, now);
    if (data.length > 0 && connection->input_state != H1_INPUT_CLOSED) {
        bool parsed = buf_length(&connection->input) == 0;
        int error = buf_append_span(&connection->input, data);

        if (error < 0)
            h1_refuse(connection, error, 503, now);
        else if (!parsed)
            h1_resume_input(connection, now);
    }
    free_dead_input(connection);
    h1_update_reading(connection, now);
    return connection->failure;
}

static int output_step(struct h1_connection *connection, struct conn_out *out, herald_time now)
{
    return h1_is_server(connection) ? h1_server_output(connection, out, now)
                                    : h1_client_output(connection, out, now);
}

static int h1_pull(struct conn *conn, struct conn_out *out, herald_time now)
{
    struct h1_connection *connection = h1_from_conn(conn);
    int result = 1;

    out->length = 0;
    out->segment = 0;
    while (result > 0) {
        h1_flush_spill(connection, out);
        h1_settle(connection, now);
        if (buf_length(&connection->spill) > 0 || conn->finished)
            break;
        if (connection->exchange == NULL)
            h1_resume_input(connection, now);
        if (connection->exchange == NULL)
            break;
        result = output_step(connection, out, now);
    }
    if (result < 0)
        h1_refuse(connection, result, 500, now);
    h1_flush_spill(connection, out);
    free_dead_input(connection);
    h1_update_reading(connection, now);
    h1_note_pulled(connection, out->length, now);
    return out->length > 0 ? 0 : connection->failure;
}

bool h1_has_output(const struct h1_connection *connection)
{
    struct exchange *exchange = connection->exchange;

    if (buf_length(&connection->spill) > 0)
        return true;
    if (exchange == NULL || connection->conn.finished ||
        connection->output_state == H1_OUTPUT_DONE || connection->tunnel_pending)
        return false;
    if (connection->output_state == H1_OUTPUT_HEAD)
        return exchange_next_item(exchange) != NULL;
    if (!h1_is_server(connection) && connection->continue_owed)
        return false;
    return exchange_body_ready(exchange);
}

/* The server's peer has said its last byte. Over TLS that is how a client leaves; in cleartext it
 * may be a half-close, and the response goes on as long as it does not pause. */
static void server_eof(struct h1_connection *connection, herald_time now)
{
    const struct conn_info *info = connection->conn.info;
    bool tunnel = connection->exchange != NULL && connection->exchange->tunnel;

    connection->keep_alive = false;
    if (connection->exchange == NULL) {
        stop_input(connection);
        stop_timers(connection);
    } else if (connection->input_state != H1_INPUT_DONE && !tunnel) {
        h1_fail(connection, HERALD_ERROR_CLOSED, now);
    } else if (tunnel) {
        h1_end_input(connection, now);
    } else if (info != NULL && info->tls_version_number != 0) {
        h1_fail(connection, HERALD_ERROR_CLOSED, now);
    } else if (!h1_has_output(connection)) {
        connection->half_close_due = now + H1_HALF_CLOSE_GRACE;
    }
}

static void client_eof(struct h1_connection *connection, herald_time now)
{
    connection->keep_alive = false;
    if (connection->exchange == NULL) {
        stop_input(connection);
        tell_gone(connection);
    } else if (connection->input_state == H1_INPUT_BODY &&
               connection->in_framing == H1_FRAMING_CLOSE) {
        h1_end_input(connection, now);
    } else if (connection->input_state != H1_INPUT_DONE) {
        h1_fail(connection,
                connection->output_state == H1_OUTPUT_HEAD ? HERALD_ERROR_REFUSED
                                                           : HERALD_ERROR_CLOSED,
                now);
    }
}

static int h1_eof(struct conn *conn, herald_time now)
{
    struct h1_connection *connection = h1_from_conn(conn);

    if (connection->failure != 0 || conn->finished || connection->peer_ended)
        return connection->failure;
    connection->peer_ended = true;
    if (h1_is_server(connection))
        server_eof(connection, now);
    else
        client_eof(connection, now);
    free_dead_input(connection);
    return connection->failure;
}

static void h1_shutdown(struct conn *conn, herald_time now)
{
    struct h1_connection *connection = h1_from_conn(conn);

    (void)now;
    conn->shutting_down = true;
    if (connection->exchange == NULL && buf_length(&connection->input) == 0) {
        stop_input(connection);
        stop_timers(connection);
    }
    conn_wake(conn);
}

static void h1_destroy(struct conn *conn)
{
    struct h1_connection *connection = h1_from_conn(conn);
    struct exchange *exchange = connection->exchange;

    connection->exchange = NULL;
    stop_input(connection);
    if (exchange != NULL)
        exchange_deliver_closed(exchange, HERALD_ERROR_CLOSED);
    buf_free(&connection->input);
    buf_free(&connection->spill);
    conn_detach(conn);
    free(connection);
}

static void exchange_wakes(struct exchange *exchange)
{
    conn_wake(exchange->conn);
}

static void exchange_consumes(struct exchange *exchange, size_t length)
{
    struct conn *conn = exchange->conn;

    (void)length;
    if (!conn->wants_read && body_has_room(&exchange->in)) {
        conn->wants_read = true;
        conn_wake(conn);
    }
}

static int exchange_can_not_push(const struct exchange *exchange)
{
    (void)exchange;
    return HERALD_ERROR_UNSUPPORTED;
}

static void exchange_cancels(struct exchange *exchange, int reason)
{
    struct h1_connection *connection = exchange->stream;
    struct conn *conn = &connection->conn;
    bool unsent = connection->output_state == H1_OUTPUT_HEAD;

    connection->exchange = NULL;
    if (unsent && !h1_is_server(connection) && !connection->peer_ended && !conn->finished &&
        !conn->shutting_down) {
        start_over(connection, HERALD_NEVER);
    } else {
        if (unsent && h1_is_server(connection) &&
            (reason == HERALD_ERROR_INTERNAL || reason == HERALD_ERROR_REFUSED))
            write_error(connection, reason == HERALD_ERROR_REFUSED ? 503 : 500);
        note_broken(connection);
        stop_input(connection);
        stop_timers(connection);
    }
    exchange_deliver_closed(exchange, reason);
    conn_wake(conn);
}

const struct exchange_ops h1_exchange_ops = {
    .wake = exchange_wakes,
    .consumed = exchange_consumes,
    .discard = exchange_wakes,
    .can_push = exchange_can_not_push,
    .cancel = exchange_cancels,
    .released = exchange_wakes,
};

static const struct conn_ops server_ops = {
    .recv = h1_recv,
    .pull = h1_pull,
    .deadline = h1_deadline,
    .expire = h1_expire,
    .eof = h1_eof,
    .shutdown = h1_shutdown,
    .destroy = h1_destroy,
};

static const struct conn_ops client_ops = {
    .recv = h1_recv,
    .pull = h1_pull,
    .deadline = h1_deadline,
    .expire = h1_expire,
    .eof = h1_eof,
    .shutdown = h1_shutdown,
    .request = h1_client_request,
    .destroy = h1_destroy,
};

static struct conn *h1_create(const struct conn_config *config, herald_time now)
{
    struct h1_connection *connection = calloc(1, sizeof(*connection));
    const struct conn_ops *ops = config->role == CONN_SERVER ? &server_ops : &client_ops;

    if (connection == NULL)
        return NULL;
    conn_init(&connection->conn, ops, config, HTTP_1_1);
    buf_init(&connection->input, H1_INPUT_MAXIMUM, &connection->conn.account);
    buf_init(&connection->spill, H1_INPUT_MAXIMUM, &connection->conn.account);
    connection->created = now;
    h1_pace_stop(&connection->stall_pace);
    connection->stall_due = HERALD_NEVER;
    start_over(connection, now + config->limits->head_timeout);
    return &connection->conn;
}

const struct engine h1_engine = {
    .alpn = "http/1.1",
    .version = HTTP_1_1,
    .create = h1_create,
};
