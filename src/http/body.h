/* A body on its way through one process: a bounded queue of bytes between a producer and a
 * consumer, or a source that the consumer reads when it has room. Carries both directions of an
 * exchange. */
#ifndef HTTP_BODY_H
#define HTTP_BODY_H

#include "base/account.h"
#include "base/list.h"
#include "base/span.h"

/* Something that can be read when the transport has room: a file range, a buffer of an application.
 */
struct body_source;

struct body_source_ops {
    /* Writes at most `capacity` bytes to `destination`. Returns how many; 0 when none are ready now
     * (the owner will call exchange_source_ready); negative: the body cannot go on and the message
     * must be aborted. Sets `*end` with the last bytes (or with 0 bytes). Must not block for long.
     */
    int64_t (*read)(struct body_source *source, uint8_t *destination, size_t capacity, bool *end);
    /* Called exactly once. */
    void (*release)(struct body_source *source);
};

struct body_source {
    const struct body_source_ops *ops;
};

struct body_chunk;

struct body {
    struct list chunks;         /* of struct body_chunk, oldest first */
    struct body_source *source; /* read after the chunks; owned */
    size_t queued;              /* bytes in chunks */
    size_t high_water;          /* body_has_room is false from here on */
    struct account *account;
    struct body_chunk *lent; /* the caller's memory for one small chunk, while it is free */
    bool ended;              /* the producer has said that no more will come */
    bool starved;            /* the source returned 0; cleared by exchange_source_ready */
};

void body_init(struct body *body, size_t high_water, struct account *account);

#define BODY_LENT_SIZE 512

/* Gives the body memory for one chunk, so that a small body needs none of its own: BODY_LENT_SIZE
 * bytes aligned to 16 that outlive the body and are not charged. */
void body_lend(struct body *body, void *memory);

/* Releases chunks and source. */
void body_free(struct body *body);

/* The bytes held are charged to another account (NULL: none) from now on; to none when it has no
 * room for them. */
void body_move_account(struct body *body, struct account *account);

static inline bool body_has_room(const struct body *body)
{
    return body->queued < body->high_water;
}

/* Copies `data` to the end; small appends share a chunk. Takes all of it, whatever the high-water
 * mark (the producer asks body_has_room first). Returns 0, HERALD_ERROR_STATE after the end,
 * HERALD_ERROR_NOMEM, HERALD_ERROR_LIMIT. */
int body_append(struct body *body, struct span data);

/* As body_append without the copy: `release(owner)` is called once when the bytes are no longer
 * needed (also when this call fails). */
int body_append_reference(struct body *body, struct span data, void (*release)(void *owner),
                          void *owner);

/* The oldest contiguous bytes, empty when there are none in chunks. Valid until the next call. */
struct span body_peek(const struct body *body);
void body_consume(struct body *body, size_t length);

/* Moves at most `capacity` bytes out, from chunks and then from the source. Returns how many, 0
 * when none are ready, negative when the source failed. `*end` is set when nothing will follow what
 * was returned. */
int64_t body_read(struct body *body, uint8_t *destination, size_t capacity, bool *end);

/* True when body_read would return bytes or the end: what a scheduler needs to know. */
bool body_is_ready(const struct body *body);

/* True when ended and empty. */
bool body_is_done(const struct body *body);

#endif
