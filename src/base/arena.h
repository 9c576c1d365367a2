/* A bump allocator that is freed at once: one an exchange. Blocks double in size from
 * `ARENA_FIRST_BLOCK` on. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/account.h"
#include "base/span.h"

#define ARENA_FIRST_BLOCK 1024

struct arena_block;

struct arena {
    struct arena_block *blocks;
    size_t used;    /* of the newest block */
    size_t total;   /* bytes of all blocks */
    size_t maximum; /* of total; 0: none */
    struct account *account;
};

void arena_init(struct arena *arena, size_t maximum, struct account *account);
void arena_free(struct arena *arena);

/* Makes the caller's memory the first block, right after arena_init: it is not charged, counts for
 * nothing in `total` and is not freed; it has to outlive the arena. Aligned to 16 bytes and at
 * least 64 of them. */
void arena_lend(struct arena *arena, void *memory, size_t size);

/* Aligned to 16 bytes, not cleared. NULL when memory is out or the maximum or the account is
 * reached. */
void *arena_alloc(struct arena *arena, size_t size);

/* As arena_alloc, cleared. */
void *arena_zalloc(struct arena *arena, size_t size);

/* Copies `source` (followed by a NUL that is not counted). Returns 0 or HERALD_ERROR_NOMEM. */
int arena_copy(struct arena *arena, struct span source, struct span *copy);

#endif
