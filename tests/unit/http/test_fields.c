#include "http/fields.h"
#include "support/check.h"
#include "support/failmalloc.h"

static void fields_are_found_and_removed(void **state)
{
    struct arena arena;
    struct fields fields = {0};
    (void)state;

    arena_init(&arena, 0, NULL);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(fields_add(&fields, &arena, FIELD("x-other", "1")), 0);
        assert_int_equal(fields_add_copy(&fields, &arena, FIELD("cookie", "2")), 0);
    }
    assert_int_equal(fields.count, 40);
    assert_int_equal(fields_count(&fields, KNOWN_COOKIE), 20);
    assert_ptr_equal(fields_find(&fields, KNOWN_COOKIE), &fields.items[1]);
    assert_ptr_equal(fields_find_name(&fields, SPAN_LITERAL("x-other")), &fields.items[0]);
    assert_null(fields_find(&fields, KNOWN_HOST));
    assert_null(fields_find(&fields, KNOWN_NONE));
    assert_null(fields_find_name(&fields, SPAN_LITERAL("none")));
    assert_true(span_equals(fields_value(&fields, KNOWN_COOKIE), SPAN_LITERAL("2")));
    assert_int_equal(fields_value(&fields, KNOWN_HOST).length, 0);
    assert_int_equal(fields_size(&fields), 20 * (7 + 1 + 32 + 6 + 1 + 32));
    assert_int_equal(fields_remove(&fields, KNOWN_COOKIE), 20);
    assert_int_equal(fields_remove(&fields, KNOWN_COOKIE), 0);
    assert_int_equal(fields.count, 20);
    arena_free(&arena);
}

static bool without_memory(void *user)
{
    struct arena arena;
    struct fields fields = {0};
    int error = 0;
    size_t added = 0;
    (void)user;

    arena_init(&arena, 0, NULL);
    for (int i = 0; i < 100 && error == 0; i++) {
        error = fields_add_copy(&fields, &arena, FIELD("name", "value"));
        added += error == 0;
    }
    bool good = fields.count == added;
    arena_free(&arena);
    return good;
}

static void memory_may_run_out(void **state)
{
    (void)state;
    assert_int_not_equal(failmalloc_each(without_memory, NULL, 100), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_found_and_removed),
        cmocka_unit_test(memory_may_run_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
