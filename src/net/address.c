#include "net/address.h"

#include "base/err.h"
#include "base/span.h"
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <strings.h>
#include <sys/un.h>
#include <unistd.h>

static int parse_port(struct span text, uint16_t *port)
{
    uint64_t value;

    if (span_to_unsigned(text, UINT16_MAX, &value) != 0)
        return HERALD_ERROR_INVALID;
    *port = (uint16_t)value;
    return 0;
}

static int copy_host(struct address *address, struct span host)
{
    if (host.length >= sizeof(address->host))
        return HERALD_ERROR_INVALID;
    for (size_t i = 0; i < host.length; i++) {
        if (host.data[i] <= ' ' || host.data[i] >= 0x7f || host.data[i] == '/')
            return HERALD_ERROR_INVALID;
    }
    if (host.length > 0)
        memcpy(address->host, host.data, host.length);
    address->host[host.length] = '\0';
    return 0;
}

static int parse_unix(const char *path, struct address *address)
{
    size_t length = strlen(path);

    if (length == 0 || length >= sizeof(address->path))
        return HERALD_ERROR_INVALID;
    address->kind = ADDRESS_UNIX;
    memcpy(address->path, path, length + 1);
    return 0;
}

static int parse_descriptor(const char *text, struct address *address)
{
    uint64_t value;

    if (span_to_unsigned(span_from_text(text), INT32_MAX, &value) != 0)
        return HERALD_ERROR_INVALID;
    address->kind = ADDRESS_DESCRIPTOR;
    address->descriptor = (int)value;
    return 0;
}

/* "[::1]" or "[::1]:port" */
static int parse_bracketed(struct span text, struct address *address)
{
    const uint8_t *close = memchr(text.data, ']', text.length);

    if (close == NULL)
        return HERALD_ERROR_INVALID;
    size_t length = (size_t)(close - text.data) - 1;
    if (copy_host(address, span_slice(text, 1, length)) != 0)
        return HERALD_ERROR_INVALID;
    if (memchr(address->host, ':', length) == NULL || !address_is_numeric(address->host))
        return HERALD_ERROR_INVALID;
    struct span rest = span_slice(text, length + 2, text.length);
    if (rest.length == 0)
        return 0;
    return rest.data[0] == ':' ? parse_port(span_slice(rest, 1, rest.length), &address->port)
                               : HERALD_ERROR_INVALID;
}

static int parse_inet(struct span text, struct address *address)
{
    address->kind = ADDRESS_INET;
    if (text.length == 0)
        return HERALD_ERROR_INVALID;
    if (text.data[0] == '[')
        return parse_bracketed(text, address);
    const uint8_t *first = memchr(text.data, ':', text.length);
    const uint8_t *last = memrchr(text.data, ':', text.length);
    if (first == NULL)
        return copy_host(address, text);
    if (first != last) {
        /* Several colons without brackets: an IPv6 address and no port. */
        if (copy_host(address, text) != 0 || !address_is_numeric(address->host))
            return HERALD_ERROR_INVALID;
        return 0;
    }
    size_t length = (size_t)(first - text.data);
    if (copy_host(address, span_slice(text, 0, length)) != 0)
        return HERALD_ERROR_INVALID;
    return parse_port(span_slice(text, length + 1, text.length), &address->port);
}

int address_parse(const char *text, uint16_t default_port, struct address *address)
{
    *address = (struct address){.port = default_port, .descriptor = -1};
    if (strncmp(text, "unix:", 5) == 0)
        return parse_unix(text + 5, address);
    if (strncmp(text, "fd://", 5) == 0)
        return parse_descriptor(text + 5, address);
    return parse_inet(span_from_text(text), address);
}

static int resolve_unix(const struct address *address, struct socket_address *result)
{
    struct sockaddr_un *un = (struct sockaddr_un *)&result->storage;
    size_t length = strlen(address->path);

    *result = (struct socket_address){0};
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, address->path, length);
    if (un->sun_path[0] == '@')
        un->sun_path[0] = '\0';
    /* An abstract name has exactly the bytes given; a path counts its NUL. */
    result->length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length +
                                 (address->path[0] == '@' ? 0 : 1));
    return 1;
}

static bool have_ipv6(void)
{
    int descriptor = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (descriptor < 0)
        return false;
    close(descriptor);
    return true;
}

static int resolve_any(const struct address *address, struct socket_address *result)
{
    *result = (struct socket_address){0};
    if (have_ipv6()) {
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&result->storage;
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(address->port);
        result->length = sizeof(*in6);
    } else {
        struct sockaddr_in *in = (struct sockaddr_in *)&result->storage;
        in->sin_family = AF_INET;
        in->sin_port = htons(address->port);
        result->length = sizeof(*in);
    }
    return 1;
}

static bool is_known(const struct socket_address *addresses, int count, const struct addrinfo *info)
{
    for (int i = 0; i < count; i++) {
        if (addresses[i].length == info->ai_addrlen &&
            memcmp(&addresses[i].storage, info->ai_addr, info->ai_addrlen) == 0)
            return true;
    }
    return false;
}

int address_resolve(const struct address *address, struct socket_address *addresses,
                    size_t capacity)
{
    if (capacity == 0 || address->kind == ADDRESS_DESCRIPTOR)
        return HERALD_ERROR_INVALID;
    if (address->kind == ADDRESS_UNIX)
        return resolve_unix(address, addresses);
    if (address->host[0] == '\0')
        return resolve_any(address, addresses);

    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    char port[8];
    snprintf(port, sizeof(port), "%u", address->port);
    if (getaddrinfo(address->host, port, &hints, &list) != 0)
        return HERALD_ERROR_RESOLVE;
    int count = 0;
    for (struct addrinfo *info = list; info != NULL && (size_t)count < capacity;
         info = info->ai_next) {
        if (info->ai_addrlen > sizeof(addresses->storage) || is_known(addresses, count, info))
            continue;
        addresses[count] = (struct socket_address){.length = info->ai_addrlen};
        memcpy(&addresses[count].storage, info->ai_addr, info->ai_addrlen);
        count++;
    }
    freeaddrinfo(list);
    return count > 0 ? count : HERALD_ERROR_RESOLVE;
}

void address_split(const struct sockaddr *address, char host[INET6_ADDRSTRLEN], uint16_t *port)
{
    host[0] = '\0';
    *port = 0;
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)address;
        inet_ntop(AF_INET, &in->sin_addr, host, INET6_ADDRSTRLEN);
        *port = ntohs(in->sin_port);
    } else if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)address;
        if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr))
            inet_ntop(AF_INET, &in6->sin6_addr.s6_addr[12], host, INET6_ADDRSTRLEN);
        else
            inet_ntop(AF_INET6, &in6->sin6_addr, host, INET6_ADDRSTRLEN);
        *port = ntohs(in6->sin6_port);
    }
}

static void print_unix(const struct sockaddr_un *un, socklen_t length, char *text, size_t capacity)
{
    size_t used = length > offsetof(struct sockaddr_un, sun_path)
                      ? length - offsetof(struct sockaddr_un, sun_path)
                      : 0;

    if (used == 0)
        snprintf(text, capacity, "unix:");
    else if (un->sun_path[0] == '\0')
        snprintf(text, capacity, "unix:@%.*s", (int)used - 1, un->sun_path + 1);
    else
        snprintf(text, capacity, "unix:%.*s", (int)strnlen(un->sun_path, used), un->sun_path);
}

void address_print(const struct sockaddr *address, socklen_t length, char *text, size_t capacity)
{
    char host[INET6_ADDRSTRLEN];
    uint16_t port;

    if (address->sa_family == AF_UNIX) {
        print_unix((const struct sockaddr_un *)address, length, text, capacity);
        return;
    }
    address_split(address, host, &port);
    snprintf(text, capacity, strchr(host, ':') != NULL ? "[%s]:%u" : "%s:%u", host, port);
}

bool address_is_numeric(const char *host)
{
    struct in6_addr binary;

    return inet_pton(AF_INET, host, &binary) == 1 || inet_pton(AF_INET6, host, &binary) == 1;
}

bool address_is_loopback(const char *host)
{
    struct in_addr in;
    struct in6_addr in6;
    size_t length = strlen(host);

    if (inet_pton(AF_INET, host, &in) == 1)
        return ntohl(in.s_addr) >> 24 == IN_LOOPBACKNET;
    if (inet_pton(AF_INET6, host, &in6) == 1)
        return IN6_IS_ADDR_LOOPBACK(&in6) ||
               (IN6_IS_ADDR_V4MAPPED(&in6) && in6.s6_addr[12] == IN_LOOPBACKNET);
    return strcasecmp(host, "localhost") == 0 ||
           (length > 10 && strcasecmp(host + length - 10, ".localhost") == 0);
}
