/* The engine's side of an exchange (see http/exchange.h for the handler's). */
#ifndef HTTP_EXCHANGE_ENGINE_H
#define HTTP_EXCHANGE_ENGINE_H

#include "http/exchange.h"

/* What an engine does for its exchanges. None of them may call an event. */
struct exchange_ops {
    /* Items, body or the end have been queued: mark the stream ready and wake the connection. */
    void (*wake)(struct exchange *exchange);
    /* The owner has read `length` bytes: give credit. */
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

/* A client's exchange enters an engine: sets conn, ops, stream, takes the engine's hold. */
void exchange_attach(struct exchange *exchange, struct conn *conn, const struct exchange_ops *ops,
                     void *stream);

/* The next thing to send before the body, or NULL. For a head: exchange->outgoing is the message.
 * exchange_item_done drops it once it has been written. */
struct exchange_item *exchange_next_item(struct exchange *exchange);
void exchange_item_done(struct exchange *exchange, struct exchange_item *item);

/* True when body bytes, the end or trailers can be written now (items come first). */
bool exchange_body_ready(const struct exchange *exchange);

/* Moves outgoing body bytes into the engine's frame. Returns the count, 0 for none, negative when
 * the source failed (abort the stream). `*end`: nothing follows these bytes but, when
 * outgoing_trailers.count > 0, trailers. Calls `writable` when room has come. */
int64_t exchange_body_read(struct exchange *exchange, uint8_t *destination, size_t capacity,
                           bool *end);

/* Incoming, in order. The head is in exchange->incoming and checked by message rules already. These
 * call the owner's events and may see the exchange cancelled or released on return: check
 * exchange->released / exchange->closed. deliver_body returns 0 or HERALD_ERROR_NOMEM/LIMIT (the
 * engine resets the stream). When the input is discarded it consumes at once. */
void exchange_deliver_head(struct exchange *exchange);
void exchange_deliver_informational(struct exchange *exchange, const struct message *message);
int exchange_deliver_body(struct exchange *exchange, struct span data);
void exchange_deliver_end(struct exchange *exchange);

/* A promised exchange reaches the client's owner; returns 0, or HERALD_ERROR_REFUSED when it takes
 * no pushes. */
int exchange_deliver_promise(struct exchange *exchange, struct exchange *promised);

/* The stream is over: `closed` is called unless the owner has released or cancelled; then the
 * engine's hold is dropped and the pointer is dead for the engine. */
void exchange_deliver_closed(struct exchange *exchange, int reason);

/* Drops one hold; frees at zero. */
void exchange_unhold(struct exchange *exchange);

#endif
