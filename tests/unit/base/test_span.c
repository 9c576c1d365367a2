#include "base/err.h"
#include "base/span.h"
#include "support/check.h"

static void equality_is_by_bytes(void **state)
{
    (void)state;
    assert_true(span_equals(SPAN_LITERAL("abc"), span_from_text("abc")));
    assert_true(span_equals(SPAN_EMPTY, SPAN_LITERAL("")));
    assert_false(span_equals(SPAN_LITERAL("abc"), SPAN_LITERAL("abC")));
    assert_false(span_equals(SPAN_LITERAL("abc"), SPAN_LITERAL("ab")));
    assert_true(span_equals(SPAN_LITERAL("a\0b"), SPAN_LITERAL("a\0b")));
    assert_false(span_equals(SPAN_LITERAL("a\0b"), SPAN_LITERAL("a\0c")));
}

static void case_is_ignored_for_ascii_letters_only(void **state)
{
    (void)state;
    for (unsigned left = 0; left < 256; left++) {
        for (unsigned right = 0; right < 256; right++) {
            uint8_t l = (uint8_t)left, r = (uint8_t)right;
            bool upper_left = left >= 'A' && left <= 'Z';
            bool upper_right = right >= 'A' && right <= 'Z';
            bool expected = (upper_left ? left + 32 : left) == (upper_right ? right + 32 : right);
            assert_int_equal(span_equals_ignoring_case(span_make(&l, 1), span_make(&r, 1)),
                             expected);
        }
    }
    assert_true(
        span_equals_ignoring_case(SPAN_LITERAL("Content-Type"), SPAN_LITERAL("content-type")));
    assert_false(span_equals_ignoring_case(SPAN_LITERAL("abc"), SPAN_LITERAL("abcd")));
    assert_true(span_equals_ignoring_case(SPAN_EMPTY, SPAN_LITERAL("")));
}

static void prefixes(void **state)
{
    (void)state;
    assert_true(span_starts_with(SPAN_LITERAL("abc"), SPAN_LITERAL("ab")));
    assert_true(span_starts_with(SPAN_LITERAL("abc"), SPAN_EMPTY));
    assert_true(span_starts_with(SPAN_EMPTY, SPAN_EMPTY));
    assert_false(span_starts_with(SPAN_LITERAL("ab"), SPAN_LITERAL("abc")));
    assert_false(span_starts_with(SPAN_LITERAL("abc"), SPAN_LITERAL("b")));
}

static void slices_are_cut_to_what_is_there(void **state)
{
    (void)state;
    struct span whole = SPAN_LITERAL("abcdef");
    assert_true(span_equals(span_slice(whole, 1, 2), SPAN_LITERAL("bc")));
    assert_true(span_equals(span_slice(whole, 4, 100), SPAN_LITERAL("ef")));
    assert_true(span_equals(span_slice(whole, 4, SIZE_MAX), SPAN_LITERAL("ef")));
    assert_int_equal(span_slice(whole, 6, 1).length, 0);
    assert_int_equal(span_slice(whole, SIZE_MAX, SIZE_MAX).length, 0);
    assert_int_equal(span_slice(SPAN_EMPTY, 0, 1).length, 0);
}

static void trim_removes_spaces_and_tabs_only(void **state)
{
    (void)state;
    assert_true(span_equals(span_trim(SPAN_LITERAL(" \t a b\t ")), SPAN_LITERAL("a b")));
    assert_true(span_equals(span_trim(SPAN_LITERAL("\r\na\v")), SPAN_LITERAL("\r\na\v")));
    assert_int_equal(span_trim(SPAN_LITERAL(" \t ")).length, 0);
    assert_int_equal(span_trim(SPAN_EMPTY).length, 0);
}

static int parse(const char *text, uint64_t maximum, uint64_t *value)
{
    return span_to_unsigned(span_from_text(text), maximum, value);
}

static void numbers_within_the_maximum(void **state)
{
    (void)state;
    uint64_t value = 1;
    assert_int_equal(parse("0", 0, &value), 0);
    assert_int_equal(value, 0);
    assert_int_equal(parse("00012", 12, &value), 0);
    assert_int_equal(value, 12);
    assert_int_equal(parse("18446744073709551615", UINT64_MAX, &value), 0);
    assert_true(value == UINT64_MAX);
}

static void numbers_beyond_the_maximum(void **state)
{
    (void)state;
    uint64_t value = 77;
    assert_int_equal(parse("1", 0, &value), HERALD_ERROR_LIMIT);
    assert_int_equal(parse("13", 12, &value), HERALD_ERROR_LIMIT);
    assert_int_equal(parse("130", 12, &value), HERALD_ERROR_LIMIT);
    assert_int_equal(parse("9", 5, &value), HERALD_ERROR_LIMIT);
    assert_int_equal(parse("18446744073709551616", UINT64_MAX, &value), HERALD_ERROR_LIMIT);
    assert_int_equal(parse("99999999999999999999999", UINT64_MAX, &value), HERALD_ERROR_LIMIT);
    assert_int_equal(value, 77);
}

static void numbers_that_are_none(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "", " 1", "1 ", "+1", "-1", "0x", "1.0", "1e3", "999999999999999999999999x"};
    uint64_t value = 77;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(parse(wrong[i], 1000, &value), HERALD_ERROR_INVALID);
    assert_int_equal(span_to_unsigned(SPAN_EMPTY, 9, &value), HERALD_ERROR_INVALID);
    assert_int_equal(span_to_unsigned(SPAN_LITERAL("1\0"), 9, &value), HERALD_ERROR_INVALID);
    assert_int_equal(value, 77);
}

static void numbers_against_a_plain_model(void **state)
{
    (void)state;
    for (unsigned maximum = 0; maximum < 130; maximum++) {
        for (unsigned number = 0; number < 1300; number++) {
            char text[8];
            uint64_t value = 0;
            snprintf(text, sizeof(text), "%u", number);
            int expected = number <= maximum ? 0 : HERALD_ERROR_LIMIT;
            assert_int_equal(parse(text, maximum, &value), expected);
            assert_int_equal(value, expected == 0 ? number : 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equality_is_by_bytes),
        cmocka_unit_test(case_is_ignored_for_ascii_letters_only),
        cmocka_unit_test(prefixes),
        cmocka_unit_test(slices_are_cut_to_what_is_there),
        cmocka_unit_test(trim_removes_spaces_and_tabs_only),
        cmocka_unit_test(numbers_within_the_maximum),
        cmocka_unit_test(numbers_beyond_the_maximum),
        cmocka_unit_test(numbers_that_are_none),
        cmocka_unit_test(numbers_against_a_plain_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
