#include "base/err.h"
#include "http/outgoing_fields.h"
#include "support/check.h"
#include "support/failmalloc.h"

static struct arena arena;
static struct fields copy;

static int prepare(void **state)
{
    (void)state;
    arena_init(&arena, 0, NULL);
    return 0;
}

static int clean(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

static void assert_field(size_t i, const char *name, const char *value)
{
    assert_true(i < copy.count);
    assert_true(span_equals(copy.items[i].name, span_from_text(name)));
    assert_true(span_equals(copy.items[i].value, span_from_text(value)));
    assert_int_equal(copy.items[i].known, known_name_find(span_from_text(name)));
}

static const struct field many[] = {
    {SPAN_LITERAL("Content-Type"), SPAN_LITERAL("\ttext/plain "), KNOWN_NONE, 0},
    {SPAN_LITERAL("x-mine"), SPAN_LITERAL(""), KNOWN_NONE, FIELD_SENSITIVE},
    {SPAN_LITERAL("connection"), SPAN_LITERAL("close"), KNOWN_CONNECTION, 0},
    {SPAN_LITERAL("Transfer-Encoding"), SPAN_LITERAL("chunked"), KNOWN_NONE, 0},
    {SPAN_LITERAL("content-length"), SPAN_LITERAL("5"), KNOWN_CONTENT_LENGTH, 0},
    {SPAN_LITERAL("host"), SPAN_LITERAL("a"), KNOWN_HOST, 0},
    {SPAN_LITERAL("te"), SPAN_LITERAL("gzip"), KNOWN_TE, 0},
    {SPAN_LITERAL("TE"), SPAN_LITERAL("Trailers"), KNOWN_NONE, 0},
    {SPAN_LITERAL("vary"), SPAN_LITERAL("x"), KNOWN_AGE /* wrong */, 0},
};
#define MANY (sizeof(many) / sizeof(many[0]))

static void fields_are_cleaned(void **state)
{
    (void)state;
    assert_int_equal(outgoing_fields_copy(&arena, OUTGOING_REQUEST, many, MANY, 0, &copy), 0);
    assert_int_equal(copy.count, 4);
    assert_field(0, "content-type", "text/plain");
    assert_field(1, "x-mine", "");
    assert_int_equal(copy.items[1].flags, FIELD_SENSITIVE);
    assert_field(2, "te", "Trailers");
    assert_field(3, "vary", "x");
    assert_int_equal(outgoing_fields_copy(&arena, OUTGOING_RESPONSE, many, MANY, 3, &copy), 0);
    assert_int_equal(copy.count, 6);
    assert_true(copy.capacity >= copy.count + 3);
    assert_field(2, "host", "a");
    assert_int_equal(outgoing_fields_copy(&arena, OUTGOING_TRAILERS, many, MANY, 0, &copy), 0);
    assert_int_equal(copy.count, 1);
    assert_field(0, "x-mine", "");
    assert_int_equal(outgoing_fields_copy(&arena, OUTGOING_TRAILERS, NULL, 0, 0, &copy), 0);
    assert_int_equal(copy.count, 0);
}

static void bad_fields_are_refused(void **state)
{
    static const struct field bad[] = {
        {SPAN_LITERAL(""), SPAN_LITERAL("x"), KNOWN_NONE, 0},
        {SPAN_LITERAL(":path"), SPAN_LITERAL("x"), KNOWN_NONE, 0},
        {SPAN_LITERAL("a b"), SPAN_LITERAL("x"), KNOWN_HOST, 0},
        {SPAN_LITERAL("a"), SPAN_LITERAL("x\ny"), KNOWN_NONE, 0},
        {SPAN_LITERAL("vary"), SPAN_LITERAL("x\0y"), KNOWN_VARY, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(outgoing_fields_copy(&arena, OUTGOING_RESPONSE, &bad[i], 1, 0, &copy),
                         HERALD_ERROR_INVALID);
}

static void lengths_must_agree(void **state)
{
    struct field fields[] = {FIELD("Content-Length", " 12 "), FIELD("content-length", "12"),
                             FIELD("content-lengthy", "x")};
    uint64_t length;
    (void)state;
    assert_int_equal(outgoing_content_length(fields, 3, &length), 0);
    assert_int_equal(length, 12);
    assert_int_equal(outgoing_content_length(fields + 2, 1, &length), 0);
    assert_true(length == CONTENT_LENGTH_UNKNOWN);
    fields[1].value = SPAN_LITERAL("13");
    assert_int_equal(outgoing_content_length(fields, 3, &length), HERALD_ERROR_INVALID);
    fields[0].value = SPAN_LITERAL("0x1");
    assert_int_equal(outgoing_content_length(fields, 1, &length), HERALD_ERROR_INVALID);

    static const uint64_t numbers[] = {0, 9, 10, UINT64_MAX};
    static const char *const texts[] = {"0", "9", "10", "18446744073709551615"};
    for (size_t i = 0; i < 4; i++) {
        copy = (struct fields){0};
        assert_int_equal(outgoing_add_content_length(&copy, &arena, numbers[i]), 0);
        assert_field(0, "content-length", texts[i]);
    }
}

static void defaults_do_not_repeat(void **state)
{
    struct field items[] = {FIELD("server", "herald"), FIELD("x-mine", "default"),
                            FIELD("x-other", "default")};
    struct fields defaults = {items, 3, 3};
    (void)state;
    assert_int_equal(outgoing_fields_copy(&arena, OUTGOING_RESPONSE, many, 2, 0, &copy), 0);
    assert_int_equal(outgoing_add_defaults(&copy, &arena, &defaults), 0);
    assert_int_equal(copy.count, 4);
    assert_field(1, "x-mine", "");
    assert_field(2, "server", "herald");
    assert_field(3, "x-other", "default");
}

static bool without_memory(void *user)
{
    struct field items[] = {FIELD("server", "herald")};
    struct fields defaults = {items, 1, 1};

    prepare(user);
    int error = outgoing_fields_copy(&arena, OUTGOING_RESPONSE, many, MANY, 0, &copy);
    if (error == 0)
        error = outgoing_add_defaults(&copy, &arena, &defaults);
    if (error == 0)
        error = outgoing_add_content_length(&copy, &arena, 5);
    arena_free(&arena);
    return error == 0 || (error == HERALD_ERROR_NOMEM && failmalloc_fired());
}

static void memory_may_run_out(void **state)
{
    assert_int_not_equal(failmalloc_each(without_memory, state, 50), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, prepare, clean)
    const struct CMUnitTest tests[] = {
        TEST(fields_are_cleaned),     TEST(bad_fields_are_refused), TEST(lengths_must_agree),
        TEST(defaults_do_not_repeat), TEST(memory_may_run_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
