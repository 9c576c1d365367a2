/* PRIORITY (RFC 9113 section 6.3; its meaning is RFC 7540 section 5.3) and the same five bytes in
 * HEADERS. */
#include "h2/internal.h"

struct h2_dependency h2_dependency_read(const uint8_t bytes[5])
{
    return (struct h2_dependency){
        .parent = h2_get31(bytes),
        .weight = (uint16_t)(bytes[4] + 1),
        .exclusive = (bytes[0] & 0x80) != 0,
    };
}

int h2_take_priority(struct h2_conn *conn, struct span payload)
{
    uint32_t id = conn->frame.stream_id;
    struct h2_dependency dependency = h2_dependency_read(payload.data);
    if (!h2_budget_priority(&conn->budgets))
        return h2_fail(conn, H2_ENHANCE_YOUR_CALM, "too many PRIORITY frames");
    if (dependency.parent == id)
        return h2_stream_is_idle(conn, id)
                   ? h2_fail(conn, H2_PROTOCOL_ERROR, "a stream depends on itself")
                   : h2_stream_error(conn, id, H2_PROTOCOL_ERROR);
    /* Memory for an idle stream's place is a favour: without it the stream has the default. */
    if (!h2_is_client(conn))
        (void)h2_scheduler_set_dependency(&conn->scheduler, id, &dependency);
    return 0;
}
