/* A client connection that has sent one request and is answered with anything. What its owner sees
 * must not depend on how the bytes were cut; `closed` comes exactly once; the account ends at zero.
 */
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
    unsigned closed;
    bool head_seen;
};

static void note(struct run *run, struct span text)
{
    (void)buf_append_span(&run->log, text);
    (void)buf_append_byte(&run->log, '\n');
}

static void note_message(struct run *run, const struct message *message)
{
    (void)buf_printf(&run->log, "%u\n", message->status);
    for (size_t i = 0; i < message->fields.count; i++) {
        note(run, message->fields.items[i].name);
        note(run, message->fields.items[i].value);
    }
}

static void head(struct exchange *exchange)
{
    struct run *run = exchange->user;

    CHECK(!run->head_seen && run->closed == 0);
    CHECK(exchange->incoming.status >= 200 || exchange->incoming.status == 101);
    run->head_seen = true;
    note_message(run, &exchange->incoming);
}

static void informational(struct exchange *exchange, const struct message *message)
{
    struct run *run = exchange->user;

    CHECK(!run->head_seen && message->status >= 100 && message->status < 200);
    note_message(run, message);
}

static void readable(struct exchange *exchange)
{
    struct run *run = exchange->user;
    uint8_t bytes[512];
    size_t count;

    CHECK(run->head_seen && run->closed == 0);
    while ((count = exchange_read(exchange, bytes, sizeof(bytes))) > 0)
        (void)buf_append(&run->log, bytes, count);
    if (exchange_at_end(exchange))
        note(run, SPAN_LITERAL("end"));
}

static void closed(struct exchange *exchange, int reason)
{
    struct run *run = exchange->user;

    CHECK(run->closed++ == 0);
    CHECK(reason != 0 || exchange->in_ended);
    (void)buf_printf(&run->log, "closed %d\n", reason);
    exchange_release(exchange);
}

static const struct exchange_events events = {
    .head = head, .informational = informational, .readable = readable, .closed = closed};

static void wake(struct conn *conn)
{
    (void)conn;
}

static const struct conn_host_ops host = {.wake = wake};

static void pull_all(struct conn *conn, herald_time now)
{
    static uint8_t bytes[8192];
    struct conn_out out = {.data = bytes, .capacity = sizeof(bytes)};

    do {
        (void)conn->ops->pull(conn, &out, now);
    } while (out.length > 0);
}

static struct exchange *make_request(struct run *run, uint8_t kind)
{
    static const struct span methods[] = {SPAN_LITERAL("GET"), SPAN_LITERAL("HEAD"),
                                          SPAN_LITERAL("POST"), SPAN_LITERAL("CONNECT")};
    struct message request = {.method = methods[kind & 3],
                              .scheme = SPAN_LITERAL("http"),
                              .authority = SPAN_LITERAL("a:1"),
                              .path = SPAN_LITERAL("/"),
                              .content_length = CONTENT_LENGTH_UNKNOWN};
    struct exchange *exchange;

    if ((kind & 7) == 4) {
        request.upgrade = true;
        request.protocol = SPAN_LITERAL("websocket");
    }
    exchange = exchange_new_request(&request, &limits_default, &events, run);
    CHECK(exchange != NULL);
    return exchange;
}

static void run_client(struct run *run, const uint8_t *data, size_t size, size_t piece)
{
    struct conn_config config = {
        .role = CONN_CLIENT, .host = &host, .host_data = run, .limits = &limits_default};
    herald_time now = HERALD_SECOND;
    struct conn *conn = h1_engine.create(&config, now);
    struct exchange *exchange = make_request(run, data[0]);

    CHECK(conn != NULL && conn->ops->request(conn, exchange, now) == 0);
    if ((data[0] & 3) == 2)
        CHECK(exchange_write(exchange, SPAN_LITERAL("some body")) == 0);
    CHECK(exchange_finish(exchange, NULL, 0) == 0);
    pull_all(conn, now);
    for (size_t at = 2; at < size; at += piece) {
        struct conn_in in = {.data = span_make(data + at, size - at < piece ? size - at : piece)};

        (void)conn->ops->recv(conn, &in, now);
        pull_all(conn, now);
    }
    (void)conn->ops->eof(conn, now);
    pull_all(conn, now);
    CHECK(conn->finished && run->closed == 1 && conn->running == 0);
    CHECK(conn->account.live == 0);
    conn->ops->destroy(conn);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct run whole = {0}, cut = {0};

    if (size < 2 || size > 65536)
        return 0;
    buf_init(&whole.log, 1 << 24, NULL);
    buf_init(&cut.log, 1 << 24, NULL);
    run_client(&whole, data, size, size);
    run_client(&cut, data, size, (size_t)data[1] % 64 + 1);
    CHECK(span_equals(buf_span(&whole.log), buf_span(&cut.log)));
    buf_free(&whole.log);
    buf_free(&cut.log);
    return 0;
}
