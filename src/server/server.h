/* A server on one loop: listeners, the connections they accept, the engines those speak, and the
 * one handler that answers. One a worker process. */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include "http/endpoint.h"
#include "http/handler.h"
#include "server/config.h"

struct loop;
struct server;

/* Every drop and limit has its count. accepted = closed + open; requests = responses + aborted +
 * running. */
struct server_counters {
    uint64_t connections_accepted, connections_closed;
    uint64_t connections_refused;     /* over max_connections */
    uint64_t connections_no_protocol; /* no engine for what the client offered */
    uint64_t connections_tls_failed;  /* handshake failures and timeouts */
    uint64_t connections_forced;      /* destroyed at the end of graceful_timeout */
    uint64_t requests, pushes;        /* dispatched; pushes are not counted in requests */
    uint64_t responses;               /* both messages complete */
    uint64_t aborted;                 /* over before that, whatever the reason */
    uint64_t running;
    uint64_t bytes_in, bytes_out;                   /* body bytes */
    uint64_t hints, pushes_refused, pushes_skipped; /* push policy */
    uint64_t access_log_dropped;                    /* lines */
};

struct server_options {
    struct loop *loop;                   /* outlives the server */
    const struct serve_config *config;   /* outlives the server */
    struct handler *handler;             /* the server's from server_create's success on */
    const struct engine *const *engines; /* outlive the server; asked for by ALPN name */
    size_t engine_count;
    const struct datagram_engine *datagrams; /* HTTP/3; NULL, or without `create`: none */
    struct frame_trace *trace;               /* NULL: none; outlives the server */
    /* Once, after server_shutdown, when the last connection has gone. May destroy the server. */
    void (*stopped)(struct server *server, void *user);
    /* max_requests has been reached: the owner should shut down. May be NULL. */
    void (*worn_out)(struct server *server, void *user);
    void *user;
};

/* Loads certificates, opens the access log. No socket is opened. Returns 0; HERALD_ERROR_CONFIG or
 * HERALD_ERROR_IO (one line has been logged, which names the file); HERALD_ERROR_NOMEM. */
int server_create(const struct server_options *options, struct server **server);

/* Opens every socket; the kernel queues connections from here on, none is accepted. All or none.
 * Returns 0, or HERALD_ERROR_IO / HERALD_ERROR_CONFIG with one line logged that names the address.
 */
int server_bind(struct server *server);

/* Accepts from now on; binds first if that has not been done. Returns as server_bind. */
int server_start(struct server *server);

/* Stops accepting, lets running exchanges finish, closes idle connections; what is left after
 * `graceful` nanoseconds is cut. `stopped` is called from the loop when all is over. A second call
 * may shorten the time: 0 cuts at once. */
void server_shutdown(struct server *server, herald_time graceful);

/* Cuts what is left and frees; `stopped` is not called by it. While connections are open it turns
 * the loop, so call it from within a turn only when `stopped` has been called. NULL is allowed. */
void server_destroy(struct server *server);

/* Reads the certificate files again; on failure the old ones stay and a line is logged. Returns 0
 * or HERALD_ERROR_CONFIG. */
int server_reload_certificates(struct server *server);

const struct server_counters *server_counters(const struct server *server);
struct server_counters *server_counters_of(struct exchange *exchange);
struct loop *server_loop(const struct server *server);

/* Listening addresses, for people and tests: "https://127.0.0.1:8443", "http://[::1]:80",
 * "unix:/path (http)". NULL past the last. Valid until the server is destroyed. */
const char *server_address(const struct server *server, size_t index);

/* The server that `exchange` came through, or NULL in tests that have none. */
struct server *server_of(const struct exchange *exchange);
const struct serve_config *server_config_of(const struct exchange *exchange);

#endif
