/* A link: one socket, optional TLS, and the conn that speaks over it. The link reads, decrypts and
 * calls conn->recv; at the end of a loop turn it calls conn->pull, encrypts and sends, in one
 * system call each. It keeps the conn's deadline, ends with a lingering close (RFC 9112
 * section 9.6), and destroys the conn.
 *
 * Life of a link:   accepted or connecting -> handshake or protocol detection -> ops->open ->
 * running -> (closing) -> conn destroyed -> ops->closed. The pointer is dead when ops->closed
 * returns. ops->closed is called exactly once for each link for which ops->open was called or which
 * link_connect returned; an accepted link that fails before `open` calls ops->failed. */
#ifndef NET_LINK_H
#define NET_LINK_H

#include "http/conn.h"
#include "net/address.h"
#include "net/loop.h"
#include "net/tls.h"

struct link;

struct link_ops {
    /* The handshake is over, or the first bytes of cleartext tell the protocol. `alpn` is "h2" or
     * "http/1.1". Make the conn with `info` (owned by the link, lives longer than the conn); its
     * host ops' wake must call link_wake. NULL: the link closes with HERALD_ERROR_REFUSED, closed
     * follows. */
    struct conn *(*open)(struct link *link, const struct conn_info *info, struct span alpn);
    /* The conn has been destroyed. `reason` is 0 for an orderly end on both sides,
     * HERALD_ERROR_CLOSED (the peer reset or left early), _TIMEOUT, _TLS, _IO, _RESOLVE, _REFUSED,
     * _PROTOCOL or what the conn returned; link_error_text says more. */
    void (*closed)(struct link *link, int reason);
    /* Server: an accepted link ended before `open` (failed handshake, silence). May be NULL. */
    void (*failed)(struct link *link, int reason);
};

/* What accepted links of a listener share. The owner keeps it until links_count is 0. Zero
 * durations mean the defaults. */
struct link_server {
    struct loop *loop;
    struct tls_context *tls; /* NULL: cleartext */
    const struct link_ops *ops;
    void *user;
    bool http1_only, http2_only;   /* cleartext: no detection */
    herald_time handshake_timeout; /* from accept to the end of the handshake, and to the first
                                      bytes in cleartext; 10 s */
    herald_time linger_timeout;    /* after our last byte, in all; 5 s */
    size_t maximum_links;          /* 0: none; beyond it the oldest waits in the backlog */
    struct list links;             /* the list's; link_server_init */
    size_t link_count;
    struct list listeners; /* those that wait for room */
};

void link_server_init(struct link_server *server, struct loop *loop, const struct link_ops *ops,
                      void *user);

/* Takes a connected, non-blocking socket (owned from now on, also on error). Used by listeners, and
 * by tests with socketpair(2). `peer` may be NULL (then getpeername is asked). Returns 0 or a
 * negative code; after an error nothing is left. */
int link_accept(struct link_server *server, int descriptor, const struct sockaddr *peer);

/* Calls `visit` for every link of the server, which may close it. */
void link_server_each(struct link_server *server, void (*visit)(struct link *, void *user),
                      void *user);

struct link_target {
    const char *host; /* name or numeric address, no brackets */
    uint16_t port;
    const char *unix_path;   /* instead of host and port, or NULL */
    struct tls_context *tls; /* NULL: cleartext */
    const char *server_name; /* for SNI and verification; NULL: host */
    const char *const *alpn; /* offered, in order; cleartext: the first is spoken */
    size_t alpn_count;
    herald_time connect_timeout;   /* resolving and connecting; 0: 5 s */
    herald_time handshake_timeout; /* 0: 10 s */
};

/* Starts connecting. All addresses of the host are tried, a later one starts when the earlier fails
 * or has not answered within 250 ms. Nothing is called before this returns; `target` is copied
 * (its tls is retained). Returns 0, HERALD_ERROR_NOMEM, _INVALID or _IO. */
int link_connect(struct loop *loop, const struct link_target *target, const struct link_ops *ops,
                 void *user, struct link **link);

/* The conn has something to pull, or its deadline or wants_read changed. Only notes it; the link is
 * served at the end of the turn. */
void link_wake(struct link *link);

/* Graceful: conn->ops->shutdown; a link without a conn is closed. */
void link_shutdown(struct link *link);

/* At once: the conn is destroyed, what is unsent is dropped (TLS peers get a close_notify when the
 * socket takes it). ops->closed is called at the end of the turn, not within. */
void link_close(struct link *link, int reason);

void *link_user(const struct link *link); /* as given to link_connect, or the server's user */
void link_set_user(struct link *link, void *user);
struct loop *link_loop(const struct link *link);
struct conn *link_conn(const struct link *link); /* NULL before open and after the end */
struct link_server *link_get_server(const struct link *link); /* NULL for a client's */
const struct conn_info *link_info(const struct link *link);
bool link_is_resumed(const struct link *link);   /* the TLS session was resumed */
uint64_t link_bytes_in(const struct link *link); /* on the wire */
uint64_t link_bytes_out(const struct link *link);

/* A phrase for the error that ended the link: "connection refused", "the certificate has expired",
 * "the certificate is not valid for 'x'"; else herald_error_text. Never NULL; valid until
 * ops->closed returns. */
const char *link_error_text(const struct link *link);

/* When each step was done, for the client's timing lines; 0: not (yet). */
struct link_timing {
    herald_time started, resolved, connected, secured;
};
const struct link_timing *link_get_timing(const struct link *link);

#endif
