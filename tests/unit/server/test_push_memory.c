#include "support/check.h"

#include "base/err.h"
#include "server/push_memory.h"
#include "support/failmalloc.h"

#include <stdio.h>

#define HOST SPAN_LITERAL("host")

static bool knows(struct push_memory *memory, const char *path, const char *links)
{
    return span_equals(push_memory_find(memory, HOST, span_from_text(path)), span_from_text(links));
}

static void learns_replaces_and_forgets(void **state)
{
    (void)state;
    struct push_memory *memory = push_memory_create();
    assert_true(knows(memory, "/", ""));
    assert_int_equal(push_memory_learn(memory, HOST, SPAN_LITERAL("/"), SPAN_LITERAL("a")), 0);
    assert_true(knows(memory, "/", "a"));
    assert_int_equal(push_memory_find(memory, SPAN_LITERAL("other"), SPAN_LITERAL("/")).length, 0);
    assert_int_equal(push_memory_learn(memory, HOST, SPAN_LITERAL("/"), SPAN_LITERAL("b")), 0);
    assert_int_equal(push_memory_learn(memory, HOST, SPAN_LITERAL("/"), SPAN_LITERAL("b")), 0);
    assert_true(knows(memory, "/", "b"));
    assert_int_equal(push_memory_learn(memory, HOST, SPAN_LITERAL("/"), SPAN_EMPTY), 0);
    assert_true(knows(memory, "/", ""));
    static uint8_t longer[PUSH_MEMORY_LINK_BYTES + 1];
    assert_int_equal(
        push_memory_learn(memory, HOST, SPAN_LITERAL("/"), span_make(longer, sizeof(longer))), 0);
    assert_true(knows(memory, "/", ""));
    push_memory_destroy(memory);
}

static void has_a_maximum(void **state)
{
    (void)state;
    struct push_memory *memory = push_memory_create();
    char path[16];
    for (int i = 0; i <= PUSH_MEMORY_PATHS; i++) {
        snprintf(path, sizeof(path), "/%d", i);
        assert_int_equal(push_memory_learn(memory, HOST, span_from_text(path), SPAN_LITERAL("x")),
                         0);
    }
    assert_true(knows(memory, "/0", ""));
    assert_true(knows(memory, "/1", "x"));
    assert_true(knows(memory, path, "x"));
    push_memory_destroy(memory);
}

static bool scenario(void *user)
{
    (void)user;
    struct push_memory *memory = push_memory_create();
    if (memory == NULL)
        return true;
    int result = push_memory_learn(memory, HOST, SPAN_LITERAL("/"), SPAN_LITERAL("a"));
    bool right = result == 0 ? knows(memory, "/", "a")
                             : result == HERALD_ERROR_NOMEM && knows(memory, "/", "");
    push_memory_destroy(memory);
    return right;
}

static void memory_can_be_short(void **state)
{
    (void)state;
    assert_int_not_equal(failmalloc_each(scenario, NULL, 20), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(learns_replaces_and_forgets),
        cmocka_unit_test(has_a_maximum),
        cmocka_unit_test(memory_can_be_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
