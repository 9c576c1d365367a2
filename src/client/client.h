/* The client: requests to any number of origins over a pool of connections, HTTP/2 multiplexed,
 * HTTP/1.1 kept alive. All of one loop and its thread; nothing here blocks. The reverse proxy,
 * `herald get` and the load generator stand on it.
 *
 * Order of a request's events: informational*, pushed*, head, readable*, closed. No function below
 * calls an event before it returns; events come from the loop.
 */
#ifndef CLIENT_CLIENT_H
#define CLIENT_CLIENT_H

#include "http/conn.h"

struct loop;
struct tls_context;
struct client;
struct client_request;

/* Where a request goes. Text is copied. Requests with equal targets share connections. */
struct client_target {
    const char *scheme; /* "http" or "https" */
    const char *host; /* name or address literal without brackets; also the name verified by TLS */
    uint16_t port;
    const char *unix_path;    /* not NULL: connect there */
    const char *connect_host; /* not NULL: connect there, all else as if to host */
    uint16_t connect_port;    /* not 0: the same for the port */
};

struct client_config {
    struct loop *loop;
    /* Offered by ALPN in this order; for cleartext the first one with version HTTP_1_1, or an
     * HTTP_2 one (prior knowledge) when there is no other or `prior_knowledge` is set. Outlives the
     * client. */
    const struct engine *const *engines;
    size_t engine_count;
    bool prior_knowledge;
    const struct limits *limits; /* outlives the client; NULL: limits_default */
    struct tls_context *tls;     /* client side; outlives the client. NULL: no https */
    struct frame_trace *trace;   /* may be NULL */
    bool push;                   /* let servers push; requests without `pushed` still refuse */
    uint64_t seed;               /* for the engines */
    /* 0 stands for the default in brackets. */
    uint32_t connections_http1;     /* an origin (6) */
    uint32_t connections_multiplex; /* an origin, HTTP/2 (1) */
    uint32_t connections_total;     /* (256); further requests wait */
    uint32_t queue_length;          /* requests waiting for a connection, an origin (1024) */
    herald_time connect_timeout;    /* name, connect and handshake (10 s) */
    herald_time idle_timeout;       /* an idle connection is closed after it (60 s) */
    /* What happens to connections, for `get -v`; `text` is one line without newline. May be NULL.
     */
    void (*note)(void *user, uint64_t connection, const char *text);
    void *note_user;
};

/* NULL when memory is out. */
struct client *client_create(const struct client_config *config);

/* Ends every request (closed with HERALD_ERROR_CANCELLED is called for those that are held) and
 * every connection. Requests must still be released, before or after. Connections go at the end of
 * the loop's turn, or in loop_destroy: `limits` and `trace` must live until then. */
void client_destroy(struct client *client);

/* Graceful: idle connections close now, the others after their last request; new requests are
 * refused with HERALD_ERROR_STATE. */
void client_shutdown(struct client *client);

/* Open or opening connections: 0 after client_shutdown when all is over. */
size_t client_connection_count(const struct client *client);

struct client_events {
    /* A 1xx response; `message` lives until the call returns. May be NULL. */
    void (*informational)(struct client_request *request, const struct message *message);
    /* The final head is in request->exchange->incoming. Content is never decoded. */
    void (*head)(struct client_request *request);
    /* Body bytes or the end: exchange_peek/exchange_consume or exchange_read until nothing is left;
     * exchange_at_end tells the end, request->exchange->trailers has the trailers. Edge: not
     * repeated until more has come. */
    void (*readable)(struct client_request *request);
    /* exchange_can_write(request->exchange) has become true again. May be NULL. */
    void (*writable)(struct client_request *request);
    /* The server promised a response; promised->exchange->outgoing is the promised request, of this
     * request's origin. True takes it: `promised` is then an own request, held by the callee, which
     * sets promised->events and user here and releases it later. False refuses it. NULL: refuse. */
    bool (*pushed)(struct client_request *request, struct client_request *promised);
    /* Exactly once unless released before; no event follows. 0: both messages are complete (body
     * bytes may still be unread). Else HERALD_ERROR_RESOLVE, IO (connect), TLS, TIMEOUT, CLOSED
     * (gone before the end), CANCELLED (reset by the peer), REFUSED (safe to repeat), PROTOCOL,
     * MALFORMED, LIMIT, NOMEM. client_request_error has a line of text. */
    void (*closed)(struct client_request *request, int reason);
};

enum client_body {
    CLIENT_BODY_BYTES, /* options->body, maybe empty; the client may repeat the request */
    CLIENT_BODY_STREAM /* the caller writes by exchange_write* and exchange_finish on
                          request->exchange, from the return of client_request_start on */
};

struct client_request_options {
    struct client_target target;
    /* method, scheme, authority, path, fields; copied. For CLIENT_BODY_STREAM content_length is the
     * length of the body to come, or CONTENT_LENGTH_UNKNOWN; for CLIENT_BODY_BYTES it is ignored:
     * the length of `body` is sent where it means something. */
    struct message message;
    enum client_body body_kind;
    struct span body; /* CLIENT_BODY_BYTES: lives until release */
    struct priority priority;
    bool has_priority; /* false: PRIORITY_DEFAULT, nothing sent */
    /* From client_request_start; 0: none but the client's connect_timeout. */
    herald_time connect_timeout;    /* until the request has a connection, waiting included */
    herald_time first_byte_timeout; /* from having a connection to the final head */
    herald_time total_timeout;
    bool never_retry;
    const struct client_events *events;
    void *user;
};

/* Queues a request; it goes out when there is a connection for it (opened as needed), in order of
 * arrival for each target. Repeated on another connection, at most 3 times and only while nothing
 * was shown to the owner, when the peer provably has not processed it (HERALD_ERROR_REFUSED), or
 * when a kept-alive connection was closed before any byte of an answer and the method is
 * idempotent; CLIENT_BODY_BYTES only.
 *
 * Returns 0 and the request, held by the caller until client_request_release. Else
 * HERALD_ERROR_LIMIT (queue full), STATE (shutting down), UNSUPPORTED (https without TLS context,
 * no engine for the target), INVALID (bad target or message), NOMEM. */
int client_request_start(struct client *client, const struct client_request_options *options,
                         struct client_request **request);

/* Aborts it (RST_STREAM, or the end of an HTTP/1.1 connection); `closed` does not follow. `reason`
 * as exchange_cancel. */
void client_request_cancel(struct client_request *request, int reason);

/* The owner's work has ended; aborts what is unfinished. Exactly once; the pointer is dead then.
 * Legal inside events. */
void client_request_release(struct client_request *request);

/* One line about why it failed ("connect to 127.0.0.1 port 9: Connection refused"), or
 * herald_error_text. Never NULL; lives as long as the request. */
const char *client_request_error(const struct client_request *request);

/* The connection that serves it, or NULL (waiting, or gone): addresses, TLS, ALPN version. */
const struct conn *client_request_connection(const struct client_request *request);

/* The caller may use the first members. */
struct client_request {
    struct exchange *exchange; /* may be replaced by a repetition until an event was called */
    const struct client_events *events;
    void *user;
    bool is_pushed;
    bool is_closed;
    unsigned attempts; /* times handed to a connection */
};

#endif
