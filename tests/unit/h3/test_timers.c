/* Peers that keep a server waiting. */
#include "harness.h"

#include "h3/internal.h"
#include <string.h>

#define LARGE (4 * 1024 * 1024)

static struct rig *connected(void)
{
    struct rig *rig = rig_create(100);
    rig->limits.idle_timeout = 600 * HERALD_SECOND;
    rig_connect(rig);
    assert_true(rig_run_until(rig, &rig->client_peer.secured, 5 * HERALD_SECOND));
    return rig;
}

static void on_closed(struct exchange *exchange, int reason)
{
    struct rig *rig = exchange->user;
    rig->served_closed = true;
    rig->served_reason = reason;
    exchange_release(exchange);
}

static void on_readable(struct exchange *exchange)
{
    uint8_t buffer[4096];
    while (exchange_read(exchange, buffer, sizeof(buffer)) > 0)
        continue;
}

static const struct exchange_events reading = {.readable = on_readable, .closed = on_closed};
static const struct exchange_events waiting = {.closed = on_closed};

static void answer_reading(struct rig *rig, struct exchange *exchange)
{
    exchange->events = &reading;
    exchange->user = rig;
    on_readable(exchange);
}

static void answer_not_reading(struct rig *rig, struct exchange *exchange)
{
    exchange->events = &waiting;
    exchange->user = rig;
}

static void answer_large(struct rig *rig, struct exchange *exchange)
{
    exchange->events = &waiting;
    exchange->user = rig;
    assert_int_equal(exchange_respond(exchange, 200, NULL, 0, LARGE), 0);
    assert_int_equal(exchange_write_source(exchange, rig_source(LARGE)), 0);
}

static void body_that_does_not_come_ends_the_stream(void **state)
{
    struct rig *rig = connected();
    struct result result = {0};
    (void)state;
    rig->answer = answer_reading;
    struct exchange *exchange = rig_request(rig, &result, "POST", "/", true);
    assert_int_equal(exchange_write(exchange, SPAN_LITERAL("abc")), 0);
    rig_run(rig, 19 * HERALD_SECOND);
    assert_false(rig->served_closed);
    assert_true(rig_run_until(rig, &rig->served_closed, 5 * HERALD_SECOND));
    assert_int_equal(rig->served_reason, HERALD_ERROR_TIMEOUT);
    assert_true(rig_run_until(rig, &result.closed, HERALD_SECOND));
    rig_destroy(rig);
}

static void body_that_nobody_reads_is_not_slow(void **state)
{
    struct rig *rig = connected();
    struct result result = {0};
    (void)state;
    rig->answer = answer_not_reading;
    struct exchange *exchange = rig_request(rig, &result, "POST", "/", true);
    assert_int_equal(exchange_write(exchange, SPAN_LITERAL("abc")), 0);
    rig_run(rig, 100 * HERALD_SECOND);
    assert_false(rig->served_closed);
    rig_destroy(rig);
}

static void response_that_is_not_taken_ends_the_stream(void **state)
{
    struct rig *rig = connected();
    struct result result = {.hold = true};
    (void)state;
    rig->answer = answer_large;
    rig_request(rig, &result, "GET", "/", false);
    rig_run(rig, 55 * HERALD_SECOND);
    assert_false(rig->served_closed);
    assert_true(rig_run_until(rig, &rig->served_closed, 10 * HERALD_SECOND));
    assert_int_equal(rig->served_reason, HERALD_ERROR_TIMEOUT);
    rig_destroy(rig);
}

static void head_that_does_not_come_ends_the_stream(void **state)
{
    /* HEADERS of 100 bytes, of which none comes. */
    static uint8_t frame[] = {1, 0x40, 100};
    struct rig *rig = connected();
    (void)state;
    rig->answer = answer_reading;
    rig_run(rig, 100 * HERALD_MILLISECOND);
    struct h3_conn *client = h3_conn_of(rig->client_peer.peer.conn);
    struct h3_conn *server = h3_conn_of(rig->accepted->peer.conn);
    uint8_t packet[1500];
    int64_t id;
    ngtcp2_path_storage path;
    ngtcp2_pkt_info about;
    ngtcp2_ssize taken;
    ngtcp2_path_storage_zero(&path);
    assert_int_equal(ngtcp2_conn_open_bidi_stream(client->quic, &id, NULL), 0);
    ngtcp2_ssize length =
        ngtcp2_conn_write_stream(client->quic, &path.path, &about, packet, sizeof(packet), &taken,
                                 0, id, frame, sizeof(frame), rig->now);
    assert_true(length > 0);
    rig_inject_from_client(rig, packet, (size_t)length);
    assert_int_equal(server->by_id.count, 1);
    rig_run(rig, 9 * HERALD_SECOND);
    assert_int_equal(server->by_id.count, 1);
    rig_run(rig, 3 * HERALD_SECOND);
    assert_int_equal(server->by_id.count, 0);
    assert_int_equal(rig->dispatched, 0);
    assert_false(rig->accepted->closed);
    rig_destroy(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(body_that_does_not_come_ends_the_stream),
        cmocka_unit_test(body_that_nobody_reads_is_not_slow),
        cmocka_unit_test(response_that_is_not_taken_ends_the_stream),
        cmocka_unit_test(head_that_does_not_come_ends_the_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
