#include "bench/bench.h"
#include "bench/worker.h"
#include <stdlib.h>

#define LOOK_INTERVAL (200 * HERALD_MILLISECOND)

struct run {
    const struct bench_config *config;
    struct worker *workers[BENCH_THREADS_MAXIMUM];
    uv_thread_t threads[BENCH_THREADS_MAXIMUM];
    struct start {
        struct run *run;
        struct worker *worker;
    } starts[BENCH_THREADS_MAXIMUM];
    uv_mutex_t mutex; /* guards `ended` */
    uv_cond_t one_ended;
    unsigned ended;
    unsigned created, started;
    herald_time begin;
    bool stopped;
};

static void thread_main(void *argument)
{
    struct start *start = argument;
    struct run *run = start->run;

    worker_run(start->worker);
    uv_mutex_lock(&run->mutex);
    run->ended++;
    uv_cond_signal(&run->one_ended);
    uv_mutex_unlock(&run->mutex);
}

static double share_done(const struct run *run, uint64_t ended, herald_time elapsed)
{
    const struct bench_config *config = run->config;
    double of_requests = config->requests == 0 ? 0 : (double)ended / (double)config->requests;
    double of_time = config->duration == 0
                         ? 0
                         : (double)elapsed / (double)(config->duration + HERALD_SECOND / 10);
    double share = of_requests > of_time ? of_requests : of_time;

    return share < 1 ? share : 1;
}

static void show(const struct run *run)
{
    struct bench_progress progress = {.elapsed = uv_hrtime() - run->begin};

    if (run->config->progress == NULL)
        return;
    for (unsigned i = 0; i < run->started; i++) {
        const struct worker *worker = run->workers[i];
        progress.completed += __atomic_load_n(&worker->shown_completed, __ATOMIC_RELAXED);
        progress.failed += __atomic_load_n(&worker->shown_failed, __ATOMIC_RELAXED);
    }
    progress.share = share_done(run, progress.completed + progress.failed, progress.elapsed);
    run->config->progress(run->config->user, &progress);
}

static void look(struct run *run)
{
    const struct bench_config *config = run->config;

    show(run);
    if (run->stopped || config->stop == NULL || !*config->stop)
        return;
    run->stopped = true;
    for (unsigned i = 0; i < run->started; i++)
        worker_stop(run->workers[i]);
}

/* Until all threads have ended. */
static void wait_for_threads(struct run *run)
{
    uv_mutex_lock(&run->mutex);
    while (run->ended < run->started) {
        if (uv_cond_timedwait(&run->one_ended, &run->mutex, LOOK_INTERVAL) == 0)
            continue;
        uv_mutex_unlock(&run->mutex);
        look(run);
        uv_mutex_lock(&run->mutex);
    }
    uv_mutex_unlock(&run->mutex);
    for (unsigned i = 0; i < run->started; i++)
        uv_thread_join(&run->threads[i]);
}

static int start_threads(struct run *run)
{
    for (; run->started < run->created; run->started++) {
        struct start *start = &run->starts[run->started];
        *start = (struct start){run, run->workers[run->started]};
        if (uv_thread_create(&run->threads[run->started], thread_main, start) != 0)
            return HERALD_ERROR_NOMEM;
    }
    return 0;
}

static int create_workers(struct run *run)
{
    for (; run->created < run->config->threads; run->created++) {
        struct worker *worker = calloc(1, sizeof(*worker));
        if (worker == NULL)
            return HERALD_ERROR_NOMEM;
        worker->config = run->config;
        worker->index = run->created;
        int result = loop_create(&worker->loop);
        if (result != 0) {
            free(worker);
            return result;
        }
        run->workers[run->created] = worker;
    }
    return 0;
}

/* The first request of every connection would fail alike. */
static int check_request(const struct bench_config *config)
{
    static const struct exchange_events none;
    struct exchange *exchange = exchange_new_request(config->request, &limits_default, &none, NULL);

    if (exchange == NULL)
        return HERALD_ERROR_INVALID;
    exchange_release(exchange);
    return 0;
}

int bench_run(const struct bench_config *config, struct bench_tally *tally)
{
    struct run run = {.config = config, .begin = uv_hrtime()};
    int result = check_request(config);

    if (result != 0)
        return result;
    uv_mutex_init(&run.mutex);
    uv_cond_init(&run.one_ended);
    result = create_workers(&run);
    if (result == 0)
        result = start_threads(&run);
    if (result != 0)
        for (unsigned i = 0; i < run.started; i++)
            worker_stop(run.workers[i]);
    wait_for_threads(&run);
    for (unsigned i = 0; i < run.created; i++) {
        struct worker *worker = run.workers[i];
        if (i < run.started) {
            worker_free(worker);
            bench_tally_merge(tally, &worker->tally);
        } else {
            loop_destroy(worker->loop);
        }
        result = result == 0 ? worker->result : result;
        free(worker);
    }
    uv_cond_destroy(&run.one_ended);
    uv_mutex_destroy(&run.mutex);
    return result;
}
