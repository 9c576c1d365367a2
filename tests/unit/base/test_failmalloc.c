#include "support/check.h"
#include "support/failmalloc.h"

static void fails_the_nth_once(void **state)
{
    (void)state;
    size_t live = failmalloc_live();
    failmalloc_arm(FAILMALLOC_ONCE, 2);
    void *first = malloc(1);
    void *second = calloc(1, 1);
    void *third = realloc(NULL, 8);
    failmalloc_disarm();
    assert_non_null(first);
    assert_null(second);
    assert_non_null(third);
    assert_true(failmalloc_fired());
    assert_int_equal(failmalloc_calls(), 3);
    assert_int_equal(failmalloc_live(), live + 2);
    free(first);
    free(third);
    assert_int_equal(failmalloc_live(), live);
}

static void fails_from_the_nth_on(void **state)
{
    (void)state;
    failmalloc_arm(FAILMALLOC_FROM, 2);
    void *first = malloc(16);
    void *grown = realloc(first, 4096);
    void *third = malloc(1);
    failmalloc_disarm();
    assert_non_null(first);
    assert_null(third);
    if (grown == NULL)
        free(first);
    else
        fail_msg("the second allocation did not fail");
}

static void counts_live_bytes_over_many(void **state)
{
    (void)state;
    enum { COUNT = 5000 };
    static void *pointers[COUNT];
    size_t live = failmalloc_live();
    size_t bytes = failmalloc_live_bytes();
    for (size_t i = 0; i < COUNT; i++)
        assert_non_null(pointers[i] = malloc(i % 100));
    for (size_t i = 0; i < COUNT; i += 2)
        assert_non_null(pointers[i] = realloc(pointers[i], 200));
    assert_int_equal(failmalloc_live(), live + COUNT);
    for (size_t i = 0; i < COUNT; i++)
        free(pointers[(i * 7) % COUNT]);
    assert_int_equal(failmalloc_live(), live);
    assert_int_equal(failmalloc_live_bytes(), bytes);
}

static bool allocates_twice(void *user)
{
    void *first = malloc(8);
    void *second = malloc(8);
    free(first);
    free(second);
    ++*(unsigned *)user;
    return true;
}

static bool leaks_when_the_second_fails(void *user)
{
    static void *leaked;
    (void)user;
    void *first = malloc(8);
    void *second = malloc(8);
    if (second == NULL) {
        leaked = first;
        return true;
    }
    free(leaked);
    free(first);
    free(second);
    return true;
}

static void each_runs_both_modes(void **state)
{
    (void)state;
    unsigned runs = 0;
    assert_int_equal(failmalloc_each(allocates_twice, &runs, 10), 6);
    assert_int_equal(runs, 6);
    assert_int_equal(failmalloc_each(allocates_twice, &runs, 2), 0);
}

static void each_finds_a_leak(void **state)
{
    (void)state;
    assert_int_equal(failmalloc_each(leaks_when_the_second_fails, NULL, 10), 0);
    assert_true(leaks_when_the_second_fails(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fails_the_nth_once),          cmocka_unit_test(fails_from_the_nth_on),
        cmocka_unit_test(counts_live_bytes_over_many), cmocka_unit_test(each_runs_both_modes),
        cmocka_unit_test(each_finds_a_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
