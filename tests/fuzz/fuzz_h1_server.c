/* A server connection fed with anything. What the handler sees must not depend on how the bytes
 * were cut; no event follows `closed`; when all is over the connection's account is at zero. */
#include "base/buf.h"
#include "h1/h1.h"
#include "http/exchange_engine.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            __builtin_trap();                                                                      \
    } while (0)

struct run {
    struct buf log;
    unsigned dispatched, open;
    uint8_t style;  /* how the handler behaves */
    bool ambiguous; /* an upgrade: what follows depends on the timing by design */
};

static void note(struct run *run, struct span text)
{
    (void)buf_append_span(&run->log, text);
    (void)buf_append_byte(&run->log, '\n');
}

static void answer(struct exchange *exchange, struct run *run)
{
    struct field trailer = FIELD("x-end", "1");

    if (run->style & 1)
        (void)exchange_inform(exchange, 103, NULL, 0);
    (void)exchange_respond(exchange, 200, NULL, 0, run->style & 2 ? 4 : CONTENT_LENGTH_UNKNOWN);
    (void)exchange_write(exchange, SPAN_LITERAL("body"));
    (void)exchange_finish(exchange, run->style & 4 ? &trailer : NULL, run->style & 4 ? 1 : 0);
}

static void readable(struct exchange *exchange)
{
    struct run *run = exchange->user;
    uint8_t bytes[512];
    size_t count;

    CHECK(!exchange->closed);
    while ((count = exchange_read(exchange, bytes, sizeof(bytes))) > 0)
        (void)buf_append(&run->log, bytes, count);
    if (!exchange_at_end(exchange) || exchange->head_queued)
        return;
    for (size_t i = 0; i < exchange->trailers.count; i++)
        note(run, exchange->trailers.items[i].name);
    note(run, SPAN_LITERAL("end"));
    answer(exchange, run);
}

static void closed(struct exchange *exchange, int reason)
{
    struct run *run = exchange->user;

    CHECK(run->open > 0);
    run->open--;
    if (reason != 0 && !exchange->in_ended)
        note(run, SPAN_LITERAL("broken"));
    exchange->events = NULL;
    exchange_release(exchange);
}

static const struct exchange_events events = {.readable = readable, .closed = closed};

static void dispatch(struct conn *conn, struct exchange *exchange)
{
    struct run *run = conn->host_data;
    const struct message *request = &exchange->incoming;

    CHECK(!conn->finished);
    CHECK(request->method.length > 0 && request->method.length <= conn->limits->method_size);
    CHECK(fields_find(&request->fields, KNOWN_TRANSFER_ENCODING) == NULL);
    CHECK(fields_find(&request->fields, KNOWN_CONNECTION) == NULL);
    CHECK(fields_size(&request->fields) <= conn->limits->field_list_size);
    run->dispatched++;
    run->open++;
    run->ambiguous =
        run->ambiguous || request->upgrade || span_equals(request->method, SPAN_LITERAL("CONNECT"));
    note(run, request->method);
    note(run, request->path);
    note(run, request->authority);
    for (size_t i = 0; i < request->fields.count; i++) {
        note(run, request->fields.items[i].name);
        note(run, request->fields.items[i].value);
    }
    exchange->user = run;
    exchange->events = &events;
    readable(exchange);
}

static void wake(struct conn *conn)
{
    (void)conn;
}

static const struct conn_host_ops host = {.dispatch = dispatch, .wake = wake};

static void pull_all(struct conn *conn, herald_time now)
{
    static uint8_t bytes[8192];
    struct conn_out out = {.data = bytes, .capacity = sizeof(bytes)};

    do {
        (void)conn->ops->pull(conn, &out, now);
        CHECK(out.length <= out.capacity);
    } while (out.length > 0);
}

static void run_server(struct run *run, const uint8_t *data, size_t size, size_t piece)
{
    struct conn_config config = {
        .role = CONN_SERVER, .host = &host, .host_data = run, .limits = &limits_default};
    herald_time now = HERALD_SECOND;
    struct conn *conn = h1_engine.create(&config, now);
    int result = 0;

    CHECK(conn != NULL);
    for (size_t at = 0; at < size; at += piece) {
        struct conn_in in = {.data = span_make(data + at, size - at < piece ? size - at : piece)};
        unsigned before = run->dispatched;
        bool over = result < 0 || conn->finished;

        result = conn->ops->recv(conn, &in, now);
        CHECK(!over || run->dispatched == before);
        pull_all(conn, now);
        now += HERALD_MICROSECOND;
    }
    (void)conn->ops->eof(conn, now);
    pull_all(conn, now);
    for (unsigned i = 0; i < 100 && !conn->finished; i++) {
        herald_time due = conn->ops->deadline(conn);

        CHECK(due != HERALD_NEVER);
        now = due > now ? due : now;
        (void)conn->ops->expire(conn, now);
        pull_all(conn, now);
    }
    CHECK(conn->finished && conn->running == 0 && run->open == 0);
    CHECK(conn->account.live == 0);
    conn->ops->destroy(conn);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct run whole = {0}, cut = {0};

    if (size < 2 || size > 65536)
        return 0;
    whole.style = cut.style = data[0];
    buf_init(&whole.log, 1 << 24, NULL);
    buf_init(&cut.log, 1 << 24, NULL);
    run_server(&whole, data + 2, size - 2, size);
    run_server(&cut, data + 2, size - 2, (size_t)data[1] % 64 + 1);
    CHECK(whole.ambiguous || cut.ambiguous ||
          span_equals(buf_span(&whole.log), buf_span(&cut.log)));
    buf_free(&whole.log);
    buf_free(&cut.log);
    return 0;
}
