/* Extended CONNECT (RFC 8441) and the tunnel that it opens, in both roles. */
#include "h2/harness.h"

#define CHAT                                                                                       \
    ":method: CONNECT\n:protocol: websocket\n:scheme: https\n:path: /chat\n"                       \
    ":authority: a.example\n"

static void open_server(struct raw *raw, bool connect_protocol)
{
    raw_init(raw);
    raw->host.connect_protocol = connect_protocol;
    raw->host.answer = host_keep;
    raw_start(raw, CONN_SERVER);
}

/* The value of a setting in the engine's first SETTINGS, or -1. */
static int64_t setting_of(struct raw *raw, uint16_t id)
{
    const struct seen *seen = raw_find(raw, H2_SETTINGS, 0);
    assert_non_null(seen);
    const uint8_t *payload = raw_payload(raw, seen);
    for (size_t i = 0; i < seen->frame.length; i += 6) {
        if (h2_get16(payload + i) == id)
            return h2_get32(payload + i + 2);
    }
    return -1;
}

static void assert_reads(struct exchange *exchange, const char *text)
{
    uint8_t bytes[64];
    size_t length = exchange_read(exchange, bytes, sizeof(bytes));
    assert_int_equal(length, strlen(text));
    assert_memory_equal(bytes, text, length);
}

/* The payload of the last DATA frame on stream 1. */
static void assert_sent(struct raw *raw, const char *text)
{
    const struct seen *seen = raw_find(raw, H2_DATA, 1);
    assert_non_null(seen);
    assert_int_equal(seen->frame.length, strlen(text));
    assert_memory_equal(raw_payload(raw, seen), text, strlen(text));
    raw_forget(raw);
}

static void is_said_only_when_allowed(void **state)
{
    (void)state;
    for (int allowed = 0; allowed < 2; allowed++) {
        struct raw raw;
        open_server(&raw, allowed != 0);
        raw_pull(&raw);
        assert_int_equal(setting_of(&raw, H2_SETTING_ENABLE_CONNECT_PROTOCOL), allowed ? 1 : -1);
        raw_handshake(&raw);
        raw_headers(&raw, 1, false, CHAT);
        assert_int_equal(raw_flush(&raw), 0);
        assert_int_equal(raw.host.dispatched, allowed);
        assert_int_equal(raw_reset(&raw, 1), allowed ? -1 : H2_PROTOCOL_ERROR);
        if (allowed)
            exchange_release(raw.host.exchange);
        raw_close(&raw);
    }
    struct raw client;
    raw_init(&client);
    client.host.connect_protocol = true;
    raw_start(&client, CONN_CLIENT);
    raw_pull(&client);
    assert_int_equal(setting_of(&client, H2_SETTING_ENABLE_CONNECT_PROTOCOL), -1);
    raw_close(&client);
}

static void a_server_carries_bytes_both_ways(void **state)
{
    (void)state;
    struct raw raw;
    open_server(&raw, true);
    raw_handshake(&raw);
    raw_headers(&raw, 1, false, CHAT);
    raw_flush(&raw);
    struct exchange *exchange = raw.host.exchange;
    assert_true(span_equals(exchange->incoming.protocol, SPAN_LITERAL("websocket")));
    assert_true(span_equals(exchange->incoming.path, SPAN_LITERAL("/chat")));

    assert_int_equal(exchange_respond(exchange, 200, NULL, 0, CONTENT_LENGTH_UNKNOWN), 0);
    assert_true(exchange->tunnel);
    raw_pull(&raw);
    assert_int_equal(raw_status(&raw, 1), 200);
    assert_int_equal(raw_find(&raw, H2_HEADERS, 1)->frame.flags & H2_FLAG_END_STREAM, 0);

    raw_frame(&raw, H2_DATA, 0, 1, "ping", 4);
    raw_flush(&raw);
    assert_reads(exchange, "ping");
    assert_int_equal(exchange_write(exchange, SPAN_LITERAL("pong")), 0);
    raw_pull(&raw);
    assert_sent(&raw, "pong");

    /* The client's end is only its direction's. */
    raw_frame(&raw, H2_DATA, H2_FLAG_END_STREAM, 1, "bye", 3);
    raw_flush(&raw);
    assert_reads(exchange, "bye");
    assert_true(exchange_at_end(exchange));
    assert_int_equal(exchange_write(exchange, SPAN_LITERAL("later")), 0);
    raw_pull(&raw);
    assert_sent(&raw, "later");
    assert_int_equal(raw.host.closed, 0);
    assert_int_equal(exchange_finish(exchange, NULL, 0), 0);
    raw_pull(&raw);
    assert_true(raw_ended(&raw, 1));
    assert_int_equal(raw.host.closed, 1);
    assert_int_equal(raw.host.closed_reason, 0);
    raw_close(&raw);
}

static void malformed_ones_are_reset(void **state)
{
    static const char *const heads[] = {
        ":method: GET\n:protocol: websocket\n:scheme: https\n:path: /\n:authority: a.example\n",
        ":method: CONNECT\n:protocol: websocket\n:scheme: https\n:authority: a.example\n",
        ":method: CONNECT\n:protocol: websocket\n:path: /\n:authority: a.example\n",
        ":method: CONNECT\n:protocol: web socket\n:scheme: https\n:path: /\n:authority: a\n",
        ":method: CONNECT\n:protocol: a\n:protocol: b\n:scheme: https\n:path: /\n:authority: a\n",
        ":method: CONNECT\n:scheme: https\n:path: /\n:authority: a.example:443\n",
    };
    (void)state;
    struct raw raw;
    open_server(&raw, true);
    raw_handshake(&raw);
    for (uint32_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        raw_headers(&raw, 1 + 2 * i, false, heads[i]);
        assert_int_equal(raw_flush(&raw), 0);
        assert_int_equal(raw_reset(&raw, 1 + 2 * i), H2_PROTOCOL_ERROR);
    }
    assert_int_equal(raw.host.dispatched, 0);
    raw_close(&raw);
}

/* RFC 9113 section 8.5. */
static void a_tunnel_has_no_trailers(void **state)
{
    (void)state;
    struct raw raw;
    open_server(&raw, true);
    raw_handshake(&raw);
    raw_headers(&raw, 1, false, CHAT);
    raw_flush(&raw);
    assert_int_equal(exchange_respond(raw.host.exchange, 200, NULL, 0, CONTENT_LENGTH_UNKNOWN), 0);
    raw_headers(&raw, 1, true, "x-end: 1\n");
    assert_int_equal(raw_flush(&raw), 0);
    assert_int_equal(raw_reset(&raw, 1), H2_PROTOCOL_ERROR);
    assert_int_equal(raw.host.closed, 1);
    raw_close(&raw);
}

static struct exchange *first;

static void keep_silently(struct host *host, struct exchange *exchange)
{
    static const struct exchange_events none = {0};
    (void)host;
    exchange->events = &none;
    if (first == NULL)
        first = exchange;
}

/* H2-32: a tunnel takes its slot until its owner has let go, whatever became of the stream. */
static void a_tunnel_is_running_work(void **state)
{
    (void)state;
    struct raw raw;
    raw_init(&raw);
    raw.host.connect_protocol = true;
    raw.host.answer = keep_silently;
    raw.limits.concurrent_streams = 1;
    raw_start(&raw, CONN_SERVER);
    raw_handshake(&raw);
    first = NULL;
    raw_headers(&raw, 1, false, CHAT);
    raw_flush(&raw);
    assert_int_equal(exchange_respond(first, 200, NULL, 0, CONTENT_LENGTH_UNKNOWN), 0);
    raw_headers(&raw, 3, false, CHAT);
    raw_flush(&raw);
    assert_int_equal(raw_reset(&raw, 3), H2_REFUSED_STREAM);
    raw_rst(&raw, 1, H2_CANCEL);
    raw_headers(&raw, 5, false, CHAT);
    raw_flush(&raw);
    assert_int_equal(raw.host.dispatched, 1);
    exchange_release(first);
    raw_pull(&raw);
    assert_int_equal(raw.host.dispatched, 2);
    exchange_release(raw.host.exchange);
    raw_close(&raw);
}

static struct exchange *chat(struct raw *raw)
{
    struct message request = {
        .version = HTTP_2,
        .method = SPAN_LITERAL("CONNECT"),
        .protocol = SPAN_LITERAL("websocket"),
        .scheme = SPAN_LITERAL("https"),
        .authority = SPAN_LITERAL("a.example"),
        .path = SPAN_LITERAL("/chat"),
        .content_length = CONTENT_LENGTH_UNKNOWN,
    };
    struct exchange *exchange =
        exchange_new_request(&request, &raw->limits, &host_events, &raw->host);
    assert_non_null(exchange);
    return exchange;
}

static void a_client_asks_when_it_may(void **state)
{
    (void)state;
    struct raw raw;
    raw_open(&raw, CONN_CLIENT);
    struct exchange *exchange = chat(&raw);
    assert_int_equal(raw.conn->ops->request(raw.conn, exchange, raw.now), HERALD_ERROR_INVALID);
    raw_setting(&raw, H2_SETTING_ENABLE_CONNECT_PROTOCOL, 1);
    raw_flush(&raw);
    assert_int_equal(raw.conn->ops->request(raw.conn, exchange, raw.now), 0);
    raw_pull(&raw);
    const struct seen *head = raw_find(&raw, H2_HEADERS, 1);
    assert_non_null(head);
    assert_int_equal(head->fields, 5);
    assert_int_equal(head->frame.flags & H2_FLAG_END_STREAM, 0);

    raw_headers(&raw, 1, false, ":status: 200\n");
    raw_frame(&raw, H2_DATA, 0, 1, "hello", 5);
    raw_flush(&raw);
    assert_true(exchange->tunnel);
    assert_reads(exchange, "hello");
    assert_int_equal(exchange_write(exchange, SPAN_LITERAL("good day")), 0);
    raw_pull(&raw);
    assert_sent(&raw, "good day");
    raw_headers(&raw, 1, true, "x-end: 1\n");
    raw_flush(&raw);
    assert_int_equal(raw_reset(&raw, 1), H2_PROTOCOL_ERROR);
    assert_int_equal(raw.host.closed, 1);
    raw_close(&raw);
}

/* A refusal is a response like any other. */
static void a_client_takes_a_refusal(void **state)
{
    (void)state;
    struct raw raw;
    raw_open(&raw, CONN_CLIENT);
    raw_setting(&raw, H2_SETTING_ENABLE_CONNECT_PROTOCOL, 1);
    raw_flush(&raw);
    struct exchange *exchange = chat(&raw);
    assert_int_equal(raw.conn->ops->request(raw.conn, exchange, raw.now), 0);
    assert_int_equal(exchange_finish(exchange, NULL, 0), 0);
    raw_pull(&raw);
    raw_headers(&raw, 1, false, ":status: 403\ncontent-length: 2\n");
    raw_frame(&raw, H2_DATA, 0, 1, "no", 2);
    raw_flush(&raw);
    assert_false(exchange->tunnel);
    assert_reads(exchange, "no");
    raw_headers(&raw, 1, true, "x-end: 1\n");
    raw_flush(&raw);
    assert_int_equal(raw.host.closed, 1);
    assert_int_equal(raw.host.closed_reason, 0);
    raw_close(&raw);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_said_only_when_allowed),
        cmocka_unit_test(a_server_carries_bytes_both_ways),
        cmocka_unit_test(malformed_ones_are_reset),
        cmocka_unit_test(a_tunnel_has_no_trailers),
        cmocka_unit_test(a_tunnel_is_running_work),
        cmocka_unit_test(a_client_asks_when_it_may),
        cmocka_unit_test(a_client_takes_a_refusal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
