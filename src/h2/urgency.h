/* The order of RFC 9218: strict levels of urgency; within one, turns. */
#ifndef H2_URGENCY_H
#define H2_URGENCY_H

#include "base/list.h"
#include "h2/schedule_queue.h"

#define H2_SCHEDULE_URGENCIES 8
#define H2_SCHEDULE_LEVELS    (2 * H2_SCHEDULE_URGENCIES)

struct h2_level_node {
    struct h2_queue_node queue; /* in its level's `waiting` */
    struct list turn;           /* in its level's `turns` */
    uint8_t level;
    bool incremental;
    bool ready;
};

/* The pushed streams of an urgency are a level of their own behind it. */
struct h2_level {
    struct h2_queue waiting; /* ready, not incremental, by id */
    struct list turns;       /* ready and incremental, and `waiting_turn` when there are others */
    struct list waiting_turn;
};

struct h2_levels {
    uint32_t occupied; /* bit n: level n has a ready stream */
    struct h2_level levels[H2_SCHEDULE_LEVELS];
};

void h2_levels_init(struct h2_levels *levels);
void h2_level_node_init(struct h2_level_node *node, uint32_t id);

/* `urgency` is 0 to 7. A ready node keeps being so and goes to the end of its new level's turns. */
void h2_levels_place(struct h2_levels *levels, struct h2_level_node *node, uint8_t urgency,
                     bool incremental, bool behind);

void h2_levels_set_ready(struct h2_levels *levels, struct h2_level_node *node, bool ready);

/* The ready node whose turn it is, or NULL. */
struct h2_level_node *h2_levels_next(const struct h2_levels *levels);

/* The node had its turn. */
void h2_levels_charge(struct h2_levels *levels, struct h2_level_node *node);

#endif
