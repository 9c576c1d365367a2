#include "support/check.h"

#include "cli/capture.h"
#include "cli/limit_option.h"
#include "cli/serve_options.h"

#define WORDS_MAXIMUM 16

struct run {
    struct serve_settings settings;
    const char *operands[WORDS_MAXIMUM];
    struct option_parse parse;
    enum option_result result;
    struct capture errors;
};

static void run(struct run *run, const char *const *words)
{
    char *argv[WORDS_MAXIMUM] = {(char *)"serve"};
    int argc = 1;
    for (; words[argc - 1] != NULL; argc++)
        argv[argc] = (char *)words[argc - 1];
    memset(run, 0, sizeof(*run));
    serve_config_init(&run->settings.config);
    run->parse = (struct option_parse){
        .table = &serve_options, .target = &run->settings, .operands = run->operands};
    capture_start(&run->errors, STDERR_FILENO);
    run->result = options_parse(&run->parse, argc, argv);
    capture_stop(&run->errors);
}

#define RUN(state, ...) run(state, (const char *const[]){__VA_ARGS__, NULL})

static void expect_refused(const struct run *run, const char *line)
{
    assert_int_equal(run->result, OPTION_REFUSED);
    assert_string_equal(run->errors.text, line);
}

static void hypercorns_command_line(void **state)
{
    (void)state;
    struct run r;
    RUN(&r, "myapp:app", "--bind", "0.0.0.0:8443", "--certfile", "cert.pem", "--keyfile=key.pem",
        "-w", "4", "-b[::1]:8443", "--graceful-timeout", "2.5", "--access-logfile", "-");
    assert_int_equal(r.result, OPTION_DONE);
    assert_int_equal(r.parse.operand_count, 1);
    assert_string_equal(r.operands[0], "myapp:app");
    const struct serve_config *config = &r.settings.config;
    assert_int_equal(config->bind.count, 2);
    assert_string_equal(config->bind.items[0], "0.0.0.0:8443");
    assert_string_equal(config->bind.items[1], "[::1]:8443");
    assert_string_equal(config->certfile.items[0], "cert.pem");
    assert_string_equal(config->keyfile.items[0], "key.pem");
    assert_int_equal(config->workers, 4);
    assert_int_equal(config->graceful_timeout, 2500 * HERALD_MILLISECOND);
    assert_string_equal(config->accesslog, "-");
}

static void aliases_flags_and_choices(void **state)
{
    (void)state;
    struct run r;
    RUN(&r, "--error-log", "err.log", "--cert-reqs", "CERT_REQUIRED", "--no-server-header",
        "--push", "HINT", "--keep-alive", "5", "--log-level=DEBUG", "x");
    assert_int_equal(r.result, OPTION_DONE);
    assert_string_equal(r.settings.config.errorlog, "err.log");
    assert_int_equal(r.settings.config.verify_mode, VERIFY_REQUIRED);
    assert_false(r.settings.config.include_server_header);
    assert_int_equal(r.settings.config.push, PUSH_HINT);
    assert_int_equal(r.settings.config.limits.idle_timeout, 5 * HERALD_SECOND);
    assert_int_equal(r.settings.config.loglevel, LOG_DEBUG);
}

static void trace_takes_a_format_only_if_one_follows(void **state)
{
    (void)state;
    struct run r;
    RUN(&r, "--trace", "app:app");
    assert_int_equal(r.settings.config.trace, TRACE_OUTPUT_TEXT);
    assert_string_equal(r.operands[0], "app:app");
    RUN(&r, "--trace", "json", "app:app");
    assert_int_equal(r.settings.config.trace, TRACE_OUTPUT_JSON);
    assert_string_equal(r.operands[0], "app:app");
    RUN(&r, "--trace=json", "app:app");
    assert_int_equal(r.settings.config.trace, TRACE_OUTPUT_JSON);
    RUN(&r, "--trace=xml", "app:app");
    expect_refused(&r, "herald: error: --trace: 'xml' is not one of off, text, json\n");
}

static void two_dashes_end_the_options(void **state)
{
    (void)state;
    struct run r;
    RUN(&r, "--", "--bind");
    assert_int_equal(r.result, OPTION_DONE);
    assert_string_equal(r.operands[0], "--bind");
}

static void misspelt_options_get_the_nearest(void **state)
{
    (void)state;
    struct run r;
    RUN(&r, "--bnid", "x");
    expect_refused(&r, "herald: error: unknown option '--bnid'; did you mean '--bind'?\n");
    RUN(&r, "--certfiel=x");
    expect_refused(&r, "herald: error: unknown option '--certfiel'; did you mean '--certfile'?\n");
    RUN(&r, "--frobnicate");
    expect_refused(&r, "herald: error: unknown option '--frobnicate'; 'herald serve --help' lists "
                       "them\n");
    RUN(&r, "-Z");
    expect_refused(&r, "herald: error: unknown option '-Z'; 'herald serve --help' lists them\n");
}

static void values_are_checked(void **state)
{
    (void)state;
    struct run r;
    RUN(&r, "--workers", "0");
    expect_refused(&r, "herald: error: --workers: '0' is not a whole number from 1 to 256\n");
    RUN(&r, "--workers", "-1");
    expect_refused(&r, "herald: error: --workers: '-1' is not a whole number from 1 to 256\n");
    RUN(&r, "-w", "99999999999999999999");
    expect_refused(
        &r, "herald: error: -w: '99999999999999999999' is not a whole number from 1 to 256\n");
    RUN(&r, "--graceful-timeout", "1e3");
    expect_refused(&r, "herald: error: --graceful-timeout: '1e3' is not a time in seconds from 0 "
                       "to 1000000000\n");
    RUN(&r, "--graceful-timeout", "nan");
    assert_int_equal(r.result, OPTION_REFUSED);
    RUN(&r, "--verify-mode", "maybe");
    assert_int_equal(r.result, OPTION_REFUSED);
    RUN(&r, "--no-server-header=yes");
    expect_refused(&r, "herald: error: --no-server-header takes no value\n");
    RUN(&r, "--bind");
    expect_refused(&r, "herald: error: --bind needs a value: ADDRESS\n");
    RUN(&r, "-b");
    expect_refused(&r, "herald: error: -b needs a value: ADDRESS\n");
}

static void limits_are_set_by_name(void **state)
{
    (void)state;
    struct run r;
    RUN(&r, "--limit", "reset_burst=7", "--limit=stall_timeout=1.5", "--limit",
        "empty_data_frames=off", "--limit", "connection_memory=99999999", "--limit", "requests=12",
        ".");
    assert_int_equal(r.result, OPTION_DONE);
    const struct limits *limits = &r.settings.config.limits;
    assert_int_equal(limits->reset_burst, 7);
    assert_int_equal(limits->stall_timeout, 1500 * HERALD_MILLISECOND);
    assert_int_equal(limits->empty_data_frames, UINT32_MAX);
    assert_int_equal(limits->connection_memory, 99999999);
    assert_int_equal(limits->requests, 12);
    assert_int_equal(limits->reset_rate, limits_default.reset_rate);

    RUN(&r, "--limit", "reset_brust=7");
    expect_refused(&r, "herald: error: --limit: there is no limit 'reset_brust'; did you mean "
                       "'reset_burst'?\n");
    RUN(&r, "--limit", "gravity=7");
    expect_refused(&r,
                   "herald: error: --limit: there is no limit 'gravity'; docs/internals/limits.md "
                   "lists them\n");
    RUN(&r, "--limit", "frame_size");
    expect_refused(&r, "herald: error: --limit: 'frame_size' needs a value: frame_size=VALUE\n");
    RUN(&r, "--limit", "frame_size=12");
    expect_refused(&r,
                   "herald: error: --limit: frame_size: '12' is not a whole number from 16384 to "
                   "16777215\n");
    RUN(&r, "--limit", "idle_timeout=soon");
    expect_refused(
        &r, "herald: error: --limit: idle_timeout: 'soon' is not a time in seconds from 0 to "
            "1000000000\n");
}

static void count_limit(void *user, const char *name)
{
    struct limits limits = limits_default;
    char text[96], error[OPTION_ERROR_MAXIMUM];
    snprintf(text, sizeof(text), "%s=off", name);
    assert_int_equal(limit_set(&limits, text, error), 0);
    assert_memory_not_equal(&limits, &limits_default, sizeof(limits));
    *(size_t *)user += 1;
}

static void every_limit_has_an_off(void **state)
{
    (void)state;
    size_t count = 0;
    limit_names(count_limit, &count);
    assert_true(count >= 47);
}

static void a_list_has_a_maximum(void **state)
{
    (void)state;
    struct serve_settings settings = {0};
    const struct option *bind = option_by_key(&serve_options, "bind");
    char error[OPTION_ERROR_MAXIMUM];
    for (int i = 0; i < TEXT_LIST_MAXIMUM; i++)
        assert_int_equal(option_set(bind, &settings, "a", 0, error), 0);
    assert_int_equal(option_set(bind, &settings, "a", 0, error), -1);
}

static void what_other_servers_have_is_a_warning(void **state)
{
    (void)state;
    struct run r;
    RUN(&r, "-g", "www-data", "--reload", "app:app");
    assert_int_equal(r.result, OPTION_DONE);
    assert_int_equal(r.parse.operand_count, 1);
    assert_string_equal(r.errors.text,
                        "herald: warning: -g is ignored: start the command as that group\n"
                        "herald: warning: --reload is ignored: there is no reloader\n");
}

static void the_help_names_every_option(void **state)
{
    (void)state;
    struct capture output;
    char *argv[] = {(char *)"serve", (char *)"--help", NULL};
    struct serve_settings settings;
    const char *operands[2];
    struct option_parse parse = {
        .table = &serve_options, .target = &settings, .operands = operands};
    capture_start(&output, STDOUT_FILENO);
    enum option_result result = options_parse(&parse, 2, argv);
    capture_stop(&output);
    assert_int_equal(result, OPTION_HELP_SHOWN);
    for (size_t i = 0; i < serve_options.count; i++) {
        const struct option *option = &serve_options.options[i];
        if (option->name == NULL || option->kind >= OPTION_IGNORED_FLAG)
            continue;
        char name[80];
        snprintf(name, sizeof(name), "--%s", option->name);
        if (strstr(output.text, name) == NULL)
            fail_msg("%s is not in the help", name);
    }
    for (const char *line = output.text; *line != '\0'; line += strcspn(line, "\n") + 1)
        assert_true(strcspn(line, "\n") <= 100);
}

static void the_table_is_sound(void **state)
{
    (void)state;
    assert_true(serve_options.count <= OPTIONS_MAXIMUM);
    for (size_t i = 0; i < serve_options.count; i++) {
        const struct option *left = &serve_options.options[i];
        assert_true(left->name != NULL || left->key != NULL);
        for (size_t j = i + 1; j < serve_options.count; j++) {
            const struct option *right = &serve_options.options[j];
            if (left->name != NULL && right->name != NULL)
                assert_string_not_equal(left->name, right->name);
            if (left->key != NULL && right->key != NULL)
                assert_string_not_equal(left->key, right->key);
            if (left->letter != 0)
                assert_int_not_equal(left->letter, right->letter);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hypercorns_command_line),
        cmocka_unit_test(aliases_flags_and_choices),
        cmocka_unit_test(trace_takes_a_format_only_if_one_follows),
        cmocka_unit_test(two_dashes_end_the_options),
        cmocka_unit_test(misspelt_options_get_the_nearest),
        cmocka_unit_test(values_are_checked),
        cmocka_unit_test(limits_are_set_by_name),
        cmocka_unit_test(every_limit_has_an_off),
        cmocka_unit_test(a_list_has_a_maximum),
        cmocka_unit_test(what_other_servers_have_is_a_warning),
        cmocka_unit_test(the_help_names_every_option),
        cmocka_unit_test(the_table_is_sound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
