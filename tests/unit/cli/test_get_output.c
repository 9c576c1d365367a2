#include "cli/get_output.h"
#include "support/check.h"
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static void check_name(const char *path, const char *expected)
{
    char name[256];

    get_output_name(span_from_text(path), name);
    assert_string_equal(name, expected);
}

static void names_come_from_the_last_segment(void **state)
{
    (void)state;
    check_name("/a/b.css", "b.css");
    check_name("/a/b.css?x=/y", "b.css");
    check_name("/", "index.html");
    check_name("/a/", "index.html");
    check_name("", "index.html");
    check_name("/?q", "index.html");
}

static void names_are_harmless(void **state)
{
    char path[1000], name[256];

    (void)state;
    check_name("/..", "_.");
    check_name("/.bashrc", "_bashrc");
    check_name("/-rf", "_rf");
    check_name("/a\\b", "a_b");
    check_name("/a:b|c*d?e", "a_b_c_d");
    check_name("/\033[2J", "_[2J");
    check_name("/\xff\xfe", "__");
    memset(path, 'x', sizeof(path));
    path[0] = '/';
    get_output_name(span_make(path, sizeof(path)), name);
    assert_int_equal(strlen(name), 200);
}

/* Standard output goes to a file while a test writes to it. */
struct redirected {
    char path[64];
    int saved, file;
};

static void redirect(struct redirected *redirected)
{
    snprintf(redirected->path, sizeof(redirected->path), "/tmp/herald-output-XXXXXX");
    redirected->file = mkstemp(redirected->path);
    assert_true(redirected->file >= 0);
    fflush(stdout);
    redirected->saved = dup(STDOUT_FILENO);
    dup2(redirected->file, STDOUT_FILENO);
}

static void restore(struct redirected *redirected, char *text, size_t capacity)
{
    dup2(redirected->saved, STDOUT_FILENO);
    close(redirected->saved);
    ssize_t length = pread(redirected->file, text, capacity - 1, 0);
    text[length > 0 ? length : 0] = 0;
    close(redirected->file);
    unlink(redirected->path);
}

static void bodies_keep_the_order_of_their_begin(void **state)
{
    struct redirected redirected;
    struct get_output output;
    struct get_sink first, second, third, dropped;
    char text[256];
    int result = 0;

    (void)state;
    redirect(&redirected);
    get_output_init(&output);
    get_sink_init(&first, &output);
    get_sink_init(&second, &output);
    get_sink_init(&third, &output);
    get_sink_init(&dropped, &output);
    get_sink_to_stdout(&first);
    get_sink_to_stdout(&second);
    get_sink_to_stdout(&third);
    result |= get_sink_write(&third, SPAN_LITERAL("c1"));
    result |= get_sink_write(&first, SPAN_LITERAL("a1"));
    result |= get_sink_write(&second, SPAN_LITERAL("b1"));
    result |= get_sink_write(&dropped, SPAN_LITERAL("dropped"));
    result |= get_sink_end(&third);
    result |= get_sink_write(&first, SPAN_LITERAL("a2"));
    result |= get_sink_end(&first);
    result |= get_sink_write(&second, SPAN_LITERAL("b2"));
    result |= get_sink_end(&second);
    result |= get_sink_end(&second);
    result |= get_sink_end(&dropped);
    restore(&redirected, text, sizeof(text));
    assert_int_equal(result, 0);
    assert_string_equal(text, "a1a2b1b2c1");
    assert_true(list_is_empty(&output.waiting));
}

static void a_terminal_gets_no_controls(void **state)
{
    struct redirected redirected;
    struct get_output output;
    struct get_sink sink;
    char text[256];
    int result = 0;

    (void)state;
    redirect(&redirected);
    get_output_init(&output);
    output.terminal = true;
    get_sink_init(&sink, &output);
    get_sink_to_stdout(&sink);
    result |= get_sink_write(&sink, SPAN_LITERAL("a\033[1m\\\tb\n\xc3"));
    result |= get_sink_write(&sink, SPAN_LITERAL("\xbc\xe2\x80"));
    result |= get_sink_write(&sink, SPAN_LITERAL("\xae!\xf0\x9f"));
    result |= get_sink_end(&sink);
    restore(&redirected, text, sizeof(text));
    assert_int_equal(result, 0);
    assert_string_equal(text, "a\\x1b[1m\\\tb\n\xc3\xbc\\u{202e}!\\xf0\\x9f");
}

static void files_of_one_run_have_different_names(void **state)
{
    struct get_output output;
    struct get_sink sinks[3];
    char folder[] = "/tmp/herald-folder-XXXXXX";

    (void)state;
    assert_non_null(mkdtemp(folder));
    get_output_init(&output);
    for (unsigned i = 0; i < 3; i++) {
        get_sink_init(&sinks[i], &output);
        assert_int_equal(get_sink_to_folder(&sinks[i], folder, SPAN_LITERAL("/x/a.txt")), 0);
        assert_int_equal(get_sink_write(&sinks[i], SPAN_LITERAL("x")), 0);
    }
    assert_string_equal(sinks[0].path + strlen(folder), "/a.txt");
    assert_string_equal(sinks[1].path + strlen(folder), "/a.txt.2");
    assert_string_equal(sinks[2].path + strlen(folder), "/a.txt.3");
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(get_sink_end(&sinks[i]), 0);
        assert_int_equal(unlink(sinks[i].path), 0);
    }
    assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_come_from_the_last_segment),
        cmocka_unit_test(names_are_harmless),
        cmocka_unit_test(bodies_keep_the_order_of_their_begin),
        cmocka_unit_test(a_terminal_gets_no_controls),
        cmocka_unit_test(files_of_one_run_have_different_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
