#include "base/err.h"
#include "h2/scheduler.h"
#include "support/check.h"
#include "support/failmalloc.h"
#include "support/random.h"

#define STREAMS 1200

/* A connection's streams; id 2n + 1 is streams[n], even ids are pushed ones behind them. */
static struct h2_schedule_node streams[STREAMS];
static struct h2_scheduler scheduler;
static struct account account;

static struct h2_schedule_node *stream(uint32_t id)
{
    return &streams[id % 2 == 1 ? id / 2 : STREAMS / 2 + id / 2];
}

static struct h2_schedule_node *find(void *user, uint32_t id)
{
    (void)user;
    return id < STREAMS && stream(id)->inserted ? stream(id) : NULL;
}

static int set_up(void **state)
{
    (void)state;
    memset(streams, 0, sizeof(streams));
    account = (struct account){.maximum = 0};
    h2_scheduler_init(&scheduler, find, NULL, &account);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    h2_scheduler_free(&scheduler);
    assert_int_equal(account.live, 0);
    assert_int_equal(failmalloc_live(), 0);
    return 0;
}

static void open_ready(uint32_t id)
{
    h2_scheduler_insert(&scheduler, stream(id), id, 0, false);
    h2_scheduler_set_ready(&scheduler, stream(id), true);
}

static void open_pushed(uint32_t id, uint32_t parent, bool behind)
{
    h2_scheduler_insert(&scheduler, stream(id), id, parent, behind);
    h2_scheduler_set_ready(&scheduler, stream(id), true);
}

static void set_urgency(uint32_t id, uint8_t urgency, bool incremental)
{
    struct h2_urgency value = {urgency, incremental};
    assert_int_equal(h2_scheduler_set_urgency(&scheduler, id, &value), 0);
}

static void depend(uint32_t id, uint32_t parent, uint16_t weight, bool exclusive)
{
    struct h2_dependency value = {parent, weight, exclusive};
    assert_int_equal(h2_scheduler_set_dependency(&scheduler, id, &value), 0);
}

static uint32_t next_id(void)
{
    struct h2_schedule_node *node = h2_scheduler_next(&scheduler);
    return node == NULL ? 0 : node->id;
}

/* Sends `bytes` from the next stream, which stays ready. */
static uint32_t serve(size_t bytes)
{
    struct h2_schedule_node *node = h2_scheduler_next(&scheduler);
    if (node == NULL)
        return 0;
    h2_scheduler_charge(&scheduler, node, bytes);
    return node->id;
}

/* The next stream sends its last byte and closes. */
static uint32_t finish(void)
{
    struct h2_schedule_node *node = h2_scheduler_next(&scheduler);
    if (node == NULL)
        return 0;
    uint32_t id = node->id;
    h2_scheduler_set_ready(&scheduler, node, false);
    h2_scheduler_charge(&scheduler, node, 1000);
    h2_scheduler_remove(&scheduler, node);
    return id;
}

static uint32_t parent_of(uint32_t id)
{
    struct h2_tree_node *parent = stream(id)->tree.parent;
    return parent == &scheduler.root ? 0 : CONTAINER_OF(parent, struct h2_schedule_node, tree)->id;
}

static void nothing_ready_is_nothing_to_send(void **state)
{
    (void)state;
    assert_int_equal(next_id(), 0);
    h2_scheduler_insert(&scheduler, stream(1), 1, 0, false);
    assert_int_equal(next_id(), 0);
    h2_scheduler_set_ready(&scheduler, stream(1), true);
    h2_scheduler_set_ready(&scheduler, stream(1), true);
    assert_int_equal(next_id(), 1);
    assert_int_equal(next_id(), 1);
    h2_scheduler_set_ready(&scheduler, stream(1), false);
    assert_int_equal(next_id(), 0);
    h2_scheduler_remove(&scheduler, stream(1));
    h2_scheduler_remove(&scheduler, stream(1));
    h2_scheduler_set_ready(&scheduler, stream(1), true);
    h2_scheduler_charge(&scheduler, stream(1), 1);
    assert_int_equal(next_id(), 0);
    assert_int_equal(failmalloc_live(), 0);
}

static void more_urgent_streams_go_first(void **state)
{
    (void)state;
    for (uint32_t id = 1; id < 17; id += 2) {
        open_ready(id);
        set_urgency(id, (uint8_t)(7 - id / 2), id % 4 == 1);
    }
    for (uint32_t id = 15;; id -= 2) {
        for (unsigned times = 0; times < 5; times++)
            assert_int_equal(serve(16384), id);
        h2_scheduler_set_ready(&scheduler, stream(id), false);
        if (id == 1)
            break;
    }
    assert_int_equal(next_id(), 0);
    /* A latecomer overtakes at once. */
    h2_scheduler_set_ready(&scheduler, stream(1), true);
    assert_int_equal(serve(16384), 1);
    h2_scheduler_set_ready(&scheduler, stream(15), true);
    assert_int_equal(serve(16384), 15);
}

static void streams_finish_in_the_order_of_their_ids(void **state)
{
    (void)state;
    static const uint32_t ids[] = {9, 3, 13, 1, 7, 11, 5};
    for (size_t at = 0; at < sizeof(ids) / sizeof(ids[0]); at++)
        open_ready(ids[at]);
    for (uint32_t id = 1; id <= 13; id += 2) {
        for (unsigned times = 0; times < 3; times++)
            assert_int_equal(serve(16384), id);
        assert_int_equal(finish(), id);
    }
}

static void incremental_streams_alternate(void **state)
{
    (void)state;
    for (uint32_t id = 1; id <= 5; id += 2) {
        open_ready(id);
        set_urgency(id, 3, true);
    }
    for (unsigned round = 0; round < 4; round++) {
        for (uint32_t id = 1; id <= 5; id += 2)
            assert_int_equal(serve(round == 0 ? 0 : 16384), id);
    }
    /* The others count as one more. */
    open_ready(7);
    open_ready(9);
    static const uint32_t order[] = {1, 3, 5, 7, 1, 3, 5, 7, 1};
    for (size_t at = 0; at < sizeof(order) / sizeof(order[0]); at++)
        assert_int_equal(serve(16384), order[at]);
}

static void pushed_streams_wait_for_requested_ones(void **state)
{
    (void)state;
    open_ready(1);
    open_pushed(2, 1, true);
    open_ready(3);
    open_pushed(4, 3, false);
    set_urgency(4, 3, true);
    set_urgency(3, 4, false);
    set_urgency(2, 3, true);
    static const uint32_t order[] = {1, 4, 1, 4};
    for (size_t at = 0; at < sizeof(order) / sizeof(order[0]); at++)
        assert_int_equal(serve(100), order[at]);
    h2_scheduler_set_ready(&scheduler, stream(1), false);
    h2_scheduler_set_ready(&scheduler, stream(4), false);
    assert_int_equal(serve(100), 2); /* urgency 3 behind is before urgency 4 */
    h2_scheduler_set_ready(&scheduler, stream(4), true);
    assert_int_equal(serve(100), 4);
    h2_scheduler_set_behind(&scheduler, stream(2), false);
    static const uint32_t equals[] = {4, 2, 4, 2};
    for (size_t at = 0; at < sizeof(equals) / sizeof(equals[0]); at++)
        assert_int_equal(serve(100), equals[at]);
    set_urgency(2, 0, false);
    assert_int_equal(serve(100), 2);
}

static void an_urgency_may_come_before_the_stream(void **state)
{
    (void)state;
    set_urgency(5, 1, true);
    set_urgency(7, 200, false);
    open_ready(3);
    open_ready(5);
    open_ready(7);
    assert_int_equal(stream(5)->urgency.urgency, 1);
    assert_true(stream(5)->urgency.incremental);
    assert_int_equal(stream(7)->urgency.urgency, 7);
    assert_int_equal(finish(), 5);
    assert_int_equal(finish(), 3);
    assert_int_equal(finish(), 7);
    assert_int_equal(scheduler.mode, H2_SCHEDULE_URGENCY);
}

static void early_urgencies_are_bounded(void **state)
{
    (void)state;
    for (uint32_t id = 1; id < 201; id += 2)
        set_urgency(id, 0, false);
    assert_int_equal(scheduler.count, H2_SCHEDULE_PLACEHOLDERS);
    size_t live = account.live;
    for (uint32_t id = 1; id < 201; id += 2)
        h2_scheduler_insert(&scheduler, stream(id), id, 0, false);
    assert_int_equal(account.live, live);
    /* The newest are the ones remembered. */
    for (uint32_t id = 1; id < 201; id += 2)
        assert_int_equal(stream(id)->urgency.urgency,
                         id >= 201 - 2 * H2_SCHEDULE_PLACEHOLDERS ? 0 : 3);
    assert_int_equal(scheduler.count, 100);
}

static void a_parent_goes_before_its_children(void **state)
{
    (void)state;
    for (uint32_t id = 1; id <= 9; id += 2)
        open_ready(id);
    depend(3, 1, 256, false);
    depend(5, 3, 256, false);
    depend(7, 3, 256, false);
    assert_int_equal(scheduler.mode, H2_SCHEDULE_TREE);
    /* 1 and 9 share; 3, 5 and 7 wait for 1. */
    for (unsigned round = 0; round < 6; round++) {
        uint32_t id = serve(1000);
        assert_true(id == 1 || id == 9);
    }
    h2_scheduler_set_ready(&scheduler, stream(9), false);
    h2_scheduler_set_ready(&scheduler, stream(1), false);
    assert_int_equal(serve(1000), 3);
    h2_scheduler_set_ready(&scheduler, stream(3), false);
    assert_int_equal(serve(1000), 5);
    assert_int_equal(serve(1000), 7);
    h2_scheduler_set_ready(&scheduler, stream(1), true);
    assert_int_equal(serve(1000), 1);
}

/* RFC 7540 section 5.3.1, figures 3 and 4: exclusive and not. */
static void an_exclusive_dependency_adopts_the_siblings(void **state)
{
    (void)state;
    for (uint32_t id = 1; id <= 7; id += 2)
        open_ready(id);
    depend(3, 1, 10, false);
    depend(5, 1, 20, false);
    depend(7, 1, 30, false);
    assert_int_equal(parent_of(7), 1);
    depend(7, 1, 30, true);
    assert_int_equal(parent_of(7), 1);
    assert_int_equal(parent_of(3), 7);
    assert_int_equal(parent_of(5), 7);
    assert_int_equal(stream(3)->tree.weight, 10);
    depend(9, 0, 5, true);
    open_ready(9);
    assert_int_equal(parent_of(9), 0);
    assert_int_equal(parent_of(1), 9);
    assert_int_equal(stream(9)->tree.weight, 5);
}

/* Section 5.3.3, figure 5: A depends on D, which is below A. A = 1, B = 3, C = 5, D = 7, E = 9, F
 * = 11. */
static void build_figure_5(void)
{
    for (uint32_t id = 1; id <= 11; id += 2)
        open_ready(id);
    depend(3, 1, 16, false);
    depend(5, 1, 16, false);
    depend(7, 5, 16, false);
    depend(9, 5, 16, false);
    depend(11, 7, 16, false);
}

static void a_stream_may_move_below_its_descendant(void **state)
{
    (void)state;
    build_figure_5();
    depend(1, 7, 16, false);
    assert_int_equal(parent_of(7), 0);
    assert_int_equal(parent_of(11), 7);
    assert_int_equal(parent_of(1), 7);
    assert_int_equal(parent_of(3), 1);
    assert_int_equal(parent_of(5), 1);
    assert_int_equal(parent_of(9), 5);
}

static void a_stream_may_move_below_its_descendant_exclusively(void **state)
{
    (void)state;
    build_figure_5();
    depend(1, 7, 16, true);
    assert_int_equal(parent_of(7), 0);
    assert_int_equal(parent_of(1), 7);
    assert_int_equal(parent_of(11), 1);
    assert_int_equal(parent_of(3), 1);
    assert_int_equal(parent_of(5), 1);
    assert_int_equal(parent_of(9), 5);
}

static void odd_dependencies_are_harmless(void **state)
{
    (void)state;
    open_ready(1);
    depend(1, 1, 50, false); /* on itself */
    assert_int_equal(scheduler.mode, H2_SCHEDULE_URGENCY);
    depend(0, 1, 50, true);
    assert_int_equal(parent_of(1), 0);
    depend(1, 99, 50, true); /* on nobody known: the defaults */
    assert_int_equal(parent_of(1), 0);
    assert_int_equal(stream(1)->tree.weight, H2_SCHEDULE_DEFAULT_WEIGHT);
    depend(1, 0, 0, false);
    assert_int_equal(stream(1)->tree.weight, 1);
    depend(1, 0, 1000, false);
    assert_int_equal(stream(1)->tree.weight, 256);
    assert_int_equal(next_id(), 1);
}

static void a_closed_stream_keeps_its_place(void **state)
{
    (void)state;
    open_ready(1);
    open_ready(3);
    depend(1, 0, 200, false);
    depend(3, 1, 7, false);
    assert_int_equal(finish(), 1);
    assert_int_equal(parent_of(3), 1);
    open_ready(5);
    depend(5, 1, 7, false);
    assert_int_equal(parent_of(5), 1);
    assert_int_equal(stream(3)->tree.parent->weight, 200);
}

/* Section 5.3.4. */
static void children_share_the_weight_of_a_dropped_stream(void **state)
{
    (void)state;
    open_ready(1);
    open_ready(3);
    open_ready(5);
    depend(1, 0, 120, false);
    depend(3, 1, 10, false);
    depend(5, 1, 20, false);
    h2_scheduler_set_mode(&scheduler, H2_SCHEDULE_URGENCY); /* where no placeholder is left */
    h2_scheduler_remove(&scheduler, stream(1));
    assert_int_equal(parent_of(3), 0);
    assert_int_equal(stream(3)->tree.weight, 40);
    assert_int_equal(stream(5)->tree.weight, 80);
}

/* As a browser does that builds groups from idle streams and hangs all requests below them. */
static void groups_of_idle_streams_outlive_many_requests(void **state)
{
    (void)state;
    depend(3, 0, 201, false);
    depend(5, 0, 101, false);
    depend(7, 0, 1, false);
    for (uint32_t id = 13; id < STREAMS / 2; id += 2) {
        open_ready(id);
        depend(id, id % 4 == 1 ? 3 : 7, 32, false);
        assert_int_equal(parent_of(id), id % 4 == 1 ? 3 : 7);
        if (id > 33)
            assert_int_not_equal(finish(), 0);
    }
    assert_in_range(scheduler.count, 11, 11 + H2_SCHEDULE_PLACEHOLDERS);
}

static void weights_share_the_bandwidth(void **state)
{
    (void)state;
    uint64_t random = 21;
    for (unsigned round = 0; round < 30; round++) {
        enum { SIBLINGS = 12, LARGEST = 16384 };
        uint64_t sent[SIBLINGS] = {0};
        uint16_t weights[SIBLINGS];
        for (uint32_t at = 0; at < SIBLINGS; at++) {
            weights[at] = (uint16_t)(1 + random_below(&random, 256));
            open_ready(2 * at + 1);
            depend(2 * at + 1, 0, weights[at], false);
        }
        for (unsigned turn = 0; turn < 5000; turn++) {
            struct h2_schedule_node *node = h2_scheduler_next(&scheduler);
            size_t bytes = 1 + random_below(&random, LARGEST);
            sent[node->id / 2] += bytes;
            h2_scheduler_charge(&scheduler, node, bytes);
            for (unsigned other = 0; other < SIBLINGS; other++) {
                double here = (double)sent[node->id / 2] / weights[node->id / 2];
                double there = (double)sent[other] / weights[other];
                double most =
                    (double)LARGEST / weights[node->id / 2] + (double)LARGEST / weights[other] + 1;
                assert_true(here - there <= most && there - here <= most);
            }
        }
        h2_scheduler_free(&scheduler);
        set_up(NULL);
    }
}

/* A group's members share the group's bandwidth, whatever their weights are in other groups. */
static void weights_count_among_siblings_only(void **state)
{
    (void)state;
    uint64_t sent[9] = {0};
    for (uint32_t id = 1; id <= 7; id += 2)
        open_ready(id);
    depend(101, 0, 192, false);
    depend(103, 0, 64, false);
    depend(1, 101, 1, false);
    depend(3, 101, 3, false);
    depend(5, 103, 256, false);
    depend(7, 103, 256, false);
    for (unsigned turn = 0; turn < 16000; turn++)
        sent[serve(1000)] += 1000;
    assert_in_range(sent[1], 2990000, 3010000);
    assert_in_range(sent[3], 8990000, 9010000);
    assert_in_range(sent[5], 1990000, 2010000);
    assert_in_range(sent[7], 1990000, 2010000);
}

static void being_idle_earns_nothing(void **state)
{
    (void)state;
    uint64_t sent[5] = {0};
    open_ready(1);
    open_ready(3);
    depend(1, 0, 16, false);
    depend(3, 0, 16, false);
    h2_scheduler_set_ready(&scheduler, stream(1), false);
    for (unsigned turn = 0; turn < 1000; turn++)
        assert_int_equal(serve(1000), 3);
    h2_scheduler_set_ready(&scheduler, stream(1), true);
    for (unsigned turn = 0; turn < 100; turn++)
        sent[serve(1000)]++;
    assert_in_range(sent[1], 49, 51);
    /* Nor does stopping after each frame. */
    sent[1] = sent[3] = 0;
    for (unsigned turn = 0; turn < 1000; turn++) {
        struct h2_schedule_node *node = h2_scheduler_next(&scheduler);
        sent[node->id]++;
        h2_scheduler_set_ready(&scheduler, node, false);
        h2_scheduler_charge(&scheduler, node, 1000);
        h2_scheduler_set_ready(&scheduler, node, true);
    }
    assert_in_range(sent[1], 495, 505);
}

static void the_tree_can_be_refused(void **state)
{
    (void)state;
    open_ready(3);
    open_ready(1);
    set_urgency(1, 5, false);
    depend(3, 1, 16, false);
    assert_int_equal(next_id(), 1);
    h2_scheduler_refuse_tree(&scheduler);
    assert_int_equal(scheduler.mode, H2_SCHEDULE_URGENCY);
    assert_int_equal(next_id(), 3);
    depend(1, 3, 16, true);
    depend(77, 3, 16, true);
    assert_int_equal(scheduler.mode, H2_SCHEDULE_URGENCY);
    assert_int_equal(scheduler.count, 2);
    assert_int_equal(parent_of(1), 0);
}

static void a_pushed_stream_is_its_parents_child(void **state)
{
    (void)state;
    open_ready(1);
    open_pushed(2, 1, true);
    open_ready(3);
    depend(3, 0, 1, false);
    assert_int_equal(parent_of(2), 1);
    for (unsigned turn = 0; turn < 20; turn++)
        assert_int_not_equal(serve(100), 2);
    h2_scheduler_set_ready(&scheduler, stream(1), false);
    h2_scheduler_set_ready(&scheduler, stream(3), false);
    assert_int_equal(next_id(), 2);
}

static uint32_t deepest(void)
{
    uint32_t deepest = 0;
    for (uint32_t id = 1; id < STREAMS; id += 2) {
        uint32_t depth = 0;
        for (struct h2_tree_node *node = &stream(id)->tree; node->parent != NULL;
             node = node->parent)
            depth++;
        deepest = depth > deepest ? depth : deepest;
    }
    return deepest;
}

static void the_tree_has_a_depth(void **state)
{
    (void)state;
    uint64_t random = 31;
    for (uint32_t id = 1; id < STREAMS; id += 2) {
        open_ready(id);
        depend(id, id < 3 ? 0 : id - 2, 16, id % 3 == 0);
    }
    assert_int_equal(deepest(), H2_SCHEDULE_DEPTH);
    /* Chains under chains, and into them. */
    for (unsigned round = 0; round < 20000; round++) {
        uint32_t id = 1 + 2 * (uint32_t)random_below(&random, STREAMS / 2);
        uint32_t parent = 1 + 2 * (uint32_t)random_below(&random, STREAMS / 2);
        depend(id, parent, 16, random_below(&random, 2) == 0);
        if (round % 16 == 0)
            assert_in_range(deepest(), 1, H2_SCHEDULE_DEPTH);
    }
}

/* Two chains that fit one by one; the second is put under, or around, the end of the first. */
static void a_chain_does_not_go_under_a_chain(void **state)
{
    (void)state;
    for (unsigned exclusive = 0; exclusive < 2; exclusive++) {
        for (uint32_t id = 1; id < STREAMS; id += 2) {
            bool starts = id == 1 || id == 401;
            if (exclusive == 0)
                open_ready(id);
            depend(id, starts || id > 801 ? 0 : id - 2, 16, false);
        }
        assert_int_equal(deepest(), 201);
        depend(401, exclusive == 1 ? 1 : 399, 16, exclusive == 1);
        assert_in_range(deepest(), 200, H2_SCHEDULE_DEPTH);
    }
    /* One more in front of a chain that is as deep as can be. */
    for (uint32_t id = 1; id < STREAMS; id += 2)
        depend(id, 0, 16, false);
    for (uint32_t id = 3; id < 1 + 2 * H2_SCHEDULE_DEPTH; id += 2)
        depend(id, id - 2, 16, false);
    assert_int_equal(deepest(), H2_SCHEDULE_DEPTH);
    depend(1001, 1, 16, true);
    assert_int_equal(deepest(), H2_SCHEDULE_DEPTH);
}

static bool prioritise_short_of_memory(void *user)
{
    (void)user;
    set_up(NULL);
    struct h2_dependency dependency = {1, 5, true};
    struct h2_urgency urgency = {1, false};
    open_ready(1);
    open_ready(3);
    int first = h2_scheduler_set_dependency(&scheduler, 99, &dependency);
    int second = h2_scheduler_set_urgency(&scheduler, 101, &urgency);
    int third = h2_scheduler_set_dependency(&scheduler, 3, &dependency);
    h2_scheduler_remove(&scheduler, stream(1));
    bool good = (first == 0 || first == HERALD_ERROR_NOMEM) &&
                (second == 0 || second == HERALD_ERROR_NOMEM) && third == 0 && next_id() == 3;
    h2_scheduler_free(&scheduler);
    return good && account.live == 0;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    assert_true(failmalloc_each(prioritise_short_of_memory, NULL, 20) > 3);
}

static void a_full_account_is_a_limit(void **state)
{
    (void)state;
    struct h2_urgency urgency = {1, false};
    account.maximum = 10;
    assert_int_equal(h2_scheduler_set_urgency(&scheduler, 1, &urgency), HERALD_ERROR_LIMIT);
    open_ready(1);
    depend(1, 0, 5, false);
    h2_scheduler_remove(&scheduler, stream(1));
    assert_int_equal(scheduler.count, 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(nothing_ready_is_nothing_to_send),
        CASE(more_urgent_streams_go_first),
        CASE(streams_finish_in_the_order_of_their_ids),
        CASE(incremental_streams_alternate),
        CASE(pushed_streams_wait_for_requested_ones),
        CASE(an_urgency_may_come_before_the_stream),
        CASE(early_urgencies_are_bounded),
        CASE(a_parent_goes_before_its_children),
        CASE(an_exclusive_dependency_adopts_the_siblings),
        CASE(a_stream_may_move_below_its_descendant),
        CASE(a_stream_may_move_below_its_descendant_exclusively),
        CASE(odd_dependencies_are_harmless),
        CASE(a_closed_stream_keeps_its_place),
        CASE(children_share_the_weight_of_a_dropped_stream),
        CASE(groups_of_idle_streams_outlive_many_requests),
        CASE(weights_share_the_bandwidth),
        CASE(weights_count_among_siblings_only),
        CASE(being_idle_earns_nothing),
        CASE(the_tree_can_be_refused),
        CASE(a_pushed_stream_is_its_parents_child),
        CASE(the_tree_has_a_depth),
        CASE(a_chain_does_not_go_under_a_chain),
        CASE(every_allocation_may_fail),
        CASE(a_full_account_is_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
