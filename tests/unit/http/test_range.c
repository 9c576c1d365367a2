#include "base/err.h"
#include "http/range.h"
#include "support/check.h"

static struct range ranges[RANGE_MAXIMUM];
static size_t count;

static enum range_result parse(const char *text, uint64_t length)
{
    return range_parse(span_from_text(text), length, ranges, &count);
}

static void assert_ranges(const char *text, uint64_t length, const char *expected)
{
    char got[512] = "";
    size_t used = 0;

    assert_int_equal(parse(text, length), RANGE_PARTIAL);
    for (size_t i = 0; i < count; i++)
        used += (size_t)snprintf(got + used, sizeof(got) - used, "%s%llu-%llu", i == 0 ? "" : ",",
                                 (unsigned long long)ranges[i].first,
                                 (unsigned long long)ranges[i].last);
    assert_string_equal(got, expected);
}

static void ranges_are_cut_to_the_length(void **state)
{
    (void)state;
    assert_ranges("bytes=0-4", 10, "0-4");
    assert_ranges("Bytes=5-", 10, "5-9");
    assert_ranges("bytes=5-99", 10, "5-9");
    assert_ranges("bytes=-3", 10, "7-9");
    assert_ranges("bytes=-99", 10, "0-9");
    assert_ranges("bytes=0-0", 1, "0-0");
    assert_ranges("bytes= 0-0 ,\t-1", 10, "0-0,9-9");
    assert_ranges("bytes=,,0-0,,", 10, "0-0");
    assert_ranges("bytes=20-30,1-2", 10, "1-2");
    assert_ranges("bytes=5-6,0-1", 10, "5-6,0-1");
    assert_ranges("bytes=0-4,5-9", 10, "0-9");
    assert_ranges("bytes=0-4,2-6", 10, "0-6");
    assert_ranges("bytes=0-18446744073709551616", 10, "0-9");
    assert_ranges("bytes=-18446744073709551616", 10, "0-9");
    assert_ranges("bytes=9223372036854775806-", INT64_MAX,
                  "9223372036854775806-9223372036854775806");
}

static void outside_is_unsatisfiable(void **state)
{
    static const char *const texts[] = {"bytes=10-", "bytes=10-20", "bytes=-0",
                                        "bytes=18446744073709551616-", "bytes=11-12,13-14"};
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_int_equal(parse(texts[i], 10), RANGE_UNSATISFIABLE);
    assert_int_equal(parse("bytes=0-", 0), RANGE_UNSATISFIABLE);
    assert_int_equal(parse("bytes=-1", 0), RANGE_UNSATISFIABLE);
}

static void the_rest_is_ignored(void **state)
{
    static const char *const texts[] = {"",           "bytes",      "bytes=",     "bytes=-",
                                        "bytes=4-2",  "bytes=a-b",  "bytes=1",    "bytes=1-2-3",
                                        "bytes=+1-2", "bytes 1-2",  "lines=1-2",  "bytes=1 -2",
                                        "bytes=--1",  "bytes=0-1;", "bytes=0x1-2"};
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_int_equal(parse(texts[i], 10), RANGE_IGNORE);
}

static void floods_of_ranges_are_ignored(void **state)
{
    char text[256] = "bytes=0-0";
    (void)state;

    for (int i = 1; i < RANGE_MAXIMUM; i++)
        snprintf(text + strlen(text), 16, ",%d-%d", i * 2, i * 2);
    assert_int_equal(parse(text, 1000), RANGE_PARTIAL);
    assert_int_equal(count, RANGE_MAXIMUM);
    strncat(text, ",900-900", sizeof(text) - strlen(text) - 1);
    assert_int_equal(parse(text, 1000), RANGE_IGNORE);
    assert_int_equal(parse("bytes=0-9,0-9", 10), RANGE_PARTIAL);
    assert_int_equal(parse("bytes=0-9,0-9,0-9", 10), RANGE_IGNORE);
}

static void content_range_is_written_and_read(void **state)
{
    struct range range = {0, UINT64_C(9223372036854775806)};
    char text[RANGE_CONTENT_LENGTH];
    uint64_t length;
    (void)state;

    size_t written = range_format_content(&range, INT64_MAX, text);
    assert_string_equal(text, "bytes 0-9223372036854775806/9223372036854775807");
    assert_int_equal(range_parse_content(span_make(text, written), &range, &length), 0);
    assert_int_equal(length, INT64_MAX);
    range_format_content(NULL, 10, text);
    assert_string_equal(text, "bytes */10");
    assert_int_equal(range_parse_content(SPAN_LITERAL("bytes 1-2/*"), &range, &length), 0);
    assert_int_equal(length, UINT64_MAX);
    assert_int_equal(range_parse_content(SPAN_LITERAL("bytes 1-2/2"), &range, &length),
                     HERALD_ERROR_INVALID);
    assert_int_equal(range_parse_content(SPAN_LITERAL("bytes 2-1/9"), &range, &length),
                     HERALD_ERROR_INVALID);
    assert_int_equal(range_parse_content(SPAN_LITERAL("bytes */9"), &range, &length),
                     HERALD_ERROR_INVALID);
}

/* Against a map of bytes: what is delivered is what was asked for, and no more than it. */
static void random_sets_agree_with_a_model(void **state)
{
    uint64_t random = 7;
    (void)state;

    for (int round = 0; round < 20000; round++) {
        char text[128] = "bytes=";
        bool wanted[20] = {false}, given[20] = {false};
        uint64_t length = 1 + (random >> 33) % 20;

        for (int i = 0; i < 3; i++) {
            random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
            unsigned first = (unsigned)(random >> 40) % 24, more = (unsigned)(random >> 50) % 6;
            snprintf(text + strlen(text), 16, "%s%u-%u", i == 0 ? "" : ",", first, first + more);
            for (unsigned byte = first; byte <= first + more && byte < length; byte++)
                wanted[byte] = true;
        }
        if (parse(text, length) == RANGE_IGNORE)
            continue;
        for (size_t i = 0; i < count; i++) {
            assert_true(ranges[i].first <= ranges[i].last && ranges[i].last < length);
            for (uint64_t byte = ranges[i].first; byte <= ranges[i].last; byte++)
                given[byte] = true;
        }
        assert_memory_equal(given, wanted, sizeof(given));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_are_cut_to_the_length),
        cmocka_unit_test(outside_is_unsatisfiable),
        cmocka_unit_test(the_rest_is_ignored),
        cmocka_unit_test(floods_of_ranges_are_ignored),
        cmocka_unit_test(content_range_is_written_and_read),
        cmocka_unit_test(random_sets_agree_with_a_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
