#include "bench/histogram.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>
#include <math.h>

#define SAMPLES 20000

static uint64_t random_state = 42;

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static int compare(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

    return (a > b) - (a < b);
}

static const double quantiles[] = {0,   0.001, 0.01,  0.25,   0.5,     0.75,
                                   0.9, 0.99,  0.999, 0.9999, 0.99999, 1};

/* The stated bound, for every quantile, against the sorted values. */
static void check_against_sorting(const struct histogram *histogram, uint64_t *values, size_t count)
{
    qsort(values, count, sizeof(*values), compare);
    for (size_t i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++) {
        size_t rank = (size_t)ceil(quantiles[i] * (double)count - 1e-7);
        uint64_t exact = values[rank == 0 ? 0 : rank - 1];
        uint64_t reported = histogram_quantile(histogram, quantiles[i]);
        assert_true(reported >= exact);
        assert_true((double)(reported - exact) <=
                    (double)exact / (double)(1 << HISTOGRAM_PRECISION));
    }
    assert_int_equal(histogram->minimum, values[0]);
    assert_int_equal(histogram->maximum, values[count - 1]);
    assert_int_equal(histogram_quantile(histogram, 1), values[count - 1]);
}

static void quantiles_keep_the_bound_for(unsigned bits)
{
    static uint64_t values[SAMPLES];
    struct histogram *histogram = calloc(1, sizeof(*histogram));

    assert_non_null(histogram);
    for (size_t i = 0; i < SAMPLES; i++) {
        /* Evenly over the octaves, so that every width of counter is met. */
        unsigned width = (unsigned)(next_random() % bits) + 1;
        values[i] = next_random() & ((UINT64_C(1) << width) - 1);
        histogram_record(histogram, values[i]);
    }
    assert_int_equal(histogram->count, SAMPLES);
    assert_int_equal(histogram->clipped, 0);
    check_against_sorting(histogram, values, SAMPLES);
    free(histogram);
}

static void quantiles_agree_with_sorting(void **state)
{
    (void)state;
    for (unsigned bits = 1; bits <= HISTOGRAM_OCTAVES; bits++)
        quantiles_keep_the_bound_for(bits);
}

static void small_values_are_exact(void **state)
{
    struct histogram histogram = {0};

    (void)state;
    for (uint64_t value = 0; value < 2u << HISTOGRAM_PRECISION; value++)
        histogram_record(&histogram, value);
    for (uint64_t value = 0; value < 2u << HISTOGRAM_PRECISION; value++) {
        double quantile = (double)(value + 1) / (double)(2u << HISTOGRAM_PRECISION);
        assert_int_equal(histogram_quantile(&histogram, quantile), value);
    }
}

static void every_edge_of_a_counter_keeps_the_bound(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < HISTOGRAM_OCTAVES; bit++) {
        for (int delta = -1; delta <= 1; delta++) {
            uint64_t value = (UINT64_C(1) << bit) + (uint64_t)(int64_t)delta;
            struct histogram histogram = {0};
            histogram_record(&histogram, value);
            histogram_record(&histogram, HISTOGRAM_MAXIMUM);
            uint64_t reported = histogram_quantile(&histogram, 0.5);
            assert_true(reported >= value);
            assert_true(reported - value <= value >> HISTOGRAM_PRECISION);
        }
    }
}

static void nothing_recorded_is_zero(void **state)
{
    struct histogram histogram = {0};

    (void)state;
    assert_int_equal(histogram_quantile(&histogram, 0.5), 0);
    assert_true(histogram_mean(&histogram) == 0);
    assert_true(histogram_deviation(&histogram) == 0);
}

static void values_over_the_maximum_are_counted_and_told(void **state)
{
    struct histogram histogram = {0};

    (void)state;
    histogram_record(&histogram, UINT64_MAX);
    histogram_record(&histogram, 5);
    assert_int_equal(histogram.count, 2);
    assert_int_equal(histogram.clipped, 1);
    assert_int_equal(histogram.maximum, HISTOGRAM_MAXIMUM);
    assert_int_equal(histogram_quantile(&histogram, 1), HISTOGRAM_MAXIMUM);
    assert_int_equal(histogram.minimum, 5);
}

static void merging_is_recording_all(void **state)
{
    struct histogram whole = {0}, *parts = calloc(3, sizeof(*parts));

    (void)state;
    assert_non_null(parts);
    for (size_t i = 0; i < 3000; i++) {
        uint64_t value = next_random() & 0xfffffff;
        histogram_record(&whole, value);
        histogram_record(&parts[i % 2], value);
    }
    histogram_merge(&parts[2], &parts[0]);
    histogram_merge(&parts[2], &parts[1]);
    histogram_merge(&parts[2], &(struct histogram){0});
    assert_int_equal(parts[2].count, whole.count);
    assert_int_equal(parts[2].minimum, whole.minimum);
    assert_int_equal(parts[2].maximum, whole.maximum);
    for (size_t i = 0; i < HISTOGRAM_COUNTERS; i++)
        assert_int_equal(parts[2].counters[i], whole.counters[i]);
    assert_true(fabs(histogram_mean(&parts[2]) - histogram_mean(&whole)) < 1);
    free(parts);
}

static void mean_and_deviation_are_of_the_exact_values(void **state)
{
    struct histogram histogram = {0};

    (void)state;
    histogram_record(&histogram, 1000003);
    histogram_record(&histogram, 1000007);
    assert_true(histogram_mean(&histogram) == 1000005);
    assert_true(fabs(histogram_deviation(&histogram) - 2) < 0.01);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantiles_agree_with_sorting),
        cmocka_unit_test(small_values_are_exact),
        cmocka_unit_test(every_edge_of_a_counter_keeps_the_bound),
        cmocka_unit_test(nothing_recorded_is_zero),
        cmocka_unit_test(values_over_the_maximum_are_counted_and_told),
        cmocka_unit_test(merging_is_recording_all),
        cmocka_unit_test(mean_and_deviation_are_of_the_exact_values),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
