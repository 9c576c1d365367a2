/* HEADERS and CONTINUATION (RFC 9113 sections 6.2, 6.10): which stream a field block is for, and
 * whether it may be. What the block says is field_block_done.c's. */
#include "h2/internal.h"

int h2_unpad(struct h2_conn *conn, struct span *payload, uint16_t *padding)
{
    *padding = 0;
    if ((conn->frame.flags & H2_FLAG_PADDED) == 0)
        return 0;
    if (payload->length == 0)
        return h2_fail(conn, H2_FRAME_SIZE_ERROR, "padded without a pad length");
    *padding = payload->data[0];
    if ((size_t)*padding + 1 > payload->length)
        return h2_fail(conn, H2_PROTOCOL_ERROR, "padding longer than the frame");
    *payload = span_make(payload->data + 1, payload->length - 1 - *padding);
    return 0;
}

/* The frame's fields are of no use: says why with `code` and leaves the block to be decoded. */
static int refuse(struct h2_conn *conn, enum h2_error code)
{
    int result = h2_stream_error(conn, conn->frame.stream_id, code);
    h2_block_open(conn, H2_BLOCK_DISCARD, conn->frame.stream_id);
    return result;
}

static int open_late(struct h2_conn *conn)
{
    int result = h2_stream_late_frame(conn, conn->frame.stream_id, false);
    h2_block_open(conn, H2_BLOCK_DISCARD, conn->frame.stream_id);
    return result;
}

static int open_trailers(struct h2_conn *conn, struct h2_stream *stream)
{
    /* Section 8.5: a tunnel has DATA only. */
    if ((conn->frame.flags & H2_FLAG_END_STREAM) == 0 || stream->exchange->tunnel)
        return refuse(conn, H2_PROTOCOL_ERROR);
    h2_block_open(conn, H2_BLOCK_TRAILERS, stream->id);
    head_builder_init(&conn->block.builder, HEAD_TRAILERS, &stream->exchange->arena,
                      h2_limits(conn));
    return 0;
}

static int open_request(struct h2_conn *conn)
{
    uint32_t id = conn->frame.stream_id;
    conn->highest_peer_id = id;
    if (conn->shutdown == H2_LAST_STREAM_SAID) {
        /* Section 6.8: above the last stream id, ignored. */
        h2_stream_remember(conn, id, H2_ENDED_BY_OUR_RESET);
        h2_block_open(conn, H2_BLOCK_DISCARD, id);
        return 0;
    }
    /* A few bytes can stand for a full list of fields, again and again (H2-05): a request that may
     * be tried again later is refused rather than a hundred of them held. */
    if (conn->peer_streams >= h2_limits(conn)->concurrent_streams ||
        conn->field_memory >= h2_limits(conn)->field_memory)
        return refuse(conn, H2_REFUSED_STREAM);
    struct h2_stream *stream = h2_stream_open(conn, id, H2_OPEN, true);
    if (stream == NULL)
        return refuse(conn, H2_REFUSED_STREAM);
    stream->exchange =
        exchange_new(&conn->base, &h2_exchange_ops, stream, h2_limits(conn), &conn->base.account);
    if (stream->exchange == NULL)
        return refuse(conn, H2_REFUSED_STREAM);
    h2_stream_count(stream);
    stream->exchange->id = id;
    stream->exchange->timing.started = conn->now;
    h2_priority_enter(stream, 0);
    h2_block_open(conn, H2_BLOCK_REQUEST, id);
    head_builder_init(&conn->block.builder, HEAD_REQUEST, &stream->exchange->arena,
                      h2_limits(conn));
    conn->block.builder.extended_connect = conn->connect_protocol;
    return 0;
}

static int open_at_server(struct h2_conn *conn)
{
    uint32_t id = conn->frame.stream_id;
    struct h2_stream *stream = h2_stream_find(conn, id);
    if (id % 2 == 0)
        return h2_fail(conn, H2_PROTOCOL_ERROR, "a request on an even stream id");
    if (stream == NULL && id > conn->highest_peer_id)
        return open_request(conn);
    if (stream == NULL && h2_stream_was_skipped(conn, id))
        return h2_fail(conn, H2_PROTOCOL_ERROR, "stream ids must grow");
    if (stream == NULL)
        return open_late(conn);
    if (stream->state == H2_HALF_CLOSED_REMOTE)
        return refuse(conn, H2_STREAM_CLOSED);
    return open_trailers(conn, stream);
}

static int open_at_client(struct h2_conn *conn)
{
    uint32_t id = conn->frame.stream_id;
    struct h2_stream *stream = h2_stream_find(conn, id);
    if (h2_stream_is_idle(conn, id) || (stream != NULL && !stream->by_peer && !stream->head_sent))
        return h2_fail(conn, H2_PROTOCOL_ERROR, "HEADERS on an idle stream");
    if (stream == NULL)
        return open_late(conn);
    if (stream->state == H2_HALF_CLOSED_REMOTE)
        return refuse(conn, H2_STREAM_CLOSED);
    if (stream->head_received)
        return open_trailers(conn, stream);
    if (stream->state == H2_RESERVED_REMOTE)
        stream->state = H2_HALF_CLOSED_LOCAL;
    h2_block_open(conn, H2_BLOCK_RESPONSE, id);
    head_builder_init(&conn->block.builder, HEAD_RESPONSE, &stream->exchange->arena,
                      h2_limits(conn));
    return 0;
}

/* The five bytes of RFC 7540 that a HEADERS frame may begin with. */
static int take_dependency(struct h2_conn *conn, struct span *payload)
{
    struct h2_block *block = &conn->block;
    block->has_dependency = (conn->frame.flags & H2_FLAG_PRIORITY) != 0;
    if (!block->has_dependency)
        return 0;
    if (payload->length < 5)
        return h2_fail(conn, H2_FRAME_SIZE_ERROR, "HEADERS too short for its priority");
    block->dependency = h2_dependency_read(payload->data);
    *payload = span_slice(*payload, 5, payload->length);
    return 0;
}

static int apply_dependency(struct h2_conn *conn)
{
    struct h2_block *block = &conn->block;
    uint32_t id = conn->frame.stream_id;
    if (!block->has_dependency || h2_is_client(conn))
        return 0;
    if (block->dependency.parent == id) {
        block->kind = H2_BLOCK_DISCARD;
        return h2_stream_error(conn, id, H2_PROTOCOL_ERROR);
    }
    if (h2_stream_find(conn, id) != NULL)
        (void)h2_scheduler_set_dependency(&conn->scheduler, id, &block->dependency);
    return 0;
}

int h2_take_headers(struct h2_conn *conn, struct span payload)
{
    int result = h2_unpad(conn, &payload, &conn->block.padding);
    if (result == 0)
        result = take_dependency(conn, &payload);
    if (result == 0)
        result = h2_is_client(conn) ? open_at_client(conn) : open_at_server(conn);
    if (result == 0)
        result = apply_dependency(conn);
    if (result < 0)
        return result;
    return h2_block_fragment(conn, payload, (conn->frame.flags & H2_FLAG_END_HEADERS) != 0);
}

int h2_take_continuation(struct h2_conn *conn, struct span payload)
{
    if (++conn->block.continuations > h2_limits(conn)->continuation_count)
        return h2_fail(conn, H2_ENHANCE_YOUR_CALM, "too many CONTINUATION frames");
    return h2_block_fragment(conn, payload, (conn->frame.flags & H2_FLAG_END_HEADERS) != 0);
}
