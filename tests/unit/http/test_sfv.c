#include "base/err.h"
#include "http/sfv.h"
#include "support/check.h"

/* The shared cases are in tests/conformance; here is what they do not ask. */

static void what_is_not_looked_at_is_checked(void **state)
{
    struct sfv_parser parser;
    struct sfv_item item;
    struct span key;
    (void)state;

    sfv_parser_init(&parser, SPAN_LITERAL("a=(1;p 2 \"(\");q=1, b;r, c=5"));
    assert_int_equal(sfv_next_member(&parser, &key, &item), 1);
    assert_int_equal(item.type, SFV_INNER_LIST);
    assert_int_equal(sfv_next_inner(&parser, &item), 1);
    assert_int_equal(item.integer, 1);
    assert_int_equal(sfv_next_member(&parser, &key, &item), 1);
    assert_true(span_equals(key, SPAN_LITERAL("b")));
    assert_true(item.type == SFV_BOOLEAN && item.boolean);
    assert_int_equal(sfv_next_parameter(&parser, &key, &item), 1);
    assert_int_equal(sfv_next_parameter(&parser, &key, &item), 0);
    assert_int_equal(sfv_next_member(&parser, &key, &item), 1);
    assert_int_equal(item.integer, 5);
    assert_int_equal(sfv_next_inner(&parser, &item), 0);
    assert_int_equal(sfv_next_member(&parser, &key, &item), 0);
    assert_int_equal(sfv_next_member(&parser, &key, &item), 0);

    sfv_parser_init(&parser, SPAN_LITERAL("a=(1 \"x), b"));
    assert_int_equal(sfv_next_member(&parser, &key, &item), 1);
    assert_int_equal(sfv_next_member(&parser, &key, &item), HERALD_ERROR_INVALID);
    assert_int_equal(sfv_next_member(&parser, &key, &item), HERALD_ERROR_INVALID);
    assert_int_equal(sfv_next_inner(&parser, &item), HERALD_ERROR_INVALID);
}

static void inner_list_parameters_follow_its_items(void **state)
{
    struct sfv_parser parser;
    struct sfv_item item;
    struct span key;
    (void)state;

    sfv_parser_init(&parser, SPAN_LITERAL("( a;x b );y=2, ();z"));
    assert_int_equal(sfv_next_element(&parser, &item), 1);
    assert_int_equal(sfv_next_inner(&parser, &item), 1);
    assert_int_equal(sfv_next_parameter(&parser, &key, &item), 1);
    assert_true(span_equals(key, SPAN_LITERAL("x")));
    assert_int_equal(sfv_next_inner(&parser, &item), 1);
    assert_int_equal(sfv_next_inner(&parser, &item), 0);
    assert_int_equal(sfv_next_parameter(&parser, &key, &item), 1);
    assert_int_equal(item.integer, 2);
    assert_int_equal(sfv_next_element(&parser, &item), 1);
    assert_int_equal(sfv_next_inner(&parser, &item), 0);
    assert_int_equal(sfv_next_parameter(&parser, &key, &item), 1);
    assert_int_equal(sfv_next_element(&parser, &item), 0);
}

static void what_cannot_be_expressed_is_refused(void **state)
{
    struct buf out;
    (void)state;

    buf_init(&out, 1000, NULL);
    assert_int_equal(sfv_write_integer(&out, 1000000000000000), HERALD_ERROR_INVALID);
    assert_int_equal(sfv_write_integer(&out, INT64_MIN), HERALD_ERROR_INVALID);
    assert_int_equal(sfv_write_decimal(&out, -1000000000000000), HERALD_ERROR_INVALID);
    assert_int_equal(sfv_write_date(&out, INT64_MAX), HERALD_ERROR_INVALID);
    assert_int_equal(sfv_write_string(&out, SPAN_LITERAL("\x7f")), HERALD_ERROR_INVALID);
    assert_int_equal(sfv_write_token(&out, SPAN_LITERAL("1a")), HERALD_ERROR_INVALID);
    assert_int_equal(sfv_write_token(&out, SPAN_EMPTY), HERALD_ERROR_INVALID);
    assert_int_equal(sfv_write_token(&out, SPAN_LITERAL("a b")), HERALD_ERROR_INVALID);
    assert_int_equal(sfv_write_key(&out, SPAN_LITERAL("A")), HERALD_ERROR_INVALID);
    assert_int_equal(sfv_write_key(&out, SPAN_LITERAL("")), HERALD_ERROR_INVALID);
    assert_int_equal(buf_length(&out), 0);
    assert_int_equal(sfv_write_decimal(&out, -500), 0);
    assert_int_equal(sfv_write_decimal(&out, 1020), 0);
    assert_int_equal(sfv_write_decimal(&out, 3), 0);
    assert_true(span_equals(buf_span(&out), SPAN_LITERAL("-0.51.020.003")));
    buf_free(&out);
    buf_init(&out, 4, NULL);
    assert_int_not_equal(sfv_write_string(&out, SPAN_LITERAL("abcd")), 0);
    assert_int_not_equal(sfv_write_bytes(&out, SPAN_LITERAL("abcd")), 0);
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_looked_at_is_checked),
        cmocka_unit_test(inner_list_parameters_follow_its_items),
        cmocka_unit_test(what_cannot_be_expressed_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
