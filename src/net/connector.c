#include "net/connector.h"

#include "base/err.h"
#include "net/address.h"
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ADDRESSES_MAXIMUM 8
#define STAGGER           (250 * HERALD_MILLISECOND) /* RFC 8305 section 5 */

struct attempt {
    struct connector *connector;
    uv_poll_t poll;
    int descriptor; /* -1: over */
};

struct connector {
    struct loop *loop;
    void (*done)(void *user, const struct connector_result *result);
    void *user;
    uv_getaddrinfo_t resolver;
    struct loop_work work;
    struct loop_timer stagger;
    struct socket_address addresses[ADDRESSES_MAXIMUM];
    struct attempt attempts[ADDRESSES_MAXIMUM];
    size_t count, next, running;
    unsigned handles; /* libuv still knows of */
    bool finished;
    int number; /* of the last failure */
    herald_time resolved;
};

static void unhold(struct connector *connector)
{
    if (--connector->handles == 0 && connector->finished)
        free(connector);
}

static void on_poll_closed(uv_handle_t *handle)
{
    struct attempt *attempt = handle->data;

    unhold(attempt->connector);
}

/* Gives up the handle; the descriptor is closed unless the caller keeps it. */
static void end_attempt(struct attempt *attempt, bool keep)
{
    if (attempt->descriptor < 0)
        return;
    uv_close((uv_handle_t *)&attempt->poll, on_poll_closed);
    if (!keep)
        close(attempt->descriptor);
    attempt->descriptor = -1;
    attempt->connector->running--;
}

void connector_cancel(struct connector *connector)
{
    connector->finished = true;
    connector->handles++; /* not freed before the end of this function */
    loop_work_remove(&connector->work);
    loop_timer_stop(connector->loop, &connector->stagger);
    for (size_t i = 0; i < connector->next; i++)
        end_attempt(&connector->attempts[i], false);
    if (connector->resolver.data != NULL)
        uv_cancel((uv_req_t *)&connector->resolver);
    unhold(connector);
}

static void finish(struct connector *connector, int descriptor, int code, int number)
{
    struct connector_result result = {
        .descriptor = descriptor,
        .code = code,
        .number = number,
        .resolved = connector->resolved,
    };
    void (*done)(void *, const struct connector_result *) = connector->done;
    void *user = connector->user;

    connector_cancel(connector);
    done(user, &result);
}

static int code_of(int number)
{
    switch (number) {
    case ECONNREFUSED:
        return HERALD_ERROR_REFUSED;
    case ETIMEDOUT:
        return HERALD_ERROR_TIMEOUT;
    case ENOMEM:
        return HERALD_ERROR_NOMEM;
    default:
        return HERALD_ERROR_IO;
    }
}

static void advance(struct connector *connector);

static void on_writable(uv_poll_t *poll, int status, int events)
{
    struct attempt *attempt = poll->data;
    struct connector *connector = attempt->connector;
    int number = 0, descriptor = attempt->descriptor;
    socklen_t length = sizeof(number);

    (void)status, (void)events;
    if (getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &number, &length) != 0)
        number = errno;
    if (number == 0) {
        end_attempt(attempt, true);
        finish(connector, descriptor, 0, 0);
        return;
    }
    connector->number = number;
    end_attempt(attempt, false);
    advance(connector);
}

static void set_options(int descriptor, int family)
{
    int one = 1;

    if (family == AF_UNIX)
        return;
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

/* Returns 0 when under way, or the errno. `*connected` when it succeeded at once. */
static int begin_attempt(struct connector *connector, struct attempt *attempt, bool *connected)
{
    const struct socket_address *address = &connector->addresses[attempt - connector->attempts];
    const struct sockaddr *name = (const struct sockaddr *)&address->storage;
    int descriptor = socket(name->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    attempt->connector = connector;
    attempt->descriptor = -1;
    if (descriptor < 0)
        return errno;
    set_options(descriptor, name->sa_family);
    *connected = connect(descriptor, name, address->length) == 0;
    if (!*connected && errno != EINPROGRESS) {
        int number = errno;
        close(descriptor);
        return number;
    }
    if (uv_poll_init(connector->loop->uv, &attempt->poll, descriptor) != 0) {
        close(descriptor);
        return ENOMEM;
    }
    attempt->poll.data = attempt;
    attempt->descriptor = descriptor;
    connector->handles++;
    connector->running++;
    uv_poll_start(&attempt->poll, UV_WRITABLE, on_writable);
    loop_watch_changed(connector->loop);
    return 0;
}

/* Starts the next attempt that can be started, or ends with the last error. */
static void advance(struct connector *connector)
{
    while (connector->next < connector->count) {
        struct attempt *attempt = &connector->attempts[connector->next++];
        bool connected = false;
        int number = begin_attempt(connector, attempt, &connected);
        if (connected && number == 0) {
            int descriptor = attempt->descriptor;
            end_attempt(attempt, true);
            finish(connector, descriptor, 0, 0);
            return;
        }
        if (number == 0) {
            if (connector->next < connector->count)
                loop_timer_set(connector->loop, &connector->stagger,
                               loop_now(connector->loop) + STAGGER);
            return;
        }
        connector->number = number;
    }
    if (connector->running == 0)
        finish(connector, -1, code_of(connector->number), connector->number);
}

static void on_stagger(struct loop_timer *timer, herald_time now)
{
    (void)now;
    advance(CONTAINER_OF(timer, struct connector, stagger));
}

static void on_work(struct loop_work *work, herald_time now)
{
    struct connector *connector = CONTAINER_OF(work, struct connector, work);

    connector->resolved = now;
    advance(connector);
}

/* Families alternate (RFC 8305 section 4), beginning with the resolver's first choice. */
static void take_addresses(struct connector *connector, const struct addrinfo *list)
{
    const struct addrinfo *same = list, *other = list;
    int family = list->ai_family;

    while (connector->count < ADDRESSES_MAXIMUM && (same != NULL || other != NULL)) {
        bool want_same = connector->count % 2 == 0;
        while (same != NULL && same->ai_family != family)
            same = same->ai_next;
        while (other != NULL && other->ai_family == family)
            other = other->ai_next;
        const struct addrinfo **from =
            (want_same && same != NULL) || other == NULL ? &same : &other;
        if (*from == NULL)
            break;
        struct socket_address *address = &connector->addresses[connector->count++];
        address->length = (*from)->ai_addrlen;
        memcpy(&address->storage, (*from)->ai_addr, (*from)->ai_addrlen);
        *from = (*from)->ai_next;
    }
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *list)
{
    struct connector *connector = request->data;

    request->data = NULL;
    if (connector->finished) {
        uv_freeaddrinfo(list);
        unhold(connector);
        return;
    }
    connector->handles--;
    loop_now(connector->loop);
    if (status == 0 && list != NULL)
        take_addresses(connector, list);
    uv_freeaddrinfo(list);
    if (connector->count == 0) {
        finish(connector, -1, status == UV_ENOMEM ? HERALD_ERROR_NOMEM : HERALD_ERROR_RESOLVE,
               status);
        return;
    }
    connector->resolved = loop_now(connector->loop);
    advance(connector);
}

static int resolve(struct connector *connector, const char *host, uint16_t port)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    char service[8];

    snprintf(service, sizeof(service), "%u", port);
    if (uv_getaddrinfo(connector->loop->uv, &connector->resolver, on_resolved, host, service,
                       &hints) != 0)
        return HERALD_ERROR_RESOLVE;
    connector->resolver.data = connector;
    connector->handles++;
    return 0;
}

static int find_addresses(struct connector *connector, const char *host, uint16_t port,
                          const char *unix_path)
{
    struct address address = {.kind = ADDRESS_INET, .port = port};
    bool is_unix = unix_path != NULL;

    if (is_unix) {
        if (strlen(unix_path) >= sizeof(address.path))
            return HERALD_ERROR_INVALID;
        address.kind = ADDRESS_UNIX;
        memcpy(address.path, unix_path, strlen(unix_path) + 1);
    } else if (host == NULL || host[0] == '\0' || strlen(host) >= sizeof(address.host)) {
        return HERALD_ERROR_INVALID;
    } else if (address_is_numeric(host)) {
        memcpy(address.host, host, strlen(host) + 1);
    } else {
        return resolve(connector, host, port);
    }
    int count = address_resolve(&address, connector->addresses, 1);
    if (count < 0)
        return count;
    connector->count = (size_t)count;
    loop_work_add(connector->loop, &connector->work);
    return 0;
}

int connector_start(struct connector **result, struct loop *loop, const char *host, uint16_t port,
                    const char *unix_path,
                    void (*done)(void *user, const struct connector_result *result), void *user)
{
    struct connector *connector = calloc(1, sizeof(*connector));

    if (connector == NULL)
        return HERALD_ERROR_NOMEM;
    connector->loop = loop;
    connector->done = done;
    connector->user = user;
    connector->stagger.expired = on_stagger;
    loop_work_init(&connector->work, on_work);
    int code = find_addresses(connector, host, port, unix_path);
    if (code != 0) {
        free(connector);
        return code;
    }
    *result = connector;
    return 0;
}
