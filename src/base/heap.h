/* An intrusive binary min-heap of deadlines: which timer is due next, in O(1); change in O(log n).
 */
#ifndef BASE_HEAP_H
#define BASE_HEAP_H

#include "base/time.h"
#include <stdbool.h>
#include <stddef.h>

struct heap_node {
    herald_time due;
    size_t position; /* 1-based index in the heap; 0: not in it */
};

struct heap {
    struct heap_node **nodes;
    size_t count, capacity;
};

void heap_init(struct heap *heap);
void heap_free(struct heap *heap);

/* Inserts or moves `node` to `due`; HERALD_NEVER removes it. Returns 0 or HERALD_ERROR_NOMEM (only
 * on insert). */
int heap_set(struct heap *heap, struct heap_node *node, herald_time due);
void heap_remove(struct heap *heap, struct heap_node *node);

/* The earliest node, or NULL. */
struct heap_node *heap_first(const struct heap *heap);

#endif
