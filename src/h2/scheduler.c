#include "h2/scheduler.h"
#include "base/err.h"
#include <stdlib.h>

static struct h2_schedule_node *of_tree(const struct h2_tree_node *tree)
{
    return CONTAINER_OF(tree, struct h2_schedule_node, tree);
}

void h2_scheduler_init(struct h2_scheduler *scheduler, h2_schedule_find *find, void *user,
                       struct account *account)
{
    *scheduler = (struct h2_scheduler){
        .mode = H2_SCHEDULE_URGENCY,
        .find = find,
        .user = user,
        .account = account,
    };
    h2_levels_init(&scheduler->levels);
    h2_tree_init(&scheduler->root, 0, H2_SCHEDULE_DEFAULT_WEIGHT);
}

#define PLACEHOLDERS_SIZE (H2_SCHEDULE_PLACEHOLDERS * sizeof(struct h2_schedule_node))

void h2_scheduler_free(struct h2_scheduler *scheduler)
{
    if (scheduler->placeholders != NULL)
        account_refund(scheduler->account, PLACEHOLDERS_SIZE);
    free(scheduler->placeholders);
    h2_scheduler_init(scheduler, scheduler->find, scheduler->user, scheduler->account);
}

/* Everything of a node but its place in the tree. */
static void init_node(struct h2_scheduler *scheduler, struct h2_schedule_node *node, uint32_t id,
                      struct h2_urgency urgency, bool behind)
{
    *node = (struct h2_schedule_node){
        .id = id,
        .urgency = urgency,
        .behind = behind,
        .inserted = true,
    };
    h2_tree_init(&node->tree, id, H2_SCHEDULE_DEFAULT_WEIGHT);
    h2_level_node_init(&node->level, id);
    h2_levels_place(&scheduler->levels, &node->level, urgency.urgency, urgency.incremental, behind);
}

static const struct h2_urgency default_urgency = {H2_SCHEDULE_DEFAULT_URGENCY, false};

/* Tells the scheme in force. */
static void apply_ready(struct h2_scheduler *scheduler, struct h2_schedule_node *node, bool ready)
{
    if (scheduler->mode == H2_SCHEDULE_TREE)
        h2_tree_set_ready(&node->tree, ready);
    else
        h2_levels_set_ready(&scheduler->levels, &node->level, ready);
}

static struct h2_schedule_node *find_placeholder(const struct h2_scheduler *scheduler, uint32_t id)
{
    if (scheduler->placeholders == NULL)
        return NULL;
    for (unsigned at = 0; at < H2_SCHEDULE_PLACEHOLDERS; at++) {
        struct h2_schedule_node *node = &scheduler->placeholders[at];
        if (node->inserted && node->id == id)
            return node;
    }
    return NULL;
}

static struct h2_schedule_node *find_node(const struct h2_scheduler *scheduler, uint32_t id)
{
    struct h2_schedule_node *node = scheduler->find(scheduler->user, id);
    return node != NULL && node->inserted ? node : find_placeholder(scheduler, id);
}

/* Whether `left` goes before `right` when one must. */
static bool is_rather_dropped(const struct h2_schedule_node *left,
                              const struct h2_schedule_node *right)
{
    if (left->closed != right->closed)
        return left->closed;
    return (int32_t)(left->age - right->age) < 0;
}

static void drop(struct h2_scheduler *scheduler, struct h2_schedule_node *node)
{
    apply_ready(scheduler, node, false);
    h2_tree_remove(&node->tree);
    node->inserted = node->ready = false;
    scheduler->count--;
}

/* A slot for a placeholder, emptied if need be. NULL when all are of idle streams and the new one
 * is not, which is worth less than any of them. */
static struct h2_schedule_node *take_slot(struct h2_scheduler *scheduler, bool closed)
{
    struct h2_schedule_node *worst = &scheduler->placeholders[0];
    for (unsigned at = 0; at < H2_SCHEDULE_PLACEHOLDERS; at++) {
        struct h2_schedule_node *node = &scheduler->placeholders[at];
        if (!node->inserted)
            return node;
        if (is_rather_dropped(node, worst))
            worst = node;
    }
    if (closed && !worst->closed)
        return NULL;
    drop(scheduler, worst);
    return worst;
}

static int reserve_placeholders(struct h2_scheduler *scheduler)
{
    if (scheduler->placeholders != NULL)
        return 0;
    int result = account_charge(scheduler->account, PLACEHOLDERS_SIZE);
    if (result != 0)
        return result;
    scheduler->placeholders = calloc(1, PLACEHOLDERS_SIZE);
    if (scheduler->placeholders == NULL) {
        account_refund(scheduler->account, PLACEHOLDERS_SIZE);
        return HERALD_ERROR_NOMEM;
    }
    return 0;
}

/* The node of `id`, or a new placeholder below the root. */
static int find_or_add(struct h2_scheduler *scheduler, uint32_t id, struct h2_schedule_node **node)
{
    *node = find_node(scheduler, id);
    if (*node != NULL)
        return 0;
    int result = reserve_placeholders(scheduler);
    if (result != 0)
        return result;
    *node = take_slot(scheduler, false);
    init_node(scheduler, *node, id, default_urgency, false);
    (*node)->age = scheduler->next_age++;
    h2_tree_attach(&scheduler->root, &(*node)->tree, &scheduler->root, ++scheduler->count);
    return 0;
}

void h2_scheduler_insert(struct h2_scheduler *scheduler, struct h2_schedule_node *node, uint32_t id,
                         uint32_t promised_by, bool behind)
{
    struct h2_schedule_node *early = find_placeholder(scheduler, id);
    if (early != NULL) {
        init_node(scheduler, node, id, early->urgency, behind);
        h2_tree_replace(&early->tree, &node->tree);
        early->inserted = false;
        return;
    }
    init_node(scheduler, node, id, default_urgency, behind);
    struct h2_schedule_node *parent = promised_by == 0 ? NULL : find_node(scheduler, promised_by);
    h2_tree_attach(&scheduler->root, &node->tree, parent == NULL ? &scheduler->root : &parent->tree,
                   ++scheduler->count);
}

/* Leaves a placeholder where `node` is in the tree. */
static bool leave_placeholder(struct h2_scheduler *scheduler, struct h2_schedule_node *node)
{
    if (scheduler->mode != H2_SCHEDULE_TREE || reserve_placeholders(scheduler) != 0)
        return false;
    struct h2_schedule_node *slot = take_slot(scheduler, true);
    if (slot == NULL)
        return false;
    init_node(scheduler, slot, node->id, default_urgency, false);
    slot->closed = true;
    slot->age = scheduler->next_age++;
    h2_tree_replace(&node->tree, &slot->tree);
    node->inserted = false;
    return true;
}

void h2_scheduler_remove(struct h2_scheduler *scheduler, struct h2_schedule_node *node)
{
    if (!node->inserted)
        return;
    h2_scheduler_set_ready(scheduler, node, false);
    if (!leave_placeholder(scheduler, node))
        drop(scheduler, node);
}

int h2_scheduler_set_dependency(struct h2_scheduler *scheduler, uint32_t id,
                                const struct h2_dependency *dependency)
{
    struct h2_schedule_node *node;
    if (scheduler->tree_refused || id == 0 || dependency->parent == id)
        return 0;
    int result = find_or_add(scheduler, id, &node);
    if (result != 0)
        return result;
    struct h2_tree_node *parent = &scheduler->root;
    uint16_t weight = dependency->weight;
    bool exclusive = dependency->exclusive;
    if (dependency->parent != 0) {
        struct h2_schedule_node *known = find_node(scheduler, dependency->parent);
        if (known != NULL) {
            parent = &known->tree;
        } else {
            weight = H2_SCHEDULE_DEFAULT_WEIGHT;
            exclusive = false;
        }
    }
    node->tree.weight = weight < 1 ? 1 : weight > 256 ? 256 : weight;
    h2_tree_move(&scheduler->root, &node->tree, parent, exclusive, scheduler->count);
    h2_scheduler_set_mode(scheduler, H2_SCHEDULE_TREE);
    return 0;
}

static void place(struct h2_scheduler *scheduler, struct h2_schedule_node *node)
{
    h2_levels_place(&scheduler->levels, &node->level, node->urgency.urgency,
                    node->urgency.incremental, node->behind);
}

int h2_scheduler_set_urgency(struct h2_scheduler *scheduler, uint32_t id,
                             const struct h2_urgency *urgency)
{
    struct h2_schedule_node *node;
    if (id == 0)
        return 0;
    int result = find_or_add(scheduler, id, &node);
    if (result != 0)
        return result;
    node->urgency = *urgency;
    if (node->urgency.urgency >= H2_SCHEDULE_URGENCIES)
        node->urgency.urgency = H2_SCHEDULE_URGENCIES - 1;
    place(scheduler, node);
    return 0;
}

void h2_scheduler_set_behind(struct h2_scheduler *scheduler, struct h2_schedule_node *node,
                             bool behind)
{
    if (!node->inserted)
        return;
    node->behind = behind;
    place(scheduler, node);
}

void h2_scheduler_refuse_tree(struct h2_scheduler *scheduler)
{
    scheduler->tree_refused = true;
    h2_scheduler_set_mode(scheduler, H2_SCHEDULE_URGENCY);
}

void h2_scheduler_set_mode(struct h2_scheduler *scheduler, enum h2_schedule_mode mode)
{
    if (mode == scheduler->mode)
        return;
    enum h2_schedule_mode before = scheduler->mode;
    for (struct h2_tree_node *tree = h2_tree_walk(&scheduler->root, &scheduler->root); tree != NULL;
         tree = h2_tree_walk(&scheduler->root, tree)) {
        struct h2_schedule_node *node = of_tree(tree);
        if (!node->ready)
            continue;
        scheduler->mode = before;
        apply_ready(scheduler, node, false);
        scheduler->mode = mode;
        apply_ready(scheduler, node, true);
    }
    scheduler->mode = mode;
}

void h2_scheduler_set_ready(struct h2_scheduler *scheduler, struct h2_schedule_node *node,
                            bool ready)
{
    if (!node->inserted || node->ready == ready)
        return;
    node->ready = ready;
    apply_ready(scheduler, node, ready);
}

struct h2_schedule_node *h2_scheduler_next(const struct h2_scheduler *scheduler)
{
    if (scheduler->mode == H2_SCHEDULE_TREE) {
        struct h2_tree_node *tree = h2_tree_next(&scheduler->root);
        return tree == NULL ? NULL : of_tree(tree);
    }
    struct h2_level_node *level = h2_levels_next(&scheduler->levels);
    return level == NULL ? NULL : CONTAINER_OF(level, struct h2_schedule_node, level);
}

void h2_scheduler_charge(struct h2_scheduler *scheduler, struct h2_schedule_node *node,
                         size_t bytes)
{
    if (!node->inserted)
        return;
    if (scheduler->mode == H2_SCHEDULE_TREE)
        h2_tree_charge(&node->tree, bytes);
    else
        h2_levels_charge(&scheduler->levels, &node->level);
}
