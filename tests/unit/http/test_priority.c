#include "base/err.h"
#include "http/priority.h"
#include "support/check.h"

static void assert_parsed(const char *text, unsigned urgency, bool incremental)
{
    struct priority priority = PRIORITY_DEFAULT;

    assert_int_equal(priority_parse(span_from_text(text), &priority), 0);
    assert_int_equal(priority.urgency, urgency);
    assert_int_equal(priority.incremental, incremental);
}

static void values_are_applied(void **state)
{
    (void)state;
    assert_parsed("", 3, false);
    assert_parsed("u=0", 0, false);
    assert_parsed("i", 3, true);
    assert_parsed("u=7, i", 7, true);
    assert_parsed("i=?0,u=1", 1, false);
    assert_parsed("i, i=?0", 3, false);
    assert_parsed("u=1;a=b, x=\"y\", z=(1 2);c", 1, false);
    assert_parsed("u=8", 3, false);
    assert_parsed("u=-1", 3, false);
    assert_parsed("u=1.0", 3, false);
    assert_parsed("u=2, u=9", 3, false);
    assert_parsed("u=2, u=5", 5, false);
    assert_parsed("u", 3, false);
    assert_parsed("i=1", 3, false);
}

static void what_is_no_dictionary_changes_nothing(void **state)
{
    static const char *const texts[] = {"u=1,", "u=1 i", "U=1", "u=", "u=1,,i", "u=1, i, (", "=1"};
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct priority priority = {6, true};
        assert_int_equal(priority_parse(span_from_text(texts[i]), &priority), HERALD_ERROR_INVALID);
        assert_int_equal(priority.urgency, 6);
        assert_true(priority.incremental);
    }
    struct priority priority = {6, true};
    assert_int_equal(priority_parse(SPAN_LITERAL("u=5"), &priority), 0);
    assert_true(priority.incremental);
}

static void what_is_written_is_read(void **state)
{
    (void)state;
    for (uint8_t urgency = 0; urgency < 8; urgency++) {
        for (int incremental = 0; incremental < 2; incremental++) {
            struct priority priority = {urgency, incremental != 0}, back = PRIORITY_DEFAULT;
            char text[16];
            size_t length = priority_format(priority, text);
            assert_int_equal(priority_parse(span_make(text, length), &back), 0);
            assert_int_equal(back.urgency, urgency);
            assert_int_equal(back.incremental, incremental);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_applied),
        cmocka_unit_test(what_is_no_dictionary_changes_nothing),
        cmocka_unit_test(what_is_written_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
