#include "base/err.h"
#include "support/check.h"

static void every_code_has_its_own_phrase(void **state)
{
    (void)state;
    for (int code = HERALD_ERROR_INTERNAL; code <= HERALD_OK; code++) {
        const char *text = herald_error_text(code);
        assert_non_null(text);
        assert_string_not_equal(text, "unknown error");
        for (int other = HERALD_ERROR_INTERNAL; other < code; other++)
            assert_string_not_equal(text, herald_error_text(other));
    }
}

static void other_numbers_are_unknown(void **state)
{
    (void)state;
    assert_string_equal(herald_error_text(1), "unknown error");
    assert_string_equal(herald_error_text(HERALD_ERROR_INTERNAL - 1), "unknown error");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_has_its_own_phrase),
        cmocka_unit_test(other_numbers_are_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
