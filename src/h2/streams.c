/* Streams: the states of RFC 9113 section 5.1, the table, and what is remembered of ended ones. */
#include "h2/internal.h"
#include <stdlib.h>

#define SPARE_STREAMS 128
#define IDLE_MAP      32 /* entries; a larger table is given up when no stream is left */

static struct h2_stream *allocate(struct h2_conn *conn)
{
    struct list *node = list_first(&conn->spare);
    struct h2_stream *stream;
    if (node != NULL) {
        stream = CONTAINER_OF(node, struct h2_stream, all);
        list_remove(node);
        conn->spare_count--;
        memset(stream, 0, sizeof(*stream));
        return stream;
    }
    if (account_charge(&conn->base.account, sizeof(*stream)) != 0)
        return NULL;
    stream = calloc(1, sizeof(*stream));
    if (stream == NULL)
        account_refund(&conn->base.account, sizeof(*stream));
    return stream;
}

static void discard(struct h2_conn *conn, struct h2_stream *stream)
{
    if (conn->spare_count < SPARE_STREAMS) {
        list_append(&conn->spare, &stream->all);
        conn->spare_count++;
        return;
    }
    account_refund(&conn->base.account, sizeof(*stream));
    free(stream);
}

struct h2_stream *h2_stream_open(struct h2_conn *conn, uint32_t id, enum h2_state state,
                                 bool by_peer)
{
    struct h2_stream *stream = allocate(conn);
    if (stream == NULL)
        return NULL;
    list_init(&stream->all);
    if (map_put(&conn->by_id, id, stream) != 0) {
        discard(conn, stream);
        return NULL;
    }
    list_append(&conn->streams, &stream->all);
    list_init(&stream->waiting);
    list_init(&stream->crediting);
    list_init(&stream->queued);
    stream->conn = conn;
    stream->id = id;
    stream->state = (uint8_t)state;
    stream->by_peer = by_peer;
    stream->send_window = conn->peer.initial_window;
    stream->recv_window = stream->recv_target = h2_flow_first_window(conn);
    conn->stream_count++;
    conn->budgets.streams++;
    return stream;
}

struct h2_stream *h2_stream_find(const struct h2_conn *conn, uint32_t id)
{
    return map_get(&conn->by_id, id);
}

static bool is_peers(const struct h2_conn *conn, uint32_t id)
{
    return (id % 2 == 0) == h2_is_client(conn);
}

bool h2_stream_is_idle(const struct h2_conn *conn, uint32_t id)
{
    return is_peers(conn, id) ? id > conn->highest_peer_id : id >= conn->next_local_id;
}

void h2_stream_count(struct h2_stream *stream)
{
    if (stream->counted)
        return;
    stream->counted = true;
    *(stream->by_peer ? &stream->conn->peer_streams : &stream->conn->local_streams) += 1;
}

static void uncount(struct h2_stream *stream)
{
    if (!stream->counted)
        return;
    stream->counted = false;
    *(stream->by_peer ? &stream->conn->peer_streams : &stream->conn->local_streams) -= 1;
}

void h2_stream_remember(struct h2_conn *conn, uint32_t id, enum h2_ending ending)
{
    struct h2_recent *recent = &conn->recent;
    unsigned slot = recent->next++ % H2_RECENT;
    uint32_t *forgotten = &recent->forgotten[recent->ids[slot] % 2];
    if (recent->ids[slot] > *forgotten)
        *forgotten = recent->ids[slot];
    recent->ids[slot] = id;
    recent->endings[slot] = (uint8_t)ending;
}

void h2_stream_close(struct h2_stream *stream, enum h2_ending ending, int reason)
{
    struct h2_conn *conn = stream->conn;
    if (stream->state == H2_CLOSED)
        return;
    stream->state = H2_CLOSED;
    stream->reason = reason;
    map_remove(&conn->by_id, stream->id);
    conn->stream_count--;
    uncount(stream);
    conn->promised -= stream->promised;
    list_remove(&stream->all);
    list_append(&conn->dead, &stream->all);
    list_remove(&stream->waiting);
    list_remove(&stream->crediting);
    list_remove(&stream->queued);
    h2_scheduler_remove(&conn->scheduler, &stream->node);
    h2_flow_credit_connection(conn, stream->unread);
    stream->unread = 0;
    conn->budgets.small_data -= stream->small_data;
    stream->small_data = 0;
    conn->field_memory -= stream->field_memory;
    stream->field_memory = 0;
    h2_stream_remember(conn, stream->id, ending);
    h2_push_next(conn);
}

void h2_stream_end_local(struct h2_stream *stream)
{
    stream->exchange->out_complete = true;
    if (stream->state == H2_HALF_CLOSED_REMOTE) {
        h2_stream_close(stream, H2_ENDED_BOTH, 0);
        return;
    }
    stream->state = H2_HALF_CLOSED_LOCAL;
    h2_scheduler_set_ready(&stream->conn->scheduler, &stream->node, false);
    h2_stream_stop_input(stream);
}

void h2_stream_end_remote(struct h2_stream *stream)
{
    list_remove(&stream->crediting);
    if (stream->state == H2_HALF_CLOSED_LOCAL)
        h2_stream_close(stream, H2_ENDED_BOTH, 0);
    else if (stream->state == H2_OPEN)
        stream->state = H2_HALF_CLOSED_REMOTE;
}

void h2_stream_stop_input(struct h2_stream *stream)
{
    /* Not at once, even when Content-Length tells how much is to come: some clients do not look at
     * a response that comes together with RST_STREAM. */
    if (!exchange_drain_exceeded(stream->exchange))
        return;
    if (stream->exchange->is_client)
        h2_stream_reset(stream, H2_CANCEL, HERALD_ERROR_CANCELLED);
    else if (stream->exchange->out_complete)
        h2_stream_reset(stream, H2_NO_ERROR, 0);
}

void h2_stream_reset(struct h2_stream *stream, enum h2_error code, int reason)
{
    if (stream->state == H2_CLOSED)
        return;
    h2_send_rst_stream(stream->conn, stream->id, code);
    h2_stream_close(stream, H2_ENDED_BY_OUR_RESET, reason);
}

int h2_stream_error(struct h2_conn *conn, uint32_t id, enum h2_error code)
{
    struct h2_stream *stream = h2_stream_find(conn, id);
    if (stream != NULL) {
        h2_stream_reset(stream, code, HERALD_ERROR_MALFORMED);
    } else {
        h2_send_rst_stream(conn, id, code);
        h2_stream_remember(conn, id, H2_ENDED_BY_OUR_RESET);
    }
    if (conn->over != 0)
        return conn->over;
    /* Before the client knows our limits its first flight may go over them in good faith. */
    if (code == H2_REFUSED_STREAM && !conn->settings_acknowledged)
        return h2_glitch(conn, 1);
    if (!h2_bucket_take(&conn->budgets.resets, 1, conn->now))
        return h2_fail(conn, H2_ENHANCE_YOUR_CALM, "too many streams reset");
    return 0;
}

/* How the stream ended, or -1: it was never used, -2: too long ago to tell. */
static int recall(const struct h2_conn *conn, uint32_t id)
{
    for (unsigned i = 1; i <= H2_RECENT; i++) {
        unsigned slot = (conn->recent.next - i) % H2_RECENT;
        if (conn->recent.ids[slot] == id)
            return conn->recent.endings[slot];
    }
    return id > conn->recent.forgotten[id % 2] ? -1 : -2;
}

bool h2_stream_was_skipped(const struct h2_conn *conn, uint32_t id)
{
    return recall(conn, id) == -1;
}

int h2_stream_late_frame(struct h2_conn *conn, uint32_t id, bool gentle)
{
    if (gentle)
        return 0;
    switch (recall(conn, id)) {
    case H2_ENDED_BY_OUR_RESET:
    case -2:
        /* Under way when our RST_STREAM met it. */
        return h2_glitch(conn, 1);
    case H2_ENDED_BY_PEER_RESET:
        return h2_stream_error(conn, id, H2_STREAM_CLOSED);
    default:
        return h2_fail(conn, H2_STREAM_CLOSED, "a frame on a closed stream");
    }
}

void h2_reap(struct h2_conn *conn)
{
    struct list *node;
    while ((node = list_first(&conn->dead)) != NULL) {
        struct h2_stream *stream = CONTAINER_OF(node, struct h2_stream, all);
        struct exchange *exchange = stream->exchange;
        list_remove(node);
        if (conn->data_stream == stream)
            conn->data_stream = NULL;
        stream->exchange = NULL;
        if (exchange != NULL) {
            exchange->timing.ended = conn->now;
            exchange_deliver_closed(exchange, stream->reason);
        }
        discard(conn, stream);
    }
}

void h2_streams_close_all(struct h2_conn *conn, int reason)
{
    LIST_FOR_EACH_SAFE(node, following, &conn->streams)
    h2_stream_close(CONTAINER_OF(node, struct h2_stream, all), H2_ENDED_BY_PEER_RESET, reason);
}

static void free_spares(struct h2_conn *conn, unsigned but)
{
    while (conn->spare_count > but) {
        struct list *node = list_first(&conn->spare);
        list_remove(node);
        conn->spare_count--;
        account_refund(&conn->base.account, sizeof(struct h2_stream));
        free(CONTAINER_OF(node, struct h2_stream, all));
    }
}

void h2_streams_trim(struct h2_conn *conn)
{
    free_spares(conn, 1);
    if (conn->by_id.count == 0 && conn->by_id.capacity > IDLE_MAP)
        map_free(&conn->by_id);
}

void h2_streams_free(struct h2_conn *conn)
{
    free_spares(conn, 0);
    map_free(&conn->by_id);
}
