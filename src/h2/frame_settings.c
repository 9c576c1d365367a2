/* SETTINGS (RFC 9113 section 6.5). */
#include "h2/internal.h"

static int apply_enable_push(struct h2_conn *conn, uint32_t value)
{
    if (value > 1 || (h2_is_client(conn) && value != 0))
        return h2_fail(conn, H2_PROTOCOL_ERROR, "SETTINGS_ENABLE_PUSH out of range");
    conn->peer.enable_push = value == 1;
    return 0;
}

static int apply_frame_size(struct h2_conn *conn, uint32_t value)
{
    if (value < H2_FRAME_SIZE_DEFAULT || value > H2_FRAME_SIZE_MAXIMUM)
        return h2_fail(conn, H2_PROTOCOL_ERROR, "SETTINGS_MAX_FRAME_SIZE out of range");
    conn->peer.max_frame_size = value;
    return 0;
}

static int apply_enable_connect(struct h2_conn *conn, uint32_t value)
{
    /* RFC 8441 section 3: once 1 it stays 1. */
    if (value > 1 || (value == 0 && conn->peer.enable_connect))
        return h2_fail(conn, H2_PROTOCOL_ERROR, "SETTINGS_ENABLE_CONNECT_PROTOCOL out of range");
    conn->peer.enable_connect = value == 1;
    return 0;
}

static int apply_no_priorities(struct h2_conn *conn, uint32_t value)
{
    /* RFC 9218 section 2.1: may only be said at first. */
    if (value > 1 || (conn->peer.received && (value == 1) != conn->peer.no_rfc7540_priorities))
        return h2_fail(conn, H2_PROTOCOL_ERROR, "SETTINGS_NO_RFC7540_PRIORITIES out of range");
    conn->peer.no_rfc7540_priorities = value == 1;
    if (value == 1)
        h2_scheduler_refuse_tree(&conn->scheduler);
    return 0;
}

static int apply(struct h2_conn *conn, uint16_t id, uint32_t value)
{
    switch (id) {
    case H2_SETTING_HEADER_TABLE_SIZE:
        hpack_encoder_set_maximum(&conn->encoder, value);
        return 0;
    case H2_SETTING_ENABLE_PUSH:
        return apply_enable_push(conn, value);
    case H2_SETTING_MAX_CONCURRENT_STREAMS:
        conn->peer.max_concurrent_streams = value;
        return 0;
    case H2_SETTING_INITIAL_WINDOW_SIZE:
        return h2_flow_settings(conn, value);
    case H2_SETTING_MAX_FRAME_SIZE:
        return apply_frame_size(conn, value);
    case H2_SETTING_ENABLE_CONNECT_PROTOCOL:
        return apply_enable_connect(conn, value);
    case H2_SETTING_NO_RFC7540_PRIORITIES:
        return apply_no_priorities(conn, value);
    default:
        /* Unknown, or MAX_HEADER_LIST_SIZE, which is advice. */
        return 0;
    }
}

static int take_acknowledgement(struct h2_conn *conn)
{
    if (conn->settings_acknowledged)
        return h2_glitch(conn, 1);
    conn->settings_acknowledged = true;
    conn->settings_due = HERALD_NEVER;
    h2_flow_settings_acknowledged(conn);
    hpack_decoder_set_maximum(&conn->decoder, h2_limits(conn)->header_table_size);
    return 0;
}

int h2_take_settings(struct h2_conn *conn, struct span payload)
{
    if ((conn->frame.flags & H2_FLAG_ACK) != 0)
        return take_acknowledgement(conn);
    size_t entries = payload.length / 6;
    if (entries > h2_limits(conn)->settings_entries)
        return h2_fail(conn, H2_ENHANCE_YOUR_CALM, "too many settings in a frame");
    for (size_t i = 0; i < entries; i++) {
        const uint8_t *entry = payload.data + 6 * i;
        int result = apply(conn, h2_get16(entry), h2_get32(entry + 2));
        if (result < 0)
            return result;
    }
    h2_send_settings_ack(conn);
    if (conn->peer.received)
        return h2_glitch(conn, 2 + (uint32_t)entries / 4);
    conn->peer.received = true;
    h2_timers_update(conn);
    if (conn->base.host->ready != NULL && h2_is_client(conn))
        conn->base.host->ready(&conn->base);
    return 0;
}
