#include "base/arena.h"
#include <stdalign.h>
#include <stdlib.h>

#define ALIGNMENT 16

/* Under the address sanitizer what was not handed out is poisoned, with a gap after each piece, so
 * that running over the end of a piece is found as it would be with malloc. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_POISONS
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define ARENA_POISONS
#endif

#ifdef ARENA_POISONS
#include <sanitizer/asan_interface.h>
#define GAP ALIGNMENT
#else
#define GAP                                  0
#define ASAN_POISON_MEMORY_REGION(from, n)   ((void)(from), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(from, n) ((void)(from), (void)(n))
#endif

struct arena_block {
    alignas(ALIGNMENT) struct arena_block *next;
    size_t size; /* with this header */
    bool lent;   /* not ours to free */
    alignas(ALIGNMENT) uint8_t bytes[];
};

void arena_init(struct arena *arena, size_t maximum, struct account *account)
{
    *arena = (struct arena){.maximum = maximum, .account = account};
}

void arena_free(struct arena *arena)
{
    struct arena_block *block = arena->blocks;

    while (block != NULL) {
        struct arena_block *next = block->next;
        ASAN_UNPOISON_MEMORY_REGION(block, block->size);
        if (!block->lent)
            free(block);
        block = next;
    }
    account_refund(arena->account, arena->total);
    arena_init(arena, arena->maximum, arena->account);
}

static void push_block(struct arena *arena, struct arena_block *block, size_t size, bool lent)
{
    block->next = arena->blocks;
    block->size = size;
    block->lent = lent;
    arena->blocks = block;
    arena->used = sizeof(struct arena_block);
    ASAN_POISON_MEMORY_REGION(block->bytes, size - sizeof(struct arena_block));
}

static bool add_block(struct arena *arena, size_t size)
{
    if (arena->maximum != 0 && size > arena->maximum - arena->total)
        return false;
    if (account_charge(arena->account, size) != 0)
        return false;
    struct arena_block *block = malloc(size);
    if (block == NULL) {
        account_refund(arena->account, size);
        return false;
    }
    push_block(arena, block, size, false);
    arena->total += size;
    return true;
}

void arena_lend(struct arena *arena, void *memory, size_t size)
{
    push_block(arena, memory, size, true);
}

void *arena_alloc(struct arena *arena, size_t asked)
{
    if (asked > SIZE_MAX / 4)
        return NULL;
    size_t size = asked == 0 ? ALIGNMENT : (asked + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);

    size += GAP;
    if (arena->blocks == NULL || size > arena->blocks->size - arena->used) {
        size_t needed = sizeof(struct arena_block) + size;
        size_t wanted = arena->blocks == NULL ? ARENA_FIRST_BLOCK : arena->blocks->size * 2;
        /* Near the maximum the doubled block is refused where the bytes asked for would still fit.
         */
        if ((wanted <= needed || !add_block(arena, wanted)) && !add_block(arena, needed))
            return NULL;
    }
    void *result = (uint8_t *)arena->blocks + arena->used;
    arena->used += size;
    ASAN_UNPOISON_MEMORY_REGION(result, asked);
    return result;
}

void *arena_zalloc(struct arena *arena, size_t size)
{
    void *result = arena_alloc(arena, size);

    if (result != NULL)
        memset(result, 0, size);
    return result;
}

int arena_copy(struct arena *arena, struct span source, struct span *copy)
{
    uint8_t *data = arena_alloc(arena, source.length + 1);

    if (data == NULL)
        return HERALD_ERROR_NOMEM;
    if (source.length != 0)
        memcpy(data, source.data, source.length);
    data[source.length] = 0;
    *copy = span_make(data, source.length);
    return 0;
}
