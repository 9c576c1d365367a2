/* WINDOW_UPDATE (RFC 9113 section 6.9). */
#include "h2/internal.h"

static int update_connection(struct h2_conn *conn, uint32_t increment)
{
    if (increment == 0)
        return h2_fail(conn, H2_PROTOCOL_ERROR, "WINDOW_UPDATE by 0");
    if (conn->send_window + increment > H2_WINDOW_MAXIMUM)
        return h2_fail(conn, H2_FLOW_CONTROL_ERROR, "the connection's window overflows");
    conn->send_window += increment;
    h2_flow_connection_changed(conn, conn->send_window - increment);
    return 0;
}

static int update_stream(struct h2_conn *conn, struct h2_stream *stream, uint32_t increment)
{
    /* Section 5.1: a promise gives nothing that could be sent more of. */
    if (stream->state == H2_RESERVED_REMOTE)
        return h2_fail(conn, H2_PROTOCOL_ERROR, "WINDOW_UPDATE on a reserved stream");
    if (increment == 0)
        return h2_stream_error(conn, stream->id, H2_PROTOCOL_ERROR);
    if (stream->send_window + increment > H2_WINDOW_MAXIMUM)
        return h2_stream_error(conn, stream->id, H2_FLOW_CONTROL_ERROR);
    stream->send_window += increment;
    h2_flow_stream_changed(stream, stream->send_window - increment);
    return 0;
}

int h2_take_window_update(struct h2_conn *conn, struct span payload)
{
    uint32_t id = conn->frame.stream_id;
    uint32_t increment = h2_get31(payload.data);
    if (!h2_budget_window_update(&conn->budgets))
        return h2_fail(conn, H2_ENHANCE_YOUR_CALM, "too many WINDOW_UPDATE frames");
    if (id == 0)
        return update_connection(conn, increment);
    struct h2_stream *stream = h2_stream_find(conn, id);
    if (stream != NULL)
        return update_stream(conn, stream, increment);
    return h2_stream_is_idle(conn, id)
               ? h2_fail(conn, H2_PROTOCOL_ERROR, "WINDOW_UPDATE on an idle stream")
               : h2_stream_late_frame(conn, id, true);
}
