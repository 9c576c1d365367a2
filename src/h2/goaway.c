/* The graceful end in two steps (RFC 9113 section 6.8): first a GOAWAY that refuses nothing, then,
 * a round trip later, one with the last stream that was taken. No request is lost on the way. */
#include "h2/internal.h"

#define SHUTDOWN_WAIT HERALD_SECOND /* for the PING of a peer that does not answer */

static void say_last_stream(struct h2_conn *conn)
{
    conn->shutdown = H2_LAST_STREAM_SAID;
    conn->shutdown_due = HERALD_NEVER;
    h2_send_goaway(conn, h2_is_client(conn) ? conn->highest_peer_id : conn->highest_processed_id,
                   H2_NO_ERROR, "");
}

void h2_shutdown(struct h2_conn *conn)
{
    if (conn->shutdown != H2_RUNNING || conn->over != 0)
        return;
    conn->base.shutting_down = true;
    if (h2_is_client(conn)) {
        say_last_stream(conn);
        return;
    }
    conn->shutdown = H2_WARNED;
    conn->shutdown_due = conn->now + SHUTDOWN_WAIT;
    h2_send_goaway(conn, H2_ID_MAXIMUM, H2_NO_ERROR, "");
    h2_send_ping(conn, (const uint8_t *)H2_SHUTDOWN_PING, false);
}

void h2_shutdown_finish(struct h2_conn *conn)
{
    if (conn->shutdown == H2_WARNED)
        say_last_stream(conn);
}

void h2_shutdown_check(struct h2_conn *conn)
{
    bool done =
        conn->shutdown == H2_LAST_STREAM_SAID || (conn->peer_going_away && h2_is_client(conn));
    if (conn->over != 0 || (done && conn->stream_count == 0))
        conn->base.finished = true;
}
