#include "hpack/static_table.h"
#include "support/check.h"

static void every_name_is_found_at_its_first_entry(void **state)
{
    (void)state;
    for (uint8_t index = 1; index <= HPACK_STATIC_COUNT; index++) {
        uint8_t first = 1;
        while (!span_equals(hpack_static_fields[first].name, hpack_static_fields[index].name))
            first++;
        assert_int_equal(hpack_static_name(hpack_static_fields[index].name), first);
        assert_int_equal(hpack_static_fields[index].static_index, first);
    }
}

static void other_names_are_not(void **state)
{
    (void)state;
    static const char *const names[] = {
        "",  "a",        ":",    "x",           ":methoD", "methods", "Date",
        ":", ":status ", "etaq", "set-cookies", "via ",    "agf",     ":protocol"};
    for (size_t at = 0; at < sizeof(names) / sizeof(names[0]); at++)
        assert_int_equal(hpack_static_name(span_from_text(names[at])), 0);
    /* Every name with one byte changed. */
    for (uint8_t index = 1; index <= HPACK_STATIC_COUNT; index++) {
        char name[64];
        struct span original = hpack_static_fields[index].name;
        for (size_t at = 0; at < original.length; at++) {
            memcpy(name, original.data, original.length);
            name[at] ^= 0x80;
            assert_int_equal(hpack_static_name(span_make(name, original.length)), 0);
        }
    }
}

static void the_names_have_their_numbers(void **state)
{
    (void)state;
    assert_int_equal(hpack_static_name(SPAN_LITERAL(":authority")), HPACK_NAME_AUTHORITY);
    assert_int_equal(hpack_static_name(SPAN_LITERAL(":status")), HPACK_NAME_STATUS);
    assert_int_equal(hpack_static_name(SPAN_LITERAL("content-length")), HPACK_NAME_CONTENT_LENGTH);
    assert_int_equal(hpack_static_name(SPAN_LITERAL("link")), HPACK_NAME_LINK);
    assert_int_equal(hpack_static_name(SPAN_LITERAL("www-authenticate")),
                     HPACK_NAME_WWW_AUTHENTICATE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_name_is_found_at_its_first_entry),
        cmocka_unit_test(other_names_are_not),
        cmocka_unit_test(the_names_have_their_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
