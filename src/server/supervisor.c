#include "server/supervisor.h"

#include "base/log.h"
#include "net/tls.h"
#include "server/supervisor_sockets.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <uv.h>

/* A worker that lived this long did not crash at start: replaced without a pause. */
#define SETTLED       (10 * HERALD_SECOND)
#define PAUSE_FIRST   100   /* ms */
#define PAUSE_LONGEST 10000 /* ms */

#define SIGNAL_COUNT    3
#define FIRST_INHERITED 3
#define EXTRA_INHERITED 2 /* ready pipe, ticket key */

extern char **environ;

struct supervisor;

struct worker {
    struct supervisor *supervisor;
    struct list node;
    unsigned number; /* from 1 on; a retired one has its successor's */
    uv_process_t process;
    uv_pipe_t ready_pipe;
    uv_timer_t pause;
    herald_time born;
    unsigned quick_deaths;
    unsigned handles; /* that libuv has not let go of; the timer is one all through */
    bool running, pipe_open, ready;
    bool retired;   /* it finishes what runs, its successor has started */
    bool discarded; /* freed with its last handle */
};

struct supervisor {
    const struct supervisor_options *options;
    uv_loop_t loop;
    uv_signal_t signals[SIGNAL_COUNT];
    uv_timer_t deadline;
    struct supervisor_sockets sockets;
    struct list workers;
    unsigned count, running, ready;
    int ticket_descriptor;
    unsigned stops; /* signals that asked for the end */
    bool started, ending;
    int exit_code;
};

static void spawn_worker(struct worker *worker);
static void begin_end(struct supervisor *supervisor, int exit_code);

static int make_ticket_key(void)
{
    uint8_t key[TLS_TICKET_KEY_SIZE];
    int descriptor = memfd_create("herald-tickets", MFD_CLOEXEC);
    if (descriptor < 0)
        return -1;
    if (tls_random_ticket_key(key) < 0 || write(descriptor, key, sizeof(key)) != sizeof(key)) {
        close(descriptor);
        descriptor = -1;
    }
    explicit_bzero(key, sizeof(key));
    return descriptor;
}

static void signal_workers(struct supervisor *supervisor, int number)
{
    LIST_FOR_EACH_SAFE(node, following, &supervisor->workers)
    {
        struct worker *worker = CONTAINER_OF(node, struct worker, node);
        if (worker->running)
            uv_process_kill(&worker->process, number);
    }
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct worker *worker = handle->data;
    if (--worker->handles == 0 && worker->discarded)
        free(worker);
}

static void close_pipe(struct worker *worker)
{
    if (worker->pipe_open)
        uv_close((uv_handle_t *)&worker->ready_pipe, on_handle_closed);
    worker->pipe_open = false;
}

static void discard_worker(struct worker *worker)
{
    worker->discarded = true;
    list_remove(&worker->node);
    close_pipe(worker);
    uv_close((uv_handle_t *)&worker->pause, on_handle_closed);
}

static void end_if_empty(struct supervisor *supervisor)
{
    if (!supervisor->ending || supervisor->running > 0 ||
        uv_is_closing((uv_handle_t *)&supervisor->deadline))
        return;
    LIST_FOR_EACH_SAFE(node, following, &supervisor->workers)
    {
        discard_worker(CONTAINER_OF(node, struct worker, node));
    }
    for (size_t i = 0; i < SIGNAL_COUNT; i++)
        uv_close((uv_handle_t *)&supervisor->signals[i], NULL);
    uv_close((uv_handle_t *)&supervisor->deadline, NULL);
}

static void on_deadline(uv_timer_t *timer)
{
    struct supervisor *supervisor = timer->data;
    log_write(LOG_WARNING, "workers did not end in time and are killed");
    signal_workers(supervisor, SIGKILL);
}

static void begin_end(struct supervisor *supervisor, int exit_code)
{
    const struct serve_config *config = supervisor->options->config;
    if (!supervisor->ending) {
        supervisor->ending = true;
        supervisor->exit_code = exit_code;
        herald_time patience =
            config->graceful_timeout + config->shutdown_timeout + 2 * HERALD_SECOND;
        uv_timer_start(&supervisor->deadline, on_deadline, patience / HERALD_MILLISECOND, 0);
        LIST_FOR_EACH_SAFE(node, following, &supervisor->workers)
        {
            uv_timer_stop(&CONTAINER_OF(node, struct worker, node)->pause);
        }
        /* While one process has them open, the kernel queues connections nobody will accept. */
        supervisor_sockets_close(&supervisor->sockets);
    }
    signal_workers(supervisor, SIGTERM);
    end_if_empty(supervisor);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct supervisor *supervisor = handle->data;
    if (number == SIGHUP) {
        signal_workers(supervisor, SIGHUP);
        return;
    }
    if (++supervisor->stops == 2)
        uv_timer_start(&supervisor->deadline, on_deadline, 2000, 0);
    begin_end(supervisor, 0);
}

static void on_pause_over(uv_timer_t *timer)
{
    spawn_worker(timer->data);
}

/* Whoever dies soon after its start again and again waits longer and longer. */
static uint64_t pause_before(struct worker *worker)
{
    if (uv_hrtime() - worker->born > SETTLED)
        worker->quick_deaths = 0;
    unsigned deaths = worker->quick_deaths++;
    if (deaths == 0)
        return 0;
    uint64_t pause = deaths > 8 ? PAUSE_LONGEST : (uint64_t)PAUSE_FIRST << (deaths - 1);
    return pause < PAUSE_LONGEST ? pause : PAUSE_LONGEST;
}

static void describe_end(char text[64], int64_t status, int number)
{
    if (number != 0)
        snprintf(text, 64, "signal %d (%s)", number, sigabbrev_np(number));
    else
        snprintf(text, 64, "exit code %d", (int)status);
}

static void on_worker_exit(uv_process_t *process, int64_t status, int number)
{
    struct worker *worker = process->data;
    struct supervisor *supervisor = worker->supervisor;
    int pid = uv_process_get_pid(process);
    worker->running = false;
    supervisor->running--;
    uv_close((uv_handle_t *)process, on_handle_closed);
    if (supervisor->ending || worker->retired) {
        if (worker->retired)
            discard_worker(worker);
        end_if_empty(supervisor);
        return;
    }
    char end[64];
    describe_end(end, status, number);
    if (!supervisor->started) {
        /* A worker has said itself why it ended with a code of its own. */
        if (number != 0 || status == 0)
            log_write(LOG_ERROR, "worker %u ended before it was ready: %s", worker->number, end);
        begin_end(supervisor, number != 0 || status == 0 ? 1 : (int)status);
        return;
    }
    bool planned = number == 0 && status == 0;
    uint64_t pause = planned ? 0 : pause_before(worker);
    if (!planned)
        log_write(LOG_ERROR, "worker %u (process %d) died: %s; a new one starts in %llu ms",
                  worker->number, pid, end, (unsigned long long)pause);
    uv_timer_start(&worker->pause, on_pause_over, pause, 0);
}

static void allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    static char byte[16];
    (void)handle;
    (void)suggested;
    *buffer = uv_buf_init(byte, sizeof(byte));
}

static void tell_started(struct supervisor *supervisor)
{
    const char *names[SUPERVISOR_ADDRESSES_MAXIMUM];
    supervisor->started = true;
    for (size_t i = 0; i < supervisor->sockets.count; i++)
        names[i] = supervisor->sockets.items[i].name;
    if (supervisor->options->started != NULL)
        supervisor->options->started(supervisor->options->user, names, supervisor->sockets.count);
}

static struct worker *create_worker(struct supervisor *supervisor, unsigned number)
{
    struct worker *worker = calloc(1, sizeof(*worker));
    if (worker == NULL)
        return NULL;
    worker->supervisor = supervisor;
    worker->number = number;
    worker->handles = 1;
    uv_timer_init(&supervisor->loop, &worker->pause);
    worker->pause.data = worker->process.data = worker->ready_pipe.data = worker;
    list_append(&supervisor->workers, &worker->node);
    return worker;
}

/* It takes no more connections: another one does from now on, on the same sockets. Without memory
 * for that, the place is filled when the worker has gone. */
static void retire(struct worker *worker)
{
    if (worker->supervisor->ending || worker->retired)
        return;
    struct worker *successor = create_worker(worker->supervisor, worker->number);
    worker->retired = successor != NULL;
    if (successor != NULL)
        spawn_worker(successor);
}

static void note_ready(struct worker *worker)
{
    struct supervisor *supervisor = worker->supervisor;
    if (worker->ready)
        return;
    worker->ready = true;
    supervisor->ready++;
    if (supervisor->ready == supervisor->count && !supervisor->started && !supervisor->ending)
        tell_started(supervisor);
}

static void on_said(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer)
{
    struct worker *worker = stream->data;
    for (ssize_t i = 0; i < length; i++) {
        if (buffer->base[i] == WORKER_READY)
            note_ready(worker);
        else if (buffer->base[i] == WORKER_LEAVING)
            retire(worker);
    }
    if (length < 0)
        close_pipe(worker);
}

/* Descriptors of the child: 3, 4, ... the sockets, then the ready pipe and the ticket key. */
static size_t fill_stdio(struct worker *worker, uv_stdio_container_t *stdio, struct buf *sockets)
{
    struct supervisor *supervisor = worker->supervisor;
    size_t count = 0;
    for (; count < FIRST_INHERITED; count++)
        stdio[count] = (uv_stdio_container_t){.flags = UV_INHERIT_FD, .data.fd = (int)count};
    for (size_t i = 0; i < supervisor->sockets.count; i++, count++) {
        const struct supervisor_socket *socket = &supervisor->sockets.items[i];
        int descriptor = socket->descriptors[socket->shared ? 0 : worker->number - 1];
        stdio[count] = (uv_stdio_container_t){.flags = UV_INHERIT_FD, .data.fd = descriptor};
        if (buf_printf(sockets, "%s%s=%zu", i == 0 ? "" : " ", socket->secure ? "tls" : "cleartext",
                       count) < 0)
            return 0;
    }
    stdio[count].flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE;
    stdio[count++].data.stream = (uv_stream_t *)&worker->ready_pipe;
    if (supervisor->ticket_descriptor >= 0)
        stdio[count++] = (uv_stdio_container_t){.flags = UV_INHERIT_FD,
                                                .data.fd = supervisor->ticket_descriptor};
    return count;
}

static size_t count_words(char *const *words)
{
    size_t count = 0;
    while (words[count] != NULL)
        count++;
    return count;
}

static bool is_ours(const char *variable)
{
    static const char *const names[] = {"HERALD_WORKER=", "HERALD_LISTEN_FDS=", "HERALD_READY_FD=",
                                        "HERALD_TICKET_FD=", "HERALD_MASTER="};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strncmp(variable, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

/* The inherited environment with our variables; one allocation for the array, the texts stay where
 * they are. */
static char **build_environment(char texts[5][64], const char *sockets)
{
    size_t inherited = count_words(environ);
    char **environment = calloc(inherited + 7, sizeof(*environment));
    if (environment == NULL)
        return NULL;
    size_t count = 0;
    for (size_t i = 0; i < inherited; i++)
        if (!is_ours(environ[i]))
            environment[count++] = environ[i];
    for (size_t i = 0; i < 5; i++)
        if (texts[i][0] != '\0')
            environment[count++] = texts[i];
    environment[count] = (char *)sockets;
    return environment;
}

static char **build_arguments(const struct supervisor_options *options)
{
    static const char *const myself[] = {"herald", NULL};
    const char *const *command = options->command == NULL ? myself : options->command;
    size_t words = count_words((char *const *)command), rest = count_words(options->arguments);
    char **arguments = calloc(words + rest + 1, sizeof(*arguments));
    if (arguments == NULL)
        return NULL;
    for (size_t i = 0; i < words; i++)
        arguments[i] = (char *)command[i];
    for (size_t i = 0; i < rest; i++)
        arguments[words + i] = options->arguments[i];
    return arguments;
}

static int start_process(struct worker *worker, uv_stdio_container_t *stdio, size_t count,
                         struct buf *sockets)
{
    struct supervisor *supervisor = worker->supervisor;
    const struct supervisor_options *options = supervisor->options;
    char texts[5][64] = {{0}};
    bool tickets = supervisor->ticket_descriptor >= 0;
    size_t ready = FIRST_INHERITED + supervisor->sockets.count;
    snprintf(texts[0], sizeof(texts[0]), "HERALD_WORKER=%u", worker->number);
    snprintf(texts[1], sizeof(texts[1]), "HERALD_MASTER=%d", (int)getpid());
    snprintf(texts[2], sizeof(texts[2]), "HERALD_READY_FD=%zu", ready);
    if (tickets)
        snprintf(texts[3], sizeof(texts[3]), "HERALD_TICKET_FD=%zu", ready + 1);
    char **arguments = build_arguments(options);
    char **environment = build_environment(texts, (const char *)sockets->data);
    int result = UV_ENOMEM;
    if (arguments != NULL && environment != NULL) {
        const uv_process_options_t process = {
            .exit_cb = on_worker_exit,
            .file = options->command == NULL ? "/proc/self/exe" : options->command[0],
            .args = arguments,
            .env = environment,
            .stdio = stdio,
            .stdio_count = (int)count,
        };
        result = uv_spawn(&supervisor->loop, &worker->process, &process);
        /* A handle, and to be closed, even when nothing was started. */
        worker->handles++;
        if (result < 0)
            uv_close((uv_handle_t *)&worker->process, on_handle_closed);
    }
    free(arguments);
    free(environment);
    return result;
}

static void spawn_worker(struct worker *worker)
{
    struct supervisor *supervisor = worker->supervisor;
    uv_stdio_container_t stdio[FIRST_INHERITED + SUPERVISOR_ADDRESSES_MAXIMUM + EXTRA_INHERITED];
    struct buf sockets;
    close_pipe(worker);
    if (worker->handles > 1) {
        /* Those of the process before are still closing. */
        uv_timer_start(&worker->pause, on_pause_over, 1, 0);
        return;
    }
    buf_init(&sockets, 4096, NULL);
    uv_pipe_init(&supervisor->loop, &worker->ready_pipe, 0);
    worker->handles++;
    worker->pipe_open = true;
    worker->ready = false;
    worker->born = uv_hrtime();
    int result = buf_append_text(&sockets, "HERALD_LISTEN_FDS=") < 0 ? UV_ENOMEM : 0;
    size_t count = result == 0 ? fill_stdio(worker, stdio, &sockets) : 0;
    if (count == 0 || buf_append_byte(&sockets, '\0') < 0)
        result = UV_ENOMEM;
    if (result == 0)
        result = start_process(worker, stdio, count, &sockets);
    buf_free(&sockets);
    if (result == 0) {
        worker->running = true;
        supervisor->running++;
        uv_read_start((uv_stream_t *)&worker->ready_pipe, allocate, on_said);
        return;
    }
    log_write(LOG_ERROR, "cannot start worker %u: %s", worker->number, uv_strerror(result));
    close_pipe(worker);
    if (!supervisor->started)
        begin_end(supervisor, 1);
    else if (!supervisor->ending)
        uv_timer_start(&worker->pause, on_pause_over, PAUSE_LONGEST, 0);
}

static void watch_signals(struct supervisor *supervisor)
{
    static const int numbers[SIGNAL_COUNT] = {SIGTERM, SIGINT, SIGHUP};
    for (size_t i = 0; i < SIGNAL_COUNT; i++) {
        uv_signal_init(&supervisor->loop, &supervisor->signals[i]);
        supervisor->signals[i].data = supervisor;
        uv_signal_start(&supervisor->signals[i], on_signal, numbers[i]);
    }
}

static void start_workers(struct supervisor *supervisor)
{
    for (unsigned i = 0; i < supervisor->count && !supervisor->ending; i++) {
        struct worker *worker = create_worker(supervisor, i + 1);
        if (worker != NULL)
            spawn_worker(worker);
        else
            begin_end(supervisor, 1);
    }
}

static int run_loop(struct supervisor *supervisor)
{
    int status = uv_loop_init(&supervisor->loop);
    if (status < 0) {
        log_write(LOG_ERROR, "cannot make an event loop: %s", uv_strerror(status));
        return 1;
    }
    supervisor->ticket_descriptor = make_ticket_key();
    uv_timer_init(&supervisor->loop, &supervisor->deadline);
    supervisor->deadline.data = supervisor;
    watch_signals(supervisor);
    start_workers(supervisor);
    uv_run(&supervisor->loop, UV_RUN_DEFAULT);
    uv_loop_close(&supervisor->loop);
    if (supervisor->ticket_descriptor >= 0)
        close(supervisor->ticket_descriptor);
    return supervisor->exit_code;
}

int supervisor_run(const struct supervisor_options *options)
{
    unsigned count = options->config->workers;
    struct supervisor *supervisor = calloc(1, sizeof(*supervisor));
    if (supervisor == NULL || count == 0 || count > SUPERVISOR_WORKERS_MAXIMUM) {
        free(supervisor);
        log_write(LOG_ERROR, "%s", herald_error_text(HERALD_ERROR_NOMEM));
        return 1;
    }
    supervisor->options = options;
    supervisor->count = count;
    list_init(&supervisor->workers);
    int result = supervisor_sockets_open(&supervisor->sockets, options->config);
    int exit_code = result == HERALD_ERROR_CONFIG ? 2 : 1;
    if (result == 0)
        exit_code = run_loop(supervisor);
    supervisor_sockets_close(&supervisor->sockets);
    free(supervisor);
    return exit_code;
}
