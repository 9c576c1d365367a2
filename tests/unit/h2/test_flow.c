/* Flow control both ways, the dribble rule, growth by measured round trips. */
#include "h2/harness.h"

static void send_100k(struct host *host, struct exchange *exchange)
{
    (void)host;
    host_send(exchange, 100000);
}

static void send_19(struct host *host, struct exchange *exchange)
{
    (void)host;
    host_send(exchange, 19);
}

static void stops_at_the_stream_window(void **state)
{
    (void)state;
    struct raw raw;
    raw_open(&raw, CONN_SERVER);
    raw.host.answer = send_100k;
    raw_window(&raw, 0, 1000000);
    raw_get(&raw, 1);
    raw_flush(&raw);
    assert_int_equal(raw_body(&raw, 1), 65535);
    raw_window(&raw, 1, 20000);
    raw_flush(&raw);
    assert_int_equal(raw_body(&raw, 1), 85535);
    raw_window(&raw, 1, 20000);
    raw_flush(&raw);
    assert_int_equal(raw_body(&raw, 1), 100000);
    assert_true(raw_ended(&raw, 1));
    raw_close(&raw);
}

static void shares_the_connection_window(void **state)
{
    (void)state;
    struct raw raw;
    raw_open(&raw, CONN_SERVER);
    raw.host.answer = send_100k;
    raw_get(&raw, 1);
    raw_get(&raw, 3);
    raw_flush(&raw);
    assert_int_equal(raw_body(&raw, 1) + raw_body(&raw, 3), 65535);
    /* What needs no window still goes out. */
    raw.host.answer = host_keep;
    raw_get(&raw, 5);
    raw_flush(&raw);
    assert_int_equal(exchange_respond(raw.host.exchange, 204, NULL, 0, 0), 0);
    assert_int_equal(exchange_finish(raw.host.exchange, NULL, 0), 0);
    raw_pull(&raw);
    assert_int_equal(raw_status(&raw, 5), 204);
    assert_true(raw_ended(&raw, 5));
    raw_window(&raw, 0, 1000000);
    raw_window(&raw, 1, 1000000);
    raw_window(&raw, 3, 1000000);
    raw_flush(&raw);
    assert_int_equal(raw_body(&raw, 1) + raw_body(&raw, 3), 200000);
    raw_close(&raw);
}

static void windows_may_be_negative(void **state)
{
    (void)state;
    struct raw raw;
    raw_open(&raw, CONN_SERVER);
    raw.host.answer = send_100k;
    raw_window(&raw, 0, 1000000);
    raw_get(&raw, 1);
    raw_flush(&raw);
    raw_setting(&raw, H2_SETTING_INITIAL_WINDOW_SIZE, 1000);
    raw_flush(&raw);
    assert_int_equal(h2_stream_find(h2_of(raw.conn), 1)->send_window, 1000 - 65535);
    raw_window(&raw, 1, 64535);
    raw_flush(&raw);
    assert_int_equal(raw_body(&raw, 1), 65535);
    raw_advance(&raw, 200 * HERALD_MILLISECOND);
    raw_window(&raw, 1, 1);
    raw_flush(&raw);
    assert_int_equal(raw_body(&raw, 1), 65536);
    raw_setting(&raw, H2_SETTING_INITIAL_WINDOW_SIZE, 50000);
    raw_flush(&raw);
    assert_int_equal(raw_body(&raw, 1), 100000);
    raw_close(&raw);
}

/* H2-11 */
static void does_not_dribble(void **state)
{
    (void)state;
    struct raw raw;
    raw_init(&raw);
    raw.limits.stall_grace = raw.limits.stall_timeout = 3600 * HERALD_SECOND;
    raw_start(&raw, CONN_SERVER);
    raw_handshake(&raw);
    raw.host.answer = send_100k;
    h2_of(raw.conn)->budgets.data_sent = 1000000; /* the WINDOW_UPDATE budget is not the point */
    raw_setting(&raw, H2_SETTING_INITIAL_WINDOW_SIZE, 0);
    raw_get(&raw, 1);
    raw_flush(&raw);
    for (unsigned i = 0; i < 1000; i++) {
        raw_window(&raw, 1, 1);
        raw_flush(&raw);
        raw_advance(&raw, HERALD_MILLISECOND);
    }
    /* One second: a frame in 100 ms. */
    assert_true(raw_count(&raw, H2_DATA, 1) <= 12);
    assert_true(raw_body(&raw, 1) >= 890);
    raw_close(&raw);
}

static void a_window_that_grows_ends_the_wait(void **state)
{
    (void)state;
    struct raw raw;
    raw_open(&raw, CONN_SERVER);
    raw.host.answer = send_100k;
    raw_get(&raw, 1);
    raw_flush(&raw);
    assert_int_equal(raw_body(&raw, 1), 65535);
    raw_window(&raw, 0, 100000);
    raw_window(&raw, 1, 35);
    raw_flush(&raw);
    raw_window(&raw, 1, 35);
    raw_flush(&raw);
    assert_true(raw_body(&raw, 1) < 65535 + 70);
    raw_window(&raw, 1, 20000);
    raw_flush(&raw);
    assert_int_equal(raw_body(&raw, 1), 65535 + 70 + 20000);
    raw_close(&raw);
}

static void a_connection_window_that_grows_ends_the_wait(void **state)
{
    (void)state;
    struct raw raw;
    raw_open(&raw, CONN_SERVER);
    raw.host.answer = send_100k;
    raw_get(&raw, 1);
    raw_flush(&raw);
    raw_window(&raw, 1, 100000);
    raw_window(&raw, 0, 35);
    raw_flush(&raw);
    raw_window(&raw, 0, 35);
    raw_flush(&raw);
    assert_true(raw_body(&raw, 1) < 65535 + 70);
    raw_window(&raw, 0, 20000);
    raw_flush(&raw);
    assert_int_equal(raw_body(&raw, 1), 65535 + 70 + 20000);
    raw_close(&raw);
}

static void small_body_completes_at_window_one(void **state)
{
    (void)state;
    struct raw raw;
    raw_open(&raw, CONN_SERVER);
    raw.host.answer = send_19;
    raw_setting(&raw, H2_SETTING_INITIAL_WINDOW_SIZE, 1);
    raw_get(&raw, 1);
    raw_flush(&raw);
    assert_int_equal(raw_body(&raw, 1), 1);
    herald_time start = raw.now;
    size_t seen = 1;
    while (!raw_ended(&raw, 1) && raw.now - start < 10 * HERALD_SECOND) {
        raw_advance(&raw, 10 * HERALD_MILLISECOND);
        if (raw_body(&raw, 1) > seen || seen == 1) {
            seen = raw_body(&raw, 1);
            raw_window(&raw, 1, 1);
            raw_flush(&raw);
        }
    }
    assert_true(raw_ended(&raw, 1));
    assert_int_equal(raw_body(&raw, 1), 19);
    assert_true(raw.now - start <= 3 * HERALD_SECOND);
    raw_close(&raw);
}

static struct exchange *reading;

static void keep_for_reading(struct host *host, struct exchange *exchange)
{
    host_keep(host, exchange);
    reading = exchange;
}

static void check_sum(struct raw *raw, uint32_t id)
{
    struct h2_conn *conn = h2_of(raw->conn);
    struct h2_stream *stream = h2_stream_find(conn, id);
    int64_t unread = 0;
    if (stream != NULL) {
        unread = stream->unread;
        assert_int_equal(stream->recv_window + stream->credit + unread, stream->recv_target);
    }
    assert_int_equal(conn->recv_window + conn->credit + unread, conn->recv_target);
}

/* H2-18, H2-27: not a byte of credit is lost, whatever the padding and the end of the stream. */
static void windows_are_conserved(void **state)
{
    (void)state;
    struct raw raw;
    uint64_t random = 42;
    static uint8_t payload[2000];
    raw_init(&raw);
    raw.limits.small_data_budget = 1u << 31;
    raw.limits.reset_burst = 1u << 30;
    raw.limits.empty_data_frames = 1u << 30;
    raw.limits.glitch_burst = 1u << 30;
    raw_start(&raw, CONN_SERVER);
    raw_handshake(&raw);
    raw.host.answer = keep_for_reading;
    uint32_t id = 1;
    raw_headers(&raw, id, false, POST_ROOT);
    raw_flush(&raw);
    for (unsigned i = 0; i < 100000; i++) {
        struct h2_stream *stream = h2_stream_find(h2_of(raw.conn), id);
        bool room = stream == NULL || stream->recv_window > 2000;
        size_t length = 1 + (size_t)random_below(&random, sizeof(payload));
        uint8_t padding = (uint8_t)random_below(&random, length < 256 ? length : 256);
        bool padded = random_below(&random, 2) == 0;
        payload[0] = padding;
        if (room)
            raw_frame(&raw, H2_DATA, padded ? H2_FLAG_PADDED : 0, id, payload, length);
        switch (random_below(&random, 8)) {
        case 0:
            if (stream != NULL)
                exchange_cancel(reading, HERALD_ERROR_CANCELLED), exchange_release(reading);
            break;
        case 1:
            if (stream != NULL)
                raw_rst(&raw, id, H2_CANCEL);
            break;
        default:
            break;
        }
        if (stream != NULL && random_below(&random, 2) == 0 && !reading->closed) {
            static uint8_t bytes[3000];
            exchange_read(reading, bytes, (size_t)random_below(&random, sizeof(bytes)));
        }
        assert_int_equal(raw_flush(&raw), 0);
        check_sum(&raw, id);
        raw_forget(&raw);
        if (h2_stream_find(h2_of(raw.conn), id) == NULL) {
            id += 2;
            raw_headers(&raw, id, false, POST_ROOT);
            assert_int_equal(raw_flush(&raw), 0);
        }
    }
    raw_close(&raw);
}

/* Data for a stream that we have reset goes back to the connection's window. */
static void late_data_is_credited(void **state)
{
    (void)state;
    struct raw raw;
    raw_open(&raw, CONN_SERVER);
    raw.host.answer = keep_for_reading;
    raw_headers(&raw, 1, false, POST_ROOT);
    raw_data(&raw, 1, 10000, false);
    raw_flush(&raw);
    exchange_cancel(reading, HERALD_ERROR_CANCELLED);
    exchange_release(reading);
    raw_data(&raw, 1, 16384, false);
    raw_frame(&raw, H2_DATA, H2_FLAG_PADDED, 1,
              "\x02"
              "ab\0\0",
              5);
    assert_int_equal(raw_flush(&raw), 0);
    check_sum(&raw, 1);
    raw_close(&raw);
}

static void read_everything(struct exchange *exchange)
{
    uint8_t bytes[4096];
    while (exchange_read(exchange, bytes, sizeof(bytes)) > 0)
        ;
}

static void release_it(struct exchange *exchange, int reason)
{
    (void)reason;
    exchange_release(exchange);
}

static void sink(struct host *host, struct exchange *exchange)
{
    static const struct exchange_events events = {.readable = read_everything,
                                                  .closed = release_it};
    (void)host;
    exchange->events = &events;
}

/* A path of 100 ms: the window grows until it does not hold the sender back. */
static void windows_grow_with_the_path(void **state)
{
    (void)state;
    struct raw raw;
    raw_init(&raw);
    raw.limits.small_data_budget = 1u << 31;
    raw_start(&raw, CONN_SERVER);
    raw_handshake(&raw);
    raw.host.answer = sink;
    raw_headers(&raw, 1, false, POST_ROOT);
    raw_flush(&raw);
    struct h2_conn *conn = h2_of(raw.conn);
    int64_t stream_window = 65535, connection_window = 1 << 20;
    bool ponging = false;
    for (unsigned round = 0; round < 40; round++) {
        raw_forget(&raw);
        int64_t allowed = stream_window < connection_window ? stream_window : connection_window;
        while (allowed > 0) {
            size_t length = allowed < 16384 ? (size_t)allowed : 16384;
            raw_data(&raw, 1, length, false);
            allowed -= (int64_t)length;
            stream_window -= (int64_t)length;
            connection_window -= (int64_t)length;
        }
        /* The answer to the last round's PING comes behind this round's data. */
        if (ponging)
            raw_frame(&raw, H2_PING, H2_FLAG_ACK, 0, H2_PROBE_PING, 8);
        ponging = false;
        assert_int_equal(raw_flush(&raw), 0);
        for (size_t i = 0; i < raw.count; i++) {
            const struct seen *seen = &raw.frames[i];
            if (seen->frame.type == H2_WINDOW_UPDATE)
                *(seen->frame.stream_id == 0 ? &connection_window : &stream_window) +=
                    h2_get32(raw_payload(&raw, seen));
            ponging = ponging || (seen->frame.type == H2_PING && seen->frame.flags == 0);
        }
        raw_advance(&raw, 100 * HERALD_MILLISECOND);
    }
    assert_int_equal(conn->stream_target, raw.limits.stream_window_maximum);
    assert_true(conn->recv_target > raw.limits.connection_window);
    assert_true(conn->recv_target <= raw.limits.connection_window_maximum);
    assert_int_equal(conn->probe.round_trip, 100 * HERALD_MILLISECOND);
    check_sum(&raw, 1);

    /* When memory is short the growth is taken back. */
    size_t much = raw.limits.connection_memory_soft;
    assert_int_equal(account_charge(&conn->base.account, much), 0);
    for (unsigned i = 0; i < 3000; i++) {
        raw_data(&raw, 1, 16384, false);
        assert_int_equal(raw_flush(&raw), 0);
        raw_forget(&raw);
    }
    assert_int_equal(h2_stream_find(conn, 1)->recv_target, raw.limits.stream_window);
    assert_int_equal(conn->recv_target, raw.limits.connection_window);
    check_sum(&raw, 1);
    account_refund(&conn->base.account, much);
    raw_close(&raw);
}

/* AS-01: a handler that does not read is sent no more than the window. */
static void unread_bodies_are_bounded(void **state)
{
    (void)state;
    struct raw raw;
    raw_open(&raw, CONN_SERVER);
    raw.host.answer = keep_for_reading;
    size_t before = raw.conn->account.live;
    raw_headers(&raw, 1, false, POST_ROOT);
    for (unsigned i = 0; i < 3; i++)
        raw_data(&raw, 1, 16384, false);
    raw_data(&raw, 1, 16383, false);
    raw_flush(&raw);
    raw_advance(&raw, 5 * HERALD_SECOND);
    assert_null(raw_find(&raw, H2_WINDOW_UPDATE, 1));
    assert_true(raw.conn->account.live <= before + 96 * 1024);
    raw_close(&raw);
}

/* The rest of an upload that nobody reads is taken up to drain_size, then stopped with NO_ERROR. */
static void unwanted_uploads_are_drained_then_stopped(void **state)
{
    (void)state;
    struct raw raw;
    raw_open(&raw, CONN_SERVER);
    raw_headers(&raw, 1, false, POST_ROOT);
    raw_flush(&raw);
    assert_int_equal(raw_status(&raw, 1), 200);
    size_t sent = 0;
    while (raw_reset(&raw, 1) < 0 && sent < (4u << 20)) {
        raw_data(&raw, 1, 16384, false);
        sent += 16384;
        assert_int_equal(raw_flush(&raw), 0);
    }
    assert_int_equal(raw_reset(&raw, 1), H2_NO_ERROR);
    assert_true(sent >= raw.limits.drain_size && sent <= raw.limits.drain_size + 65536);
    check_sum(&raw, 1);
    /* And a small one is taken without a word. */
    raw_headers(&raw, 5, false, POST_ROOT);
    raw_flush(&raw);
    raw_data(&raw, 5, 1000, true);
    raw_flush(&raw);
    assert_int_equal(raw_reset(&raw, 5), -1);
    raw_close(&raw);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stops_at_the_stream_window),
        cmocka_unit_test(shares_the_connection_window),
        cmocka_unit_test(windows_may_be_negative),
        cmocka_unit_test(does_not_dribble),
        cmocka_unit_test(a_window_that_grows_ends_the_wait),
        cmocka_unit_test(a_connection_window_that_grows_ends_the_wait),
        cmocka_unit_test(small_body_completes_at_window_one),
        cmocka_unit_test(windows_are_conserved),
        cmocka_unit_test(late_data_is_credited),
        cmocka_unit_test(windows_grow_with_the_path),
        cmocka_unit_test(unread_bodies_are_bounded),
        cmocka_unit_test(unwanted_uploads_are_drained_then_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
