#include "scheduler_model.h"

static unsigned number_of(const struct model *model, uint32_t id)
{
    for (unsigned at = 1; at < MODEL_NODES; at++) {
        if (model->nodes[at].kind != MODEL_FREE && model->nodes[at].id == id)
            return at;
    }
    return 0;
}

struct model_node *model_find(struct model *model, uint32_t id)
{
    unsigned at = number_of(model, id);
    return at == 0 ? NULL : &model->nodes[at];
}

static bool can_send(const struct model *model, unsigned at)
{
    const struct model_node *node = &model->nodes[at];
    if (node->kind == MODEL_OPEN && node->ready)
        return true;
    for (unsigned child = 1; child < MODEL_NODES; child++) {
        if (model->nodes[child].kind != MODEL_FREE && model->nodes[child].parent == at &&
            can_send(model, child))
            return true;
    }
    return false;
}

/* Who can send now and could not before starts with its siblings, unless it still owes. */
static void update_activity(struct model *model)
{
    for (unsigned at = 1; at < MODEL_NODES; at++) {
        struct model_node *node = &model->nodes[at];
        if (node->kind == MODEL_FREE)
            continue;
        bool active = model->mode == H2_SCHEDULE_TREE && can_send(model, at);
        uint64_t now = model->nodes[node->parent].virtual_time;
        if (active && !node->active && (int64_t)(now - node->start) > 0)
            node->start = now;
        node->active = active;
    }
}

static void link_to(struct model *model, unsigned at, unsigned parent)
{
    model->nodes[at].parent = parent;
    model->nodes[at].linked = ++model->links;
    model->nodes[at].start = model->nodes[parent].virtual_time;
    model->nodes[at].active = false;
}

/* The child of `parent` that was linked first after `after`; 0: none. */
static unsigned child_after(const struct model *model, unsigned parent, uint64_t after)
{
    unsigned best = 0;
    for (unsigned at = 1; at < MODEL_NODES; at++) {
        const struct model_node *node = &model->nodes[at];
        if (node->kind != MODEL_FREE && node->parent == parent && node->linked > after &&
            (best == 0 || node->linked < model->nodes[best].linked))
            best = at;
    }
    return best;
}

static unsigned level_of(const struct model_node *node)
{
    return node->urgency.urgency * 2u + node->behind;
}

/* Enters or leaves its level's turns. */
static void set_turn(struct model *model, struct model_node *node, bool wanted)
{
    unsigned level = level_of(node), *count = &model->turn_count[level];
    uint32_t *turns = model->turns[level], mark = node->urgency.incremental ? node->id : 0;
    unsigned others = 0, at = 0;
    for (unsigned other = 1; mark == 0 && other < MODEL_NODES; other++) {
        const struct model_node *rival = &model->nodes[other];
        others += rival != node && rival->kind == MODEL_OPEN && rival->ready &&
                  !rival->urgency.incremental && level_of(rival) == level;
    }
    while (at < *count && turns[at] != mark)
        at++;
    if (wanted && at == *count) {
        turns[(*count)++] = mark;
    } else if (!wanted && at < *count && others == 0) {
        for ((*count)--; at < *count; at++)
            turns[at] = turns[at + 1];
    }
}

static void enter_mode(struct model *model, struct model_node *node, bool ready)
{
    if (model->mode == H2_SCHEDULE_URGENCY)
        set_turn(model, node, ready);
}

void model_init(struct model *model)
{
    *model = (struct model){.mode = H2_SCHEDULE_URGENCY};
    model->nodes[0].kind = MODEL_ROOT;
}

static unsigned add(struct model *model, enum model_kind kind, uint32_t id, unsigned parent)
{
    unsigned at = 1;
    while (model->nodes[at].kind != MODEL_FREE)
        at++;
    model->nodes[at] = (struct model_node){
        .kind = kind,
        .id = id,
        .weight = H2_SCHEDULE_DEFAULT_WEIGHT,
        .urgency = {H2_SCHEDULE_DEFAULT_URGENCY, false},
        .age = kind == MODEL_OPEN ? 0 : model->ages++,
    };
    link_to(model, at, parent);
    return at;
}

static void drop(struct model *model, unsigned at)
{
    struct model_node *node = &model->nodes[at];
    uint32_t sum = 0;
    for (unsigned child = 0, next; (next = child_after(model, at, child)) != 0;
         child = (unsigned)model->nodes[next].linked)
        sum += model->nodes[next].weight;
    for (unsigned child; (child = child_after(model, at, 0)) != 0;) {
        uint32_t share = (uint32_t)node->weight * model->nodes[child].weight / sum;
        model->nodes[child].weight = share == 0 ? 1 : (uint16_t)share;
        link_to(model, child, node->parent);
    }
    node->kind = MODEL_FREE;
}

/* Makes room for one more placeholder; false when a closed stream's is not worth it. */
static bool make_room(struct model *model, enum model_kind kind)
{
    unsigned count = 0, worst = 0;
    for (unsigned at = 1; at < MODEL_NODES; at++) {
        const struct model_node *node = &model->nodes[at], *rival = &model->nodes[worst];
        if (node->kind != MODEL_IDLE && node->kind != MODEL_CLOSED)
            continue;
        count++;
        if (worst == 0 || (node->kind == MODEL_CLOSED && rival->kind == MODEL_IDLE) ||
            (node->kind == rival->kind && node->age < rival->age))
            worst = at;
    }
    if (count < H2_SCHEDULE_PLACEHOLDERS)
        return true;
    if (kind == MODEL_CLOSED && model->nodes[worst].kind == MODEL_IDLE)
        return false;
    drop(model, worst);
    return true;
}

static unsigned find_or_add(struct model *model, uint32_t id)
{
    unsigned at = number_of(model, id);
    if (at != 0)
        return at;
    make_room(model, MODEL_IDLE);
    return add(model, MODEL_IDLE, id, 0);
}

void model_open(struct model *model, uint32_t id, uint32_t promised_by, bool behind)
{
    unsigned at = number_of(model, id);
    if (at != 0) {
        /* Its place among its siblings is the last; time goes on. */
        model->nodes[at].kind = MODEL_OPEN;
        model->nodes[at].linked = ++model->links;
    } else {
        at = add(model, MODEL_OPEN, id, promised_by == 0 ? 0 : number_of(model, promised_by));
    }
    model->nodes[at].behind = behind;
    update_activity(model);
}

void model_close(struct model *model, uint32_t id)
{
    model_set_ready(model, id, false);
    struct model_node *node = &model->nodes[number_of(model, id)];
    if (model->mode == H2_SCHEDULE_TREE && make_room(model, MODEL_CLOSED)) {
        node->kind = MODEL_CLOSED;
        node->age = model->ages++;
        node->linked = ++model->links;
        node->urgency = (struct h2_urgency){H2_SCHEDULE_DEFAULT_URGENCY, false};
        node->behind = false;
    } else {
        drop(model, number_of(model, id));
    }
    update_activity(model);
}

void model_set_dependency(struct model *model, uint32_t id, const struct h2_dependency *dependency)
{
    unsigned at = find_or_add(model, id);
    unsigned parent = dependency->parent == 0 ? 0 : number_of(model, dependency->parent);
    bool known = dependency->parent == 0 || parent != 0;
    bool exclusive = known && dependency->exclusive;
    model->nodes[at].weight = known ? dependency->weight : H2_SCHEDULE_DEFAULT_WEIGHT;
    bool below = false;
    for (unsigned up = parent; up != 0; up = model->nodes[up].parent)
        below = below || up == at;
    if (below)
        link_to(model, parent, model->nodes[at].parent);
    if (parent != model->nodes[at].parent || exclusive) {
        model->nodes[at].parent = at; /* outside for a moment */
        for (unsigned child; exclusive && (child = child_after(model, parent, 0)) != 0;)
            link_to(model, child, at);
        link_to(model, at, parent);
    }
    update_activity(model);
    model_set_mode(model, H2_SCHEDULE_TREE);
}

static void change_place(struct model *model, struct model_node *node, struct h2_urgency urgency,
                         bool behind)
{
    bool moves = urgency.urgency != node->urgency.urgency || behind != node->behind ||
                 urgency.incremental != node->urgency.incremental;
    bool takes_turns = moves && node->ready && model->mode == H2_SCHEDULE_URGENCY;
    if (takes_turns)
        set_turn(model, node, false);
    node->urgency = urgency;
    node->behind = behind;
    if (takes_turns)
        set_turn(model, node, true);
}

void model_set_urgency(struct model *model, uint32_t id, const struct h2_urgency *urgency)
{
    struct model_node *node = &model->nodes[find_or_add(model, id)];
    change_place(model, node, *urgency, node->behind);
    update_activity(model);
}

void model_set_behind(struct model *model, uint32_t id, bool behind)
{
    struct model_node *node = &model->nodes[number_of(model, id)];
    change_place(model, node, node->urgency, behind);
}

/* Streams take their turns in the tree's order, parents first. */
static void enter_below(struct model *model, unsigned parent)
{
    uint64_t after = 0;
    for (unsigned child; (child = child_after(model, parent, after)) != 0;) {
        after = model->nodes[child].linked;
        if (model->nodes[child].ready)
            enter_mode(model, &model->nodes[child], true);
        enter_below(model, child);
    }
}

void model_set_mode(struct model *model, enum h2_schedule_mode mode)
{
    if (mode == model->mode)
        return;
    model->mode = mode;
    for (unsigned level = 0; level < H2_SCHEDULE_LEVELS; level++)
        model->turn_count[level] = 0;
    enter_below(model, 0);
    update_activity(model);
}

void model_set_ready(struct model *model, uint32_t id, bool ready)
{
    struct model_node *node = &model->nodes[number_of(model, id)];
    if (node->ready == ready)
        return;
    node->ready = ready;
    enter_mode(model, node, ready);
    update_activity(model);
}

static uint32_t next_in_tree(const struct model *model)
{
    unsigned at = 0;
    for (;;) {
        unsigned best = 0;
        for (unsigned child = 1; child < MODEL_NODES; child++) {
            const struct model_node *node = &model->nodes[child], *rival = &model->nodes[best];
            if (node->kind == MODEL_FREE || node->parent != at || !node->active)
                continue;
            int64_t difference = (int64_t)(node->start - rival->start);
            if (best == 0 || difference < 0 || (difference == 0 && node->id < rival->id))
                best = child;
        }
        if (best == 0 || model->nodes[best].ready)
            return best == 0 ? 0 : model->nodes[best].id;
        at = best;
    }
}

static uint32_t next_in_levels(const struct model *model)
{
    uint32_t lowest = 0;
    unsigned level = 0;
    while (level < H2_SCHEDULE_LEVELS && model->turn_count[level] == 0)
        level++;
    if (level == H2_SCHEDULE_LEVELS || model->turns[level][0] != 0)
        return level == H2_SCHEDULE_LEVELS ? 0 : model->turns[level][0];
    for (unsigned at = 1; at < MODEL_NODES; at++) {
        const struct model_node *node = &model->nodes[at];
        if (node->kind == MODEL_OPEN && node->ready && !node->urgency.incremental &&
            level_of(node) == level && (lowest == 0 || node->id < lowest))
            lowest = node->id;
    }
    return lowest;
}

uint32_t model_next(const struct model *model)
{
    return model->mode == H2_SCHEDULE_TREE ? next_in_tree(model) : next_in_levels(model);
}

void model_charge(struct model *model, uint32_t id, size_t bytes)
{
    unsigned at = number_of(model, id);
    const struct model_node *node = &model->nodes[at];
    if (model->mode == H2_SCHEDULE_TREE) {
        for (; at != 0; at = model->nodes[at].parent) {
            struct model_node *up = &model->nodes[model->nodes[at].parent];
            uint64_t start = model->nodes[at].start;
            if ((int64_t)(start - up->virtual_time) > 0)
                up->virtual_time = start;
            model->nodes[at].start += (uint64_t)bytes * 65536 / model->nodes[at].weight;
        }
    } else if (node->ready) {
        unsigned level = level_of(node);
        uint32_t *turns = model->turns[level], mark = node->urgency.incremental ? node->id : 0;
        unsigned last = model->turn_count[level] - 1, from = 0;
        while (turns[from] != mark)
            from++;
        for (; from < last; from++)
            turns[from] = turns[from + 1];
        turns[last] = mark;
    }
}
