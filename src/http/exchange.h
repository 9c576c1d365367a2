/* An exchange: one request and its responses, the same for HTTP/1.1, HTTP/2 and HTTP/3 and for both
 * roles. This is the handler's side of the contract (on a client, the "handler" is the code that
 * asked). The engine's side is http/exchange_engine.h.
 *
 * Rules that make it easy to use:
 *  - No exchange_* function calls an event of this exchange, or a handler, before it returns.
 * Events come from the engine's recv, pull, expire and destroy.
 *  - The owner holds the exchange from handler->start (or exchange_new_request) until
 * exchange_release, which it calls exactly once, when its *work* has ended; the stream's slot is
 * taken until then, whatever the peer does.
 *  - After `closed` only reading calls and exchange_release are useful; others return
 * HERALD_ERROR_CLOSED.
 *  - Lifetimes: everything an exchange points to lives in its arena, until release.
 */
#ifndef HTTP_EXCHANGE_H
#define HTTP_EXCHANGE_H

#include "base/list.h"
#include "base/time.h"
#include "http/body.h"
#include "http/limits.h"
#include "http/message.h"
#include "http/priority.h"

struct conn;
struct exchange;
struct exchange_ops;

struct exchange_events {
    /* Client: the final response head is in exchange->incoming. (A server's handler gets
     * handler->start instead.) */
    void (*head)(struct exchange *exchange);
    /* Client: a 1xx response; `message` lives until the call returns. May be NULL. */
    void (*informational)(struct exchange *exchange, const struct message *message);
    /* Body bytes or the end of the incoming message can be read. Not repeated until the handler has
     * read all there was (edge), so read until exchange_read returns 0. */
    void (*readable)(struct exchange *exchange);
    /* exchange_can_write has become true again. */
    void (*writable)(struct exchange *exchange);
    /* Client: the server promised `promised` (its request is in promised->outgoing). The receiver
     * holds it and calls exchange_accept_push or exchange_cancel, then exchange_release. NULL:
     * refuse every push. */
    void (*pushed)(struct exchange *exchange, struct exchange *promised);
    /* Terminal, exactly once unless released before: 0 when both messages are complete,
     * HERALD_ERROR_CANCELLED (the peer reset it), HERALD_ERROR_REFUSED (safe to retry),
     * HERALD_ERROR_CLOSED, HERALD_ERROR_TIMEOUT, ... No event follows. */
    void (*closed)(struct exchange *exchange, int reason);
};

enum exchange_item_kind { EXCHANGE_INFORMATIONAL, EXCHANGE_PROMISE, EXCHANGE_HEAD };

/* What waits to be sent before the body, in the order of the calls. */
struct exchange_item {
    struct list node;
    enum exchange_item_kind kind;
    struct message message;    /* informational and head */
    struct exchange *promised; /* promise */
};

struct exchange_timing {
    herald_time started;   /* first byte of the request seen, or request submitted */
    herald_time head;      /* incoming head complete */
    herald_time responded; /* first byte of the final response handed to the transport (server) or
                              seen (client) */
    herald_time ended;
};

struct exchange {
    struct conn *conn;                    /* NULL once the connection is gone */
    struct list conn_node;                /* in conn->exchanges */
    const struct exchange_ops *ops;       /* the engine's half; NULL once the stream is gone */
    void *stream;                         /* the engine's */
    const struct exchange_events *events; /* the owner's half; set it in handler->start */
    void *user;                           /* the owner's */
    void *server_data;                    /* the server layer's (access log, policy) */

    struct arena arena;
    struct message incoming; /* server: the request; client: the final response */
    struct message outgoing; /* server: the final response; client: the request */
    struct fields trailers;  /* of the incoming message, once at its end */
    struct fields outgoing_trailers;
    struct body in, out;
    struct list items; /* of struct exchange_item */
    const struct fields
        *defaults; /* fields added to a final response unless it has them (server, date, alt-svc) */
    const struct limits *limits;
    struct priority priority;
    struct exchange *parent; /* of a pushed exchange, which holds it */
    uint64_t id;             /* stream id, or the request's number on an HTTP/1.1 connection */
    uint64_t body_bytes_in, body_bytes_out; /* body bytes through the engine */
    uint64_t out_written;                   /* body bytes the owner has written */
    uint64_t in_drained;                    /* bytes that came after the owner wanted no more */
    struct exchange_timing timing;
    uint64_t deadline_progress; /* the engine's: bytes at the last check of the stall rule */
    int reason;                 /* as given to closed */
    unsigned holds;             /* engine and owner: freed at 0 */
    unsigned informational_sent, informational_received;
    bool is_client : 1;
    bool is_pushed : 1;
    bool head_received : 1; /* incoming is valid */
    bool in_ended : 1;      /* the incoming message is complete */
    bool in_discarded : 1;  /* the owner wants no more of it */
    bool readable_pending : 1;
    bool head_queued : 1;    /* outgoing final head has been given */
    bool out_ended : 1;      /* exchange_finish or exchange_write_source has been called */
    bool out_complete : 1;   /* all of the outgoing message has gone to the transport: set by the
                                engine when it has written the end */
    bool out_no_content : 1; /* a response to HEAD, 204, 304: no body bytes reach the engine */
    bool owned : 1;          /* the owner has its hold */
    bool want_writable : 1;  /* the owner saw no room: tell it */
    bool tunnel : 1;         /* CONNECT or upgrade accepted: bodies are tunnel bytes */
    bool closed : 1;
    bool released : 1;
    bool early_data : 1; /* the request came in 0-RTT and may be a replay */
};

/* How many exchanges' memory (4 KiB each) the calling thread keeps for new ones rather than give it
 * back; 0 at first, so that tests see every allocation, and 0 frees what is kept. */
void exchange_keep_spare(unsigned maximum);

/* Server. Queues an interim response, 100 to 199 without 101. Returns 0; HERALD_ERROR_STATE after
 * the final head or on a client; HERALD_ERROR_INVALID for a bad status or field; HERALD_ERROR_LIMIT
 * past limits->informational_count; HERALD_ERROR_UNSUPPORTED when the peer is HTTP/1.0; NOMEM;
 * CLOSED. Fields are copied. */
int exchange_inform(struct exchange *exchange, unsigned status, const struct field *fields,
                    size_t count);

/* Server. Gives the final head (200 to 999; 101 when the request asked for an upgrade). Fields are
 * copied and checked (RFC 9110 section 5.5): HERALD_ERROR_INVALID for CR, LF, NUL or a bad name,
 * nothing is queued then. Connection-specific fields (RFC 9113 section 8.2.2) are dropped.
 * `content_length`: of the body to come, or CONTENT_LENGTH_UNKNOWN; a Content-Length among the
 * fields is used when it is unknown. HERALD_ERROR_STATE when a head was given before. */
int exchange_respond(struct exchange *exchange, unsigned status, const struct field *fields,
                     size_t count, uint64_t content_length);

/* Appends to the outgoing body. A server must have responded. Returns 0; HERALD_ERROR_STATE;
 * HERALD_ERROR_LIMIT when more than the Content-Length given (what fits has been appended); NOMEM;
 * CLOSED. Ask exchange_can_write first: there is no other brake. Bytes of a response that has no
 * content (HEAD, 204, 304) are counted and dropped. */
int exchange_write(struct exchange *exchange, struct span data);

/* As exchange_write without copying; `release(owner)` is called exactly once, also on error. */
int exchange_write_reference(struct exchange *exchange, struct span data,
                             void (*release)(void *owner), void *owner);

/* The rest of the outgoing body comes from `source` (owned from now on, also on error) and ends
 * with it: exchange_finish need not follow. With a known Content-Length the source is read for
 * exactly the bytes that are missing; when it ends before them the exchange is aborted. Returns as
 * exchange_write. */
int exchange_write_source(struct exchange *exchange, struct body_source *source);

/* The source has bytes again after it returned 0. */
void exchange_source_ready(struct exchange *exchange);

/* True while less than limits->body_out_buffer is queued and the connection's memory is below its
 * soft mark (or hardly anything of this exchange is queued). When false, `writable` will be called.
 */
bool exchange_can_write(struct exchange *exchange);

/* Ends the outgoing message, with trailers when count > 0 (dropped for HTTP/1.0 and lengths known
 * to HTTP/1.1). Returns 0; HERALD_ERROR_STATE; HERALD_ERROR_INVALID when fewer bytes than
 * Content-Length were written: the exchange has then been cancelled (the peer must not take it for
 * complete); NOMEM; CLOSED. */
int exchange_finish(struct exchange *exchange, const struct field *trailers, size_t count);

/* Incoming body. Reading gives flow-control credit back to the peer. exchange_peek returns the
 * oldest contiguous bytes. When nothing has come yet, the first read or peek of a request that
 * expects it queues the 100 (Continue). */
size_t exchange_read(struct exchange *exchange, uint8_t *destination, size_t capacity);
struct span exchange_peek(struct exchange *exchange);
void exchange_consume(struct exchange *exchange, size_t length);

/* True when the whole incoming message, trailers included, has been read. */
bool exchange_at_end(const struct exchange *exchange);

/* The rest of the incoming body is not wanted: what comes is dropped with credit up to
 * limits->drain_size, then the engine stops the peer (RST_STREAM NO_ERROR after the response;
 * HTTP/1.1: close). */
void exchange_discard_input(struct exchange *exchange);

/* Server. Promises a response to `request` (method GET or HEAD, scheme, authority, path, fields;
 * copied; an empty scheme or authority is taken from this exchange's request) on this exchange. On
 * success the pushed exchange will be dispatched as if it had been requested. Returns 0;
 * HERALD_ERROR_UNSUPPORTED when the peer takes no pushes (or the protocol has none, or this
 * exchange is itself pushed); HERALD_ERROR_LIMIT at the stream limit; HERALD_ERROR_STATE when the
 * response is complete; HERALD_ERROR_INVALID for a request that may not be promised; NOMEM; CLOSED.
 */
int exchange_push(struct exchange *exchange, const struct message *request);

/* True when exchange_push could succeed now. */
bool exchange_can_push(const struct exchange *exchange);

/* Client: takes a promised exchange; its events follow. */
int exchange_accept_push(struct exchange *promised);

/* Ends the exchange in both directions so that the peer cannot take it for complete. reason:
 * HERALD_ERROR_CANCELLED (no longer wanted), HERALD_ERROR_INTERNAL (our failure),
 * HERALD_ERROR_REFUSED (not processed), HERALD_ERROR_PROTOCOL. `closed` does not follow. The owner
 * still releases. */
void exchange_cancel(struct exchange *exchange, int reason);

/* Changes the priority: a client tells the server (PRIORITY_UPDATE), a server its own scheduler. */
int exchange_set_priority(struct exchange *exchange, struct priority priority);

/* The owner's work has ended. An unfinished outgoing message is cancelled with
 * HERALD_ERROR_INTERNAL; a finished one goes on to the peer by itself. The pointer is dead for the
 * owner. */
void exchange_release(struct exchange *exchange);

/* Client: a new request; `request` is copied. The body follows by exchange_write/exchange_finish
 * (finish at once when there is none). Hand it to conn->ops->request. NULL when memory is out, or
 * when the method, target or a field could not be sent. */
struct exchange *exchange_new_request(const struct message *request, const struct limits *limits,
                                      const struct exchange_events *events, void *user);

#endif
