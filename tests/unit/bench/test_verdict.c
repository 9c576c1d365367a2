#include "bench/verdict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A run of ten seconds at 100 requests a second that went well. */
static struct bench_tally *good_run(void)
{
    static struct bench_tally tally;

    memset(&tally, 0, sizeof(tally));
    tally.due = tally.sent = tally.completed = 1000;
    tally.sending = 9990 * HERALD_MILLISECOND;
    tally.busiest = 0.2;
    for (unsigned i = 0; i < 1000; i++) {
        histogram_record(&tally.latency, HERALD_MILLISECOND);
        histogram_record(&tally.lag, 10 * HERALD_MICROSECOND);
    }
    return &tally;
}

static void a_rate_is_met_when_all_went_out_in_time(void **state)
{
    struct verdict verdict = verdict_of(good_run(), 100);

    (void)state;
    assert_true(verdict.open_loop);
    assert_true(verdict.rate_met);
    assert_false(verdict.cpu_bound);
    assert_false(verdict.delayed);
    assert_true(verdict.sent_rate > 99.9 && verdict.sent_rate < 100.1);
}

static void a_schedule_over_one_percent_behind_is_not_met(void **state)
{
    struct bench_tally *tally = good_run();

    (void)state;
    tally->sending = 10080 * HERALD_MILLISECOND;
    assert_true(verdict_of(tally, 100).rate_met);
    tally->sending = 10100 * HERALD_MILLISECOND;
    struct verdict verdict = verdict_of(tally, 100);
    assert_false(verdict.rate_met);
    assert_true(verdict.lag > 0.01 && verdict.lag < 0.012);
}

static void requests_that_never_went_out_are_not_met(void **state)
{
    struct bench_tally *tally = good_run();

    (void)state;
    tally->sent = 999;
    tally->unfinished = 1;
    assert_false(verdict_of(tally, 100).rate_met);
}

static void failures_over_one_percent_are_not_met(void **state)
{
    struct bench_tally *tally = good_run();

    (void)state;
    tally->failed = 10;
    assert_true(verdict_of(tally, 100).rate_met);
    tally->unfinished = 1;
    assert_false(verdict_of(tally, 100).rate_met);
}

static void a_busy_generator_claims_nothing(void **state)
{
    struct bench_tally *tally = good_run();

    (void)state;
    tally->busiest = 0.91;
    assert_true(verdict_of(tally, 100).cpu_bound);
    assert_false(verdict_of(tally, 100).rate_met);
    assert_true(verdict_of(tally, 0).cpu_bound);
    assert_false(verdict_of(tally, 0).open_loop);
}

static void own_delay_in_the_latencies_is_told(void **state)
{
    struct bench_tally *tally = good_run();

    (void)state;
    for (unsigned i = 0; i < 1000; i++)
        histogram_record(&tally->lag, 100 * HERALD_MICROSECOND);
    assert_true(verdict_of(tally, 100).delayed);
}

static void tallies_add_up(void **state)
{
    struct bench_tally *tally = good_run();
    struct bench_tally *sum = calloc(1, sizeof(*sum));

    (void)state;
    assert_non_null(sum);
    tally->start = 500;
    tally->end = 900;
    tally->status[200] = 999;
    tally->status[404] = 1;
    bench_tally_note(tally, "first");
    bench_tally_note(tally, "second");
    bench_tally_merge(sum, tally);
    tally->start = 400;
    tally->busiest = 0.1;
    bench_tally_merge(sum, tally);
    assert_int_equal(sum->start, 400);
    assert_int_equal(sum->end, 900);
    assert_int_equal(sum->completed, 2000);
    assert_int_equal(sum->status[200], 1998);
    assert_int_equal(sum->status[404], 2);
    assert_int_equal(sum->latency.count, 2000);
    assert_true(sum->busiest == 0.2);
    assert_string_equal(sum->error, "first");
    assert_true(bench_tally_seconds(sum) > 4.9e-7 && bench_tally_seconds(sum) < 5.1e-7);
    free(sum);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rate_is_met_when_all_went_out_in_time),
        cmocka_unit_test(a_schedule_over_one_percent_behind_is_not_met),
        cmocka_unit_test(requests_that_never_went_out_are_not_met),
        cmocka_unit_test(failures_over_one_percent_are_not_met),
        cmocka_unit_test(a_busy_generator_claims_nothing),
        cmocka_unit_test(own_delay_in_the_latencies_is_told),
        cmocka_unit_test(tallies_add_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
