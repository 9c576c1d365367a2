/* Where to listen or connect: "host:port", "[::1]:port", ":port", "unix:/path", "fd://N". */
#ifndef NET_ADDRESS_H
#define NET_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum address_kind { ADDRESS_INET, ADDRESS_UNIX, ADDRESS_DESCRIPTOR };

struct address {
    enum address_kind kind;
    char host[256]; /* without brackets; "" for every address of the machine */
    uint16_t port;
    char path[108]; /* unix; a leading '@' means the abstract name space */
    int descriptor;
};

struct socket_address {
    struct sockaddr_storage storage;
    socklen_t length;
};

/* `default_port` serves a bind without a port ("127.0.0.1", "::1", "[::1]"). Returns 0, or
 * HERALD_ERROR_INVALID for text of none of the forms (a port over 65535, a path too long, ...). */
int address_parse(const char *text, uint16_t default_port, struct address *address);

/* The socket addresses of an ADDRESS_INET (blocking resolver when the host is a name) or
 * ADDRESS_UNIX. At most `capacity`, in the resolver's order, without repetition; a host of "" gives
 * [::] alone (which takes IPv4 too), or 0.0.0.0 where there is no IPv6. Returns how many, or
 * HERALD_ERROR_RESOLVE, HERALD_ERROR_INVALID. */
int address_resolve(const struct address *address, struct socket_address *addresses,
                    size_t capacity);

/* "127.0.0.1:80", "[::1]:80", "unix:/path". Cut to `capacity`, always terminated. */
void address_print(const struct sockaddr *address, socklen_t length, char *text, size_t capacity);

/* The numeric host ("" for unix) and port alone; IPv4 mapped into IPv6 is printed as IPv4. */
void address_split(const struct sockaddr *address, char host[INET6_ADDRSTRLEN], uint16_t *port);

/* A numeric loopback address, or the name "localhost" or one under ".localhost". */
bool address_is_loopback(const char *host);

/* True for the text of an IPv4 or IPv6 address. */
bool address_is_numeric(const char *host);

#endif
