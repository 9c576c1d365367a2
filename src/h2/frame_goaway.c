/* GOAWAY (RFC 9113 section 6.8). */
#include "h2/internal.h"

/* Streams of ours above the last id were not processed: safe to try again elsewhere. */
static void refuse_unprocessed(struct h2_conn *conn, uint32_t last_id)
{
    LIST_FOR_EACH_SAFE(node, following, &conn->streams)
    {
        struct h2_stream *stream = CONTAINER_OF(node, struct h2_stream, all);
        if (!stream->by_peer && stream->id > last_id)
            h2_stream_close(stream, H2_ENDED_BY_PEER_RESET, HERALD_ERROR_REFUSED);
    }
}

int h2_take_goaway(struct h2_conn *conn, struct span payload)
{
    uint32_t last_id = h2_get31(payload.data);
    if (conn->peer_going_away && last_id > conn->peer_last_id)
        return h2_fail(conn, H2_PROTOCOL_ERROR, "GOAWAY with a growing last stream id");
    bool first = !conn->peer_going_away;
    conn->peer_going_away = true;
    conn->peer_last_id = last_id;
    refuse_unprocessed(conn, last_id);
    if (first && conn->base.host->going_away != NULL)
        conn->base.host->going_away(&conn->base);
    return first ? 0 : h2_glitch(conn, 1);
}
