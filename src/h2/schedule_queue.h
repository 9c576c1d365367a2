/* A queue by key inside its elements (a pairing heap): first in O(1), insertion in O(1), removal of
 * any element in O(log n) amortised; no memory of its own. */
#ifndef H2_SCHEDULE_QUEUE_H
#define H2_SCHEDULE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct h2_queue_node {
    struct h2_queue_node *child, *next;
    struct h2_queue_node *previous; /* the sibling before, or the parent of a first child */
    uint64_t key;                   /* compared by difference, so it may wrap */
    uint32_t tie;                   /* orders equal keys */
    bool queued;
};

struct h2_queue {
    struct h2_queue_node *first; /* NULL: empty */
};

/* `node` is in no queue; its key and tie are set. */
void h2_queue_insert(struct h2_queue *queue, struct h2_queue_node *node);

/* `node` is in this queue; afterwards it is in none. */
void h2_queue_remove(struct h2_queue *queue, struct h2_queue_node *node);

#endif
