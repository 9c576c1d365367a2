#include "h2/scheduler.h"
#include "scheduler_model.h"
#include "support/check.h"
#include "support/failmalloc.h"
#include "support/random.h"

#define OPEN_MOST  100
#define OPERATIONS 100000
#define CHURN      1000000

/* Open streams in no order, with their nodes at fixed addresses. */
struct connection {
    struct h2_scheduler scheduler;
    struct h2_schedule_node nodes[OPEN_MOST];
    struct account account;
    uint32_t next_id;
    unsigned open;
    uint64_t random;
};

static struct h2_schedule_node *find(void *user, uint32_t id)
{
    struct connection *connection = user;
    for (unsigned at = 0; at < OPEN_MOST; at++) {
        if (connection->nodes[at].inserted && connection->nodes[at].id == id)
            return &connection->nodes[at];
    }
    return NULL;
}

static void start(struct connection *connection, uint64_t seed)
{
    memset(connection, 0, sizeof(*connection));
    connection->random = seed;
    connection->next_id = 1;
    h2_scheduler_init(&connection->scheduler, find, connection, &connection->account);
}

static void stop(struct connection *connection)
{
    h2_scheduler_free(&connection->scheduler);
    assert_int_equal(connection->account.live, 0);
    assert_int_equal(failmalloc_live(), 0);
}

static size_t below(struct connection *connection, size_t bound)
{
    return random_below(&connection->random, bound);
}

static struct h2_schedule_node *any_open(struct connection *connection)
{
    unsigned at = (unsigned)below(connection, OPEN_MOST);
    while (connection->open > 0 && !connection->nodes[at].inserted)
        at = (at + 1) % OPEN_MOST;
    return connection->open > 0 ? &connection->nodes[at] : NULL;
}

/* Some id: open, closed a while ago, soon to be opened. */
static uint32_t any_id(struct connection *connection)
{
    uint32_t reach = 150, next = connection->next_id;
    uint32_t from = next > reach ? next - reach : 1;
    return from + (uint32_t)below(connection, next - from + 30);
}

static struct h2_schedule_node *open_one(struct connection *connection, uint32_t *promised_by,
                                         bool *behind)
{
    if (connection->open == OPEN_MOST)
        return NULL;
    struct h2_schedule_node *parent = any_open(connection);
    bool pushed = parent != NULL && below(connection, 4) == 0;
    unsigned at = 0;
    while (connection->nodes[at].inserted)
        at++;
    *promised_by = pushed ? parent->id : 0;
    *behind = pushed && below(connection, 4) != 0;
    h2_scheduler_insert(&connection->scheduler, &connection->nodes[at],
                        connection->next_id += 1 + (uint32_t)below(connection, 3), *promised_by,
                        *behind);
    connection->open++;
    return &connection->nodes[at];
}

static void close_one(struct connection *connection, struct h2_schedule_node *node)
{
    h2_scheduler_remove(&connection->scheduler, node);
    connection->open--;
}

static struct h2_dependency any_dependency(struct connection *connection)
{
    return (struct h2_dependency){
        .parent = below(connection, 4) == 0 ? 0 : any_id(connection),
        .weight = (uint16_t)(1 + below(connection, 256)),
        .exclusive = below(connection, 5) == 0,
    };
}

static struct h2_urgency any_urgency(struct connection *connection)
{
    return (struct h2_urgency){(uint8_t)below(connection, 8), below(connection, 2) == 0};
}

/* The same steps in both, at random; `tree` says how many in a thousand change a dependency. */
static void open_step(struct connection *connection, struct model *model)
{
    uint32_t promised_by;
    bool behind;
    struct h2_schedule_node *node = open_one(connection, &promised_by, &behind);
    if (node == NULL)
        return;
    model_open(model, node->id, promised_by, behind);
    h2_scheduler_set_ready(&connection->scheduler, node, true);
    model_set_ready(model, node->id, true);
}

static void ready_step(struct connection *connection, struct model *model)
{
    struct h2_schedule_node *node = any_open(connection);
    if (node == NULL)
        return;
    bool ready = below(connection, 3) != 0;
    h2_scheduler_set_ready(&connection->scheduler, node, ready);
    model_set_ready(model, node->id, ready);
}

static void serve_step(struct connection *connection, struct model *model)
{
    struct h2_schedule_node *node = h2_scheduler_next(&connection->scheduler);
    if (node == NULL)
        return;
    size_t bytes = below(connection, 5) == 0 ? below(connection, 100) : 16384;
    bool blocks = below(connection, 8) == 0, early = below(connection, 2) == 0;
    if (blocks && early) {
        h2_scheduler_set_ready(&connection->scheduler, node, false);
        model_set_ready(model, node->id, false);
    }
    h2_scheduler_charge(&connection->scheduler, node, bytes);
    model_charge(model, node->id, bytes);
    if (blocks && !early) {
        h2_scheduler_set_ready(&connection->scheduler, node, false);
        model_set_ready(model, node->id, false);
    }
}

static void close_step(struct connection *connection, struct model *model)
{
    struct h2_schedule_node *node = any_open(connection);
    if (node == NULL)
        return;
    model_close(model, node->id);
    close_one(connection, node);
}

static void dependency_step(struct connection *connection, struct model *model)
{
    uint32_t id = any_id(connection);
    struct h2_dependency dependency = any_dependency(connection);
    if (dependency.parent == id)
        return;
    assert_int_equal(h2_scheduler_set_dependency(&connection->scheduler, id, &dependency), 0);
    model_set_dependency(model, id, &dependency);
}

static void urgency_step(struct connection *connection, struct model *model)
{
    struct h2_schedule_node *node = any_open(connection);
    struct h2_urgency urgency = any_urgency(connection);
    bool early = node == NULL || below(connection, 5) == 0;
    uint32_t id = early ? connection->next_id + 1 + (uint32_t)below(connection, 50) : node->id;
    assert_int_equal(h2_scheduler_set_urgency(&connection->scheduler, id, &urgency), 0);
    model_set_urgency(model, id, &urgency);
    if (!early && below(connection, 4) == 0) {
        bool behind = below(connection, 2) == 0;
        h2_scheduler_set_behind(&connection->scheduler, node, behind);
        model_set_behind(model, id, behind);
    }
}

static void compare(struct connection *connection, struct model *model)
{
    unsigned nodes = 0;
    struct h2_scheduler *scheduler = &connection->scheduler;
    for (struct h2_tree_node *tree = h2_tree_walk(&scheduler->root, &scheduler->root); tree != NULL;
         tree = h2_tree_walk(&scheduler->root, tree)) {
        struct h2_schedule_node *node = CONTAINER_OF(tree, struct h2_schedule_node, tree);
        struct model_node *expected = model_find(model, node->id);
        assert_non_null(expected);
        assert_int_equal(node->tree.weight, expected->weight);
        assert_int_equal(node->ready, expected->kind == MODEL_OPEN && expected->ready);
        assert_int_equal(node->urgency.urgency, expected->urgency.urgency);
        uint32_t parent = tree->parent == &scheduler->root
                              ? 0
                              : CONTAINER_OF(tree->parent, struct h2_schedule_node, tree)->id;
        assert_int_equal(parent, model->nodes[expected->parent].id);
        nodes++;
    }
    assert_int_equal(nodes, scheduler->count);
    assert_in_range(nodes, connection->open, connection->open + H2_SCHEDULE_PLACEHOLDERS);
}

typedef void step_function(struct connection *connection, struct model *model);

static void run(uint64_t seed, unsigned operations, bool dependencies, bool mode_changes)
{
    static step_function *const steps[] = {open_step,  close_step, ready_step,   ready_step,
                                           serve_step, serve_step, urgency_step, dependency_step};
    static struct connection connection;
    static struct model model;
    start(&connection, seed);
    model_init(&model);
    if (!dependencies)
        h2_scheduler_refuse_tree(&connection.scheduler);
    for (unsigned operation = 0; operation < operations; operation++) {
        step_function *step = steps[below(&connection, dependencies ? 8 : 7)];
        step(&connection, &model);
        if (mode_changes && below(&connection, 50) == 0) {
            enum h2_schedule_mode mode =
                below(&connection, 2) == 0 ? H2_SCHEDULE_TREE : H2_SCHEDULE_URGENCY;
            h2_scheduler_set_mode(&connection.scheduler, mode);
            model_set_mode(&model, mode);
        }
        struct h2_schedule_node *node = h2_scheduler_next(&connection.scheduler);
        uint32_t expected = model_next(&model);
        if ((node == NULL ? 0 : node->id) != expected)
            fail_msg("seed %lu, operation %u: %u instead of %u", (unsigned long)seed, operation,
                     node == NULL ? 0 : node->id, expected);
        if (operation % 64 == 0)
            compare(&connection, &model);
    }
    stop(&connection);
}

static void urgencies_as_in_the_model(void **state)
{
    (void)state;
    run(1, OPERATIONS, false, false);
}

static void dependencies_as_in_the_model(void **state)
{
    (void)state;
    run(2, OPERATIONS, true, false);
}

static void both_schemes_as_in_the_model(void **state)
{
    (void)state;
    run(3, OPERATIONS, true, true);
}

/* All a hostile client can do, many times: nothing grows. */
static void a_million_operations_leave_nothing_behind(void **state)
{
    (void)state;
    static struct connection connection;
    start(&connection, 4);
    size_t most = H2_SCHEDULE_PLACEHOLDERS * sizeof(struct h2_schedule_node);
    for (unsigned operation = 0; operation < CHURN; operation++) {
        struct h2_dependency dependency = any_dependency(&connection);
        struct h2_urgency urgency = any_urgency(&connection);
        struct h2_schedule_node *node = any_open(&connection);
        uint32_t promised_by, id = below(&connection, 2) == 0
                                       ? any_id(&connection)
                                       : (uint32_t)random_next(&connection.random) & 0x7fffffff;
        bool behind;
        switch (below(&connection, 6)) {
        case 0:
            open_one(&connection, &promised_by, &behind);
            break;
        case 1:
            if (node != NULL)
                close_one(&connection, node);
            break;
        case 2:
            h2_scheduler_set_urgency(&connection.scheduler, id, &urgency);
            break;
        case 3:
            h2_scheduler_set_mode(&connection.scheduler, operation / 3 % 2);
            break;
        default:
            h2_scheduler_set_dependency(&connection.scheduler, id, &dependency);
        }
        if (node != NULL && node->inserted)
            h2_scheduler_set_ready(&connection.scheduler, node, operation % 3 != 0);
        node = h2_scheduler_next(&connection.scheduler);
        if (node != NULL)
            h2_scheduler_charge(&connection.scheduler, node, operation % 20000);
        assert_true(connection.account.live <= most);
        assert_true(connection.scheduler.count <= connection.open + H2_SCHEDULE_PLACEHOLDERS);
    }
    assert_int_equal(failmalloc_live(), 1);
    stop(&connection);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urgencies_as_in_the_model),
        cmocka_unit_test(dependencies_as_in_the_model),
        cmocka_unit_test(both_schemes_as_in_the_model),
        cmocka_unit_test(a_million_operations_leave_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
