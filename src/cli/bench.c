#include "bench/relay.h"
#include "cli/bench_report.h"
#include "cli/cli.h"
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

static volatile sig_atomic_t stop_wanted;

/* The second one ends the process. */
static void on_interrupt(int number)
{
    stop_wanted = 1;
    signal(number, SIG_DFL);
}

/* ---- live figures ---- */

struct live {
    struct bench_progress last;
    bool shown;
};

static void write_line(const char *text)
{
    ssize_t written = write(STDERR_FILENO, text, strlen(text));
    (void)written;
}

static void on_progress(void *user, const struct bench_progress *progress)
{
    struct live *live = user;
    double passed = (double)(progress->elapsed - live->last.elapsed) / (double)HERALD_SECOND;
    double rate = (double)(progress->completed - live->last.completed) / passed;
    char line[160];

    snprintf(line, sizeof(line),
             "\r\033[K%3.0f%%  %.1f s  %" PRIu64 " complete  %" PRIu64 " failed  %.0f requests/s",
             progress->share * 100, (double)progress->elapsed / (double)HERALD_SECOND,
             progress->completed, progress->failed, rate);
    write_line(line);
    live->last = *progress;
    live->shown = true;
}

/* ---- runs ---- */

/* bench_run, with the emulated link in between where one is wanted. */
static int run_over_link(const struct bench_options *options, struct bench_config *config,
                         struct bench_tally *tally)
{
    struct relay *relay = NULL;

    if (options->link_text != NULL) {
        int result = relay_start(&relay, &options->link, config->host, config->port, &config->port);
        if (result != 0)
            return result;
        config->host = "127.0.0.1";
    }
    int result = bench_run(config, tally);
    relay_stop(relay);
    return result;
}

static int run_one(const struct bench_options *options, struct bench_config *config,
                   struct bench_tally *tally)
{
    struct live live = {.shown = false};

    config->stop = &stop_wanted;
    if (!options->no_progress && isatty(STDERR_FILENO) == 1) {
        config->progress = on_progress;
        config->user = &live;
    }
    int result = run_over_link(options, config, tally);
    if (live.shown)
        write_line("\r\033[K");
    if (result == HERALD_ERROR_INVALID)
        return cli_usage_error("bench: this request cannot be sent");
    return result == 0 ? 0 : cli_failure("bench: %s", herald_error_text(result));
}

static const char *name_of(const struct engine *engine)
{
    return engine->version == HTTP_1_1 ? "HTTP/1.1" : "HTTP/2";
}

/* The configuration of one side of a comparison. */
static void compared_config(const struct bench_options *options, size_t index,
                            struct bench_config *config)
{
    bench_options_config(options, config);
    config->engines = &options->engines[index];
    config->engine_count = 1;
    config->connections =
        options->engines[index]->version == HTTP_1_1 ? options->http1_connections : 1;
    config->share = config->count_connect = true;
}

static int print(const struct bench_options *options, const struct bench_report *reports,
                 size_t count)
{
    int code = 0;

    if (options->output == BENCH_OUTPUT_JSON)
        code = bench_report_json(options, reports, count);
    else if (options->output == BENCH_OUTPUT_CSV)
        bench_report_csv(reports, count);
    else if (count > 1)
        bench_report_compared(reports, count);
    else
        bench_report_text(options, &reports[0]);
    if (fflush(stdout) != 0)
        code = cli_failure("bench: standard output: %s", strerror(errno));
    for (size_t i = 0; i < count; i++) {
        bench_report_warnings(&reports[i]);
        if (code == 0)
            code = bench_report_code(&reports[i]);
    }
    return code;
}

static int run(const struct bench_options *options)
{
    size_t count = options->compare_text != NULL ? options->engine_count : 1;
    struct bench_tally *tallies = calloc(count, sizeof(*tallies));
    struct bench_config configs[BENCH_COMPARED_MAXIMUM];
    struct bench_report reports[BENCH_COMPARED_MAXIMUM];
    int code = 0;

    if (tallies == NULL)
        return cli_failure("out of memory");
    for (size_t i = 0; i < count && code == 0; i++) {
        if (count > 1)
            compared_config(options, i, &configs[i]);
        else
            bench_options_config(options, &configs[i]);
        code = run_one(options, &configs[i], &tallies[i]);
        reports[i] = (struct bench_report){
            .name = count > 1 ? name_of(options->engines[i]) : "",
            .config = &configs[i],
            .tally = &tallies[i],
            .verdict = verdict_of(&tallies[i], configs[i].rate),
        };
    }
    if (code == 0)
        code = print(options, reports, count);
    free(tallies);
    return code;
}

/* A descriptor for each connection, whatever the soft limit is. */
static void raise_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

int command_bench(int argc, char **argv, const struct application_runner *runner)
{
    struct bench_options options;
    struct option_parse parse = {.table = &bench_option_table, .target = &options};
    int code = EXIT_CODE_USAGE;

    (void)runner;
    bench_options_init(&options);
    parse.operands = calloc((size_t)argc + 1, sizeof(*parse.operands));
    if (parse.operands == NULL)
        return cli_failure("out of memory");
    enum option_result result = options_parse(&parse, argc, argv);
    if (result == OPTION_HELP_SHOWN)
        code = EXIT_CODE_OK;
    else if (result == OPTION_DONE)
        code = bench_options_finish(&options, parse.operands, parse.operand_count);
    if (result == OPTION_DONE && code == 0) {
        signal(SIGPIPE, SIG_IGN);
        signal(SIGINT, on_interrupt);
        signal(SIGTERM, on_interrupt);
        raise_descriptors();
        code = run(&options);
    }
    bench_options_free(&options);
    free(parse.operands);
    return code;
}
