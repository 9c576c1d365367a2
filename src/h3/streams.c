/* Request streams, and what nghttp3 makes of their bytes. */
#include "h3/internal.h"
#include <stdlib.h>

struct h3_stream *h3_stream_find(const struct h3_conn *conn, int64_t id)
{
    return map_get(&conn->by_id, (uint64_t)id);
}

struct h3_stream *h3_stream_open(struct h3_conn *conn, int64_t id)
{
    if (account_charge(&conn->base.account, sizeof(struct h3_stream)) != 0)
        return NULL;
    struct h3_stream *stream = calloc(1, sizeof(*stream));
    if (stream == NULL || map_put(&conn->by_id, (uint64_t)id, stream) != 0) {
        account_refund(&conn->base.account, sizeof(*stream));
        free(stream);
        return NULL;
    }
    stream->conn = conn;
    stream->id = id;
    list_append(&conn->streams, &stream->all);
    list_init(&stream->due);
    list_init(&stream->chunks);
    h3_timers_begin(stream);
    return stream;
}

void h3_stream_free(struct h3_stream *stream)
{
    struct h3_conn *conn = stream->conn;
    h3_body_free(stream);
    map_remove(&conn->by_id, (uint64_t)stream->id);
    list_remove(&stream->all);
    list_remove(&stream->due);
    account_refund(&conn->base.account, sizeof(*stream));
    free(stream);
}

void h3_stream_due(struct h3_stream *stream)
{
    if (list_is_empty(&stream->due))
        list_append(&stream->conn->due, &stream->due);
}

void h3_stream_reset(struct h3_stream *stream, uint64_t code, int reason)
{
    if (stream->reset_due)
        return;
    stream->reset_due = true;
    stream->reset_code = code;
    stream->reason = reason;
    h3_stream_due(stream);
}

void h3_stream_tell_closed(struct h3_stream *stream, int reason)
{
    struct exchange *exchange = stream->exchange;
    if (exchange == NULL)
        return;
    stream->exchange = NULL;
    if (stream->unread > 0 && stream->conn->quic != NULL)
        ngtcp2_conn_extend_max_offset(stream->conn->quic, stream->unread);
    stream->unread = 0;
    exchange->timing.ended = stream->conn->now;
    exchange_deliver_closed(exchange, reason);
}

static struct exchange *exchange_of(struct h3_stream *stream)
{
    return stream == NULL || stream->reset_due ? NULL : stream->exchange;
}

static int on_begin_headers(nghttp3_conn *http, int64_t id, void *user, void *stream_user)
{
    struct h3_conn *conn = user;
    struct h3_stream *stream = h3_stream_find(conn, id);
    (void)http, (void)stream_user;
    if (stream == NULL)
        return 0;
    if (!h3_is_client(conn) && stream->exchange == NULL && !stream->head_received) {
        struct exchange *exchange = exchange_new(&conn->base, &h3_exchange_ops, stream,
                                                 conn->base.limits, &conn->base.account);
        if (exchange == NULL) {
            h3_stream_reset(stream, NGHTTP3_H3_REQUEST_REJECTED, HERALD_ERROR_NOMEM);
            return 0;
        }
        exchange->id = (uint64_t)id;
        exchange->timing.started = conn->now;
        stream->exchange = exchange;
    }
    if (exchange_of(stream) != NULL) {
        head_builder_init(&stream->builder, h3_is_client(conn) ? HEAD_RESPONSE : HEAD_REQUEST,
                          &stream->exchange->arena, conn->base.limits);
        stream->builder.extended_connect = conn->extended_connect;
        stream->builder.message.version = HTTP_3;
    }
    return 0;
}

static int on_begin_trailers(nghttp3_conn *http, int64_t id, void *user, void *stream_user)
{
    struct h3_conn *conn = user;
    struct h3_stream *stream = h3_stream_find(conn, id);
    (void)http, (void)stream_user;
    if (exchange_of(stream) != NULL)
        head_builder_init(&stream->builder, HEAD_TRAILERS, &stream->exchange->arena,
                          conn->base.limits);
    return 0;
}

/* Counted and bounded here, for nghttp3 bounds neither the number nor the sum of the fields. */
static int on_header(nghttp3_conn *http, int64_t id, int32_t token, nghttp3_rcbuf *name,
                     nghttp3_rcbuf *value, uint8_t flags, void *user, void *stream_user)
{
    struct h3_conn *conn = user;
    struct h3_stream *stream = h3_stream_find(conn, id);
    (void)http, (void)token, (void)stream_user;
    if (exchange_of(stream) == NULL)
        return 0;
    nghttp3_vec name_bytes = nghttp3_rcbuf_get_buf(name);
    nghttp3_vec value_bytes = nghttp3_rcbuf_get_buf(value);
    enum head_verdict verdict =
        head_builder_add(&stream->builder, span_make(name_bytes.base, name_bytes.len),
                         span_make(value_bytes.base, value_bytes.len), KNOWN_NONE,
                         flags & NGHTTP3_NV_FLAG_NEVER_INDEX ? FIELD_SENSITIVE : 0);
    if (verdict != HEAD_FAR_TOO_LARGE)
        return 0;
    h3_fail(conn, NGHTTP3_H3_EXCESSIVE_LOAD, HERALD_ERROR_PROTOCOL);
    return NGHTTP3_ERR_CALLBACK_FAILURE;
}

static void message_ended(struct h3_stream *stream)
{
    if (stream->in_ended || exchange_of(stream) == NULL)
        return;
    stream->in_ended = true;
    if (exchange_deliver_end(stream->exchange) < 0)
        h3_stream_reset(stream, NGHTTP3_H3_MESSAGE_ERROR, HERALD_ERROR_MALFORMED);
    stream->close_due = true;
    h3_stream_due(stream);
}

/* The engine answers by itself; no handler sees the request. */
static void answer(struct h3_stream *stream, unsigned status)
{
    struct exchange *exchange = stream->exchange;
    exchange->incoming.content_length = CONTENT_LENGTH_UNKNOWN;
    exchange->head_received = true;
    exchange_discard_input(exchange);
    if (exchange_respond(exchange, status, NULL, 0, 0) != 0 ||
        exchange_finish(exchange, NULL, 0) != 0)
        h3_stream_reset(stream, NGHTTP3_H3_INTERNAL_ERROR, HERALD_ERROR_NOMEM);
}

static void reject(struct h3_stream *stream, enum head_verdict verdict)
{
    bool is_request = stream->builder.kind == HEAD_REQUEST;
    switch (verdict) {
    case HEAD_NO_MEMORY:
        h3_stream_reset(stream, NGHTTP3_H3_INTERNAL_ERROR, HERALD_ERROR_NOMEM);
        break;
    case HEAD_TOO_LARGE:
        if (is_request)
            answer(stream, 431);
        else
            h3_stream_reset(stream, NGHTTP3_H3_EXCESSIVE_LOAD, HERALD_ERROR_LIMIT);
        break;
    case HEAD_TARGET_TOO_LONG:
        answer(stream, 414);
        break;
    case HEAD_METHOD_TOO_LONG:
        answer(stream, 501);
        break;
    case HEAD_EXPECTATION_FAILED:
        answer(stream, 417);
        break;
    default:
        h3_stream_reset(stream, NGHTTP3_H3_MESSAGE_ERROR, HERALD_ERROR_MALFORMED);
    }
}

static void request_done(struct h3_stream *stream, bool end)
{
    struct h3_conn *conn = stream->conn;
    struct exchange *exchange = stream->exchange;
    nghttp3_pri priority;
    enum head_verdict verdict = head_builder_finish(&stream->builder, &exchange->incoming);
    stream->head_received = true;
    if (verdict != HEAD_OK) {
        reject(stream, verdict);
        if (end)
            message_ended(stream);
        return;
    }
    exchange->timing.head = conn->now;
    if (nghttp3_conn_get_stream_priority(conn->http, &priority, stream->id) == 0)
        exchange->priority = (struct priority){(uint8_t)priority.urgency, priority.inc != 0};
    exchange_deliver_head(exchange);
    if (end)
        message_ended(stream);
    if (!stream->reset_due)
        conn_dispatch(&conn->base, exchange);
}

static void response_done(struct h3_stream *stream, bool end)
{
    struct exchange *exchange = stream->exchange;
    struct message message;
    enum head_verdict verdict = head_builder_finish(&stream->builder, &message);
    if (verdict != HEAD_OK) {
        reject(stream, verdict);
        return;
    }
    if (message.status < 200) {
        if (exchange_deliver_informational(exchange, &message) != 0)
            h3_stream_reset(stream, NGHTTP3_H3_EXCESSIVE_LOAD, HERALD_ERROR_LIMIT);
        return;
    }
    stream->head_received = true;
    exchange->incoming = message;
    exchange->timing.head = exchange->timing.responded = stream->conn->now;
    exchange_deliver_head(exchange);
    if (end)
        message_ended(stream);
}

static int on_end_headers(nghttp3_conn *http, int64_t id, int end, void *user, void *stream_user)
{
    struct h3_conn *conn = user;
    struct h3_stream *stream = h3_stream_find(conn, id);
    (void)http, (void)stream_user;
    if (exchange_of(stream) == NULL)
        return 0;
    if (h3_is_client(conn))
        response_done(stream, end != 0);
    else
        request_done(stream, end != 0);
    return 0;
}

static int on_end_trailers(nghttp3_conn *http, int64_t id, int end, void *user, void *stream_user)
{
    struct h3_stream *stream = h3_stream_find(user, id);
    (void)http, (void)end, (void)stream_user;
    if (exchange_of(stream) == NULL)
        return 0;
    enum head_verdict verdict =
        head_builder_finish_trailers(&stream->builder, &stream->exchange->trailers);
    if (verdict != HEAD_OK)
        h3_stream_reset(stream, NGHTTP3_H3_MESSAGE_ERROR, HERALD_ERROR_MALFORMED);
    return 0;
}

static int on_data(nghttp3_conn *http, int64_t id, const uint8_t *data, size_t length, void *user,
                   void *stream_user)
{
    struct h3_conn *conn = user;
    struct h3_stream *stream = h3_stream_find(conn, id);
    (void)http, (void)stream_user;
    if (exchange_of(stream) == NULL) {
        ngtcp2_conn_extend_max_offset(conn->quic, length);
        return 0;
    }
    stream->unread += length;
    int error = exchange_deliver_body(stream->exchange, span_make(data, length));
    if (error != 0)
        h3_stream_reset(stream,
                        error == HERALD_ERROR_MALFORMED ? NGHTTP3_H3_MESSAGE_ERROR
                                                        : NGHTTP3_H3_INTERNAL_ERROR,
                        error);
    else if (exchange_drain_exceeded(stream->exchange))
        h3_stream_due(stream);
    return 0;
}

static int on_consumed(nghttp3_conn *http, int64_t id, size_t length, void *user, void *stream_user)
{
    struct h3_conn *conn = user;
    (void)http, (void)stream_user;
    (void)ngtcp2_conn_extend_max_stream_offset(conn->quic, id, length);
    ngtcp2_conn_extend_max_offset(conn->quic, length);
    return 0;
}

static int on_end_stream(nghttp3_conn *http, int64_t id, void *user, void *stream_user)
{
    struct h3_stream *stream = h3_stream_find(user, id);
    (void)http, (void)stream_user;
    if (exchange_of(stream) != NULL)
        message_ended(stream);
    return 0;
}

static int on_acknowledged(nghttp3_conn *http, int64_t id, uint64_t length, void *user,
                           void *stream_user)
{
    struct h3_stream *stream = h3_stream_find(user, id);
    (void)http, (void)stream_user;
    if (stream != NULL)
        h3_body_acknowledged(stream, length);
    return 0;
}

/* nghttp3 asks for it, when it has itself found the rest of a stream to be of no use. */
static int on_stop(nghttp3_conn *http, int64_t id, uint64_t code, void *user, void *stream_user)
{
    struct h3_conn *conn = user;
    (void)http, (void)stream_user;
    return ngtcp2_conn_shutdown_stream_read(conn->quic, 0, id, code) == 0
               ? 0
               : NGHTTP3_ERR_CALLBACK_FAILURE;
}

static int on_reset(nghttp3_conn *http, int64_t id, uint64_t code, void *user, void *stream_user)
{
    struct h3_stream *stream = h3_stream_find(user, id);
    (void)http, (void)stream_user;
    if (stream != NULL)
        h3_stream_reset(stream, code, HERALD_ERROR_REFUSED);
    return 0;
}

static int on_goaway(nghttp3_conn *http, int64_t id, void *user)
{
    struct h3_conn *conn = user;
    (void)http, (void)id;
    if (!h3_is_client(conn) || conn->peer_going_away)
        return 0;
    conn->peer_going_away = true;
    if (conn->base.host->going_away != NULL)
        conn->base.host->going_away(&conn->base);
    return 0;
}

static const nghttp3_callbacks callbacks = {
    .acked_stream_data = on_acknowledged,
    .recv_data = on_data,
    .deferred_consume = on_consumed,
    .begin_headers = on_begin_headers,
    .recv_header = on_header,
    .end_headers = on_end_headers,
    .begin_trailers = on_begin_trailers,
    .recv_trailer = on_header,
    .end_trailers = on_end_trailers,
    .stop_sending = on_stop,
    .end_stream = on_end_stream,
    .reset_stream = on_reset,
    .shutdown = on_goaway,
};

int h3_http_create(struct h3_conn *conn)
{
    nghttp3_settings settings;
    int64_t control, encoder, decoder;
    nghttp3_settings_default(&settings);
    settings.max_field_section_size = conn->base.limits->field_list_size;
    /* No dynamic table, so nothing to block on or to churn (RFC 9204 section 7). */
    settings.qpack_max_dtable_capacity = 0;
    settings.qpack_blocked_streams = 0;
    settings.qpack_encoder_max_dtable_capacity = 0;
    int error =
        h3_is_client(conn)
            ? nghttp3_conn_client_new(&conn->http, &callbacks, &settings, &h3_http_memory, conn)
            : nghttp3_conn_server_new(&conn->http, &callbacks, &settings, &h3_http_memory, conn);
    if (error != 0)
        return error;
    if (!h3_is_client(conn))
        nghttp3_conn_set_max_client_streams_bidi(conn->http, conn->granted);
    if (ngtcp2_conn_open_uni_stream(conn->quic, &control, NULL) != 0 ||
        ngtcp2_conn_open_uni_stream(conn->quic, &encoder, NULL) != 0 ||
        ngtcp2_conn_open_uni_stream(conn->quic, &decoder, NULL) != 0)
        return NGHTTP3_ERR_H3_STREAM_CREATION_ERROR;
    error = nghttp3_conn_bind_control_stream(conn->http, control);
    return error != 0 ? error : nghttp3_conn_bind_qpack_streams(conn->http, encoder, decoder);
}
