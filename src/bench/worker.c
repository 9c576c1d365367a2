#include "bench/worker.h"
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define ENDING_TIME    (250 * HERALD_MILLISECOND)
#define STOPPING_TIME  HERALD_SECOND /* for what is under way when the user wants an end */
#define SPARE_MAXIMUM  16384
#define LARGEST_WINDOW 0x3fffffff

static herald_time of_timeval(struct timeval value)
{
    return (herald_time)value.tv_sec * HERALD_SECOND +
           (herald_time)value.tv_usec * HERALD_MICROSECOND;
}

/* Processor time of this thread. */
static herald_time used(void)
{
    struct rusage usage;

    getrusage(RUSAGE_THREAD, &usage);
    return of_timeval(usage.ru_utime) + of_timeval(usage.ru_stime);
}

/* ---- phases ---- */

static void end_measurement(struct worker *worker, herald_time now)
{
    struct bench_tally *tally = &worker->tally;

    if (tally->start == 0)
        return;
    tally->cpu = used() - worker->cpu_start;
    if (now > tally->start)
        tally->busiest = (double)tally->cpu / (double)(now - tally->start);
    if (tally->end == 0)
        tally->end = now;
}

static void begin_ending(struct worker *worker)
{
    herald_time now = worker_clock();

    if (worker->phase == WORKER_ENDING)
        return;
    pace_count_unfinished(worker, now);
    if (worker->in_flight > 0 || !list_is_empty(&worker->again))
        worker->tally.end = now;
    worker->phase = WORKER_ENDING;
    requests_abandon(worker, now);
    end_measurement(worker, now);
    pace_end(worker);
    loop_work_remove(&worker->pace);
    LIST_FOR_EACH_SAFE(node, following, &worker->connections)
    {
        connection_end(CONTAINER_OF(node, struct connection, node));
    }
    if (worker->connection_count == 0 ||
        loop_timer_set(worker->loop, &worker->timer, loop_now(worker->loop) + ENDING_TIME) != 0)
        loop_stop(worker->loop);
}

static void begin_draining(struct worker *worker, herald_time patience)
{
    worker->phase = WORKER_DRAINING;
    if (loop_timer_set(worker->loop, &worker->timer, loop_now(worker->loop) + patience) != 0)
        begin_ending(worker);
    else
        worker_check_done(worker);
}

static void begin_running(struct worker *worker)
{
    const struct bench_config *config = worker->config;
    herald_time now = worker_clock(), due = HERALD_NEVER;

    worker->phase = WORKER_RUNNING;
    worker->tally.start = now;
    worker->cpu_start = used();
    int result = pace_start(worker, now);
    if (config->rate > 0)
        due = schedule_due(&worker->schedule, worker->schedule.limit) + config->drain;
    else if (config->duration != 0)
        due = now + config->duration;
    if (result == 0)
        result = loop_timer_set(worker->loop, &worker->timer, due);
    if (result != 0) {
        worker->result = result;
        begin_ending(worker);
        return;
    }
    pace_all(worker);
}

static void on_timer(struct loop_timer *timer, herald_time now)
{
    struct worker *worker = CONTAINER_OF(timer, struct worker, timer);

    (void)now;
    if (worker->phase == WORKER_RUNNING && worker->config->rate == 0) {
        begin_draining(worker, worker->config->drain);
    } else if (worker->phase != WORKER_ENDING) {
        begin_ending(worker);
    } else {
        LIST_FOR_EACH_SAFE(node, following, &worker->connections)
        {
            link_close(CONTAINER_OF(node, struct connection, node)->link, HERALD_ERROR_CANCELLED);
        }
    }
}

void worker_check_done(struct worker *worker)
{
    if (worker->in_flight > 0 || worker->phase == WORKER_ENDING ||
        worker->phase == WORKER_CONNECTING || !pace_is_done(worker))
        return;
    if (worker->promises_open == 0)
        begin_ending(worker);
    else if (worker->phase == WORKER_RUNNING)
        begin_draining(worker, worker->config->drain);
}

void worker_opened(struct worker *worker)
{
    if (worker->phase == WORKER_CONNECTING && worker->opening == 0 &&
        !worker->config->count_connect)
        loop_work_add(worker->loop, &worker->begin);
}

static void on_begin(struct loop_work *work, herald_time now)
{
    struct worker *worker = CONTAINER_OF(work, struct worker, begin);

    (void)now;
    if (worker->phase == WORKER_CONNECTING)
        begin_running(worker);
}

void worker_closed(struct worker *worker)
{
    if (worker->phase == WORKER_ENDING) {
        if (worker->connection_count == 0)
            loop_stop(worker->loop);
        return;
    }
    if (worker->connection_count > 0) {
        worker_opened(worker);
        worker_check_done(worker);
        return;
    }
    /* Nothing is left that could serve what is still to be sent. */
    worker->tally.unfinished += worker->left;
    worker->left = 0;
    begin_ending(worker);
}

/* ---- from outside ---- */

static void on_stop(struct loop_task *task)
{
    struct worker *worker = CONTAINER_OF(task, struct worker, stop_task);

    if (worker->phase >= WORKER_DRAINING)
        return;
    if (worker->phase == WORKER_RUNNING && worker->config->rate > 0) {
        worker->schedule.limit = schedule_count_due(&worker->schedule, worker_clock());
        worker->tally.due = worker->schedule.limit;
    }
    begin_draining(worker, STOPPING_TIME);
}

void worker_stop(struct worker *worker)
{
    worker->stop_task.run = on_stop;
    loop_post(worker->loop, &worker->stop_task);
}

/* ---- the thread ---- */

/* Windows that never make the server wait, as a load generator's must be: what comes is dropped at
 * once, so no memory stands behind them. */
static void set_limits(struct worker *worker)
{
    struct limits *limits = &worker->limits;

    *limits = limits_default;
    limits->stream_window = limits->stream_window_maximum = LARGEST_WINDOW;
    limits->connection_window = limits->connection_window_maximum = LARGEST_WINDOW;
    limits->drain_size = UINT64_MAX;
    limits->connection_age = HERALD_NEVER / 4;
    limits->idle_timeout = HERALD_NEVER / 4;
    limits->connection_memory = (size_t)1 << 30;
    limits->connection_memory_soft = (size_t)1 << 30;
    limits->overhead_ratio = 0;
    limits->pushes_concurrent = 1000;
    limits->concurrent_streams = 1000;
}

static int start_connections(struct worker *worker)
{
    const struct bench_config *config = worker->config;
    uint64_t connections = pace_part(worker, config->connections);
    uint64_t requests = config->rate > 0 ? 0 : pace_part(worker, config->requests);
    int result = 0;

    worker->left = requests;
    if (config->share)
        worker->pool = requests;
    for (uint64_t i = 0; i < connections && result == 0; i++) {
        uint64_t quota = requests / connections + (i < requests % connections ? 1 : 0);
        result = connection_start(worker, config->share ? 0 : quota);
    }
    return result;
}

static int set_up(struct worker *worker)
{
    const struct bench_config *config = worker->config;
    uint64_t spare = (uint64_t)config->connections * config->streams / config->threads + 1;
    struct tls_error error;

    if (config->tls != NULL) {
        int result = tls_context_create_client(&worker->tls, config->tls, &error);
        if (result != 0) {
            bench_tally_note(&worker->tally, error.text);
            return result;
        }
    }
    set_limits(worker);
    exchange_keep_spare(spare < SPARE_MAXIMUM ? (unsigned)spare : SPARE_MAXIMUM);
    if (config->count_connect)
        loop_work_add(worker->loop, &worker->begin);
    return start_connections(worker);
}

static void tear_down(struct worker *worker)
{
    worker->phase = WORKER_ENDING;
    pace_end(worker);
    /* What is still there after a failure of our own. */
    LIST_FOR_EACH_SAFE(node, following, &worker->connections)
    {
        link_close(CONTAINER_OF(node, struct connection, node)->link, HERALD_ERROR_CANCELLED);
    }
}

void worker_run(struct worker *worker)
{
    worker->alarm = -1;
    worker->phase = WORKER_CONNECTING;
    worker->timer.expired = on_timer;
    list_init(&worker->connections);
    list_init(&worker->open);
    list_init(&worker->spare);
    list_init(&worker->again);
    loop_work_init(&worker->begin, on_begin);
    pace_init(worker);
    worker->result = set_up(worker);
    if (worker->result == 0)
        worker->result = loop_run(worker->loop);
    tear_down(worker);
    exchange_keep_spare(0);
}

void worker_free(struct worker *worker)
{
    if (worker->loop == NULL)
        return;
    loop_timer_stop(worker->loop, &worker->timer);
    loop_destroy(worker->loop);
    if (worker->alarm >= 0)
        close(worker->alarm);
    requests_free(worker);
    tls_context_release(worker->tls);
}
