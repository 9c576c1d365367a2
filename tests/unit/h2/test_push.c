/* Server push: promises in their place, streams that follow, limits. */
#include "h2/harness.h"

static unsigned pushes_accepted;
static int last_push;

static int push(struct exchange *exchange, const char *path)
{
    struct message request = {.method = SPAN_LITERAL("GET"),
                              .path = span_from_text(path),
                              .content_length = CONTENT_LENGTH_UNKNOWN};
    return exchange_push(exchange, &request);
}

/* 103, two promises, 103, the page; each promised one gets "hello". */
static void page(struct host *host, struct exchange *exchange)
{
    static const struct field link = {SPAN_LITERAL("link"), SPAN_LITERAL("</a.css>"), 0, 0};
    if (exchange->is_pushed) {
        host_hello(host, exchange);
        return;
    }
    assert_int_equal(exchange_inform(exchange, 103, &link, 1), 0);
    assert_true(exchange_can_push(exchange));
    assert_int_equal(push(exchange, "/a.css"), 0);
    assert_int_equal(push(exchange, "/b.js"), 0);
    host_hello(host, exchange);
}

static void promises_come_before_the_response(void **state)
{
    (void)state;
    struct raw raw;
    raw_open(&raw, CONN_SERVER);
    raw.host.answer = page;
    raw_get(&raw, 1);
    assert_int_equal(raw_flush(&raw), 0);
    assert_int_equal(raw.frames[0].frame.type, H2_HEADERS);
    assert_int_equal(raw.frames[0].status, 103);
    assert_int_equal(raw.frames[1].frame.type, H2_PUSH_PROMISE);
    assert_int_equal(raw.frames[1].frame.stream_id, 1);
    assert_int_equal(h2_get32(raw_payload(&raw, &raw.frames[1])), 2);
    assert_int_equal(h2_get32(raw_payload(&raw, &raw.frames[2])), 4);
    assert_int_equal(raw.frames[3].frame.stream_id, 1);
    assert_int_equal(raw.frames[3].status, 200);
    assert_int_equal(raw_body(&raw, 2), 5);
    assert_int_equal(raw_body(&raw, 4), 5);
    assert_true(raw_ended(&raw, 2) && raw_ended(&raw, 4) && raw_ended(&raw, 1));
    assert_int_equal(raw.host.dispatched, 3);
    assert_int_equal(raw.host.completed, 3);
    raw_close(&raw);
}

static void try_push(struct host *host, struct exchange *exchange)
{
    if (!exchange->is_pushed) {
        pushes_accepted = 0;
        while ((last_push = push(exchange, "/x")) == 0)
            pushes_accepted++;
        host_hello(host, exchange);
        return;
    }
    assert_int_equal(push(exchange, "/y"), HERALD_ERROR_UNSUPPORTED);
    host_keep(host, exchange);
}

static void pushes_are_limited(void **state)
{
    (void)state;
    struct raw raw;
    raw_open(&raw, CONN_SERVER);
    raw.host.answer = try_push;
    raw_get(&raw, 1);
    raw_flush(&raw);
    assert_int_equal(pushes_accepted, raw.limits.pushes_concurrent);
    assert_int_equal(last_push, HERALD_ERROR_LIMIT);
    raw_get(&raw, 3);
    raw_flush(&raw);
    assert_int_equal(pushes_accepted, 0);
    raw_close(&raw);
}

static void pushes_can_be_off(void **state)
{
    (void)state;
    for (unsigned variant = 0; variant < 2; variant++) {
        struct raw raw;
        raw_open(&raw, CONN_SERVER);
        raw.host.answer = try_push;
        raw_setting(&raw, variant == 0 ? H2_SETTING_ENABLE_PUSH : H2_SETTING_MAX_CONCURRENT_STREAMS,
                    0);
        raw_get(&raw, 1);
        raw_flush(&raw);
        assert_int_equal(last_push, HERALD_ERROR_UNSUPPORTED);
        assert_int_equal(raw_status(&raw, 1), 200);
        raw_close(&raw);
    }
}

static struct exchange *kept;

static void push_and_keep(struct host *host, struct exchange *exchange)
{
    if (!exchange->is_pushed) {
        assert_int_equal(push(exchange, "/x"), 0);
        host_hello(host, exchange);
        return;
    }
    kept = exchange;
    host_keep(host, exchange);
}

static void client_resets_a_push(void **state)
{
    (void)state;
    struct raw raw;
    raw_open(&raw, CONN_SERVER);
    raw.host.answer = push_and_keep;
    raw_get(&raw, 1);
    raw_flush(&raw);
    assert_int_equal(raw.host.dispatched, 2);
    raw_rst(&raw, 2, H2_CANCEL);
    assert_int_equal(raw_flush(&raw), 0);
    assert_int_equal(raw.host.closed, 1);
    assert_int_equal(raw.host.closed_reason, HERALD_ERROR_CANCELLED);
    /* Its limit is free again. */
    assert_int_equal(h2_of(raw.conn)->promised, 0);
    raw_close(&raw);
}

/* A browser that refuses every push is no attacker. */
static void refused_pushes_cost_nothing(void **state)
{
    (void)state;
    struct raw raw;
    raw_open(&raw, CONN_SERVER);
    raw.host.answer = push_and_keep;
    for (uint32_t i = 0; i < 1000; i++) {
        raw_get(&raw, 1 + 2 * i);
        assert_int_equal(raw_flush(&raw), 0);
        raw_rst(&raw, 2 + 2 * i, H2_CANCEL);
        assert_int_equal(raw_flush(&raw), 0);
        raw_forget(&raw);
    }
    raw_close(&raw);
}

static void push_two(struct host *host, struct exchange *exchange)
{
    if (exchange->is_pushed) {
        host_send(exchange, 20);
        return;
    }
    assert_int_equal(push(exchange, "/x"), 0);
    assert_int_equal(push(exchange, "/y"), 0);
    host_hello(host, exchange);
}

/* The client allows one pushed stream at a time: the second begins when the first has ended. */
static void keeps_to_the_clients_stream_limit(void **state)
{
    (void)state;
    struct raw raw;
    raw_open(&raw, CONN_SERVER);
    raw.host.answer = push_two;
    raw_setting(&raw, H2_SETTING_MAX_CONCURRENT_STREAMS, 1);
    raw_setting(&raw, H2_SETTING_INITIAL_WINDOW_SIZE, 10);
    raw_get(&raw, 1);
    raw_flush(&raw);
    assert_int_equal(raw_count(&raw, H2_PUSH_PROMISE, 1), 2);
    assert_int_equal(raw_status(&raw, 2), 200);
    assert_int_equal(raw_status(&raw, 4), 0);
    raw_window(&raw, 2, 10);
    raw_flush(&raw);
    assert_true(raw_ended(&raw, 2));
    assert_int_equal(raw_status(&raw, 4), 200);
    raw_close(&raw);
}

static void parent_goes_before_it_is_written(void **state)
{
    (void)state;
    struct raw raw;
    raw_open(&raw, CONN_SERVER);
    raw.host.answer = push_two;
    raw_get(&raw, 1);
    raw_rst(&raw, 1, H2_CANCEL);
    raw_flush_bytewise(&raw); /* the handler answers before the reset is read */
    assert_null(raw_find(&raw, H2_PUSH_PROMISE, 1));
    assert_int_equal(raw.conn->promises_queued, 0);
    assert_int_equal(raw.host.dispatched, 1);
    raw_close(&raw);
}

static void send_large(struct host *host, struct exchange *exchange)
{
    if (!exchange->is_pushed)
        assert_int_equal(push(exchange, "/x"), 0);
    (void)host;
    host_send(exchange, 60000);
}

/* A pushed body does not delay its parent's. */
static void parent_goes_first(void **state)
{
    (void)state;
    struct raw raw;
    raw_open(&raw, CONN_SERVER);
    raw.host.answer = send_large;
    raw_window(&raw, 0, 1000000);
    raw_get(&raw, 1);
    raw_flush(&raw);
    bool parent_ended = false;
    for (size_t i = 0; i < raw.count; i++) {
        const struct h2_frame *frame = &raw.frames[i].frame;
        if (frame->type == H2_DATA && frame->stream_id == 1)
            parent_ended = (frame->flags & H2_FLAG_END_STREAM) != 0;
        if (frame->type == H2_DATA && frame->stream_id == 2)
            assert_true(parent_ended);
    }
    assert_int_equal(raw_body(&raw, 2), 60000);
    raw_close(&raw);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(promises_come_before_the_response),
        cmocka_unit_test(pushes_are_limited),
        cmocka_unit_test(pushes_can_be_off),
        cmocka_unit_test(client_resets_a_push),
        cmocka_unit_test(refused_pushes_cost_nothing),
        cmocka_unit_test(keeps_to_the_clients_stream_limit),
        cmocka_unit_test(parent_goes_before_it_is_written),
        cmocka_unit_test(parent_goes_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
