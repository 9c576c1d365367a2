/* QUIC on a UDP socket: a datagram listener carries datagrams between its socket and the engine's
 * endpoint, keeps the endpoint's timer, and gives each connection its TLS session and its
 * conn_info. A datagram link is to it what a link is to TCP. */
#ifndef NET_DATAGRAM_H
#define NET_DATAGRAM_H

#include "http/endpoint.h"
#include "net/listener.h"
#include "net/loop.h"
#include "net/tls.h"

struct datagram_listener;
struct datagram_link;

struct datagram_link_ops {
    /* A client has begun a handshake: fill `config` but for role and info. Negative: no connection
     * is made and `closed` is not called. */
    int (*open)(struct datagram_link *link, struct conn_config *config);
    /* The conn has been destroyed; the pointer is dead when this returns. Reasons as of
     * endpoint_host_ops.closed. */
    void (*closed)(struct datagram_link *link, int reason);
};

/* What the listeners share. The owner keeps it until `link_count` is 0. */
struct datagram_server {
    struct loop *loop;
    struct tls_context *tls;
    const struct datagram_engine *engine;
    const struct datagram_link_ops *ops;
    void *user;
    uint8_t secret[ENDPOINT_SECRET_SIZE];
    uint8_t worker;
    unsigned retry_above; /* unfinished handshakes from which clients must prove their address */
    size_t maximum_links; /* 0: none; beyond it new clients get no answer */
    struct list links;
    size_t link_count;
};

/* Fills `server` with defaults and a random secret. 0 or HERALD_ERROR_IO. */
int datagram_server_init(struct datagram_server *server, struct loop *loop,
                         const struct datagram_link_ops *ops, void *user);

/* Binds; nothing is read before datagram_listener_start. Returns 0, HERALD_ERROR_NOMEM, or
 * HERALD_ERROR_IO with `error` filled. */
int datagram_listener_create(struct datagram_listener **listener, struct datagram_server *server,
                             const struct socket_address *address, bool reuse_port,
                             struct listener_error *error);
int datagram_listener_start(struct datagram_listener *listener);
/* No new connections from now on; those that are go on. */
void datagram_listener_refuse(struct datagram_listener *listener);
/* Closes every connection at once, then the socket. NULL is allowed. */
void datagram_listener_close(struct datagram_listener *listener);
uint16_t datagram_listener_port(const struct datagram_listener *listener);

/* `visit` may close the link. */
void datagram_server_each(struct datagram_server *server,
                          void (*visit)(struct datagram_link *, void *user), void *user);

struct datagram_server *datagram_link_server(const struct datagram_link *link);
void *datagram_link_user(const struct datagram_link *link);
void datagram_link_set_user(struct datagram_link *link, void *user);
struct conn *datagram_link_conn(const struct datagram_link *link);

/* What the conn's host->wake must call. */
void datagram_link_wake(struct datagram_link *link);
/* With a word to the peer; `closed` may be called within. */
void datagram_link_close(struct datagram_link *link, int reason);

#endif
