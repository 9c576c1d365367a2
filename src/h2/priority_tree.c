#include "h2/priority_tree.h"

#define TIME_SCALE 65536 /* virtual time a byte at weight 1 */

static struct h2_tree_node *of_sibling(struct list *sibling)
{
    return CONTAINER_OF(sibling, struct h2_tree_node, sibling);
}

void h2_tree_init(struct h2_tree_node *node, uint32_t tie, uint16_t weight)
{
    *node = (struct h2_tree_node){.queue = {.tie = tie}, .weight = weight};
    list_init(&node->children);
    list_init(&node->sibling);
}

static uint64_t later(uint64_t left, uint64_t right)
{
    return (int64_t)(left - right) > 0 ? left : right;
}

static bool is_active(const struct h2_tree_node *node)
{
    return node->ready || node->active.first != NULL;
}

/* Enters the queues up to the first ancestor that is in its own already. A node that was idle gets
 * no credit for it, one that has sent ahead of its share still owes. */
static void activate(struct h2_tree_node *node)
{
    for (; node->parent != NULL && !node->queue.queued; node = node->parent) {
        node->queue.key = later(node->resume, node->parent->virtual_time);
        h2_queue_insert(&node->parent->active, &node->queue);
    }
}

static void deactivate(struct h2_tree_node *node)
{
    for (; node->parent != NULL && node->queue.queued && !is_active(node); node = node->parent) {
        h2_queue_remove(&node->parent->active, &node->queue);
        node->resume = node->queue.key;
    }
}

static void link_below(struct h2_tree_node *parent, struct h2_tree_node *node)
{
    node->parent = parent;
    list_append(&parent->children, &node->sibling);
    if (is_active(node))
        activate(node);
}

static void unlink_from_parent(struct h2_tree_node *node)
{
    struct h2_tree_node *parent = node->parent;
    if (node->queue.queued) {
        h2_queue_remove(&parent->active, &node->queue);
        node->resume = node->queue.key;
        deactivate(parent);
    }
    list_remove(&node->sibling);
    node->parent = NULL;
}

/* Under another parent time runs differently: a node that moves starts with the others there. */
static void relink(struct h2_tree_node *parent, struct h2_tree_node *node)
{
    unlink_from_parent(node);
    node->resume = parent->virtual_time;
    link_below(parent, node);
}

static void relink_children(struct h2_tree_node *from, struct h2_tree_node *to)
{
    LIST_FOR_EACH_SAFE(sibling, following, &from->children)
    {
        relink(to, of_sibling(sibling));
    }
}

struct h2_tree_node *h2_tree_walk(const struct h2_tree_node *root, struct h2_tree_node *node)
{
    if (!list_is_empty(&node->children))
        return of_sibling(node->children.next);
    while (node != root && node->sibling.next == &node->parent->children)
        node = node->parent;
    return node == root ? NULL : of_sibling(node->sibling.next);
}

static uint32_t depth_of(const struct h2_tree_node *node)
{
    uint32_t depth = 0;
    for (; node->parent != NULL; node = node->parent)
        depth++;
    return depth;
}

/* Levels below `top`. */
static uint32_t height_of(const struct h2_tree_node *top)
{
    const struct h2_tree_node *node = top;
    uint32_t depth = 0, height = 0;
    for (;;) {
        if (!list_is_empty(&node->children)) {
            node = of_sibling(node->children.next);
            depth++;
            height = depth > height ? depth : height;
            continue;
        }
        while (node != top && node->sibling.next == &node->parent->children) {
            node = node->parent;
            depth--;
        }
        if (node == top)
            return height;
        node = of_sibling(node->sibling.next);
    }
}

/* `node` is outside. A tree with no more nodes than levels allowed need not be measured. */
static bool would_be_too_deep(const struct h2_tree_node *node, const struct h2_tree_node *parent,
                              bool exclusive, uint32_t count)
{
    if (count <= H2_SCHEDULE_DEPTH)
        return false;
    uint32_t below = height_of(node), beside = exclusive ? height_of(parent) : 0;
    return depth_of(parent) + 1 + (below > beside ? below : beside) > H2_SCHEDULE_DEPTH;
}

void h2_tree_attach(struct h2_tree_node *root, struct h2_tree_node *node,
                    struct h2_tree_node *parent, uint32_t count)
{
    if (would_be_too_deep(node, parent, false, count))
        parent = root;
    node->resume = parent->virtual_time;
    link_below(parent, node);
}

void h2_tree_remove(struct h2_tree_node *node)
{
    struct h2_tree_node *parent = node->parent;
    uint32_t sum = 0;
    LIST_FOR_EACH_SAFE(sibling, following, &node->children)
    {
        sum += of_sibling(sibling)->weight;
    }
    LIST_FOR_EACH_SAFE(sibling, following, &node->children)
    {
        struct h2_tree_node *child = of_sibling(sibling);
        uint32_t share = (uint32_t)node->weight * child->weight / sum;
        child->weight = share == 0 ? 1 : (uint16_t)share;
        relink(parent, child);
    }
    node->ready = false;
    unlink_from_parent(node);
}

void h2_tree_replace(struct h2_tree_node *old, struct h2_tree_node *node)
{
    struct h2_tree_node *parent = old->parent;
    node->weight = old->weight;
    node->virtual_time = old->virtual_time;
    LIST_FOR_EACH_SAFE(sibling, following, &old->children)
    {
        struct h2_tree_node *child = of_sibling(sibling);
        unlink_from_parent(child); /* keeps its start time, which the same virtual time goes with */
        link_below(node, child);
    }
    old->ready = false;
    unlink_from_parent(old);
    node->resume = old->resume;
    link_below(parent, node);
}

static bool is_below(const struct h2_tree_node *node, const struct h2_tree_node *ancestor)
{
    while (node != NULL && node != ancestor)
        node = node->parent;
    return node != NULL;
}

void h2_tree_move(struct h2_tree_node *root, struct h2_tree_node *node, struct h2_tree_node *parent,
                  bool exclusive, uint32_t count)
{
    if (is_below(parent, node))
        relink(node->parent, parent);
    if (parent == node->parent && !exclusive)
        return;
    unlink_from_parent(node);
    if (would_be_too_deep(node, parent, exclusive, count)) {
        parent = root;
        exclusive = false;
    }
    if (exclusive)
        relink_children(parent, node);
    node->resume = parent->virtual_time;
    link_below(parent, node);
}

void h2_tree_set_ready(struct h2_tree_node *node, bool ready)
{
    node->ready = ready;
    if (ready)
        activate(node);
    else
        deactivate(node);
}

struct h2_tree_node *h2_tree_next(const struct h2_tree_node *root)
{
    const struct h2_queue *active = &root->active;
    while (active->first != NULL) {
        struct h2_tree_node *node = CONTAINER_OF(active->first, struct h2_tree_node, queue);
        if (node->ready)
            return node;
        active = &node->active;
    }
    return NULL;
}

void h2_tree_charge(struct h2_tree_node *node, size_t bytes)
{
    for (; node->parent != NULL; node = node->parent) {
        struct h2_tree_node *parent = node->parent;
        uint64_t start = node->queue.queued ? node->queue.key : node->resume;
        uint64_t finish = start + (uint64_t)bytes * TIME_SCALE / node->weight;
        parent->virtual_time = later(parent->virtual_time, start);
        if (node->queue.queued) {
            h2_queue_remove(&parent->active, &node->queue);
            node->queue.key = finish;
            h2_queue_insert(&parent->active, &node->queue);
        } else {
            node->resume = finish;
        }
    }
}
