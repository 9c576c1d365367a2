#include "client/fake_engine.h"
#include "support/check.h"
#include "support/failmalloc.h"
#include <stdio.h>

#define RUN_LIMIT (5 * HERALD_SECOND)

static const struct engine *const http1_only[] = {&fake_http1};
static const struct engine *const http2_only[] = {&fake_http2};

/* One request and what has been seen of it. */
struct asked {
    struct client_request *request;
    unsigned informed, heads, pushed, closed;
    int reason;
    char body[64], error[256];
    bool accept_pushes, release_on_head, start_another;
    struct asked *promised; /* where a pushed response is noted */
    struct world *world;
};

struct world {
    struct loop *loop;
    struct fake_server server;
    struct client *client;
    struct client_config config;
    struct loop_timer guard;
    bool timed_out;
};

static void guard_expired(struct loop_timer *timer, herald_time now)
{
    struct world *world = CONTAINER_OF(timer, struct world, guard);

    (void)now;
    world->timed_out = true;
    loop_stop(world->loop);
}

static void open_world(struct world *world, const struct engine *const *engines)
{
    *world = (struct world){.guard = {.expired = guard_expired}};
    fake_reset();
    assert_int_equal(loop_create(&world->loop), 0);
    fake_server_open(&world->server, world->loop);
    world->config = (struct client_config){
        .loop = world->loop, .engines = engines, .engine_count = 1, .push = true};
}

static void start_client(struct world *world)
{
    world->client = client_create(&world->config);
    assert_non_null(world->client);
}

static void close_world(struct world *world)
{
    client_destroy(world->client);
    loop_timer_stop(world->loop, &world->guard);
    fake_server_close(&world->server);
    loop_destroy(world->loop);
}

/* Turns until `done` says so. */
static void run_until(struct world *world, bool (*done)(void *user), void *user)
{
    world->timed_out = false;
    assert_int_equal(loop_timer_set(world->loop, &world->guard, loop_now(world->loop) + RUN_LIMIT),
                     0);
    while (!done(user) && !world->timed_out) {
        loop_turn(world->loop);
        if (!done(user))
            uv_sleep(1);
    }
    loop_timer_stop(world->loop, &world->guard);
    assert_false(world->timed_out);
}

static bool is_closed(void *user)
{
    return ((struct asked *)user)->closed > 0;
}

static bool all_closed(void *user)
{
    /* Ends with one that has no world. */
    for (struct asked *asked = user; asked->world != NULL; asked++)
        if (asked->closed == 0)
            return false;
    return true;
}

static bool no_connections(void *user)
{
    return client_connection_count(((struct world *)user)->client) == 0;
}

/* ---- events ---- */

static void ask(struct world *world, struct asked *asked, const char *path);

static void on_informational(struct client_request *request, const struct message *message)
{
    assert_int_equal(message->status, 103);
    ((struct asked *)request->user)->informed++;
}

static void on_head(struct client_request *request)
{
    struct asked *asked = request->user;

    asked->heads++;
    assert_int_equal(request->exchange->incoming.status, 200);
    if (asked->release_on_head) {
        asked->request = NULL;
        asked->closed++;
        client_request_release(request);
    }
}

static void on_readable(struct client_request *request)
{
    struct asked *asked = request->user;
    size_t length = strlen(asked->body);

    length += exchange_read(request->exchange, (uint8_t *)asked->body + length,
                            sizeof(asked->body) - 1 - length);
    asked->body[length] = 0;
}

static const struct client_events events;

static bool on_pushed(struct client_request *request, struct client_request *promised)
{
    struct asked *asked = request->user;

    asked->pushed++;
    assert_true(promised->is_pushed);
    if (!asked->accept_pushes)
        return false;
    asked->promised->request = promised;
    promised->events = &events;
    promised->user = asked->promised;
    return true;
}

static void on_closed(struct client_request *request, int reason)
{
    struct asked *asked = request->user;

    asked->closed++;
    asked->reason = reason;
    snprintf(asked->error, sizeof(asked->error), "%s", client_request_error(request));
    if (asked->start_another) {
        asked->start_another = false;
        asked->closed = 0;
        client_request_release(request);
        ask(asked->world, asked, "/another");
    }
}

static const struct client_events events = {.informational = on_informational,
                                            .head = on_head,
                                            .readable = on_readable,
                                            .pushed = on_pushed,
                                            .closed = on_closed};

static struct client_request_options options_for(struct world *world, struct asked *asked,
                                                 const char *path)
{
    asked->world = world;
    return (struct client_request_options){.target = {.scheme = "http",
                                                      .host = "example.org",
                                                      .port = 80,
                                                      .unix_path = world->server.path},
                                           .message = {.method = SPAN_LITERAL("GET"),
                                                       .scheme = SPAN_LITERAL("http"),
                                                       .authority = SPAN_LITERAL("example.org"),
                                                       .path = span_from_text(path)},
                                           .events = &events,
                                           .user = asked};
}

static void ask(struct world *world, struct asked *asked, const char *path)
{
    struct client_request_options options = options_for(world, asked, path);

    assert_int_equal(client_request_start(world->client, &options, &asked->request), 0);
}

static void release_all(struct asked *asked)
{
    for (; asked->world != NULL; asked++)
        if (asked->request != NULL) {
            client_request_release(asked->request);
            asked->request = NULL;
        }
}

/* ---- tests ---- */

static void one_after_the_other_over_one_connection(void **state)
{
    struct world world;
    struct asked first = {0}, second = {0};

    (void)state;
    open_world(&world, http1_only);
    start_client(&world);
    ask(&world, &first, "/1");
    assert_int_equal(first.closed, 0);
    run_until(&world, is_closed, &first);
    assert_int_equal(first.reason, 0);
    assert_int_equal(first.heads, 1);
    assert_string_equal(first.body, "body");
    client_request_release(first.request);
    ask(&world, &second, "/2");
    run_until(&world, is_closed, &second);
    client_request_release(second.request);
    assert_string_equal(fake.order, "/1#1 /2#1 ");
    assert_int_equal(client_connection_count(world.client), 1);
    close_world(&world);
}

static void http1_gets_more_connections_up_to_the_limit(void **state)
{
    struct world world;
    struct asked asked[11] = {0};

    (void)state;
    open_world(&world, http1_only);
    world.config.connections_http1 = 3;
    start_client(&world);
    for (unsigned i = 0; i < 10; i++)
        ask(&world, &asked[i], "/");
    /* A connection is free again when its request has been released. */
    for (unsigned i = 0; i < 10; i++) {
        run_until(&world, is_closed, &asked[i]);
        assert_int_equal(asked[i].reason, 0);
        client_request_release(asked[i].request);
    }
    assert_int_equal(fake.requests, 10);
    assert_int_equal(fake.created, 3);
    close_world(&world);
}

static void multiplexed_requests_share_one_connection(void **state)
{
    struct world world;
    struct asked asked[21] = {0};

    (void)state;
    open_world(&world, http2_only);
    fake.streams = 8;
    start_client(&world);
    for (unsigned i = 0; i < 20; i++)
        ask(&world, &asked[i], "/");
    for (unsigned i = 0; i < 20; i++) {
        run_until(&world, is_closed, &asked[i]);
        client_request_release(asked[i].request);
    }
    assert_int_equal(fake.created, 1);
    assert_int_equal(fake.requests, 20);
    close_world(&world);
}

static void other_targets_have_other_connections(void **state)
{
    struct world world;
    struct asked asked[3] = {0};
    struct client_request_options options;

    (void)state;
    open_world(&world, http2_only);
    fake.streams = 8;
    start_client(&world);
    ask(&world, &asked[0], "/");
    options = options_for(&world, &asked[1], "/");
    options.target.host = "other.example";
    assert_int_equal(client_request_start(world.client, &options, &asked[1].request), 0);
    run_until(&world, all_closed, asked);
    assert_int_equal(fake.created, 2);
    release_all(asked);
    close_world(&world);
}

static void a_total_limit_closes_idle_connections_of_others(void **state)
{
    struct world world;
    struct asked asked[3] = {0};
    struct client_request_options options;

    (void)state;
    open_world(&world, http2_only);
    world.config.connections_total = 1;
    start_client(&world);
    ask(&world, &asked[0], "/");
    run_until(&world, is_closed, &asked[0]);
    options = options_for(&world, &asked[1], "/");
    options.target.host = "other.example";
    assert_int_equal(client_request_start(world.client, &options, &asked[1].request), 0);
    run_until(&world, is_closed, &asked[1]);
    assert_int_equal(asked[1].reason, 0);
    assert_int_equal(fake.created, 2);
    assert_int_equal(client_connection_count(world.client), 1);
    release_all(asked);
    close_world(&world);
}

static void refused_requests_are_repeated_three_times(void **state)
{
    struct world world;
    struct asked good = {0}, bad = {0};

    (void)state;
    open_world(&world, http2_only);
    fake.streams = 8;
    fake.refuse = 3;
    start_client(&world);
    ask(&world, &good, "/");
    run_until(&world, is_closed, &good);
    assert_int_equal(good.reason, 0);
    assert_int_equal(good.request->attempts, 4);
    client_request_release(good.request);

    fake.refuse = 100;
    fake.requests = 0;
    ask(&world, &bad, "/");
    run_until(&world, is_closed, &bad);
    assert_int_equal(bad.reason, HERALD_ERROR_REFUSED);
    assert_int_equal(fake.requests, 4);
    client_request_release(bad.request);
    close_world(&world);
}

static void check_drop(const char *method, bool never_retry, int expected)
{
    struct world world;
    struct asked first = {0}, second = {0};
    struct client_request_options options;

    open_world(&world, http1_only);
    start_client(&world);
    ask(&world, &first, "/");
    run_until(&world, is_closed, &first);
    client_request_release(first.request);
    fake.drop_reused = 1;
    options = options_for(&world, &second, "/");
    options.message.method = span_from_text(method);
    options.never_retry = never_retry;
    assert_int_equal(client_request_start(world.client, &options, &second.request), 0);
    run_until(&world, is_closed, &second);
    assert_int_equal(second.reason, expected);
    client_request_release(second.request);
    close_world(&world);
}

static void a_kept_connection_that_ends_is_replaced_for_idempotent_methods(void **state)
{
    (void)state;
    check_drop("GET", false, 0);
    check_drop("PUT", false, 0);
    check_drop("POST", false, HERALD_ERROR_CLOSED);
    check_drop("GET", true, HERALD_ERROR_CLOSED);
}

static void a_connection_that_cannot_be_made_fails_all_that_wait(void **state)
{
    struct world world;
    struct asked asked[4] = {0};

    (void)state;
    open_world(&world, http1_only);
    start_client(&world);
    for (unsigned i = 0; i < 3; i++) {
        struct client_request_options options = options_for(&world, &asked[i], "/");
        options.target.unix_path = "/nonexistent/herald.sock";
        assert_int_equal(client_request_start(world.client, &options, &asked[i].request), 0);
    }
    run_until(&world, all_closed, asked);
    for (unsigned i = 0; i < 3; i++) {
        assert_true(asked[i].reason < 0);
        assert_non_null(strstr(asked[i].error, "unix:/nonexistent/herald.sock: "));
    }
    release_all(asked);
    run_until(&world, no_connections, &world);
    close_world(&world);
}

static void deadlines(void **state)
{
    struct world world;
    struct asked waiting[2] = {0}, first[2] = {0}, whole[2] = {0};
    struct client_request_options options;

    (void)state;
    open_world(&world, http2_only);
    fake.streams = 2;
    fake.silent = true;
    start_client(&world);
    options = options_for(&world, &first[0], "/");
    options.first_byte_timeout = 20 * HERALD_MILLISECOND;
    assert_int_equal(client_request_start(world.client, &options, &first[0].request), 0);
    options = options_for(&world, &whole[0], "/");
    options.total_timeout = 30 * HERALD_MILLISECOND;
    assert_int_equal(client_request_start(world.client, &options, &whole[0].request), 0);
    options = options_for(&world, &waiting[0], "/");
    options.connect_timeout = 10 * HERALD_MILLISECOND;
    assert_int_equal(client_request_start(world.client, &options, &waiting[0].request), 0);
    run_until(&world, all_closed, waiting);
    run_until(&world, all_closed, first);
    run_until(&world, all_closed, whole);
    assert_int_equal(waiting[0].reason, HERALD_ERROR_TIMEOUT);
    assert_string_equal(waiting[0].error, "no connection in time");
    assert_string_equal(first[0].error, "no response in time");
    assert_string_equal(whole[0].error, "the time for the whole request is over");
    assert_int_equal(fake.cancelled, 2);
    release_all(waiting);
    release_all(first);
    release_all(whole);
    close_world(&world);
}

static void a_body_without_end_meets_the_total_deadline(void **state)
{
    struct world world;
    struct asked asked[2] = {0};
    struct client_request_options options;

    (void)state;
    open_world(&world, http2_only);
    fake.endless = true;
    start_client(&world);
    options = options_for(&world, &asked[0], "/");
    options.total_timeout = 20 * HERALD_MILLISECOND;
    assert_int_equal(client_request_start(world.client, &options, &asked[0].request), 0);
    run_until(&world, all_closed, asked);
    assert_int_equal(asked[0].reason, HERALD_ERROR_TIMEOUT);
    assert_int_equal(asked[0].heads, 1);
    release_all(asked);
    close_world(&world);
}

static void interim_responses_are_shown_and_limited(void **state)
{
    struct world world;
    struct asked few[2] = {0}, many[2] = {0};

    (void)state;
    open_world(&world, http1_only);
    fake.inform = 2;
    start_client(&world);
    ask(&world, &few[0], "/");
    run_until(&world, all_closed, few);
    assert_int_equal(few[0].informed, 2);
    assert_int_equal(few[0].reason, 0);
    release_all(few);
    fake.inform = 1000000;
    ask(&world, &many[0], "/");
    run_until(&world, all_closed, many);
    assert_int_equal(many[0].reason, HERALD_ERROR_LIMIT);
    assert_int_equal(many[0].informed, limits_default.informational_count);
    release_all(many);
    close_world(&world);
}

static void idle_connections_end(void **state)
{
    struct world world;
    struct asked asked[2] = {0};

    (void)state;
    open_world(&world, http1_only);
    world.config.idle_timeout = 20 * HERALD_MILLISECOND;
    start_client(&world);
    ask(&world, &asked[0], "/");
    run_until(&world, all_closed, asked);
    release_all(asked);
    assert_int_equal(client_connection_count(world.client), 1);
    fake_server_hang_up(&world.server);
    run_until(&world, no_connections, &world);
    close_world(&world);
}

static void pushes_are_accepted_refused_and_checked(void **state)
{
    struct world world;
    struct asked taken[2] = {0}, promised[2] = {0}, refused[2] = {0}, foreign[2] = {0};

    (void)state;
    open_world(&world, http2_only);
    fake.streams = 8;
    fake.pushes = 1;
    start_client(&world);
    taken[0].accept_pushes = true;
    taken[0].promised = &promised[0];
    promised[0].world = &world;
    ask(&world, &taken[0], "/");
    run_until(&world, all_closed, taken);
    run_until(&world, all_closed, promised);
    assert_string_equal(promised[0].body, "body");
    assert_int_equal(fake.promised_accepted, 1);
    release_all(taken);
    release_all(promised);

    ask(&world, &refused[0], "/");
    run_until(&world, all_closed, refused);
    assert_int_equal(refused[0].pushed, 1);
    assert_int_equal(refused[0].reason, 0);
    assert_int_equal(fake.promised_refused, 1);
    release_all(refused);

    fake.authority = "elsewhere.example";
    foreign[0].accept_pushes = true;
    ask(&world, &foreign[0], "/");
    run_until(&world, all_closed, foreign);
    assert_int_equal(foreign[0].pushed, 0);
    assert_int_equal(fake.promised_refused, 2);
    release_all(foreign);
    close_world(&world);
}

static void events_may_release_and_start(void **state)
{
    struct world world;
    struct asked leaving[2] = {0}, chained[2] = {0};

    (void)state;
    open_world(&world, http2_only);
    fake.streams = 8;
    start_client(&world);
    leaving[0].release_on_head = true;
    ask(&world, &leaving[0], "/");
    run_until(&world, all_closed, leaving);
    chained[0].start_another = true;
    ask(&world, &chained[0], "/");
    run_until(&world, all_closed, chained);
    assert_non_null(strstr(fake.order, "/another#"));
    release_all(chained);
    close_world(&world);
}

static void cancelled_requests_are_quiet(void **state)
{
    struct world world;
    struct asked waiting[2] = {0}, running[2] = {0}, last[2] = {0};

    (void)state;
    open_world(&world, http2_only);
    fake.silent = true;
    start_client(&world);
    ask(&world, &running[0], "/");
    ask(&world, &waiting[0], "/");
    for (unsigned i = 0; i < 20; i++)
        loop_turn(world.loop);
    client_request_cancel(waiting[0].request, HERALD_ERROR_CANCELLED);
    client_request_cancel(running[0].request, HERALD_ERROR_CANCELLED);
    release_all(waiting);
    release_all(running);
    fake.silent = false;
    ask(&world, &last[0], "/");
    run_until(&world, all_closed, last);
    assert_int_equal(waiting[0].closed + running[0].closed, 0);
    assert_int_equal(last[0].reason, 0);
    release_all(last);
    close_world(&world);
}

static void destroying_ends_everything(void **state)
{
    struct world world;
    struct asked asked[4] = {0};

    (void)state;
    open_world(&world, http1_only);
    world.config.connections_http1 = 2;
    fake.silent = true;
    start_client(&world);
    for (unsigned i = 0; i < 3; i++)
        ask(&world, &asked[i], "/");
    for (unsigned i = 0; i < 20; i++)
        loop_turn(world.loop);
    client_destroy(world.client);
    world.client = NULL;
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(asked[i].closed, 1);
        assert_int_equal(asked[i].reason, HERALD_ERROR_CANCELLED);
        assert_null(client_request_connection(asked[i].request));
    }
    release_all(asked);
    close_world(&world);
}

static void shutting_down_waits_for_what_runs(void **state)
{
    struct world world;
    struct asked asked[2] = {0}, late = {0};
    struct client_request_options options;

    (void)state;
    open_world(&world, http2_only);
    start_client(&world);
    ask(&world, &asked[0], "/");
    client_shutdown(world.client);
    options = options_for(&world, &late, "/");
    assert_int_equal(client_request_start(world.client, &options, &late.request),
                     HERALD_ERROR_STATE);
    run_until(&world, all_closed, asked);
    assert_int_equal(asked[0].reason, 0);
    release_all(asked);
    for (unsigned i = 0; i < 10; i++)
        loop_turn(world.loop);
    fake_server_hang_up(&world.server);
    run_until(&world, no_connections, &world);
    assert_int_equal(fake.shutdowns, 1);
    close_world(&world);
}

static void the_queue_is_bounded_and_targets_are_checked(void **state)
{
    struct world world;
    struct asked asked[4] = {0}, extra = {0};
    struct client_request_options options;

    (void)state;
    open_world(&world, http1_only);
    world.config.queue_length = 3;
    start_client(&world);
    for (unsigned i = 0; i < 3; i++)
        ask(&world, &asked[i], "/");
    options = options_for(&world, &extra, "/");
    assert_int_equal(client_request_start(world.client, &options, &extra.request),
                     HERALD_ERROR_LIMIT);
    options.target.scheme = "https";
    assert_int_equal(client_request_start(world.client, &options, &extra.request),
                     HERALD_ERROR_UNSUPPORTED);
    options.target.scheme = "gopher";
    assert_int_equal(client_request_start(world.client, &options, &extra.request),
                     HERALD_ERROR_INVALID);
    options = options_for(&world, &extra, "/ x");
    options.target.host = "other.example";
    assert_int_equal(client_request_start(world.client, &options, &extra.request),
                     HERALD_ERROR_INVALID);
    release_all(asked);
    close_world(&world);
}

static bool three_requests(void *user)
{
    struct world world = {.guard = {.expired = guard_expired}};
    struct asked asked[4] = {0};

    (void)user;
    fake_reset();
    fake.streams = 2;
    fake.pushes = 1;
    /* The loop and the test's own server are not what is tested. */
    if (loop_create(&world.loop) != 0)
        return true;
    fake_server_open(&world.server, world.loop);
    world.config = (struct client_config){.loop = world.loop,
                                          .engines = http2_only,
                                          .engine_count = 1,
                                          .push = true,
                                          .connect_timeout = HERALD_SECOND / 10};
    world.client = client_create(&world.config);
    for (unsigned i = 0; world.client != NULL && i < 3; i++) {
        struct client_request_options options = options_for(&world, &asked[i], "/");
        options.total_timeout = HERALD_SECOND / 5;
        if (client_request_start(world.client, &options, &asked[i].request) != 0) {
            asked[i].request = NULL;
            asked[i].closed = 1;
        }
    }
    for (unsigned turns = 0; world.client != NULL && turns < 40 && !all_closed(asked); turns++)
        loop_turn(world.loop);
    release_all(asked);
    client_destroy(world.client);
    fake_server_close(&world.server);
    loop_destroy(world.loop);
    return true;
}

static void leaks_nothing_when_allocations_fail(void **state)
{
    (void)state;
    assert_true(failmalloc_each(three_requests, NULL, 2000) > 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_after_the_other_over_one_connection),
        cmocka_unit_test(http1_gets_more_connections_up_to_the_limit),
        cmocka_unit_test(multiplexed_requests_share_one_connection),
        cmocka_unit_test(other_targets_have_other_connections),
        cmocka_unit_test(a_total_limit_closes_idle_connections_of_others),
        cmocka_unit_test(refused_requests_are_repeated_three_times),
        cmocka_unit_test(a_kept_connection_that_ends_is_replaced_for_idempotent_methods),
        cmocka_unit_test(a_connection_that_cannot_be_made_fails_all_that_wait),
        cmocka_unit_test(deadlines),
        cmocka_unit_test(a_body_without_end_meets_the_total_deadline),
        cmocka_unit_test(interim_responses_are_shown_and_limited),
        cmocka_unit_test(idle_connections_end),
        cmocka_unit_test(pushes_are_accepted_refused_and_checked),
        cmocka_unit_test(events_may_release_and_start),
        cmocka_unit_test(cancelled_requests_are_quiet),
        cmocka_unit_test(destroying_ends_everything),
        cmocka_unit_test(shutting_down_waits_for_what_runs),
        cmocka_unit_test(the_queue_is_bounded_and_targets_are_checked),
        cmocka_unit_test(leaks_nothing_when_allocations_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
