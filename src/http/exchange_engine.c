#include "http/exchange_internal.h"

struct exchange *exchange_new(struct conn *conn, const struct exchange_ops *ops, void *stream,
                              const struct limits *limits, struct account *account)
{
    struct exchange *exchange = exchange_create(limits, account);

    if (exchange == NULL)
        return NULL;
    exchange->ops = ops;
    exchange->stream = stream;
    exchange_hold(exchange);
    exchange_enter_conn(exchange, conn);
    return exchange;
}

void exchange_attach(struct exchange *exchange, struct conn *conn, const struct exchange_ops *ops,
                     void *stream)
{
    struct account *account = &conn->account;
    exchange->ops = ops;
    exchange->stream = stream;
    exchange_hold(exchange);
    exchange_enter_conn(exchange, conn);
    conn->running++;
    if (account_charge(account, exchange_charge(exchange)) == 0)
        exchange->arena.account = account;
    body_move_account(&exchange->in, account);
    body_move_account(&exchange->out, account);
}

struct exchange_item *exchange_next_item(struct exchange *exchange)
{
    struct list *node = list_first(&exchange->items);

    return node == NULL ? NULL : CONTAINER_OF(node, struct exchange_item, node);
}

bool exchange_body_is_empty(const struct exchange *exchange)
{
    return body_is_done(&exchange->out) && exchange->outgoing_trailers.count == 0;
}

bool exchange_body_ready(const struct exchange *exchange)
{
    return exchange->head_queued && list_is_empty(&exchange->items) && !exchange->out_complete &&
           !exchange->closed && body_is_ready(&exchange->out);
}

static bool has_length(const struct exchange *exchange)
{
    return exchange->outgoing.content_length != CONTENT_LENGTH_UNKNOWN && !exchange->tunnel &&
           !exchange->out_no_content;
}

/* A source is read for exactly the bytes that Content-Length has left: a file that has grown is cut
 * there, one that has shrunk must not look complete. */
static int64_t read_measured(struct exchange *exchange, uint8_t *destination, size_t capacity,
                             bool *end)
{
    uint64_t left = exchange->outgoing.content_length - exchange->body_bytes_out;
    int64_t count = 0;

    *end = body_is_done(&exchange->out);
    if (left != 0 && !*end)
        count =
            body_read(&exchange->out, destination, left < capacity ? (size_t)left : capacity, end);
    if (count < 0)
        return count;
    if ((uint64_t)count == left) {
        body_free(&exchange->out);
        exchange->out.ended = true;
        *end = true;
    }
    return *end && (uint64_t)count < left ? HERALD_ERROR_INVALID : count;
}

int64_t exchange_body_read(struct exchange *exchange, uint8_t *destination, size_t capacity,
                           bool *end)
{
    int64_t count;

    if (has_length(exchange) && exchange->out.source != NULL)
        count = read_measured(exchange, destination, capacity, end);
    else
        count = body_read(&exchange->out, destination, capacity, end);
    if (count < 0)
        return count;
    exchange->body_bytes_out += (uint64_t)count;
    /* Not before half is free, so that a handler is not woken for every frame. */
    if (exchange->want_writable && !exchange->closed &&
        exchange->out.queued <= exchange->out.high_water / 2 && exchange_has_room(exchange)) {
        exchange->want_writable = false;
        if (exchange->events != NULL && exchange->events->writable != NULL)
            exchange->events->writable(exchange);
    }
    return count;
}

static bool listens(const struct exchange *exchange)
{
    return exchange->events != NULL && !exchange->closed && !exchange->released;
}

void exchange_deliver_head(struct exchange *exchange)
{
    exchange->head_received = true;
    if (!exchange->is_client)
        return;
    unsigned status = exchange->incoming.status;
    if ((status / 100 == 2 && span_equals(exchange->outgoing.method, SPAN_LITERAL("CONNECT"))) ||
        (status == 101 && exchange->outgoing.upgrade))
        exchange->tunnel = true;
    if (listens(exchange) && exchange->events->head != NULL)
        exchange->events->head(exchange);
}

int exchange_deliver_informational(struct exchange *exchange, const struct message *message)
{
    if (++exchange->informational_received > exchange->limits->informational_count)
        return HERALD_ERROR_LIMIT;
    if (listens(exchange) && exchange->events->informational != NULL)
        exchange->events->informational(exchange, message);
    return 0;
}

static void tell_readable(struct exchange *exchange)
{
    if (!listens(exchange) || exchange->events->readable == NULL)
        return;
    exchange->readable_pending = true;
    exchange->events->readable(exchange);
}

void exchange_deliver_late(struct exchange *exchange)
{
    if (exchange->in.queued > 0 && !exchange->closed)
        tell_readable(exchange);
}

/* How many body bytes the incoming message may have. */
static uint64_t incoming_maximum(const struct exchange *exchange)
{
    if (exchange->tunnel)
        return UINT64_MAX;
    if (exchange->is_client &&
        !message_response_has_content(exchange->outgoing.method, exchange->incoming.status))
        return 0;
    return exchange->incoming.content_length; /* CONTENT_LENGTH_UNKNOWN is UINT64_MAX */
}

int exchange_deliver_body(struct exchange *exchange, struct span data)
{
    if (data.length > incoming_maximum(exchange) - exchange->body_bytes_in)
        return HERALD_ERROR_MALFORMED;
    if (exchange->in_discarded || exchange->closed) {
        exchange->body_bytes_in += data.length;
        exchange->in_drained += data.length;
        if (!exchange_drain_exceeded(exchange) && exchange->ops != NULL && data.length != 0)
            exchange->ops->consumed(exchange, data.length);
        return 0;
    }
    int error = body_append(&exchange->in, data);
    if (error != 0)
        return error;
    exchange->body_bytes_in += data.length;
    if (data.length != 0 && !exchange->readable_pending)
        tell_readable(exchange);
    return 0;
}

int exchange_deliver_end(struct exchange *exchange)
{
    uint64_t maximum = incoming_maximum(exchange);

    if (maximum != UINT64_MAX && exchange->body_bytes_in != maximum)
        return HERALD_ERROR_MALFORMED;
    exchange->in_ended = true;
    /* Told even when bytes are waiting: a handler that has seen them may be waiting for the end. */
    tell_readable(exchange);
    return 0;
}

bool exchange_drain_exceeded(const struct exchange *exchange)
{
    return exchange->in_drained > exchange->limits->drain_size;
}

int exchange_deliver_promise(struct exchange *exchange, struct exchange *promised)
{
    if (!listens(exchange) || exchange->events->pushed == NULL)
        return HERALD_ERROR_REFUSED;
    promised->is_client = true;
    promised->is_pushed = true;
    promised->head_queued = true;
    promised->out_ended = true;
    promised->out_complete = true;
    promised->out.ended = true;
    promised->parent = exchange;
    exchange_hold(exchange);
    exchange_give_to_owner(promised);
    exchange->events->pushed(exchange, promised);
    return 0;
}

void exchange_deliver_closed(struct exchange *exchange, int reason)
{
    struct conn *conn = exchange->conn;
    bool tell = listens(exchange) && exchange->events->closed != NULL;

    exchange->ops = NULL;
    exchange->stream = NULL;
    if (!exchange->closed)
        exchange->reason = reason;
    exchange->closed = true;
    exchange_drop_items(exchange);
    body_free(&exchange->out);
    if (tell)
        exchange->events->closed(exchange, reason);
    if (conn != NULL && exchange->owned && conn->host->completed != NULL)
        conn->host->completed(conn, exchange);
    exchange_unhold(exchange);
}
