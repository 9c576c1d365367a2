/* What the files of the link share: link.c (life), link_input.c (reading), link_output.c (writing),
 * link_client.c (connecting). */
#ifndef NET_LINK_PRIVATE_H
#define NET_LINK_PRIVATE_H

#include "base/buf.h"
#include "net/link.h"
#include "net/tls_session.h"

#define LINK_PREFACE_SIZE              24
#define LINK_NOTSENT_LOWAT             (16 * 1024)
#define LINK_BURST_MINIMUM             (32 * 1024) /* with the above: what a newcomer may have to wait for */
#define LINK_UNSENT_MAXIMUM            (256 * 1024)
#define LINK_DEFAULT_HANDSHAKE_TIMEOUT (10 * HERALD_SECOND)
#define LINK_DEFAULT_LINGER_TIMEOUT    (5 * HERALD_SECOND)
#define LINK_ENDING_LIMIT              (30 * HERALD_SECOND)

enum link_state {
    LINK_CONNECTING, /* no socket yet */
    LINK_HANDSHAKE,
    LINK_DETECTING, /* cleartext, waiting for the first bytes */
    LINK_RUNNING,
    LINK_ENDING,    /* the conn has ended or never was; the rest goes out, input is dropped */
    LINK_LINGERING, /* all is said; waiting for the peer's end, so that no RST eats our last bytes
                     */
    LINK_DEAD
};

struct link_client;

struct link {
    struct loop *loop;
    const struct link_ops *ops;
    void *user;
    struct conn *conn;
    struct tls_session *tls;
    struct link_server *server; /* NULL for a client's */
    struct link_client *client; /* NULL for a server's */
    struct list node;           /* in server->links */

    uv_poll_t poll;
    int descriptor;
    int interest; /* libuv events asked for */
    enum link_state state;
    int reason;

    bool opened;       /* ops->open gave a conn */
    bool blocked;      /* the socket is full: wait until it is writable */
    bool drained;      /* the conn had nothing more to say */
    bool secured;      /* the TLS handshake is done */
    bool input_closed; /* close_notify */
    bool input_ended;  /* FIN */
    bool said_goodbye; /* close_notify and FIN are on their way */
    bool close_wanted; /* at the end of this turn */
    bool has_handle;   /* `poll` is initialised */
    bool deaf;         /* priority data came: do not even listen for errors */

    uint32_t burst; /* bytes the next pass may pull */
    uint32_t ramp;  /* bytes sent since the start or a pause: small records while few */
    uint8_t sniffed_length;
    uint8_t sniffed[LINK_PREFACE_SIZE];
    struct buf unsent; /* on the wire's side of TLS */

    struct loop_work work;
    struct loop_timer timer;
    herald_time deadline; /* the link's own; HERALD_NEVER while running */
    herald_time ending_limit, linger;
    herald_time written; /* last send */

    uint64_t bytes_in, bytes_out;
    struct conn_info info;
    char peer_address[INET6_ADDRSTRLEN], local_address[INET6_ADDRSTRLEN];
    char *error;
};

/* Whether `recv` of the socket makes sense now. */
static inline bool link_wants_input(const struct link *link)
{
    if (link->input_ended)
        return false;
    return link->state != LINK_RUNNING || (link->conn != NULL && link->conn->wants_read);
}

/* link.c */
struct link *link_new(struct loop *loop, const struct link_ops *ops, void *user);
void link_free(struct link *link);
/* Takes `descriptor` into the loop and fills the addresses. 0, or negative with nothing changed. */
int link_adopt(struct link *link, int descriptor, const struct sockaddr *peer);
/* Calls ops->open. 0; HERALD_ERROR_REFUSED: the link is ending. */
int link_open(struct link *link, struct span alpn);
/* The conn, or the handshake, is over: what is left is sent, then the link closes with `reason`. */
void link_end(struct link *link, int reason);
void link_set_error(struct link *link, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* link_close for an errno. */
void link_fail(struct link *link, int reason);
/* Destroys now; only from the link's own work. */
void link_finish(struct link *link);
void link_on_timer(struct loop_timer *timer, herald_time now);

/* link_input.c */
void link_on_poll(uv_poll_t *poll, int status, int events);
/* A TLS handshake step with these bytes (none: the client's first flight). */
void link_step_handshake(struct link *link, struct span data);

/* link_output.c */
void link_serve(struct loop_work *work, herald_time now);
/* What a TLS call has left in `sink` goes out with the end of the turn. */
void link_stage(struct link *link, const struct tls_sink *sink);

/* link_client.c */
void link_client_free(struct link_client *client);
void link_client_secured(struct link_client *client, herald_time now);

/* listener.c: a link of the server is gone; listeners that waited for room go on. */
void listener_room(struct link_server *server);

#endif
