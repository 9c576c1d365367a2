/* Server push (RFC 9113 section 8.4): promises are written in their place among what their parent
 * sends; the promised exchange is dispatched as soon as its PUSH_PROMISE is out. */
#include "h2/internal.h"

/* Promised streams, unfinished. Those whose response has begun are counted by local_streams. */
int h2_can_push(const struct exchange *exchange)
{
    const struct h2_stream *stream = exchange->stream;
    if (stream == NULL || stream->state == H2_CLOSED)
        return HERALD_ERROR_CLOSED;
    const struct h2_conn *conn = stream->conn;
    if (!conn->push_allowed || !conn->peer.enable_push || conn->peer.max_concurrent_streams == 0 ||
        conn->peer_going_away || conn->over != 0)
        return HERALD_ERROR_UNSUPPORTED;
    if (stream->state != H2_OPEN && stream->state != H2_HALF_CLOSED_REMOTE)
        return HERALD_ERROR_STATE;
    uint32_t pending = conn->promised + conn->base.promises_queued;
    if (pending >= h2_limits(conn)->pushes_concurrent ||
        conn->next_local_id + 2 * (uint64_t)pending > H2_ID_MAXIMUM)
        return HERALD_ERROR_LIMIT;
    return 0;
}

bool h2_push_may_open(struct h2_conn *conn)
{
    return conn->local_streams < conn->peer.max_concurrent_streams;
}

void h2_push_next(struct h2_conn *conn)
{
    struct list *node;
    while (h2_push_may_open(conn) && (node = list_first(&conn->reserved)) != NULL) {
        list_remove(node);
        h2_stream_refresh(CONTAINER_OF(node, struct h2_stream, waiting));
    }
}

/* The promise cannot be kept: the exchange ends before anybody has seen it. */
static void drop(struct exchange *promised)
{
    exchange_deliver_closed(promised, HERALD_ERROR_CANCELLED);
}

int h2_write_promise(struct h2_stream *parent, struct exchange_item *item, struct h2_writer *writer)
{
    struct h2_conn *conn = parent->conn;
    struct exchange *promised = item->promised;
    struct h2_stream *stream = NULL;
    if (conn->peer.enable_push && !conn->peer_going_away)
        stream = h2_stream_open(conn, conn->next_local_id, H2_RESERVED_LOCAL, false);
    exchange_item_done(parent->exchange, item);
    if (stream == NULL) {
        drop(promised);
        return 0;
    }
    conn->next_local_id += 2;
    conn->promised++;
    stream->promised = true;
    stream->exchange = promised;
    stream->head_received = true;
    promised->stream = stream;
    promised->id = stream->id;
    promised->timing.started = promised->timing.head = conn->now;
    h2_priority_enter(stream, parent->id);
    int result = h2_write_push_promise(parent, stream->id, &promised->incoming, writer);
    if (result < 0)
        return result;
    conn_dispatch(&conn->base, promised);
    return 0;
}
