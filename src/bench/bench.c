#include "bench/bench.h"
#include "bench/worker.h"
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#define LOOK_INTERVAL (200 * HERALD_MILLISECOND)

struct run {
    const struct bench_config *config;
    struct worker *workers[BENCH_THREADS_MAXIMUM];
    pthread_t threads[BENCH_THREADS_MAXIMUM];
    unsigned created, started;
    herald_time begin;
    bool stopped;
};

static void *thread_main(void *argument)
{
    worker_run(argument);
    return NULL;
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

static void join(struct run *run, pthread_t thread)
{
    for (;;) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        uint64_t due = (uint64_t)until.tv_nsec + LOOK_INTERVAL;
        until.tv_sec += (time_t)(due / HERALD_SECOND);
        until.tv_nsec = (long)(due % HERALD_SECOND);
        if (pthread_clockjoin_np(thread, NULL, CLOCK_MONOTONIC, &until) == 0)
            return;
        look(run);
    }
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

    if (result == 0)
        result = create_workers(&run);
    for (; result == 0 && run.started < run.created; run.started++)
        if (pthread_create(&run.threads[run.started], NULL, thread_main,
                           run.workers[run.started]) != 0)
            result = HERALD_ERROR_NOMEM;
    if (result != 0)
        for (unsigned i = 0; i < run.started; i++)
            worker_stop(run.workers[i]);
    for (unsigned i = 0; i < run.started; i++)
        join(&run, run.threads[i]);
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
    return result;
}
