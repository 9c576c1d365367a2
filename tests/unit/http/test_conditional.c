#include "http/conditional.h"
#include "support/check.h"

#define NOW   INT64_C(1000000000)
#define DATE  "Sun, 06 Nov 1994 08:49:37 GMT"
#define LATER "Sun, 06 Nov 1994 08:49:38 GMT"
#define STAMP INT64_C(784111777)

static struct validators present = {{(const uint8_t *)"\"a\"", 3}, STAMP};

static enum condition_result evaluate(const char *method, bool exists, enum known_name known,
                                      const char *value)
{
    struct field field = {known_name_text(known), span_from_text(value), known, 0};
    struct fields fields = {&field, known == KNOWN_NONE ? 0 : 1, 1};

    return condition_evaluate(&fields, span_from_text(method), &present, exists, NOW);
}

static void tags_have_syntax(void **state)
{
    (void)state;
    assert_true(etag_is_valid(SPAN_LITERAL("\"\"")));
    assert_true(etag_is_valid(SPAN_LITERAL("W/\"a!\xff\"")));
    assert_false(etag_is_valid(SPAN_LITERAL("a")));
    assert_false(etag_is_valid(SPAN_LITERAL("\"")));
    assert_false(etag_is_valid(SPAN_LITERAL("w/\"a\"")));
    assert_false(etag_is_valid(SPAN_LITERAL("\"a b\"")));
    assert_false(etag_is_valid(SPAN_LITERAL("\"a\"b\"")));
    assert_true(etag_equals_strongly(SPAN_LITERAL("\"a\""), SPAN_LITERAL("\"a\"")));
    assert_false(etag_equals_strongly(SPAN_LITERAL("W/\"a\""), SPAN_LITERAL("W/\"a\"")));
    assert_true(etag_equals_weakly(SPAN_LITERAL("W/\"a\""), SPAN_LITERAL("\"a\"")));
    assert_false(etag_equals_weakly(SPAN_EMPTY, SPAN_EMPTY));
    assert_false(etag_equals_weakly(SPAN_LITERAL("\"a\""), SPAN_LITERAL("\"b\"")));

    char text[ETAG_FILE_LENGTH];
    size_t length = etag_of_file(UINT64_MAX, INT64_MIN, text);
    assert_true(etag_is_valid(span_make(text, length)));
    assert_false(etag_is_weak(span_make(text, length)));
}

static void if_none_match(void **state)
{
    (void)state;
    assert_int_equal(evaluate("GET", true, KNOWN_NONE, ""), CONDITION_PROCEED);
    assert_int_equal(evaluate("GET", true, KNOWN_IF_NONE_MATCH, "\"a\""), CONDITION_NOT_MODIFIED);
    assert_int_equal(evaluate("HEAD", true, KNOWN_IF_NONE_MATCH, "\"b\" ,W/\"a\""),
                     CONDITION_NOT_MODIFIED);
    assert_int_equal(evaluate("PUT", true, KNOWN_IF_NONE_MATCH, "\"a\""),
                     CONDITION_PRECONDITION_FAILED);
    assert_int_equal(evaluate("GET", true, KNOWN_IF_NONE_MATCH, "\"b\""), CONDITION_PROCEED);
    assert_int_equal(evaluate("GET", true, KNOWN_IF_NONE_MATCH, "*"), CONDITION_NOT_MODIFIED);
    assert_int_equal(evaluate("PUT", false, KNOWN_IF_NONE_MATCH, "*"), CONDITION_PROCEED);
    assert_int_equal(evaluate("GET", true, KNOWN_IF_NONE_MATCH, "a"), CONDITION_PROCEED);
    assert_int_equal(evaluate("GET", true, KNOWN_IF_NONE_MATCH, "\"b\"\"a\""), CONDITION_PROCEED);
    assert_int_equal(evaluate("GET", true, KNOWN_IF_NONE_MATCH, ""), CONDITION_PROCEED);
}

static void if_match(void **state)
{
    (void)state;
    assert_int_equal(evaluate("PUT", true, KNOWN_IF_MATCH, "\"b\", \"a\""), CONDITION_PROCEED);
    assert_int_equal(evaluate("PUT", true, KNOWN_IF_MATCH, "W/\"a\""),
                     CONDITION_PRECONDITION_FAILED);
    assert_int_equal(evaluate("PUT", true, KNOWN_IF_MATCH, "*"), CONDITION_PROCEED);
    assert_int_equal(evaluate("PUT", false, KNOWN_IF_MATCH, "*"), CONDITION_PRECONDITION_FAILED);
    assert_int_equal(evaluate("PUT", true, KNOWN_IF_MATCH, "junk"), CONDITION_PRECONDITION_FAILED);
}

static void dates(void **state)
{
    (void)state;
    assert_int_equal(evaluate("GET", true, KNOWN_IF_MODIFIED_SINCE, DATE), CONDITION_NOT_MODIFIED);
    assert_int_equal(evaluate("GET", true, KNOWN_IF_MODIFIED_SINCE, LATER), CONDITION_NOT_MODIFIED);
    assert_int_equal(
        evaluate("GET", true, KNOWN_IF_MODIFIED_SINCE, "Sun, 06 Nov 1994 08:49:36 GMT"),
        CONDITION_PROCEED);
    assert_int_equal(evaluate("PUT", true, KNOWN_IF_MODIFIED_SINCE, DATE), CONDITION_PROCEED);
    assert_int_equal(evaluate("GET", true, KNOWN_IF_MODIFIED_SINCE, "junk"), CONDITION_PROCEED);
    assert_int_equal(
        evaluate("PUT", true, KNOWN_IF_UNMODIFIED_SINCE, "Sun, 06 Nov 1994 08:49:36 GMT"),
        CONDITION_PRECONDITION_FAILED);
    assert_int_equal(evaluate("PUT", true, KNOWN_IF_UNMODIFIED_SINCE, DATE), CONDITION_PROCEED);
}

static void tags_go_before_dates(void **state)
{
    struct field items[] = {
        {SPAN_LITERAL("if-none-match"), SPAN_LITERAL("\"b\""), KNOWN_IF_NONE_MATCH, 0},
        {SPAN_LITERAL("if-modified-since"), SPAN_LITERAL(DATE), KNOWN_IF_MODIFIED_SINCE, 0}};
    struct fields fields = {items, 2, 2};
    (void)state;

    assert_int_equal(condition_evaluate(&fields, SPAN_LITERAL("GET"), &present, true, NOW),
                     CONDITION_PROCEED);
}

static bool applies(const char *value)
{
    struct field field = {SPAN_LITERAL("if-range"), span_from_text(value), KNOWN_IF_RANGE, 0};
    struct fields fields = {&field, 1, 1};

    return condition_range_applies(&fields, &present, NOW);
}

static void if_range_is_strong(void **state)
{
    (void)state;
    assert_true(condition_range_applies(&(struct fields){0}, &present, NOW));
    assert_true(applies("\"a\""));
    assert_false(applies("W/\"a\""));
    assert_false(applies("\"b\""));
    assert_true(applies(DATE));
    assert_false(applies(LATER));
    assert_false(applies("junk"));
    assert_false(applies(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tags_have_syntax),
        cmocka_unit_test(if_none_match),
        cmocka_unit_test(if_match),
        cmocka_unit_test(dates),
        cmocka_unit_test(tags_go_before_dates),
        cmocka_unit_test(if_range_is_strong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
