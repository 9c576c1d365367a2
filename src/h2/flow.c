/* Flow control (RFC 9113 section 5.2, 6.9), both ways.
 *
 * What holds at any time outside of a DATA frame, for a stream and summed up for the connection:
 *     recv_window + credit + unread == recv_target
 */
#include "h2/internal.h"

#define PROBE_PAUSE_FIRST (10 * HERALD_MILLISECOND)
#define PROBE_PAUSE_MOST  (10 * HERALD_SECOND)

int h2_flow_settings(struct h2_conn *conn, uint32_t initial_window)
{
    if (initial_window > H2_WINDOW_MAXIMUM)
        return h2_fail(conn, H2_FLOW_CONTROL_ERROR, "SETTINGS_INITIAL_WINDOW_SIZE out of range");
    int64_t change = (int64_t)initial_window - conn->peer.initial_window;
    conn->peer.initial_window = initial_window;
    if (change == 0)
        return 0;
    LIST_FOR_EACH_SAFE(node, following, &conn->streams)
    {
        struct h2_stream *stream = CONTAINER_OF(node, struct h2_stream, all);
        stream->send_window += change;
        if (stream->send_window > H2_WINDOW_MAXIMUM)
            return h2_fail(conn, H2_FLOW_CONTROL_ERROR, "a stream's window overflows");
        h2_flow_stream_changed(stream, stream->send_window - change);
    }
    /* It costs a walk over all streams, and taking windows back is seldom sane. */
    return change < 0 ? h2_glitch(conn, 1 + conn->stream_count / 8) : 0;
}

uint32_t h2_flow_first_window(const struct h2_conn *conn)
{
    return conn->settings_acknowledged ? h2_limits(conn)->stream_window : H2_WINDOW_DEFAULT;
}

void h2_flow_settings_acknowledged(struct h2_conn *conn)
{
    int64_t change = (int64_t)h2_limits(conn)->stream_window - H2_WINDOW_DEFAULT;
    LIST_FOR_EACH_SAFE(node, following, &conn->streams)
    {
        struct h2_stream *stream = CONTAINER_OF(node, struct h2_stream, all);
        stream->recv_window += change;
        stream->recv_target = (uint32_t)(stream->recv_target + change);
        /* Of a smaller window the credit there is may be worth a frame. */
        h2_flow_credit_stream(stream, 0);
    }
}

/* Enough to be worth a frame: half of the window. */
static bool is_worth(uint32_t credit, uint32_t target)
{
    return credit > 0 && credit >= target / 2;
}

/* How much of `length` bytes of credit is withheld because the connection holds much memory: what a
 * window has grown by is taken back as its bytes are read. */
static uint32_t take_back(const struct h2_conn *conn, uint32_t length, uint32_t target,
                          uint32_t first)
{
    if (target <= first || conn->base.account.live < h2_limits(conn)->connection_memory_soft)
        return 0;
    return length < target - first ? length : target - first;
}

void h2_flow_credit_connection(struct h2_conn *conn, uint32_t length)
{
    uint32_t less = take_back(conn, length, conn->recv_target, h2_limits(conn)->connection_window);
    conn->recv_target -= less;
    conn->credit += length - less;
}

void h2_flow_credit_stream(struct h2_stream *stream, uint32_t length)
{
    struct h2_conn *conn = stream->conn;
    if (stream->state == H2_HALF_CLOSED_REMOTE || stream->state == H2_CLOSED)
        return;
    uint32_t less = take_back(conn, length, stream->recv_target, h2_limits(conn)->stream_window);
    stream->recv_target -= less;
    stream->credit += length - less;
    if (less > 0) {
        conn->stream_target = h2_limits(conn)->stream_window;
    } else if (stream->recv_target < conn->stream_target) {
        stream->credit += conn->stream_target - stream->recv_target;
        stream->recv_target = conn->stream_target;
    }
    if (is_worth(stream->credit, stream->recv_target) && list_is_empty(&stream->crediting))
        list_append(&conn->crediting, &stream->crediting);
}

bool h2_flow_credit_is_due(const struct h2_conn *conn)
{
    return is_worth(conn->credit, conn->recv_target) || !list_is_empty(&conn->crediting);
}

static void write_update(struct h2_conn *conn, struct h2_writer *writer, uint32_t id,
                         uint32_t increment)
{
    struct h2_frame frame = {.type = H2_WINDOW_UPDATE, .length = 4, .stream_id = id};
    uint8_t *out = writer->data + writer->length;
    h2_frame_write(out, frame);
    h2_put32(out + H2_FRAME_HEADER, increment);
    writer->length += H2_FRAME_HEADER + 4;
    if (conn->base.trace != NULL)
        h2_trace_frame(conn, FRAME_OUT, frame, span_make(out + H2_FRAME_HEADER, 4));
}

void h2_write_credit(struct h2_conn *conn, struct h2_writer *writer)
{
    struct list *node;
    if (is_worth(conn->credit, conn->recv_target) &&
        h2_writer_room(writer) >= H2_FRAME_HEADER + 4) {
        conn->recv_window += conn->credit;
        write_update(conn, writer, 0, conn->credit);
        conn->credit = 0;
    }
    while ((node = list_first(&conn->crediting)) != NULL &&
           h2_writer_room(writer) >= H2_FRAME_HEADER + 4) {
        struct h2_stream *stream = CONTAINER_OF(node, struct h2_stream, crediting);
        list_remove(node);
        stream->recv_window += stream->credit;
        write_update(conn, writer, stream->id, stream->credit);
        stream->credit = 0;
    }
}

static bool may_grow(const struct h2_conn *conn)
{
    const struct limits *limits = h2_limits(conn);
    return conn->base.account.live < limits->connection_memory_soft &&
           (conn->stream_target < limits->stream_window_maximum ||
            conn->recv_target < limits->connection_window_maximum);
}

void h2_flow_received(struct h2_conn *conn, const struct h2_stream *stream, uint32_t length)
{
    struct h2_probe *probe = &conn->probe;
    if (probe->in_flight) {
        probe->received += length;
        return;
    }
    /* Only a sender that uses up much of its window can be slowed by it. */
    if (stream == NULL || conn->now < probe->next || !may_grow(conn) ||
        (stream->recv_window > stream->recv_target / 2 &&
         conn->recv_window > conn->recv_target / 2))
        return;
    probe->in_flight = true;
    probe->sent = conn->now;
    probe->received = length;
    h2_send_ping(conn, (const uint8_t *)H2_PROBE_PING, false);
}

/* Credit comes in halves of the window, so a sender that waits for it brings at least that much in
 * a round trip, and may bring no more. */
static uint32_t grown(uint64_t sample, uint32_t target, uint32_t maximum)
{
    if (sample < target / 2 || maximum <= target)
        return target;
    return target < maximum / 2 ? 2 * target : maximum;
}

/* What arrived within a round trip is the bandwidth-delay product as far as the present windows
 * show it. Growth ends at four times of it at most. */
void h2_flow_probed(struct h2_conn *conn)
{
    const struct limits *limits = h2_limits(conn);
    struct h2_probe *probe = &conn->probe;
    probe->in_flight = false;
    probe->round_trip = conn->now - probe->sent;

    uint32_t stream_target =
        grown(probe->received, conn->stream_target, limits->stream_window_maximum);
    uint32_t target = grown(probe->received, conn->recv_target, limits->connection_window_maximum);
    bool growing = stream_target > conn->stream_target || target > conn->recv_target;
    if (growing && may_grow(conn)) {
        conn->stream_target = stream_target;
        conn->credit += target - conn->recv_target;
        conn->recv_target = target;
        probe->pause = PROBE_PAUSE_FIRST;
    } else {
        probe->pause = probe->pause == 0 ? PROBE_PAUSE_FIRST : probe->pause * 2;
        if (probe->pause > PROBE_PAUSE_MOST)
            probe->pause = PROBE_PAUSE_MOST;
    }
    probe->next = conn->now + probe->pause;
}

void h2_flow_unblock(struct h2_conn *conn)
{
    struct list *node;
    while (conn->send_window > 0 && (node = list_first(&conn->blocked)) != NULL) {
        list_remove(node);
        h2_stream_refresh(CONTAINER_OF(node, struct h2_stream, waiting));
    }
}

void h2_flow_end_dribble(struct h2_conn *conn)
{
    struct list *node;
    conn->dribble_due = HERALD_NEVER;
    while ((node = list_first(&conn->dribbling)) != NULL) {
        list_remove(node);
        h2_stream_refresh(CONTAINER_OF(node, struct h2_stream, waiting));
    }
}

void h2_flow_stream_changed(struct h2_stream *stream, int64_t before)
{
    bool is_open = stream->node.inserted && stream->state != H2_RESERVED_LOCAL;
    if (is_open && before < H2_DRIBBLE_FLOOR && stream->send_window >= H2_DRIBBLE_FLOOR)
        list_remove(&stream->waiting);
    h2_stream_refresh(stream);
}

void h2_flow_connection_changed(struct h2_conn *conn, int64_t before)
{
    h2_flow_unblock(conn);
    if (before < H2_DRIBBLE_FLOOR && conn->send_window >= H2_DRIBBLE_FLOOR)
        h2_flow_end_dribble(conn);
}
