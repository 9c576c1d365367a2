#include "http/exchange_internal.h"
#include <stdalign.h>
#include <stdlib.h>

/* Heads and trailers of both directions, and interim responses, with room for the doubling of the
 * blocks. */
#define ARENA_HEADS 8

/* With less than this queued an exchange has room whatever the connection's memory: a full
 * connection slows down, it does not stop. */
#define ROOM_ALWAYS 4096

/* One allocation a small request: the exchange, the first block of its arena and a small response
 * body lie together. */
#define SLAB_SIZE 4080 /* a page with the words of the allocator */

struct slab {
    struct exchange exchange;
    alignas(16) uint8_t body[BODY_LENT_SIZE];
    alignas(16) uint8_t arena[];
};

/* Slabs between two exchanges, linked through their first bytes. A loop has its own. */
static _Thread_local struct spare {
    struct spare *next;
} * spares;
static _Thread_local unsigned spare_count, spare_maximum;

static struct slab *slab_take(void)
{
    struct spare *spare = spares;

    if (spare == NULL)
        return malloc(SLAB_SIZE);
    spares = spare->next;
    spare_count--;
    return (struct slab *)spare;
}

static void slab_give(struct slab *slab)
{
    struct spare *spare = (struct spare *)slab;

    if (spare_count >= spare_maximum) {
        free(slab);
        return;
    }
    spare->next = spares;
    spares = spare;
    spare_count++;
}

void exchange_keep_spare(unsigned maximum)
{
    spare_maximum = maximum;
    while (spare_count > maximum) {
        struct spare *spare = spares;
        spares = spare->next;
        spare_count--;
        free(spare);
    }
}

struct exchange *exchange_create(const struct limits *limits, struct account *account)
{
    if (account_charge(account, SLAB_SIZE) != 0)
        return NULL;
    struct slab *slab = slab_take();
    if (slab == NULL) {
        account_refund(account, SLAB_SIZE);
        return NULL;
    }
    struct exchange *exchange = &slab->exchange;
    memset(exchange, 0, sizeof(*exchange));
    arena_init(&exchange->arena, (size_t)limits->field_list_size * ARENA_HEADS, account);
    arena_lend(&exchange->arena, slab->arena, SLAB_SIZE - offsetof(struct slab, arena));
    body_init(&exchange->in, limits->body_in_buffer, account);
    body_init(&exchange->out, limits->body_out_buffer, account);
    body_lend(&exchange->out, slab->body);
    list_init(&exchange->items);
    list_init(&exchange->conn_node);
    exchange->limits = limits;
    exchange->priority = PRIORITY_DEFAULT;
    exchange->incoming.content_length = CONTENT_LENGTH_UNKNOWN;
    exchange->outgoing.content_length = CONTENT_LENGTH_UNKNOWN;
    return exchange;
}

size_t exchange_charge(const struct exchange *exchange)
{
    return exchange->arena.total + SLAB_SIZE;
}

void exchange_enter_conn(struct exchange *exchange, struct conn *conn)
{
    exchange->conn = conn;
    if (conn != NULL)
        list_append(&conn->exchanges, &exchange->conn_node);
}

void exchange_leave_conn(struct exchange *exchange)
{
    if (exchange->owned && !exchange->released)
        exchange->conn->running--;
    exchange->conn = NULL;
    exchange->ops = NULL;
    list_remove(&exchange->conn_node);
    body_move_account(&exchange->in, NULL);
    body_move_account(&exchange->out, NULL);
    account_refund(exchange->arena.account, exchange_charge(exchange));
    exchange->arena.account = NULL;
}

void exchange_hold(struct exchange *exchange)
{
    exchange->holds++;
}

void exchange_give_to_owner(struct exchange *exchange)
{
    exchange_hold(exchange);
    exchange->owned = true;
    if (exchange->conn != NULL)
        exchange->conn->running++;
}

void exchange_unhold(struct exchange *exchange)
{
    while (exchange != NULL && --exchange->holds == 0) {
        struct exchange *parent = exchange->parent;

        exchange_drop_items(exchange);
        body_free(&exchange->in);
        body_free(&exchange->out);
        list_remove(&exchange->conn_node);
        account_refund(exchange->arena.account, SLAB_SIZE);
        arena_free(&exchange->arena);
        slab_give(CONTAINER_OF(exchange, struct slab, exchange));
        exchange = parent;
    }
}

void exchange_wake(struct exchange *exchange)
{
    if (exchange->ops != NULL)
        exchange->ops->wake(exchange);
}

struct exchange_item *exchange_add_item(struct exchange *exchange, enum exchange_item_kind kind)
{
    struct exchange_item *item = arena_zalloc(&exchange->arena, sizeof(*item));

    if (item == NULL)
        return NULL;
    item->kind = kind;
    list_append(&exchange->items, &item->node);
    return item;
}

void exchange_item_done(struct exchange *exchange, struct exchange_item *item)
{
    list_remove(&item->node);
    if (item->kind == EXCHANGE_PROMISE && exchange->conn != NULL)
        exchange->conn->promises_queued--;
}

void exchange_drop_items(struct exchange *exchange)
{
    LIST_FOR_EACH_SAFE(node, following, &exchange->items)
    {
        struct exchange_item *item = CONTAINER_OF(node, struct exchange_item, node);

        exchange_item_done(exchange, item);
        if (item->kind == EXCHANGE_PROMISE) {
            /* The promise holds its parent, which is `exchange`: whoever drops items has a hold of
             * its own, or these are gone already. */
            item->promised->ops = NULL;
            item->promised->closed = true;
            exchange_unhold(item->promised);
        }
    }
}

bool exchange_has_room(const struct exchange *exchange)
{
    const struct body *out = &exchange->out;

    if (!body_has_room(out))
        return false;
    return out->account == NULL || out->queued < ROOM_ALWAYS ||
           out->account->live < exchange->limits->connection_memory_soft;
}

bool exchange_can_write(struct exchange *exchange)
{
    bool room = exchange_has_room(exchange);

    exchange->want_writable = !room;
    return room;
}

/* 0 when the owner may add to the outgoing body; `*room` is how much of `length` the Content-Length
 * allows. */
static int check_write(const struct exchange *exchange, size_t length, size_t *room)
{
    if (exchange->closed)
        return HERALD_ERROR_CLOSED;
    if (!exchange->head_queued || exchange->out_ended)
        return HERALD_ERROR_STATE;
    *room = length;
    uint64_t whole = exchange->outgoing.content_length;
    if (whole != CONTENT_LENGTH_UNKNOWN && !exchange->tunnel &&
        length > whole - exchange->out_written)
        *room = (size_t)(whole - exchange->out_written);
    return 0;
}

int exchange_write(struct exchange *exchange, struct span data)
{
    size_t room;
    int error = check_write(exchange, data.length, &room);

    if (error != 0)
        return error;
    if (!exchange->out_no_content)
        error = body_append(&exchange->out, span_make(data.data, room));
    if (error != 0)
        return error;
    exchange->out_written += room;
    if (room != 0)
        exchange_wake(exchange);
    return room == data.length ? 0 : HERALD_ERROR_LIMIT;
}

int exchange_write_reference(struct exchange *exchange, struct span data,
                             void (*release)(void *owner), void *owner)
{
    size_t room = 0;
    int error = check_write(exchange, data.length, &room);

    if (error != 0 || exchange->out_no_content || room == 0) {
        if (release != NULL)
            release(owner);
    } else {
        error = body_append_reference(&exchange->out, span_make(data.data, room), release, owner);
    }
    if (error != 0)
        return error;
    exchange->out_written += room;
    if (room != 0)
        exchange_wake(exchange);
    return room == data.length ? 0 : HERALD_ERROR_LIMIT;
}

int exchange_write_source(struct exchange *exchange, struct body_source *source)
{
    size_t room;
    int error = check_write(exchange, 0, &room);

    if (error != 0 || exchange->out_no_content) {
        source->ops->release(source);
        if (error != 0)
            return error;
        exchange->out.ended = true;
    } else {
        exchange->out.source = source;
    }
    exchange->out_ended = true;
    exchange_wake(exchange);
    return 0;
}

void exchange_source_ready(struct exchange *exchange)
{
    if (exchange->closed || exchange->out.source == NULL)
        return;
    exchange->out.starved = false;
    exchange_wake(exchange);
}

static void send_continue(struct exchange *exchange)
{
    if (!exchange->incoming.expects_continue || exchange->is_client || exchange->in_ended ||
        exchange->body_bytes_in != 0 || exchange->head_queued || exchange->closed)
        return;
    exchange->incoming.expects_continue = false;
    /* When it cannot be sent the peer goes on by itself after a while (RFC 9110 section 10.1.1). */
    (void)exchange_inform(exchange, 100, NULL, 0);
}

size_t exchange_read(struct exchange *exchange, uint8_t *destination, size_t capacity)
{
    size_t done = 0;

    send_continue(exchange);
    while (done < capacity && exchange->in.queued != 0) {
        struct span next = body_peek(&exchange->in);
        size_t step = next.length < capacity - done ? next.length : capacity - done;
        memcpy(destination + done, next.data, step);
        body_consume(&exchange->in, step);
        done += step;
    }
    if (exchange->in.queued == 0)
        exchange->readable_pending = false;
    if (done != 0 && exchange->ops != NULL)
        exchange->ops->consumed(exchange, done);
    return done;
}

struct span exchange_peek(struct exchange *exchange)
{
    send_continue(exchange);
    if (exchange->in.queued == 0)
        exchange->readable_pending = false;
    return body_peek(&exchange->in);
}

void exchange_consume(struct exchange *exchange, size_t length)
{
    if (length > exchange->in.queued)
        length = exchange->in.queued;
    body_consume(&exchange->in, length);
    if (exchange->in.queued == 0)
        exchange->readable_pending = false;
    if (length != 0 && exchange->ops != NULL)
        exchange->ops->consumed(exchange, length);
}

bool exchange_at_end(const struct exchange *exchange)
{
    return exchange->in_ended && exchange->in.queued == 0;
}

void exchange_drop_input(struct exchange *exchange)
{
    size_t unread = exchange->in.queued;

    body_free(&exchange->in);
    if (unread != 0 && exchange->ops != NULL)
        exchange->ops->consumed(exchange, unread);
}

void exchange_discard_input(struct exchange *exchange)
{
    if (exchange->in_discarded)
        return;
    exchange->in_discarded = true;
    exchange_drop_input(exchange);
    if (!exchange->in_ended && exchange->ops != NULL)
        exchange->ops->discard(exchange);
}

void exchange_cancel(struct exchange *exchange, int reason)
{
    if (exchange->closed)
        return;
    /* The engine may end the stream, and with it drop its hold, before it returns; a client that
     * has not sent its request holds alone. */
    exchange_hold(exchange);
    exchange->closed = true;
    exchange->reason = reason;
    exchange_drop_items(exchange);
    exchange_drop_input(exchange);
    body_free(&exchange->out);
    if (exchange->ops != NULL)
        exchange->ops->cancel(exchange, reason);
    exchange_unhold(exchange);
}

int exchange_set_priority(struct exchange *exchange, struct priority priority)
{
    if (exchange->closed)
        return HERALD_ERROR_CLOSED;
    exchange->priority = priority;
    if (exchange->ops != NULL && exchange->ops->reprioritise != NULL)
        exchange->ops->reprioritise(exchange);
    return 0;
}

void exchange_release(struct exchange *exchange)
{
    struct conn *conn = exchange->conn;

    exchange->released = true;
    exchange->events = NULL;
    if (!exchange->out_ended)
        exchange_cancel(exchange, HERALD_ERROR_INTERNAL);
    else if (exchange->is_client && !exchange->in_ended)
        exchange_cancel(exchange, HERALD_ERROR_CANCELLED);
    else
        exchange_discard_input(exchange);

    if (conn != NULL)
        conn->running--;
    if (exchange->ops != NULL)
        exchange->ops->released(exchange);
    else if (conn != NULL)
        conn_wake(conn); /* the stream is gone, its slot becomes free only now */
    exchange_unhold(exchange);
}
