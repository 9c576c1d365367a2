/* ALTSVC (RFC 7838 section 4) and ORIGIN (RFC 8336): both only advise a client; what is wrong with
 * them is ignored. The traces show them. */
#include "h2/internal.h"

int h2_take_altsvc(struct h2_conn *conn, struct span payload)
{
    uint16_t origin_length = h2_get16(payload.data);
    bool on_connection = conn->frame.stream_id == 0;
    /* Section 4: on stream 0 the origin is named, on a stream it is not. */
    bool sound = !h2_is_client(conn) ||
                 (origin_length + 2u <= payload.length && (origin_length != 0) == on_connection);
    return h2_glitch(conn, sound ? 1 : 2);
}

int h2_take_origin(struct h2_conn *conn, struct span payload)
{
    uint32_t weight = h2_is_client(conn) && conn->frame.stream_id == 0 ? 1 : 2;
    while (payload.length >= 2) {
        uint16_t length = h2_get16(payload.data);
        if (length + 2u > payload.length)
            weight = 2;
        payload = span_slice(payload, 2 + (size_t)length, payload.length);
    }
    return h2_glitch(conn, weight);
}
