/* What a complete field block means: a request, a response, trailers, a promise. */
#include "h2/internal.h"

#define ID_RESERVE 200 /* ids left when the connection is ended gracefully */

static void trace_block(struct h2_conn *conn, const struct message *head,
                        const struct fields *trailers)
{
    struct h2_block *block = &conn->block;
    if (conn->base.trace == NULL)
        return;
    struct h2_trace_block about = {
        .head = head,
        .trailers = trailers,
        .promised_id = conn->frame.type == H2_PUSH_PROMISE ? block->target_id : 0,
        .dependency = block->has_dependency ? &block->dependency : NULL,
        .padding = block->padding,
    };
    h2_trace_block_frame(conn, FRAME_IN, conn->frame, &about);
}

int h2_message_ended(struct h2_conn *conn, struct h2_stream *stream)
{
    int result = exchange_deliver_end(stream->exchange);
    if (stream->state == H2_CLOSED)
        return 0;
    if (result < 0)
        return h2_stream_error(conn, stream->id, H2_PROTOCOL_ERROR);
    h2_stream_end_remote(stream);
    return 0;
}

/* The engine answers by itself; no handler sees the request. */
static int answer(struct h2_conn *conn, struct h2_stream *stream, unsigned status)
{
    struct exchange *exchange = stream->exchange;
    exchange->incoming.content_length = CONTENT_LENGTH_UNKNOWN;
    exchange->head_received = true;
    exchange_discard_input(exchange);
    if (exchange_respond(exchange, status, NULL, 0, 0) != 0 ||
        exchange_finish(exchange, NULL, 0) != 0) {
        h2_stream_reset(stream, H2_INTERNAL_ERROR, HERALD_ERROR_NOMEM);
        return 0;
    }
    return conn->block.end_stream ? h2_message_ended(conn, stream) : 0;
}

/* What is wrong with a head, as far as only its stream is concerned. */
static int reject(struct h2_conn *conn, struct h2_stream *stream, enum head_verdict verdict)
{
    bool request = conn->block.kind == H2_BLOCK_REQUEST;
    switch (verdict) {
    case HEAD_NO_MEMORY:
        h2_stream_reset(stream, H2_INTERNAL_ERROR, HERALD_ERROR_NOMEM);
        return 0;
    case HEAD_TOO_LARGE:
        if (request)
            return answer(conn, stream, 431);
        return h2_stream_error(conn, stream->id, H2_ENHANCE_YOUR_CALM);
    case HEAD_TARGET_TOO_LONG:
        return answer(conn, stream, 414);
    case HEAD_METHOD_TOO_LONG:
        return answer(conn, stream, 501);
    case HEAD_EXPECTATION_FAILED:
        return answer(conn, stream, 417);
    case HEAD_FAR_TOO_LARGE:
        return h2_fail(conn, H2_ENHANCE_YOUR_CALM, "field section far too large");
    default:
        return h2_stream_error(conn, stream->id, H2_PROTOCOL_ERROR);
    }
}

static void charge_fields(struct h2_stream *stream)
{
    size_t taken = stream->exchange->arena.total;
    stream->conn->field_memory += taken - stream->field_memory;
    stream->field_memory = taken;
}

static int request_done(struct h2_conn *conn, struct h2_stream *stream)
{
    struct exchange *exchange = stream->exchange;
    enum head_verdict verdict = head_builder_finish(&conn->block.builder, &exchange->incoming);
    charge_fields(stream);
    trace_block(conn, &exchange->incoming, NULL);
    if (verdict != HEAD_OK)
        return reject(conn, stream, verdict);
    stream->head_received = true;
    exchange->timing.head = conn->now;
    exchange->early_data = conn->early_data;
    h2_priority_request(stream);
    exchange_deliver_head(exchange);
    if (conn->block.end_stream) {
        int result = h2_message_ended(conn, stream);
        if (result < 0 || stream->state == H2_CLOSED)
            return result;
    }
    if (stream->id > conn->highest_processed_id)
        conn->highest_processed_id = stream->id;
    conn->requests++;
    h2_slot_request(stream);
    bool last_request =
        h2_limits(conn)->requests != 0 && conn->requests >= h2_limits(conn)->requests;
    if (last_request || stream->id > H2_ID_MAXIMUM - ID_RESERVE)
        h2_shutdown(conn);
    return 0;
}

static int informational_done(struct h2_conn *conn, struct h2_stream *stream,
                              const struct message *message)
{
    if (conn->block.end_stream)
        return h2_stream_error(conn, stream->id, H2_PROTOCOL_ERROR);
    if (exchange_deliver_informational(stream->exchange, message) != 0)
        return h2_stream_error(conn, stream->id, H2_ENHANCE_YOUR_CALM);
    return 0;
}

static int response_done(struct h2_conn *conn, struct h2_stream *stream)
{
    struct exchange *exchange = stream->exchange;
    struct message message;
    enum head_verdict verdict = head_builder_finish(&conn->block.builder, &message);
    trace_block(conn, &message, NULL);
    if (verdict != HEAD_OK)
        return reject(conn, stream, verdict);
    if (message.status < 200)
        return informational_done(conn, stream, &message);
    exchange->incoming = message;
    stream->head_received = true;
    exchange->timing.head = conn->now;
    exchange->timing.responded = conn->now;
    exchange_deliver_head(exchange);
    if (conn->block.end_stream && stream->state != H2_CLOSED)
        return h2_message_ended(conn, stream);
    return 0;
}

static int trailers_done(struct h2_conn *conn, struct h2_stream *stream)
{
    struct exchange *exchange = stream->exchange;
    enum head_verdict verdict =
        head_builder_finish_trailers(&conn->block.builder, &exchange->trailers);
    trace_block(conn, NULL, &exchange->trailers);
    if (verdict != HEAD_OK)
        return reject(conn, stream, verdict);
    return h2_message_ended(conn, stream);
}

static int promise_done(struct h2_conn *conn, struct h2_stream *promised)
{
    struct exchange *exchange = promised->exchange;
    enum head_verdict verdict = head_builder_finish(&conn->block.builder, &exchange->outgoing);
    trace_block(conn, &exchange->outgoing, NULL);
    if (verdict != HEAD_OK)
        return reject(conn, promised, verdict);
    struct h2_stream *parent = h2_stream_find(conn, conn->block.stream_id);
    if (parent == NULL || exchange_deliver_promise(parent->exchange, exchange) != 0)
        h2_stream_reset(promised, parent == NULL ? H2_CANCEL : H2_REFUSED_STREAM,
                        HERALD_ERROR_REFUSED);
    return 0;
}

int h2_block_done(struct h2_conn *conn)
{
    struct h2_block *block = &conn->block;
    struct h2_stream *stream = h2_stream_find(conn, block->target_id);
    int result = 0;
    switch (block->kind) {
    case H2_BLOCK_REQUEST:
        result = request_done(conn, stream);
        break;
    case H2_BLOCK_RESPONSE:
        result = response_done(conn, stream);
        break;
    case H2_BLOCK_TRAILERS:
        result = trailers_done(conn, stream);
        break;
    case H2_BLOCK_PROMISE:
        result = promise_done(conn, stream);
        break;
    default:
        trace_block(conn, NULL, NULL);
        break;
    }
    block->kind = H2_BLOCK_NONE;
    return result;
}
