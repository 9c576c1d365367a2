/* Client and server back to back. */
#include "harness.h"

#include <stdlib.h>
#include <string.h>

#define LARGE (10 * 1024 * 1024)

static struct rig *connected(void)
{
    struct rig *rig = rig_create(100);
    rig_connect(rig);
    assert_true(rig_run_until(rig, &rig->client_peer.secured, 5 * HERALD_SECOND));
    assert_true(rig->ready > 0);
    return rig;
}

static void answer_hello(struct rig *rig, struct exchange *exchange)
{
    const struct field fields[] = {FIELD("content-type", "text/plain")};
    (void)rig;
    assert_true(span_equals(exchange->incoming.method, SPAN_LITERAL("GET")));
    assert_true(span_equals(exchange->incoming.path, SPAN_LITERAL("/hello?a=b")));
    assert_true(span_equals(exchange->incoming.authority, SPAN_LITERAL("example.org")));
    assert_int_equal(exchange->incoming.version, HTTP_3);
    assert_true(exchange->in_ended);
    assert_int_equal(exchange_respond(exchange, 200, fields, 1, 6), 0);
    assert_int_equal(exchange_write(exchange, SPAN_LITERAL("hello\n")), 0);
    assert_int_equal(exchange_finish(exchange, NULL, 0), 0);
    exchange_release(exchange);
}

static void get_is_answered(void **state)
{
    struct rig *rig = connected();
    struct result result = {0};
    (void)state;
    rig->answer = answer_hello;
    rig_request(rig, &result, "GET", "/hello?a=b", false);
    assert_true(rig_run_until(rig, &result.closed, HERALD_SECOND));
    assert_int_equal(result.reason, 0);
    assert_int_equal(result.status, 200);
    assert_int_equal(result.length, 6);
    assert_true(result.ended);
    assert_int_equal(rig->completed, 1);
    rig_destroy(rig);
}

static void answer_hints_and_trailers(struct rig *rig, struct exchange *exchange)
{
    const struct field hints[] = {FIELD("link", "</a.css>; rel=preload; as=style")};
    const struct field trailers[] = {FIELD("x-sum", "abc")};
    (void)rig;
    assert_int_equal(exchange_inform(exchange, 103, hints, 1), 0);
    assert_int_equal(exchange_respond(exchange, 200, NULL, 0, CONTENT_LENGTH_UNKNOWN), 0);
    assert_int_equal(exchange_write(exchange, SPAN_LITERAL("body")), 0);
    assert_int_equal(exchange_finish(exchange, trailers, 1), 0);
    exchange_release(exchange);
}

static void hints_and_trailers_arrive(void **state)
{
    struct rig *rig = connected();
    struct result result = {0};
    (void)state;
    rig->answer = answer_hints_and_trailers;
    rig_request(rig, &result, "GET", "/", false);
    assert_true(rig_run_until(rig, &result.closed, HERALD_SECOND));
    assert_int_equal(result.reason, 0);
    assert_int_equal(result.informational, 1);
    assert_int_equal(result.informational_status, 103);
    assert_string_equal(result.link, "</a.css>; rel=preload; as=style");
    assert_int_equal(result.length, 4);
    assert_string_equal(result.trailer, "abc");
    rig_destroy(rig);
}

static void answer_large(struct rig *rig, struct exchange *exchange)
{
    (void)rig;
    assert_int_equal(exchange_respond(exchange, 200, NULL, 0, LARGE), 0);
    assert_int_equal(exchange_write_source(exchange, rig_source(LARGE)), 0);
    exchange_release(exchange);
}

static void download(unsigned loss, unsigned reorder)
{
    struct rig *rig = connected();
    struct result result = {0};
    rig->answer = answer_large;
    rig->loss = loss;
    rig->reorder = reorder;
    rig_request(rig, &result, "GET", "/", false);
    assert_true(rig_run_until(rig, &result.closed, 300 * HERALD_SECOND));
    assert_int_equal(result.reason, 0);
    assert_int_equal(result.length, LARGE);
    assert_int_equal(result.sum, rig_sum(LARGE));
    rig_destroy(rig);
}

static void download_arrives_whole(void **state)
{
    (void)state;
    download(0, 0);
}

static void download_survives_loss_and_reordering(void **state)
{
    (void)state;
    download(20, 50);
}

static void serve_upload(struct exchange *exchange)
{
    struct rig *rig = exchange->user;
    uint8_t buffer[4096];
    size_t count;
    while ((count = exchange_read(exchange, buffer, sizeof(buffer))) > 0) {
        rig->served += count;
        for (size_t i = 0; i < count; i++)
            rig->served_sum = (rig->served_sum ^ buffer[i]) * 16777619u;
    }
    if (!exchange_at_end(exchange))
        return;
    if (exchange->trailers.count > 0)
        memcpy(rig->served_trailer, exchange->trailers.items[0].value.data,
               exchange->trailers.items[0].value.length);
    assert_int_equal(exchange_respond(exchange, 204, NULL, 0, 0), 0);
    assert_int_equal(exchange_finish(exchange, NULL, 0), 0);
    exchange_release(exchange);
}

static void serve_closed(struct exchange *exchange, int reason)
{
    struct rig *rig = exchange->user;
    rig->served_closed = true;
    rig->served_reason = reason;
    exchange_release(exchange);
}

static const struct exchange_events upload_events = {.readable = serve_upload,
                                                     .closed = serve_closed};

static void answer_upload(struct rig *rig, struct exchange *exchange)
{
    exchange->events = &upload_events;
    exchange->user = rig;
    serve_upload(exchange);
}

static void upload_arrives_whole(void **state)
{
    struct rig *rig = connected();
    struct result result = {0};
    (void)state;
    rig->answer = answer_upload;
    rig->loss = 10;
    struct exchange *exchange = rig_request(rig, &result, "POST", "/up", true);
    assert_int_equal(exchange_write_source(exchange, rig_source(LARGE)), 0);
    assert_true(rig_run_until(rig, &result.closed, 300 * HERALD_SECOND));
    assert_int_equal(result.status, 204);
    assert_int_equal(rig->served, LARGE);
    assert_int_equal(rig->served_sum, rig_sum(LARGE));
    rig_destroy(rig);
}

static void request_trailers_arrive(void **state)
{
    const struct field trailers[] = {FIELD("x-end", "done")};
    struct rig *rig = connected();
    struct result result = {0};
    (void)state;
    rig->answer = answer_upload;
    struct exchange *exchange = rig_request(rig, &result, "POST", "/up", true);
    assert_int_equal(exchange_write(exchange, SPAN_LITERAL("abc")), 0);
    assert_int_equal(exchange_finish(exchange, trailers, 1), 0);
    assert_true(rig_run_until(rig, &result.closed, HERALD_SECOND));
    assert_int_equal(result.status, 204);
    assert_int_equal(rig->served, 3);
    assert_string_equal(rig->served_trailer, "done");
    rig_destroy(rig);
}

static void early_abort_reaches_the_server(void **state)
{
    struct rig *rig = connected();
    struct result result = {0};
    (void)state;
    rig->answer = answer_upload;
    struct exchange *exchange = rig_request(rig, &result, "POST", "/up", true);
    assert_int_equal(exchange_write(exchange, SPAN_LITERAL("abc")), 0);
    rig_run(rig, 100 * HERALD_MILLISECOND);
    assert_int_equal(rig->dispatched, 1);
    exchange_cancel(exchange, HERALD_ERROR_CANCELLED);
    exchange_release(exchange);
    assert_true(rig_run_until(rig, &rig->served_closed, HERALD_SECOND));
    assert_int_equal(rig->served_reason, HERALD_ERROR_CANCELLED);
    /* The connection goes on. */
    rig->answer = answer_hello;
    rig_request(rig, &result, "GET", "/hello?a=b", false);
    assert_true(rig_run_until(rig, &result.closed, HERALD_SECOND));
    assert_int_equal(result.status, 200);
    rig_destroy(rig);
}

static void slow_reader_holds_the_server_back(void **state)
{
    struct rig *rig = connected();
    struct result result = {.hold = true};
    (void)state;
    rig->answer = answer_large;
    struct exchange *exchange = rig_request(rig, &result, "GET", "/", false);
    rig_run(rig, 10 * HERALD_SECOND);
    assert_false(result.closed);
    assert_true(rig->bytes_to_client < rig->limits.stream_window + 65536);
    assert_true(exchange->in.queued <= rig->limits.stream_window);
    result.hold = false;
    exchange->events->readable(exchange);
    assert_true(rig_run_until(rig, &result.closed, 60 * HERALD_SECOND));
    assert_int_equal(result.length, LARGE);
    rig_destroy(rig);
}

static void streams_are_granted_as_work_ends(void **state)
{
    enum { REQUESTS = 500, AT_ONCE = 10 };
    struct rig *rig = rig_create(100);
    struct result results[AT_ONCE];
    (void)state;
    rig->limits.concurrent_streams = AT_ONCE;
    rig->answer = answer_hello;
    rig_connect(rig);
    assert_true(rig_run_until(rig, &rig->client_peer.secured, 5 * HERALD_SECOND));
    for (unsigned done = 0; done < REQUESTS; done += AT_ONCE) {
        memset(results, 0, sizeof(results));
        for (unsigned i = 0; i < AT_ONCE; i++)
            rig_request(rig, &results[i], "GET", "/hello?a=b", false);
        for (unsigned i = 0; i < AT_ONCE; i++) {
            assert_true(rig_run_until(rig, &results[i].closed, HERALD_SECOND));
            assert_int_equal(results[i].status, 200);
        }
        rig_run(rig, 200 * HERALD_MILLISECOND);
    }
    assert_int_equal(rig->completed, REQUESTS);
    rig_destroy(rig);
}

static void shutdown_lets_requests_finish(void **state)
{
    struct rig *rig = connected();
    struct result result = {0};
    (void)state;
    rig->answer = answer_large;
    rig_request(rig, &result, "GET", "/", false);
    rig_run(rig, 50 * HERALD_MILLISECOND);
    struct conn *conn = rig->accepted->peer.conn;
    assert_non_null(conn);
    conn->ops->shutdown(conn, rig->now);
    assert_true(rig_run_until(rig, &result.closed, 60 * HERALD_SECOND));
    assert_int_equal(result.reason, 0);
    assert_int_equal(result.length, LARGE);
    assert_int_equal(rig->going_away, 1);
    assert_true(rig_run_until(rig, &rig->client_peer.closed, 5 * HERALD_SECOND));
    assert_int_equal(rig->client_peer.reason, 0);
    assert_int_equal(rig->accepted->reason, 0);
    rig_destroy(rig);
}

static void long_path_is_414(void **state)
{
    struct rig *rig = connected();
    struct result result = {0};
    char path[12 * 1024];
    (void)state;
    memset(path, 'a', sizeof(path));
    path[0] = '/';
    path[sizeof(path) - 1] = '\0';
    rig->answer = answer_hello;
    rig_request(rig, &result, "GET", path, false);
    assert_true(rig_run_until(rig, &result.closed, HERALD_SECOND));
    assert_int_equal(result.status, 414);
    assert_int_equal(rig->dispatched, 0);
    rig_destroy(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(get_is_answered),
        cmocka_unit_test(hints_and_trailers_arrive),
        cmocka_unit_test(download_arrives_whole),
        cmocka_unit_test(download_survives_loss_and_reordering),
        cmocka_unit_test(upload_arrives_whole),
        cmocka_unit_test(request_trailers_arrive),
        cmocka_unit_test(early_abort_reaches_the_server),
        cmocka_unit_test(slow_reader_holds_the_server_back),
        cmocka_unit_test(streams_are_granted_as_work_ends),
        cmocka_unit_test(shutdown_lets_requests_finish),
        cmocka_unit_test(long_path_is_414),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
