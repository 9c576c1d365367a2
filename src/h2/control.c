/* The queue of small frames: whole frames, written before anything else, bounded in number and
 * bytes (H2-08, H2-09). */
#include "h2/internal.h"

static bool is_full(const struct h2_conn *conn, uint32_t length)
{
    const struct limits *limits = h2_limits(conn);
    return conn->control_frames >= limits->control_frames_queued ||
           buf_length(&conn->control) + H2_FRAME_HEADER + length > limits->control_bytes_queued;
}

uint8_t *h2_control_frame(struct h2_conn *conn, struct h2_frame frame)
{
    if (conn->over != 0 && frame.type != H2_GOAWAY)
        return NULL;
    if (conn->over == 0 && is_full(conn, frame.length)) {
        /* The peer makes us answer and does not read. Only the GOAWAY is left to be said. */
        buf_clear(&conn->control);
        conn->control_frames = 0;
        (void)h2_fail(conn, H2_ENHANCE_YOUR_CALM, "too many frames wait to be sent");
        return NULL;
    }
    uint8_t *out = buf_reserve(&conn->control, H2_FRAME_HEADER + (size_t)frame.length, NULL);
    if (out == NULL) {
        if (conn->over == 0)
            (void)h2_fail_memory(conn);
        return NULL;
    }
    h2_frame_write(out, frame);
    buf_commit(&conn->control, H2_FRAME_HEADER + (size_t)frame.length);
    conn->control_frames++;
    return out + H2_FRAME_HEADER;
}

void h2_send_rst_stream(struct h2_conn *conn, uint32_t id, enum h2_error code)
{
    uint8_t *payload = h2_control_frame(
        conn, (struct h2_frame){.type = H2_RST_STREAM, .length = 4, .stream_id = id});
    if (payload != NULL)
        h2_put32(payload, code);
}

void h2_send_ping(struct h2_conn *conn, const uint8_t data[8], bool acknowledge)
{
    uint8_t *payload = h2_control_frame(
        conn,
        (struct h2_frame){.type = H2_PING, .length = 8, .flags = acknowledge ? H2_FLAG_ACK : 0});
    if (payload != NULL)
        memcpy(payload, data, 8);
}

void h2_send_settings_ack(struct h2_conn *conn)
{
    (void)h2_control_frame(conn, (struct h2_frame){.type = H2_SETTINGS, .flags = H2_FLAG_ACK});
}

void h2_send_goaway(struct h2_conn *conn, uint32_t last_id, enum h2_error code, const char *why)
{
    size_t length = strlen(why);
    uint8_t *payload = h2_control_frame(
        conn, (struct h2_frame){.type = H2_GOAWAY, .length = 8 + (uint32_t)length});
    if (payload == NULL)
        return;
    h2_put32(payload, last_id);
    h2_put32(payload + 4, code);
    memcpy(payload + 8, why, length);
}

void h2_send_priority_update(struct h2_conn *conn, uint32_t id, struct priority priority)
{
    char text[16];
    size_t length = priority_format(priority, text);
    uint8_t *payload = h2_control_frame(
        conn, (struct h2_frame){.type = H2_PRIORITY_UPDATE, .length = 4 + (uint32_t)length});
    if (payload == NULL)
        return;
    h2_put32(payload, id);
    memcpy(payload + 4, text, length);
}

static uint8_t *put_setting(uint8_t *out, enum h2_setting id, uint32_t value)
{
    h2_put16(out, (uint16_t)id);
    h2_put32(out + 2, value);
    return out + 6;
}

void h2_send_settings(struct h2_conn *conn)
{
    const struct limits *limits = h2_limits(conn);
    bool client = h2_is_client(conn);
    uint32_t count = 5 + client + conn->connect_protocol;
    uint8_t *out =
        h2_control_frame(conn, (struct h2_frame){.type = H2_SETTINGS, .length = 6 * count});
    if (out == NULL)
        return;
    out = put_setting(out, H2_SETTING_HEADER_TABLE_SIZE, limits->header_table_size);
    if (client)
        out = put_setting(out, H2_SETTING_ENABLE_PUSH, conn->push_allowed);
    out = put_setting(out, H2_SETTING_MAX_CONCURRENT_STREAMS,
                      client ? limits->pushes_concurrent : limits->concurrent_streams);
    out = put_setting(out, H2_SETTING_INITIAL_WINDOW_SIZE, limits->stream_window);
    out = put_setting(out, H2_SETTING_MAX_FRAME_SIZE, limits->frame_size);
    if (conn->connect_protocol)
        out = put_setting(out, H2_SETTING_ENABLE_CONNECT_PROTOCOL, 1);
    (void)put_setting(out, H2_SETTING_MAX_HEADER_LIST_SIZE, limits->field_list_size);

    if (limits->connection_window > H2_WINDOW_DEFAULT) {
        out = h2_control_frame(conn, (struct h2_frame){.type = H2_WINDOW_UPDATE, .length = 4});
        if (out != NULL)
            h2_put32(out, limits->connection_window - H2_WINDOW_DEFAULT);
    }
}

void h2_write_control(struct h2_conn *conn, struct h2_writer *writer)
{
    struct buf *control = &conn->control;
    while (buf_length(control) > 0) {
        struct span queued = buf_span(control);
        struct h2_frame frame = h2_frame_read(queued.data);
        size_t length = H2_FRAME_HEADER + (size_t)frame.length;
        if (length > h2_writer_room(writer))
            return;
        if (conn->base.trace != NULL)
            h2_trace_frame(conn, FRAME_OUT, frame,
                           span_slice(queued, H2_FRAME_HEADER, frame.length));
        memcpy(writer->data + writer->length, queued.data, length);
        writer->length += length;
        buf_consume(control, length);
        conn->control_frames--;
    }
    buf_free(control);
}
