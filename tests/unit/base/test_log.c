#include "base/log.h"
#include "support/check.h"
#include "support/failmalloc.h"
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* Runs with the log going to a temporary file; returns what it holds. */
static FILE *sink;
static char seen[65536];

static int open_sink(void **state)
{
    (void)state;
    sink = tmpfile();
    if (sink == NULL)
        return -1;
    log_set_file(fileno(sink));
    log_set_level(LOG_INFO);
    return 0;
}

static int close_sink(void **state)
{
    (void)state;
    log_set_file(STDERR_FILENO);
    return fclose(sink);
}

static const char *read_sink(void)
{
    ssize_t length = pread(fileno(sink), seen, sizeof(seen) - 1, 0);
    assert_true(length >= 0);
    seen[length] = '\0';
    return seen;
}

static void lines_carry_their_level(void **state)
{
    (void)state;
    log_write(LOG_ERROR, "one %d", 1);
    log_write(LOG_WARNING, "two");
    log_write(LOG_INFO, "%s", "three");
    log_write(LOG_DEBUG, "four");
    log_set_level(LOG_DEBUG);
    assert_int_equal(log_get_level(), LOG_DEBUG);
    log_write(LOG_DEBUG, "five");
    assert_string_equal(read_sink(), "herald: error: one 1\nherald: warning: two\n"
                                     "herald: info: three\nherald: debug: five\n");
}

static void every_byte_is_escaped_as_stated(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        uint8_t raw = (uint8_t)byte;
        char expected[8];
        struct buf out;
        buf_init(&out, 100, NULL);
        assert_int_equal(log_escape(&out, span_make(&raw, 1)), 0);
        bool plain = byte >= 0x20 && byte <= 0x7e;
        snprintf(expected, sizeof(expected), plain ? "%c" : "\\x%02x", byte);
        assert_true(span_equals(buf_span(&out), span_from_text(expected)));
        buf_free(&out);
    }
}

static void lines_are_escaped(void **state)
{
    (void)state;
    char text[256];
    struct buf expected;
    for (unsigned byte = 1; byte < 256; byte++)
        text[byte - 1] = (char)byte;
    text[255] = '\0';
    buf_init(&expected, 4096, NULL);
    assert_int_equal(buf_append_text(&expected, "herald: error: "), 0);
    assert_int_equal(log_escape(&expected, span_from_text(text)), 0);
    assert_int_equal(buf_append_text(&expected, "\n"), 0);
    log_write(LOG_ERROR, "%s", text);
    assert_true(span_equals(span_from_text(read_sink()), buf_span(&expected)));
    buf_free(&expected);
}

static void long_lines_are_cut_at_whole_escapes(void **state)
{
    (void)state;
    char text[9000];
    memset(text, '\n', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    log_write(LOG_ERROR, "%s", text);
    const char *line = read_sink();
    size_t length = strlen(line);
    assert_true(length > 8192 - 4 && length <= 8192);
    assert_int_equal(line[length - 1], '\n');
    assert_true(strchr(line, '\n') == line + length - 1);
    assert_int_equal(strncmp(line + length - 5, "\\x0a", 4), 0);
}

static void escape_fails_whole(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 7, NULL);
    assert_int_equal(log_escape(&out, SPAN_EMPTY), 0);
    assert_int_equal(log_escape(&out, SPAN_LITERAL("\r\n")), HERALD_ERROR_LIMIT);
    assert_int_equal(buf_length(&out), 0);
    assert_int_equal(log_escape(&out, SPAN_LITERAL("abc\n")), 0);
    assert_true(span_equals(buf_span(&out), SPAN_LITERAL("abc\\x0a")));
    buf_free(&out);
    failmalloc_arm(FAILMALLOC_ONCE, 1);
    int error = log_escape(&out, SPAN_LITERAL("x"));
    failmalloc_disarm();
    assert_int_equal(error, HERALD_ERROR_NOMEM);
}

static unsigned count_lines(const char *text)
{
    unsigned lines = 0;
    for (; *text != '\0'; text++)
        lines += *text == '\n';
    return lines;
}

static void one_cause_is_limited(void **state)
{
    (void)state;
    struct log_limit limit = {0};
    struct log_limit other = {0};
    for (unsigned i = 0; i < 1000; i++)
        log_limited(&limit, LOG_ERROR, "again");
    log_limited(&limit, LOG_DEBUG, "below the level: not counted");
    log_limited(&other, LOG_ERROR, "another cause");
    /* The thousand calls may straddle the turn of a second. */
    unsigned lines = count_lines(read_sink());
    assert_true(lines == 11 || lines == 21);
    unsigned dropped = limit.dropped;
    assert_true(dropped >= 980 && dropped <= 990);
    limit.second--;
    log_limited(&limit, LOG_ERROR, "again");
    char expected[100];
    snprintf(expected, sizeof(expected), "herald: error: (%u similar left out) again\n", dropped);
    assert_non_null(strstr(read_sink(), expected));
    assert_int_equal(limit.dropped, 0);
}

static void a_full_pipe_does_not_block(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    log_set_file(ends[1]);
    char text[2000];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    for (unsigned i = 0; i < 100; i++)
        log_write(LOG_ERROR, "%s", text);
    size_t got = 0;
    assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    ssize_t length;
    while ((length = read(ends[0], seen, sizeof(seen) - 1)) > 0)
        got += (size_t)length;
    unsigned whole = (unsigned)(got / 2015);
    assert_int_equal(got % 2015, 0);
    assert_true(whole > 10 && whole < 100);
    log_write(LOG_ERROR, "room again");
    length = read(ends[0], seen, sizeof(seen) - 1);
    assert_true(length > 0);
    seen[length] = '\0';
    char expected[200];
    snprintf(expected, sizeof(expected),
             "herald: warning: %u log lines could not be written\nherald: error: room again\n",
             100 - whole);
    assert_string_equal(seen, expected);
    close(ends[0]);
    close(ends[1]);
}

static void a_bad_descriptor_is_survived(void **state)
{
    (void)state;
    log_set_file(-1);
    log_write(LOG_ERROR, "to nowhere");
    log_set_file(fileno(sink));
    log_write(LOG_ERROR, "back");
    assert_string_equal(read_sink(), "herald: warning: 1 log lines could not be written\n"
                                     "herald: error: back\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lines_carry_their_level, open_sink, close_sink),
        cmocka_unit_test(every_byte_is_escaped_as_stated),
        cmocka_unit_test_setup_teardown(lines_are_escaped, open_sink, close_sink),
        cmocka_unit_test_setup_teardown(long_lines_are_cut_at_whole_escapes, open_sink, close_sink),
        cmocka_unit_test(escape_fails_whole),
        cmocka_unit_test_setup_teardown(one_cause_is_limited, open_sink, close_sink),
        cmocka_unit_test_setup_teardown(a_full_pipe_does_not_block, open_sink, close_sink),
        cmocka_unit_test_setup_teardown(a_bad_descriptor_is_survived, open_sink, close_sink),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
