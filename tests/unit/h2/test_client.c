/* The client role: requests, responses, and a server that breaks each rule once. */
#include "h2/harness.h"

struct asked {
    struct exchange *exchange;
    unsigned heads, informs, closes, readables, pushes;
    int reason;
    bool refuse_pushes;
    struct exchange *promised;
};

static void on_head(struct exchange *exchange)
{
    ((struct asked *)exchange->user)->heads++;
}
static void on_inform(struct exchange *exchange, const struct message *message)
{
    (void)message;
    ((struct asked *)exchange->user)->informs++;
}
static void on_readable(struct exchange *exchange)
{
    uint8_t bytes[4096];
    ((struct asked *)exchange->user)->readables++;
    while (exchange_read(exchange, bytes, sizeof(bytes)) > 0)
        ;
}
static void on_closed(struct exchange *exchange, int reason)
{
    struct asked *asked = exchange->user;
    asked->closes++;
    asked->reason = reason;
}
static void on_pushed(struct exchange *exchange, struct exchange *promised);

static const struct exchange_events events = {
    .head = on_head,
    .informational = on_inform,
    .readable = on_readable,
    .pushed = on_pushed,
    .closed = on_closed,
};

static void on_pushed(struct exchange *exchange, struct exchange *promised)
{
    struct asked *asked = exchange->user;
    asked->pushes++;
    if (asked->refuse_pushes) {
        exchange_cancel(promised, HERALD_ERROR_CANCELLED);
        exchange_release(promised);
        return;
    }
    asked->promised = promised;
    promised->user = asked;
    promised->events = &events;
    assert_int_equal(exchange_accept_push(promised), 0);
}

static int ask(struct raw *raw, struct asked *asked, const char *method, bool finish)
{
    struct message request = {
        .version = HTTP_2,
        .method = span_from_text(method),
        .scheme = SPAN_LITERAL("https"),
        .authority = SPAN_LITERAL("a.example"),
        .path = SPAN_LITERAL("/"),
        .content_length = CONTENT_LENGTH_UNKNOWN,
    };
    *asked = (struct asked){0};
    asked->exchange = exchange_new_request(&request, &raw->limits, &events, asked);
    assert_non_null(asked->exchange);
    if (finish)
        assert_int_equal(exchange_finish(asked->exchange, NULL, 0), 0);
    int result = raw->conn->ops->request(raw->conn, asked->exchange, raw->now);
    if (result == 0)
        raw_pull(raw);
    return result;
}

static void gets_a_response(void **state)
{
    (void)state;
    struct raw raw;
    struct asked asked;
    raw_open(&raw, CONN_CLIENT);
    assert_int_equal(memcmp(raw.out.data, H2_PREFACE, H2_PREFACE_LENGTH), 0);
    assert_int_equal(ask(&raw, &asked, "GET", true), 0);
    assert_non_null(raw_find(&raw, H2_HEADERS, 1));
    raw_headers(&raw, 1, false, ":status: 103\nlink: </a>\n");
    raw_headers(&raw, 1, false, ":status: 200\ncontent-length: 5\n");
    raw_data(&raw, 1, 5, false);
    raw_headers(&raw, 1, true, "x-trailer: 1\n");
    assert_int_equal(raw_flush(&raw), 0);
    assert_int_equal(asked.heads, 1);
    assert_int_equal(asked.informs, 1);
    assert_int_equal(asked.closes, 1);
    assert_int_equal(asked.reason, 0);
    assert_int_equal(asked.exchange->trailers.count, 1);
    assert_int_equal(asked.exchange->body_bytes_in, 5);
    exchange_release(asked.exchange);
    raw_close(&raw);
}

static void keeps_to_the_stream_limit(void **state)
{
    (void)state;
    struct raw raw;
    struct asked asked[3];
    raw_open(&raw, CONN_CLIENT);
    raw_setting(&raw, H2_SETTING_MAX_CONCURRENT_STREAMS, 2);
    raw_flush(&raw);
    assert_int_equal(ask(&raw, &asked[0], "GET", true), 0);
    assert_int_equal(ask(&raw, &asked[1], "GET", true), 0);
    assert_int_equal(ask(&raw, &asked[2], "GET", true), HERALD_ERROR_LIMIT);
    raw_headers(&raw, 1, true, ":status: 204\n");
    raw_flush(&raw);
    assert_int_equal(raw.conn->ops->request(raw.conn, asked[2].exchange, raw.now), 0);
    raw_pull(&raw);
    assert_non_null(raw_find(&raw, H2_HEADERS, 5));
    raw_close(&raw);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(asked[i].closes, 1);
        exchange_release(asked[i].exchange);
    }
}

static void is_told_what_was_not_processed(void **state)
{
    (void)state;
    struct raw raw;
    struct asked asked[3];
    raw_open(&raw, CONN_CLIENT);
    for (int i = 0; i < 3; i++)
        ask(&raw, &asked[i], "GET", true);
    raw_frame(&raw, H2_GOAWAY, 0, 0, "\0\0\0\3\0\0\0\0", 8);
    raw_rst(&raw, 3, H2_REFUSED_STREAM);
    assert_int_equal(raw_flush(&raw), 0);
    assert_int_equal(asked[0].closes, 0);
    assert_int_equal(asked[1].reason, HERALD_ERROR_REFUSED);
    assert_int_equal(asked[2].reason, HERALD_ERROR_REFUSED);
    assert_int_equal(raw.host.going_away, 1);
    struct asked late;
    assert_int_equal(ask(&raw, &late, "GET", true), HERALD_ERROR_REFUSED);
    exchange_cancel(late.exchange, HERALD_ERROR_CANCELLED);
    exchange_release(late.exchange);
    raw_headers(&raw, 1, true, ":status: 200\n");
    raw_flush(&raw);
    assert_int_equal(asked[0].reason, 0);
    assert_true(raw.conn->finished);
    for (int i = 0; i < 3; i++)
        exchange_release(asked[i].exchange);
    raw_close(&raw);
}

static void stops_uploading_when_told(void **state)
{
    (void)state;
    struct raw raw;
    struct asked asked;
    raw_open(&raw, CONN_CLIENT);
    ask(&raw, &asked, "POST", false);
    assert_int_equal(exchange_write(asked.exchange, SPAN_LITERAL("some")), 0);
    raw_pull(&raw);
    raw_headers(&raw, 1, true, ":status: 200\n");
    raw_rst(&raw, 1, H2_NO_ERROR);
    raw_flush(&raw);
    assert_int_equal(asked.closes, 1);
    assert_int_equal(asked.reason, 0);
    exchange_release(asked.exchange);
    raw_close(&raw);
}

static void cancels(void **state)
{
    (void)state;
    struct raw raw;
    struct asked asked;
    raw_open(&raw, CONN_CLIENT);
    ask(&raw, &asked, "GET", true);
    exchange_cancel(asked.exchange, HERALD_ERROR_CANCELLED);
    exchange_release(asked.exchange);
    raw_headers(&raw, 1, false, ":status: 200\n");
    raw_data(&raw, 1, 16384, false);
    raw_data(&raw, 1, 16384, true);
    assert_int_equal(raw_flush(&raw), 0);
    assert_int_equal(raw_reset(&raw, 1), H2_CANCEL);
    struct h2_conn *conn = h2_of(raw.conn);
    assert_int_equal(conn->recv_window + conn->credit, conn->recv_target);
    /* Cancelled before it was sent: nothing of it is. */
    struct message request = {.method = SPAN_LITERAL("GET"),
                              .scheme = SPAN_LITERAL("https"),
                              .authority = SPAN_LITERAL("a"),
                              .path = SPAN_LITERAL("/"),
                              .content_length = CONTENT_LENGTH_UNKNOWN};
    struct exchange *exchange = exchange_new_request(&request, &raw.limits, NULL, NULL);
    assert_int_equal(raw.conn->ops->request(raw.conn, exchange, raw.now), 0);
    exchange_cancel(exchange, HERALD_ERROR_CANCELLED);
    exchange_release(exchange);
    raw_pull(&raw);
    assert_null(raw_find(&raw, H2_HEADERS, 3));
    assert_null(raw_find(&raw, H2_RST_STREAM, 3));
    raw_close(&raw);
}

static size_t promise(struct raw *raw, uint32_t id, uint32_t promised, const char *text)
{
    uint8_t payload[1024];
    h2_put32(payload, promised);
    size_t length = 4 + raw_encode(raw, text, payload + 4, sizeof(payload) - 4);
    raw_frame(raw, H2_PUSH_PROMISE, H2_FLAG_END_HEADERS, id, payload, length);
    return length;
}

static void takes_a_push(void **state)
{
    (void)state;
    struct raw raw;
    struct asked asked;
    raw_open(&raw, CONN_CLIENT);
    ask(&raw, &asked, "GET", true);
    promise(&raw, 1, 2, GET_ROOT);
    raw_headers(&raw, 1, true, ":status: 200\n");
    assert_int_equal(raw_flush(&raw), 0);
    assert_int_equal(asked.pushes, 1);
    assert_int_equal(asked.closes, 1);
    assert_true(span_equals(asked.promised->outgoing.path, SPAN_LITERAL("/")));
    raw_headers(&raw, 2, false, ":status: 200\n");
    raw_data(&raw, 2, 100, true);
    raw_flush(&raw);
    assert_int_equal(asked.closes, 2);
    assert_int_equal(asked.promised->body_bytes_in, 100);
    exchange_release(asked.promised);
    exchange_release(asked.exchange);
    raw_close(&raw);
}

static void refuses_a_push(void **state)
{
    (void)state;
    struct raw raw;
    struct asked asked;
    raw_open(&raw, CONN_CLIENT);
    ask(&raw, &asked, "GET", true);
    asked.refuse_pushes = true;
    promise(&raw, 1, 2, GET_ROOT);
    raw_headers(&raw, 2, true, ":status: 200\n");
    promise(&raw, 1, 4, ":method: POST\n:scheme: https\n:path: /\n:authority: a.example\n");
    assert_int_equal(raw_flush(&raw), 0);
    assert_int_equal(raw_reset(&raw, 2), H2_CANCEL);
    assert_int_equal(raw_reset(&raw, 4), H2_PROTOCOL_ERROR);
    exchange_release(asked.exchange);
    raw_close(&raw);
}

/* ---- a server that breaks each rule once ---- */

struct wrong {
    const char *what;
    void (*send)(struct raw *raw);
    bool of_connection;
    int code; /* of GOAWAY or RST_STREAM on stream 1 or 2; -1: tolerated */
};

static void headers_idle(struct raw *raw)
{
    raw_headers(raw, 9, true, ":status: 200\n");
}
static void headers_even_idle(struct raw *raw)
{
    raw_headers(raw, 8, true, ":status: 200\n");
}
static void data_idle(struct raw *raw)
{
    raw_data(raw, 9, 1, false);
}
static void data_before_headers(struct raw *raw)
{
    raw_data(raw, 1, 1, false);
}
static void no_status(struct raw *raw)
{
    raw_headers(raw, 1, true, "x-a: b\n");
}
static void bad_status(struct raw *raw)
{
    raw_headers(raw, 1, true, ":status: 20x\n");
}
static void status_101(struct raw *raw)
{
    raw_headers(raw, 1, false, ":status: 101\n");
}
static void request_pseudo(struct raw *raw)
{
    raw_headers(raw, 1, true, ":status: 200\n:path: /\n");
}
static void interim_with_end(struct raw *raw)
{
    raw_headers(raw, 1, true, ":status: 103\n");
}
static void length_short(struct raw *raw)
{
    raw_headers(raw, 1, false, ":status: 200\ncontent-length: 5\n");
    raw_data(raw, 1, 4, true);
}
static void length_long(struct raw *raw)
{
    raw_headers(raw, 1, false, ":status: 200\ncontent-length: 5\n");
    raw_data(raw, 1, 6, false);
}
static void trailers_no_end(struct raw *raw)
{
    raw_headers(raw, 1, false, ":status: 200\n");
    raw_headers(raw, 1, false, "x-a: b\n");
}
static void connection_field(struct raw *raw)
{
    raw_headers(raw, 1, true, ":status: 200\nconnection: close\n");
}
static void window_over(struct raw *raw)
{
    raw_headers(raw, 1, false, ":status: 200\n");
    for (int i = 0; i < 4; i++)
        raw_data(raw, 1, 16384, false);
}
static void push_enable(struct raw *raw)
{
    raw_setting(raw, H2_SETTING_ENABLE_PUSH, 1);
}
static void priority_update(struct raw *raw)
{
    raw_frame(raw, H2_PRIORITY_UPDATE, 0, 0, "\0\0\0\1u=1", 7);
}
static void push_odd(struct raw *raw)
{
    promise(raw, 1, 7, GET_ROOT);
}
static void push_zero(struct raw *raw)
{
    promise(raw, 1, 0, GET_ROOT);
}
static void push_idle(struct raw *raw)
{
    promise(raw, 11, 2, GET_ROOT);
}
static void push_twice(struct raw *raw)
{
    promise(raw, 1, 4, GET_ROOT);
    promise(raw, 1, 4, GET_ROOT);
}
static void push_on_pushed(struct raw *raw)
{
    promise(raw, 1, 2, GET_ROOT);
    promise(raw, 2, 4, GET_ROOT);
}
static void push_after_end(struct raw *raw)
{
    raw_headers(raw, 1, true, ":status: 200\n");
    promise(raw, 1, 2, GET_ROOT);
}
static void push_short(struct raw *raw)
{
    raw_frame(raw, H2_PUSH_PROMISE, H2_FLAG_END_HEADERS, 1, "\0\0\2", 3);
}
static void push_with_body(struct raw *raw)
{
    promise(raw, 1, 2, GET_ROOT "content-length: 3\n");
}
static void data_reserved(struct raw *raw)
{
    promise(raw, 1, 2, GET_ROOT);
    raw_data(raw, 2, 1, false);
}
static void goaway_grows(struct raw *raw)
{
    raw_frame(raw, H2_GOAWAY, 0, 0, "\0\0\0\1\0\0\0\0", 8);
    raw_frame(raw, H2_GOAWAY, 0, 0, "\0\0\0\3\0\0\0\0", 8);
}
static void interim_flood(struct raw *raw)
{
    for (int i = 0; i < 101; i++)
        raw_headers(raw, 1, false, ":status: 103\n");
}
static void altsvc(struct raw *raw)
{
    raw_frame(raw, H2_ALTSVC, 0, 0, "\0\1ah3=\":1\"", 10);
}
static void origin(struct raw *raw)
{
    raw_frame(raw, H2_ORIGIN, 0, 0, "\0\1a", 3);
}
static void origin_broken(struct raw *raw)
{
    raw_frame(raw, H2_ORIGIN, 0, 0, "\0\7a", 3);
}
static void frame_size_low(struct raw *raw)
{
    raw_setting(raw, H2_SETTING_MAX_FRAME_SIZE, 0);
}

static const struct wrong wrongs[] = {
    {"HEADERS idle", headers_idle, true, H2_PROTOCOL_ERROR},
    {"HEADERS even idle", headers_even_idle, true, H2_PROTOCOL_ERROR},
    {"DATA idle", data_idle, true, H2_PROTOCOL_ERROR},
    {"DATA before HEADERS", data_before_headers, false, H2_PROTOCOL_ERROR},
    {"no :status", no_status, false, H2_PROTOCOL_ERROR},
    {"bad :status", bad_status, false, H2_PROTOCOL_ERROR},
    {"101", status_101, false, H2_PROTOCOL_ERROR},
    {":path in a response", request_pseudo, false, H2_PROTOCOL_ERROR},
    {"1xx with END_STREAM", interim_with_end, false, H2_PROTOCOL_ERROR},
    {"Content-Length short", length_short, false, H2_PROTOCOL_ERROR},
    {"Content-Length long", length_long, false, H2_PROTOCOL_ERROR},
    {"trailers without end", trailers_no_end, false, H2_PROTOCOL_ERROR},
    {"connection field", connection_field, false, H2_PROTOCOL_ERROR},
    {"ENABLE_PUSH by a server", push_enable, true, H2_PROTOCOL_ERROR},
    {"PRIORITY_UPDATE", priority_update, true, H2_PROTOCOL_ERROR},
    {"promise of an odd id", push_odd, true, H2_PROTOCOL_ERROR},
    {"promise of 0", push_zero, true, H2_PROTOCOL_ERROR},
    {"promise on idle", push_idle, true, H2_PROTOCOL_ERROR},
    {"promise twice", push_twice, true, H2_PROTOCOL_ERROR},
    {"promise on a pushed stream", push_on_pushed, true, H2_PROTOCOL_ERROR},
    {"promise after the end", push_after_end, true, H2_STREAM_CLOSED},
    {"promise too short", push_short, true, H2_FRAME_SIZE_ERROR},
    {"promise with a body", push_with_body, false, H2_PROTOCOL_ERROR},
    {"DATA on reserved", data_reserved, true, H2_PROTOCOL_ERROR},
    {"GOAWAY grows", goaway_grows, true, H2_PROTOCOL_ERROR},
    {"1xx flood", interim_flood, false, H2_ENHANCE_YOUR_CALM},
    {"ALTSVC", altsvc, false, -1},
    {"ORIGIN", origin, false, -1},
    {"ORIGIN broken", origin_broken, false, -1},
    {"MAX_FRAME_SIZE 0", frame_size_low, true, H2_PROTOCOL_ERROR},
};

static void judge(const struct wrong *wrong, bool bytewise)
{
    struct raw raw;
    struct asked asked;
    raw_open(&raw, CONN_CLIENT);
    ask(&raw, &asked, "GET", true);
    asked.refuse_pushes = wrong->send == push_with_body;
    wrong->send(&raw);
    int result = bytewise ? raw_flush_bytewise(&raw) : raw_flush(&raw);
    int goaway = raw_goaway(&raw);
    int reset = raw_reset(&raw, wrong->send == push_with_body ? 2 : 1);
    if (wrong->of_connection ? result >= 0 || goaway != wrong->code
                             : result < 0 || reset != wrong->code)
        fail_msg("%s: result %d, GOAWAY %d, RST %d", wrong->what, result, goaway, reset);
    raw_close(&raw);
    assert_int_equal(asked.closes >= 1, 1);
    if (asked.promised != NULL)
        exchange_release(asked.promised);
    exchange_release(asked.exchange);
}

static void judges_a_server_that_breaks_rules(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(wrongs) / sizeof(wrongs[0]); i++) {
        judge(&wrongs[i], false);
        judge(&wrongs[i], true);
    }
}

static void holds_to_its_windows(void **state)
{
    (void)state;
    struct raw raw;
    struct asked asked;
    raw_open(&raw, CONN_CLIENT);
    ask(&raw, &asked, "GET", true);
    /* Unread: 65,536 bytes are one too many. */
    static const struct exchange_events silent = {.closed = on_closed};
    asked.exchange->events = &silent;
    window_over(&raw);
    raw_flush(&raw);
    assert_int_equal(raw_reset(&raw, 1), H2_FLOW_CONTROL_ERROR);
    exchange_release(asked.exchange);
    raw_close(&raw);
}

static void refuses_pushes_when_off(void **state)
{
    (void)state;
    struct raw raw;
    struct asked asked;
    raw_init(&raw);
    struct conn_config config = {
        .role = CONN_CLIENT, .host = &host_ops, .host_data = &raw.host, .limits = &raw.limits};
    raw.conn = h2_engine.create(&config, raw.now);
    raw_pull(&raw);
    const uint8_t *entry = raw_payload(&raw, raw_find(&raw, H2_SETTINGS, 0));
    assert_int_equal(h2_get16(entry + 6), H2_SETTING_ENABLE_PUSH);
    assert_int_equal(h2_get32(entry + 8), 0);
    raw_handshake(&raw);
    ask(&raw, &asked, "GET", true);
    promise(&raw, 1, 2, GET_ROOT);
    assert_true(raw_flush(&raw) < 0);
    assert_int_equal(raw_goaway(&raw), H2_PROTOCOL_ERROR);
    raw_close(&raw);
    exchange_release(asked.exchange);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gets_a_response),
        cmocka_unit_test(keeps_to_the_stream_limit),
        cmocka_unit_test(is_told_what_was_not_processed),
        cmocka_unit_test(stops_uploading_when_told),
        cmocka_unit_test(cancels),
        cmocka_unit_test(takes_a_push),
        cmocka_unit_test(refuses_a_push),
        cmocka_unit_test(judges_a_server_that_breaks_rules),
        cmocka_unit_test(holds_to_its_windows),
        cmocka_unit_test(refuses_pushes_when_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
