/* What goes out: field blocks of any size, bodies that fail, answers of the engine itself, codes.
 */
#include "h2/harness.h"

static void large_head(struct host *host, struct exchange *exchange)
{
    static char values[80][1000];
    static struct field fields[80];
    (void)host;
    for (size_t i = 0; i < 80; i++) {
        static char names[80][8];
        memset(values[i], 'a' + (int)(i % 26), sizeof(values[i]));
        snprintf(names[i], sizeof(names[i]), "x-%zu", i);
        fields[i] = (struct field){span_from_text(names[i]), span_make(values[i], 1000), 0, 0};
    }
    assert_int_equal(exchange_respond(exchange, 200, fields, 80, 5), 0);
    assert_int_equal(exchange_write(exchange, SPAN_LITERAL("hello")), 0);
    assert_int_equal(exchange_finish(exchange, fields, 40), 0);
    exchange_release(exchange);
}

static void large_heads_are_continued(void **state)
{
    (void)state;
    static const size_t sizes[] = {4096, 5000, 16384, 65536, 131072};
    for (size_t i = 0; i < 5; i++) {
        struct raw raw;
        raw_open(&raw, CONN_SERVER);
        raw.pull_size = sizes[i];
        raw.host.answer = large_head;
        raw_get(&raw, 1);
        raw_get(&raw, 3);
        assert_int_equal(raw_flush(&raw), 0);
        size_t heads = 0, trailers = 0;
        for (size_t j = 0; j < raw.count; j++) {
            assert_true(raw.frames[j].frame.length <= 16384);
            heads += raw.frames[j].fields == 82;
            trailers += raw.frames[j].fields == 40;
        }
        assert_int_equal(heads, 2);
        assert_int_equal(trailers, 2);
        assert_true(raw_count(&raw, H2_CONTINUATION, 1) > 0);
        assert_int_equal(raw_status(&raw, 3), 200);
        assert_true(raw_ended(&raw, 1) && raw_ended(&raw, 3));
        assert_int_equal(h2_of(raw.conn)->stream_count, 0);
        raw_close(&raw);
    }
}

/* An error does not cut a block in two: the GOAWAY waits for its end. */
static void goaway_waits_for_the_block(void **state)
{
    (void)state;
    struct raw raw;
    uint8_t output[4096];
    raw_open(&raw, CONN_SERVER);
    raw.host.answer = large_head;
    raw_get(&raw, 1);
    struct conn_in in = {.data = buf_span(&raw.in)};
    assert_int_equal(raw.conn->ops->recv(raw.conn, &in, raw.now), 0);
    buf_clear(&raw.in);
    struct conn_out out = {.data = output, .capacity = sizeof(output)};
    assert_int_equal(raw.conn->ops->pull(raw.conn, &out, raw.now), 0);
    assert_int_equal(buf_append(&raw.out, output, out.length), 0);
    raw_window(&raw, 0, 0);
    assert_true(raw_flush(&raw) < 0);
    assert_int_equal(raw_goaway(&raw), H2_PROTOCOL_ERROR);
    assert_int_equal(raw.frames[raw.count - 1].frame.type, H2_GOAWAY);
    raw_close(&raw);
}

static void engine_answers_by_itself(void **state)
{
    (void)state;
    static char text[40000];
    char method[] = "M23456789012345678901234567890123456";
    struct {
        const char *head;
        unsigned status;
    } cases[] = {{GET_ROOT "expect: tea\n", 417}, {NULL, 501}, {NULL, 414}};
    for (size_t i = 0; i < 3; i++) {
        struct raw raw;
        raw_open(&raw, CONN_SERVER);
        const char *head = cases[i].head;
        if (i == 1)
            snprintf(text, sizeof(text), ":method: %s\n:scheme: https\n:path: /\n:authority: a\n",
                     method);
        if (i == 2) {
            int length = snprintf(text, sizeof(text), ":method: GET\n:scheme: https\n:path: /");
            memset(text + length, 'p', 9000);
            snprintf(text + length + 9000, 100, "\n:authority: a\n");
        }
        raw_headers(&raw, 1, i != 0, head != NULL ? head : text);
        assert_int_equal(raw_flush(&raw), 0);
        assert_int_equal(raw_status(&raw, 1), cases[i].status);
        assert_true(raw_ended(&raw, 1));
        assert_int_equal(raw.host.dispatched, 0);
        raw_data(&raw, 1, 10, true);
        if (i == 0)
            assert_int_equal(raw_flush(&raw), 0);
        raw_close(&raw);
    }
}

struct failing {
    struct body_source source;
    unsigned reads;
};

static int64_t fail_soon(struct body_source *source, uint8_t *destination, size_t capacity,
                         bool *end)
{
    struct failing *failing = (struct failing *)source;
    (void)end;
    if (failing->reads++ > 0)
        return HERALD_ERROR_IO;
    memset(destination, 0, capacity);
    return (int64_t)capacity;
}

static void release(struct body_source *source)
{
    free(source);
}

static void send_failing(struct host *host, struct exchange *exchange)
{
    static const struct body_source_ops ops = {fail_soon, release};
    struct failing *failing = calloc(1, sizeof(*failing));
    (void)host;
    failing->source.ops = &ops;
    assert_int_equal(exchange_respond(exchange, 200, NULL, 0, CONTENT_LENGTH_UNKNOWN), 0);
    assert_int_equal(exchange_write_source(exchange, &failing->source), 0);
    exchange_release(exchange);
}

static void failing_bodies_are_not_taken_for_complete(void **state)
{
    (void)state;
    struct raw raw;
    raw_open(&raw, CONN_SERVER);
    raw.host.answer = send_failing;
    raw_get(&raw, 1);
    assert_int_equal(raw_flush(&raw), 0);
    assert_int_equal(raw_reset(&raw, 1), H2_INTERNAL_ERROR);
    assert_false(raw_ended(&raw, 1));
    raw_close(&raw);
}

static void cancel_codes(void **state)
{
    (void)state;
    static const int table[][2] = {
        {HERALD_ERROR_CANCELLED, H2_CANCEL},        {HERALD_ERROR_INTERNAL, H2_INTERNAL_ERROR},
        {HERALD_ERROR_REFUSED, H2_REFUSED_STREAM},  {HERALD_ERROR_PROTOCOL, H2_PROTOCOL_ERROR},
        {HERALD_ERROR_LIMIT, H2_ENHANCE_YOUR_CALM}, {HERALD_ERROR_TIMEOUT, H2_CANCEL}};
    struct raw raw;
    raw_open(&raw, CONN_SERVER);
    raw.host.answer = host_keep;
    for (uint32_t i = 0; i < 6; i++) {
        raw_get(&raw, 1 + 2 * i);
        raw_flush(&raw);
        unsigned wakes = raw.host.wakes;
        exchange_cancel(raw.host.exchange, table[i][0]);
        assert_true(raw.host.wakes > wakes);
        exchange_release(raw.host.exchange);
        raw_pull(&raw);
        assert_int_equal(raw_reset(&raw, 1 + 2 * i), table[i][1]);
    }
    assert_int_equal(raw.host.closed, 0);
    raw_close(&raw);
}

static void cancel_when_writable(struct exchange *exchange)
{
    exchange_cancel(exchange, HERALD_ERROR_INTERNAL);
    exchange_release(exchange);
}

static void fill_and_wait(struct host *host, struct exchange *exchange)
{
    static const struct exchange_events events = {.writable = cancel_when_writable};
    static const uint8_t bytes[4096];
    (void)host;
    exchange->events = &events;
    assert_int_equal(exchange_respond(exchange, 200, NULL, 0, CONTENT_LENGTH_UNKNOWN), 0);
    while (exchange_can_write(exchange))
        assert_int_equal(exchange_write(exchange, span_make(bytes, sizeof(bytes))), 0);
}

/* The owner may end the exchange from within the frame that is being filled. */
static void cancels_while_a_frame_is_written(void **state)
{
    (void)state;
    struct raw raw;
    raw_open(&raw, CONN_SERVER);
    raw.host.answer = fill_and_wait;
    raw_get(&raw, 1);
    assert_int_equal(raw_flush(&raw), 0);
    assert_int_equal(raw_reset(&raw, 1), H2_INTERNAL_ERROR);
    assert_int_equal(h2_of(raw.conn)->stream_count, 0);
    raw_close(&raw);
}

static void a_client_shuts_down(void **state)
{
    (void)state;
    struct raw raw;
    raw_open(&raw, CONN_CLIENT);
    raw.conn->ops->shutdown(raw.conn, raw.now);
    raw.conn->ops->shutdown(raw.conn, raw.now);
    raw_pull(&raw);
    assert_int_equal(raw_count(&raw, H2_GOAWAY, 0), 1);
    assert_true(raw.conn->finished);
    raw_close(&raw);
}

static void tunnels_need_the_servers_setting(void **state)
{
    (void)state;
    struct raw raw;
    struct message request = {.version = HTTP_2,
                              .method = SPAN_LITERAL("CONNECT"),
                              .scheme = SPAN_LITERAL("https"),
                              .authority = SPAN_LITERAL("a.example"),
                              .path = SPAN_LITERAL("/chat"),
                              .protocol = SPAN_LITERAL("websocket"),
                              .content_length = CONTENT_LENGTH_UNKNOWN};
    raw_open(&raw, CONN_CLIENT);
    struct exchange *exchange = exchange_new_request(&request, &raw.limits, NULL, NULL);
    assert_non_null(exchange);
    assert_int_equal(raw.conn->ops->request(raw.conn, exchange, raw.now), HERALD_ERROR_INVALID);
    raw_setting(&raw, H2_SETTING_ENABLE_CONNECT_PROTOCOL, 1);
    raw_flush(&raw);
    assert_int_equal(raw.conn->ops->request(raw.conn, exchange, raw.now), 0);
    raw_pull(&raw);
    assert_int_equal(raw_find(&raw, H2_HEADERS, 1)->fields, 5);
    exchange_cancel(exchange, HERALD_ERROR_CANCELLED);
    exchange_release(exchange);
    raw_pull(&raw);
    raw_close(&raw);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(large_heads_are_continued),
        cmocka_unit_test(goaway_waits_for_the_block),
        cmocka_unit_test(engine_answers_by_itself),
        cmocka_unit_test(failing_bodies_are_not_taken_for_complete),
        cmocka_unit_test(cancel_codes),
        cmocka_unit_test(cancels_while_a_frame_is_written),
        cmocka_unit_test(a_client_shuts_down),
        cmocka_unit_test(tunnels_need_the_servers_setting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
