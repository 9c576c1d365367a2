#include "base/heap.h"
#include "base/err.h"
#include <stdlib.h>

#define HEAP_FIRST_CAPACITY 16

/* Positions are 1-based, so that the parent of p is p / 2 and 0 can mean "not in the heap". */

void heap_init(struct heap *heap)
{
    *heap = (struct heap){0};
}

void heap_free(struct heap *heap)
{
    for (size_t i = 0; i < heap->count; i++)
        heap->nodes[i]->position = 0;
    free(heap->nodes);
    heap_init(heap);
}

static struct heap_node *at(const struct heap *heap, size_t position)
{
    return heap->nodes[position - 1];
}

static void place(struct heap *heap, struct heap_node *node, size_t position)
{
    heap->nodes[position - 1] = node;
    node->position = position;
}

static void settle(struct heap *heap, struct heap_node *node, size_t position)
{
    while (position > 1 && node->due < at(heap, position / 2)->due) {
        place(heap, at(heap, position / 2), position);
        position /= 2;
    }
    for (;;) {
        size_t child = position * 2;
        if (child > heap->count)
            break;
        if (child < heap->count && at(heap, child + 1)->due < at(heap, child)->due)
            child++;
        if (at(heap, child)->due >= node->due)
            break;
        place(heap, at(heap, child), position);
        position = child;
    }
    place(heap, node, position);
}

static int reserve_one(struct heap *heap)
{
    if (heap->count < heap->capacity)
        return 0;
    size_t capacity = heap->capacity == 0 ? HEAP_FIRST_CAPACITY : heap->capacity * 2;
    struct heap_node **nodes = realloc(heap->nodes, capacity * sizeof(struct heap_node *));
    if (nodes == NULL)
        return HERALD_ERROR_NOMEM;
    heap->nodes = nodes;
    heap->capacity = capacity;
    return 0;
}

int heap_set(struct heap *heap, struct heap_node *node, herald_time due)
{
    if (due == HERALD_NEVER) {
        heap_remove(heap, node);
        return 0;
    }
    if (node->position == 0) {
        int error = reserve_one(heap);
        if (error != 0)
            return error;
        heap->count++;
        node->position = heap->count;
    }
    node->due = due;
    settle(heap, node, node->position);
    return 0;
}

void heap_remove(struct heap *heap, struct heap_node *node)
{
    size_t position = node->position;

    node->due = HERALD_NEVER;
    if (position == 0)
        return;
    struct heap_node *last = at(heap, heap->count);
    heap->count--;
    node->position = 0;
    if (last != node)
        settle(heap, last, position);
}

struct heap_node *heap_first(const struct heap *heap)
{
    return heap->count == 0 ? NULL : heap->nodes[0];
}
