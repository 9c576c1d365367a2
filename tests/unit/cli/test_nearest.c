#include "support/check.h"

#include "cli/nearest.h"

static void distances(void **state)
{
    (void)state;
    assert_int_equal(nearest_distance("bind", "bind"), 0);
    assert_int_equal(nearest_distance("bnid", "bind"), 1);
    assert_int_equal(nearest_distance("bin", "bind"), 1);
    assert_int_equal(nearest_distance("bindd", "bind"), 1);
    assert_int_equal(nearest_distance("bond", "bind"), 1);
    assert_int_equal(nearest_distance("", "bind"), 4);
    assert_int_equal(nearest_distance("access_logfile", "access-logfile"), 0);
    assert_int_equal(nearest_distance("BIND", "bind"), 0);
    assert_int_equal(nearest_distance("kitten", "sitting"), 3);
}

static void overlong_words_are_not_near(void **state)
{
    (void)state;
    char word[NEAREST_WORD_MAXIMUM + 2];
    memset(word, 'a', sizeof(word) - 1);
    word[sizeof(word) - 1] = '\0';
    assert_int_equal(nearest_distance(word, "bind"), NEAREST_WORD_MAXIMUM + 1);
}

static void the_nearest_word_wins(void **state)
{
    (void)state;
    struct nearest nearest = {.wanted = "workres"};
    nearest_consider(&nearest, "bind");
    nearest_consider(&nearest, "worker-class");
    nearest_consider(&nearest, "workers");
    nearest_consider(&nearest, "worker");
    assert_string_equal(nearest.word, "workers");
}

static void far_words_are_not_suggested(void **state)
{
    (void)state;
    struct nearest nearest = {.wanted = "frobnicate"};
    nearest_consider(&nearest, "bind");
    nearest_consider(&nearest, "certfile");
    assert_null(nearest.word);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distances),
        cmocka_unit_test(overlong_words_are_not_near),
        cmocka_unit_test(the_nearest_word_wins),
        cmocka_unit_test(far_words_are_not_suggested),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
