/* What an exchange's owner does, seen from its stream. None of this calls an event. */
#include "h2/internal.h"

static struct h2_stream *live(const struct exchange *exchange)
{
    struct h2_stream *stream = exchange->stream;
    return stream == NULL || stream->state == H2_CLOSED ? NULL : stream;
}

static void wake(struct exchange *exchange)
{
    struct h2_stream *stream = live(exchange);
    if (stream == NULL)
        return;
    h2_priority_response(stream);
    h2_stream_refresh(stream);
    h2_wake(stream->conn);
}

static void consumed(struct exchange *exchange, size_t length)
{
    struct h2_stream *stream = live(exchange);
    if (stream == NULL)
        return;
    struct h2_conn *conn = stream->conn;
    stream->unread -= (uint32_t)length;
    if (stream->unread == 0) {
        conn->budgets.small_data -= stream->small_data;
        stream->small_data = 0;
    }
    h2_flow_credit_stream(stream, (uint32_t)length);
    h2_flow_credit_connection(conn, (uint32_t)length);
    if (h2_flow_credit_is_due(conn))
        h2_wake(conn);
}

static void discard(struct exchange *exchange)
{
    struct h2_stream *stream = live(exchange);
    if (stream == NULL)
        return;
    h2_stream_stop_input(stream);
    h2_wake(stream->conn);
}

static enum h2_error code_of(int reason)
{
    switch (reason) {
    case HERALD_ERROR_REFUSED:
        return H2_REFUSED_STREAM;
    case HERALD_ERROR_INTERNAL:
        return H2_INTERNAL_ERROR;
    case HERALD_ERROR_PROTOCOL:
    case HERALD_ERROR_MALFORMED:
        return H2_PROTOCOL_ERROR;
    case HERALD_ERROR_LIMIT:
        return H2_ENHANCE_YOUR_CALM;
    default:
        return H2_CANCEL;
    }
}

static void cancel(struct exchange *exchange, int reason)
{
    struct h2_stream *stream = live(exchange);
    if (stream == NULL)
        return;
    struct h2_conn *conn = stream->conn;
    bool unseen = h2_is_client(conn) && !stream->by_peer && !stream->head_sent;
    if (unseen)
        h2_stream_close(stream, H2_ENDED_BY_OUR_RESET, reason);
    else
        h2_stream_reset(stream, code_of(reason), reason);
    h2_wake(conn);
}

static void released(struct exchange *exchange)
{
    struct h2_stream *stream = live(exchange);
    if (stream != NULL)
        h2_wake(stream->conn);
}

static void reprioritise(struct exchange *exchange)
{
    struct h2_stream *stream = live(exchange);
    if (stream == NULL)
        return;
    struct h2_conn *conn = stream->conn;
    h2_priority_apply(stream);
    if (h2_is_client(conn) && (stream->head_sent || stream->by_peer))
        h2_send_priority_update(conn, stream->id, exchange->priority);
    h2_wake(conn);
}

const struct exchange_ops h2_exchange_ops = {
    .wake = wake,
    .consumed = consumed,
    .discard = discard,
    .can_push = h2_can_push,
    .cancel = cancel,
    .released = released,
    .reprioritise = reprioritise,
};
