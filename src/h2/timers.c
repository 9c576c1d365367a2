/* Everything that must happen, or not last longer than, a time: one deadline a connection, the
 * earliest of a few; streams are looked at once a second while there are any. */
#include "h2/internal.h"

#define SCAN_PAUSE    HERALD_SECOND
#define TRIM_PAUSE    HERALD_SECOND        /* without a stream, before spare memory is given back */
#define STALL_AVERAGE (10 * HERALD_SECOND) /* limits->stall_rate is averaged over this */

void h2_timers_init(struct h2_conn *conn)
{
    const struct limits *limits = h2_limits(conn);
    conn->idle_due = conn->scan_due = conn->dribble_due = conn->shutdown_due = HERALD_NEVER;
    conn->trim_due = HERALD_NEVER;
    conn->trimmed = true;
    conn->head_due = conn->now + limits->head_timeout;
    conn->settings_due = conn->now + limits->head_timeout;
    conn->age_due = limits->connection_age == 0 ? HERALD_NEVER : conn->now + limits->connection_age;
}

static bool has_output(const struct h2_conn *conn)
{
    return h2_scheduler_next(&conn->scheduler) != NULL || !list_is_empty(&conn->blocked) ||
           buf_length(&conn->control) > 0 || buf_length(&conn->spill) > 0;
}

void h2_timers_update(struct h2_conn *conn)
{
    if (conn->stream_count > 0 || conn->shutdown != H2_RUNNING)
        conn->idle_due = HERALD_NEVER;
    else if (conn->idle_due == HERALD_NEVER)
        conn->idle_due = conn->now + h2_limits(conn)->idle_timeout;

    if (conn->stream_count > 0)
        conn->trim_due = HERALD_NEVER;
    else if (conn->trim_due == HERALD_NEVER && !conn->trimmed)
        conn->trim_due = conn->now + TRIM_PAUSE;
    conn->trimmed = conn->trimmed && conn->stream_count == 0;
    if (conn->stream_count == 0 && !has_output(conn))
        conn->scan_due = HERALD_NEVER;
    else if (conn->scan_due == HERALD_NEVER)
        conn->scan_due = conn->now + SCAN_PAUSE;

    if (conn->peer.received && conn->block.kind == H2_BLOCK_NONE)
        conn->head_due = HERALD_NEVER;
}

herald_time h2_timers_deadline(const struct h2_conn *conn)
{
    if (conn->over != 0)
        return HERALD_NEVER;
    herald_time due = herald_time_earlier(conn->head_due, conn->idle_due);
    due = herald_time_earlier(due, conn->settings_due);
    due = herald_time_earlier(due, conn->scan_due);
    due = herald_time_earlier(due, conn->dribble_due);
    due = herald_time_earlier(due, conn->trim_due);
    due = herald_time_earlier(due, conn->age_due);
    return herald_time_earlier(due, conn->shutdown_due);
}

/* ---- the stall rule: bytes are ready, the peer takes none ---- */

/* True when the flow since the clock was started is too slow. */
static bool is_too_slow(const struct h2_conn *conn, struct h2_stall *stall, uint64_t bytes)
{
    const struct limits *limits = h2_limits(conn);
    if (!stall->running) {
        *stall = (struct h2_stall){true, conn->now, conn->now, bytes, bytes};
        return false;
    }
    if (bytes - stall->progress_bytes >= limits->stall_progress) {
        stall->progress_bytes = bytes;
        stall->progress_since = conn->now;
    }
    if (conn->now - stall->progress_since >= limits->stall_timeout)
        return true;
    herald_time elapsed = conn->now - stall->since;
    if (elapsed < limits->stall_grace + STALL_AVERAGE)
        return false;
    uint64_t due = elapsed / HERALD_MILLISECOND * limits->stall_rate / 1000;
    if (bytes - stall->bytes < due)
        return true;
    /* Fast enough over this stretch: a new one begins, without another grace. */
    stall->since = conn->now - limits->stall_grace;
    stall->bytes = bytes;
    return false;
}

static bool is_held_by_peer(const struct h2_stream *stream)
{
    const struct exchange *exchange = stream->exchange;
    if (stream->state == H2_RESERVED_LOCAL)
        return !list_is_empty(&exchange->items);
    return stream->send_window < H2_DRIBBLE_FLOOR && exchange_body_ready(exchange) &&
           !body_is_done(&exchange->out);
}

static void check_stall(struct h2_conn *conn, struct h2_stream *stream)
{
    if (h2_is_client(conn) || !is_held_by_peer(stream))
        stream->stall.running = false;
    else if (is_too_slow(conn, &stream->stall, stream->exchange->body_bytes_out))
        h2_stream_reset(stream, H2_CANCEL, HERALD_ERROR_TIMEOUT);
}

/* A request body that trickles in: only while nothing but the client holds it back, and only until
 * the handler has begun to answer. */
static void check_body_rate(struct h2_conn *conn, struct h2_stream *stream)
{
    const struct limits *limits = h2_limits(conn);
    const struct exchange *exchange = stream->exchange;
    if (h2_is_client(conn) || stream->state == H2_CLOSED || exchange->in_ended ||
        exchange->tunnel || exchange->head_queued || stream->unread > 0 || limits->body_rate == 0) {
        stream->rate_running = false;
        return;
    }
    if (!stream->rate_running) {
        stream->rate_running = true;
        stream->rate_since = conn->now;
        stream->rate_bytes = exchange->body_bytes_in;
        return;
    }
    herald_time elapsed = conn->now - stream->rate_since;
    if (elapsed < limits->body_grace)
        return;
    uint64_t due = elapsed / HERALD_MILLISECOND * limits->body_rate / 1000;
    if (exchange->body_bytes_in - stream->rate_bytes < due)
        h2_stream_reset(stream, H2_CANCEL, HERALD_ERROR_TIMEOUT);
    else
        stream->rate_running = false;
}

static int scan(struct h2_conn *conn)
{
    conn->scan_due = HERALD_NEVER;
    LIST_FOR_EACH_SAFE(node, following, &conn->streams)
    {
        struct h2_stream *stream = CONTAINER_OF(node, struct h2_stream, all);
        check_stall(conn, stream);
        check_body_rate(conn, stream);
    }
    if (h2_is_client(conn) || !has_output(conn))
        conn->stall.running = false;
    else if (is_too_slow(conn, &conn->stall, conn->data_out))
        return h2_fail(conn, H2_ENHANCE_YOUR_CALM, "nothing is being read");
    return 0;
}

static int expire_connection(struct h2_conn *conn)
{
    if (conn->now >= conn->head_due) {
        bool in_block = conn->block.kind != H2_BLOCK_NONE;
        (void)h2_fail(conn, in_block ? H2_ENHANCE_YOUR_CALM : H2_SETTINGS_TIMEOUT,
                      in_block ? "field block too slow" : "no preface in time");
        conn->over = HERALD_ERROR_TIMEOUT;
        return conn->over;
    }
    if (conn->now >= conn->settings_due)
        return h2_fail(conn, H2_SETTINGS_TIMEOUT, "SETTINGS were not acknowledged");
    if (conn->now >= conn->idle_due || conn->now >= conn->age_due) {
        conn->age_due = HERALD_NEVER;
        h2_shutdown(conn);
    }
    if (conn->now >= conn->shutdown_due)
        h2_shutdown_finish(conn);
    return 0;
}

int h2_timers_expire(struct h2_conn *conn)
{
    int result = expire_connection(conn);
    if (result < 0)
        return result;
    if (conn->now >= conn->dribble_due)
        h2_flow_end_dribble(conn);
    if (conn->now >= conn->trim_due) {
        h2_streams_trim(conn);
        conn->trimmed = true;
        conn->trim_due = HERALD_NEVER;
    }
    return conn->now >= conn->scan_due ? scan(conn) : 0;
}
