#include "cli/serve.h"

#include "base/log.h"
#include "cli/cli.h"
#include "cli/config_file.h"
#include "cli/serve_options.h"
#include "cli/target.h"
#include "h1/h1.h"
#include "net/loop.h"
#include "server/folder.h"
#include "server/proxy.h"
#include "server/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

static int make_folder(struct loop *loop, const struct serve_config *config,
                       struct handler **handler)
{
    (void)loop;
    const struct folder_options options = {
        .root = config->target,
        .prefix = span_from_text(config->root_path),
    };
    int result = folder_create(&options, handler);
    if (result < 0 && result != HERALD_ERROR_NOMEM) {
        cli_usage_error("'%s': %s", config->target,
                        result == HERALD_ERROR_NOT_FOUND ? "no such folder"
                        : result == HERALD_ERROR_INVALID ? "not a folder"
                                                         : strerror(errno));
        result = HERALD_ERROR_CONFIG;
    }
    return result;
}

static int make_upstream(struct loop *loop, const struct serve_config *config,
                         struct handler **handler)
{
    const struct proxy_options options = {
        .loop = loop,
        .upstream = config->target,
        .engine = &h1_engine,
        .limits = &config->limits,
        .prefix = span_from_text(config->root_path),
        .connect_timeout = config->upstream_connect_timeout,
        .read_timeout = config->upstream_read_timeout,
        .ca_file = config->upstream_ca_certs,
        .insecure = config->upstream_insecure,
        .seed = loop_now(loop),
    };
    int result = proxy_create(&options, handler);
    if (result == HERALD_ERROR_INVALID)
        cli_usage_error("'%s': not a URL: expected http://host:port", config->target);
    return result == HERALD_ERROR_NOMEM || result == 0 ? result : HERALD_ERROR_CONFIG;
}

/* The command line is read twice: for the configuration file, and over it. Returns 0, 1 after
 * --help, or HERALD_ERROR_CONFIG. */
static int read_settings(struct serve_settings *settings, int argc, char **argv,
                         const struct application_runner *runner, const char **operands,
                         size_t *operand_count)
{
    struct option_parse first = {
        .table = &serve_options, .target = settings, .operands = operands, .quiet = true};
    enum option_result parsed = options_parse(&first, argc, argv);
    if (parsed != OPTION_DONE)
        return parsed == OPTION_HELP_SHOWN ? 1 : HERALD_ERROR_CONFIG;
    serve_config_free(&settings->config);
    serve_config_init(&settings->config);
    if (settings->config_file != NULL) {
        const char *python = runner != NULL && runner->command != NULL ? runner->command[0] : NULL;
        int result = config_file_read(settings->config_file, python, &serve_options, settings,
                                      &settings->config);
        if (result < 0)
            return result;
    }
    struct option_parse second = {
        .table = &serve_options, .target = settings, .operands = operands};
    parsed = options_parse(&second, argc, argv);
    *operand_count = second.operand_count;
    return parsed == OPTION_DONE ? 0 : HERALD_ERROR_CONFIG;
}

static int open_error_log(const struct serve_config *config)
{
    log_set_level(config->debug ? LOG_DEBUG : config->loglevel);
    if (config->errorlog == NULL || strcmp(config->errorlog, "-") == 0)
        return 0;
    int descriptor = open(config->errorlog, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (descriptor < 0) {
        cli_usage_error("--error-logfile '%s': %s", config->errorlog, strerror(errno));
        return HERALD_ERROR_CONFIG;
    }
    log_set_file(descriptor);
    return 0;
}

static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static int write_pid_file(const struct serve_config *config)
{
    if (config->pid_path == NULL || config->worker != 0)
        return 0;
    FILE *file = fopen(config->pid_path, "we");
    if (file == NULL || fprintf(file, "%d\n", (int)getpid()) < 0 || fclose(file) != 0) {
        cli_usage_error("--pid '%s': %s", config->pid_path, strerror(errno));
        return HERALD_ERROR_CONFIG;
    }
    return 0;
}

static void announce_supervised(void *user, const char *const *addresses, size_t count)
{
    serve_announce(user, addresses, count);
}

static int supervise(struct serve_config *config, char **argv,
                     const struct application_runner *runner)
{
    const struct supervisor_options options = {
        .config = config,
        .arguments = argv, /* from "serve" on */
        .command = runner == NULL ? NULL : runner->command,
        .started = announce_supervised,
        .user = config,
    };
    return supervisor_run(&options);
}

static int run_target(struct serve_config *config, const struct application_runner *runner)
{
    switch (config->target_kind) {
    case TARGET_FOLDER:
        return serve_run(config, make_folder);
    case TARGET_APPLICATION:
        return runner->run(runner, config);
    default:
        return serve_run(config, make_upstream);
    }
}

static int run_with(struct serve_settings *settings, char **argv,
                    const struct application_runner *runner)
{
    struct serve_config *config = &settings->config;
    int result = serve_complete(config);
    if (result == 0)
        result = write_pid_file(config);
    if (result < 0)
        return result == HERALD_ERROR_CONFIG ? EXIT_CODE_USAGE : EXIT_CODE_FAILURE;
    if (settings->check)
        return serve_check(config);
    raise_descriptor_limit();
    signal(SIGPIPE, SIG_IGN);
    bool supervised = config->workers > 1 || config->max_requests > 0;
    int code = supervised && config->worker == 0 ? supervise(config, argv, runner)
                                                 : run_target(config, runner);
    if (config->pid_path != NULL && config->worker == 0)
        unlink(config->pid_path);
    return code;
}

static int decide(struct serve_config *config, const char *const *operands, size_t count)
{
    char error[TARGET_ERROR_MAXIMUM];
    if (count > 1) {
        cli_usage_error("one target is expected, but '%s' follows '%s'", operands[1], operands[0]);
        return HERALD_ERROR_CONFIG;
    }
    const char *target = count == 1 ? operands[0] : config->target;
    if (target == NULL) {
        cli_usage_error("what shall be served? Give module:attr, a folder or http://host:port; "
                        "'herald serve --help' says more");
        return HERALD_ERROR_CONFIG;
    }
    int result = target_decide(config, target, error);
    if (result < 0)
        cli_usage_error("%s", result == HERALD_ERROR_CONFIG ? error : herald_error_text(result));
    return result;
}

int command_serve(int argc, char **argv, const struct application_runner *runner)
{
    struct serve_settings *settings = calloc(1, sizeof(*settings));
    const char **operands = calloc((size_t)argc, sizeof(*operands));
    size_t operand_count = 0;
    int code = EXIT_CODE_USAGE;
    if (settings == NULL || operands == NULL) {
        code = cli_failure("%s", herald_error_text(HERALD_ERROR_NOMEM));
        goto out;
    }
    serve_config_init(&settings->config);
    int result = read_settings(settings, argc, argv, runner, operands, &operand_count);
    if (result == 1)
        code = EXIT_CODE_OK;
    if (result != 0)
        goto out_config;
    result = worker_adopt(&settings->config);
    if (result >= 0)
        result = open_error_log(&settings->config);
    if (result >= 0)
        result = decide(&settings->config, operands, operand_count);
    if (result < 0)
        goto out_config;
    if (settings->config.target_kind == TARGET_APPLICATION && runner == NULL)
        code = serve_through_python(argv);
    else
        code = run_with(settings, argv, runner);
out_config:
    serve_config_free(&settings->config);
out:
    free(operands);
    free(settings);
    return code;
}
