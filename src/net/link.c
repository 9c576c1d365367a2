#include "net/link_private.h"

#include "base/log.h"
#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FAILED_LINGER HERALD_SECOND

void link_server_init(struct link_server *server, struct loop *loop, const struct link_ops *ops,
                      void *user)
{
    *server = (struct link_server){.loop = loop, .ops = ops, .user = user};
    list_init(&server->links);
    list_init(&server->listeners);
}

void link_server_each(struct link_server *server, void (*visit)(struct link *, void *user),
                      void *user)
{
    LIST_FOR_EACH_SAFE(node, following, &server->links)
    {
        visit(CONTAINER_OF(node, struct link, node), user);
    }
}

struct link *link_new(struct loop *loop, const struct link_ops *ops, void *user)
{
    struct link *link = calloc(1, sizeof(*link));

    if (link == NULL)
        return NULL;
    link->loop = loop;
    link->ops = ops;
    link->user = user;
    link->descriptor = -1;
    link->burst = LINK_BURST_MINIMUM;
    link->deadline = link->ending_limit = HERALD_NEVER;
    link->linger = LINK_DEFAULT_LINGER_TIMEOUT;
    link->timer.expired = link_on_timer;
    link->info = (struct conn_info){
        .scheme = "http",
        .peer_address = link->peer_address,
        .local_address = link->local_address,
        .server_name = "",
        .tls_version = "",
        .tls_cipher = "",
    };
    list_init(&link->node);
    loop_work_init(&link->work, link_serve);
    buf_init(&link->unsent, LINK_UNSENT_MAXIMUM, NULL);
    return link;
}

void link_free(struct link *link)
{
    buf_free(&link->unsent);
    tls_session_destroy(link->tls);
    if (link->client != NULL)
        link_client_free(link->client);
    free(link->error);
    free(link);
}

static void on_handle_closed(uv_handle_t *handle)
{
    link_free(handle->data);
}

static void fill_addresses(struct link *link, const struct sockaddr *peer)
{
    struct sockaddr_storage storage;
    socklen_t length = sizeof(storage);

    if (peer == NULL && getpeername(link->descriptor, (struct sockaddr *)&storage, &length) == 0)
        peer = (struct sockaddr *)&storage;
    if (peer != NULL)
        address_split(peer, link->peer_address, &link->info.peer_port);
    length = sizeof(storage);
    if (getsockname(link->descriptor, (struct sockaddr *)&storage, &length) == 0)
        address_split((struct sockaddr *)&storage, link->local_address, &link->info.local_port);
}

int link_adopt(struct link *link, int descriptor, const struct sockaddr *peer)
{
    if (uv_poll_init(link->loop->uv, &link->poll, descriptor) != 0)
        return HERALD_ERROR_IO;
    link->poll.data = link;
    link->has_handle = true;
    link->descriptor = descriptor;
    fill_addresses(link, peer);
    return 0;
}

/* Listeners give these options to what they accept already, except where the socket was made by
 * somebody else. */
int link_accept(struct link_server *server, int descriptor, const struct sockaddr *peer)
{
    struct link *link = link_new(server->loop, server->ops, server->user);
    int code = HERALD_ERROR_NOMEM;

    if (link == NULL)
        goto failed;
    link->server = server;
    if (server->linger_timeout != 0)
        link->linger = server->linger_timeout;
    if (server->tls != NULL) {
        code = tls_session_create_server(&link->tls, server->tls);
        if (code != 0)
            goto failed;
        link->info.tls_policy = server->tls;
    }
    herald_time timeout =
        server->handshake_timeout != 0 ? server->handshake_timeout : LINK_DEFAULT_HANDSHAKE_TIMEOUT;
    link->deadline = loop_now(server->loop) + timeout;
    code = loop_timer_set(server->loop, &link->timer, link->deadline);
    if (code == 0)
        code = link_adopt(link, descriptor, peer);
    if (code != 0)
        goto failed;
    link->state = link->tls != NULL ? LINK_HANDSHAKE : LINK_DETECTING;
    link->interest = UV_READABLE;
    uv_poll_start(&link->poll, UV_READABLE, link_on_poll);
    loop_watch_changed(server->loop);
    list_append(&server->links, &link->node);
    server->link_count++;
    return 0;
failed:
    close(descriptor);
    if (link != NULL) {
        loop_timer_stop(server->loop, &link->timer);
        link_free(link);
    }
    return code;
}

static void fill_tls_info(struct link *link)
{
    struct conn_info *info = &link->info;

    info->scheme = "https";
    info->server_name = tls_session_name(link->tls);
    info->tls_version = tls_session_version(link->tls, &info->tls_version_number);
    info->tls_cipher = tls_session_cipher(link->tls, &info->tls_cipher_number);
    info->client_certificate =
        link->server != NULL ? tls_session_peer_certificate(link->tls) : SPAN_EMPTY;
}

int link_open(struct link *link, struct span alpn)
{
    if (link->tls != NULL)
        fill_tls_info(link);
    link->state = LINK_RUNNING;
    link->deadline = HERALD_NEVER;
    link->opened = true;
    link->conn = link->ops->open(link, &link->info, alpn);
    if (link->close_wanted)
        return HERALD_ERROR_REFUSED;
    if (link->conn == NULL) {
        link_end(link, HERALD_ERROR_REFUSED);
        return HERALD_ERROR_REFUSED;
    }
    loop_work_add(link->loop, &link->work);
    return 0;
}

void link_end(struct link *link, int reason)
{
    if (link->state == LINK_DEAD || link->state >= LINK_ENDING)
        return;
    herald_time now = loop_now(link->loop);
    link->state = LINK_ENDING;
    link->reason = reason;
    /* The alert of a failed handshake is not worth a longer wait, nor is the last word to a peer
     * that broke the protocol: it may send at full speed and read nothing. */
    if (!link->opened || reason == HERALD_ERROR_PROTOCOL)
        link->linger = herald_time_earlier(link->linger, FAILED_LINGER);
    link->deadline = now + link->linger;
    link->ending_limit = now + LINK_ENDING_LIMIT;
    loop_work_add(link->loop, &link->work);
}

void link_set_error(struct link *link, const char *format, ...)
{
    va_list arguments;
    char *text = NULL;

    if (link->error != NULL)
        return;
    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) >= 0)
        link->error = text;
    va_end(arguments);
}

static int reason_of(int number)
{
    switch (number) {
    case ECONNRESET:
    case EPIPE:
    case ENOTCONN:
        return HERALD_ERROR_CLOSED;
    case ETIMEDOUT:
        return HERALD_ERROR_TIMEOUT;
    case ENOMEM:
    case ENOBUFS:
        return HERALD_ERROR_NOMEM;
    default:
        return HERALD_ERROR_IO;
    }
}

void link_fail(struct link *link, int number)
{
    link_set_error(link, "%s", uv_strerror(-number));
    link_close(link, reason_of(number));
}

void link_close(struct link *link, int reason)
{
    if (link->state == LINK_DEAD || link->close_wanted)
        return;
    link->close_wanted = true;
    /* An end already decided keeps its reason: the peer may well reset what we close. */
    if (link->state < LINK_ENDING)
        link->reason = reason;
    loop_work_add(link->loop, &link->work);
}

void link_shutdown(struct link *link)
{
    if (link->state == LINK_RUNNING && link->conn != NULL) {
        link->conn->ops->shutdown(link->conn, loop_now(link->loop));
        loop_work_add(link->loop, &link->work);
    } else if (link->state < LINK_RUNNING) {
        link_close(link, HERALD_ERROR_CANCELLED);
    }
}

void link_wake(struct link *link)
{
    if (link->state != LINK_DEAD)
        loop_work_add(link->loop, &link->work);
}

static void destroy_conn(struct link *link)
{
    struct conn *conn = link->conn;

    link->conn = NULL;
    if (conn != NULL)
        conn->ops->destroy(conn);
}

static void leave_server(struct link *link)
{
    struct link_server *server = link->server;

    list_remove(&link->node);
    if (server == NULL)
        return;
    server->link_count--;
    listener_room(server);
}

void link_finish(struct link *link)
{
    link->state = LINK_DEAD;
    loop_work_remove(&link->work);
    loop_timer_stop(link->loop, &link->timer);
    destroy_conn(link);
    /* The last link gone, the owner may drop the server from within the callback. */
    leave_server(link);
    if (link->opened || link->client != NULL)
        link->ops->closed(link, link->reason);
    else if (link->ops->failed != NULL)
        link->ops->failed(link, link->reason);
    if (link->has_handle) {
        uv_close((uv_handle_t *)&link->poll, on_handle_closed);
        close(link->descriptor);
    } else {
        link_free(link);
    }
}

void link_on_timer(struct loop_timer *timer, herald_time now)
{
    struct link *link = CONTAINER_OF(timer, struct link, timer);

    if (now >= link->deadline) {
        if (link->state == LINK_CONNECTING || link->state == LINK_HANDSHAKE)
            link_set_error(link, "%s timed out",
                           link->state == LINK_HANDSHAKE ? "the TLS handshake" : "connecting");
        if (link->state == LINK_ENDING && link->reason == 0)
            link->reason = HERALD_ERROR_TIMEOUT;
        link_close(link, HERALD_ERROR_TIMEOUT);
        return;
    }
    if (link->state == LINK_RUNNING && link->conn != NULL &&
        link->conn->ops->deadline(link->conn) <= now) {
        int code = link->conn->ops->expire(link->conn, now);
        if (code < 0)
            link_end(link, code);
    }
    loop_work_add(link->loop, &link->work);
}

void *link_user(const struct link *link)
{
    return link->user;
}

void link_set_user(struct link *link, void *user)
{
    link->user = user;
}

struct loop *link_loop(const struct link *link)
{
    return link->loop;
}

struct conn *link_conn(const struct link *link)
{
    return link->conn;
}

struct link_server *link_get_server(const struct link *link)
{
    return link->server;
}

const struct conn_info *link_info(const struct link *link)
{
    return &link->info;
}

bool link_is_resumed(const struct link *link)
{
    return link->tls != NULL && tls_session_resumed(link->tls);
}

uint64_t link_bytes_in(const struct link *link)
{
    return link->bytes_in;
}

uint64_t link_bytes_out(const struct link *link)
{
    return link->bytes_out;
}

const char *link_error_text(const struct link *link)
{
    return link->error != NULL ? link->error : herald_error_text(link->reason);
}
