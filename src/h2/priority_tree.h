/* The dependency tree of RFC 7540 section 5.3 with weighted fair queueing between siblings.
 *
 * Each node keeps the virtual time of what was sent below it; a child that sent b bytes may go
 * again when that time has moved on by b / weight. So for any two children with weights v and w
 * that stay able to send, the bytes B and C they were charged over any stretch satisfy |B / v - C /
 * w| <= b / v + c / w, b and c their largest charges. */
#ifndef H2_PRIORITY_TREE_H
#define H2_PRIORITY_TREE_H

#include "base/list.h"
#include "h2/schedule_queue.h"

#define H2_SCHEDULE_DEPTH 256

struct h2_tree_node {
    struct h2_tree_node *parent; /* NULL: the root, or not in the tree */
    struct list children, sibling;
    struct h2_queue active; /* children that are ready or have ready descendants, by start time */
    struct h2_queue_node queue; /* in the parent's `active` */
    uint64_t virtual_time;      /* start time of the child that sent last */
    uint64_t resume;            /* start time to go on with when it becomes active again */
    uint16_t weight;            /* 1 to 256 */
    bool ready;
};

/* `tie` orders siblings that have equal right: the stream's id. */
void h2_tree_init(struct h2_tree_node *node, uint32_t tie, uint16_t weight);

/* Makes `node`, which is outside, a child of `parent`, or of `root` when `parent` is too deep; with
 * all it has below it. `count`: nodes in the tree. */
void h2_tree_attach(struct h2_tree_node *root, struct h2_tree_node *node,
                    struct h2_tree_node *parent, uint32_t count);

/* Takes a node out; its children move up to its parent and share its weight (section 5.3.4). */
void h2_tree_remove(struct h2_tree_node *node);

/* Puts `node`, which is outside, where `old` is, and takes `old` out. */
void h2_tree_replace(struct h2_tree_node *old, struct h2_tree_node *node);

/* Section 5.3.3. `parent` is not `node`, but may be below it. */
void h2_tree_move(struct h2_tree_node *root, struct h2_tree_node *node, struct h2_tree_node *parent,
                  bool exclusive, uint32_t count);

void h2_tree_set_ready(struct h2_tree_node *node, bool ready);

/* The ready node whose turn it is, or NULL. */
struct h2_tree_node *h2_tree_next(const struct h2_tree_node *root);

void h2_tree_charge(struct h2_tree_node *node, size_t bytes);

/* The node that follows `node` when parents are walked before children; NULL after the last. Start
 * with the root. */
struct h2_tree_node *h2_tree_walk(const struct h2_tree_node *root, struct h2_tree_node *node);

#endif
