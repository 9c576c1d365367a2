/* PRIORITY_UPDATE (RFC 9218 section 7.1): a client changes a priority, also before the request. */
#include "h2/internal.h"

static int reprioritise(struct h2_conn *conn, uint32_t id, struct span text)
{
    struct h2_stream *stream = h2_stream_find(conn, id);
    /* The frame replaces what was said before: members left out have their defaults. */
    struct priority priority = PRIORITY_DEFAULT;
    if (priority_parse(text, &priority) != 0)
        return h2_glitch(conn, 1);
    if (stream != NULL) {
        stream->exchange->priority = priority;
        h2_priority_apply(stream);
    } else if (h2_stream_is_idle(conn, id)) {
        struct h2_urgency urgency = {priority.urgency, priority.incremental};
        (void)h2_scheduler_set_urgency(&conn->scheduler, id, &urgency);
    }
    return 0;
}

int h2_take_priority_update(struct h2_conn *conn, struct span payload)
{
    uint32_t id = h2_get31(payload.data);
    if (h2_is_client(conn))
        return h2_fail(conn, H2_PROTOCOL_ERROR, "PRIORITY_UPDATE from a server");
    if (id == 0)
        return h2_fail(conn, H2_PROTOCOL_ERROR, "PRIORITY_UPDATE for stream 0");
    if (!h2_budget_priority(&conn->budgets))
        return h2_fail(conn, H2_ENHANCE_YOUR_CALM, "too many PRIORITY_UPDATE frames");
    /* Section 7.1: an idle push stream cannot be reprioritised; idle requests count against the
     * concurrency limit, which the scheduler's bound on idle streams stands for. */
    if (id % 2 == 0 && h2_stream_is_idle(conn, id))
        return h2_fail(conn, H2_PROTOCOL_ERROR, "PRIORITY_UPDATE for a push not promised");
    return reprioritise(conn, id, span_slice(payload, 4, payload.length));
}
