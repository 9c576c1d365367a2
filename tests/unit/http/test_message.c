#include "http/message.h"
#include "support/check.h"

static void a_copy_stands_alone(void **state)
{
    char method[] = "GET", path[] = "/a", name[] = "host-like", value[] = "v";
    struct field field = {span_from_text(name), span_from_text(value), KNOWN_NONE, FIELD_SENSITIVE};
    struct message source = {.version = HTTP_2,
                             .method = span_from_text(method),
                             .path = span_from_text(path),
                             .fields = {&field, 1, 1},
                             .content_length = 7,
                             .expects_continue = true};
    struct message copy;
    struct arena arena;
    (void)state;

    arena_init(&arena, 0, NULL);
    assert_int_equal(message_copy(&arena, &source, &copy), 0);
    method[0] = path[0] = name[0] = value[0] = 'x';
    assert_true(span_equals(copy.method, SPAN_LITERAL("GET")));
    assert_true(span_equals(copy.path, SPAN_LITERAL("/a")));
    assert_int_equal(copy.scheme.length, 0);
    assert_true(span_equals(copy.fields.items[0].name, SPAN_LITERAL("host-like")));
    assert_true(span_equals(copy.fields.items[0].value, SPAN_LITERAL("v")));
    assert_int_equal(copy.fields.items[0].flags, FIELD_SENSITIVE);
    assert_int_equal(copy.content_length, 7);
    assert_true(copy.expects_continue);
    source.fields.count = 0;
    assert_int_equal(message_copy(&arena, &source, &copy), 0);
    assert_int_equal(copy.fields.count, 0);
    arena_free(&arena);

    arena_init(&arena, 24, NULL);
    assert_int_not_equal(message_copy(&arena, &source, &copy), 0);
    arena_free(&arena);
}

static void methods_and_content(void **state)
{
    (void)state;
    assert_true(message_method_is_safe(SPAN_LITERAL("GET")));
    assert_true(message_method_is_safe(SPAN_LITERAL("OPTIONS")));
    assert_false(message_method_is_safe(SPAN_LITERAL("POST")));
    assert_false(message_method_is_safe(SPAN_LITERAL("get")));
    assert_true(message_response_has_content(SPAN_LITERAL("GET"), 200));
    assert_false(message_response_has_content(SPAN_LITERAL("HEAD"), 200));
    assert_false(message_response_has_content(SPAN_LITERAL("GET"), 103));
    assert_false(message_response_has_content(SPAN_LITERAL("GET"), 204));
    assert_false(message_response_has_content(SPAN_LITERAL("GET"), 304));
    assert_true(message_response_has_content(SPAN_LITERAL("GET"), 404));
    assert_false(message_response_has_content(SPAN_LITERAL("CONNECT"), 299));
    assert_true(message_response_has_content(SPAN_LITERAL("CONNECT"), 407));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copy_stands_alone),
        cmocka_unit_test(methods_and_content),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
