#include "http/body.h"
#include "base/err.h"
#include <stdlib.h>

#define CHUNK_SMALLEST 512
#define CHUNK_LARGEST  16384

struct body_chunk {
    struct list node;
    const uint8_t *data;
    size_t start, end, capacity; /* capacity 0: bytes of somebody else */
    void (*release)(void *owner);
    void *owner;
    bool lent;
    uint8_t bytes[];
};

#define LENT_CAPACITY (BODY_LENT_SIZE - sizeof(struct body_chunk))

void body_init(struct body *body, size_t high_water, struct account *account)
{
    *body = (struct body){.high_water = high_water, .account = account};
    list_init(&body->chunks);
}

void body_lend(struct body *body, void *memory)
{
    body->lent = memory;
}

static struct body_chunk *chunk_of(struct list *node)
{
    return CONTAINER_OF(node, struct body_chunk, node);
}

static size_t chunk_charge(const struct body_chunk *chunk)
{
    return chunk->lent ? 0 : sizeof(*chunk) + chunk->capacity;
}

static void chunk_free(struct body *body, struct body_chunk *chunk)
{
    list_remove(&chunk->node);
    if (chunk->lent) {
        body->lent = chunk;
        return;
    }
    account_refund(body->account, chunk_charge(chunk));
    if (chunk->release != NULL)
        chunk->release(chunk->owner);
    free(chunk);
}

void body_free(struct body *body)
{
    struct body_source *source = body->source;

    LIST_FOR_EACH_SAFE(node, following, &body->chunks)
    chunk_free(body, chunk_of(node));
    body->queued = 0;
    body->source = NULL;
    if (source != NULL)
        source->ops->release(source);
}

void body_move_account(struct body *body, struct account *account)
{
    size_t total = 0;

    LIST_FOR_EACH_SAFE(node, following, &body->chunks)
    total += chunk_charge(chunk_of(node));
    account_refund(body->account, total);
    body->account = account_charge(account, total) == 0 ? account : NULL;
}

static struct body_chunk *chunk_new(struct body *body, size_t capacity, int *error)
{
    *error = account_charge(body->account, sizeof(struct body_chunk) + capacity);
    if (*error != 0)
        return NULL;
    struct body_chunk *chunk = malloc(sizeof(*chunk) + capacity);
    if (chunk == NULL) {
        account_refund(body->account, sizeof(*chunk) + capacity);
        *error = HERALD_ERROR_NOMEM;
        return NULL;
    }
    *chunk = (struct body_chunk){.capacity = capacity, .data = chunk->bytes};
    list_append(&body->chunks, &chunk->node);
    return chunk;
}

static struct body_chunk *chunk_take_lent(struct body *body)
{
    struct body_chunk *chunk = body->lent;

    body->lent = NULL;
    *chunk = (struct body_chunk){.capacity = LENT_CAPACITY, .data = chunk->bytes, .lent = true};
    list_append(&body->chunks, &chunk->node);
    return chunk;
}

int body_append(struct body *body, struct span data)
{
    if (body->ended || body->source != NULL)
        return HERALD_ERROR_STATE;
    if (data.length == 0)
        return 0;

    struct body_chunk *last = list_is_empty(&body->chunks) ? NULL : chunk_of(body->chunks.previous);
    size_t room = last == NULL || last->capacity == 0 ? 0 : last->capacity - last->end;
    size_t first = data.length < room ? data.length : room;
    size_t rest = data.length - first;

    /* The new chunk comes first: when it cannot be had nothing has been appended. */
    struct body_chunk *fresh = NULL;
    if (rest != 0) {
        /* Grows with the queue, so that many small appends cost few allocations and a small body
         * little memory. */
        size_t capacity = body->queued < CHUNK_SMALLEST  ? CHUNK_SMALLEST
                          : body->queued < CHUNK_LARGEST ? body->queued
                                                         : CHUNK_LARGEST;
        int error = 0;
        if (body->lent != NULL && rest <= LENT_CAPACITY)
            fresh = chunk_take_lent(body);
        else
            fresh = chunk_new(body, rest > capacity ? rest : capacity, &error);
        if (fresh == NULL)
            return error;
        memcpy(fresh->bytes, data.data + first, rest);
        fresh->end = rest;
    }
    if (first != 0) {
        memcpy(last->bytes + last->end, data.data, first);
        last->end += first;
    }
    body->queued += data.length;
    return 0;
}

int body_append_reference(struct body *body, struct span data, void (*release)(void *owner),
                          void *owner)
{
    int error = body->ended || body->source != NULL ? HERALD_ERROR_STATE : 0;
    struct body_chunk *chunk = NULL;

    if (error == 0 && data.length != 0)
        chunk = chunk_new(body, 0, &error);
    if (chunk == NULL) {
        if (release != NULL)
            release(owner);
        return error;
    }
    chunk->data = data.data;
    chunk->end = data.length;
    chunk->release = release;
    chunk->owner = owner;
    body->queued += data.length;
    return 0;
}

struct span body_peek(const struct body *body)
{
    if (list_is_empty(&body->chunks))
        return SPAN_EMPTY;
    const struct body_chunk *chunk = chunk_of(body->chunks.next);
    return span_make(chunk->data + chunk->start, chunk->end - chunk->start);
}

void body_consume(struct body *body, size_t length)
{
    while (length != 0 && !list_is_empty(&body->chunks)) {
        struct body_chunk *chunk = chunk_of(body->chunks.next);
        size_t here = chunk->end - chunk->start;
        size_t step = length < here ? length : here;

        chunk->start += step;
        body->queued -= step;
        length -= step;
        if (chunk->start == chunk->end)
            chunk_free(body, chunk);
    }
}

int64_t body_read(struct body *body, uint8_t *destination, size_t capacity, bool *end)
{
    size_t done = 0;

    *end = false;
    while (done < capacity && !list_is_empty(&body->chunks)) {
        struct span next = body_peek(body);
        size_t step = next.length < capacity - done ? next.length : capacity - done;
        memcpy(destination + done, next.data, step);
        body_consume(body, step);
        done += step;
    }
    if (body->source != NULL && done < capacity && !body->starved) {
        int64_t count = body->source->ops->read(body->source, destination + done, capacity - done,
                                                &body->ended);
        if (count < 0)
            return count;
        body->starved = count == 0 && !body->ended;
        done += (size_t)count;
        if (body->ended) {
            struct body_source *source = body->source;
            body->source = NULL;
            source->ops->release(source);
        }
    }
    *end = body_is_done(body);
    return (int64_t)done;
}

bool body_is_ready(const struct body *body)
{
    return body->queued != 0 || body->ended || (body->source != NULL && !body->starved);
}

bool body_is_done(const struct body *body)
{
    return body->ended && body->queued == 0 && body->source == NULL;
}
