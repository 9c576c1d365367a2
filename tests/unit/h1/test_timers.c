/* Deadlines on a clock that the test moves. */
#include "h1/harness.h"

#define SECONDS(count) ((count)*HERALD_SECOND)
#define NEXT           "GET /next HTTP/1.1\r\nHost: a\r\n\r\n"

static void start(struct harness *harness, enum handler_kind kind, const char *text)
{
    harness_init(harness, kind);
    harness_open(harness);
    (void)harness_exchange(harness, text);
}

static void test_head(void **state)
{
    struct harness harness;

    (void)state;
    /* Nothing came: no answer to nobody. */
    start(&harness, HANDLER_ECHO, "");
    harness_advance(&harness, harness.server, SECONDS(9));
    assert_false(harness.server->finished);
    harness_advance(&harness, harness.server, SECONDS(2));
    harness_pull(&harness);
    assert_true(harness.server->finished);
    assert_string_equal(harness_output(&harness), "");
    assert_int_equal(harness.server_result, 0);
    harness_close(&harness);

    /* A total for the head: a byte now and then does not move it (SL-01). */
    start(&harness, HANDLER_ECHO, "GET / HTTP/1.1\r\n");
    for (unsigned i = 0; i < 9; i++) {
        harness_advance(&harness, harness.server, SECONDS(1));
        harness_feed(&harness, SPAN_LITERAL("A: b\r\n"));
        assert_int_equal(harness.server_result, 0);
    }
    harness_advance(&harness, harness.server, SECONDS(1));
    harness_pull(&harness);
    assert_int_equal(harness.server_result, HERALD_ERROR_TIMEOUT);
    assert_non_null(strstr(harness_output(&harness), "HTTP/1.1 408 "));
    assert_true(harness.server->finished);
    harness_close(&harness);
}

static void test_idle(void **state)
{
    struct harness harness;

    (void)state;
    start(&harness, HANDLER_ECHO, NEXT);
    buf_clear(&harness.output);
    harness_advance(&harness, harness.server, SECONDS(59));
    assert_false(harness.server->finished);
    (void)harness_exchange(&harness, NEXT);
    buf_clear(&harness.output);
    harness_advance(&harness, harness.server, SECONDS(59));
    assert_false(harness.server->finished);
    harness_advance(&harness, harness.server, SECONDS(2));
    harness_pull(&harness);
    assert_true(harness.server->finished);
    assert_string_equal(harness_output(&harness), "");
    harness_close(&harness);

    /* While a handler works there is nothing to wait for. */
    start(&harness, HANDLER_HOLD, NEXT);
    assert_true(harness.server->ops->deadline(harness.server) == HERALD_NEVER);
    harness_close(&harness);
}

/* SL-02: 500 bytes a second once the grace is over. */
static void test_slow_body(void **state)
{
    static const char head[] = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n";
    static uint8_t bytes[600];
    struct harness harness;
    unsigned seconds = 0;

    (void)state;
    start(&harness, HANDLER_ECHO, head);
    for (; seconds < 100 && harness.server_result == 0; seconds++) {
        harness_advance(&harness, harness.server, SECONDS(1));
        if (harness.server_result == 0)
            harness_feed(&harness, span_make(bytes, 1));
        harness_pull(&harness);
    }
    assert_in_range(seconds, 20, 22);
    assert_int_equal(harness.server_result, HERALD_ERROR_TIMEOUT);
    assert_non_null(strstr(harness_log(&harness), "closed -12\n"));
    harness_close(&harness);

    /* Slow, but as fast as it must be. */
    start(&harness, HANDLER_ECHO, head);
    for (seconds = 0; seconds < 300 && harness.server_result == 0; seconds++) {
        harness_advance(&harness, harness.server, SECONDS(1));
        harness_feed(&harness, span_make(bytes, 510));
        harness_pull(&harness);
    }
    assert_int_equal(harness.server_result, 0);
    /* A burst does not pay for hours of silence. */
    for (unsigned i = 0; i < 500; i++)
        harness_feed(&harness, span_make(bytes, 600));
    harness_pull(&harness);
    harness_advance(&harness, harness.server, SECONDS(22));
    assert_int_equal(harness.server_result, HERALD_ERROR_TIMEOUT);
    harness_close(&harness);
}

static size_t pull_once(struct harness *harness, size_t capacity)
{
    static uint8_t bytes[65536];
    struct conn_out out = {.data = bytes, .capacity = capacity};

    (void)harness->server->ops->pull(harness->server, &out, harness->now);
    return out.length;
}

static void queue_megabyte(struct harness *harness)
{
    static uint8_t bytes[65536];

    assert_int_equal(exchange_respond(harness->held, 200, NULL, 0, 1 << 20), 0);
    for (unsigned i = 0; i < 16; i++)
        assert_int_equal(exchange_write(harness->held, span_make(bytes, sizeof(bytes))), 0);
    assert_int_equal(exchange_finish(harness->held, NULL, 0), 0);
}

/* SL-03: a peer that takes nothing, or nearly nothing. */
static void test_slow_read(void **state)
{
    struct harness harness;
    unsigned seconds;

    (void)state;
    /* The transport asks no more. */
    start(&harness, HANDLER_HOLD, NEXT);
    queue_megabyte(&harness);
    assert_true(pull_once(&harness, 4096) > 0);
    for (seconds = 0; seconds < 100 && harness.server_result == 0; seconds++)
        harness_advance(&harness, harness.server, SECONDS(1));
    assert_in_range(seconds, 19, 21);
    assert_int_equal(harness.server_result, HERALD_ERROR_TIMEOUT);
    assert_non_null(strstr(harness_log(&harness), "closed -12\n"));
    assert_int_equal(pull_once(&harness, 65536), 0);
    harness_close(&harness);

    /* It was full before the response came: nobody has pulled. */
    start(&harness, HANDLER_HOLD, NEXT);
    harness_advance(&harness, harness.server, SECONDS(100));
    queue_megabyte(&harness);
    for (seconds = 0; seconds < 100 && harness.server_result == 0; seconds++)
        harness_advance(&harness, harness.server, SECONDS(1));
    assert_in_range(seconds, 19, 21);
    harness_close(&harness);

    /* Fast enough on average, but below the progress that is asked for in a minute: never, at 4096
     * bytes in 8 seconds. */
    start(&harness, HANDLER_HOLD, NEXT);
    queue_megabyte(&harness);
    for (seconds = 0; seconds < 160 && harness.server_result == 0; seconds += 8) {
        assert_true(pull_once(&harness, 4096) > 0);
        harness_advance(&harness, harness.server, SECONDS(8));
    }
    assert_int_equal(harness.server_result, 0);
    harness_close(&harness);
}

static void test_age_and_count(void **state)
{
    struct harness harness;

    (void)state;
    start(&harness, HANDLER_EMPTY, NEXT);
    assert_null(strstr(harness_output(&harness), "close"));
    for (unsigned i = 0; i < 3601; i += 50) {
        harness_advance(&harness, harness.server, SECONDS(50));
        (void)harness_exchange(&harness, NEXT);
        if (harness.server->finished)
            break;
    }
    assert_non_null(strstr(harness_output(&harness), "connection: close"));
    assert_int_equal(harness.now, 1000 * HERALD_SECOND + SECONDS(3600));
    harness_close(&harness);

    harness_init(&harness, HANDLER_EMPTY);
    harness.limits.requests = 2;
    harness_open(&harness);
    (void)harness_exchange(&harness, NEXT NEXT NEXT);
    assert_int_equal(harness.dispatched, 2);
    assert_true(harness.server->finished);
    harness_close(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_head),          cmocka_unit_test(test_idle),
        cmocka_unit_test(test_slow_body),     cmocka_unit_test(test_slow_read),
        cmocka_unit_test(test_age_and_count),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
