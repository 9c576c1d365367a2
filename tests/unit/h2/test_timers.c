/* What must happen in time, on a clock that the test moves; the graceful end. */
#include "h2/harness.h"

static herald_time ended_after(struct raw *raw, herald_time most)
{
    herald_time start = raw->now;
    while (raw->result >= 0 && !raw->conn->finished && raw->now - start < most)
        raw_advance(raw, 100 * HERALD_MILLISECOND);
    return raw->now - start;
}

/* H2-28 */
static void preface_has_a_deadline(void **state)
{
    (void)state;
    static const size_t lengths[] = {0, 10, H2_PREFACE_LENGTH};
    for (size_t i = 0; i < 3; i++) {
        struct raw raw;
        raw_init(&raw);
        raw_start(&raw, CONN_SERVER);
        raw_bytes(&raw, H2_PREFACE, lengths[i]);
        raw_flush(&raw);
        herald_time after = ended_after(&raw, 60 * HERALD_SECOND);
        assert_true(after >= 9 * HERALD_SECOND && after <= 11 * HERALD_SECOND);
        assert_int_equal(raw_goaway(&raw), H2_SETTINGS_TIMEOUT);
        assert_true(raw.conn->account.peak <= 8192);
        raw_close(&raw);
    }
}

static void field_block_has_a_deadline(void **state)
{
    (void)state;
    struct raw raw;
    raw_open(&raw, CONN_SERVER);
    raw_frame(&raw, H2_HEADERS, 0, 1, "\x82", 1);
    raw_flush(&raw);
    raw_advance(&raw, 5 * HERALD_SECOND);
    raw_frame(&raw, H2_CONTINUATION, 0, 1, "\x84", 1);
    raw_flush(&raw);
    assert_true(ended_after(&raw, 60 * HERALD_SECOND) <= 6 * HERALD_SECOND);
    assert_int_equal(raw_goaway(&raw), H2_ENHANCE_YOUR_CALM);
    raw_close(&raw);
}

static void settings_have_to_be_acknowledged(void **state)
{
    (void)state;
    struct raw raw;
    raw_init(&raw);
    raw_start(&raw, CONN_SERVER);
    raw_bytes(&raw, H2_PREFACE, H2_PREFACE_LENGTH);
    raw_frame(&raw, H2_SETTINGS, 0, 0, NULL, 0);
    raw_flush(&raw);
    assert_true(ended_after(&raw, 60 * HERALD_SECOND) <= 11 * HERALD_SECOND);
    assert_int_equal(raw_goaway(&raw), H2_SETTINGS_TIMEOUT);
    raw_close(&raw);
}

static void idle_connections_end(void **state)
{
    (void)state;
    struct raw raw;
    raw_open(&raw, CONN_SERVER);
    raw_get(&raw, 1);
    raw_flush(&raw);
    herald_time after = ended_after(&raw, 100 * HERALD_SECOND);
    assert_true(after >= 60 * HERALD_SECOND && after <= 62 * HERALD_SECOND);
    assert_int_equal(raw_count(&raw, H2_GOAWAY, 0), 2);
    assert_int_equal(raw_goaway(&raw), H2_NO_ERROR);
    raw_close(&raw);
}

static void a_running_request_is_not_idle(void **state)
{
    (void)state;
    struct raw raw;
    raw_open(&raw, CONN_SERVER);
    raw.host.answer = host_keep;
    raw_get(&raw, 1);
    raw_flush(&raw);
    ended_after(&raw, 100 * HERALD_SECOND);
    assert_false(raw.conn->finished);
    raw_close(&raw);
}

static void send_1m(struct host *host, struct exchange *exchange)
{
    (void)host;
    host_send(exchange, 1 << 20);
}

/* H2-12: also with a WINDOW_UPDATE of 1 every five seconds. */
static void stalled_streams_end(void **state)
{
    (void)state;
    for (unsigned drip = 0; drip < 2; drip++) {
        struct raw raw;
        raw_open(&raw, CONN_SERVER);
        raw.host.answer = send_1m;
        raw_setting(&raw, H2_SETTING_INITIAL_WINDOW_SIZE, 0);
        raw_get(&raw, 1);
        raw_flush(&raw);
        herald_time start = raw.now;
        while (raw_reset(&raw, 1) < 0 && raw.now - start < 100 * HERALD_SECOND) {
            raw_advance(&raw, 5 * HERALD_SECOND);
            if (drip) {
                raw_window(&raw, 1, 1);
                if (raw_flush(&raw) < 0)
                    break;
            }
        }
        assert_true(raw.now - start <= 60 * HERALD_SECOND);
        assert_true(raw_reset(&raw, 1) == H2_CANCEL || raw.result < 0);
        assert_int_equal(h2_of(raw.conn)->stream_count, 0);
        raw_close(&raw);
    }
}

/* A slow but honest reader: 2 KiB a second. */
static void slow_readers_are_served(void **state)
{
    (void)state;
    struct raw raw;
    raw_open(&raw, CONN_SERVER);
    raw.host.answer = send_1m;
    raw_get(&raw, 1);
    raw_flush(&raw);
    for (unsigned second = 0; second < 120; second++) {
        raw_advance(&raw, HERALD_SECOND);
        raw_window(&raw, 1, 2048);
        raw_window(&raw, 0, 2048);
        assert_int_equal(raw_flush(&raw), 0);
    }
    assert_int_equal(raw_reset(&raw, 1), -1);
    raw_close(&raw);
}

/* H2-13: the transport takes nothing, whatever the window. */
static void stalled_transports_end(void **state)
{
    (void)state;
    struct raw raw;
    raw_open(&raw, CONN_SERVER);
    raw.host.answer = send_1m;
    raw_window(&raw, 0, 0x7fff0000);
    raw_setting(&raw, H2_SETTING_INITIAL_WINDOW_SIZE, 0x7fffffff);
    raw_get(&raw, 1);
    struct conn_in in = {.data = buf_span(&raw.in)};
    assert_int_equal(raw.conn->ops->recv(raw.conn, &in, raw.now), 0);
    herald_time start = raw.now;
    int result = 0;
    while (result == 0 && raw.now - start < 100 * HERALD_SECOND) {
        herald_time due = raw.conn->ops->deadline(raw.conn);
        assert_true(due != HERALD_NEVER);
        raw.now = due > raw.now ? due : raw.now;
        result = raw.conn->ops->expire(raw.conn, raw.now);
    }
    assert_true(result < 0);
    assert_true(raw.now - start <= 60 * HERALD_SECOND);
    raw_close(&raw);
}

static void trickling_uploads_end(void **state)
{
    (void)state;
    struct raw raw;
    raw_open(&raw, CONN_SERVER);
    raw.host.answer = host_keep;
    raw_headers(&raw, 1, false, POST_ROOT);
    raw_flush(&raw);
    herald_time start = raw.now;
    while (raw_reset(&raw, 1) < 0 && raw.now - start < 100 * HERALD_SECOND)
        raw_advance(&raw, HERALD_SECOND);
    assert_true(raw.now - start >= 20 * HERALD_SECOND && raw.now - start <= 23 * HERALD_SECOND);
    assert_int_equal(raw.host.closed_reason, HERALD_ERROR_TIMEOUT);
    raw_close(&raw);
}

/* A conversation: the response has begun, so the request may take its time. */
static void conversations_may_pause(void **state)
{
    (void)state;
    struct raw raw;
    raw_open(&raw, CONN_SERVER);
    raw.host.answer = host_keep;
    raw_headers(&raw, 1, false, POST_ROOT);
    raw_flush(&raw);
    exchange_respond(raw.host.exchange, 200, NULL, 0, CONTENT_LENGTH_UNKNOWN);
    raw_pull(&raw);
    raw_advance(&raw, 600 * HERALD_SECOND);
    assert_int_equal(raw_reset(&raw, 1), -1);
    raw_close(&raw);
}

static void shutdown_loses_no_request(void **state)
{
    (void)state;
    struct raw raw;
    raw_open(&raw, CONN_SERVER);
    raw.host.answer = host_keep;
    raw_get(&raw, 1);
    raw_flush(&raw);
    raw.conn->ops->shutdown(raw.conn, raw.now);
    raw_pull(&raw);
    assert_int_equal(h2_get32(raw_payload(&raw, raw_find(&raw, H2_GOAWAY, 0))), H2_ID_MAXIMUM);
    const struct seen *ping = raw_find(&raw, H2_PING, 0);
    assert_non_null(ping);
    /* A request that was under way is still taken. */
    uint8_t data[8];
    memcpy(data, raw_payload(&raw, ping), 8);
    struct exchange *first = raw.host.exchange;
    raw_get(&raw, 3);
    raw_frame(&raw, H2_PING, H2_FLAG_ACK, 0, data, 8);
    raw_get(&raw, 5);
    assert_int_equal(raw_flush(&raw), 0);
    assert_int_equal(raw.host.dispatched, 2);
    const struct seen *last = &raw.frames[0];
    for (size_t i = 0; i < raw.count; i++) {
        if (raw.frames[i].frame.type == H2_GOAWAY)
            last = &raw.frames[i];
    }
    assert_int_equal(h2_get32(raw_payload(&raw, last)), 3);
    assert_false(raw.conn->finished);
    struct exchange *second = raw.host.exchange;
    host_hello(&raw.host, first);
    raw_pull(&raw);
    assert_false(raw.conn->finished);
    host_hello(&raw.host, second);
    raw_pull(&raw);
    assert_true(raw.conn->finished);
    assert_int_equal(raw_status(&raw, 1), 200);
    assert_int_equal(raw_status(&raw, 3), 200);
    assert_int_equal(raw_status(&raw, 5), 0);
    raw_close(&raw);
}

/* H2-34 */
static void old_connections_end_gracefully(void **state)
{
    (void)state;
    struct raw raw;
    raw_init(&raw);
    raw.limits.connection_age = 2 * HERALD_SECOND;
    raw_start(&raw, CONN_SERVER);
    raw_handshake(&raw);
    uint32_t id = 1;
    while (!raw.conn->finished && id < 1000) {
        raw_get(&raw, id);
        raw_flush(&raw);
        if (!raw.conn->finished)
            assert_int_equal(raw_status(&raw, id), 200);
        id += 2;
        raw_advance(&raw, 100 * HERALD_MILLISECOND);
    }
    assert_true(raw.conn->finished);
    assert_int_equal(raw_goaway(&raw), H2_NO_ERROR);
    raw_close(&raw);
}

static void request_limit_ends_gracefully(void **state)
{
    (void)state;
    struct raw raw;
    raw_init(&raw);
    raw.limits.requests = 2;
    raw_start(&raw, CONN_SERVER);
    raw_handshake(&raw);
    raw_get(&raw, 1);
    raw_get(&raw, 3);
    raw_flush(&raw);
    assert_int_equal(raw_goaway(&raw), H2_NO_ERROR);
    assert_int_equal(raw_status(&raw, 3), 200);
    raw_close(&raw);
}

static void end_of_input_ends_all(void **state)
{
    (void)state;
    struct raw raw;
    raw_open(&raw, CONN_SERVER);
    raw.host.answer = host_keep;
    raw_get(&raw, 1);
    raw_flush(&raw);
    assert_true(raw.conn->ops->eof(raw.conn, raw.now) < 0);
    raw_close(&raw);
    assert_int_equal(raw.host.closed, 1);
    assert_int_equal(raw.host.closed_reason, HERALD_ERROR_CLOSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(preface_has_a_deadline),
        cmocka_unit_test(field_block_has_a_deadline),
        cmocka_unit_test(settings_have_to_be_acknowledged),
        cmocka_unit_test(idle_connections_end),
        cmocka_unit_test(a_running_request_is_not_idle),
        cmocka_unit_test(stalled_streams_end),
        cmocka_unit_test(slow_readers_are_served),
        cmocka_unit_test(stalled_transports_end),
        cmocka_unit_test(trickling_uploads_end),
        cmocka_unit_test(conversations_may_pause),
        cmocka_unit_test(shutdown_loses_no_request),
        cmocka_unit_test(old_connections_end_gracefully),
        cmocka_unit_test(request_limit_ends_gracefully),
        cmocka_unit_test(end_of_input_ends_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
