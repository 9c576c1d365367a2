#include "cli/serve.h"

#include "base/log.h"
#include "cli/cli.h"
#include "h1/h1.h"
#include "h2/h2.h"
#include "h3/h3.h"
#include "net/loop.h"
#include "server/supervisor.h"
#include "trace/trace.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

const struct engine *const serve_engines[] = {&h2_engine, &h1_engine};
const struct datagram_engine *const serve_datagram_engine = &h3_engine;
const size_t serve_engine_count = sizeof(serve_engines) / sizeof(serve_engines[0]);

#define SIGNAL_COUNT 3

struct running {
    struct loop *loop;
    struct server *server;
    const struct serve_config *config;
    uv_signal_t signals[SIGNAL_COUNT];
    unsigned stops;
};

static void write_trace(void *user, struct span text)
{
    (void)user;
    ssize_t written = write(STDERR_FILENO, text.data, text.length);
    (void)written;
}

struct frame_trace *serve_trace_create(const struct serve_config *config)
{
    if (config->trace == TRACE_OUTPUT_OFF)
        return NULL;
    const struct trace_options options = {
        .format = config->trace == TRACE_OUTPUT_JSON ? TRACE_JSON : TRACE_TEXT,
        .colour = config->trace == TRACE_OUTPUT_TEXT && isatty(STDERR_FILENO) == 1,
        .start = HERALD_NEVER,
        .write = write_trace,
    };
    return trace_create(&options);
}

static void on_stopped(struct server *server, void *user)
{
    struct running *running = user;
    (void)server;
    loop_stop(running->loop);
}

static void on_worn_out(struct server *server, void *user)
{
    struct running *running = user;
    server_shutdown(server, running->config->graceful_timeout);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct running *running = handle->data;
    if (number == SIGHUP) {
        (void)server_reload_certificates(running->server);
        return;
    }
    running->stops++;
    if (running->stops == 1)
        log_write(LOG_DEBUG, "stopping: running requests have %llu s",
                  (unsigned long long)(running->config->graceful_timeout / HERALD_SECOND));
    server_shutdown(running->server, running->stops > 1 ? 0 : running->config->graceful_timeout);
}

static void watch_signals(struct running *running)
{
    static const int numbers[SIGNAL_COUNT] = {SIGTERM, SIGINT, SIGHUP};
    for (size_t i = 0; i < SIGNAL_COUNT; i++) {
        uv_signal_init(running->loop->uv, &running->signals[i]);
        running->signals[i].data = running;
        /* A worker leaves SIGINT to its supervisor. */
        if (numbers[i] != SIGINT || running->config->worker == 0)
            uv_signal_start(&running->signals[i], on_signal, numbers[i]);
    }
}

static void close_signals(struct running *running)
{
    for (size_t i = 0; i < SIGNAL_COUNT; i++)
        uv_close((uv_handle_t *)&running->signals[i], NULL);
}

static int exit_code_for(int result)
{
    if (result == 0)
        return EXIT_CODE_OK;
    if (result == HERALD_ERROR_NOMEM)
        return cli_failure("%s", herald_error_text(result));
    return result == HERALD_ERROR_CONFIG ? EXIT_CODE_USAGE : EXIT_CODE_FAILURE;
}

static int run_server(struct running *running, struct handler *handler, struct frame_trace *trace)
{
    const struct server_options options = {
        .loop = running->loop,
        .config = running->config,
        .handler = handler,
        .engines = serve_engines,
        .engine_count = serve_engine_count,
        .datagrams = serve_datagram_engine,
        .trace = trace,
        .stopped = on_stopped,
        .worn_out = on_worn_out,
        .user = running,
    };
    int result = server_create(&options, &running->server);
    if (result < 0) {
        if (handler->destroy != NULL)
            handler->destroy(handler);
        return result;
    }
    result = server_start(running->server);
    if (result == 0) {
        watch_signals(running);
        worker_ready();
        serve_announce_server(running->config, running->server);
        result = loop_run(running->loop);
        close_signals(running);
    }
    server_destroy(running->server);
    return result;
}

int serve_run(const struct serve_config *config,
              int (*make)(struct loop *loop, const struct serve_config *config,
                          struct handler **handler))
{
    struct running running = {.config = config};
    struct handler *handler = NULL;
    int result = loop_create(&running.loop);
    if (result < 0)
        return cli_failure("cannot make an event loop: %s", herald_error_text(result));
    struct frame_trace *trace = serve_trace_create(config);
    result = make(running.loop, config, &handler);
    if (result == 0)
        result = run_server(&running, handler, trace);
    loop_destroy(running.loop);
    if (trace != NULL)
        trace_destroy(trace);
    return exit_code_for(result);
}

int serve_check(const struct serve_config *config)
{
    struct loop *loop;
    struct server *server;
    int result = loop_create(&loop);
    if (result < 0)
        return cli_failure("cannot make an event loop: %s", herald_error_text(result));
    const struct server_options options = {
        .loop = loop,
        .config = config,
        .engines = serve_engines,
        .engine_count = serve_engine_count,
    };
    result = server_create(&options, &server);
    if (result == 0)
        server_destroy(server);
    loop_destroy(loop);
    return exit_code_for(result);
}
