/* DATA (RFC 9113 section 6.1): the one frame that is passed on as it comes in, not collected. */
#include "h2/internal.h"

/* Many small frames cost memory and time beyond their content: H2-16, H2-17. */
static int charge_small(struct h2_conn *conn, struct h2_stream *stream, uint32_t content,
                        bool end_stream)
{
    struct h2_budgets *budgets = &conn->budgets;
    if (content == 0 && !end_stream) {
        if (++budgets->empty_data > h2_limits(conn)->empty_data_frames)
            return h2_fail(conn, H2_ENHANCE_YOUR_CALM, "too many empty DATA frames");
        return h2_glitch(conn, 1);
    }
    budgets->empty_data = 0;
    if (content < H2_SMALL_DATA && !end_stream && stream != NULL) {
        stream->small_data += H2_SMALL_DATA - content;
        budgets->small_data += H2_SMALL_DATA - content;
        if (budgets->small_data > h2_limits(conn)->small_data_budget)
            return h2_fail(conn, H2_ENHANCE_YOUR_CALM, "too many small DATA frames unread");
    }
    return 0;
}

/* Finds the stream and takes the frame's length off its window; on a stream error
 * conn->data_stream stays NULL and the payload is discarded. */
static int begin_on_stream(struct h2_conn *conn, const struct h2_frame *frame)
{
    struct h2_stream *stream = h2_stream_find(conn, frame->stream_id);
    if (stream == NULL)
        return h2_stream_is_idle(conn, frame->stream_id)
                   ? h2_fail(conn, H2_PROTOCOL_ERROR, "DATA on an idle stream")
                   : h2_stream_late_frame(conn, frame->stream_id, false);
    if (stream->state == H2_RESERVED_LOCAL || stream->state == H2_RESERVED_REMOTE)
        return h2_fail(conn, H2_PROTOCOL_ERROR, "DATA on a reserved stream");
    if (stream->state == H2_HALF_CLOSED_REMOTE)
        return h2_stream_error(conn, frame->stream_id, H2_STREAM_CLOSED);
    if (h2_is_client(conn) && !stream->head_received)
        return h2_stream_error(conn, frame->stream_id, H2_PROTOCOL_ERROR);
    if ((int64_t)frame->length > stream->recv_window)
        return h2_stream_error(conn, frame->stream_id, H2_FLOW_CONTROL_ERROR);
    stream->recv_window -= frame->length;
    conn->data_stream = stream;
    return 0;
}

int h2_data_begin(struct h2_conn *conn)
{
    const struct h2_frame *frame = &conn->frame;
    conn->data_stream = NULL;
    conn->data_reclaim = 0;
    conn->data_content = frame->length;
    conn->pad_length_due = (frame->flags & H2_FLAG_PADDED) != 0;
    if (conn->pad_length_due && frame->length == 0)
        return h2_fail(conn, H2_FRAME_SIZE_ERROR, "padded DATA without a pad length");
    if ((int64_t)frame->length > conn->recv_window)
        return h2_fail(conn, H2_FLOW_CONTROL_ERROR, "DATA over the connection's window");
    conn->recv_window -= frame->length;
    int result = begin_on_stream(conn, frame);
    h2_flow_received(conn, conn->data_stream, frame->length);
    if (result < 0 || conn->pad_length_due)
        return result;
    return charge_small(conn, conn->data_stream, conn->data_content,
                        (frame->flags & H2_FLAG_END_STREAM) != 0);
}

/* The pad length octet: known only now is how much of the frame is content. */
static int take_pad_length(struct h2_conn *conn, uint8_t padding)
{
    const struct h2_frame *frame = &conn->frame;
    conn->pad_length_due = false;
    if ((uint32_t)padding + 1 > frame->length)
        return h2_fail(conn, H2_PROTOCOL_ERROR, "padding longer than the frame");
    conn->data_content = frame->length - 1 - padding;
    conn->data_reclaim = 1 + (uint32_t)padding;
    conn->padding = padding;
    return charge_small(conn, conn->data_stream, conn->data_content,
                        (frame->flags & H2_FLAG_END_STREAM) != 0);
}

static int deliver(struct h2_conn *conn, struct h2_stream *stream, struct span content)
{
    struct exchange *exchange = stream->exchange;
    /* From here on the bytes are the owner's: reading them, or the stream's end, gives them back.
     */
    stream->unread += (uint32_t)content.length;
    int result = exchange_deliver_body(exchange, content);
    if (stream->state == H2_CLOSED)
        return 0;
    if (result == HERALD_ERROR_MALFORMED)
        return h2_stream_error(conn, stream->id, H2_PROTOCOL_ERROR);
    if (result < 0)
        h2_stream_reset(stream,
                        result == HERALD_ERROR_LIMIT ? H2_ENHANCE_YOUR_CALM : H2_INTERNAL_ERROR,
                        result);
    else if (exchange_drain_exceeded(exchange))
        h2_stream_stop_input(stream);
    return 0;
}

int h2_data_bytes(struct h2_conn *conn, struct span bytes)
{
    if (conn->pad_length_due) {
        int result = take_pad_length(conn, bytes.data[0]);
        if (result < 0)
            return result;
        bytes = span_slice(bytes, 1, bytes.length);
    }
    struct span content = span_slice(bytes, 0, conn->data_content);
    if (content.length == 0)
        return 0;
    conn->data_content -= (uint32_t)content.length;
    conn->budgets.payload += content.length;
    if (conn->data_stream != NULL && conn->data_stream->state == H2_CLOSED)
        conn->data_stream = NULL;
    if (conn->data_stream != NULL)
        return deliver(conn, conn->data_stream, content);
    conn->data_reclaim += (uint32_t)content.length;
    return 0;
}

int h2_data_end(struct h2_conn *conn)
{
    struct h2_stream *stream = conn->data_stream;
    const struct h2_frame *frame = &conn->frame;
    if (stream != NULL && stream->state == H2_CLOSED)
        stream = NULL;
    conn->data_stream = NULL;
    if (conn->base.trace != NULL) {
        uint32_t padding = (frame->flags & H2_FLAG_PADDED) != 0 ? conn->padding : 0;
        h2_trace_data(conn, FRAME_IN, *frame, (uint16_t)padding, stream);
    }
    h2_flow_credit_connection(conn, conn->data_reclaim);
    if (stream == NULL)
        return 0;
    if ((frame->flags & H2_FLAG_END_STREAM) != 0)
        return h2_message_ended(conn, stream);
    h2_flow_credit_stream(stream, conn->data_reclaim);
    return 0;
}
