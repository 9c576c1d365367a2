/* An endpoint: many connections over datagrams behind one socket (QUIC). The engine finds the
 * connection of each datagram and makes and ends connections; the host, which owns the socket, only
 * carries datagrams and keeps one timer. Like a conn it does no I/O: time and randomness are
 * arguments. */
#ifndef HTTP_ENDPOINT_H
#define HTTP_ENDPOINT_H

#include "http/conn.h"

struct endpoint;

/* One connection of an endpoint, seen from the host, which embeds this in a structure of its own.
 * The host fills `tls` and `config`; both outlive the connection. */
struct endpoint_peer {
    void *tls; /* a gnutls_session_t for TLS 1.3 with credentials, ALPN and names set. Its transport
                  pointer and its QUIC hooks are the engine's. */
    struct conn_config config;
    struct conn *conn; /* the engine's; NULL once the connection is over */
};

struct endpoint_host_ops {
    /* Server: a client's first packet has come. NULL: no connection is made. */
    struct endpoint_peer *(*accept)(struct endpoint *endpoint, const struct conn_path *path);
    /* The handshake is complete; requests follow. Negative: the connection is refused. May be NULL.
     */
    int (*secured)(struct endpoint *endpoint, struct endpoint_peer *peer);
    /* The peer has another, validated address. May be NULL. */
    void (*moved)(struct endpoint *endpoint, struct endpoint_peer *peer,
                  const struct conn_path *path);
    /* The conn has been destroyed; once for each peer accepted or connected. `reason` is 0 for an
     * orderly end, else HERALD_ERROR_TIMEOUT, _PROTOCOL, _TLS, _CLOSED, _NOMEM. */
    void (*closed)(struct endpoint *endpoint, struct endpoint_peer *peer, int reason);
    /* Something can be pulled or the deadline has changed, outside of receive, pull and expire.
     * Only note it. */
    void (*wake)(struct endpoint *endpoint);
};

#define ENDPOINT_SECRET_SIZE 32

struct endpoint_config {
    const struct endpoint_host_ops *host;
    void *host_data;
    void (*random)(void *destination, size_t length); /* of cryptographic quality */
    uint8_t secret[ENDPOINT_SECRET_SIZE]; /* of address and reset tokens: alike in all workers */
    uint8_t worker;                       /* first byte of our connection IDs */
    unsigned retry_above; /* unfinished handshakes from which clients must prove their address */
    bool is_server;       /* accepts connections */
};

struct endpoint_ops {
    /* Takes one datagram, whatever is in it. */
    void (*receive)(struct endpoint *endpoint, const struct conn_in *in, herald_time now);
    /* Fills `out` (capacity at least 2048) with datagrams for one path: each of out->segment bytes
     * but the last, which may be shorter. `out->path` is valid until the next call. out->length 0:
     * nothing to send now. */
    void (*pull)(struct endpoint *endpoint, struct conn_out *out, herald_time now);
    herald_time (*deadline)(const struct endpoint *endpoint);
    void (*expire)(struct endpoint *endpoint, herald_time now);
    /* A connection's host->wake. */
    void (*wake)(struct endpoint *endpoint, struct conn *conn);
    /* Client: a connection over `path`. Returns 0, HERALD_ERROR_NOMEM or HERALD_ERROR_TLS; `closed`
     * is not called after an error. */
    int (*connect)(struct endpoint *endpoint, struct endpoint_peer *peer,
                   const struct conn_path *path, herald_time now);
    /* Ends one connection at once; what says so to the peer can be pulled. `closed` is called. */
    void (*close)(struct endpoint *endpoint, struct conn *conn, int reason, herald_time now);
    /* Ends every connection without a word and frees; `closed` is called for each. */
    void (*destroy)(struct endpoint *endpoint);
};

struct endpoint {
    const struct endpoint_ops *ops;
    const struct endpoint_host_ops *host;
    void *host_data;
};

/* A protocol over datagrams, registered at the composition root. */
struct datagram_engine {
    const char *alpn; /* "h3" */
    /* NULL when memory is out. */
    struct endpoint *(*create)(const struct endpoint_config *config, herald_time now);
};

#endif
