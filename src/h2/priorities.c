/* How both priority schemes reach the scheduler (RFC 9218; RFC 7540 section 5.3). */
#include "h2/internal.h"

static struct h2_schedule_node *find(void *user, uint32_t id)
{
    struct h2_stream *stream = h2_stream_find(user, id);
    return stream != NULL && stream->node.inserted ? &stream->node : NULL;
}

void h2_priority_init(struct h2_conn *conn)
{
    h2_scheduler_init(&conn->scheduler, find, conn, &conn->base.account);
}

void h2_priority_enter(struct h2_stream *stream, uint32_t parent_id)
{
    struct h2_schedule_node *node = &stream->node;
    h2_scheduler_insert(&stream->conn->scheduler, node, stream->id, parent_id, parent_id != 0);
    if (h2_is_client(stream->conn)) {
        h2_priority_apply(stream);
        return;
    }
    /* What a PRIORITY_UPDATE said before the request came. */
    stream->exchange->priority =
        (struct priority){node->urgency.urgency, node->urgency.incremental};
    stream->updated_early =
        node->urgency.urgency != PRIORITY_URGENCY_DEFAULT || node->urgency.incremental;
}

void h2_priority_apply(struct h2_stream *stream)
{
    struct priority priority = stream->exchange->priority;
    struct h2_urgency urgency = {priority.urgency, priority.incremental};
    if (stream->node.inserted)
        (void)h2_scheduler_set_urgency(&stream->conn->scheduler, stream->id, &urgency);
}

static bool take_field(struct h2_stream *stream, const struct fields *fields)
{
    const struct field *field = fields_find(fields, KNOWN_PRIORITY);
    if (field == NULL || priority_parse(field->value, &stream->exchange->priority) != 0)
        return false;
    h2_priority_apply(stream);
    return true;
}

void h2_priority_request(struct h2_stream *stream)
{
    /* RFC 9218 section 7: PRIORITY_UPDATE overrides the request's field. */
    if (!stream->updated_early)
        (void)take_field(stream, &stream->exchange->incoming.fields);
}

void h2_priority_response(struct h2_stream *stream)
{
    struct exchange *exchange = stream->exchange;
    if (exchange->is_client || !exchange->head_queued || stream->response_seen)
        return;
    stream->response_seen = true;
    /* Pushed streams wait for requested ones unless the response says how urgent it is. */
    if (take_field(stream, &exchange->outgoing.fields) && stream->promised)
        h2_scheduler_set_behind(&stream->conn->scheduler, &stream->node, false);
}
