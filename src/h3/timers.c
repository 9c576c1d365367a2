/* Time rules for the streams of a server, looked at once a second: a head has to come, a request
 * body has to come at a minimum rate while its reader waits and has not begun to answer, a response
 * has to be taken. */
#include "h3/internal.h"

#define CHECK_INTERVAL HERALD_SECOND

static void restart(struct h3_pace *pace, uint64_t bytes, herald_time now)
{
    pace->since = now;
    pace->bytes = bytes;
}

static bool head_is_late(const struct h3_stream *stream, herald_time now)
{
    return !stream->head_received &&
           now - stream->opened >= stream->conn->base.limits->head_timeout;
}

static bool body_is_slow(struct h3_stream *stream, herald_time now)
{
    const struct limits *limits = stream->conn->base.limits;
    const struct exchange *exchange = stream->exchange;
    bool waits = exchange != NULL && stream->head_received && !stream->in_ended &&
                 !exchange->in_discarded && !exchange->tunnel && !exchange->head_queued &&
                 stream->unread == 0 && limits->body_rate != 0;
    if (!waits) {
        restart(&stream->coming, exchange == NULL ? 0 : exchange->body_bytes_in, now);
        return false;
    }
    herald_time passed = now - stream->coming.since;
    if (passed < limits->body_grace)
        return false;
    uint64_t bytes = exchange->body_bytes_in - stream->coming.bytes;
    restart(&stream->coming, exchange->body_bytes_in, now);
    return bytes < passed / HERALD_SECOND * limits->body_rate;
}

static bool response_is_not_taken(struct h3_stream *stream, herald_time now)
{
    const struct limits *limits = stream->conn->base.limits;
    bool waits = stream->held > 0 || (stream->submitted && stream->exchange != NULL &&
                                      exchange_body_ready(stream->exchange));
    if (!waits || stream->acknowledged - stream->taken.bytes >= limits->stall_progress) {
        restart(&stream->taken, stream->acknowledged, now);
        return false;
    }
    return now - stream->taken.since >= limits->stall_timeout;
}

void h3_timers_begin(struct h3_stream *stream)
{
    struct h3_conn *conn = stream->conn;
    stream->opened = conn->now;
    restart(&stream->coming, 0, conn->now);
    restart(&stream->taken, 0, conn->now);
    if (!h3_is_client(conn) && conn->check_due == HERALD_NEVER)
        conn->check_due = conn->now + CHECK_INTERVAL;
}

void h3_timers_check(struct h3_conn *conn)
{
    if (conn->check_due > conn->now)
        return;
    LIST_FOR_EACH_SAFE(node, following, &conn->streams)
    {
        struct h3_stream *stream = CONTAINER_OF(node, struct h3_stream, all);
        if (stream->reset_due)
            continue;
        if (head_is_late(stream, conn->now))
            h3_stream_reset(stream, NGHTTP3_H3_REQUEST_INCOMPLETE, HERALD_ERROR_TIMEOUT);
        else if (body_is_slow(stream, conn->now) || response_is_not_taken(stream, conn->now))
            h3_stream_reset(stream, NGHTTP3_H3_EXCESSIVE_LOAD, HERALD_ERROR_TIMEOUT);
    }
    conn->check_due = list_is_empty(&conn->streams) ? HERALD_NEVER : conn->now + CHECK_INTERVAL;
}
