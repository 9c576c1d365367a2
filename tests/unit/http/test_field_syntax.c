#include "base/err.h"
#include "http/field_syntax.h"
#include "support/check.h"

static bool is_token_byte(uint8_t byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || (byte != 0 && strchr("!#$%&'*+-.^_`|~", byte) != NULL);
}

static bool is_target_byte(uint8_t byte)
{
    return byte > 0x20 && byte != 0x7f;
}

static bool is_value_byte(uint8_t byte)
{
    return is_target_byte(byte) || byte == ' ' || byte == '\t';
}

/* Every byte at every place of texts around the length of a machine word. */
static void every_byte_at_every_place(void **state)
{
    (void)state;
    for (size_t length = 1; length <= 26; length++) {
        for (size_t place = 0; place < length; place++) {
            for (unsigned byte = 0; byte < 256; byte++) {
                uint8_t text[26];
                memset(text, 'a', sizeof(text));
                text[place] = (uint8_t)byte;
                struct span span = span_make(text, length);
                bool lower = is_token_byte(text[place]) && !(byte >= 'A' && byte <= 'Z');

                assert_int_equal(field_is_token(span), is_token_byte(text[place]));
                assert_int_equal(field_is_lower_name(span), lower);
                assert_int_equal(field_value_bytes_are_valid(span), is_value_byte(text[place]));
                assert_int_equal(field_target_is_valid(span), is_target_byte(text[place]));
            }
        }
    }
}

/* Neighbours must not hide or make a fault: the check of eight bytes borrows across them. */
static void random_texts_agree_with_a_loop(void **state)
{
    static const uint8_t edges[] = {0x00, 0x01, 0x08, 0x09, 0x0a, 0x1f, 0x20, 0x21,
                                    0x7e, 0x7f, 0x80, 0x81, 0x9f, 0xa0, 0xfe, 0xff};
    uint64_t random = 11;
    (void)state;

    for (int round = 0; round < 200000; round++) {
        uint8_t text[20];
        bool value = true, target = true;
        size_t length = (size_t)(round % 20);

        for (size_t i = 0; i < length; i++) {
            random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
            text[i] = (random >> 60) < 3 ? edges[random >> 40 & 15]
                                         : (uint8_t)(0x21 + (random >> 33) % 0x5e);
            value &= is_value_byte(text[i]);
            target &= is_target_byte(text[i]);
        }
        assert_int_equal(field_value_bytes_are_valid(span_make(text, length)), value);
        assert_int_equal(field_target_is_valid(span_make(text, length)), target);
    }
}

static void values_have_no_blanks_at_their_ends(void **state)
{
    (void)state;
    assert_true(field_is_value(SPAN_EMPTY));
    assert_true(field_is_value(SPAN_LITERAL("a b\tc")));
    assert_false(field_is_value(SPAN_LITERAL(" a")));
    assert_false(field_is_value(SPAN_LITERAL("a\t")));
    assert_false(field_is_value(SPAN_LITERAL(" ")));
    assert_false(field_is_token(SPAN_EMPTY));
    assert_false(field_is_lower_name(SPAN_EMPTY));
    assert_true(field_target_is_valid(SPAN_EMPTY));
}

static void content_length(void **state)
{
    uint64_t length;
    (void)state;
    assert_int_equal(field_content_length(SPAN_LITERAL("9223372036854775807"), &length), 0);
    assert_int_equal(length, INT64_MAX);
    assert_int_equal(field_content_length(SPAN_LITERAL("9223372036854775808"), &length),
                     HERALD_ERROR_INVALID);
    assert_int_equal(field_content_length(SPAN_LITERAL("1,1"), &length), HERALD_ERROR_INVALID);
    assert_int_equal(field_content_length(SPAN_EMPTY, &length), HERALD_ERROR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_at_every_place),
        cmocka_unit_test(random_texts_agree_with_a_loop),
        cmocka_unit_test(values_have_no_blanks_at_their_ends),
        cmocka_unit_test(content_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
