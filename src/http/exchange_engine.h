/* The engine's side of an exchange (see http/exchange.h for the handler's). */
#ifndef HTTP_EXCHANGE_ENGINE_H
#define HTTP_EXCHANGE_ENGINE_H

#include "http/exchange.h"

/* What an engine does for its exchanges. None of them may call an event. They may call
 * exchange_deliver_closed only from `cancel` and `released`. */
struct exchange_ops {
    /* Items, body or the end have been queued, or a starved source is ready: mark the stream ready
     * and wake the connection. */
    void (*wake)(struct exchange *exchange);
    /* The owner has read `length` bytes, or unread ones have been dropped for it: give credit. */
    void (*consumed)(struct exchange *exchange, size_t length);
    /* The owner wants no more input. */
    void (*discard)(struct exchange *exchange);
    /* 0 when a push may be queued on this exchange now, or the code exchange_push returns. */
    int (*can_push)(const struct exchange *exchange);
    /* Client: a promised exchange has been accepted. */
    void (*accept_push)(struct exchange *promised);
    /* Abort the stream with the engine's code for `reason`. */
    void (*cancel)(struct exchange *exchange, int reason);
    /* The owner's work has ended: free the slot. */
    void (*released)(struct exchange *exchange);
    void (*reprioritise)(struct exchange *exchange);
};

/* A server's exchange, one hold (the engine's); the owner's hold is taken by conn_dispatch.
 * `account` is the connection's. NULL when memory is out. */
struct exchange *exchange_new(struct conn *conn, const struct exchange_ops *ops, void *stream,
                              const struct limits *limits, struct account *account);

/* A client's exchange enters an engine: sets conn, ops, stream, takes the engine's hold, counts it
 * in conn->running. Its head, and perhaps body and end, are queued already: the first item is the
 * EXCHANGE_HEAD. */
void exchange_attach(struct exchange *exchange, struct conn *conn, const struct exchange_ops *ops,
                     void *stream);

/* The next thing to send before the body, or NULL. For a head: exchange->outgoing is the message,
 * and the engine tells from exchange_body_is_empty whether the head can carry the end of the
 * message. For a promise: give the promised exchange its stream, id and ops, write the frame, call
 * exchange_item_done and then conn_dispatch. exchange_item_done drops the item once it has been
 * written. */
struct exchange_item *exchange_next_item(struct exchange *exchange);
void exchange_item_done(struct exchange *exchange, struct exchange_item *item);

/* True when the outgoing message is known to have neither body bytes nor trailers to come. */
bool exchange_body_is_empty(const struct exchange *exchange);

/* True when body bytes, the end or trailers can be written now (items come first). Stays true until
 * the engine sets out_complete. */
bool exchange_body_ready(const struct exchange *exchange);

/* Moves outgoing body bytes into the engine's frame. Returns the count, 0 for none, negative when
 * the source failed or ended before the Content-Length (abort the stream). `*end`: nothing follows
 * these bytes but, when outgoing_trailers.count > 0, trailers; the engine sets out_complete when
 * all of that is written. Calls `writable` when room has come, so the exchange may be cancelled or
 * released on return. */
int64_t exchange_body_read(struct exchange *exchange, uint8_t *destination, size_t capacity,
                           bool *end);

/* Incoming, in order. The head is in exchange->incoming and checked by message rules already. These
 * call the owner's events and may see the exchange cancelled or released on return: check
 * exchange->released / exchange->closed.
 *
 * deliver_head: client only calls `head`; a server's engine follows it with conn_dispatch (after
 * deliver_end when the head was all there is, so that the handler sees a complete message at once).
 *
 * deliver_body returns 0, HERALD_ERROR_MALFORMED for more bytes than Content-Length or for bytes of
 * a message that has no content, or HERALD_ERROR_NOMEM/LIMIT; the engine resets the stream. When
 * the input is discarded it consumes at once, up to limits->drain_size bytes; past that no credit
 * is given and exchange_drain_exceeded tells the engine to stop the peer.
 *
 * deliver_end returns 0, or HERALD_ERROR_MALFORMED when fewer bytes than Content-Length came. Set
 * exchange->trailers before it.
 *
 * deliver_informational returns 0, or HERALD_ERROR_LIMIT past limits->informational_count. */
void exchange_deliver_head(struct exchange *exchange);
int exchange_deliver_informational(struct exchange *exchange, const struct message *message);
int exchange_deliver_body(struct exchange *exchange, struct span data);
int exchange_deliver_end(struct exchange *exchange);
bool exchange_drain_exceeded(const struct exchange *exchange);

/* After a dispatch that came later than some of the body: `readable`, when there is something to
 * read and the owner is still there. */
void exchange_deliver_late(struct exchange *exchange);

/* A promised exchange (made by exchange_new, its request in promised->outgoing) reaches the
 * client's owner, which holds it from then on. Returns 0, or HERALD_ERROR_REFUSED when it takes no
 * pushes: then the engine refuses the stream and calls exchange_deliver_closed or exchange_unhold.
 */
int exchange_deliver_promise(struct exchange *exchange, struct exchange *promised);

/* The stream is over: unwritten promises are dropped, `closed` is called unless the owner has
 * released or cancelled, then host->completed (engines do not call it themselves); then the
 * engine's hold is dropped and the pointer is dead for the engine. Bytes that the owner has not
 * read (exchange->in.queued) stay readable for it, but no credit will be asked for: give the
 * connection's back before this call. */
void exchange_deliver_closed(struct exchange *exchange, int reason);

/* Drops one hold; frees at zero. */
void exchange_unhold(struct exchange *exchange);

#endif
