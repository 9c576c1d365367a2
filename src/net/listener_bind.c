#include "net/listener_private.h"

#include "base/err.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

int listener_fail(struct listener_error *error, int code, const char *format, ...)
{
    va_list arguments;
    int number = errno;

    if (error != NULL) {
        va_start(arguments, format);
        vsnprintf(error->text, sizeof(error->text), format, arguments);
        va_end(arguments);
    }
    errno = number;
    return code;
}

/* A socket file nobody answers on was left by a process that died. */
static bool is_stale(const struct socket_address *address)
{
    const struct sockaddr_un *un = (const struct sockaddr_un *)&address->storage;
    struct stat status;

    if (un->sun_path[0] == '\0' || lstat(un->sun_path, &status) != 0 || !S_ISSOCK(status.st_mode))
        return false;
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (probe < 0)
        return false;
    bool refused =
        connect(probe, (const struct sockaddr *)un, address->length) != 0 && errno == ECONNREFUSED;
    close(probe);
    return refused;
}

static int set_bind_options(int descriptor, const struct socket_address *address,
                            const struct listener_options *options)
{
    int one = 1, zero = 0;
    int family = address->storage.ss_family;

    if (family == AF_UNIX)
        return 0;
    if (setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0)
        return -1;
    if (options->reuse_port &&
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) != 0)
        return -1;
    if (family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&address->storage;
        bool any = IN6_IS_ADDR_UNSPECIFIED(&in6->sin6_addr);
        setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, any ? &zero : &one, sizeof(one));
    }
    return 0;
}

static int bind_and_listen(int descriptor, const struct socket_address *address,
                           const struct listener_options *options)
{
    const struct sockaddr *name = (const struct sockaddr *)&address->storage;
    const struct sockaddr_un *un = (const struct sockaddr_un *)name;

    if (set_bind_options(descriptor, address, options) != 0)
        return -1;
    if (bind(descriptor, name, address->length) != 0) {
        int number = errno;
        if (number != EADDRINUSE || name->sa_family != AF_UNIX || !is_stale(address)) {
            errno = number;
            return -1;
        }
        if (unlink(un->sun_path) != 0 || bind(descriptor, name, address->length) != 0)
            return -1;
    }
    if (name->sa_family == AF_UNIX && un->sun_path[0] != '\0' && options->unix_mode != 0 &&
        chmod(un->sun_path, options->unix_mode) != 0)
        return -1;
    return listen(descriptor, options->backlog != 0 ? options->backlog : LISTENER_BACKLOG);
}

static const struct listener_options default_options;

int listener_bind(const struct socket_address *address, const struct listener_options *options,
                  struct listener_error *error)
{
    char name[LISTENER_NAME_SIZE];
    int family = address->storage.ss_family;
    int descriptor = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    address_print((const struct sockaddr *)&address->storage, address->length, name, sizeof(name));
    if (descriptor < 0)
        return listener_fail(error, HERALD_ERROR_IO, "cannot listen on %s: %s", name,
                             uv_strerror(-errno));
    if (bind_and_listen(descriptor, address, options != NULL ? options : &default_options) != 0) {
        int number = errno;
        close(descriptor);
        errno = number;
        return listener_fail(error, HERALD_ERROR_IO, "cannot listen on %s: %s", name,
                             uv_strerror(-number));
    }
    return descriptor;
}
