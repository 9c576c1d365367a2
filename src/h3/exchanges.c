/* What an exchange's owner does. It may do so from within a callback of nghttp3, so it is noted
 * here and done at the next h3_turn; only credit is given at once. */
#include "h3/internal.h"

static void note(struct h3_stream *stream)
{
    h3_stream_due(stream);
    h3_mark_ready(stream->conn);
}

static void wake(struct exchange *exchange)
{
    note(exchange->stream);
}

static void consumed(struct exchange *exchange, size_t length)
{
    struct h3_stream *stream = exchange->stream;
    struct h3_conn *conn = stream->conn;
    if (conn->quic == NULL)
        return;
    stream->unread -= length;
    (void)ngtcp2_conn_extend_max_stream_offset(conn->quic, stream->id, length);
    ngtcp2_conn_extend_max_offset(conn->quic, length);
    h3_mark_ready(conn);
}

static int can_push(const struct exchange *exchange)
{
    /* nghttp3 has no server push. */
    (void)exchange;
    return HERALD_ERROR_UNSUPPORTED;
}

static uint64_t code_of(int reason)
{
    switch (reason) {
    case HERALD_ERROR_REFUSED:
        return NGHTTP3_H3_REQUEST_REJECTED;
    case HERALD_ERROR_INTERNAL:
    case HERALD_ERROR_NOMEM:
        return NGHTTP3_H3_INTERNAL_ERROR;
    case HERALD_ERROR_PROTOCOL:
    case HERALD_ERROR_MALFORMED:
        return NGHTTP3_H3_MESSAGE_ERROR;
    case HERALD_ERROR_LIMIT:
        return NGHTTP3_H3_EXCESSIVE_LOAD;
    default:
        return NGHTTP3_H3_REQUEST_CANCELLED;
    }
}

static void cancel(struct exchange *exchange, int reason)
{
    struct h3_stream *stream = exchange->stream;
    h3_stream_reset(stream, code_of(reason), reason);
    h3_mark_ready(stream->conn);
}

static void reprioritise(struct exchange *exchange)
{
    struct h3_stream *stream = exchange->stream;
    stream->reprioritise_due = true;
    note(stream);
}

const struct exchange_ops h3_exchange_ops = {
    .wake = wake,
    .consumed = consumed,
    .discard = wake,
    .can_push = can_push,
    .cancel = cancel,
    .released = wake,
    .reprioritise = reprioritise,
};

static void reset(struct h3_stream *stream)
{
    struct h3_conn *conn = stream->conn;
    int error = ngtcp2_conn_shutdown_stream(conn->quic, 0, stream->id, stream->reset_code);
    if (error != 0 && error != NGTCP2_ERR_STREAM_NOT_FOUND) {
        h3_fail_quic(conn, error);
        return;
    }
    if (conn->http != NULL) {
        nghttp3_conn_shutdown_stream_write(conn->http, stream->id);
        error = nghttp3_conn_shutdown_stream_read(conn->http, stream->id);
        if (error != 0)
            h3_fail_http(conn, error);
    }
    h3_stream_tell_closed(stream, stream->reason);
}

/* The peer sends more than anybody wants. After the response the rest of the request is declined
 * (RFC 9114 section 4.1.1). */
static void stop_input(struct h3_stream *stream)
{
    struct h3_conn *conn = stream->conn;
    if (stream->in_ended || stream->exchange->is_client || !stream->exchange->out_complete ||
        !exchange_drain_exceeded(stream->exchange))
        return;
    int error = ngtcp2_conn_shutdown_stream_read(conn->quic, 0, stream->id, NGHTTP3_H3_NO_ERROR);
    if (error == 0)
        error = nghttp3_conn_shutdown_stream_read(conn->http, stream->id);
    if (error != 0)
        h3_fail(conn, NGHTTP3_H3_INTERNAL_ERROR, HERALD_ERROR_NOMEM);
    stream->in_ended = stream->close_due = true;
}

static void tell_priority(struct h3_stream *stream)
{
    struct h3_conn *conn = stream->conn;
    struct priority priority = stream->exchange->priority;
    stream->reprioritise_due = false;
    if (!h3_is_client(conn)) {
        const nghttp3_pri wanted = {priority.urgency, priority.incremental};
        (void)nghttp3_conn_set_server_stream_priority(conn->http, stream->id, &wanted);
        return;
    }
    char text[16];
    size_t length = priority_format(priority, text);
    if (stream->submitted)
        (void)nghttp3_conn_set_client_stream_priority(conn->http, stream->id, (const uint8_t *)text,
                                                      length);
}

void h3_stream_turn(struct h3_stream *stream)
{
    struct h3_conn *conn = stream->conn;
    if (stream->reset_due) {
        reset(stream);
        return;
    }
    if (stream->exchange == NULL || conn->http == NULL)
        return;
    int error = h3_submit_items(stream);
    if (error != 0) {
        h3_stream_reset(stream, NGHTTP3_H3_INTERNAL_ERROR, HERALD_ERROR_NOMEM);
        return;
    }
    if (stream->reprioritise_due)
        tell_priority(stream);
    if (stream->submitted && !stream->full && exchange_body_ready(stream->exchange)) {
        error = nghttp3_conn_resume_stream(conn->http, stream->id);
        if (error != 0)
            h3_fail_http(conn, error);
    }
    stop_input(stream);
    if (stream->close_due && stream->in_ended && stream->exchange->out_complete)
        h3_stream_tell_closed(stream, 0);
}
