/* PING (RFC 9113 section 6.7). */
#include "h2/internal.h"

int h2_take_ping(struct h2_conn *conn, struct span payload)
{
    if ((conn->frame.flags & H2_FLAG_ACK) == 0) {
        h2_send_ping(conn, payload.data, true);
        return h2_glitch(conn, 1);
    }
    if (memcmp(payload.data, H2_PROBE_PING, 8) == 0 && conn->probe.in_flight)
        h2_flow_probed(conn);
    else if (memcmp(payload.data, H2_SHUTDOWN_PING, 8) == 0 && conn->shutdown == H2_WARNED)
        h2_shutdown_finish(conn);
    else
        return h2_glitch(conn, 1);
    return 0;
}
