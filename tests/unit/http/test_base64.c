#include "base/err.h"
#include "http/base64.h"
#include "support/check.h"

static void assert_pair(const char *bytes, const char *text, const char *url_text)
{
    char out[64];
    uint8_t back[64];
    struct span span = span_from_text(bytes);

    assert_int_equal(base64_encode(span, false, out), strlen(text));
    assert_memory_equal(out, text, strlen(text));
    assert_int_equal(base64_encode(span, true, out), strlen(url_text));
    assert_memory_equal(out, url_text, strlen(url_text));
    assert_int_equal(base64_decode(span_from_text(text), false, back), span.length);
    assert_memory_equal(back, bytes, span.length);
    assert_int_equal(base64_decode(span_from_text(url_text), true, back), span.length);
    assert_memory_equal(back, bytes, span.length);
}

static void both_alphabets(void **state)
{
    (void)state;
    assert_pair("", "", "");
    assert_pair("f", "Zg==", "Zg");
    assert_pair("fo", "Zm8=", "Zm8");
    assert_pair("foo", "Zm9v", "Zm9v");
    assert_pair("foob", "Zm9vYg==", "Zm9vYg");
    assert_pair("\xfb\xff\xfe?", "+//+Pw==", "-__-Pw");
}

static void other_text_is_refused(void **state)
{
    static const char *const bad[] = {
        "A", "AAAAA", "AA=", "AAA==", "A===", "AA==A", "=", "A-AA", "A AA", "AA\n"};
    uint8_t out[16];
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(base64_decode(span_from_text(bad[i]), false, out), HERALD_ERROR_INVALID);
    assert_int_equal(base64_decode(SPAN_LITERAL("A+AA"), true, out), HERALD_ERROR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_alphabets),
        cmocka_unit_test(other_text_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
