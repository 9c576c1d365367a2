#include "cli/get.h"
#include "cli/cli.h"
#include "h1/h1.h"
#include "h2/h2.h"
#include "net/tls.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* How long connections may take to end in order. */
#define ENDING_TIME  (250 * HERALD_MILLISECOND)
#define ENDING_CHECK (5 * HERALD_MILLISECOND)

static void write_descriptor(int descriptor, struct span text)
{
    while (text.length > 0) {
        ssize_t count = write(descriptor, text.data, text.length);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return;
        text = span_slice(text, (size_t)count, text.length);
    }
}

static void write_trace(void *user, struct span text)
{
    struct get *get = user;

    if (get->trace_descriptor == STDERR_FILENO)
        get_progress_hide(&get->progress);
    write_descriptor(get->trace_descriptor, text);
}

static void write_note(struct get *get, const char *text)
{
    struct buf line;

    buf_init(&line, 65536, NULL);
    if (trace_escape(&line, span_from_text(text)) == 0 && buf_append_byte(&line, '\n') == 0) {
        get_progress_hide(&get->progress);
        write_descriptor(STDERR_FILENO, buf_span(&line));
    }
    buf_free(&line);
}

void get_note(struct get *get, uint64_t connection, const char *format, ...)
{
    char text[2048];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (get->trace != NULL)
        trace_note(get->trace, connection, loop_now(get->loop), "%s", text);
    else if (!get->options.silent)
        write_note(get, text);
}

/* What happens to connections is for traces alone. */
static void on_connection_note(void *user, uint64_t connection, const char *text)
{
    struct get *get = user;

    trace_note(get->trace, connection, loop_now(get->loop), "%s", text);
}

/* ---- the end ---- */

static void check_ending(struct loop_timer *timer, herald_time now)
{
    struct get *get = CONTAINER_OF(timer, struct get, ending);

    if (client_connection_count(get->client) == 0 || now >= get->ending_due) {
        loop_stop(get->loop);
        return;
    }
    if (loop_timer_set(get->loop, timer, now + ENDING_CHECK) != 0)
        loop_stop(get->loop);
}

static void begin_ending(struct get *get, herald_time now)
{
    get_progress_end(&get->progress);
    client_shutdown(get->client);
    get->ending_due = now + ENDING_TIME;
    if (loop_timer_set(get->loop, &get->ending, now + HERALD_MILLISECOND) != 0)
        loop_stop(get->loop);
}

static void start_next(struct loop_work *work, herald_time now)
{
    struct get *get = CONTAINER_OF(work, struct get, starter);

    while (get->next_url < get->url_count && get->running < get->options.parallel) {
        int code = get_transfer_start(get, get->urls[get->next_url++]);
        if (code != 0)
            get->exit_code = code;
    }
    if (get->running == 0 && get->next_url == get->url_count && get->ending_due == 0)
        begin_ending(get, now);
}

void get_transfer_ended(struct get *get)
{
    loop_work_add(get->loop, &get->starter);
}

/* ---- set-up ---- */

static int open_trace(struct get *get)
{
    const struct get_options *options = &get->options;
    struct trace_options trace = {
        .format = options->trace == GET_TRACE_JSON ? TRACE_JSON : TRACE_TEXT,
        .show_secrets = options->show_secrets,
        .start = loop_now(get->loop),
        .write = write_trace,
        .user = get,
    };

    if (options->trace == GET_TRACE_OFF)
        return 0;
    if (options->trace_file != NULL) {
        get->trace_descriptor =
            open(options->trace_file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
        if (get->trace_descriptor < 0)
            return cli_usage_error("--trace-file: %s: %s", options->trace_file, strerror(errno));
    }
    trace.colour = isatty(get->trace_descriptor) == 1 && getenv("NO_COLOR") == NULL;
    get->trace = trace_create(&trace);
    return get->trace != NULL ? 0 : cli_failure("out of memory");
}

static bool may_need_tls(const struct get *get)
{
    if (get->options.location)
        return true;
    for (size_t i = 0; i < get->url_count; i++)
        if (!span_starts_with(span_from_text(get->urls[i]), SPAN_LITERAL("http://")))
            return true;
    return false;
}

static int open_tls(struct get *get)
{
    const struct get_options *options = &get->options;
    struct tls_client_config config = {
        .insecure = options->insecure,
        .ca_file = options->cacert,
        .no_system_trust = options->cacert != NULL,
        .no_development_trust = options->cacert != NULL,
        .certificate = options->certificate,
        .key = options->key,
    };
    struct tls_error error = {""};

    if (!may_need_tls(get))
        return 0;
    int result = tls_context_create_client(&get->tls, &config, &error);
    if (result == 0)
        return 0;
    /* A file that was named and cannot be used is a mistake in the command. */
    if (error.text[0] != 0)
        return cli_usage_error("get: %s", error.text);
    return cli_failure("get: %s", herald_error_text(result));
}

static int open_client(struct get *get)
{
    static const struct engine *const both[] = {&h2_engine, &h1_engine};
    const struct get_options *options = &get->options;
    struct client_config config = {
        .loop = get->loop,
        .engines = both,
        .engine_count = 2,
        .prior_knowledge = options->prior_knowledge,
        .tls = get->tls,
        .trace = get->trace,
        .push = options->push != GET_PUSH_OFF,
        .connections_http1 = 1,
        .connect_timeout = options->connect_timeout,
        .note = get->trace != NULL ? on_connection_note : NULL,
        .note_user = get,
    };

    if (options->http1)
        config.engines = both + 1;
    if (options->http1 || options->http2)
        config.engine_count = 1;
    get->client = client_create(&config);
    return get->client != NULL ? 0 : cli_failure("out of memory");
}

static int set_up(struct get *get)
{
    const struct get_options *options = &get->options;
    bool quiet = options->silent || options->no_progress || options->trace != GET_TRACE_OFF;
    int code;

    signal(SIGPIPE, SIG_IGN);
    if (loop_create(&get->loop) != 0)
        return cli_failure("the event loop cannot be set up: %s", strerror(errno));
    get_output_init(&get->output);
    get_progress_init(&get->progress, get->loop,
                      !quiet && !(get->output.terminal && options->output == NULL &&
                                  !options->remote_name && options->output_dir == NULL));
    code = open_trace(get);
    if (code == 0)
        code = open_tls(get);
    return code != 0 ? code : open_client(get);
}

static void tear_down(struct get *get)
{
    if (get->loop != NULL)
        get_progress_end(&get->progress);
    get_transfers_free(get);
    push_store_free(&get->pushes);
    client_destroy(get->client);
    if (get->loop != NULL) {
        loop_work_remove(&get->starter);
        loop_timer_stop(get->loop, &get->ending);
    }
    loop_destroy(get->loop);
    tls_context_release(get->tls);
    trace_destroy(get->trace);
    if (get->trace_descriptor > STDERR_FILENO)
        close(get->trace_descriptor);
}

static int run(struct get *get)
{
    int code = set_up(get);

    if (code == 0) {
        loop_work_add(get->loop, &get->starter);
        code = loop_run(get->loop) == 0 ? get->exit_code : EXIT_CODE_FAILURE;
    }
    tear_down(get);
    return code != 0 ? code : get->exit_code;
}

int command_get(int argc, char **argv, const struct application_runner *runner)
{
    struct get get = {.trace_descriptor = STDERR_FILENO};
    struct option_parse parse = {.table = &get_option_table, .target = &get.options};
    int code = EXIT_CODE_USAGE;

    (void)runner;
    get_options_init(&get.options);
    list_init(&get.transfers);
    push_store_init(&get.pushes);
    loop_work_init(&get.starter, start_next);
    get.ending.expired = check_ending;
    parse.operands = calloc((size_t)argc + 1, sizeof(*parse.operands));
    if (parse.operands == NULL)
        return cli_failure("out of memory");
    enum option_result result = options_parse(&parse, argc, argv);
    if (result == OPTION_HELP_SHOWN)
        code = EXIT_CODE_OK;
    else if (result == OPTION_DONE)
        code = get_options_finish(&get.options, parse.operand_count);
    if (result == OPTION_DONE && code == 0)
        code = get_check_urls(parse.operands, parse.operand_count);
    if (result == OPTION_DONE && code == 0) {
        get.urls = parse.operands;
        get.url_count = parse.operand_count;
        code = run(&get);
    }
    get_options_free(&get.options);
    free(parse.operands);
    return code;
}
