/* A field block on its way in (RFC 9113 section 4.3): fragments to the decompressor, fields to the
 * message rules. Whatever becomes of the stream, the block is decoded to its end, because the
 * table is the connection's. */
#include "h2/internal.h"

static int emit(void *user, const struct hpack_field *field)
{
    struct h2_conn *conn = user;
    struct h2_block *block = &conn->block;
    block->list_size += field->name.length + field->value.length + HPACK_ENTRY_OVERHEAD;
    if (block->kind == H2_BLOCK_DISCARD) {
        uint64_t most = (uint64_t)h2_limits(conn)->field_list_size * HEAD_FAR_FACTOR;
        return block->list_size > most ? HERALD_ERROR_LIMIT : 0;
    }
    enum known_name known = field->static_index >= KNOWN_STATIC_FIRST
                                ? (enum known_name)field->static_index
                                : KNOWN_NONE;
    enum head_verdict verdict = head_builder_add(&block->builder, field->name, field->value, known,
                                                 field->never_indexed ? FIELD_SENSITIVE : 0);
    return verdict == HEAD_FAR_TOO_LARGE ? HERALD_ERROR_LIMIT : 0;
}

void h2_block_open(struct h2_conn *conn, enum h2_block_kind kind, uint32_t target_id)
{
    struct h2_block *block = &conn->block;
    block->kind = (uint8_t)kind;
    block->stream_id = conn->frame.stream_id;
    block->target_id = target_id;
    block->end_stream =
        conn->frame.type == H2_HEADERS && (conn->frame.flags & H2_FLAG_END_STREAM) != 0;
    block->continuations = 0;
    block->list_size = 0;
    conn->head_due = conn->now + h2_limits(conn)->head_timeout;
}

static int decode_error(struct h2_conn *conn, int error)
{
    if (error == HERALD_ERROR_LIMIT)
        return h2_fail(conn, H2_ENHANCE_YOUR_CALM, "field section far too large");
    if (error == HERALD_ERROR_NOMEM)
        return h2_fail_memory(conn);
    return h2_fail(conn, H2_COMPRESSION_ERROR, "field block cannot be decoded");
}

/* Keeps what the decoder has not consumed for the next fragment. */
static int keep_rest(struct h2_conn *conn, struct span rest, size_t consumed, bool in_tail)
{
    struct buf *tail = &conn->block.tail;
    int result = 0;
    if (in_tail)
        buf_consume(tail, consumed);
    else if (consumed < rest.length)
        result = buf_append_span(tail, span_slice(rest, consumed, rest.length));
    if (buf_length(tail) == 0)
        buf_free(tail);
    if (result == HERALD_ERROR_LIMIT)
        return h2_fail(conn, H2_ENHANCE_YOUR_CALM, "field far too large");
    return result < 0 ? h2_fail_memory(conn) : 0;
}

int h2_block_fragment(struct h2_conn *conn, struct span fragment, bool last)
{
    struct h2_block *block = &conn->block;
    conn->budgets.payload += fragment.length;
    /* Its stream may have ended between two frames; the builder's arena went with it. */
    if (block->kind != H2_BLOCK_DISCARD && h2_stream_find(conn, block->target_id) == NULL)
        block->kind = H2_BLOCK_DISCARD;

    bool in_tail = buf_length(&block->tail) > 0;
    if (in_tail) {
        int result = keep_rest(conn, fragment, 0, false);
        if (result < 0)
            return result;
        fragment = buf_span(&block->tail);
    }
    size_t consumed = 0;
    int result =
        hpack_decode(&conn->decoder, fragment.data, fragment.length, last, &consumed, emit, conn);
    if (result < 0)
        return decode_error(conn, result);
    if (!last) {
        if (conn->base.trace != NULL)
            h2_trace_block_frame(conn, FRAME_IN, conn->frame, &(struct h2_trace_block){0});
        return keep_rest(conn, fragment, consumed, in_tail);
    }
    buf_free(&block->tail);
    conn->head_due = conn->peer.received ? HERALD_NEVER : conn->head_due;
    return h2_block_done(conn);
}
