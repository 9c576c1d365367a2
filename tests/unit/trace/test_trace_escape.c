#include "support/check.h"
#include "trace/trace_print.h"

static char *escaped(struct span text)
{
    struct buf out;

    buf_init(&out, 1 << 20, NULL);
    assert_int_equal(trace_escape(&out, text), 0);
    assert_int_equal(buf_append_byte(&out, 0), 0);
    char *copy = malloc(buf_length(&out));
    assert_non_null(copy);
    memcpy(copy, buf_span(&out).data, buf_length(&out));
    buf_free(&out);
    return copy;
}

static void check_escaped(struct span text, const char *expected)
{
    char *got = escaped(text);

    assert_string_equal(got, expected);
    free(got);
}

static void every_single_byte_is_printable_afterwards(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        uint8_t text[1] = {(uint8_t)byte};
        char *got = escaped(span_make(text, 1));
        assert_true(strlen(got) >= 1);
        for (const char *p = got; *p != 0; p++)
            assert_true(*p >= 0x20 && *p < 0x7f);
        if (byte >= 0x20 && byte < 0x7f && byte != '\\') {
            assert_int_equal(strlen(got), 1);
            assert_int_equal((uint8_t)got[0], byte);
        }
        free(got);
    }
}

static void every_pair_of_bytes_stays_utf8_without_controls(void **state)
{
    (void)state;
    for (unsigned pair = 0; pair < 65536; pair++) {
        uint8_t text[2] = {(uint8_t)(pair >> 8), (uint8_t)pair};
        char *got = escaped(span_make(text, 2));
        struct span rest = span_from_text(got);
        while (rest.length > 0) {
            uint32_t character;
            size_t length = trace_decode_utf8(rest, &character);
            assert_true(length > 0);
            assert_true(character >= 0x20 && !(character >= 0x7f && character <= 0x9f));
            rest = span_slice(rest, length, rest.length);
        }
        free(got);
    }
}

static void named_escapes(void **state)
{
    (void)state;
    check_escaped(SPAN_LITERAL("a\r\n\tb\\"), "a\\r\\n\\tb\\\\");
    check_escaped(SPAN_LITERAL("\033[31mred\007"), "\\x1b[31mred\\x07");
    check_escaped(span_make("\0x", 2), "\\x00x");
    check_escaped(SPAN_LITERAL("gr\xc3\xbc\xc3\x9f"), "gr\xc3\xbc\xc3\x9f");
    check_escaped(SPAN_LITERAL("\xf0\x9f\x98\x80"), "\xf0\x9f\x98\x80");
    check_escaped(SPAN_EMPTY, "");
}

static void deceptive_characters_are_numbered(void **state)
{
    (void)state;
    check_escaped(SPAN_LITERAL("\xc2\x9b"), "\\u{9b}");
    check_escaped(SPAN_LITERAL("\xe2\x80\xae"), "\\u{202e}");
    check_escaped(SPAN_LITERAL("\xe2\x81\xa6"), "\\u{2066}");
    check_escaped(SPAN_LITERAL("\xd8\x9c"), "\\u{61c}");
    check_escaped(SPAN_LITERAL("\xe2\x80\x8b"), "\\u{200b}");
    check_escaped(SPAN_LITERAL("\xef\xbb\xbf"), "\\u{feff}");
    check_escaped(SPAN_LITERAL("\xf3\xa0\x81\x81"), "\\u{e0041}");
}

static void broken_utf8_is_shown_as_bytes(void **state)
{
    (void)state;
    check_escaped(SPAN_LITERAL("\xc0\xaf"), "\\xc0\\xaf");                   /* overlong */
    check_escaped(SPAN_LITERAL("\xe0\x80\xaf"), "\\xe0\\x80\\xaf");          /* overlong */
    check_escaped(SPAN_LITERAL("\xed\xa0\x80"), "\\xed\\xa0\\x80");          /* surrogate */
    check_escaped(SPAN_LITERAL("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80"); /* over 10FFFF */
    check_escaped(SPAN_LITERAL("\xe2\x82"), "\\xe2\\x82");                   /* cut */
    check_escaped(SPAN_LITERAL("\xc3(\x80"), "\\xc3(\\x80");
}

static void cuts_between_characters(void **state)
{
    (void)state;
    struct span text = SPAN_LITERAL("a\xc3\xbc\xf0\x9f\x98\x80z");
    static const size_t expected[] = {0, 1, 1, 3, 3, 3, 3, 7, 8, 8};

    for (size_t most = 0; most < sizeof(expected) / sizeof(expected[0]); most++)
        assert_int_equal(trace_cut(text, most).length, expected[most]);
    assert_int_equal(trace_cut(SPAN_LITERAL("\x80\x80\x80\x80\x80\x80"), 5).length, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_single_byte_is_printable_afterwards),
        cmocka_unit_test(every_pair_of_bytes_stays_utf8_without_controls),
        cmocka_unit_test(named_escapes),
        cmocka_unit_test(deceptive_characters_are_numbered),
        cmocka_unit_test(broken_utf8_is_shown_as_bytes),
        cmocka_unit_test(cuts_between_characters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
