/* What the scheduler should say, worked out the slow way: arrays, scans and recursion, no queues.
 */
#ifndef SCHEDULER_MODEL_H
#define SCHEDULER_MODEL_H

#include "h2/scheduler.h"

#define MODEL_NODES 256

enum model_kind { MODEL_FREE, MODEL_ROOT, MODEL_OPEN, MODEL_IDLE, MODEL_CLOSED };

struct model_node {
    enum model_kind kind;
    uint32_t id;
    unsigned parent;
    uint64_t linked; /* orders siblings */
    uint32_t age;
    uint16_t weight;
    struct h2_urgency urgency;
    bool behind, ready, active;
    uint64_t start, virtual_time;
};

struct model {
    struct model_node nodes[MODEL_NODES]; /* 0: the root */
    uint64_t links;
    uint32_t ages;
    enum h2_schedule_mode mode;
    /* Whose turn it is in each level: ids, or 0 for those that are not incremental. */
    uint32_t turns[H2_SCHEDULE_LEVELS][MODEL_NODES];
    unsigned turn_count[H2_SCHEDULE_LEVELS];
};

void model_init(struct model *model);
void model_open(struct model *model, uint32_t id, uint32_t promised_by, bool behind);
void model_close(struct model *model, uint32_t id);
void model_set_dependency(struct model *model, uint32_t id, const struct h2_dependency *dependency);
void model_set_urgency(struct model *model, uint32_t id, const struct h2_urgency *urgency);
void model_set_behind(struct model *model, uint32_t id, bool behind);
void model_set_mode(struct model *model, enum h2_schedule_mode mode);
void model_set_ready(struct model *model, uint32_t id, bool ready);
uint32_t model_next(const struct model *model); /* 0: none */
void model_charge(struct model *model, uint32_t id, size_t bytes);

/* The node of `id`, or NULL. */
struct model_node *model_find(struct model *model, uint32_t id);

#endif
