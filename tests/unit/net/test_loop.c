#include "net/loop.h"

#include "base/err.h"
#include "support/check.h"
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

static void create_and_destroy(void **state)
{
    struct loop *loop;

    (void)state;
    assert_int_equal(loop_create(&loop), 0);
    loop_destroy(loop);
    loop_destroy(NULL);
}

struct alarm {
    struct loop_timer timer;
    struct loop *loop;
    herald_time due, fired;
    unsigned count, order;
};

static unsigned alarms_fired;

static void on_alarm(struct loop_timer *timer, herald_time now)
{
    struct alarm *alarm = CONTAINER_OF(timer, struct alarm, timer);

    assert_true(now >= alarm->due);
    alarm->fired = now;
    alarm->count++;
    alarm->order = alarms_fired++;
}

static void set_alarm(struct alarm *alarm, struct loop *loop, herald_time due)
{
    alarm->loop = loop;
    alarm->timer.expired = on_alarm;
    alarm->due = due;
    assert_int_equal(loop_timer_set(loop, &alarm->timer, due), 0);
}

static void timers_fire_in_order_and_not_early(void **state)
{
    struct alarm alarms[5] = {0};
    static const unsigned milliseconds[] = {30, 10, 20, 5, 15};
    static const unsigned order[] = {3, 1, 2, 0, 0};
    struct loop *loop;

    (void)state;
    alarms_fired = 0;
    assert_int_equal(loop_create(&loop), 0);
    herald_time now = loop_now(loop);
    for (unsigned i = 0; i < 5; i++)
        set_alarm(&alarms[i], loop, now + milliseconds[i] * HERALD_MILLISECOND);
    loop_timer_stop(loop, &alarms[4].timer);
    assert_int_equal(loop_run(loop), 0);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(alarms[i].count, 1);
        assert_int_equal(alarms[i].order, order[i]);
    }
    assert_int_equal(alarms[4].count, 0);
    loop_destroy(loop);
}

static void a_timer_can_move(void **state)
{
    struct alarm alarm = {0};
    struct loop *loop;

    (void)state;
    assert_int_equal(loop_create(&loop), 0);
    herald_time now = loop_now(loop);
    set_alarm(&alarm, loop, now + 3600 * HERALD_SECOND);
    set_alarm(&alarm, loop, now + 5 * HERALD_MILLISECOND);
    set_alarm(&alarm, loop, now + 25 * HERALD_MILLISECOND);
    loop_run(loop);
    assert_int_equal(alarm.count, 1);
    assert_true(alarm.fired - now < 10 * HERALD_SECOND);
    assert_int_equal(loop_timer_set(loop, &alarm.timer, HERALD_NEVER), 0);
    loop_destroy(loop);
}

struct piece {
    struct loop_work work;
    struct loop *loop;
    unsigned runs, repeat;
};

static void on_piece(struct loop_work *work, herald_time now)
{
    struct piece *piece = CONTAINER_OF(work, struct piece, work);

    (void)now;
    piece->runs++;
    if (piece->repeat > 0) {
        piece->repeat--;
        loop_work_add(piece->loop, work);
    }
}

static void work_runs_once_a_pass(void **state)
{
    struct piece pieces[3] = {0};
    struct loop *loop;

    (void)state;
    assert_int_equal(loop_create(&loop), 0);
    for (unsigned i = 0; i < 3; i++) {
        pieces[i].loop = loop;
        loop_work_init(&pieces[i].work, on_piece);
        loop_work_add(loop, &pieces[i].work);
        loop_work_add(loop, &pieces[i].work);
    }
    loop_work_remove(&pieces[1].work);
    loop_turn(loop);
    assert_int_equal(pieces[0].runs, 1);
    assert_int_equal(pieces[1].runs, 0);
    assert_int_equal(pieces[2].runs, 1);
    /* Work that makes work does not keep the loop from polling, and is not forgotten. */
    pieces[0].repeat = 1000;
    loop_work_add(loop, &pieces[0].work);
    loop_turn(loop);
    assert_true(pieces[0].runs < 900);
    assert_int_equal(loop_backend_timeout(loop), 0);
    for (unsigned turn = 0; turn < 1000 && pieces[0].runs < 1002; turn++)
        loop_turn(loop);
    assert_int_equal(pieces[0].runs, 1002);
    loop_turn(loop);
    assert_int_equal(loop_backend_timeout(loop), -1);
    loop_destroy(loop);
}

static void work_is_done_by_loop_run_too(void **state)
{
    struct piece piece = {.repeat = 100};
    struct loop *loop;

    (void)state;
    assert_int_equal(loop_create(&loop), 0);
    piece.loop = loop;
    loop_work_init(&piece.work, on_piece);
    loop_work_add(loop, &piece.work);
    loop_run(loop);
    assert_int_equal(piece.runs, 101);
    loop_destroy(loop);
}

#define THREADS 4
#define POSTS   2000

struct posted {
    struct loop_task task;
    struct poster *poster;
    unsigned number;
};

struct poster {
    struct loop *loop;
    pthread_t thread;
    unsigned *total;
    unsigned expected;
    struct posted posts[POSTS];
};

static void on_posted(struct loop_task *task)
{
    struct posted *posted = CONTAINER_OF(task, struct posted, task);

    assert_int_equal(posted->number, posted->poster->expected);
    posted->poster->expected++;
    (*posted->poster->total)++;
}

static void *post_all(void *argument)
{
    struct poster *poster = argument;

    for (unsigned i = 0; i < POSTS; i++) {
        poster->posts[i] = (struct posted){.poster = poster, .number = i, .task.run = on_posted};
        loop_post(poster->loop, &poster->posts[i].task);
    }
    return NULL;
}

static void posts_of_other_threads_keep_their_order(void **state)
{
    struct poster *posters = calloc(THREADS, sizeof(*posters));
    struct loop *loop;
    unsigned total = 0;

    (void)state;
    assert_int_equal(loop_create(&loop), 0);
    for (unsigned i = 0; i < THREADS; i++) {
        posters[i].loop = loop;
        posters[i].total = &total;
        assert_int_equal(pthread_create(&posters[i].thread, NULL, post_all, &posters[i]), 0);
    }
    while (total < THREADS * POSTS) {
        struct pollfd poll_one = {.fd = loop_backend_fd(loop), .events = POLLIN};
        loop_turn(loop);
        if (total < THREADS * POSTS)
            assert_int_equal(poll(&poll_one, 1, 5000), 1);
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(posters[i].thread, NULL);
    loop_turn(loop);
    assert_int_equal(total, THREADS * POSTS);
    loop_destroy(loop);
    free(posters);
}

static void on_attention(struct loop *loop, void *user)
{
    unsigned *count = user;

    (void)loop;
    (*count)++;
}

static void attention_is_asked_once_a_turn(void **state)
{
    struct piece pieces[2] = {0};
    struct alarm alarm = {0};
    struct loop *loop;
    unsigned asked = 0;

    (void)state;
    assert_int_equal(loop_create(&loop), 0);
    loop_turn(loop);
    loop_set_attention(loop, on_attention, &asked);
    for (unsigned i = 0; i < 2; i++) {
        pieces[i].loop = loop;
        loop_work_init(&pieces[i].work, on_piece);
    }
    loop_work_add(loop, &pieces[0].work);
    loop_work_add(loop, &pieces[1].work);
    assert_int_equal(asked, 1);
    loop_turn(loop);
    assert_int_equal(asked, 1);
    loop_work_add(loop, &pieces[0].work);
    assert_int_equal(asked, 2);
    loop_turn(loop);
    set_alarm(&alarm, loop, loop_now(loop) + 3600 * HERALD_SECOND);
    assert_int_equal(asked, 3);
    loop_turn(loop);
    assert_in_range(loop_backend_timeout(loop), 3500 * 1000, 3601 * 1000);
    set_alarm(&alarm, loop, loop_now(loop) + HERALD_MILLISECOND);
    assert_int_equal(asked, 4);
    loop_turn(loop);
    assert_in_range(loop_backend_timeout(loop), 0, 3);
    loop_timer_stop(loop, &alarm.timer);
    loop_destroy(loop);
}

struct stopper {
    struct loop_timer timer;
    struct loop *loop;
    unsigned ticks;
};

static void on_tick(struct loop_timer *timer, herald_time now)
{
    struct stopper *stopper = CONTAINER_OF(timer, struct stopper, timer);

    if (++stopper->ticks == 5)
        loop_stop(stopper->loop);
    loop_timer_set(stopper->loop, timer, now + HERALD_MILLISECOND);
}

static void stop_ends_run(void **state)
{
    struct stopper stopper = {.timer.expired = on_tick};
    struct loop *loop;

    (void)state;
    assert_int_equal(loop_create(&loop), 0);
    stopper.loop = loop;
    loop_timer_set(loop, &stopper.timer, loop_now(loop));
    loop_run(loop);
    assert_int_equal(stopper.ticks, 5);
    loop_timer_stop(loop, &stopper.timer);
    loop_destroy(loop);
}

static void the_clock_is_read_once_a_turn(void **state)
{
    struct loop *loop;

    (void)state;
    assert_int_equal(loop_create(&loop), 0);
    herald_time first = loop_now(loop);
    while (uv_hrtime() == first)
        ;
    assert_true(loop_now(loop) > first);
    loop_destroy(loop);
}

struct slow_work {
    struct loop_work work;
    struct loop *loop;
    struct alarm alarm;
};

static void on_slow_work(struct loop_work *work, herald_time now)
{
    struct slow_work *slow = CONTAINER_OF(work, struct slow_work, work);

    while (uv_hrtime() < now + 20 * HERALD_MILLISECOND)
        ;
    set_alarm(&slow->alarm, slow->loop, now + HERALD_MILLISECOND);
}

static void on_poll(uv_poll_t *watch, int status, int events)
{
    struct slow_work *slow = watch->data;

    (void)status;
    (void)events;
    /* A reading of the clock that the work after the poll shares. */
    loop_now(slow->loop);
    loop_work_add(slow->loop, &slow->work);
    uv_poll_stop(watch);
}

static void a_deadline_that_passes_in_a_long_turn_fires_once(void **state)
{
    struct slow_work slow = {0};
    uv_poll_t watch = {.data = &slow};
    int ends[2];

    (void)state;
    assert_int_equal(loop_create(&slow.loop), 0);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "x", 1), 1);
    loop_work_init(&slow.work, on_slow_work);
    assert_int_equal(uv_poll_init(slow.loop->uv, &watch, ends[0]), 0);
    assert_int_equal(uv_poll_start(&watch, UV_READABLE, on_poll), 0);
    alarm(10); /* it used to call the timer for ever */
    loop_run(slow.loop);
    alarm(0);
    assert_int_equal(slow.alarm.count, 1);
    uv_close((uv_handle_t *)&watch, NULL);
    loop_destroy(slow.loop);
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(create_and_destroy),
        cmocka_unit_test(timers_fire_in_order_and_not_early),
        cmocka_unit_test(a_timer_can_move),
        cmocka_unit_test(work_runs_once_a_pass),
        cmocka_unit_test(work_is_done_by_loop_run_too),
        cmocka_unit_test(posts_of_other_threads_keep_their_order),
        cmocka_unit_test(attention_is_asked_once_a_turn),
        cmocka_unit_test(stop_ends_run),
        cmocka_unit_test(the_clock_is_read_once_a_turn),
        cmocka_unit_test(a_deadline_that_passes_in_a_long_turn_fires_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
