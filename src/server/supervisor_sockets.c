#include "server/supervisor_sockets.h"

#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <sys/un.h>
#include <unistd.h>

#define RESOLVED_MAXIMUM 16

static struct supervisor_socket *add_socket(struct supervisor_sockets *sockets, bool secure)
{
    if (sockets->count == SUPERVISOR_ADDRESSES_MAXIMUM)
        return NULL;
    struct supervisor_socket *socket = &sockets->items[sockets->count++];
    *socket = (struct supervisor_socket){.secure = secure};
    for (unsigned i = 0; i < SUPERVISOR_WORKERS_MAXIMUM; i++)
        socket->descriptors[i] = -1;
    return socket;
}

static void name_socket(struct supervisor_socket *socket)
{
    const char *scheme = socket->secure ? "https" : "http";
    struct socket_address address = {.length = sizeof(address.storage)};
    char text[160] = "?";
    if (getsockname(socket->descriptors[0], (struct sockaddr *)&address.storage, &address.length) ==
        0)
        address_print((struct sockaddr *)&address.storage, address.length, text, sizeof(text));
    if (address.storage.ss_family == AF_UNIX)
        snprintf(socket->name, sizeof(socket->name), "%s (%s)", text, scheme);
    else
        snprintf(socket->name, sizeof(socket->name), "%s://%s", scheme, text);
}

/* Port 0: the workers after the first use the port that the first was given. */
static void take_port(struct socket_address *address, int descriptor)
{
    struct socket_address bound = {.length = sizeof(bound.storage)};
    if (getsockname(descriptor, (struct sockaddr *)&bound.storage, &bound.length) < 0)
        return;
    if (bound.storage.ss_family == AF_INET)
        ((struct sockaddr_in *)&address->storage)->sin_port =
            ((struct sockaddr_in *)&bound.storage)->sin_port;
    else if (bound.storage.ss_family == AF_INET6)
        ((struct sockaddr_in6 *)&address->storage)->sin6_port =
            ((struct sockaddr_in6 *)&bound.storage)->sin6_port;
}

static int bind_workers(struct supervisor_sockets *sockets, struct supervisor_socket *socket,
                        struct socket_address *address, const struct serve_config *config)
{
    struct listener_error error;
    socket->shared = address->storage.ss_family == AF_UNIX;
    unsigned count = socket->shared ? 1 : sockets->workers;
    const struct listener_options options = {.backlog = (int)config->backlog,
                                             .reuse_port = !socket->shared};
    for (unsigned i = 0; i < count; i++) {
        int descriptor = listener_bind(address, &options, &error);
        if (descriptor < 0) {
            log_write(LOG_ERROR, "%s", error.text);
            return HERALD_ERROR_IO;
        }
        socket->descriptors[i] = descriptor;
        if (i == 0)
            take_port(address, descriptor);
    }
    const struct sockaddr_un *local = (const struct sockaddr_un *)&address->storage;
    if (socket->shared && local->sun_path[0] != '\0')
        snprintf(socket->unlink_path, sizeof(socket->unlink_path), "%s", local->sun_path);
    return 0;
}

/* Without SO_REUSEPORT a second server on the port fails; with it the kernel lets any process of
 * the same user in. Ask first whether the address is free. */
static int probe(const struct socket_address *address, const struct serve_config *config)
{
    struct listener_error error;
    const struct listener_options options = {.backlog = (int)config->backlog};
    if (address->storage.ss_family == AF_UNIX)
        return 0;
    int descriptor = listener_bind(address, &options, &error);
    if (descriptor < 0) {
        log_write(LOG_ERROR, "%s", error.text);
        return HERALD_ERROR_IO;
    }
    close(descriptor);
    return 0;
}

static int open_address(struct supervisor_sockets *sockets, const struct address *address,
                        bool secure, const struct serve_config *config)
{
    struct socket_address resolved[RESOLVED_MAXIMUM];
    if (address->kind == ADDRESS_DESCRIPTOR) {
        struct supervisor_socket *socket = add_socket(sockets, secure);
        if (socket == NULL)
            return HERALD_ERROR_LIMIT;
        socket->shared = true;
        socket->descriptors[0] = address->descriptor;
        name_socket(socket);
        return 0;
    }
    int count = address_resolve(address, resolved, RESOLVED_MAXIMUM);
    if (count <= 0) {
        log_write(LOG_ERROR, "cannot listen on '%s': %s", address->host,
                  herald_error_text(HERALD_ERROR_RESOLVE));
        return HERALD_ERROR_IO;
    }
    for (int i = 0; i < count; i++) {
        struct supervisor_socket *socket = add_socket(sockets, secure);
        if (socket == NULL)
            return HERALD_ERROR_LIMIT;
        int result = probe(&resolved[i], config);
        if (result == 0)
            result = bind_workers(sockets, socket, &resolved[i], config);
        if (result < 0)
            return result;
        name_socket(socket);
        if (i + 1 < count && resolved[i].storage.ss_family != AF_UNIX && address->port == 0)
            take_port(&resolved[i + 1], socket->descriptors[0]);
    }
    return 0;
}

static int open_list(struct supervisor_sockets *sockets, const struct text_list *list, bool secure,
                     const struct serve_config *config)
{
    for (size_t i = 0; i < list->count; i++) {
        struct address address;
        if (address_parse(list->items[i], secure ? 8443 : 8000, &address) < 0) {
            log_write(LOG_ERROR,
                      "--%s '%s': not an address; accepted: host:port, [::1]:port, unix:/path, "
                      "fd://N",
                      secure ? "bind" : "insecure-bind", list->items[i]);
            return HERALD_ERROR_CONFIG;
        }
        int result = open_address(sockets, &address, secure, config);
        if (result == HERALD_ERROR_LIMIT) {
            log_write(LOG_ERROR, "more than %d addresses to listen on",
                      SUPERVISOR_ADDRESSES_MAXIMUM);
            result = HERALD_ERROR_CONFIG;
        }
        if (result < 0)
            return result;
    }
    return 0;
}

int supervisor_sockets_open(struct supervisor_sockets *sockets, const struct serve_config *config)
{
    sockets->count = 0;
    sockets->workers = config->workers;
    int result = open_list(sockets, &config->bind, true, config);
    if (result == 0)
        result = open_list(sockets, &config->insecure_bind, false, config);
    if (result < 0)
        supervisor_sockets_close(sockets);
    return result;
}

void supervisor_sockets_close(struct supervisor_sockets *sockets)
{
    for (size_t i = 0; i < sockets->count; i++) {
        struct supervisor_socket *socket = &sockets->items[i];
        if (socket->unlink_path[0] != '\0')
            unlink(socket->unlink_path);
        for (unsigned j = 0; j < SUPERVISOR_WORKERS_MAXIMUM; j++)
            if (socket->descriptors[j] >= 0)
                close(socket->descriptors[j]);
    }
    sockets->count = 0;
}
