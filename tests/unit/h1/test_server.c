/* The server role: what goes out, what the handler sees, when the connection closes. */
#include "h1/harness.h"

static unsigned status_of(const char *output)
{
    return strncmp(output, "HTTP/1.1 ", 9) == 0 ? (unsigned)strtoul(output + 9, NULL, 10) : 0;
}

#define HOST "Host: a\r\n"
#define NEXT "GET /next HTTP/1.1\r\nHost: a\r\n\r\n"

static void expect_output(enum handler_kind kind, const char *input, const char *output)
{
    struct harness harness;

    harness_init(&harness, kind);
    harness_open(&harness);
    assert_string_equal(harness_exchange(&harness, input), output);
    harness_close(&harness);
}

static void test_responses(void **state)
{
    (void)state;
    expect_output(HANDLER_EARLY, NEXT, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nearly");
    expect_output(HANDLER_EARLY, "HEAD / HTTP/1.1\r\n" HOST "\r\n" NEXT,
                  "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"
                  "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nearly");
    expect_output(HANDLER_EMPTY, NEXT NEXT,
                  "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n");
    expect_output(HANDLER_HINTS, NEXT,
                  "HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload; as=style\r\n\r\n"
                  "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
                  "4\r\npage\r\n0\r\nx-checksum: 1\r\n\r\n");
    /* Neither interim responses nor chunks nor trailers for HTTP/1.0. */
    expect_output(HANDLER_HINTS, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
                  "HTTP/1.1 200 OK\r\ncontent-length: 4\r\nconnection: keep-alive\r\n\r\npage");
    expect_output(HANDLER_STREAM, "POST / HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc",
                  "HTTP/1.1 200 OK\r\ncontent-length: 3\r\nconnection: close\r\n\r\nabc");
    expect_output(HANDLER_ECHO,
                  "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
                  "3;a=\"b\"\r\nabc\r\n000a\r\n0123456789\r\n0\r\nX-Sum: 1\r\n\r\n",
                  "HTTP/1.1 200 OK\r\ncontent-length: 13\r\n\r\nabc0123456789");
}

static void expect_log(const char *input, const char *log)
{
    struct harness harness;

    harness_init(&harness, HANDLER_ECHO);
    harness_open(&harness);
    (void)harness_exchange(&harness, input);
    assert_string_equal(harness_log(&harness), log);
    harness_close(&harness);
}

static void test_requests_as_seen(void **state)
{
    (void)state;
    expect_log("GET http://B.example:8080/x?y HTTP/1.1\r\nHost: a\r\nX-A:  b \r\n\r\n",
               "request GET /x?y B.example:8080 x-a=b\nend\n");
    expect_log("GET http://b HTTP/1.1\r\nHost: a\r\n\r\n", "request GET / b\nend\n");
    expect_log("GET http://b?x HTTP/1.1\r\nHost: a\r\n\r\n", "request GET /?x b\nend\n");
    expect_log("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "request OPTIONS * a\nend\n");
    /* Fields of the connection do not reach the handler, others cannot be named away. */
    expect_log("GET / HTTP/1.1\r\nHost: a\r\nConnection: x-hop, cookie, keep-alive\r\nX-Hop: 1\r\n"
               "Cookie: c=1\r\nKeep-Alive: timeout=5\r\nTE: trailers\r\n\r\n",
               "request GET / a cookie=c=1 te=trailers\nend\n");
    /* SM-08: trailers stay apart and forbidden names are dropped. */
    expect_log("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n"
               "X-Sum: 1\r\nContent-Length: 9\r\nAuthorization: b\r\nHost: c\r\n\r\n",
               "request POST / a\nbody 1\ntrailer x-sum=1\nend\n");
}

static void test_expect_continue(void **state)
{
    static const char head[] =
        "POST / HTTP/1.1\r\n" HOST "Content-Length: 3\r\nExpect: 100-Continue\r\n\r\n";
    struct harness harness;

    (void)state;
    /* The handler reads: the body is asked for. */
    harness_init(&harness, HANDLER_ECHO);
    harness_open(&harness);
    assert_string_equal(harness_exchange(&harness, head), "HTTP/1.1 100 Continue\r\n\r\n");
    buf_clear(&harness.output);
    assert_string_equal(harness_exchange(&harness, "abc" NEXT),
                        "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc"
                        "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    harness_close(&harness);

    /* It answers without reading: whether the body comes nobody knows, so the connection closes. */
    harness_init(&harness, HANDLER_EARLY);
    harness_open(&harness);
    assert_string_equal(harness_exchange(&harness, head),
                        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nearly");
    assert_true(harness.server->finished);
    (void)harness_exchange(&harness, "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_int_equal(harness.dispatched, 1);
    harness_close(&harness);

    /* It does neither: after a while the body is asked for. */
    harness_init(&harness, HANDLER_HOLD);
    harness_open(&harness);
    assert_string_equal(harness_exchange(&harness, head), "");
    harness_advance(&harness, harness.server, HERALD_SECOND);
    harness_pull(&harness);
    assert_string_equal(harness_output(&harness), "HTTP/1.1 100 Continue\r\n\r\n");
    harness_close(&harness);

    /* HTTP/1.0 knows no interim responses; a body that is there already needs none. */
    expect_output(HANDLER_ECHO,
                  "POST / HTTP/1.0\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabc",
                  "HTTP/1.1 200 OK\r\ncontent-length: 3\r\nconnection: close\r\n\r\nabc");
}

/* A response before the request's body: the rest is taken up to a limit, or the connection ends. */
static void test_unread_body(void **state)
{
    struct harness harness;
    static uint8_t zeros[65536];

    (void)state;
    harness_init(&harness, HANDLER_EARLY);
    harness_open(&harness);
    (void)harness_exchange(&harness, "POST / HTTP/1.1\r\n" HOST "Content-Length: 70000\r\n\r\n");
    assert_false(harness.server->finished);
    harness_feed(&harness, span_make(zeros, 65536));
    harness_feed(&harness, span_make(zeros, 70000 - 65536));
    (void)harness_exchange(&harness, NEXT);
    assert_int_equal(harness.dispatched, 2);
    harness_close(&harness);

    harness_init(&harness, HANDLER_EARLY);
    harness_open(&harness);
    (void)harness_exchange(&harness, "POST / HTTP/1.1\r\n" HOST "Content-Length: 99000000\r\n\r\n");
    assert_true(harness.server->finished);
    harness_close(&harness);

    harness_init(&harness, HANDLER_EARLY);
    harness_open(&harness);
    (void)harness_exchange(&harness,
                           "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n");
    for (unsigned i = 0; i < 64 && !harness.server->finished; i++) {
        harness_feed(&harness, SPAN_LITERAL("10000\r\n"));
        harness_feed(&harness, span_make(zeros, 65536));
        harness_feed(&harness, SPAN_LITERAL("\r\n"));
    }
    assert_true(harness.server->finished);
    harness_close(&harness);

    harness_init(&harness, HANDLER_EARLY);
    harness_open(&harness);
    (void)harness_exchange(&harness, "POST / HTTP/1.1\r\n" HOST "Content-Length: 70000\r\n\r\n");
    harness_advance(&harness, harness.server, 6 * HERALD_SECOND);
    assert_true(harness.server->finished);
    assert_int_equal(harness.server_result, 0);
    harness_close(&harness);
}

static void test_upgrade(void **state)
{
    static const char request[] =
        "GET / HTTP/1.1\r\n" HOST "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    struct harness harness;

    (void)state;
    harness_init(&harness, HANDLER_UPGRADE);
    harness_open(&harness);
    assert_string_equal(harness_exchange(&harness, request),
                        "HTTP/1.1 101 Switching Protocols\r\n"
                        "connection: upgrade\r\nupgrade: websocket\r\n\r\n");
    buf_clear(&harness.output);
    assert_string_equal(harness_exchange(&harness, "GET / \n\n\x01"), "GET / \n\n\x01");
    assert_false(harness.server->finished);
    assert_int_equal(harness.server->ops->eof(harness.server, harness.now), 0);
    harness_pull(&harness);
    assert_true(harness.server->finished);
    assert_int_equal(harness.completed, 1);
    harness_close(&harness);

    /* Bytes sent behind the request belong to the tunnel when it opens ... */
    harness_init(&harness, HANDLER_UPGRADE);
    harness_open(&harness);
    harness_feed(&harness, span_from_text(request));
    (void)harness_exchange(&harness, "tunnel");
    assert_non_null(strstr(harness_output(&harness), "\r\n\r\ntunnel"));
    harness_close(&harness);

    /* ... and to nobody when it does not (SM-16). */
    harness_init(&harness, HANDLER_HOLD);
    harness_open(&harness);
    harness_feed(&harness, span_from_text(request));
    harness_feed(&harness, span_from_text(NEXT));
    assert_int_equal(exchange_respond(harness.held, 200, NULL, 0, 0), 0);
    assert_int_equal(exchange_finish(harness.held, NULL, 0), 0);
    exchange_release(harness.held);
    harness.held = NULL;
    harness_pull(&harness);
    assert_non_null(strstr(harness_output(&harness), "connection: close"));
    assert_int_equal(harness.dispatched, 1);
    assert_true(harness.server->finished);
    harness_close(&harness);
}

static void test_connect(void **state)
{
    struct harness harness;

    (void)state;
    harness_init(&harness, HANDLER_UPGRADE);
    harness_open(&harness);
    assert_string_equal(
        harness_exchange(&harness, "CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\n\r\nab"),
        "HTTP/1.1 200 OK\r\n\r\nab");
    assert_string_equal(harness_log(&harness), "request CONNECT  b:443\nbody 2\n");
    harness_close(&harness);

    harness_init(&harness, HANDLER_HOLD);
    harness_open(&harness);
    (void)harness_exchange(&harness, "CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\n\r\n");
    assert_int_equal(exchange_respond(harness.held, 405, NULL, 0, 0), 0);
    assert_int_equal(exchange_finish(harness.held, NULL, 0), 0);
    exchange_release(harness.held);
    harness.held = NULL;
    harness_pull(&harness);
    assert_string_equal(harness_output(&harness), "HTTP/1.1 405 Method Not Allowed\r\n"
                                                  "content-length: 0\r\nconnection: close\r\n\r\n");
    assert_true(harness.server->finished);
    harness_close(&harness);
}

/* What a handler breaks off must not look complete. */
static void test_cancel(void **state)
{
    struct harness harness;

    (void)state;
    harness_init(&harness, HANDLER_HOLD);
    harness_open(&harness);
    (void)harness_exchange(&harness, NEXT);
    assert_int_equal(exchange_respond(harness.held, 200, NULL, 0, CONTENT_LENGTH_UNKNOWN), 0);
    assert_int_equal(exchange_write(harness.held, SPAN_LITERAL("part")), 0);
    harness_pull(&harness);
    exchange_cancel(harness.held, HERALD_ERROR_INTERNAL);
    harness_pull(&harness);
    assert_string_equal(harness_output(&harness),
                        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\npart\r\n");
    assert_true(harness.server->finished);
    assert_string_equal(harness_log(&harness), "request GET /next a\n");
    harness_close(&harness);

    /* Where the end of the connection is the end of the body, it must be another end. */
    harness_init(&harness, HANDLER_HOLD);
    harness_open(&harness);
    (void)harness_exchange(&harness, "GET /next HTTP/1.0\r\n\r\n");
    assert_int_equal(exchange_respond(harness.held, 200, NULL, 0, CONTENT_LENGTH_UNKNOWN), 0);
    assert_int_equal(exchange_write(harness.held, SPAN_LITERAL("part")), 0);
    harness_pull(&harness);
    assert_false(harness.server->broken);
    exchange_cancel(harness.held, HERALD_ERROR_INTERNAL);
    harness_pull(&harness);
    assert_true(harness.server->finished && harness.server->broken);
    harness_close(&harness);

    /* Before the head there is still something to say. */
    harness_init(&harness, HANDLER_HOLD);
    harness_open(&harness);
    (void)harness_exchange(&harness, NEXT);
    exchange_release(harness.held);
    harness.held = NULL;
    harness_pull(&harness);
    assert_int_equal(status_of(harness_output(&harness)), 500);
    assert_true(harness.server->finished);
    harness_close(&harness);
}

static void test_backpressure(void **state)
{
    static uint8_t bytes[65536];
    struct harness harness;
    size_t taken = 0;

    (void)state;
    harness_init(&harness, HANDLER_HOLD);
    harness_open(&harness);
    (void)harness_exchange(&harness, "POST / HTTP/1.1\r\n" HOST "Content-Length: 1000000\r\n\r\n");
    while (harness.server->wants_read && taken < 1000000) {
        harness_feed(&harness, span_make(bytes, 10000));
        taken += 10000;
    }
    assert_in_range(taken, 60000, 80000);
    /* A slow handler is not the client's fault. */
    assert_true(harness.server->ops->deadline(harness.server) == HERALD_NEVER);
    while (exchange_read(harness.held, bytes, sizeof(bytes)) > 0) {
    }
    assert_true(harness.server->wants_read);
    assert_true(harness.wakes > 0);
    harness_close(&harness);

    /* Pipelined requests stop the reading too. */
    harness_init(&harness, HANDLER_HOLD);
    harness_open(&harness);
    (void)harness_exchange(&harness, NEXT);
    for (taken = 0; harness.server->wants_read && taken < 1000000; taken += sizeof(NEXT) - 1)
        harness_feed(&harness, span_from_text(NEXT));
    assert_in_range(taken, 10000, 20000);
    assert_int_equal(harness.dispatched, 1);
    harness_close(&harness);
}

static void test_shutdown(void **state)
{
    struct harness harness;

    (void)state;
    harness_init(&harness, HANDLER_ECHO);
    harness_open(&harness);
    (void)harness_exchange(&harness, NEXT);
    harness.server->ops->shutdown(harness.server, harness.now);
    assert_true(harness.server->finished);
    harness_close(&harness);

    harness_init(&harness, HANDLER_HOLD);
    harness_open(&harness);
    (void)harness_exchange(&harness, NEXT);
    harness.server->ops->shutdown(harness.server, harness.now);
    assert_false(harness.server->finished);
    assert_int_equal(exchange_respond(harness.held, 200, NULL, 0, 0), 0);
    assert_int_equal(exchange_finish(harness.held, NULL, 0), 0);
    harness_pull(&harness);
    assert_non_null(strstr(harness_output(&harness), "connection: close"));
    assert_true(harness.server->finished);
    harness_close(&harness);
}

/* A client that has said its last byte still gets its answer in cleartext; over TLS it has left. */
static void test_half_close(void **state)
{
    struct harness harness;

    (void)state;
    for (unsigned tls = 0; tls < 2; tls++) {
        harness_init(&harness, HANDLER_HOLD);
        harness.info.tls_version_number = tls ? 0x0304 : 0;
        harness_open(&harness);
        (void)harness_exchange(&harness, NEXT);
        assert_int_equal(harness.server->ops->eof(harness.server, harness.now),
                         tls ? HERALD_ERROR_CLOSED : 0);
        if (!tls) {
            assert_int_equal(exchange_respond(harness.held, 200, NULL, 0, 2), 0);
            assert_int_equal(exchange_write(harness.held, SPAN_LITERAL("ok")), 0);
            assert_int_equal(exchange_finish(harness.held, NULL, 0), 0);
            harness_pull(&harness);
            assert_non_null(strstr(harness_output(&harness), "\r\n\r\nok"));
        }
        assert_true(harness.server->finished);
        harness_close(&harness);
    }
    /* Nor does it wait for ever. */
    harness_init(&harness, HANDLER_HOLD);
    harness_open(&harness);
    (void)harness_exchange(&harness, NEXT);
    assert_int_equal(harness.server->ops->eof(harness.server, harness.now), 0);
    harness_advance(&harness, harness.server, HERALD_SECOND);
    assert_string_equal(harness_log(&harness), "request GET /next a\nclosed -9\n");
    harness_close(&harness);
}

/* The owner of a finished response may still work; others are served meanwhile, up to a limit. */
static void test_running_owners(void **state)
{
    struct harness harness;
    struct exchange *held[4];

    (void)state;
    harness_init(&harness, HANDLER_HOLD);
    harness.limits.concurrent_streams = 3;
    harness_open(&harness);
    for (unsigned i = 0; i < 4; i++) {
        (void)harness_exchange(&harness, NEXT);
        assert_int_equal(harness.dispatched, i < 3 ? i + 1 : 3);
        if (i == 3)
            break;
        held[i] = harness.held;
        held[i]->events = NULL;
        assert_int_equal(exchange_respond(held[i], 200, NULL, 0, 0), 0);
        assert_int_equal(exchange_finish(held[i], NULL, 0), 0);
        harness_pull(&harness);
        harness.held = NULL;
    }
    exchange_release(held[0]);
    harness_pull(&harness);
    assert_int_equal(harness.dispatched, 4);
    exchange_release(held[1]);
    exchange_release(held[2]);
    harness_close(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_responses),       cmocka_unit_test(test_requests_as_seen),
        cmocka_unit_test(test_expect_continue), cmocka_unit_test(test_unread_body),
        cmocka_unit_test(test_upgrade),         cmocka_unit_test(test_connect),
        cmocka_unit_test(test_cancel),          cmocka_unit_test(test_backpressure),
        cmocka_unit_test(test_shutdown),        cmocka_unit_test(test_half_close),
        cmocka_unit_test(test_running_owners),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
