#include "support/check.h"

#include "http/reason.h"

static void known_statuses_have_their_phrase(void **state)
{
    (void)state;
    assert_true(span_equals(reason_phrase(100), SPAN_LITERAL("Continue")));
    assert_true(span_equals(reason_phrase(103), SPAN_LITERAL("Early Hints")));
    assert_true(span_equals(reason_phrase(200), SPAN_LITERAL("OK")));
    assert_true(span_equals(reason_phrase(404), SPAN_LITERAL("Not Found")));
    assert_true(span_equals(reason_phrase(511), SPAN_LITERAL("Network Authentication Required")));
}

static void others_have_none(void **state)
{
    (void)state;
    static const unsigned without[] = {0, 99, 199, 299, 419, 512, 999, 100000};
    for (size_t i = 0; i < sizeof(without) / sizeof(without[0]); i++)
        assert_int_equal(reason_phrase(without[i]).length, 0);
}

/* The table is searched by halves: each entry must be reachable. */
static void every_phrase_can_be_found(void **state)
{
    (void)state;
    unsigned found = 0;
    for (unsigned status = 100; status < 600; status++)
        found += reason_phrase(status).length > 0;
    assert_true(found >= 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_statuses_have_their_phrase),
        cmocka_unit_test(others_have_none),
        cmocka_unit_test(every_phrase_can_be_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
