#include "net/datagram.h"

#include "base/log.h"
#include "net/listener_private.h"
#include "net/tls_session.h"
#include "net/udp.h"
#include <gnutls/crypto.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_ABOVE    100
#define BATCHES_A_TURN 2  /* then TCP has its turn (QU-19) */
#define RUNS_A_TURN    64 /* buffers of datagrams sent before others have their turn */
#define FULL_PAUSE     HERALD_MILLISECOND

struct datagram_listener {
    struct datagram_server *server;
    struct endpoint *endpoint;
    struct udp_socket udp;
    uv_poll_t poll;
    struct loop_timer timer;
    struct loop_work work;
    struct conn_out unsent; /* what the socket did not take */
    size_t unsent_from;
    uint8_t unsent_data[LOOP_OUTPUT_SIZE];
    struct sockaddr_storage unsent_local, unsent_peer;
    bool started, refusing;
};

struct datagram_link {
    struct endpoint_peer peer; /* first: the engine's view of it */
    struct list node;
    struct datagram_listener *listener;
    struct tls_session *session;
    struct conn_info info;
    char peer_address[INET6_ADDRSTRLEN], local_address[INET6_ADDRSTRLEN];
    void *user;
};

static struct datagram_link *link_of(struct endpoint_peer *peer)
{
    return CONTAINER_OF(peer, struct datagram_link, peer);
}

/* ---- what the engine tells ---- */

static void set_addresses(struct datagram_link *link, const struct conn_path *path)
{
    address_split(path->peer, link->peer_address, &link->info.peer_port);
    address_split(path->local, link->local_address, &link->info.local_port);
}

static struct datagram_link *new_link(struct datagram_listener *listener)
{
    struct datagram_server *server = listener->server;
    struct datagram_link *link = calloc(1, sizeof(*link));
    if (link == NULL)
        return NULL;
    if (tls_session_create_quic_server(&link->session, server->tls, server->engine->alpn) != 0) {
        free(link);
        return NULL;
    }
    link->listener = listener;
    link->info = (struct conn_info){
        .scheme = "https",
        .peer_address = link->peer_address,
        .local_address = link->local_address,
        .server_name = "",
        .tls_version = "",
        .tls_cipher = "",
        .tls_policy = server->tls,
    };
    link->peer.tls = tls_session_handle(link->session);
    link->peer.config = (struct conn_config){.role = CONN_SERVER, .info = &link->info};
    list_append(&server->links, &link->node);
    server->link_count++;
    return link;
}

static void free_link(struct datagram_link *link)
{
    list_remove(&link->node);
    link->listener->server->link_count--;
    tls_session_destroy(link->session);
    free(link);
}

static struct endpoint_peer *on_accept(struct endpoint *endpoint, const struct conn_path *path)
{
    struct datagram_listener *listener = endpoint->host_data;
    struct datagram_server *server = listener->server;
    if (listener->refusing ||
        (server->maximum_links != 0 && server->link_count >= server->maximum_links))
        return NULL;
    struct datagram_link *link = new_link(listener);
    if (link == NULL)
        return NULL;
    set_addresses(link, path);
    if (server->ops->open(link, &link->peer.config) < 0) {
        free_link(link);
        return NULL;
    }
    return &link->peer;
}

static int on_secured(struct endpoint *endpoint, struct endpoint_peer *peer)
{
    struct datagram_link *link = link_of(peer);
    struct conn_info *info = &link->info;
    (void)endpoint;
    info->server_name = tls_session_name(link->session);
    info->tls_version = tls_session_version(link->session, &info->tls_version_number);
    info->tls_cipher = tls_session_cipher(link->session, &info->tls_cipher_number);
    info->client_certificate = tls_session_peer_certificate(link->session);
    return 0;
}

static void on_moved(struct endpoint *endpoint, struct endpoint_peer *peer,
                     const struct conn_path *path)
{
    (void)endpoint;
    set_addresses(link_of(peer), path);
}

static void on_closed(struct endpoint *endpoint, struct endpoint_peer *peer, int reason)
{
    struct datagram_link *link = link_of(peer);
    (void)endpoint;
    link->listener->server->ops->closed(link, reason);
    free_link(link);
}

static void on_wake(struct endpoint *endpoint)
{
    struct datagram_listener *listener = endpoint->host_data;
    loop_work_add(listener->server->loop, &listener->work);
}

static const struct endpoint_host_ops host_ops = {
    .accept = on_accept,
    .secured = on_secured,
    .moved = on_moved,
    .closed = on_closed,
    .wake = on_wake,
};

static void fill_random(void *destination, size_t length)
{
    /* Without randomness nothing here is safe, and GnuTLS does not go on without it either. */
    (void)gnutls_rnd(GNUTLS_RND_RANDOM, destination, length);
}

/* ---- the socket ---- */

static void on_poll(uv_poll_t *poll, int status, int events);

static void watch(struct datagram_listener *listener, bool full)
{
    uv_poll_start(&listener->poll, full ? UV_READABLE | UV_WRITABLE : UV_READABLE, on_poll);
    loop_watch_changed(listener->server->loop);
}

/* The rest waits here, for the loop's buffer is everybody's. */
static void keep_unsent(struct datagram_listener *listener, const struct conn_out *out, size_t sent)
{
    struct conn_out *unsent = &listener->unsent;
    *unsent = *out;
    if (out->data != listener->unsent_data) {
        memcpy(listener->unsent_data, out->data, out->length);
        memcpy(&listener->unsent_local, out->path.local, out->path.local_length);
        memcpy(&listener->unsent_peer, out->path.peer, out->path.peer_length);
        unsent->data = listener->unsent_data;
        unsent->path.local = &listener->unsent_local;
        unsent->path.peer = &listener->unsent_peer;
    }
    listener->unsent_from = sent;
    watch(listener, true);
}

/* False: the socket is still full. */
static bool send_unsent(struct datagram_listener *listener)
{
    if (listener->unsent.length == 0)
        return true;
    if (udp_send(&listener->udp, &listener->unsent, &listener->unsent_from) < 0)
        return false;
    listener->unsent.length = 0;
    watch(listener, false);
    return true;
}

static void flush(struct datagram_listener *listener, herald_time now)
{
    struct loop *loop = listener->server->loop;
    struct endpoint *endpoint = listener->endpoint;
    herald_time due = HERALD_NEVER;
    unsigned runs = 0;
    if (send_unsent(listener)) {
        for (; runs < RUNS_A_TURN; runs++) {
            struct conn_out out = {.data = loop->output, .capacity = LOOP_OUTPUT_SIZE};
            size_t sent = 0;
            endpoint->ops->pull(endpoint, &out, now);
            if (out.length == 0)
                break;
            if (udp_send(&listener->udp, &out, &sent) < 0) {
                keep_unsent(listener, &out, sent);
                break;
            }
        }
    }
    if (runs == RUNS_A_TURN)
        due = now;
    else if (listener->unsent.length > 0)
        due = now + FULL_PAUSE; /* some devices are full without ever saying writable */
    due = herald_time_earlier(due, endpoint->ops->deadline(endpoint));
    (void)loop_timer_set(loop, &listener->timer, due);
}

static void on_work(struct loop_work *work, herald_time now)
{
    flush(CONTAINER_OF(work, struct datagram_listener, work), now);
}

static void on_timer(struct loop_timer *timer, herald_time now)
{
    struct datagram_listener *listener = CONTAINER_OF(timer, struct datagram_listener, timer);
    listener->endpoint->ops->expire(listener->endpoint, now);
    loop_work_add(listener->server->loop, &listener->work);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    static struct log_limit limit;
    struct datagram_listener *listener = CONTAINER_OF(poll, struct datagram_listener, poll);
    struct loop *loop = listener->server->loop;
    struct udp_datagram datagrams[UDP_BATCH];
    (void)status, (void)events;
    _Static_assert(UDP_BATCH * UDP_DATAGRAM_SIZE <= LOOP_INPUT_SIZE, "a batch fits the buffer");
    herald_time now = loop_now(loop);
    for (unsigned batch = 0; batch < BATCHES_A_TURN; batch++) {
        int count = udp_receive(&listener->udp, loop->input, datagrams);
        if (count < 0)
            log_limited(&limit, LOG_ERROR, "cannot read from the UDP socket on port %u",
                        listener->udp.port);
        for (int i = 0; i < count; i++)
            if (datagrams[i].in.data.length > 0)
                listener->endpoint->ops->receive(listener->endpoint, &datagrams[i].in, now);
        if (count < UDP_BATCH)
            break;
    }
    loop_work_add(loop, &listener->work);
}

/* ---- life ---- */

int datagram_server_init(struct datagram_server *server, struct loop *loop,
                         const struct datagram_link_ops *ops, void *user)
{
    *server = (struct datagram_server){
        .loop = loop, .ops = ops, .user = user, .retry_above = RETRY_ABOVE};
    list_init(&server->links);
    return gnutls_rnd(GNUTLS_RND_KEY, server->secret, sizeof(server->secret)) == 0
               ? 0
               : HERALD_ERROR_IO;
}

static void on_poll_closed(uv_handle_t *handle)
{
    free(CONTAINER_OF((uv_poll_t *)handle, struct datagram_listener, poll));
}

int datagram_listener_create(struct datagram_listener **result, struct datagram_server *server,
                             const struct socket_address *address, bool reuse_port,
                             struct listener_error *error)
{
    struct datagram_listener *listener = calloc(1, sizeof(*listener));
    if (listener == NULL)
        return HERALD_ERROR_NOMEM;
    listener->server = server;
    listener->timer.expired = on_timer;
    loop_work_init(&listener->work, on_work);
    int code = udp_open(&listener->udp, address, reuse_port, error);
    if (code == 0) {
        struct endpoint_config config = {
            .host = &host_ops,
            .host_data = listener,
            .random = fill_random,
            .worker = server->worker,
            .retry_above = server->retry_above,
            .is_server = true,
        };
        memcpy(config.secret, server->secret, sizeof(config.secret));
        listener->endpoint = server->engine->create(&config, loop_now(server->loop));
        code = listener->endpoint == NULL ? HERALD_ERROR_NOMEM : 0;
        if (code == 0 &&
            uv_poll_init(server->loop->uv, &listener->poll, listener->udp.descriptor) != 0) {
            listener->endpoint->ops->destroy(listener->endpoint);
            code = listener_fail(error, HERALD_ERROR_IO, "cannot watch a UDP socket");
        }
        if (code != 0)
            udp_close(&listener->udp);
    }
    if (code != 0) {
        free(listener);
        return code;
    }
    *result = listener;
    return 0;
}

int datagram_listener_start(struct datagram_listener *listener)
{
    listener->started = true;
    watch(listener, false);
    return 0;
}

void datagram_listener_refuse(struct datagram_listener *listener)
{
    listener->refusing = true;
}

static void close_link(struct datagram_link *link, void *user)
{
    if (link->listener == user)
        datagram_link_close(link, HERALD_ERROR_CLOSED);
}

void datagram_listener_close(struct datagram_listener *listener)
{
    if (listener == NULL)
        return;
    struct loop *loop = listener->server->loop;
    listener->refusing = true;
    datagram_server_each(listener->server, close_link, listener);
    if (listener->started)
        flush(listener, loop_now(loop)); /* the farewells */
    loop_timer_stop(loop, &listener->timer);
    loop_work_remove(&listener->work);
    listener->endpoint->ops->destroy(listener->endpoint);
    loop_work_remove(&listener->work);
    uv_poll_stop(&listener->poll);
    udp_close(&listener->udp);
    uv_close((uv_handle_t *)&listener->poll, on_poll_closed);
    loop_watch_changed(loop);
}

uint16_t datagram_listener_port(const struct datagram_listener *listener)
{
    return listener->udp.port;
}

void datagram_server_each(struct datagram_server *server,
                          void (*visit)(struct datagram_link *, void *user), void *user)
{
    LIST_FOR_EACH_SAFE(node, following, &server->links)
    {
        visit(CONTAINER_OF(node, struct datagram_link, node), user);
    }
}

struct datagram_server *datagram_link_server(const struct datagram_link *link)
{
    return link->listener->server;
}

void *datagram_link_user(const struct datagram_link *link)
{
    return link->user;
}

void datagram_link_set_user(struct datagram_link *link, void *user)
{
    link->user = user;
}

struct conn *datagram_link_conn(const struct datagram_link *link)
{
    return link->peer.conn;
}

void datagram_link_wake(struct datagram_link *link)
{
    struct endpoint *endpoint = link->listener->endpoint;
    if (link->peer.conn != NULL)
        endpoint->ops->wake(endpoint, link->peer.conn);
}

void datagram_link_close(struct datagram_link *link, int reason)
{
    struct datagram_listener *listener = link->listener;
    if (link->peer.conn != NULL)
        listener->endpoint->ops->close(listener->endpoint, link->peer.conn, reason,
                                       loop_now(listener->server->loop));
}
