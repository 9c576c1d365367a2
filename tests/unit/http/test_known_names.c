#include "http/known_names.h"
#include "support/check.h"

static void every_name_finds_itself(void **state)
{
    size_t count = 0;
    (void)state;

    for (int known = 1; known < KNOWN_NAME_END; known++) {
        struct span text = known_name_text((enum known_name)known);
        if (known < KNOWN_STATIC_FIRST) {
            assert_int_equal(text.length, 0);
            continue;
        }
        assert_true(text.length != 0);
        assert_int_equal(known_name_find(text), known);
        for (size_t i = 0; i < text.length; i++)
            assert_false(text.data[i] >= 'A' && text.data[i] <= 'Z');
        count++;
    }
    assert_true(count > 100);
    assert_true(span_equals(known_name_text(KNOWN_HOST), SPAN_LITERAL("host")));
    assert_int_equal(KNOWN_HOST, 38); /* RFC 7541 appendix A */
    assert_int_equal(KNOWN_ACCEPT_CHARSET, 15);
}

static void other_text_finds_nothing(void **state)
{
    (void)state;
    assert_int_equal(known_name_find(SPAN_EMPTY), KNOWN_NONE);
    assert_int_equal(known_name_find(SPAN_LITERAL("a")), KNOWN_NONE);
    assert_int_equal(known_name_find(SPAN_LITERAL("Host")), KNOWN_NONE);
    assert_int_equal(known_name_find(SPAN_LITERAL("hosts")), KNOWN_NONE);
    assert_int_equal(known_name_find(SPAN_LITERAL(":path")), KNOWN_NONE);
    assert_int_equal(known_name_text(KNOWN_NONE).length, 0);
    assert_int_equal(known_name_text((enum known_name)9999).length, 0);

    /* Any one byte changed. */
    for (int known = KNOWN_STATIC_FIRST; known < KNOWN_NAME_END; known++) {
        struct span text = known_name_text((enum known_name)known);
        uint8_t copy[64];
        for (size_t i = 0; i < text.length; i++) {
            memcpy(copy, text.data, text.length);
            copy[i] ^= 0x80;
            assert_int_equal(known_name_find(span_make(copy, text.length)), KNOWN_NONE);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_name_finds_itself),
        cmocka_unit_test(other_text_finds_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
