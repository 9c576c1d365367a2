/* Every allocation fails once, and from some one on for ever: nothing leaks, nothing breaks. */
#include "h2/harness.h"
#include "support/failmalloc.h"

static uint8_t script[1 << 17];
static size_t script_length;

/* The bytes are made before anything may fail. */
static void record(struct raw *raw)
{
    script_length = buf_length(&raw->in);
    assert_true(script_length <= sizeof(script));
    memcpy(script, buf_span(&raw->in).data, script_length);
    buf_free(&raw->in);
    buf_free(&raw->out);
    hpack_encoder_free(&raw->encoder);
    hpack_decoder_free(&raw->decoder);
}

static void finish(struct exchange *exchange)
{
    static const struct field trailer = {SPAN_LITERAL("x-end"), SPAN_LITERAL("1"), 0, 0};
    static const struct field link = {SPAN_LITERAL("link"), SPAN_LITERAL("</a.css>"), 0, 0};
    struct message request = {.method = SPAN_LITERAL("GET"),
                              .path = SPAN_LITERAL("/a.css"),
                              .content_length = CONTENT_LENGTH_UNKNOWN};
    (void)exchange_inform(exchange, 103, &link, 1);
    (void)exchange_push(exchange, &request);
    if (exchange_respond(exchange, 200, &link, 1, CONTENT_LENGTH_UNKNOWN) == 0) {
        (void)exchange_write(exchange, SPAN_LITERAL("a body"));
        (void)exchange_finish(exchange, &trailer, 1);
    }
    exchange_release(exchange);
}

static void on_readable(struct exchange *exchange)
{
    uint8_t bytes[1000];
    while (exchange_read(exchange, bytes, sizeof(bytes)) > 0)
        ;
    if (exchange_at_end(exchange) && !exchange->closed)
        finish(exchange);
}

static void on_closed(struct exchange *exchange, int reason)
{
    (void)reason;
    exchange_release(exchange);
}

static const struct exchange_events server_events = {.readable = on_readable, .closed = on_closed};

static void answer(struct conn *conn, struct exchange *exchange)
{
    (void)conn;
    exchange->events = &server_events;
    if (exchange_at_end(exchange))
        finish(exchange);
}

static const struct conn_host_ops failing_host = {.dispatch = answer};

static void drive(struct conn *conn)
{
    static uint8_t output[16384];
    herald_time now = HERALD_SECOND;
    bool over = false;
    for (size_t at = 0; at < script_length && !over; at += 700) {
        struct conn_in in = {.data = span_slice(span_make(script, script_length), at, 700)};
        over = conn->ops->recv(conn, &in, now) < 0;
        struct conn_out out = {.data = output, .capacity = sizeof(output)};
        for (int i = 0; i < 20; i++) {
            if (conn->ops->pull(conn, &out, now) < 0)
                over = true;
            if (out.length == 0)
                break;
        }
        now += HERALD_SECOND / 2;
        if (!over && conn->ops->deadline(conn) <= now)
            over = conn->ops->expire(conn, now) < 0;
    }
}

static bool serve(void *user)
{
    (void)user;
    struct conn_config config = {
        .role = CONN_SERVER, .host = &failing_host, .limits = &limits_default, .push = true};
    struct conn *conn = h2_engine.create(&config, HERALD_SECOND);
    if (conn == NULL)
        return true;
    drive(conn);
    conn->ops->destroy(conn);
    return true;
}

static void server_survives(void **state)
{
    (void)state;
    struct raw raw;
    raw_init(&raw);
    raw_bytes(&raw, H2_PREFACE, H2_PREFACE_LENGTH);
    raw_frame(&raw, H2_SETTINGS, 0, 0, NULL, 0);
    raw_frame(&raw, H2_SETTINGS, H2_FLAG_ACK, 0, NULL, 0);
    raw_frame(&raw, H2_PRIORITY, 0, 99, "\0\0\0\1\7", 5);
    raw_frame(&raw, H2_PRIORITY_UPDATE, 0, 0, "\0\0\0\3u=1", 7);
    raw_get(&raw, 1);
    raw_headers(&raw, 3, false, POST_ROOT "cookie: a=b\ncookie: c=d\n");
    raw_data(&raw, 3, 9000, false);
    raw_headers(&raw, 3, true, "x-trailer: 1\n");
    raw_headers(&raw, 5, false, POST_ROOT "content-length: 100000000\n");
    raw_data(&raw, 5, 100, false);
    raw_rst(&raw, 5, H2_CANCEL);
    raw_headers(&raw, 7, true, ":method: GET\n");
    uint8_t block[2000];
    size_t length = raw_encode(&raw, GET_ROOT "x-new: value\nx-other: one\n", block, 2000);
    raw_frame(&raw, H2_HEADERS, H2_FLAG_END_STREAM, 9, block, 10);
    raw_frame(&raw, H2_CONTINUATION, H2_FLAG_END_HEADERS, 9, block + 10, length - 10);
    raw_frame(&raw, H2_PING, 0, 0, "12345678", 8);
    raw_window(&raw, 0, 100000);
    record(&raw);
    assert_true(failmalloc_each(serve, NULL, 5000) > 20);
}

/* ---- client ---- */

static struct exchange *asked[3];

static void on_pushed(struct exchange *exchange, struct exchange *promised)
{
    (void)exchange;
    promised->events = &server_events;
    (void)exchange_accept_push(promised);
}

static void read_it(struct exchange *exchange)
{
    uint8_t bytes[1000];
    while (exchange_read(exchange, bytes, sizeof(bytes)) > 0)
        ;
}

static const struct exchange_events client_events = {
    .readable = read_it, .pushed = on_pushed, .closed = on_closed};

static bool fetch(void *user)
{
    (void)user;
    struct conn_config config = {
        .role = CONN_CLIENT, .host = &failing_host, .limits = &limits_default, .push = true};
    struct conn *conn = h2_engine.create(&config, HERALD_SECOND);
    if (conn == NULL)
        return true;
    for (int i = 0; i < 3; i++) {
        struct message request = {.method = SPAN_LITERAL("POST"),
                                  .scheme = SPAN_LITERAL("https"),
                                  .authority = SPAN_LITERAL("a.example"),
                                  .path = SPAN_LITERAL("/"),
                                  .content_length = CONTENT_LENGTH_UNKNOWN};
        asked[i] = exchange_new_request(&request, &limits_default, &client_events, NULL);
        if (asked[i] == NULL)
            continue;
        (void)exchange_write(asked[i], SPAN_LITERAL("body"));
        if (exchange_finish(asked[i], NULL, 0) != 0 ||
            conn->ops->request(conn, asked[i], HERALD_SECOND) != 0) {
            exchange_cancel(asked[i], HERALD_ERROR_CANCELLED);
            exchange_release(asked[i]);
        }
    }
    drive(conn);
    conn->ops->destroy(conn);
    return true;
}

static void client_survives(void **state)
{
    (void)state;
    struct raw raw;
    uint8_t payload[500];
    raw_init(&raw);
    raw_frame(&raw, H2_SETTINGS, 0, 0, NULL, 0);
    raw_frame(&raw, H2_SETTINGS, H2_FLAG_ACK, 0, NULL, 0);
    /* Something for the requests to be written before the answers come: the script is given in
     * pieces of 700 bytes. */
    for (int i = 0; i < 40; i++)
        raw_frame(&raw, H2_PING, 0, 0, "12345678", 8);
    raw_headers(&raw, 1, false, ":status: 103\nlink: </x>\n");
    h2_put32(payload, 2);
    size_t length = 4 + raw_encode(&raw, GET_ROOT, payload + 4, 400);
    raw_frame(&raw, H2_PUSH_PROMISE, H2_FLAG_END_HEADERS, 1, payload, length);
    raw_headers(&raw, 1, false, ":status: 200\n");
    raw_data(&raw, 1, 6000, false);
    raw_headers(&raw, 1, true, "x-end: 1\n");
    raw_headers(&raw, 2, false, ":status: 200\n");
    raw_data(&raw, 2, 3000, true);
    raw_headers(&raw, 3, true, ":status: 404\n");
    raw_frame(&raw, H2_GOAWAY, 0, 0, "\0\0\0\3\0\0\0\0", 8);
    record(&raw);
    assert_true(failmalloc_each(fetch, NULL, 5000) > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(server_survives),
        cmocka_unit_test(client_survives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
