#include "bench/histogram.h"
#include "bench/schedule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>
#include <math.h>

static void requests_are_due_at_even_distances(void **state)
{
    struct schedule schedule;
    herald_time due;

    (void)state;
    schedule_init(&schedule, 5000, 1000, 0, 1, 3);
    assert_int_equal(schedule_next(&schedule), 5000);
    assert_true(schedule_is_due(&schedule, 5000, &due));
    schedule_take(&schedule);
    assert_int_equal(schedule_next(&schedule), 5000 + HERALD_MILLISECOND);
    assert_false(schedule_is_due(&schedule, 5000 + HERALD_MILLISECOND - 1, &due));
    assert_true(schedule_is_due(&schedule, 5000 + 7 * HERALD_MILLISECOND, &due));
    assert_int_equal(due, 5000 + HERALD_MILLISECOND);
    schedule_take(&schedule);
    schedule_take(&schedule);
    assert_int_equal(schedule_next(&schedule), HERALD_NEVER);
    assert_false(schedule_is_due(&schedule, HERALD_NEVER, &due));
}

static void parts_together_make_the_rate(void **state)
{
    struct schedule parts[3], whole;

    (void)state;
    schedule_init(&whole, 0, 300, 0, 1, 300);
    for (unsigned i = 0; i < 3; i++)
        schedule_init(&parts[i], 0, 300, i, 3, 100);
    for (uint64_t i = 0; i < 300; i++) {
        herald_time expected = schedule_due(&whole, i);
        herald_time found = schedule_due(&parts[i % 3], i / 3);
        assert_true(found + 2 >= expected && found <= expected + 2);
    }
}

static void a_long_schedule_does_not_drift(void **state)
{
    struct schedule schedule;

    (void)state;
    schedule_init(&schedule, 0, 3, 0, 1, UINT64_MAX);
    /* A million seconds at a rate whose distance is no whole number of nanoseconds. */
    assert_true(llabs((long long)(schedule_due(&schedule, 3000000) - 1000000 * HERALD_SECOND)) <=
                1);
}

static void what_is_due_can_be_counted(void **state)
{
    struct schedule schedule;

    (void)state;
    schedule_init(&schedule, 1000, 1000, 0, 1, 10);
    assert_int_equal(schedule_count_due(&schedule, 0), 0);
    assert_int_equal(schedule_count_due(&schedule, 1000), 1);
    assert_int_equal(schedule_count_due(&schedule, 1000 + HERALD_MILLISECOND - 1), 1);
    assert_int_equal(schedule_count_due(&schedule, 1000 + HERALD_MILLISECOND), 2);
    assert_int_equal(schedule_count_due(&schedule, HERALD_NEVER - 1), 10);
}

#define RATE    1000
#define SECONDS 10
#define SERVICE HERALD_MILLISECOND / 2
#define STALL   HERALD_SECOND

static int compare(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;

    return (a > b) - (a < b);
}

/* The latencies of a queue served in order, one after another, that stands still from second 5 to
 * second 6: worked out by itself, in floating point, from when each customer arrives. */
static void work_out_truth(double *latencies)
{
    double free_at = 0;

    for (size_t i = 0; i < (size_t)RATE * SECONDS; i++) {
        double arrival = (double)i / RATE;
        double begin = arrival > free_at ? arrival : free_at;
        if (begin >= 5 && begin < 6)
            begin = 6;
        free_at = begin + 0.0005;
        latencies[i] = free_at - arrival;
    }
    qsort(latencies, (size_t)RATE * SECONDS, sizeof(*latencies), compare);
}

/* A load generator with room for `room` requests at that server, on a clock that only the test
 * moves: it sends what is due when there is room, as the real one does. */
static void simulate(struct histogram *latency, size_t room)
{
    struct schedule schedule;
    herald_time ends[64], dues[64], now = 0, free_at = 0, due;
    size_t head = 0, under_way = 0;

    schedule_init(&schedule, 0, RATE, 0, 1, RATE * SECONDS);
    while (under_way > 0 || schedule_next(&schedule) != HERALD_NEVER) {
        while (under_way < room && schedule_is_due(&schedule, now, &due)) {
            herald_time begin = now > free_at ? now : free_at;
            if (begin >= 5 * HERALD_SECOND && begin < 5 * HERALD_SECOND + STALL)
                begin = 5 * HERALD_SECOND + STALL;
            size_t slot = (head + under_way++) % 64;
            ends[slot] = free_at = begin + SERVICE;
            dues[slot] = due;
            schedule_take(&schedule);
        }
        herald_time next = under_way < room ? schedule_next(&schedule) : HERALD_NEVER;
        if (under_way > 0 && ends[head] <= next) {
            now = ends[head];
            histogram_record(latency, now - dues[head]);
            head = (head + 1) % 64;
            under_way--;
        } else {
            now = next;
        }
    }
}

static void a_stall_of_a_second_is_told_as_it_is(void **state)
{
    static double truth[RATE * SECONDS];
    static const double quantiles[] = {0.5, 0.75, 0.9, 0.99, 0.999, 0.9999};
    static const size_t rooms[] = {1, 2, 10, 64};

    (void)state;
    work_out_truth(truth);
    /* Whatever the room: with one request under way at a time a closed loop would have seen one
     * slow request in ten thousand. */
    for (size_t i = 0; i < sizeof(rooms) / sizeof(rooms[0]); i++) {
        struct histogram *latency = calloc(1, sizeof(*latency));
        assert_non_null(latency);
        simulate(latency, rooms[i]);
        assert_int_equal(latency->count, RATE * SECONDS);
        for (size_t j = 0; j < sizeof(quantiles) / sizeof(quantiles[0]); j++) {
            double exact = truth[(size_t)ceil(quantiles[j] * RATE * SECONDS - 1e-6) - 1];
            double reported = (double)histogram_quantile(latency, quantiles[j]) / 1e9;
            assert_true(fabs(reported - exact) <= exact * 0.005);
        }
        free(latency);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_due_at_even_distances),
        cmocka_unit_test(parts_together_make_the_rate),
        cmocka_unit_test(a_long_schedule_does_not_drift),
        cmocka_unit_test(what_is_due_can_be_counted),
        cmocka_unit_test(a_stall_of_a_second_is_told_as_it_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
