/* The client role against scripted answers, and both roles connected back to back. */
#include "h1/harness.h"

static void open_asked(struct harness *harness, const char *method)
{
    static uint8_t bytes[65536];
    struct conn_out out = {.data = bytes, .capacity = sizeof(bytes)};

    harness_init(harness, HANDLER_ECHO);
    harness_open_client(harness);
    assert_int_equal(harness_ask(harness, method, "/", NULL, false), 0);
    assert_int_equal(harness->client->ops->pull(harness->client, &out, harness->now), 0);
    assert_true(out.length > 0);
}

struct answer {
    const char *method;
    const char *text;
    const char *log; /* all of it, eof included */
    const char *body;
    bool reusable;
};

#define TOP "HTTP/1.1 200 OK\r\n"

static const struct answer answers[] = {
    {"GET", TOP "Content-Length: 2\r\n\r\nab", "response 200 content-length=2\ncomplete\ndone 0\n",
     "ab", true},
    {"GET", TOP "Content-Length: 0\r\n\r\n", "response 200 content-length=0\ncomplete\ndone 0\n",
     "", true},
    {"HEAD", TOP "Content-Length: 2\r\n\r\n", "response 200 content-length=2\ncomplete\ndone 0\n",
     "", true},
    {"GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
     "response 304 content-length=9\ncomplete\ndone 0\n", "", true},
    {"GET", "HTTP/1.1 204\r\n\r\n", "response 204\ncomplete\ndone 0\n", "", true},
    {"GET", TOP "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nX-T: 1\r\n\r\n",
     "response 200\ntrailer x-t=1\ncomplete\ndone 0\n", "ab", true},
    {"GET", "HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n" TOP "Content-Length: 0\r\n\r\n",
     "informational 103 link=<a>\nresponse 200 content-length=0\ncomplete\ndone 0\n", "", true},
    /* Until the end of the connection. */
    {"GET", TOP "\r\nab", "response 200\ncomplete\ndone 0\n", "ab", false},
    {"GET", "HTTP/1.0 200 OK\r\n\r\nab", "response 200\ncomplete\ndone 0\n", "ab", false},
    {"GET", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nab",
     "response 200 content-length=2\ncomplete\ndone 0\n", "ab", false},
    {"GET", TOP "Connection: close\r\nContent-Length: 2\r\n\r\nab",
     "response 200 content-length=2\ncomplete\ndone 0\n", "ab", false},
    /* Truncated: never taken for complete. */
    {"GET", TOP "Content-Length: 3\r\n\r\nab", "response 200 content-length=3\ndone -9\n", "ab",
     false},
    {"GET", TOP "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", "response 200\ndone -9\n", "ab",
     false},
    {"GET", TOP "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n", "response 200\ndone -9\n",
     "ab", false},
    {"GET", TOP "Content-Le", "done -9\n", "", false},
    {"GET", "", "done -9\n", "", false},
    /* SM-18 */
    {"GET", TOP "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "done -6\n", "",
     false},
    {"GET", TOP "Content-Length: 2\r\nContent-Length: 3\r\n\r\nab", "done -6\n", "", false},
    {"GET", TOP "Content-Length: 2\r\n\r\nabc", "response 200 content-length=2\ncomplete\ndone 0\n",
     "ab", false},
    {"GET", TOP "Transfer-Encoding: gzip\r\n\r\nab", "done -6\n", "", false},
    {"GET", "HTTP/1.1 101 Switching Protocols\r\n\r\n", "done -6\n", "", false},
    {"GET", "HTTP/2.0 200 OK\r\n\r\n", "done -6\n", "", false},
    {"GET", "HTTP/1.1 20 OK\r\n\r\n", "done -6\n", "", false},
    {"GET", "HTTP/1.1 2000 OK\r\n\r\n", "done -6\n", "", false},
    {"GET", "HTTP/1.1 099 OK\r\n\r\n", "done -6\n", "", false},
    {"GET", "HTTP/1.1  200 OK\r\n\r\n", "done -6\n", "", false},
    {"GET", "HTTP/1.1 200 O\nK\r\n\r\n", "done -6\n", "", false},
    {"GET", TOP "A: b\nC: d\r\n\r\n", "done -6\n", "", false},
    {"GET", "SSH-2.0-OpenSSH\r\n", "done -6\n", "", false},
};

static void run_answer(const struct answer *answer, size_t piece)
{
    struct harness harness;
    struct span all = span_from_text(answer->text);
    bool reusable;

    open_asked(&harness, answer->method);
    for (size_t at = 0; at < all.length; at += piece)
        harness_answer(&harness, span_slice(all, at, piece));
    reusable = !harness.client->finished;
    if (harness.client->ops->eof(harness.client, harness.now) == 0)
        assert_true(harness.client->finished);
    if (strcmp(harness_log(&harness), answer->log) != 0)
        print_error("%s\n", answer->text);
    assert_string_equal(harness_log(&harness), answer->log);
    assert_string_equal(harness_output(&harness), answer->body);
    /* Truncated and endless answers are seen only at the end. */
    if (answer->reusable)
        assert_true(reusable);
    assert_int_equal(harness.gone, 1);
    harness_close(&harness);
}

static void test_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        run_answer(&answers[i], 65536);
        run_answer(&answers[i], 1);
        run_answer(&answers[i], 7);
    }
}

static void test_informational_flood(void **state)
{
    struct harness harness;
    unsigned count = 0;

    (void)state;
    open_asked(&harness, "GET");
    while (harness.client_result == 0 && count < 1000) {
        harness_answer(&harness, SPAN_LITERAL("HTTP/1.1 103 Early Hints\r\n\r\n"));
        count++;
    }
    assert_int_equal(count, limits_default.informational_count + 1);
    assert_int_equal(harness.client_result, HERALD_ERROR_PROTOCOL);
    harness_close(&harness);
}

/* Bytes nobody asked for: the connection is not used again. */
static void test_unasked_bytes(void **state)
{
    struct harness harness;

    (void)state;
    harness_init(&harness, HANDLER_ECHO);
    harness_open_client(&harness);
    harness_answer(&harness, SPAN_LITERAL("HTTP/1.1 408 Request Timeout\r\n\r\n"));
    assert_int_equal(harness.client_result, HERALD_ERROR_PROTOCOL);
    assert_int_equal(harness_ask(&harness, "GET", "/", NULL, false), HERALD_ERROR_REFUSED);
    harness_close(&harness);

    /* They cannot be the answer to a request that has not been sent: safe to repeat. */
    harness_init(&harness, HANDLER_ECHO);
    harness_open_client(&harness);
    assert_int_equal(harness_ask(&harness, "GET", "/", NULL, false), 0);
    harness_answer(&harness, SPAN_LITERAL("HTTP/1.1 408 Request Timeout\r\n\r\n"));
    assert_string_equal(harness_log(&harness), "done -10\n");
    harness_close(&harness);

    harness_init(&harness, HANDLER_ECHO);
    harness_open_client(&harness);
    assert_int_equal(harness_ask(&harness, "GET", "/", NULL, false), 0);
    assert_int_equal(harness_ask(&harness, "GET", "/", NULL, false), HERALD_ERROR_LIMIT);
    assert_int_equal(harness.client->ops->eof(harness.client, harness.now), HERALD_ERROR_REFUSED);
    assert_string_equal(harness_log(&harness), "done -10\n");
    harness_close(&harness);
}

/* The answer comes before the request is complete: it counts, the connection does not live on. */
static void test_early_answer(void **state)
{
    static uint8_t bytes[65536];
    struct conn_out out = {.data = bytes, .capacity = sizeof(bytes)};
    struct message request = {.method = SPAN_LITERAL("POST"),
                              .scheme = SPAN_LITERAL("http"),
                              .authority = SPAN_LITERAL("a"),
                              .path = SPAN_LITERAL("/"),
                              .content_length = 100};
    struct harness harness;
    struct exchange *exchange;

    (void)state;
    harness_init(&harness, HANDLER_ECHO);
    harness_open_client(&harness);
    exchange = exchange_new_request(&request, &harness.limits, NULL, &harness);
    assert_non_null(exchange);
    assert_int_equal(harness.client->ops->request(harness.client, exchange, harness.now), 0);
    assert_int_equal(exchange_write(exchange, SPAN_LITERAL("part")), 0);
    (void)harness.client->ops->pull(harness.client, &out, harness.now);
    harness_answer(&harness, SPAN_LITERAL("HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n"));
    assert_true(exchange->closed);
    assert_int_equal(exchange->reason, 0);
    assert_int_equal(exchange->incoming.status, 413);
    assert_true(harness.client->finished);
    assert_int_equal(exchange_write(exchange, SPAN_LITERAL("more")), HERALD_ERROR_CLOSED);
    exchange_release(exchange);
    harness_close(&harness);
}

static void test_request_text(void **state)
{
    static uint8_t bytes[65536];
    struct conn_out out = {.data = bytes, .capacity = sizeof(bytes)};
    struct harness harness;

    (void)state;
    harness_init(&harness, HANDLER_ECHO);
    harness_open_client(&harness);
    assert_int_equal(harness_ask(&harness, "POST", "/a?b", "abc", false), 0);
    (void)harness.client->ops->pull(harness.client, &out, harness.now);
    static const char text[] = "POST /a?b HTTP/1.1\r\nhost: example.org\r\n"
                               "content-length: 3\r\n\r\nabc";
    assert_int_equal(out.length, sizeof(text) - 1);
    assert_memory_equal(bytes, text, sizeof(text) - 1);
    harness_close(&harness);
}

static const char chunk_line[] = "0123456789";

/* Sessions between the two roles give the same result however the bytes are cut. */
static void test_pair(void **state)
{
    static const enum handler_kind kinds[] = {HANDLER_ECHO, HANDLER_STREAM, HANDLER_HINTS,
                                              HANDLER_EMPTY};
    static const size_t pieces[] = {1, 2, 3, 5, 7, 64, 65536};
    struct buf body;

    (void)state;
    buf_init(&body, 1 << 20, NULL);
    for (unsigned i = 0; i < 2000; i++)
        assert_int_equal(buf_append_text(&body, chunk_line), 0);
    assert_int_equal(buf_append_byte(&body, '\0'), 0);
    for (size_t kind = 0; kind < 4; kind++) {
        char *first = NULL;

        for (size_t i = 0; i < 7; i++) {
            struct harness harness;

            harness_init(&harness, kinds[kind]);
            harness.pull_size = i % 2 == 0 ? 65536 : 4096;
            harness_open(&harness);
            harness_open_client(&harness);
            for (unsigned round = 0; round < 4; round++) {
                const char *text = round == 0 || kind > 1 ? NULL : (const char *)body.data;
                int result =
                    harness_ask(&harness, round == 0 ? "GET" : "POST", "/x", text, round == 2);
                assert_int_equal(result, 0);
                harness_run(&harness, pieces[i]);
                assert_null(harness.asked);
                assert_int_equal(harness.ready, round + 1);
            }
            /* What came back is what went in. */
            if (kinds[kind] == HANDLER_ECHO || kinds[kind] == HANDLER_STREAM)
                assert_int_equal(buf_length(&harness.output), 3 * 20000);
            if (first == NULL)
                first = strdup(harness_output(&harness));
            assert_string_equal(first, harness_output(&harness));
            harness_close(&harness);
        }
        free(first);
    }
    buf_free(&body);
}

static void test_tunnel(void **state)
{
    struct message request = {.method = SPAN_LITERAL("GET"),
                              .scheme = SPAN_LITERAL("http"),
                              .authority = SPAN_LITERAL("a"),
                              .path = SPAN_LITERAL("/"),
                              .protocol = SPAN_LITERAL("websocket"),
                              .upgrade = true,
                              .content_length = CONTENT_LENGTH_UNKNOWN};
    struct harness harness;
    struct exchange *exchange;

    (void)state;
    for (unsigned connect = 0; connect < 2; connect++) {
        char back[16] = "";

        if (connect) {
            request.method = SPAN_LITERAL("CONNECT");
            request.path = SPAN_EMPTY;
            request.authority = SPAN_LITERAL("b:443");
            request.upgrade = false;
            request.protocol = SPAN_EMPTY;
        }
        harness_init(&harness, HANDLER_UPGRADE);
        harness_open(&harness);
        harness_open_client(&harness);
        exchange = exchange_new_request(&request, &harness.limits, NULL, &harness);
        assert_non_null(exchange);
        assert_int_equal(harness.client->ops->request(harness.client, exchange, harness.now), 0);
        assert_int_equal(exchange_write(exchange, SPAN_LITERAL("through")), 0);
        harness_run(&harness, 3);
        assert_true(exchange->tunnel);
        assert_int_equal(exchange_read(exchange, (uint8_t *)back, sizeof(back)), 7);
        assert_string_equal(back, "through");
        assert_false(exchange->in_ended);
        exchange_cancel(exchange, HERALD_ERROR_CANCELLED);
        exchange_release(exchange);
        assert_true(harness.client->finished);
        harness_close(&harness);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),       cmocka_unit_test(test_informational_flood),
        cmocka_unit_test(test_unasked_bytes), cmocka_unit_test(test_early_answer),
        cmocka_unit_test(test_request_text),  cmocka_unit_test(test_pair),
        cmocka_unit_test(test_tunnel),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
