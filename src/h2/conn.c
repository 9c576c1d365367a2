/* The engine's half of http/conn.h. */
#include "h2/internal.h"
#include <stdlib.h>

#define SPILL_MAXIMUM (1u << 20)

int h2_fail(struct h2_conn *conn, enum h2_error code, const char *why)
{
    if (conn->over != 0)
        return conn->over;
    conn->over = HERALD_ERROR_PROTOCOL;
    conn->base.shutting_down = true;
    /* The last id tells a client what was not processed and may be tried again. */
    h2_send_goaway(conn, h2_is_client(conn) ? conn->highest_peer_id : conn->highest_processed_id,
                   code, why);
    return conn->over;
}

int h2_fail_memory(struct h2_conn *conn)
{
    if (conn->over == 0) {
        (void)h2_fail(conn, H2_INTERNAL_ERROR, "out of memory");
        conn->over = HERALD_ERROR_NOMEM;
    }
    return conn->over;
}

void h2_wake(struct h2_conn *conn)
{
    if (conn->depth == 0)
        conn_wake(&conn->base);
}

int h2_glitch(struct h2_conn *conn, uint32_t weight)
{
    if (conn->over != 0)
        return conn->over;
    if (!h2_bucket_take(&conn->budgets.glitches, weight, conn->now))
        return h2_fail(conn, H2_ENHANCE_YOUR_CALM, "too many needless frames");
    return 0;
}

/* Around recv, pull and expire: inside, exchanges need not wake the host; at the end what has ended
 * is given back, whose events may end more. */
static void enter(struct h2_conn *conn, herald_time now)
{
    conn->depth++;
    conn->now = now;
}

static int leave(struct h2_conn *conn, int result)
{
    h2_reap(conn);
    h2_shutdown_check(conn);
    h2_timers_update(conn);
    conn->depth--;
    return conn->over != 0 ? conn->over : result;
}

static int receive(struct conn *base, const struct conn_in *in, herald_time now)
{
    struct h2_conn *conn = h2_of(base);
    if (conn->over != 0)
        return conn->over;
    enter(conn, now);
    conn->early_data = in->early_data;
    int result = h2_receive(conn, in->data);
    h2_slot_turn(conn);
    return leave(conn, result);
}

static int pull(struct conn *base, struct conn_out *out, herald_time now)
{
    struct h2_conn *conn = h2_of(base);
    enter(conn, now);
    h2_reap(conn);
    h2_shutdown_check(conn);
    h2_slot_turn(conn);
    bool was_over = conn->over != 0;
    int result = leave(conn, h2_pull(conn, out));
    /* What is left to say when it is over has no failure of its own. */
    return was_over ? 0 : result;
}

static herald_time deadline(const struct conn *base)
{
    return h2_timers_deadline((const struct h2_conn *)base);
}

static int expire(struct conn *base, herald_time now)
{
    struct h2_conn *conn = h2_of(base);
    if (conn->over != 0)
        return conn->over;
    enter(conn, now);
    return leave(conn, h2_timers_expire(conn));
}

static int eof(struct conn *base, herald_time now)
{
    struct h2_conn *conn = h2_of(base);
    if (conn->over != 0)
        return conn->over;
    enter(conn, now);
    /* Without the peer's direction no window opens any more and no setting is acknowledged. */
    conn->over = HERALD_ERROR_CLOSED;
    conn->base.finished = true;
    return leave(conn, 0);
}

static void shut_down(struct conn *base, herald_time now)
{
    struct h2_conn *conn = h2_of(base);
    conn->now = now;
    h2_shutdown(conn);
    h2_wake(conn);
}

static int request(struct conn *base, struct exchange *exchange, herald_time now)
{
    struct h2_conn *conn = h2_of(base);
    if (conn->over != 0 || conn->shutdown != H2_RUNNING || conn->peer_going_away ||
        conn->next_local_id > H2_ID_MAXIMUM)
        return HERALD_ERROR_REFUSED;
    if (exchange->conn != NULL || exchange->closed)
        return HERALD_ERROR_INVALID;
    if (exchange->outgoing.protocol.length > 0 && !conn->peer.enable_connect)
        return HERALD_ERROR_INVALID;
    if (conn->local_streams >= conn->peer.max_concurrent_streams)
        return HERALD_ERROR_LIMIT;
    struct h2_stream *stream = h2_stream_open(conn, conn->next_local_id, H2_OPEN, false);
    if (stream == NULL)
        return HERALD_ERROR_NOMEM;
    conn->next_local_id += 2;
    h2_stream_count(stream);
    stream->exchange = exchange;
    exchange_attach(exchange, base, &h2_exchange_ops, stream);
    exchange->id = stream->id;
    exchange->timing.started = now;
    list_append(&conn->opening, &stream->waiting);
    h2_wake(conn);
    return 0;
}

size_t h2_free(struct h2_conn *conn)
{
    conn->depth++; /* nobody is woken any more */
    if (conn->over == 0)
        conn->over = HERALD_ERROR_CLOSED;
    h2_streams_close_all(conn, HERALD_ERROR_CLOSED);
    h2_reap(conn);
    conn_detach(&conn->base);
    h2_streams_free(conn);
    h2_scheduler_free(&conn->scheduler);
    hpack_decoder_free(&conn->decoder);
    hpack_encoder_free(&conn->encoder);
    buf_free(&conn->block.tail);
    buf_free(&conn->partial);
    buf_free(&conn->control);
    buf_free(&conn->spill);
    size_t left = conn->base.account.live - sizeof(*conn);
    free(conn);
    return left;
}

static void destroy(struct conn *base)
{
    (void)h2_free(h2_of(base));
}

static const struct conn_ops h2_server_ops = {
    .recv = receive,
    .pull = pull,
    .deadline = deadline,
    .expire = expire,
    .eof = eof,
    .shutdown = shut_down,
    .destroy = destroy,
};

static const struct conn_ops h2_client_ops = {
    .recv = receive,
    .pull = pull,
    .deadline = deadline,
    .expire = expire,
    .eof = eof,
    .shutdown = shut_down,
    .request = request,
    .destroy = destroy,
};

static void init_lists(struct h2_conn *conn)
{
    list_init(&conn->streams);
    list_init(&conn->dead);
    list_init(&conn->spare);
    list_init(&conn->crediting);
    list_init(&conn->opening);
    list_init(&conn->queued);
    list_init(&conn->blocked);
    list_init(&conn->dribbling);
    list_init(&conn->reserved);
    map_init(&conn->by_id);
}

static void init_windows(struct h2_conn *conn)
{
    const struct limits *limits = h2_limits(conn);
    conn->send_window = H2_WINDOW_DEFAULT;
    conn->recv_target = limits->connection_window > H2_WINDOW_DEFAULT ? limits->connection_window
                                                                      : H2_WINDOW_DEFAULT;
    conn->recv_window = conn->recv_target;
    conn->stream_target = limits->stream_window;
}

/* What holds for the peer until its SETTINGS say otherwise (section 6.5.2). A client takes fewer
 * streams than "unlimited" until then. */
static void init_peer(struct h2_conn *conn)
{
    conn->peer = (struct h2_peer_settings){
        .max_concurrent_streams = h2_is_client(conn) ? 100 : UINT32_MAX,
        .initial_window = H2_WINDOW_DEFAULT,
        .max_frame_size = H2_FRAME_SIZE_DEFAULT,
        .enable_push = !h2_is_client(conn),
    };
}

static struct conn *create(const struct conn_config *config, herald_time now)
{
    struct h2_conn *conn = calloc(1, sizeof(*conn));
    if (conn == NULL)
        return NULL;
    bool client = config->role == CONN_CLIENT;
    const struct limits *limits = config->limits;
    struct account *account = &conn->base.account;
    conn_init(&conn->base, client ? &h2_client_ops : &h2_server_ops, config, HTTP_2);
    (void)account_charge(account, sizeof(*conn));
    conn->now = now;
    conn->push_allowed = config->push;
    conn->connect_protocol = config->connect_protocol && !client;
    conn->next_local_id = client ? 1 : 2;
    conn->want_preface = client;
    conn->phase = client ? H2_PHASE_HEADER : H2_PHASE_PREFACE;
    init_lists(conn);
    init_windows(conn);
    init_peer(conn);
    buf_init(&conn->partial, limits->frame_size, account);
    buf_init(&conn->control, 2 * (size_t)limits->control_bytes_queued, account);
    buf_init(&conn->spill, SPILL_MAXIMUM, account);
    buf_init(&conn->block.tail, limits->field_list_size + limits->frame_size, account);
    hpack_decoder_init(&conn->decoder, HPACK_TABLE_DEFAULT, account);
    hpack_decoder_set_string_maximum(&conn->decoder, limits->field_list_size);
    hpack_encoder_init(&conn->encoder, limits->header_table_size, account);
    h2_priority_init(conn);
    h2_budgets_init(&conn->budgets, limits, now);
    h2_timers_init(conn);
    conn->depth++;
    h2_send_settings(conn);
    h2_timers_update(conn);
    conn->depth--;
    if (conn->over != 0) {
        destroy(&conn->base);
        return NULL;
    }
    return &conn->base;
}

const struct engine h2_engine = {.alpn = "h2", .version = HTTP_2, .create = create};
