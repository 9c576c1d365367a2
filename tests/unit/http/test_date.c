#include "base/err.h"
#include "http/date.h"
#include "support/check.h"
#include <time.h>

#define NOW INT64_C(1795305600) /* November 2026 */

static void formats_like_the_c_library(void **state)
{
    uint64_t random = 42;
    (void)state;

    for (int i = 0; i < 20000; i++) {
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
        int64_t seconds = (int64_t)((random >> 20) % UINT64_C(300000000000)) - 50000000000;
        char expected[64], text[DATE_LENGTH + 1] = {0};
        struct tm parts;
        time_t time = (time_t)seconds;

        assert_non_null(gmtime_r(&time, &parts));
        strftime(expected, sizeof(expected), "%a, %d %b %Y %H:%M:%S GMT", &parts);
        if (strlen(expected) != DATE_LENGTH)
            continue; /* the C library does not pad years before 1000 */
        date_format(seconds, text);
        assert_string_equal(text, expected);

        int64_t back;
        assert_int_equal(date_parse(span_from_text(text), NOW, &back), 0);
        assert_int_equal(back, seconds);
    }
}

static void ends_of_time_are_cut(void **state)
{
    char text[DATE_LENGTH];
    (void)state;

    date_format(INT64_MAX, text);
    assert_memory_equal(text, "Fri, 31 Dec 9999 23:59:59 GMT", DATE_LENGTH);
    date_format(INT64_MIN, text);
    assert_memory_equal(text, "Mon, 01 Jan 0001 00:00:00 GMT", DATE_LENGTH);
    date_format(-1, text);
    assert_memory_equal(text, "Wed, 31 Dec 1969 23:59:59 GMT", DATE_LENGTH);
}

static void all_three_forms_are_read(void **state)
{
    static const char *const forms[] = {"Sun, 06 Nov 1994 08:49:37 GMT",
                                        "Sunday, 06-Nov-94 08:49:37 GMT",
                                        "Sun Nov  6 08:49:37 1994"};
    int64_t seconds;
    (void)state;

    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(date_parse(span_from_text(forms[i]), NOW, &seconds), 0);
        assert_int_equal(seconds, 784111777);
    }
    assert_int_equal(date_parse(SPAN_LITERAL("Sun Nov 16 08:49:37 1994"), NOW, &seconds), 0);
    assert_int_equal(date_parse(SPAN_LITERAL("Sunday, 06-Nov-70 08:49:37 GMT"), NOW, &seconds), 0);
    assert_true(seconds > NOW);
    assert_int_equal(date_parse(SPAN_LITERAL("Sunday, 06-Nov-80 08:49:37 GMT"), NOW, &seconds), 0);
    assert_true(seconds < NOW);
    assert_int_equal(date_parse(SPAN_LITERAL("Thu, 29 Feb 2024 00:00:60 GMT"), NOW, &seconds), 0);
}

static void other_text_is_refused(void **state)
{
    static const char *const bad[] = {"",
                                      "Sun",
                                      "Sun,",
                                      "Sun, 06 Nov 1994 08:49:37",
                                      "Sun, 06 Nov 1994 08:49:37 GMT ",
                                      " Sun, 06 Nov 1994 08:49:37 GMT",
                                      "sun, 06 Nov 1994 08:49:37 GMT",
                                      "Sun, 06 nov 1994 08:49:37 GMT",
                                      "Sun, 6 Nov 1994 08:49:37 GMT",
                                      "Sun, 06 Nov 1994 08:49:37 UTC",
                                      "Sun, 06 Nov 1994 24:00:00 GMT",
                                      "Sun, 06 Nov 1994 08:60:37 GMT",
                                      "Sun, 06 Nov 1994 08:49:61 GMT",
                                      "Sun, 00 Nov 1994 08:49:37 GMT",
                                      "Sun, 31 Nov 1994 08:49:37 GMT",
                                      "Wed, 29 Feb 2023 08:49:37 GMT",
                                      "Wed, 29 Feb 1900 08:49:37 GMT",
                                      "Wed, 01 Jan 0000 08:49:37 GMT",
                                      "Sun, 06 Nov +994 08:49:37 GMT",
                                      "Sunday, 06-Nov-1994 08:49:37 GMT",
                                      "Sun Nov 6 08:49:37 1994",
                                      "784111777"};
    int64_t seconds;
    (void)state;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(date_parse(span_from_text(bad[i]), NOW, &seconds), HERALD_ERROR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats_like_the_c_library),
        cmocka_unit_test(ends_of_time_are_cut),
        cmocka_unit_test(all_three_forms_are_read),
        cmocka_unit_test(other_text_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
