#include "base/err.h"
#include "bench/link_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define SECOND HERALD_SECOND
#define MILLI  HERALD_MILLISECOND

static struct link_model parse(const char *text)
{
    struct link_model model = {0};

    assert_int_equal(link_model_parse(&model, span_from_text(text)), 0);
    return model;
}

static void descriptions_are_read(void **state)
{
    struct link_model model = parse("50ms,1%,20mbit");

    (void)state;
    assert_int_equal(model.round_trip, 50 * MILLI);
    assert_true(model.loss > 0.0099 && model.loss < 0.0101);
    assert_true(model.bandwidth == 20e6);
    assert_int_equal(parse("1.5s").round_trip, 1500 * MILLI);
    assert_int_equal(parse("1gbit,250us").round_trip, 250 * HERALD_MICROSECOND);
    assert_true(parse("0.5%").loss > 0.00499 && parse("0.5%").loss < 0.00501);
    assert_true(parse("64kbit").bandwidth == 64e3);
}

static void nonsense_is_refused(void **state)
{
    static const char *const texts[] = {
        "",      ",",      "50",   "ms",        "50ms,",       "50ms,20ms", "51%",     "-1ms",
        "1e3ms", "0mbit",  "61s",  "50 ms",     "1.ms",        ".5ms",      "50msx",   "1..5ms",
        "50ms;", "1%,,1s", "100%", "5mbitmbit", "0.1234567ms", "99999999s", "1ms\n2%",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct link_model model = {0};
        assert_int_equal(link_model_parse(&model, span_from_text(texts[i])), HERALD_ERROR_INVALID);
    }
}

static void a_segment_takes_half_a_round_trip(void **state)
{
    struct link_model model = parse("50ms");
    struct link_direction direction = {0};
    struct link_flow flow;

    (void)state;
    link_flow_init(&model, &flow, 1, 0);
    assert_int_equal(link_flow_send(&model, &direction, &flow, 1000, SECOND), SECOND + 25 * MILLI);
}

static void nothing_leaves_before_the_handshake(void **state)
{
    struct link_model model = parse("50ms");
    struct link_direction direction = {0};
    struct link_flow flow;

    (void)state;
    link_flow_init(&model, &flow, 1, SECOND + 50 * MILLI);
    assert_int_equal(link_flow_send(&model, &direction, &flow, 1, SECOND), SECOND + 75 * MILLI);
}

static void connections_share_the_bandwidth(void **state)
{
    struct link_model model = parse("10ms,8mbit"); /* a byte a microsecond */
    struct link_direction direction = {0};
    struct link_flow one, two;

    (void)state;
    link_flow_init(&model, &one, 1, 0);
    link_flow_init(&model, &two, 2, 0);
    assert_int_equal(link_flow_send(&model, &direction, &one, 1000, SECOND), SECOND + 6 * MILLI);
    assert_int_equal(link_flow_send(&model, &direction, &two, 1000, SECOND), SECOND + 7 * MILLI);
    assert_int_equal(link_flow_send(&model, &direction, &one, 1000, SECOND), SECOND + 8 * MILLI);
    /* An idle link owes nothing. */
    assert_int_equal(link_flow_send(&model, &direction, &one, 1000, 2 * SECOND),
                     2 * SECOND + 6 * MILLI);
}

static void losses_cost_round_trips_and_keep_the_order(void **state)
{
    struct link_model model = parse("50ms,10%");
    struct link_direction direction = {0};
    struct link_flow flow;
    herald_time last = 0;
    unsigned late = 0;

    (void)state;
    link_flow_init(&model, &flow, 1, 0);
    for (unsigned i = 0; i < 10000; i++) {
        /* Far enough apart that nobody waits for another. */
        herald_time now = (herald_time)i * 10 * SECOND;
        herald_time arrival = link_flow_send(&model, &direction, &flow, 100, now);
        assert_true(arrival >= last);
        assert_int_equal((arrival - now - 25 * MILLI) % (50 * MILLI), 0);
        late += arrival > now + 25 * MILLI;
        last = arrival;
    }
    assert_in_range(late, 900, 1100);
}

static void those_behind_a_lost_segment_wait(void **state)
{
    struct link_model model = parse("50ms,50%");
    struct link_direction direction = {0};
    struct link_flow flow;
    herald_time last = 0;

    (void)state;
    link_flow_init(&model, &flow, 1, 0);
    for (unsigned i = 0; i < 1000; i++) {
        herald_time arrival = link_flow_send(&model, &direction, &flow, 100, i * MILLI);
        assert_true(arrival >= last);
        last = arrival;
    }
}

static void a_seed_decides_everything(void **state)
{
    struct link_model model = parse("50ms,20%,10mbit"), other = model;
    struct link_direction directions[3] = {{0}};
    struct link_flow flows[3];
    bool differs = false;

    (void)state;
    other.seed = 7;
    link_flow_init(&model, &flows[0], 3, 0);
    link_flow_init(&model, &flows[1], 3, 0);
    link_flow_init(&other, &flows[2], 3, 0);
    for (unsigned i = 0; i < 1000; i++) {
        herald_time now = i * SECOND;
        herald_time arrival = link_flow_send(&model, &directions[0], &flows[0], 500, now);
        assert_int_equal(arrival, link_flow_send(&model, &directions[1], &flows[1], 500, now));
        differs |= arrival != link_flow_send(&other, &directions[2], &flows[2], 500, now);
    }
    assert_true(differs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(descriptions_are_read),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(a_segment_takes_half_a_round_trip),
        cmocka_unit_test(nothing_leaves_before_the_handshake),
        cmocka_unit_test(connections_share_the_bandwidth),
        cmocka_unit_test(losses_cost_round_trips_and_keep_the_order),
        cmocka_unit_test(those_behind_a_lost_segment_wait),
        cmocka_unit_test(a_seed_decides_everything),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
