/* Listening sockets: TCP over IPv4 and IPv6, unix sockets, inherited descriptors. */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include "net/address.h"
#include "net/link.h"

struct listener;

struct listener_options {
    int backlog;        /* 0: 4096 */
    bool reuse_port;    /* several workers share the address */
    unsigned unix_mode; /* permissions of a unix socket; 0: 0666 less the umask */
};

struct listener_error {
    char text[256]; /* "cannot listen on 127.0.0.1:8443: address already in use" */
};

/* Makes a bound, listening, close-on-exec socket without a loop (a master opens its workers'
 * sockets so). A stale unix socket (nobody answers) is replaced. Returns the descriptor, or
 * HERALD_ERROR_IO (errno kept) or HERALD_ERROR_INVALID with `error` filled. */
int listener_bind(const struct socket_address *address, const struct listener_options *options,
                  struct listener_error *error);

/* Wraps a bound socket, which is owned from now on, also on error: checks that it is a listening
 * stream socket (listens when it is only bound). Accepting begins with listener_start. `server`
 * outlives the listener. Returns 0, HERALD_ERROR_NOMEM, _IO or _INVALID with `error` filled. */
int listener_create(struct listener **listener, int descriptor, struct link_server *server,
                    const struct listener_options *options, struct listener_error *error);

/* address_resolve, listener_bind and listener_create for each address ("localhost" may be two;
 * fd://N is one): all or none. With port 0 the addresses after the first use the first one's port.
 * Returns how many were stored, at most `capacity`, or a negative code with `error` filled. */
int listener_open(struct listener **listeners, size_t capacity, const struct address *address,
                  struct link_server *server, const struct listener_options *options,
                  struct listener_error *error);

/* 0 or HERALD_ERROR_IO. Stopping leaves accepted links alone; what waits in the backlog stays there
 * until the descriptor is closed. */
int listener_start(struct listener *listener);
void listener_stop(struct listener *listener);

/* Accepts all that waits in the backlog now: before closing for good, which would reset it. Does
 * nothing while the listener is stopped or its server is full. */
void listener_drain(struct listener *listener);

/* Stops, closes the descriptor, removes the unix socket this process made. NULL is allowed. */
void listener_close(struct listener *listener);

uint16_t listener_port(const struct listener *listener); /* 0 for a unix socket */
int listener_descriptor(const struct listener *listener);
const char *listener_name(const struct listener *listener); /* "127.0.0.1:8443", "unix:/path" */
bool listener_is_unix(const struct listener *listener);

#endif
