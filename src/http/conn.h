/* A connection: one protocol engine's state for one peer, without I/O. Bytes (or datagrams) go in
 * by recv, come out by pull; time and randomness are arguments. The same object runs under the
 * server, the client, the tracer, the load generator, a unit test and a fuzzer. */
#ifndef HTTP_CONN_H
#define HTTP_CONN_H

#include "http/exchange.h"
#include "http/trace.h"

enum conn_role { CONN_SERVER, CONN_CLIENT };

struct conn;

/* A datagram's way: opaque socket addresses (struct sockaddr) of both ends. Zero lengths for a byte
 * stream. */
struct conn_path {
    const void *local, *peer;
    uint32_t local_length, peer_length;
};

struct conn_in {
    struct span data;      /* bytes of the stream, or one datagram */
    struct conn_path path; /* datagrams only */
    uint8_t ecn;           /* datagrams only: the two ECN bits */
    bool early_data;       /* came in 0-RTT */
};

struct conn_out {
    uint8_t *data; /* the caller's buffer */
    size_t capacity;
    size_t length;  /* set by pull */
    size_t segment; /* datagrams: size of each but the last (for GSO); 0 for a byte stream */
    struct conn_path path;
    uint8_t ecn;
};

/* Who owns the connection (server, client, tracer, test). */
struct conn_host_ops {
    /* Server: a request head (or a promise whose frame has been written) waits for an answer; hand
     * it to a handler. The owner's hold has been taken. */
    void (*dispatch)(struct conn *conn, struct exchange *exchange);
    /* A stream is over, whatever the reason; `exchange` lives until the call returns. For logs and
     * counts. May be NULL. */
    void (*completed)(struct conn *conn, struct exchange *exchange);
    /* Something can be pulled, or the deadline or wants_read changed, outside of recv, pull and
     * expire. Only note it. */
    void (*wake)(struct conn *conn);
    /* Client: the peer will take requests / has said it takes no more (GOAWAY, close). May be NULL.
     */
    void (*ready)(struct conn *conn);
    void (*going_away)(struct conn *conn);
};

struct conn_ops {
    /* Takes all of `in`. Returns 0, or a negative code when the connection is over: then pull what
     * is left (a GOAWAY, an error response) and destroy. Nothing is parsed after that. */
    int (*recv)(struct conn *conn, const struct conn_in *in, herald_time now);
    /* Fills at most out->capacity bytes (at least 4096; datagrams: 1500) with what should go out
     * now. Frames are built only here, so call it when the transport can take them. Returns 0
     * (out->length 0: nothing to send now) or negative as recv. */
    int (*pull)(struct conn *conn, struct conn_out *out, herald_time now);
    /* When expire wants to be called, or HERALD_NEVER. */
    herald_time (*deadline)(const struct conn *conn);
    /* Returns as recv. */
    int (*expire)(struct conn *conn, herald_time now);
    /* The peer has ended its direction (TLS close_notify, FIN). Returns as recv. */
    int (*eof)(struct conn *conn, herald_time now);
    /* Graceful: running exchanges finish, new ones are refused (HTTP/2: two GOAWAYs; HTTP/1.1:
     * Connection: close). */
    void (*shutdown)(struct conn *conn, herald_time now);
    /* Client: sends `exchange` (see exchange_new_request). 0; HERALD_ERROR_LIMIT at the peer's
     * stream limit (try later); HERALD_ERROR_REFUSED when the connection is going away;
     * HERALD_ERROR_INVALID; NOMEM. NULL for a server. */
    int (*request)(struct conn *conn, struct exchange *exchange, herald_time now);
    /* Ends every exchange with HERALD_ERROR_CLOSED and frees. */
    void (*destroy)(struct conn *conn);
};

/* What the transport knows and handlers ask for. Text is NUL-terminated, owned by the transport,
 * lives as long as it. */
struct conn_info {
    const char *scheme;       /* "https" or "http" */
    const char *peer_address; /* "127.0.0.1", "::1", or "" for a unix socket */
    const char *local_address;
    uint16_t peer_port, local_port;
    const char *server_name; /* SNI, or "" */
    const char *tls_version; /* "TLS1.3", or "" for cleartext */
    const char *tls_cipher;
    uint16_t tls_version_number; /* 0x0304 */
    uint16_t tls_cipher_number;
    struct span client_certificate; /* DER, or empty */
    const void
        *tls_policy; /* compared by pointer: same client-authentication policy (421 otherwise) */
    bool early_data;
};

struct conn {
    const struct conn_ops *ops;
    const struct conn_host_ops *host;
    void *host_data;              /* the host's */
    const struct conn_info *info; /* may be NULL in tests */
    const struct limits *limits;
    struct frame_trace *trace; /* NULL: off, at no cost */
    struct account account;
    uint64_t number; /* for logs and traces */
    enum conn_role role;
    enum http_version version;
    struct list exchanges;    /* every exchange whose `conn` this is, by its `conn_node` */
    unsigned running;         /* exchanges whose owner has not released */
    unsigned promises_queued; /* promises accepted from handlers and not yet written */
    bool wants_read;          /* false: do not call recv until it is true again */
    bool finished;            /* all has been said: close the transport once pull yields nothing */
    bool broken; /* with finished: the peer must not take the end for an orderly one (a body that
                    ends with the connection was cut): reset, without TLS close_notify */
    bool shutting_down;
};

struct conn_config {
    enum conn_role role;
    const struct conn_host_ops *host;
    void *host_data;
    const struct conn_info *info;
    const struct limits *limits; /* outlives the connection */
    struct frame_trace *trace;
    uint64_t number;
    bool push;             /* client: accept pushes; server: allow them */
    bool connect_protocol; /* server: handlers take extended CONNECT (RFC 8441, RFC 9220) */
    uint64_t seed;         /* randomness for jitter and identifiers */
};

/* A protocol, registered at the composition root by its ALPN name. */
struct engine {
    const char *alpn; /* "h2", "http/1.1", "h3" */
    enum http_version version;
    /* NULL when memory is out. `now` is the time of birth. */
    struct conn *(*create)(const struct conn_config *config, herald_time now);
};

/* Helper for engines: fills the common part from `config`. */
void conn_init(struct conn *conn, const struct conn_ops *ops, const struct conn_config *config,
               enum http_version version);

/* Helper for engines: the last call of destroy, when every stream has been given to
 * exchange_deliver_closed. Exchanges that their owners still hold lose their `conn` and live on. */
void conn_detach(struct conn *conn);

/* Helper for engines: takes the owner's hold and calls host->dispatch. The exchange may have been
 * answered, cancelled or released on return; the engine's own hold keeps it alive. */
void conn_dispatch(struct conn *conn, struct exchange *exchange);

/* Helper for engines: tells the host, outside of recv, pull and expire. */
void conn_wake(struct conn *conn);

#endif
