/* Body bytes on their way out: QUIC may have to send them again, so they are kept in chunks until
 * the peer has acknowledged them. */
#include "h3/internal.h"
#include <stdlib.h>

#define CHUNK_LEAST 512

struct h3_chunk {
    struct list node;
    size_t capacity, length; /* bytes read into it */
    size_t acknowledged;
    uint8_t data[];
};

static void drop(struct h3_stream *stream, struct h3_chunk *chunk)
{
    list_remove(&chunk->node);
    account_refund(&stream->conn->base.account, sizeof(*chunk) + chunk->capacity);
    free(chunk);
}

void h3_body_free(struct h3_stream *stream)
{
    struct list *node;
    while ((node = list_first(&stream->chunks)) != NULL)
        drop(stream, CONTAINER_OF(node, struct h3_chunk, node));
    stream->held = 0;
}

/* A chunk with room, or NULL. */
static struct h3_chunk *chunk_with_room(struct h3_stream *stream)
{
    struct account *account = &stream->conn->base.account;
    const struct body *body = &stream->exchange->out;
    if (!list_is_empty(&stream->chunks)) {
        struct h3_chunk *last = CONTAINER_OF(stream->chunks.previous, struct h3_chunk, node);
        if (last->capacity - last->length >= CHUNK_LEAST)
            return last;
    }
    size_t capacity = H3_CHUNK_SIZE;
    if (body->source == NULL && body->ended && body->queued < capacity)
        capacity = body->queued > CHUNK_LEAST ? body->queued : CHUNK_LEAST;
    if (account_charge(account, sizeof(struct h3_chunk) + capacity) != 0)
        return NULL;
    struct h3_chunk *chunk = malloc(sizeof(*chunk) + capacity);
    if (chunk == NULL) {
        account_refund(account, sizeof(*chunk) + capacity);
        return NULL;
    }
    *chunk = (struct h3_chunk){.capacity = capacity};
    list_append(&stream->chunks, &chunk->node);
    return chunk;
}

static nghttp3_ssize ended(struct h3_stream *stream, uint32_t *flags)
{
    *flags |= NGHTTP3_DATA_FLAG_EOF;
    stream->exchange->out_complete = true;
    stream->close_due = true;
    h3_stream_due(stream);
    if (stream->exchange->outgoing_trailers.count == 0)
        return 0;
    *flags |= NGHTTP3_DATA_FLAG_NO_END_STREAM;
    return h3_submit_trailers(stream) == 0 ? 0 : NGHTTP3_ERR_CALLBACK_FAILURE;
}

nghttp3_ssize h3_body_read(nghttp3_conn *http, int64_t id, nghttp3_vec *vectors, size_t count,
                           uint32_t *flags, void *user, void *stream_user)
{
    struct h3_stream *stream = h3_stream_find(user, id);
    (void)http, (void)stream_user, (void)count;
    if (stream == NULL || stream->exchange == NULL || stream->reset_due ||
        !exchange_body_ready(stream->exchange))
        return NGHTTP3_ERR_WOULDBLOCK;
    if (body_is_done(&stream->exchange->out))
        return ended(stream, flags);
    stream->full = stream->held >= H3_STREAM_HELD;
    struct h3_chunk *chunk = stream->full ? NULL : chunk_with_room(stream);
    if (chunk == NULL) {
        /* Acknowledgements make room; with nothing to acknowledge none would come. */
        stream->full = stream->held > 0;
        if (!stream->full)
            h3_stream_reset(stream, NGHTTP3_H3_INTERNAL_ERROR, HERALD_ERROR_NOMEM);
        return NGHTTP3_ERR_WOULDBLOCK;
    }
    bool end = false;
    uint8_t *place = chunk->data + chunk->length;
    int64_t length =
        exchange_body_read(stream->exchange, place, chunk->capacity - chunk->length, &end);
    if (stream->reset_due)
        return NGHTTP3_ERR_WOULDBLOCK; /* `writable` was called, and the owner cancelled */
    if (length < 0) {
        h3_stream_reset(stream, NGHTTP3_H3_INTERNAL_ERROR, (int)length);
        return NGHTTP3_ERR_WOULDBLOCK;
    }
    if (length == 0 && !end)
        return NGHTTP3_ERR_WOULDBLOCK;
    if (end && ended(stream, flags) < 0)
        return NGHTTP3_ERR_CALLBACK_FAILURE;
    if (length == 0)
        return 0;
    chunk->length += (size_t)length;
    stream->held += (size_t)length;
    vectors[0] = (nghttp3_vec){place, (size_t)length};
    return 1;
}

void h3_body_acknowledged(struct h3_stream *stream, uint64_t length)
{
    struct list *node;
    stream->held -= (size_t)length;
    stream->acknowledged += length;
    while (length > 0 && (node = list_first(&stream->chunks)) != NULL) {
        struct h3_chunk *chunk = CONTAINER_OF(node, struct h3_chunk, node);
        size_t step = chunk->length - chunk->acknowledged;
        if (step > length)
            step = (size_t)length;
        chunk->acknowledged += step;
        length -= step;
        if (chunk->acknowledged < chunk->length)
            break;
        bool is_last = node->next == &stream->chunks;
        if (is_last && chunk->capacity - chunk->length >= CHUNK_LEAST)
            chunk->length = chunk->acknowledged = 0;
        else
            drop(stream, chunk);
    }
    if (stream->full && stream->held < H3_STREAM_HELD / 2) {
        stream->full = false;
        h3_stream_due(stream);
    }
}
