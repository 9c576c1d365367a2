#include "h2/schedule_queue.h"

static bool comes_before(const struct h2_queue_node *left, const struct h2_queue_node *right)
{
    int64_t difference = (int64_t)(left->key - right->key);
    return difference < 0 || (difference == 0 && left->tie < right->tie);
}

/* Joins two trees; either may be NULL. */
static struct h2_queue_node *meld(struct h2_queue_node *left, struct h2_queue_node *right)
{
    if (left == NULL || right == NULL)
        return left == NULL ? right : left;
    if (comes_before(right, left)) {
        struct h2_queue_node *swap = left;
        left = right;
        right = swap;
    }
    right->previous = left;
    right->next = left->child;
    if (left->child != NULL)
        left->child->previous = right;
    left->child = right;
    return left;
}

/* Joins siblings in pairs from the left, then the pairs from the right: what makes removal O(log n)
 * amortised. */
static struct h2_queue_node *meld_siblings(struct h2_queue_node *first)
{
    struct h2_queue_node *pairs = NULL, *all = NULL;
    while (first != NULL) {
        struct h2_queue_node *second = first->next;
        struct h2_queue_node *rest = second == NULL ? NULL : second->next;
        first->next = first->previous = NULL;
        if (second != NULL)
            second->next = second->previous = NULL;
        struct h2_queue_node *pair = meld(first, second);
        pair->next = pairs;
        pairs = pair;
        first = rest;
    }
    while (pairs != NULL) {
        struct h2_queue_node *rest = pairs->next;
        pairs->next = NULL;
        all = meld(all, pairs);
        pairs = rest;
    }
    return all;
}

void h2_queue_insert(struct h2_queue *queue, struct h2_queue_node *node)
{
    node->child = node->next = node->previous = NULL;
    node->queued = true;
    queue->first = meld(queue->first, node);
}

void h2_queue_remove(struct h2_queue *queue, struct h2_queue_node *node)
{
    struct h2_queue_node *below = meld_siblings(node->child);
    if (node == queue->first) {
        queue->first = below;
    } else {
        if (node->previous->child == node)
            node->previous->child = node->next;
        else
            node->previous->next = node->next;
        if (node->next != NULL)
            node->next->previous = node->previous;
        queue->first = meld(queue->first, below);
    }
    node->child = node->next = node->previous = NULL;
    node->queued = false;
}
