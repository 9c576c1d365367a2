#include "net/listener_private.h"

#include "base/log.h"
#include "net/link_private.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

#define ACCEPTS_A_TURN 64
#define STARVED_PAUSE  (500 * HERALD_MILLISECOND)

struct listener {
    struct link_server *server;
    struct list waiting; /* in server->listeners while there is no room */
    uv_poll_t poll;
    struct loop_timer pause;
    int descriptor;
    int reserve; /* given up for a moment to turn a caller away when descriptors run out */
    uint16_t port;
    int family;
    bool accepting, started;
    char unix_path[sizeof(((struct sockaddr_un *)0)->sun_path)]; /* to remove */
    char name[LISTENER_NAME_SIZE];
};

/* Accepted sockets inherit these from the listening one, which saves two calls a connection. */
static void set_tcp_options(int descriptor)
{
    int one = 1, low_water = LINK_NOTSENT_LOWAT;

    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    setsockopt(descriptor, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &low_water, sizeof(low_water));
}

static void on_poll(uv_poll_t *poll, int status, int events);

static void watch(struct listener *listener, bool accepting)
{
    if (listener->accepting == accepting)
        return;
    listener->accepting = accepting;
    if (accepting)
        uv_poll_start(&listener->poll, UV_READABLE, on_poll);
    else
        uv_poll_stop(&listener->poll);
    loop_watch_changed(listener->server->loop);
}

static bool is_full(const struct link_server *server)
{
    return server->maximum_links != 0 && server->link_count >= server->maximum_links;
}

void listener_room(struct link_server *server)
{
    if (is_full(server))
        return;
    LIST_FOR_EACH_SAFE(node, following, &server->listeners)
    {
        struct listener *listener = CONTAINER_OF(node, struct listener, waiting);
        list_remove(node);
        watch(listener, true);
    }
}

static void on_pause_over(struct loop_timer *timer, herald_time now)
{
    struct listener *listener = CONTAINER_OF(timer, struct listener, pause);

    (void)now;
    if (listener->started)
        watch(listener, true);
}

static void pause_accepting(struct listener *listener)
{
    struct loop *loop = listener->server->loop;

    /* Without a timer the listener must not go deaf for ever: then it just tries again. */
    if (loop_timer_set(loop, &listener->pause, loop_now(loop) + STARVED_PAUSE) == 0)
        watch(listener, false);
}

static int open_reserve(void)
{
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* Without descriptors the caller would hang in the backlog, and the poll would spin. With the
 * reserve given up it is accepted and closed at once. */
static void turn_away(struct listener *listener)
{
    static struct log_limit limit;

    log_limited(&limit, LOG_ERROR, "%s: out of file descriptors, connections are refused",
                listener->name);
    if (listener->reserve >= 0) {
        close(listener->reserve);
        int descriptor = accept4(listener->descriptor, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (descriptor >= 0)
            close(descriptor);
        listener->reserve = open_reserve();
    }
    pause_accepting(listener);
}

/* Returns false when accepting is over for this turn. */
static bool on_accept_error(struct listener *listener, int number)
{
    static struct log_limit limit;

    switch (number) {
    case EAGAIN:
        return false;
    case EINTR:
    case ECONNABORTED: /* and what accept(2) passes on from the connection itself */
    case EPROTO:
    case EPERM:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETUNREACH:
    case ETIMEDOUT:
        return true;
    case EMFILE:
    case ENFILE:
        turn_away(listener);
        return false;
    default: /* ENOBUFS, ENOMEM: later; others are not told to be temporary, but nothing else helps
              */
        log_limited(&limit, LOG_ERROR, "%s: cannot accept: %s", listener->name,
                    uv_strerror(-number));
        pause_accepting(listener);
        return false;
    }
}

static void accept_some(struct listener *listener, unsigned most)
{
    struct link_server *server = listener->server;

    for (unsigned accepted = 0; accepted < most && listener->accepting; accepted++) {
        struct sockaddr_storage peer;
        socklen_t length = sizeof(peer);
        if (is_full(server)) {
            watch(listener, false);
            list_append(&server->listeners, &listener->waiting);
            return;
        }
        int descriptor = accept4(listener->descriptor, (struct sockaddr *)&peer, &length,
                                 SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (descriptor < 0) {
            if (!on_accept_error(listener, errno))
                return;
            continue;
        }
        /* A failure has closed the one connection; the next may fare better. */
        link_accept(server, descriptor, (struct sockaddr *)&peer);
    }
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct listener *listener = poll->data;

    (void)status, (void)events;
    loop_now(listener->server->loop);
    accept_some(listener, ACCEPTS_A_TURN);
}

void listener_drain(struct listener *listener)
{
    accept_some(listener, LISTENER_BACKLOG);
}

static int check_descriptor(int descriptor, struct listener_error *error)
{
    int type = 0, listening = 0;
    socklen_t length = sizeof(type);

    if (getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &length) != 0)
        return listener_fail(error, HERALD_ERROR_INVALID, "descriptor %d is not a socket: %s",
                             descriptor, uv_strerror(-errno));
    if (type != SOCK_STREAM)
        return listener_fail(error, HERALD_ERROR_INVALID, "descriptor %d is not a stream socket",
                             descriptor);
    length = sizeof(listening);
    if (getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) != 0 || listening)
        return 0;
    if (listen(descriptor, LISTENER_BACKLOG) != 0)
        return listener_fail(error, HERALD_ERROR_INVALID, "descriptor %d cannot listen: %s",
                             descriptor, uv_strerror(-errno));
    return 0;
}

static void describe(struct listener *listener)
{
    struct sockaddr_storage storage = {0};
    socklen_t length = sizeof(storage);
    char host[INET6_ADDRSTRLEN];

    getsockname(listener->descriptor, (struct sockaddr *)&storage, &length);
    listener->family = storage.ss_family;
    address_split((struct sockaddr *)&storage, host, &listener->port);
    address_print((struct sockaddr *)&storage, length, listener->name, sizeof(listener->name));
}

int listener_create(struct listener **result, int descriptor, struct link_server *server,
                    const struct listener_options *options, struct listener_error *error)
{
    struct listener *listener = NULL;
    int code = check_descriptor(descriptor, error);

    (void)options;
    if (code != 0)
        goto failed;
    code = HERALD_ERROR_NOMEM;
    listener = calloc(1, sizeof(*listener));
    if (listener == NULL)
        goto failed;
    listener->server = server;
    listener->descriptor = descriptor;
    listener->pause.expired = on_pause_over;
    list_init(&listener->waiting);
    describe(listener);
    if (listener->family != AF_UNIX)
        set_tcp_options(descriptor);
    fcntl(descriptor, F_SETFD, FD_CLOEXEC);
    int status = uv_poll_init(server->loop->uv, &listener->poll, descriptor);
    if (status != 0) {
        code = listener_fail(error, HERALD_ERROR_IO, "cannot watch %s: %s", listener->name,
                             uv_strerror(status));
        goto failed;
    }
    listener->poll.data = listener;
    listener->reserve = open_reserve();
    *result = listener;
    return 0;
failed:
    free(listener);
    close(descriptor);
    return code;
}

static int open_one(struct listener **result, const struct socket_address *address,
                    struct link_server *server, const struct listener_options *options,
                    struct listener_error *error)
{
    const struct sockaddr_un *un = (const struct sockaddr_un *)&address->storage;
    int descriptor = listener_bind(address, options, error);

    if (descriptor < 0)
        return descriptor;
    int code = listener_create(result, descriptor, server, options, error);
    if (code == 0 && un->sun_family == AF_UNIX)
        memcpy((*result)->unix_path, un->sun_path, sizeof(un->sun_path));
    return code;
}

static void use_port(struct socket_address *address, uint16_t port)
{
    if (address->storage.ss_family == AF_INET)
        ((struct sockaddr_in *)&address->storage)->sin_port = htons(port);
    else if (address->storage.ss_family == AF_INET6)
        ((struct sockaddr_in6 *)&address->storage)->sin6_port = htons(port);
}

int listener_open(struct listener **listeners, size_t capacity, const struct address *address,
                  struct link_server *server, const struct listener_options *options,
                  struct listener_error *error)
{
    struct socket_address addresses[8];

    if (address->kind == ADDRESS_DESCRIPTOR) {
        int code = listener_create(listeners, address->descriptor, server, options, error);
        return code == 0 ? 1 : code;
    }
    if (capacity > sizeof(addresses) / sizeof(addresses[0]))
        capacity = sizeof(addresses) / sizeof(addresses[0]);
    int count = address_resolve(address, addresses, capacity);
    if (count < 0)
        return listener_fail(error, count, "cannot resolve '%s' to listen on it", address->host);
    for (int i = 0; i < count; i++) {
        if (i > 0 && address->port == 0)
            use_port(&addresses[i], listener_port(listeners[0]));
        int code = open_one(&listeners[i], &addresses[i], server, options, error);
        if (code == 0)
            continue;
        int number = errno;
        while (i-- > 0)
            listener_close(listeners[i]);
        errno = number;
        return code;
    }
    return count;
}

int listener_start(struct listener *listener)
{
    listener->started = true;
    watch(listener, true);
    return 0;
}

void listener_stop(struct listener *listener)
{
    listener->started = false;
    list_remove(&listener->waiting);
    loop_timer_stop(listener->server->loop, &listener->pause);
    watch(listener, false);
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void listener_close(struct listener *listener)
{
    if (listener == NULL)
        return;
    listener_stop(listener);
    uv_close((uv_handle_t *)&listener->poll, on_closed);
    close(listener->descriptor);
    if (listener->reserve >= 0)
        close(listener->reserve);
    if (listener->unix_path[0] != '\0')
        unlink(listener->unix_path);
}

uint16_t listener_port(const struct listener *listener)
{
    return listener->port;
}

int listener_descriptor(const struct listener *listener)
{
    return listener->descriptor;
}

const char *listener_name(const struct listener *listener)
{
    return listener->name;
}

bool listener_is_unix(const struct listener *listener)
{
    return listener->family == AF_UNIX;
}
