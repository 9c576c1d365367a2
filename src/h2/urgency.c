#include "h2/urgency.h"

void h2_levels_init(struct h2_levels *levels)
{
    levels->occupied = 0;
    for (unsigned at = 0; at < H2_SCHEDULE_LEVELS; at++) {
        levels->levels[at].waiting.first = NULL;
        list_init(&levels->levels[at].turns);
        list_init(&levels->levels[at].waiting_turn);
    }
}

void h2_level_node_init(struct h2_level_node *node, uint32_t id)
{
    *node = (struct h2_level_node){.queue = {.tie = id}};
    list_init(&node->turn);
}

static void enter(struct h2_levels *levels, struct h2_level_node *node)
{
    struct h2_level *level = &levels->levels[node->level];
    node->ready = true;
    levels->occupied |= 1u << node->level;
    if (node->incremental) {
        list_append(&level->turns, &node->turn);
        return;
    }
    if (level->waiting.first == NULL)
        list_append(&level->turns, &level->waiting_turn);
    h2_queue_insert(&level->waiting, &node->queue);
}

static void leave(struct h2_levels *levels, struct h2_level_node *node)
{
    struct h2_level *level = &levels->levels[node->level];
    node->ready = false;
    if (node->incremental) {
        list_remove(&node->turn);
    } else {
        h2_queue_remove(&level->waiting, &node->queue);
        if (level->waiting.first == NULL)
            list_remove(&level->waiting_turn);
    }
    if (list_is_empty(&level->turns))
        levels->occupied &= ~(1u << node->level);
}

void h2_levels_place(struct h2_levels *levels, struct h2_level_node *node, uint8_t urgency,
                     bool incremental, bool behind)
{
    uint8_t place = (uint8_t)(urgency * 2 + behind);
    bool ready = node->ready;
    if (place == node->level && incremental == node->incremental)
        return;
    if (ready)
        leave(levels, node);
    node->level = place;
    node->incremental = incremental;
    if (ready)
        enter(levels, node);
}

void h2_levels_set_ready(struct h2_levels *levels, struct h2_level_node *node, bool ready)
{
    if (ready == node->ready)
        return;
    if (ready)
        enter(levels, node);
    else
        leave(levels, node);
}

struct h2_level_node *h2_levels_next(const struct h2_levels *levels)
{
    if (levels->occupied == 0)
        return NULL;
    const struct h2_level *level = &levels->levels[__builtin_ctz(levels->occupied)];
    struct list *turn = list_first(&level->turns);
    if (turn == &level->waiting_turn)
        return CONTAINER_OF(level->waiting.first, struct h2_level_node, queue);
    return CONTAINER_OF(turn, struct h2_level_node, turn);
}

void h2_levels_charge(struct h2_levels *levels, struct h2_level_node *node)
{
    if (!node->ready)
        return;
    struct h2_level *level = &levels->levels[node->level];
    struct list *turn = node->incremental ? &node->turn : &level->waiting_turn;
    list_remove(turn);
    list_append(&level->turns, turn);
}
