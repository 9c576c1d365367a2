#include "support/check.h"

#include "server/access_format.h"
#include "server/access_log.h"
#include "server/fake.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static struct fake fake;
static char text[20000];

#define NOW INT64_C(1000000000)

/* The line that `format` gives for the fake's exchange. */
static const char *line_of(const char *format)
{
    struct access_format compiled;
    const char *bad;
    struct buf line;
    assert_int_equal(access_format_compile(&compiled, format, &bad), 0);
    buf_init(&line, sizeof(text) - 1, NULL);
    assert_int_equal(access_format_write(&compiled, fake.exchange, SPAN_LITERAL("[now]"), &line),
                     0);
    struct span bytes = buf_span(&line);
    if (bytes.length > 0)
        memcpy(text, bytes.data, bytes.length);
    text[bytes.length] = '\0';
    buf_free(&line);
    access_format_free(&compiled);
    return text;
}

static void answered(const char *path, const char *const *fields)
{
    fake_init(&fake, "GET", path, fields);
    fake_hold(&fake);
    const struct field type = FIELD("content-type", "text/plain");
    assert_int_equal(exchange_respond(fake.exchange, 200, &type, 1, 5), 0);
    assert_int_equal(exchange_write(fake.exchange, SPAN_LITERAL("hello")), 0);
    assert_int_equal(exchange_finish(fake.exchange, NULL, 0), 0);
    fake_drain(&fake, 4096);
    fake.exchange->timing.started = 10 * HERALD_SECOND;
    fake.exchange->timing.ended = 11 * HERALD_SECOND + 234567 * HERALD_MICROSECOND;
}

static void finish(void)
{
    exchange_release(fake.exchange);
    fake_end(&fake, 0);
}

static void hypercorns_default_line(void **state)
{
    (void)state;
    answered("/path?q=1",
             (const char *const[]){"referer", "https://example.com/", "user-agent", "test", NULL});
    assert_string_equal(line_of(access_log_default_format),
                        "192.0.2.7:4711 - - [now] \"GET /path 2\" 200 5 "
                        "\"https://example.com/\" \"test\"");
    finish();
}

static void every_atom(void **state)
{
    (void)state;
    answered("/path?q=1", (const char *const[]){"x-own", "mine", NULL});
    setenv("HERALD_TEST_ATOM", "env", 1);
    assert_string_equal(line_of("%(u)s %(R)s %(st)s %(S)s %(m)s %(U)s %(Uq)s %(q)s %(H)s %(B)s"),
                        "- GET /path?q=1 2 200 OK https GET /path /path?q=1 q=1 2 5");
    assert_string_equal(line_of("%(T)s %(D)s %(L)s"), "1 1234567 1.234567");
    assert_string_equal(line_of("%({X-Own}i)s %({Content-Type}o)s %({HERALD_TEST_ATOM}e)s"),
                        "mine text/plain env");
    assert_string_equal(line_of("%({absent}i)s %({absent}o)s %({ABSENT_}e)s %(f)s %(a)s"),
                        "- - - - -");
    assert_string_equal(line_of("100%% %(t)s"), "100% [now]");
    finish();
}

static void before_any_answer(void **state)
{
    (void)state;
    fake_init(&fake, "GET", "/", NULL);
    fake_hold(&fake);
    assert_string_equal(line_of("%(s)s %(b)s %(D)s"), "- - 0");
    finish();
}

static void values_are_escaped(void **state)
{
    (void)state;
    answered("/", (const char *const[]){"user-agent", "a\"b\\c\x7f\x80\xff\x01\n", NULL});
    assert_string_equal(line_of("\"%(a)s\""), "\"a\\x22b\\x5cc\\x7f\\x80\\xff\\x01\\x0a\"");
    finish();
}

static void mistakes_are_pointed_at(void **state)
{
    (void)state;
    static const char *const wrong[] = {"%(zz)s",  "%(h)", "%h",      "%(h",       "%({x}q)s",
                                        "%({}i)s", "%()s", "x %(h)x", "%({x}i)s %"};
    struct access_format format;
    const char *bad;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(access_format_compile(&format, wrong[i], &bad), HERALD_ERROR_INVALID);
        assert_int_equal(*bad, '%');
    }
    char many[600] = "";
    for (int i = 0; i < ACCESS_FORMAT_PIECES_MAXIMUM + 1; i++)
        memcpy(many + (size_t)i * 5, "%(h)s", 6);
    assert_int_equal(access_format_compile(&format, many, &bad), HERALD_ERROR_LIMIT);
}

static size_t read_file(const char *path)
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t length = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    text[length] = '\0';
    return length;
}

static void lines_reach_the_file(void **state)
{
    (void)state;
    char path[] = "/tmp/herald-access-XXXXXX";
    close(mkstemp(path));
    struct access_log *log;
    const char *bad;
    setenv("TZ", "UTC", 1);
    tzset();
    assert_int_equal(access_log_open(path, "%(t)s %(s)s", &log, &bad), 0);
    answered("/", NULL);
    access_log_add(log, fake.exchange, NOW);
    access_log_add(log, fake.exchange, NOW + 1);
    assert_false(access_log_flush(log));
    read_file(path);
    assert_string_equal(text, "[09/Sep/2001:01:46:40 +0000] 200\n"
                              "[09/Sep/2001:01:46:41 +0000] 200\n");
    assert_int_equal(rename(path, "/tmp/herald-access-rotated"), 0);
    assert_int_equal(access_log_reopen(log), 0);
    access_log_add(log, fake.exchange, NOW);
    access_log_close(log);
    read_file(path);
    assert_string_equal(text, "[09/Sep/2001:01:46:40 +0000] 200\n");
    unlink(path);
    unlink("/tmp/herald-access-rotated");
    finish();
}

static void standard_output_that_is_a_file_is_shared(void **state)
{
    (void)state;
    char path[] = "/tmp/herald-access-XXXXXX";
    int file = mkstemp(path), saved = dup(STDOUT_FILENO);
    fflush(stdout);
    assert_int_equal(dup2(file, STDOUT_FILENO), STDOUT_FILENO);
    assert_int_equal(write(file, "before\n", 7), 7);
    struct access_log *log;
    const char *bad;
    int result = access_log_open("-", "%(s)s", &log, &bad);
    dup2(saved, STDOUT_FILENO);
    close(saved);
    assert_int_equal(result, 0);
    answered("/", NULL);
    access_log_add(log, fake.exchange, NOW);
    assert_false(access_log_flush(log));
    assert_int_equal(write(file, "between\n", 8), 8);
    access_log_add(log, fake.exchange, NOW);
    access_log_close(log);
    close(file);
    read_file(path);
    assert_string_equal(text, "before\n200\nbetween\n200\n");
    unlink(path);
    finish();
}

static void a_full_disk_drops_and_counts(void **state)
{
    (void)state;
    struct access_log *log;
    const char *bad;
    assert_int_equal(access_log_open("/dev/full", "%(s)s", &log, &bad), 0);
    answered("/", NULL);
    for (int i = 0; i < 3; i++)
        access_log_add(log, fake.exchange, NOW);
    assert_false(access_log_flush(log));
    assert_int_equal(access_log_dropped(log), 3);
    access_log_close(log);
    finish();
}

static void a_reader_that_sleeps_blocks_nobody(void **state)
{
    (void)state;
    char folder[] = "/tmp/herald-access-XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/fifo", folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    struct access_log *log;
    const char *bad;
    /* Without a reader opening fails at once. */
    assert_int_equal(access_log_open(path, "%(s)s", &log, &bad), HERALD_ERROR_IO);
    assert_int_equal(errno, ENXIO);
    int reader = open(path, O_RDONLY | O_NONBLOCK);
    assert_int_equal(access_log_open(path, "%({user-agent}i)s", &log, &bad), 0);
    char agent[1001];
    memset(agent, 'a', 1000);
    agent[1000] = '\0';
    answered("/", (const char *const[]){"user-agent", agent, NULL});
    bool waiting = false;
    for (int i = 0; i < 1000; i++) {
        access_log_add(log, fake.exchange, NOW);
        waiting = access_log_flush(log);
    }
    assert_true(waiting);
    assert_true(access_log_dropped(log) > 0);
    /* What is read now is whole lines. */
    size_t lines = 0, total = 0;
    for (ssize_t length = 1; length > 0;) {
        length = read(reader, text, 1001);
        if (length == 1001) {
            assert_int_equal(text[1000], '\n');
            lines++;
        }
        total += length > 0 ? (size_t)length : 0;
        if (access_log_flush(log) || lines > 1000)
            continue;
    }
    assert_int_equal(total % 1001, 0);
    assert_int_equal(lines + access_log_dropped(log), 1000);
    close(reader);
    access_log_close(log);
    unlink(path);
    rmdir(folder);
    finish();
}

static void a_long_line_is_cut(void **state)
{
    (void)state;
    static char agent[9001];
    char path[] = "/tmp/herald-access-XXXXXX";
    close(mkstemp(path));
    struct access_log *log;
    const char *bad;
    memset(agent, 'a', sizeof(agent) - 1);
    answered("/", (const char *const[]){"user-agent", agent, NULL});
    assert_int_equal(access_log_open(path, "%(s)s %(a)s", &log, &bad), 0);
    access_log_add(log, fake.exchange, NOW);
    access_log_close(log);
    size_t length = read_file(path);
    assert_int_equal(length, ACCESS_LOG_LINE_MAXIMUM);
    assert_int_equal(text[length - 1], '\n');
    unlink(path);
    finish();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hypercorns_default_line),
        cmocka_unit_test(every_atom),
        cmocka_unit_test(before_any_answer),
        cmocka_unit_test(values_are_escaped),
        cmocka_unit_test(mistakes_are_pointed_at),
        cmocka_unit_test(lines_reach_the_file),
        cmocka_unit_test(standard_output_that_is_a_file_is_shared),
        cmocka_unit_test(a_full_disk_drops_and_counts),
        cmocka_unit_test(a_reader_that_sleeps_blocks_nobody),
        cmocka_unit_test(a_long_line_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
