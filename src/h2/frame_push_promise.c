/* PUSH_PROMISE (RFC 9113 sections 6.6, 8.4), a client's view. */
#include "h2/internal.h"

/* The stream a promise comes on: 0, or negative. `*parent` is NULL when it has just been reset by
 * us, so that the promise is under way in good faith. */
static int find_parent(struct h2_conn *conn, struct h2_stream **parent)
{
    uint32_t id = conn->frame.stream_id;
    *parent = h2_stream_find(conn, id);
    if (id % 2 == 0 || h2_stream_is_idle(conn, id))
        return h2_fail(conn, H2_PROTOCOL_ERROR, "PUSH_PROMISE on a stream that was not asked for");
    if (*parent == NULL)
        return h2_stream_late_frame(conn, id, false);
    if (!(*parent)->head_sent || (*parent)->state == H2_HALF_CLOSED_REMOTE)
        return h2_fail(conn, H2_PROTOCOL_ERROR, "PUSH_PROMISE on a stream in the wrong state");
    return 0;
}

static int refuse(struct h2_conn *conn, uint32_t promised_id)
{
    h2_block_open(conn, H2_BLOCK_DISCARD, promised_id);
    return h2_stream_error(conn, promised_id, H2_REFUSED_STREAM);
}

static int reserve(struct h2_conn *conn, struct h2_stream *parent, uint32_t promised_id)
{
    if (parent == NULL || conn->shutdown != H2_RUNNING ||
        conn->peer_streams >= h2_limits(conn)->pushes_concurrent)
        return refuse(conn, promised_id);
    struct h2_stream *stream = h2_stream_open(conn, promised_id, H2_RESERVED_REMOTE, true);
    if (stream == NULL)
        return refuse(conn, promised_id);
    stream->exchange =
        exchange_new(&conn->base, &h2_exchange_ops, stream, h2_limits(conn), &conn->base.account);
    if (stream->exchange == NULL)
        return refuse(conn, promised_id);
    h2_stream_count(stream);
    stream->exchange->id = promised_id;
    stream->exchange->timing.started = conn->now;
    h2_block_open(conn, H2_BLOCK_PROMISE, promised_id);
    head_builder_init(&conn->block.builder, HEAD_PROMISED_REQUEST, &stream->exchange->arena,
                      h2_limits(conn));
    return 0;
}

int h2_take_push_promise(struct h2_conn *conn, struct span payload)
{
    if (!h2_is_client(conn))
        return h2_fail(conn, H2_PROTOCOL_ERROR, "PUSH_PROMISE from a client");
    if (!conn->push_allowed)
        return h2_fail(conn, H2_PROTOCOL_ERROR, "PUSH_PROMISE although push is off");
    int result = h2_unpad(conn, &payload, &conn->block.padding);
    if (result < 0)
        return result;
    if (payload.length < 4)
        return h2_fail(conn, H2_FRAME_SIZE_ERROR, "PUSH_PROMISE too short");
    uint32_t promised_id = h2_get31(payload.data);
    if (promised_id == 0 || promised_id % 2 != 0 || promised_id <= conn->highest_peer_id)
        return h2_fail(conn, H2_PROTOCOL_ERROR, "PUSH_PROMISE of an illegal stream id");
    struct h2_stream *parent;
    result = find_parent(conn, &parent);
    if (result == 0) {
        conn->highest_peer_id = promised_id;
        result = reserve(conn, parent, promised_id);
    }
    if (result < 0)
        return result;
    return h2_block_fragment(conn, span_slice(payload, 4, payload.length),
                             (conn->frame.flags & H2_FLAG_END_HEADERS) != 0);
}
