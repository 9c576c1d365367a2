/* From datagrams to connections and back. */
#include "h3/internal.h"
#include <stdlib.h>

static struct h3_endpoint *of(struct endpoint *endpoint)
{
    return CONTAINER_OF(endpoint, struct h3_endpoint, base);
}

bool h3_bucket_take(struct h3_bucket *bucket, uint32_t burst, uint32_t rate, herald_time now)
{
    uint64_t earned = (now - bucket->filled) / HERALD_MICROSECOND * rate / 1000;
    if (earned > 0) {
        uint64_t level = bucket->level + earned;
        bucket->level = level > burst * UINT64_C(1000) ? burst * 1000 : (uint32_t)level;
        bucket->filled = now;
    }
    if (bucket->level < 1000)
        return false;
    bucket->level -= 1000;
    return true;
}

struct h3_reply *h3_reply_new(struct h3_endpoint *endpoint, const ngtcp2_path *path)
{
    if (endpoint->reply_count >= H3_STATELESS_MOST)
        return NULL;
    struct h3_reply *reply = malloc(sizeof(*reply));
    if (reply == NULL)
        return NULL;
    list_init(&reply->node);
    reply->length = 0;
    ngtcp2_path_storage_zero(&reply->path);
    ngtcp2_path_copy(&reply->path.path, path);
    endpoint->reply_count++;
    return reply;
}

void h3_reply_send(struct h3_endpoint *endpoint, struct h3_reply *reply)
{
    list_append(&endpoint->replies, &reply->node);
    endpoint->base.host->wake(&endpoint->base);
}

void h3_reply_drop(struct h3_endpoint *endpoint, struct h3_reply *reply)
{
    list_remove(&reply->node);
    endpoint->reply_count--;
    free(reply);
}

void h3_random_id(struct h3_endpoint *endpoint, ngtcp2_cid *id)
{
    id->datalen = H3_ID_LENGTH;
    endpoint->config.random(id->data, H3_ID_LENGTH);
    id->data[0] = endpoint->config.worker;
}

void h3_set_timer(struct h3_conn *conn)
{
    /* It is in the heap already, so this needs no memory. */
    herald_time due = h3_conn_deadline(conn);
    (void)heap_set(&conn->endpoint->timers, &conn->timer, due == HERALD_NEVER ? due - 1 : due);
}

void h3_mark_ready(struct h3_conn *conn)
{
    if (conn->quic == NULL || !list_is_empty(&conn->ready))
        return;
    list_append(&conn->endpoint->ready, &conn->ready);
    conn->endpoint->base.host->wake(&conn->endpoint->base);
}

static void receive(struct endpoint *base, const struct conn_in *in, herald_time now)
{
    struct h3_endpoint *endpoint = of(base);
    ngtcp2_version_cid id;
    const ngtcp2_path path = {
        .local = {(ngtcp2_sockaddr *)in->path.local, in->path.local_length},
        .remote = {(ngtcp2_sockaddr *)in->path.peer, in->path.peer_length},
    };
    int result = ngtcp2_pkt_decode_version_cid(&id, in->data.data, in->data.length, H3_ID_LENGTH);
    if (result == NGTCP2_ERR_VERSION_NEGOTIATION) {
        h3_negotiate_version(endpoint, &path, &id, in->data, now);
        return;
    }
    if (result != 0)
        return;
    struct h3_conn *conn = h3_ids_find(&endpoint->ids, span_make(id.dcid, id.dcidlen));
    if (conn != NULL) {
        h3_conn_receive(conn, &path, in, now);
        h3_set_timer(conn);
    } else if (endpoint->config.is_server) {
        h3_accept(endpoint, &path, in, now);
    }
}

static void pull_stored(struct conn_out *out, const ngtcp2_path *path, uint8_t ecn,
                        const uint8_t *data, size_t length, ngtcp2_path_storage *kept)
{
    ngtcp2_path_storage_zero(kept);
    ngtcp2_path_copy(&kept->path, path);
    path = &kept->path;
    out->path = (struct conn_path){path->local.addr, path->remote.addr, path->local.addrlen,
                                   path->remote.addrlen};
    out->ecn = ecn;
    out->length = out->segment = length;
    memcpy(out->data, data, length);
}

static void pull(struct endpoint *base, struct conn_out *out, herald_time now)
{
    struct h3_endpoint *endpoint = of(base);
    struct list *node;
    out->length = out->segment = 0;
    if (endpoint->held.length > 0) {
        pull_stored(out, &endpoint->held.path.path, endpoint->held.ecn, endpoint->held.data,
                    endpoint->held.length, &endpoint->out_path);
        endpoint->held.length = 0;
        return;
    }
    while (out->length == 0 && list_is_empty(&endpoint->replies) &&
           (node = list_first(&endpoint->ready)) != NULL) {
        struct h3_conn *conn = CONTAINER_OF(node, struct h3_conn, ready);
        /* Round: one run a connection. It leaves the list when it has nothing more. */
        list_remove(node);
        list_append(&endpoint->ready, node);
        (void)h3_write_packets(conn, out, now);
    }
    if (out->length == 0 && (node = list_first(&endpoint->replies)) != NULL) {
        struct h3_reply *reply = CONTAINER_OF(node, struct h3_reply, node);
        pull_stored(out, &reply->path.path, 0, reply->data, reply->length, &endpoint->out_path);
        h3_reply_drop(endpoint, reply);
    }
}

static herald_time deadline(const struct endpoint *base)
{
    const struct h3_endpoint *endpoint = CONTAINER_OF(base, const struct h3_endpoint, base);
    const struct heap_node *first = heap_first(&endpoint->timers);
    return first == NULL ? HERALD_NEVER : first->due;
}

static void expire(struct endpoint *base, herald_time now)
{
    struct h3_endpoint *endpoint = of(base);
    struct heap_node *first;
    while ((first = heap_first(&endpoint->timers)) != NULL && first->due <= now) {
        struct h3_conn *conn = CONTAINER_OF(first, struct h3_conn, timer);
        bool is_stub = conn->quic == NULL;
        h3_conn_expire(conn, now);
        if (is_stub)
            continue;
        /* What it says is only known once its packets are written; until then it must not be due
         * again at once. */
        herald_time due = h3_conn_deadline(conn);
        if (due <= now)
            due = now + HERALD_MILLISECOND;
        (void)heap_set(&endpoint->timers, &conn->timer, due == HERALD_NEVER ? due - 1 : due);
    }
}

static void wake(struct endpoint *base, struct conn *conn)
{
    (void)base;
    h3_mark_ready(h3_conn_of(conn));
}

static int connect_peer(struct endpoint *base, struct endpoint_peer *peer,
                        const struct conn_path *path, herald_time now)
{
    const ngtcp2_path way = {
        .local = {(ngtcp2_sockaddr *)path->local, path->local_length},
        .remote = {(ngtcp2_sockaddr *)path->peer, path->peer_length},
    };
    return h3_conn_create(of(base), peer, &way, NULL, NULL, NGTCP2_TOKEN_TYPE_UNKNOWN, now) == NULL
               ? HERALD_ERROR_NOMEM
               : 0;
}

static void close_conn(struct endpoint *base, struct conn *conn, int reason, herald_time now)
{
    struct h3_conn *closed = h3_conn_of(conn);
    (void)base;
    closed->now = now;
    h3_fail(closed, NGHTTP3_H3_NO_ERROR, reason);
    if (!closed->working)
        h3_end(closed);
}

static void destroy(struct endpoint *base)
{
    struct h3_endpoint *endpoint = of(base);
    struct list *node;
    while ((node = list_first(&endpoint->conns)) != NULL) {
        struct h3_conn *conn = CONTAINER_OF(node, struct h3_conn, all);
        conn->silent = true;
        h3_fail(conn, NGHTTP3_H3_NO_ERROR, HERALD_ERROR_CLOSED);
        h3_end(conn);
        h3_conn_free(conn);
    }
    while ((node = list_first(&endpoint->replies)) != NULL)
        h3_reply_drop(endpoint, CONTAINER_OF(node, struct h3_reply, node));
    h3_ids_free(&endpoint->ids);
    heap_free(&endpoint->timers);
    free(endpoint);
}

static const struct endpoint_ops endpoint_ops = {
    .receive = receive,
    .pull = pull,
    .deadline = deadline,
    .expire = expire,
    .wake = wake,
    .connect = connect_peer,
    .close = close_conn,
    .destroy = destroy,
};

static struct endpoint *create(const struct endpoint_config *config, herald_time now)
{
    struct h3_endpoint *endpoint = calloc(1, sizeof(*endpoint));
    uint64_t key[2];
    if (endpoint == NULL)
        return NULL;
    endpoint->base = (struct endpoint){&endpoint_ops, config->host, config->host_data};
    endpoint->config = *config;
    config->random(key, sizeof(key));
    h3_ids_init(&endpoint->ids, key);
    heap_init(&endpoint->timers);
    list_init(&endpoint->conns);
    list_init(&endpoint->ready);
    list_init(&endpoint->replies);
    endpoint->negotiations.filled = endpoint->resets.filled = now;
    endpoint->negotiations.level = endpoint->resets.level = 100 * 1000;
    return &endpoint->base;
}

const struct datagram_engine h3_engine = {.alpn = "h3", .create = create};
