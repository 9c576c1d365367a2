#include "net/loop.h"

#include "base/err.h"
#include <stdlib.h>
#include <unistd.h>

#define LOOP_PASSES        2    /* over the work list, then what came in meanwhile is read */
#define LOOP_TIMERS_A_TURN 1024 /* after a stop of the process thousands may be due at once */
#define LOOP_HANDSHAKES    32   /* steps a turn, so that a flood does not starve connections */
#define LOOP_POLLS_A_TURN  4    /* of an embedded loop, while new watchers appear */
#define NANOSECONDS_A_TICK HERALD_MILLISECOND
#define LOOP_CLOSE_ROUNDS  200 /* of a millisecond */

struct loop_private {
    uv_loop_t uv;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_idle_t idle;
    uv_timer_t timer;
    uv_async_t async;
    uv_mutex_t mutex; /* guards the tasks */
    struct loop_task *tasks, **tasks_end;
    struct heap timers;
    herald_time armed; /* what the libuv timer is set to */
    struct list work;
    void (*attention)(struct loop *, void *);
    void *attention_user;
    bool turning, clock_fresh, attended, watch_changed;
};

herald_time loop_now(struct loop *loop)
{
    struct loop_private *private = loop->private;

    if (!private->turning || !private->clock_fresh) {
        loop->now = uv_hrtime();
        private->clock_fresh = true;
    }
    return loop->now;
}

static void attend(struct loop *loop)
{
    struct loop_private *private = loop->private;

    if (private->turning || private->attended || private->attention == NULL)
        return;
    private->attended = true;
    private->attention(loop, private->attention_user);
}

void loop_watch_changed(struct loop *loop)
{
    loop->private->watch_changed = true;
    attend(loop);
}

void loop_work_init(struct loop_work *work, void (*run)(struct loop_work *, herald_time))
{
    list_init(&work->node);
    work->run = run;
}

void loop_work_add(struct loop *loop, struct loop_work *work)
{
    if (!list_is_empty(&work->node))
        return;
    list_append(&loop->private->work, &work->node);
    attend(loop);
}

void loop_work_remove(struct loop_work *work)
{
    list_remove(&work->node);
}

static void on_idle(uv_idle_t *idle)
{
    (void)idle;
}

static void run_work(struct loop *loop)
{
    struct loop_private *private = loop->private;

    for (unsigned pass = 0; pass < LOOP_PASSES && !list_is_empty(&private->work); pass++) {
        struct list batch;
        list_init(&batch);
        /* The whole list moves over, so that what is added meanwhile waits for the next pass. */
        list_append(&private->work, &batch);
        list_remove(&private->work);
        for (struct list *node; (node = list_first(&batch)) != NULL;) {
            struct loop_work *work = CONTAINER_OF(node, struct loop_work, node);
            list_remove(node);
            work->run(work, loop_now(loop));
        }
    }
    /* An active idle handle keeps the poll from blocking. */
    if (!list_is_empty(&private->work))
        uv_idle_start(&private->idle, on_idle);
    else
        uv_idle_stop(&private->idle);
}

static void on_prepare(uv_prepare_t *prepare)
{
    struct loop *loop = prepare->data;

    run_work(loop);
    loop->private->clock_fresh = false;
    loop->private->watch_changed = false;
    loop->handshakes = LOOP_HANDSHAKES;
}

static void on_check(uv_check_t *check)
{
    run_work(check->data);
}

static void arm(struct loop *loop);

static void on_timer(uv_timer_t *handle)
{
    struct loop *loop = handle->data;
    struct loop_private *private = loop->private;

    /* libuv has read its clock for a new turn. With a reading of ours from before it, nothing would
     * be due and libuv would call here again and again. */
    private->clock_fresh = false;
    herald_time now = loop_now(loop);
    private->armed = HERALD_NEVER;
    for (unsigned done = 0; done < LOOP_TIMERS_A_TURN; done++) {
        struct heap_node *node = heap_first(&private->timers);
        if (node == NULL || node->due > now)
            break;
        struct loop_timer *timer = CONTAINER_OF(node, struct loop_timer, node);
        heap_remove(&private->timers, node);
        timer->expired(timer, now);
    }
    arm(loop);
}

/* A deadline that moved away leaves the libuv timer as it is: it fires once for nothing, which is
 * cheaper than moving it with every request. */
static void arm(struct loop *loop)
{
    struct loop_private *private = loop->private;
    struct heap_node *first = heap_first(&private->timers);

    if (first == NULL) {
        uv_timer_stop(&private->timer);
        private->armed = HERALD_NEVER;
        return;
    }
    if (first->due >= private->armed)
        return;
    uint64_t tick = first->due / NANOSECONDS_A_TICK + 1;
    uint64_t reached = uv_now(&private->uv);
    /* A timeout of 0 set by a timer runs before the poll: the bound on timers a turn would be none.
     */
    uv_timer_start(&private->timer, on_timer, tick > reached ? tick - reached : 1, 0);
    private->armed = first->due;
    attend(loop);
}

int loop_timer_set(struct loop *loop, struct loop_timer *timer, herald_time due)
{
    if (due == HERALD_NEVER) {
        loop_timer_stop(loop, timer);
        return 0;
    }
    if (timer->node.position != 0 && timer->node.due == due)
        return 0;
    int error = heap_set(&loop->private->timers, &timer->node, due);
    if (error == 0)
        arm(loop);
    return error;
}

void loop_timer_stop(struct loop *loop, struct loop_timer *timer)
{
    if (timer->node.position == 0)
        return;
    heap_remove(&loop->private->timers, &timer->node);
    if (heap_first(&loop->private->timers) == NULL)
        arm(loop);
}

void loop_post(struct loop *loop, struct loop_task *task)
{
    struct loop_private *private = loop->private;

    task->next = NULL;
    uv_mutex_lock(&private->mutex);
    bool first = private->tasks == NULL;
    *private->tasks_end = task;
    private->tasks_end = &task->next;
    uv_mutex_unlock(&private->mutex);
    if (first)
        uv_async_send(&private->async);
}

static void on_async(uv_async_t *async)
{
    struct loop *loop = async->data;
    struct loop_private *private = loop->private;

    uv_mutex_lock(&private->mutex);
    struct loop_task *task = private->tasks;
    private->tasks = NULL;
    private->tasks_end = &private->tasks;
    uv_mutex_unlock(&private->mutex);
    loop_now(loop);
    while (task != NULL) {
        /* The poster may free the task in run. */
        struct loop_task *next = task->next;
        task->run(task);
        task = next;
    }
}

static int start_handles(struct loop *loop)
{
    struct loop_private *private = loop->private;
    uv_loop_t *uv = &private->uv;

    if (uv_async_init(uv, &private->async, on_async) != 0)
        return HERALD_ERROR_IO;
    uv_prepare_init(uv, &private->prepare);
    uv_check_init(uv, &private->check);
    uv_idle_init(uv, &private->idle);
    uv_timer_init(uv, &private->timer);
    private->async.data = private->prepare.data = private->check.data = loop;
    private->idle.data = private->timer.data = loop;
    uv_prepare_start(&private->prepare, on_prepare);
    uv_check_start(&private->check, on_check);
    uv_unref((uv_handle_t *)&private->async);
    uv_unref((uv_handle_t *)&private->prepare);
    uv_unref((uv_handle_t *)&private->check);
    return 0;
}

static struct loop *loop_allocate(void)
{
    struct loop *loop = calloc(1, sizeof(*loop));

    if (loop == NULL)
        return NULL;
    loop->private = calloc(1, sizeof(*loop->private));
    loop->input = malloc(LOOP_INPUT_SIZE + LOOP_PLAIN_SIZE + LOOP_OUTPUT_SIZE + LOOP_SEALED_SIZE);
    if (loop->private == NULL || loop->input == NULL) {
        free(loop->private);
        free(loop->input);
        free(loop);
        return NULL;
    }
    loop->plain = loop->input + LOOP_INPUT_SIZE;
    loop->output = loop->plain + LOOP_PLAIN_SIZE;
    loop->sealed = loop->output + LOOP_OUTPUT_SIZE;
    loop->uv = &loop->private->uv;
    loop->handshakes = LOOP_HANDSHAKES;
    loop->private->tasks_end = &loop->private->tasks;
    loop->private->armed = HERALD_NEVER;
    list_init(&loop->private->work);
    heap_init(&loop->private->timers);
    return loop;
}

static void loop_free(struct loop *loop)
{
    heap_free(&loop->private->timers);
    free(loop->private);
    free(loop->input);
    free(loop);
}

int loop_create(struct loop **result)
{
    struct loop *loop = loop_allocate();

    if (loop == NULL)
        return HERALD_ERROR_NOMEM;
    if (uv_loop_init(loop->uv) != 0) {
        loop_free(loop);
        return HERALD_ERROR_IO;
    }
    if (uv_mutex_init(&loop->private->mutex) != 0) {
        uv_loop_close(loop->uv);
        loop_free(loop);
        return HERALD_ERROR_IO;
    }
    if (start_handles(loop) != 0) {
        uv_mutex_destroy(&loop->private->mutex);
        uv_loop_close(loop->uv);
        loop_free(loop);
        return HERALD_ERROR_IO;
    }
    *result = loop;
    return 0;
}

/* A handle somebody forgot must not make the end of the program wait for ever. */
static void close_stray(uv_handle_t *handle, void *user)
{
    (void)user;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

void loop_destroy(struct loop *loop)
{
    if (loop == NULL)
        return;
    struct loop_private *private = loop->private;
    private->attention = NULL;
    private->turning = true;
    run_work(loop);
    uv_run(loop->uv, UV_RUN_NOWAIT);
    uv_walk(loop->uv, close_stray, NULL);
    uv_run(loop->uv, UV_RUN_NOWAIT);
    for (unsigned round = 0; uv_loop_close(loop->uv) != 0; round++) {
        /* A resolver that does not come back writes into memory of the loop's; better lost than
         * taken from under it. */
        if (round == LOOP_CLOSE_ROUNDS)
            return;
        usleep(1000);
        uv_run(loop->uv, UV_RUN_NOWAIT);
    }
    uv_mutex_destroy(&private->mutex);
    loop_free(loop);
}

int loop_run(struct loop *loop)
{
    struct loop_private *private = loop->private;

    private->turning = true;
    private->clock_fresh = false;
    run_work(loop);
    uv_run(loop->uv, UV_RUN_DEFAULT);
    run_work(loop);
    private->turning = false;
    private->clock_fresh = false;
    return 0;
}

void loop_stop(struct loop *loop)
{
    uv_stop(loop->uv);
}

int loop_backend_fd(const struct loop *loop)
{
    return uv_backend_fd(loop->uv);
}

int loop_backend_timeout(const struct loop *loop)
{
    const struct loop_private *private = loop->private;

    if (!list_is_empty(&private->work) || private->watch_changed)
        return 0;
    if (!uv_loop_alive(loop->uv))
        return -1;
    return uv_backend_timeout(loop->uv);
}

void loop_turn(struct loop *loop)
{
    struct loop_private *private = loop->private;

    if (private->turning)
        return;
    private->turning = true;
    private->clock_fresh = false;
    private->attended = false;
    /* With nothing referenced uv_run would return without polling, and posted tasks would wait. */
    uv_ref((uv_handle_t *)&private->async);
    for (unsigned polls = 0; polls < LOOP_POLLS_A_TURN; polls++) {
        uv_run(loop->uv, UV_RUN_NOWAIT);
        if (!private->watch_changed)
            break;
    }
    uv_unref((uv_handle_t *)&private->async);
    private->turning = false;
    private->clock_fresh = false;
}

void loop_set_attention(struct loop *loop, void (*attention)(struct loop *, void *), void *user)
{
    loop->private->attention = attention;
    loop->private->attention_user = user;
}
