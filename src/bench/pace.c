#include "bench/worker.h"
#include <sys/timerfd.h>
#include <unistd.h>

/* The alarm is never set nearer than this, so that a high rate does not cost one system call a
 * request. */
#define ALARM_GRAIN (20 * HERALD_MICROSECOND)

static bool is_open_loop(const struct worker *worker)
{
    return worker->config->rate > 0;
}

/* ---- closed loop ---- */

static bool take_closed(struct connection *connection)
{
    struct worker *worker = connection->worker;

    if (worker->config->requests == 0)
        return true;
    if (connection->quota > 0)
        connection->quota--;
    else if (worker->pool > 0)
        worker->pool--;
    else
        return false;
    worker->left--;
    return true;
}

/* False when it could not be sent here. */
static bool send_again(struct connection *connection)
{
    struct list *node = list_first(&connection->worker->again);

    return request_send_again(connection, CONTAINER_OF(node, struct request, node)) == 0;
}

/* Those of one call leave in one write, so they count from one reading of the clock. */
static void fill(struct connection *connection)
{
    struct worker *worker = connection->worker;
    herald_time now;

    if (!connection_has_room(connection))
        return;
    now = worker_clock();

    while (connection_has_room(connection)) {
        if (!list_is_empty(&worker->again)) {
            if (!send_again(connection))
                return;
        } else if (!take_closed(connection) || request_send(connection, now) != 0) {
            return;
        }
    }
}

/* ---- open loop ---- */

/* What is due goes out while there is room. The generator's own delay is counted from when the
 * request was due or, if later, from when there was room for it. */
static void send_due(struct worker *worker, herald_time now)
{
    struct list *node;
    herald_time due;

    while ((node = list_first(&worker->open)) != NULL) {
        struct connection *connection = CONTAINER_OF(node, struct connection, open_node);
        list_remove(node);
        if (!connection_has_room(connection))
            continue;
        if (!list_is_empty(&worker->again)) {
            (void)send_again(connection);
        } else if (schedule_is_due(&worker->schedule, now, &due)) {
            herald_time could = due > worker->free_since ? due : worker->free_since;
            histogram_record(&worker->tally.lag, now > could ? now - could : 0);
            schedule_take(&worker->schedule);
            worker->tally.sending = now - worker->tally.start;
            (void)request_send(connection, due);
        } else {
            list_insert_before(worker->open.next, node);
            return;
        }
        if (connection_has_room(connection))
            list_append(&worker->open, node);
    }
}

static void set_alarm(struct worker *worker, herald_time now)
{
    herald_time next = schedule_next(&worker->schedule);

    if (next == HERALD_NEVER || list_is_empty(&worker->open))
        return;
    if (next < now + ALARM_GRAIN)
        next = now + ALARM_GRAIN;
    struct itimerspec when = {
        .it_value = {.tv_sec = (time_t)(next / HERALD_SECOND),
                     .tv_nsec = (long)(next % HERALD_SECOND)},
    };
    timerfd_settime(worker->alarm, TFD_TIMER_ABSTIME, &when, NULL);
}

static void pace(struct worker *worker)
{
    if (worker->phase != WORKER_RUNNING)
        return;
    send_due(worker, worker_clock());
    set_alarm(worker, worker_clock());
}

static void on_pace(struct loop_work *work, herald_time now)
{
    struct worker *worker = CONTAINER_OF(work, struct worker, pace);

    (void)now;
    pace(worker);
    worker_check_done(worker);
}

static void on_alarm(uv_poll_t *poll, int status, int events)
{
    struct worker *worker = poll->data;
    uint64_t expirations;

    (void)status;
    (void)events;
    if (read(worker->alarm, &expirations, sizeof(expirations)) < 0)
        return;
    loop_work_add(worker->loop, &worker->pace);
}

/* ---- both ---- */

void pace_connection(struct connection *connection)
{
    struct worker *worker = connection->worker;

    if (is_open_loop(worker))
        loop_work_add(worker->loop, &worker->pace);
    else
        fill(connection);
}

void pace_all(struct worker *worker)
{
    LIST_FOR_EACH_SAFE(node, following, &worker->connections)
    {
        connection_note(CONTAINER_OF(node, struct connection, node));
    }
}

bool pace_is_done(const struct worker *worker)
{
    if (!list_is_empty(&worker->again))
        return false;
    if (worker->phase >= WORKER_DRAINING)
        return true;
    if (is_open_loop(worker))
        return schedule_next(&worker->schedule) == HERALD_NEVER;
    if (worker->config->requests == 0)
        return false;
    return worker->left == 0;
}

uint64_t pace_part(const struct worker *worker, uint64_t whole)
{
    unsigned threads = worker->config->threads;

    return whole / threads + (worker->index < whole % threads ? 1 : 0);
}

static int start_alarm(struct worker *worker)
{
    worker->alarm = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (worker->alarm < 0 ||
        uv_poll_init(worker->loop->uv, &worker->alarm_poll, worker->alarm) != 0)
        return HERALD_ERROR_IO;
    worker->alarm_open = true;
    worker->alarm_poll.data = worker;
    return uv_poll_start(&worker->alarm_poll, UV_READABLE, on_alarm) == 0 ? 0 : HERALD_ERROR_IO;
}

void pace_init(struct worker *worker)
{
    loop_work_init(&worker->pace, on_pace);
}

int pace_start(struct worker *worker, herald_time now)
{
    const struct bench_config *config = worker->config;
    uint64_t whole = UINT64_MAX;

    if (!is_open_loop(worker))
        return 0;
    if (config->duration != 0)
        whole = (uint64_t)(config->rate * (double)config->duration / (double)HERALD_SECOND);
    if (config->requests != 0 && config->requests < whole)
        whole = config->requests;
    schedule_init(&worker->schedule, now, config->rate, worker->index, config->threads,
                  pace_part(worker, whole));
    worker->tally.due = worker->schedule.limit;
    return start_alarm(worker);
}

void pace_end(struct worker *worker)
{
    if (worker->alarm_open)
        uv_close((uv_handle_t *)&worker->alarm_poll, NULL);
    worker->alarm_open = false;
}

void pace_count_unfinished(struct worker *worker, herald_time now)
{
    herald_time due;

    if (!is_open_loop(worker))
        return;
    while (schedule_is_due(&worker->schedule, now, &due)) {
        schedule_take(&worker->schedule);
        worker->tally.unfinished++;
        histogram_record(&worker->tally.latency, now - due);
    }
}
