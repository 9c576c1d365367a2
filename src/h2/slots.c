/* Work has slots of its own: a request waits here while as many of the connection's exchanges run
 * as it may have streams. A slot is taken until the owner's work has ended, whatever became of the
 * stream (H2-01), so resetting streams buys a peer no work. A well-behaved peer opens a new stream
 * when it sees the end of an old one, which may be a moment before the owner of that has returned:
 * its request waits that moment instead of being refused. What waits is bounded by the stream
 * limit.
 *
 * No request is dispatched before all that came with it has been read, so one that is reset in the
 * same breath never reaches a handler. */
#include "h2/internal.h"

static bool has_slot(const struct h2_conn *conn)
{
    return conn->base.running < h2_limits(conn)->concurrent_streams + conn->local_streams;
}

void h2_slot_request(struct h2_stream *stream)
{
    list_append(&stream->conn->queued, &stream->queued);
}

void h2_slot_turn(struct h2_conn *conn)
{
    struct list *node;
    while (conn->over == 0 && has_slot(conn) && (node = list_first(&conn->queued)) != NULL) {
        struct h2_stream *stream = CONTAINER_OF(node, struct h2_stream, queued);
        struct exchange *exchange = stream->exchange;
        list_remove(node);
        conn_dispatch(&conn->base, exchange);
        exchange_deliver_late(exchange);
    }
}
