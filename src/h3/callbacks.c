#include "h3/internal.h"
#include <ngtcp2/ngtcp2_crypto.h>

static int on_handshake_completed(ngtcp2_conn *quic, void *user)
{
    struct h3_conn *conn = user;
    struct h3_endpoint *endpoint = conn->endpoint;
    const struct endpoint_host_ops *host = endpoint->base.host;
    (void)quic;
    if (conn->counted) {
        conn->counted = false;
        endpoint->half_open--;
    }
    h3_crypto_completed(conn);
    conn->secured = true;
    if (host->secured != NULL && host->secured(&endpoint->base, conn->peer) < 0) {
        h3_fail(conn, NGHTTP3_H3_INTERNAL_ERROR, HERALD_ERROR_REFUSED);
        return NGTCP2_ERR_CALLBACK_FAILURE;
    }
    if (!h3_is_client(conn))
        h3_submit_token(conn, ngtcp2_conn_get_path(conn->quic));
    else if (conn->base.host->ready != NULL)
        conn->base.host->ready(&conn->base);
    return 0;
}

void h3_submit_token(struct h3_conn *conn, const ngtcp2_path *path)
{
    uint8_t token[NGTCP2_CRYPTO_MAX_REGULAR_TOKENLEN];
    ngtcp2_ssize length = ngtcp2_crypto_generate_regular_token(
        token, conn->endpoint->config.secret, ENDPOINT_SECRET_SIZE, path->remote.addr,
        path->remote.addrlen, conn->now);
    if (length > 0)
        (void)ngtcp2_conn_submit_new_token(conn->quic, token, (size_t)length);
}

/* Requests can be written as soon as there are keys for them. */
static int on_write_key(ngtcp2_conn *quic, ngtcp2_encryption_level level, void *user)
{
    struct h3_conn *conn = user;
    (void)quic;
    if (level != NGTCP2_ENCRYPTION_LEVEL_1RTT || conn->http != NULL)
        return 0;
    return h3_http_create(conn) == 0 ? 0 : NGTCP2_ERR_CALLBACK_FAILURE;
}

static int on_stream_data(ngtcp2_conn *quic, uint32_t flags, int64_t id, uint64_t offset,
                          const uint8_t *data, size_t length, void *user, void *stream_user)
{
    struct h3_conn *conn = user;
    (void)offset, (void)stream_user;
    if (conn->http == NULL)
        return 0;
    /* After deciding to close, nothing is parsed. */
    if (conn->ending)
        return NGTCP2_ERR_CALLBACK_FAILURE;
    bool end = (flags & NGTCP2_STREAM_DATA_FLAG_FIN) != 0;
    nghttp3_ssize used = nghttp3_conn_read_stream(conn->http, id, data, length, end);
    if (used < 0) {
        h3_fail_http(conn, (int)used);
        return NGTCP2_ERR_CALLBACK_FAILURE;
    }
    (void)ngtcp2_conn_extend_max_stream_offset(quic, id, (uint64_t)used);
    ngtcp2_conn_extend_max_offset(quic, (uint64_t)used);
    return 0;
}

static int on_acknowledged(ngtcp2_conn *quic, int64_t id, uint64_t offset, uint64_t length,
                           void *user, void *stream_user)
{
    struct h3_conn *conn = user;
    (void)quic, (void)offset, (void)stream_user;
    if (conn->http == NULL)
        return 0;
    int error = nghttp3_conn_add_ack_offset(conn->http, id, length);
    if (error == 0)
        return 0;
    h3_fail_http(conn, error);
    return NGTCP2_ERR_CALLBACK_FAILURE;
}

static int on_stream_open(ngtcp2_conn *quic, int64_t id, void *user)
{
    struct h3_conn *conn = user;
    (void)quic;
    if (!ngtcp2_is_bidi_stream(id))
        return 0;
    if (h3_is_client(conn)) {
        /* RFC 9114 section 6.1: nothing has given a meaning to a server's request stream. */
        h3_fail(conn, NGHTTP3_H3_STREAM_CREATION_ERROR, HERALD_ERROR_PROTOCOL);
        return NGTCP2_ERR_CALLBACK_FAILURE;
    }
    conn->opened++;
    if (h3_stream_open(conn, id) == NULL) {
        h3_fail(conn, NGHTTP3_H3_INTERNAL_ERROR, HERALD_ERROR_NOMEM);
        return NGTCP2_ERR_CALLBACK_FAILURE;
    }
    return 0;
}

static int reason_of(uint64_t code)
{
    return code == NGHTTP3_H3_REQUEST_REJECTED ? HERALD_ERROR_REFUSED : HERALD_ERROR_CANCELLED;
}

static int on_stream_close(ngtcp2_conn *quic, uint32_t flags, int64_t id, uint64_t code, void *user,
                           void *stream_user)
{
    struct h3_conn *conn = user;
    struct h3_stream *stream = h3_stream_find(conn, id);
    (void)stream_user;
    if (!(flags & NGTCP2_STREAM_CLOSE_FLAG_APP_ERROR_CODE_SET))
        code = NGHTTP3_H3_NO_ERROR;
    int error = conn->http == NULL ? 0 : nghttp3_conn_close_stream(conn->http, id, code);
    if (stream != NULL) {
        bool whole = stream->exchange != NULL && !stream->reset_due && stream->in_ended &&
                     stream->exchange->out_complete;
        h3_stream_tell_closed(stream, whole                 ? 0
                                      : stream->reason != 0 ? stream->reason
                                                            : reason_of(code));
        h3_stream_free(stream);
    } else if (!ngtcp2_is_bidi_stream(id) && !ngtcp2_conn_is_local_stream(quic, id)) {
        ngtcp2_conn_extend_max_streams_uni(quic, 1);
    }
    if (error == 0 || error == NGHTTP3_ERR_STREAM_NOT_FOUND)
        return 0;
    h3_fail_http(conn, error);
    return NGTCP2_ERR_CALLBACK_FAILURE;
}

/* A peer that opens streams only to cancel them is counted (RFC 9114 section 10.5). */
static int count_abort(struct h3_conn *conn)
{
    const struct limits *limits = conn->base.limits;
    if (h3_is_client(conn) ||
        h3_bucket_take(&conn->aborts, limits->reset_burst, limits->reset_rate, conn->now))
        return 0;
    h3_fail(conn, NGHTTP3_H3_EXCESSIVE_LOAD, HERALD_ERROR_PROTOCOL);
    return NGTCP2_ERR_CALLBACK_FAILURE;
}

static int on_stream_reset(ngtcp2_conn *quic, int64_t id, uint64_t final_size, uint64_t code,
                           void *user, void *stream_user)
{
    struct h3_conn *conn = user;
    struct h3_stream *stream = h3_stream_find(conn, id);
    (void)quic, (void)final_size, (void)stream_user;
    if (conn->http == NULL)
        return 0;
    int error = nghttp3_conn_shutdown_stream_read(conn->http, id);
    if (error != 0) {
        h3_fail_http(conn, error);
        return NGTCP2_ERR_CALLBACK_FAILURE;
    }
    if (stream == NULL)
        return 0;
    if (stream->exchange != NULL && !stream->in_ended)
        h3_stream_reset(stream, NGHTTP3_H3_REQUEST_CANCELLED, reason_of(code));
    return count_abort(conn);
}

static int on_stop_sending(ngtcp2_conn *quic, int64_t id, uint64_t code, void *user,
                           void *stream_user)
{
    struct h3_conn *conn = user;
    struct h3_stream *stream = h3_stream_find(conn, id);
    (void)quic, (void)stream_user;
    if (conn->http == NULL)
        return 0;
    nghttp3_conn_shutdown_stream_write(conn->http, id);
    if (stream == NULL || stream->exchange == NULL)
        return 0;
    /* A server may answer without the rest of the request (RFC 9114 section 4.1.1). */
    if (h3_is_client(conn) && code == NGHTTP3_H3_NO_ERROR) {
        stream->exchange->out_complete = true;
        stream->close_due = true;
        h3_stream_due(stream);
        return 0;
    }
    h3_stream_reset(stream, NGHTTP3_H3_REQUEST_CANCELLED, reason_of(code));
    return count_abort(conn);
}

static int on_stream_credit(ngtcp2_conn *quic, int64_t id, uint64_t maximum, void *user,
                            void *stream_user)
{
    struct h3_conn *conn = user;
    (void)quic, (void)maximum, (void)stream_user;
    return conn->http == NULL || nghttp3_conn_unblock_stream(conn->http, id) == 0
               ? 0
               : NGTCP2_ERR_CALLBACK_FAILURE;
}

/* A client's own requests: more of them may be sent. */
static int on_stream_slots(ngtcp2_conn *quic, uint64_t maximum, void *user)
{
    struct h3_conn *conn = user;
    (void)quic, (void)maximum;
    if (conn->http != NULL && conn->base.host->ready != NULL)
        conn->base.host->ready(&conn->base);
    return 0;
}

static int on_new_id(ngtcp2_conn *quic, ngtcp2_cid *id, uint8_t *token, size_t length, void *user)
{
    struct h3_conn *conn = user;
    struct h3_endpoint *endpoint = conn->endpoint;
    (void)quic, (void)length;
    h3_random_id(endpoint, id);
    if (ngtcp2_crypto_generate_stateless_reset_token(token, endpoint->config.secret,
                                                     ENDPOINT_SECRET_SIZE, id) != 0 ||
        h3_ids_add(&endpoint->ids, h3_id_span(id), conn, &conn->ids) != 0)
        return NGTCP2_ERR_CALLBACK_FAILURE;
    return 0;
}

static int on_old_id(ngtcp2_conn *quic, const ngtcp2_cid *id, void *user)
{
    struct h3_conn *conn = user;
    (void)quic;
    h3_ids_remove(&conn->endpoint->ids, h3_id_span(id));
    return 0;
}

static int on_path(ngtcp2_conn *quic, uint32_t flags, const ngtcp2_path *path,
                   const ngtcp2_path *old, ngtcp2_path_validation_result result, void *user)
{
    struct h3_conn *conn = user;
    const struct endpoint_host_ops *host = conn->endpoint->base.host;
    (void)quic, (void)old;
    if (result != NGTCP2_PATH_VALIDATION_RESULT_SUCCESS)
        return 0;
    if ((flags & NGTCP2_PATH_VALIDATION_FLAG_NEW_TOKEN) && !h3_is_client(conn))
        h3_submit_token(conn, path);
    const struct conn_path moved = {
        .local = path->local.addr,
        .peer = path->remote.addr,
        .local_length = path->local.addrlen,
        .peer_length = path->remote.addrlen,
    };
    if (host->moved != NULL)
        host->moved(&conn->endpoint->base, conn->peer, &moved);
    return 0;
}

static int on_challenge(ngtcp2_conn *quic, uint8_t *data, void *user)
{
    struct h3_conn *conn = user;
    (void)quic;
    conn->endpoint->config.random(data, NGTCP2_PATH_CHALLENGE_DATALEN);
    return 0;
}

static void on_random(uint8_t *destination, size_t length, const ngtcp2_rand_ctx *context)
{
    struct h3_endpoint *endpoint = context->native_handle;
    endpoint->config.random(destination, length);
}

#define COMMON_CALLBACKS                                                                           \
    .recv_crypto_data = h3_crypto_receive, .handshake_completed = on_handshake_completed,          \
    .encrypt = ngtcp2_crypto_encrypt_cb, .decrypt = ngtcp2_crypto_decrypt_cb,                      \
    .hp_mask = ngtcp2_crypto_hp_mask_cb, .recv_stream_data = on_stream_data,                       \
    .acked_stream_data_offset = on_acknowledged, .stream_open = on_stream_open,                    \
    .stream_close = on_stream_close, .rand = on_random, .get_new_connection_id = on_new_id,        \
    .remove_connection_id = on_old_id, .update_key = ngtcp2_crypto_update_key_cb,                  \
    .path_validation = on_path, .stream_reset = on_stream_reset,                                   \
    .extend_max_local_streams_bidi = on_stream_slots, .extend_max_stream_data = on_stream_credit,  \
    .delete_crypto_aead_ctx = ngtcp2_crypto_delete_crypto_aead_ctx_cb,                             \
    .delete_crypto_cipher_ctx = ngtcp2_crypto_delete_crypto_cipher_ctx_cb,                         \
    .get_path_challenge_data = on_challenge, .stream_stop_sending = on_stop_sending,               \
    .version_negotiation = ngtcp2_crypto_version_negotiation_cb, .recv_tx_key = on_write_key

const ngtcp2_callbacks h3_server_callbacks = {
    COMMON_CALLBACKS,
    .recv_client_initial = ngtcp2_crypto_recv_client_initial_cb,
};

const ngtcp2_callbacks h3_client_callbacks = {
    COMMON_CALLBACKS,
    .client_initial = ngtcp2_crypto_client_initial_cb,
    .recv_retry = ngtcp2_crypto_recv_retry_cb,
};
