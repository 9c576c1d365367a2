/* The life of a connection: created, fed, ended; after its end a stub answers late packets for
 * three probe timeouts (RFC 9000 section 10.2). */
#include "h3/internal.h"
#include <ngtcp2/ngtcp2_crypto.h>
#include <stdlib.h>

#define HANDSHAKE_TIME (10 * HERALD_SECOND)
#define ACK_IDS        8

static const struct conn_ops conn_ops;
static const uint32_t versions[] = {NGTCP2_PROTO_VER_V2, NGTCP2_PROTO_VER_V1};

static void set_settings(struct h3_conn *conn, ngtcp2_settings *settings)
{
    const struct limits *limits = conn->base.limits;
    ngtcp2_settings_default(settings);
    settings->initial_ts = conn->now;
    settings->rand_ctx.native_handle = conn->endpoint;
    settings->handshake_timeout = HANDSHAKE_TIME;
    settings->max_tx_udp_payload_size = H3_DATAGRAM_MOST;
    settings->max_window = limits->connection_window_maximum;
    settings->max_stream_window = limits->stream_window_maximum;
    /* The client's choice stands: changing it would cost nothing but gains nothing either. */
    settings->available_versions = versions;
    settings->available_versionslen = sizeof(versions) / sizeof(versions[0]);
}

static void set_parameters(const struct h3_conn *conn, ngtcp2_transport_params *parameters)
{
    const struct limits *limits = conn->base.limits;
    ngtcp2_transport_params_default(parameters);
    parameters->initial_max_data = limits->connection_window;
    parameters->initial_max_stream_data_bidi_local = limits->stream_window;
    parameters->initial_max_stream_data_bidi_remote = limits->stream_window;
    parameters->initial_max_stream_data_uni = limits->stream_window;
    parameters->initial_max_streams_bidi = h3_is_client(conn) ? 0 : limits->concurrent_streams;
    parameters->initial_max_streams_uni = H3_UNI_STREAMS;
    parameters->max_idle_timeout = limits->idle_timeout;
    parameters->active_connection_id_limit = ACK_IDS;
    parameters->grease_quic_bit = 1;
}

static int create_server(struct h3_conn *conn, const ngtcp2_path *path,
                         const ngtcp2_pkt_hd *initial, const ngtcp2_cid *original,
                         ngtcp2_token_type token, const ngtcp2_cid *own)
{
    ngtcp2_settings settings;
    ngtcp2_transport_params parameters;
    set_settings(conn, &settings);
    set_parameters(conn, &parameters);
    parameters.original_dcid = original != NULL ? *original : initial->dcid;
    parameters.original_dcid_present = 1;
    if (original != NULL) {
        parameters.retry_scid = initial->dcid;
        parameters.retry_scid_present = 1;
    }
    if (token != NGTCP2_TOKEN_TYPE_UNKNOWN) {
        settings.token = initial->token;
        settings.tokenlen = initial->tokenlen;
        settings.token_type = token;
    }
    parameters.stateless_reset_token_present = 1;
    if (ngtcp2_crypto_generate_stateless_reset_token(parameters.stateless_reset_token,
                                                     conn->endpoint->config.secret,
                                                     ENDPOINT_SECRET_SIZE, own) != 0)
        return HERALD_ERROR_NOMEM;
    /* After a failure the pointer means nothing. */
    if (ngtcp2_conn_server_new(&conn->quic, &initial->scid, own, path, initial->version,
                               &h3_server_callbacks, &settings, &parameters, &h3_quic_memory,
                               conn) != 0) {
        conn->quic = NULL;
        return HERALD_ERROR_NOMEM;
    }
    /* Until the client has seen our ID it uses its own choice. */
    return h3_ids_add(&conn->endpoint->ids, h3_id_span(&initial->dcid), conn, &conn->ids);
}

static int create_client(struct h3_conn *conn, const ngtcp2_path *path, const ngtcp2_cid *own)
{
    ngtcp2_settings settings;
    ngtcp2_transport_params parameters;
    ngtcp2_cid first;
    set_settings(conn, &settings);
    set_parameters(conn, &parameters);
    h3_random_id(conn->endpoint, &first);
    if (ngtcp2_conn_client_new(&conn->quic, &first, own, path, NGTCP2_PROTO_VER_V1,
                               &h3_client_callbacks, &settings, &parameters, &h3_quic_memory,
                               conn) == 0)
        return 0;
    conn->quic = NULL;
    return HERALD_ERROR_NOMEM;
}

static int fill(struct h3_conn *conn, const ngtcp2_path *path, const ngtcp2_pkt_hd *initial,
                const ngtcp2_cid *original, ngtcp2_token_type token)
{
    ngtcp2_cid own;
    h3_random_id(conn->endpoint, &own);
    int result = h3_ids_add(&conn->endpoint->ids, h3_id_span(&own), conn, &conn->ids);
    if (result == 0)
        result = initial == NULL ? create_client(conn, path, &own)
                                 : create_server(conn, path, initial, original, token, &own);
    if (result == 0)
        result = h3_crypto_attach(conn);
    if (result == 0)
        result = heap_set(&conn->endpoint->timers, &conn->timer, conn->now + HANDSHAKE_TIME);
    return result;
}

struct h3_conn *h3_conn_create(struct h3_endpoint *endpoint, struct endpoint_peer *peer,
                               const ngtcp2_path *path, const ngtcp2_pkt_hd *initial,
                               const ngtcp2_cid *original, ngtcp2_token_type token, herald_time now)
{
    struct h3_conn *conn = calloc(1, sizeof(*conn));
    if (conn == NULL)
        return NULL;
    conn_init(&conn->base, &conn_ops, &peer->config, HTTP_3);
    conn->endpoint = endpoint;
    conn->peer = peer;
    conn->now = now;
    conn->shutdown_due = conn->forget_due = conn->check_due = HERALD_NEVER;
    conn->granted = h3_is_client(conn) ? 0 : conn->base.limits->concurrent_streams;
    conn->aborts = (struct h3_bucket){conn->base.limits->reset_burst * 1000, now};
    ngtcp2_ccerr_default(&conn->error);
    list_init(&conn->ready);
    list_init(&conn->ids);
    list_init(&conn->streams);
    list_init(&conn->due);
    map_init(&conn->by_id);
    list_append(&endpoint->conns, &conn->all);
    if (fill(conn, path, initial, original, token) != 0) {
        h3_conn_free(conn);
        return NULL;
    }
    peer->conn = &conn->base;
    conn->counted = initial != NULL;
    endpoint->half_open += conn->counted;
    h3_mark_ready(conn);
    return conn;
}

void h3_conn_free(struct h3_conn *conn)
{
    struct h3_endpoint *endpoint = conn->endpoint;
    if (conn->quic != NULL)
        ngtcp2_conn_del(conn->quic);
    h3_ids_remove_all(&endpoint->ids, &conn->ids);
    heap_remove(&endpoint->timers, &conn->timer);
    list_remove(&conn->all);
    list_remove(&conn->ready);
    map_free(&conn->by_id);
    free(conn->farewell);
    free(conn);
}

static void end_with(struct h3_conn *conn, int reason)
{
    conn->ending = true;
    conn->over = reason;
    conn->base.wants_read = false;
}

void h3_fail(struct h3_conn *conn, uint64_t code, int reason)
{
    if (conn->ending)
        return;
    ngtcp2_ccerr_set_application_error(&conn->error, code, NULL, 0);
    end_with(conn, reason);
}

void h3_fail_http(struct h3_conn *conn, int error)
{
    h3_fail(conn, nghttp3_err_infer_quic_app_error_code(error),
            error == NGHTTP3_ERR_NOMEM ? HERALD_ERROR_NOMEM : HERALD_ERROR_PROTOCOL);
}

void h3_fail_quic(struct h3_conn *conn, int error)
{
    if (conn->ending)
        return;
    switch (error) {
    case NGTCP2_ERR_DRAINING: /* the peer has closed */
        conn->silent = true;
        const ngtcp2_ccerr *theirs = ngtcp2_conn_get_ccerr(conn->quic);
        bool orderly =
            theirs->error_code ==
            (theirs->type == NGTCP2_CCERR_TYPE_APPLICATION ? NGHTTP3_H3_NO_ERROR : NGTCP2_NO_ERROR);
        end_with(conn, orderly ? 0 : HERALD_ERROR_CLOSED);
        return;
    case NGTCP2_ERR_DROP_CONN:
    case NGTCP2_ERR_RETRY:
        conn->silent = true;
        end_with(conn, HERALD_ERROR_CLOSED);
        return;
    case NGTCP2_ERR_IDLE_CLOSE:
        conn->silent = true;
        end_with(conn, list_is_empty(&conn->streams) ? 0 : HERALD_ERROR_TIMEOUT);
        return;
    case NGTCP2_ERR_HANDSHAKE_TIMEOUT:
        conn->silent = true;
        end_with(conn, HERALD_ERROR_TIMEOUT);
        return;
    case NGTCP2_ERR_CRYPTO:
        ngtcp2_ccerr_set_tls_alert(&conn->error, ngtcp2_conn_get_tls_alert(conn->quic), NULL, 0);
        end_with(conn, HERALD_ERROR_TLS);
        return;
    default:
        ngtcp2_ccerr_set_liberr(&conn->error, error, NULL, 0);
        end_with(conn, error == NGTCP2_ERR_NOMEM ? HERALD_ERROR_NOMEM : HERALD_ERROR_PROTOCOL);
    }
}

/* A late packet is answered when their number is a power of two. */
static void answer_late(struct h3_conn *conn, const ngtcp2_path *path)
{
    unsigned count = ++conn->late_packets;
    if (conn->farewell == NULL || (count & (count - 1)) != 0)
        return;
    struct h3_reply *reply = h3_reply_new(conn->endpoint, path);
    if (reply == NULL)
        return;
    reply->length = conn->farewell->length;
    memcpy(reply->data, conn->farewell->data, reply->length);
    h3_reply_send(conn->endpoint, reply);
}

void h3_conn_receive(struct h3_conn *conn, const ngtcp2_path *path, const struct conn_in *in,
                     herald_time now)
{
    conn->now = now;
    if (conn->quic == NULL) {
        answer_late(conn, path);
        return;
    }
    const ngtcp2_pkt_info about = {.ecn = in->ecn};
    conn->working = true;
    int error = ngtcp2_conn_read_pkt(conn->quic, path, &about, in->data.data, in->data.length, now);
    if (error != 0)
        h3_fail_quic(conn, error);
    conn->working = false;
    if (h3_turn(conn))
        h3_mark_ready(conn);
}

herald_time h3_conn_deadline(const struct h3_conn *conn)
{
    if (conn->quic == NULL)
        return conn->forget_due;
    return herald_time_earlier(ngtcp2_conn_get_expiry(conn->quic),
                               herald_time_earlier(conn->shutdown_due, conn->check_due));
}

void h3_conn_expire(struct h3_conn *conn, herald_time now)
{
    conn->now = now;
    if (conn->quic == NULL) {
        h3_conn_free(conn);
        return;
    }
    if (conn->shutdown_due <= now) {
        conn->shutdown_due = HERALD_NEVER;
        int error = nghttp3_conn_shutdown(conn->http);
        if (error != 0)
            h3_fail_http(conn, error);
    }
    h3_timers_check(conn);
    if (!conn->ending && ngtcp2_conn_get_expiry(conn->quic) <= now) {
        conn->working = true;
        int error = ngtcp2_conn_handle_expiry(conn->quic, now);
        if (error != 0)
            h3_fail_quic(conn, error);
        conn->working = false;
    }
    if (h3_turn(conn))
        h3_mark_ready(conn);
}

/* The peer may open as many streams as there are slots; a slot is taken until the work on its
 * exchange has ended, whatever became of the stream. */
static void grant_streams(struct h3_conn *conn)
{
    uint64_t slots = conn->base.limits->concurrent_streams;
    uint64_t taken =
        conn->by_id.count > conn->base.running ? conn->by_id.count : conn->base.running;
    uint64_t open = conn->granted - conn->opened;
    if (h3_is_client(conn) || taken + open >= slots)
        return;
    ngtcp2_conn_extend_max_streams_bidi(conn->quic, (size_t)(slots - taken - open));
    conn->granted += slots - taken - open;
}

bool h3_turn(struct h3_conn *conn)
{
    struct list *node;
    conn->working = true;
    while (!conn->ending && (node = list_first(&conn->due)) != NULL) {
        list_remove(node);
        h3_stream_turn(CONTAINER_OF(node, struct h3_stream, due));
    }
    if (!conn->ending && conn->http != NULL) {
        grant_streams(conn);
        if (conn->base.shutting_down && conn->shutdown_due == HERALD_NEVER &&
            (h3_is_client(conn) ? list_is_empty(&conn->streams)
                                : nghttp3_conn_is_drained(conn->http)))
            h3_fail(conn, NGHTTP3_H3_NO_ERROR, 0);
    }
    conn->working = false;
    if (conn->ending)
        h3_end(conn);
    return conn->quic != NULL;
}

static void say_farewell(struct h3_conn *conn)
{
    ngtcp2_path_storage path;
    ngtcp2_pkt_info about;
    ngtcp2_path_storage_zero(&path);
    struct h3_reply *reply = h3_reply_new(conn->endpoint, ngtcp2_conn_get_path(conn->quic));
    if (reply == NULL)
        return;
    ngtcp2_ssize length = ngtcp2_conn_write_connection_close(
        conn->quic, &path.path, &about, reply->data, sizeof(reply->data), &conn->error, conn->now);
    if (length <= 0) {
        h3_reply_drop(conn->endpoint, reply);
        return;
    }
    reply->length = (size_t)length;
    conn->farewell = malloc(sizeof(*reply));
    if (conn->farewell != NULL)
        *conn->farewell = *reply;
    h3_reply_send(conn->endpoint, reply);
}

static void drop_streams(struct h3_conn *conn)
{
    struct list *node;
    while ((node = list_first(&conn->streams)) != NULL) {
        struct h3_stream *stream = CONTAINER_OF(node, struct h3_stream, all);
        h3_stream_tell_closed(stream, conn->over != 0 ? conn->over : HERALD_ERROR_CLOSED);
        h3_stream_free(stream);
    }
}

void h3_end(struct h3_conn *conn)
{
    struct h3_endpoint *endpoint = conn->endpoint;
    struct endpoint_peer *peer = conn->peer;
    if (conn->quic == NULL)
        return;
    conn->working = true;
    endpoint->half_open -= conn->counted;
    conn->counted = false;
    conn->forget_due = conn->now + 3 * ngtcp2_conn_get_pto(conn->quic);
    if (!conn->silent)
        say_farewell(conn);
    drop_streams(conn);
    if (conn->http != NULL)
        nghttp3_conn_del(conn->http);
    ngtcp2_conn_del(conn->quic);
    conn->http = NULL;
    conn->quic = NULL;
    conn_detach(&conn->base);
    list_remove(&conn->ready);
    peer->conn = NULL;
    conn->peer = NULL;
    h3_set_timer(conn);
    endpoint->base.host->closed(&endpoint->base, peer, conn->over);
}

static void path_of(const struct conn_path *from, ngtcp2_path *path)
{
    *path = (ngtcp2_path){
        .local = {(ngtcp2_sockaddr *)from->local, from->local_length},
        .remote = {(ngtcp2_sockaddr *)from->peer, from->peer_length},
    };
}

static int recv_datagram(struct conn *base, const struct conn_in *in, herald_time now)
{
    struct h3_conn *conn = h3_conn_of(base);
    ngtcp2_path path;
    path_of(&in->path, &path);
    h3_conn_receive(conn, &path, in, now);
    return conn->quic == NULL ? HERALD_ERROR_CLOSED : 0;
}

static int pull_datagrams(struct conn *base, struct conn_out *out, herald_time now)
{
    struct h3_conn *conn = h3_conn_of(base);
    out->length = out->segment = 0;
    if (conn->quic != NULL)
        (void)h3_write_packets(conn, out, now);
    return conn->quic == NULL ? HERALD_ERROR_CLOSED : 0;
}

static herald_time deadline(const struct conn *base)
{
    return h3_conn_deadline(CONTAINER_OF((struct conn *)base, struct h3_conn, base));
}

static int expire(struct conn *base, herald_time now)
{
    struct h3_conn *conn = h3_conn_of(base);
    if (h3_conn_deadline(conn) <= now)
        h3_conn_expire(conn, now);
    return 0;
}

static int end_of_input(struct conn *base, herald_time now)
{
    (void)base, (void)now;
    return 0;
}

/* RFC 9114 section 5.2: a notice first, then, when requests under way have had time to come, the
 * GOAWAY that names the last one served. */
static void shut_down(struct conn *base, herald_time now)
{
    struct h3_conn *conn = h3_conn_of(base);
    if (base->shutting_down || conn->quic == NULL)
        return;
    base->shutting_down = true;
    conn->now = now;
    if (conn->http == NULL)
        h3_fail(conn, NGHTTP3_H3_NO_ERROR, 0);
    else if (!h3_is_client(conn) && nghttp3_conn_submit_shutdown_notice(conn->http) == 0)
        conn->shutdown_due = now + ngtcp2_conn_get_pto(conn->quic);
    h3_mark_ready(conn);
}

static int request(struct conn *base, struct exchange *exchange, herald_time now)
{
    struct h3_conn *conn = h3_conn_of(base);
    int64_t id;
    if (conn->quic == NULL || conn->ending || conn->peer_going_away || base->shutting_down)
        return HERALD_ERROR_REFUSED;
    if (conn->http == NULL)
        return HERALD_ERROR_LIMIT;
    int error = ngtcp2_conn_open_bidi_stream(conn->quic, &id, NULL);
    if (error != 0)
        return error == NGTCP2_ERR_STREAM_ID_BLOCKED ? HERALD_ERROR_LIMIT : HERALD_ERROR_NOMEM;
    struct h3_stream *stream = h3_stream_open(conn, id);
    if (stream == NULL) {
        (void)ngtcp2_conn_shutdown_stream(conn->quic, 0, id, NGHTTP3_H3_REQUEST_CANCELLED);
        return HERALD_ERROR_NOMEM;
    }
    exchange->id = (uint64_t)id;
    exchange->timing.started = now;
    exchange_attach(exchange, base, &h3_exchange_ops, stream);
    stream->exchange = exchange;
    h3_stream_due(stream);
    h3_mark_ready(conn);
    return 0;
}

static void destroy(struct conn *base)
{
    struct h3_conn *conn = h3_conn_of(base);
    conn->silent = true;
    if (!conn->ending)
        end_with(conn, HERALD_ERROR_CLOSED);
    if (!conn->working)
        h3_end(conn);
}

static const struct conn_ops conn_ops = {
    .recv = recv_datagram,
    .pull = pull_datagrams,
    .deadline = deadline,
    .expire = expire,
    .eof = end_of_input,
    .shutdown = shut_down,
    .request = request,
    .destroy = destroy,
};
