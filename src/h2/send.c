/* What goes out, in which order: a field block begun, control frames, credit, a client's new
 * requests, then one frame at a time of the stream that the scheduler names. Frames are built only
 * here, when the transport asks, so what has become more urgent meanwhile goes first. */
#include "h2/internal.h"

#define DATA_CHUNK    16384
#define DRIBBLE_PAUSE (100 * HERALD_MILLISECOND)

static bool is_waiting_for_slot(struct h2_stream *stream)
{
    return stream->state == H2_RESERVED_LOCAL && !h2_push_may_open(stream->conn);
}

static bool can_send(struct h2_stream *stream)
{
    struct h2_conn *conn = stream->conn;
    struct exchange *exchange = stream->exchange;
    if (!stream->node.inserted || exchange->out_complete)
        return false;
    bool has_item = !list_is_empty(&exchange->items);
    if (is_waiting_for_slot(stream)) {
        if (has_item && list_is_empty(&stream->waiting))
            list_append(&conn->reserved, &stream->waiting);
        return false;
    }
    if (has_item || stream->trailers_due)
        return true;
    if (!exchange_body_ready(exchange))
        return false;
    if (body_is_done(&exchange->out))
        return true;
    if (!list_is_empty(&stream->waiting) || stream->send_window <= 0)
        return false;
    if (conn->send_window <= 0) {
        list_append(&conn->blocked, &stream->waiting);
        return false;
    }
    return true;
}

void h2_stream_refresh(struct h2_stream *stream)
{
    if (stream->state == H2_CLOSED || !stream->node.inserted)
        return;
    h2_scheduler_set_ready(&stream->conn->scheduler, &stream->node, can_send(stream));
}

static int write_head(struct h2_stream *stream, struct exchange_item *item,
                      struct h2_writer *writer)
{
    struct exchange *exchange = stream->exchange;
    bool final = item->kind == EXCHANGE_HEAD;
    bool end_stream = final && exchange_body_is_empty(exchange);
    if (stream->state == H2_RESERVED_LOCAL) {
        h2_stream_count(stream);
        stream->state = H2_HALF_CLOSED_REMOTE;
    }
    int result =
        h2_write_headers(stream, final ? &exchange->outgoing : &item->message, end_stream, writer);
    if (result < 0)
        return result;
    exchange_item_done(exchange, item);
    if (!final)
        return 0;
    stream->head_sent = true;
    if (!exchange->is_client)
        exchange->timing.responded = stream->conn->now;
    if (end_stream)
        h2_stream_end_local(stream);
    return 0;
}

/* Everything in front of the body. Returns 1 when the body's turn has come. */
static int write_items(struct h2_stream *stream, struct h2_writer *writer)
{
    struct h2_conn *conn = stream->conn;
    struct exchange_item *item;
    while ((item = exchange_next_item(stream->exchange)) != NULL) {
        if (h2_writer_room(writer) < H2_BLOCK_ROOM || buf_length(&conn->spill) > 0)
            return 0;
        int result = item->kind == EXCHANGE_PROMISE ? h2_write_promise(stream, item, writer)
                                                    : write_head(stream, item, writer);
        if (result < 0)
            return result;
        if (stream->state == H2_CLOSED)
            return 0;
    }
    return buf_length(&conn->spill) == 0;
}

static int write_trailers(struct h2_stream *stream, struct h2_writer *writer)
{
    if (h2_writer_room(writer) < H2_BLOCK_ROOM)
        return 0;
    stream->trailers_due = false;
    int result = h2_write_trailers(stream, writer);
    if (result == 0)
        h2_stream_end_local(stream);
    return result;
}

/* Whether a window this small should rather grow first. */
static bool is_dribble(struct h2_stream *stream, size_t allowed)
{
    struct h2_conn *conn = stream->conn;
    const struct body *body = &stream->exchange->out;
    if (allowed >= H2_DRIBBLE_FLOOR || (body->source == NULL && body->queued <= allowed))
        return false;
    if (!stream->small_sent || conn->now - stream->small_at >= DRIBBLE_PAUSE) {
        stream->small_sent = true;
        stream->small_at = conn->now;
        return false;
    }
    list_append(&conn->dribbling, &stream->waiting);
    conn->dribble_due = herald_time_earlier(conn->dribble_due, stream->small_at + DRIBBLE_PAUSE);
    return true;
}

/* How much DATA may go out now: by both windows. */
static size_t window_of(const struct h2_stream *stream)
{
    int64_t window = stream->send_window;
    if (stream->conn->send_window < window)
        window = stream->conn->send_window;
    return window > 0 ? (size_t)window : 0;
}

static size_t frame_room(const struct h2_stream *stream, const struct h2_writer *writer)
{
    size_t room = h2_writer_room(writer) - H2_FRAME_HEADER;
    if (room > stream->conn->peer.max_frame_size)
        room = stream->conn->peer.max_frame_size;
    return room < DATA_CHUNK ? room : DATA_CHUNK;
}

static int body_sent(struct h2_stream *stream, struct h2_writer *writer, size_t length, bool end)
{
    struct h2_conn *conn = stream->conn;
    bool trailers = end && stream->exchange->outgoing_trailers.count > 0;
    if (length > 0 || (end && !trailers)) {
        struct h2_frame frame = {.type = H2_DATA,
                                 .flags = end && !trailers ? H2_FLAG_END_STREAM : 0,
                                 .length = (uint32_t)length,
                                 .stream_id = stream->id};
        h2_frame_write(writer->data + writer->length, frame);
        writer->length += H2_FRAME_HEADER + length;
        stream->send_window -= (int64_t)length;
        conn->send_window -= (int64_t)length;
        conn->data_out += length;
        conn->budgets.data_sent++;
        if (conn->base.trace != NULL)
            h2_trace_data(conn, FRAME_OUT, frame, 0, stream);
    }
    stream->trailers_due = trailers;
    if (trailers)
        return write_trailers(stream, writer);
    if (end)
        h2_stream_end_local(stream);
    return 0;
}

static int write_body(struct h2_stream *stream, struct h2_writer *writer)
{
    struct exchange *exchange = stream->exchange;
    size_t allowed = window_of(stream);
    size_t room = frame_room(stream, writer);
    if (allowed == 0 && !body_is_done(&exchange->out))
        return 0;
    if (allowed < room && is_dribble(stream, allowed))
        return 0;
    bool end = false;
    int64_t length = exchange_body_read(exchange, writer->data + writer->length + H2_FRAME_HEADER,
                                        allowed < room ? allowed : room, &end);
    if (stream->state == H2_CLOSED)
        return 0; /* `writable` was called, and the owner cancelled */
    if (length < 0) {
        h2_stream_reset(stream, H2_INTERNAL_ERROR, (int)length);
        return 0;
    }
    return body_sent(stream, writer, (size_t)length, end);
}

/* One turn of a stream. */
static int write_stream(struct h2_stream *stream, struct h2_writer *writer)
{
    /* Another promised stream may have taken the client's last slot since this one became ready. */
    int result = is_waiting_for_slot(stream) ? 0 : write_items(stream, writer);
    if (result <= 0 || stream->state == H2_CLOSED)
        return result;
    if (stream->trailers_due)
        return write_trailers(stream, writer);
    if (exchange_body_ready(stream->exchange) && h2_writer_room(writer) >= H2_BLOCK_ROOM)
        return write_body(stream, writer);
    return 0;
}

/* A client's requests go out in the order of their ids (RFC 9113 section 5.1.1). */
static int write_opening(struct h2_conn *conn, struct h2_writer *writer)
{
    struct list *node;
    while ((node = list_first(&conn->opening)) != NULL && h2_writer_room(writer) >= H2_BLOCK_ROOM &&
           buf_length(&conn->spill) == 0) {
        struct h2_stream *stream = CONTAINER_OF(node, struct h2_stream, waiting);
        list_remove(node);
        h2_priority_enter(stream, 0);
        int result = write_items(stream, writer);
        if (result < 0)
            return result;
        h2_stream_refresh(stream);
    }
    return 0;
}

static int write_streams(struct h2_conn *conn, struct h2_writer *writer)
{
    struct h2_schedule_node *node;
    while (h2_writer_room(writer) >= H2_BLOCK_ROOM && buf_length(&conn->spill) == 0 &&
           (node = h2_scheduler_next(&conn->scheduler)) != NULL) {
        struct h2_stream *stream = CONTAINER_OF(node, struct h2_stream, node);
        size_t before = writer->length;
        int result = write_stream(stream, writer);
        if (result < 0)
            return result;
        if (stream->state != H2_CLOSED) {
            h2_stream_refresh(stream);
            if (writer->length == before)
                h2_scheduler_set_ready(&conn->scheduler, node, false);
            h2_scheduler_charge(&conn->scheduler, node, writer->length - before);
        }
        if (buf_length(&conn->control) > 0)
            h2_write_control(conn, writer);
    }
    return 0;
}

static void write_preface(struct h2_conn *conn, struct h2_writer *writer)
{
    memcpy(writer->data + writer->length, H2_PREFACE, H2_PREFACE_LENGTH);
    writer->length += H2_PREFACE_LENGTH;
    conn->want_preface = false;
    if (conn->base.trace != NULL)
        h2_trace_preface(conn, FRAME_OUT);
}

int h2_pull(struct h2_conn *conn, struct conn_out *out)
{
    struct h2_writer writer = {out->data, out->capacity, 0};
    int result = 0;
    if (conn->want_preface)
        write_preface(conn, &writer);
    if (h2_write_spill(conn, &writer)) {
        h2_write_control(conn, &writer);
        if (conn->over == 0) {
            h2_write_credit(conn, &writer);
            result = write_opening(conn, &writer);
            if (result == 0)
                result = write_streams(conn, &writer);
        }
        if (buf_length(&conn->spill) == 0)
            h2_write_control(conn, &writer);
    }
    out->length = writer.length;
    out->segment = 0;
    conn->bytes_out += writer.length;
    return result;
}
