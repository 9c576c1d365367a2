/* RST_STREAM (RFC 9113 section 6.4). */
#include "h2/internal.h"

static int reason_of(uint32_t code)
{
    return code == H2_REFUSED_STREAM ? HERALD_ERROR_REFUSED : HERALD_ERROR_CANCELLED;
}

int h2_take_rst_stream(struct h2_conn *conn, struct span payload)
{
    uint32_t id = conn->frame.stream_id;
    uint32_t code = h2_get32(payload.data);
    struct h2_stream *stream = h2_stream_find(conn, id);
    if (stream == NULL)
        return h2_stream_is_idle(conn, id)
                   ? h2_fail(conn, H2_PROTOCOL_ERROR, "RST_STREAM on an idle stream")
                   : h2_glitch(conn, 1);
    /* A server that has sent all of its response may ask the client to stop sending (section 8.1).
     */
    bool complete = h2_is_client(conn) && stream->exchange->in_ended && code == H2_NO_ERROR;
    h2_stream_close(stream, H2_ENDED_BY_PEER_RESET, complete ? 0 : reason_of(code));
    /* A push that the client does not want is our doing, not its. */
    bool charged = !complete && stream->by_peer && !h2_is_client(conn);
    if (charged && !h2_bucket_take(&conn->budgets.resets, 1, conn->now))
        return h2_fail(conn, H2_ENHANCE_YOUR_CALM, "too many streams reset");
    return 0;
}
