#include "support/check.h"
#include "trace/frame_names.h"

static void every_kind_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (int kind = FRAME_DATA; kind <= FRAME_H1_TRAILERS; kind++) {
        assert_non_null(frame_name((enum frame_kind)kind));
        for (int other = FRAME_DATA; other < kind; other++)
            assert_string_not_equal(frame_name((enum frame_kind)kind),
                                    frame_name((enum frame_kind)other));
    }
    assert_string_equal(frame_name((enum frame_kind)12345), "UNKNOWN");
    assert_string_equal(frame_name(FRAME_PUSH_PROMISE), "PUSH_PROMISE");
}

static void flags_depend_on_the_frame(void **state)
{
    (void)state;
    assert_string_equal(frame_flag_name(FRAME_DATA, 0x1), "END_STREAM");
    assert_string_equal(frame_flag_name(FRAME_SETTINGS, 0x1), "ACK");
    assert_string_equal(frame_flag_name(FRAME_PING, 0x1), "ACK");
    assert_string_equal(frame_flag_name(FRAME_HEADERS, 0x4), "END_HEADERS");
    assert_string_equal(frame_flag_name(FRAME_HEADERS, 0x8), "PADDED");
    assert_string_equal(frame_flag_name(FRAME_HEADERS, 0x20), "PRIORITY");
    assert_string_equal(frame_flag_name(FRAME_PUSH_PROMISE, 0x8), "PADDED");
    assert_null(frame_flag_name(FRAME_PUSH_PROMISE, 0x1));
    assert_null(frame_flag_name(FRAME_PUSH_PROMISE, 0x20));
    assert_null(frame_flag_name(FRAME_CONTINUATION, 0x8));
    assert_null(frame_flag_name(FRAME_DATA, 0x4));
    assert_null(frame_flag_name(FRAME_GOAWAY, 0x1));
}

static void settings_and_errors_depend_on_the_version(void **state)
{
    (void)state;
    assert_string_equal(frame_setting_name(HTTP_2, 0x2), "ENABLE_PUSH");
    assert_string_equal(frame_setting_name(HTTP_2, 0x9), "NO_RFC7540_PRIORITIES");
    assert_string_equal(frame_setting_name(HTTP_3, 0x6), "MAX_FIELD_SECTION_SIZE");
    assert_null(frame_setting_name(HTTP_2, 0xfafa));
    assert_null(frame_setting_name(HTTP_3, 0x2));
    assert_string_equal(frame_error_name(HTTP_2, 0x0), "NO_ERROR");
    assert_string_equal(frame_error_name(HTTP_2, 0xb), "ENHANCE_YOUR_CALM");
    assert_string_equal(frame_error_name(HTTP_2, 0xd), "HTTP_1_1_REQUIRED");
    assert_null(frame_error_name(HTTP_2, 0xe));
    assert_string_equal(frame_error_name(HTTP_3, 0x10c), "H3_REQUEST_CANCELLED");
    assert_null(frame_error_name(HTTP_3, UINT64_MAX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_has_a_name_of_its_own),
        cmocka_unit_test(flags_depend_on_the_frame),
        cmocka_unit_test(settings_and_errors_depend_on_the_version),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
