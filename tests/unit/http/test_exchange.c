#include "http/conn.h"
#include "http/exchange_engine.h"
#include "http/exchange_internal.h"
#include "support/check.h"
#include "support/failmalloc.h"

/* A connection whose engine only counts what it is told. */
static struct {
    struct conn conn;
    int dispatched, completed, woken;
    int wakes, discards, cancels, releases, accepts, reprioritised;
    size_t credit;
    int cancel_reason;
    int can_push;
    bool close_in_cancel; /* the engine ends the stream from within `cancel` */
} rig;

/* What the owner has seen. */
static struct {
    int heads, informational, readable, writable, pushed, closed;
    int reason;
    struct exchange *promised;
    void (*in_readable)(struct exchange *exchange);
    void (*in_writable)(struct exchange *exchange);
    void (*in_closed)(struct exchange *exchange);
} seen;

static void engine_wake(struct exchange *exchange)
{
    (void)exchange;
    rig.wakes++;
}
static void engine_consumed(struct exchange *exchange, size_t length)
{
    (void)exchange;
    rig.credit += length;
}
static void engine_discard(struct exchange *exchange)
{
    (void)exchange;
    rig.discards++;
}
static int engine_can_push(const struct exchange *exchange)
{
    (void)exchange;
    return rig.can_push;
}
static void engine_accept(struct exchange *promised)
{
    (void)promised;
    rig.accepts++;
}
static void engine_cancel(struct exchange *exchange, int reason)
{
    rig.cancels++;
    rig.cancel_reason = reason;
    if (rig.close_in_cancel)
        exchange_deliver_closed(exchange, reason);
}
static void engine_released(struct exchange *exchange)
{
    (void)exchange;
    rig.releases++;
}
static void engine_reprioritise(struct exchange *exchange)
{
    (void)exchange;
    rig.reprioritised++;
}

static const struct exchange_ops engine_ops = {
    .wake = engine_wake,
    .consumed = engine_consumed,
    .discard = engine_discard,
    .can_push = engine_can_push,
    .accept_push = engine_accept,
    .cancel = engine_cancel,
    .released = engine_released,
    .reprioritise = engine_reprioritise,
};

static void on_head(struct exchange *exchange)
{
    (void)exchange;
    seen.heads++;
}
static void on_informational(struct exchange *exchange, const struct message *message)
{
    (void)exchange;
    (void)message;
    seen.informational++;
}
static void on_readable(struct exchange *exchange)
{
    seen.readable++;
    if (seen.in_readable != NULL)
        seen.in_readable(exchange);
}
static void on_writable(struct exchange *exchange)
{
    seen.writable++;
    if (seen.in_writable != NULL)
        seen.in_writable(exchange);
}
static void on_pushed(struct exchange *exchange, struct exchange *promised)
{
    (void)exchange;
    seen.pushed++;
    seen.promised = promised;
}
static void on_closed(struct exchange *exchange, int reason)
{
    seen.closed++;
    seen.reason = reason;
    if (seen.in_closed != NULL)
        seen.in_closed(exchange);
}

static const struct exchange_events events = {
    .head = on_head,
    .informational = on_informational,
    .readable = on_readable,
    .writable = on_writable,
    .pushed = on_pushed,
    .closed = on_closed,
};

static void host_dispatch(struct conn *conn, struct exchange *exchange)
{
    (void)conn;
    rig.dispatched++;
    exchange->events = &events;
}
static void host_completed(struct conn *conn, struct exchange *exchange)
{
    (void)conn;
    (void)exchange;
    rig.completed++;
}
static void host_wake(struct conn *conn)
{
    (void)conn;
    rig.woken++;
}

static const struct conn_host_ops host_ops = {
    .dispatch = host_dispatch,
    .completed = host_completed,
    .wake = host_wake,
};

static struct limits limits;

static int prepare(void **state)
{
    (void)state;
    limits = limits_default;
    memset(&rig, 0, sizeof(rig));
    memset(&seen, 0, sizeof(seen));
    conn_init(&rig.conn, NULL, &(struct conn_config){.host = &host_ops, .limits = &limits}, HTTP_2);
    return 0;
}

/* Whatever happened, nothing is left charged, running or linked. */
static int check_clean(void **state)
{
    (void)state;
    assert_int_equal(rig.conn.account.live, 0);
    assert_int_equal(rig.conn.running, 0);
    assert_int_equal(rig.conn.promises_queued, 0);
    assert_true(list_is_empty(&rig.conn.exchanges));
    return 0;
}

static struct exchange *new_request(const char *method)
{
    struct exchange *exchange =
        exchange_new(&rig.conn, &engine_ops, &rig, &limits, &rig.conn.account);

    if (exchange == NULL)
        return NULL;
    exchange->incoming.version = HTTP_2;
    exchange->incoming.method = span_from_text(method);
    exchange->incoming.scheme = SPAN_LITERAL("https");
    exchange->incoming.authority = SPAN_LITERAL("a.test");
    exchange->incoming.path = SPAN_LITERAL("/");
    return exchange;
}

static struct exchange *dispatched(const char *method)
{
    struct exchange *exchange = new_request(method);

    assert_non_null(exchange);
    exchange_deliver_head(exchange);
    conn_dispatch(&rig.conn, exchange);
    return exchange;
}

/* What an engine does in pull: items, then at most `capacity` bytes of the body. */
static size_t pull(struct exchange *exchange, char *text, size_t capacity, bool *end)
{
    struct exchange_item *item;

    while ((item = exchange_next_item(exchange)) != NULL)
        exchange_item_done(exchange, item);
    *end = false;
    if (!exchange_body_ready(exchange))
        return 0;
    int64_t count = exchange_body_read(exchange, (uint8_t *)text, capacity, end);
    assert_true(count >= 0);
    if (*end)
        exchange->out_complete = true;
    return (size_t)count;
}

static void simple_answer(void **state)
{
    struct exchange *exchange = dispatched("GET");
    struct field fields[] = {FIELD("Content-Type", " text/plain "), FIELD("connection", "close"),
                             FIELD("transfer-encoding", "chunked"), FIELD("x", "y")};
    char text[16];
    bool end;
    (void)state;

    assert_int_equal(rig.conn.running, 1);
    assert_int_equal(exchange_deliver_end(exchange), 0);
    assert_int_equal(seen.readable, 1);
    assert_true(exchange_at_end(exchange));
    assert_int_equal(exchange_write(exchange, SPAN_LITERAL("early")), HERALD_ERROR_STATE);
    assert_int_equal(exchange_respond(exchange, 200, fields, 4, 5), 0);
    assert_int_equal(exchange_respond(exchange, 200, fields, 4, 5), HERALD_ERROR_STATE);
    assert_int_equal(exchange->outgoing.fields.count, 3);
    assert_true(span_equals(exchange->outgoing.fields.items[0].name, SPAN_LITERAL("content-type")));
    assert_true(span_equals(exchange->outgoing.fields.items[0].value, SPAN_LITERAL("text/plain")));
    assert_true(span_equals(fields_value(&exchange->outgoing.fields, KNOWN_CONTENT_LENGTH),
                            SPAN_LITERAL("5")));
    assert_int_equal(exchange_write(exchange, SPAN_LITERAL("hello")), 0);
    assert_int_equal(exchange_finish(exchange, NULL, 0), 0);
    assert_int_equal(exchange_next_item(exchange)->kind, EXCHANGE_HEAD);
    assert_false(exchange_body_ready(exchange));
    exchange_release(exchange);
    assert_int_equal(rig.conn.running, 0);
    assert_int_equal(rig.releases, 1);
    assert_int_equal(pull(exchange, text, sizeof(text), &end), 5);
    assert_memory_equal(text, "hello", 5);
    assert_true(end);
    assert_false(exchange_body_ready(exchange));
    assert_int_equal(rig.cancels, 0);
    exchange_deliver_closed(exchange, 0);
    assert_int_equal(seen.closed, 0);
    assert_int_equal(rig.completed, 1);
}

static void bad_fields_queue_nothing(void **state)
{
    static const struct {
        const char *name, *value;
    } bad[] = {{"a\r\nb", "x"}, {"a", "x\r\ny"}, {"a", "x\ny"}, {"a", "\x01"},
               {"", "x"},       {"a b", "x"},    {"a:", "x"},   {"a", "\x7f"}};
    struct exchange *exchange = dispatched("GET");
    struct field nul = {SPAN_LITERAL("a"), SPAN_LITERAL("x\0y"), KNOWN_NONE, 0};
    (void)state;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct field field = {span_from_text(bad[i].name), span_from_text(bad[i].value), 0, 0};
        assert_int_equal(exchange_respond(exchange, 200, &field, 1, 0), HERALD_ERROR_INVALID);
        assert_int_equal(exchange_inform(exchange, 103, &field, 1), HERALD_ERROR_INVALID);
    }
    assert_int_equal(exchange_respond(exchange, 200, &nul, 1, 0), HERALD_ERROR_INVALID);
    assert_int_equal(exchange_respond(exchange, 99, NULL, 0, 0), HERALD_ERROR_INVALID);
    assert_int_equal(exchange_respond(exchange, 101, NULL, 0, 0), HERALD_ERROR_INVALID);
    assert_int_equal(exchange_respond(exchange, 1000, NULL, 0, 0), HERALD_ERROR_INVALID);
    struct field lengths[] = {FIELD("content-length", "5"), FIELD("Content-Length", "6")};
    assert_int_equal(exchange_respond(exchange, 200, lengths, 2, 5), HERALD_ERROR_INVALID);
    assert_null(exchange_next_item(exchange));
    exchange_release(exchange);
    assert_int_equal(rig.cancel_reason, HERALD_ERROR_INTERNAL);
    exchange_deliver_closed(exchange, HERALD_ERROR_INTERNAL);
    assert_int_equal(seen.closed, 0);
}

static void content_length_is_kept(void **state)
{
    struct exchange *exchange = dispatched("GET");
    struct field length = FIELD("Content-Length", "5");
    (void)state;

    assert_int_equal(exchange_respond(exchange, 200, &length, 1, CONTENT_LENGTH_UNKNOWN), 0);
    assert_int_equal(exchange->outgoing.content_length, 5);
    assert_int_equal(exchange_write(exchange, SPAN_LITERAL("hello world")), HERALD_ERROR_LIMIT);
    assert_int_equal(exchange->out.queued, 5);
    assert_int_equal(exchange_finish(exchange, NULL, 0), 0);
    exchange_release(exchange);
    exchange_deliver_closed(exchange, 0);

    exchange = dispatched("GET");
    assert_int_equal(exchange_respond(exchange, 200, NULL, 0, 5), 0);
    assert_int_equal(exchange_write(exchange, SPAN_LITERAL("hell")), 0);
    assert_int_equal(exchange_finish(exchange, NULL, 0), HERALD_ERROR_INVALID);
    assert_int_equal(rig.cancels, 1);
    assert_int_equal(exchange_write(exchange, SPAN_LITERAL("o")), HERALD_ERROR_CLOSED);
    exchange_deliver_closed(exchange, HERALD_ERROR_CANCELLED);
    assert_int_equal(exchange->reason, HERALD_ERROR_INTERNAL);
    exchange_release(exchange);
    assert_int_equal(seen.closed, 0);
}

static void content_is_dropped_where_there_is_none(void **state)
{
    static const struct {
        const char *method;
        unsigned status;
        bool length_field;
    } cases[] = {{"HEAD", 200, true}, {"GET", 204, false}, {"GET", 304, true}};
    (void)state;

    for (size_t i = 0; i < 3; i++) {
        struct exchange *exchange = dispatched(cases[i].method);
        assert_int_equal(exchange_respond(exchange, cases[i].status, NULL, 0, 10), 0);
        assert_int_equal(fields_count(&exchange->outgoing.fields, KNOWN_CONTENT_LENGTH),
                         cases[i].length_field);
        assert_int_equal(exchange_write(exchange, SPAN_LITERAL("hello")), 0);
        assert_int_equal(exchange->out.queued, 0);
        assert_int_equal(exchange_finish(exchange, &FIELD("a", "b"), 1), 0);
        assert_true(exchange_body_is_empty(exchange));
        exchange_release(exchange);
        exchange_deliver_closed(exchange, 0);
    }
    assert_int_equal(rig.cancels, 0);
}

static void defaults_fill_the_gaps(void **state)
{
    struct exchange *exchange = dispatched("GET");
    struct field items[] = {FIELD("server", "herald"), FIELD("date", "today")};
    struct fields defaults = {items, 2, 2};
    (void)state;

    exchange->defaults = &defaults;
    assert_int_equal(exchange_respond(exchange, 200, &FIELD("Server", "own"), 1, 0), 0);
    assert_int_equal(exchange->outgoing.fields.count, 3);
    assert_true(
        span_equals(fields_value(&exchange->outgoing.fields, KNOWN_SERVER), SPAN_LITERAL("own")));
    assert_true(
        span_equals(fields_value(&exchange->outgoing.fields, KNOWN_DATE), SPAN_LITERAL("today")));
    exchange_finish(exchange, NULL, 0);
    exchange_release(exchange);
    exchange_deliver_closed(exchange, 0);
}

static void informational_comes_first_and_is_limited(void **state)
{
    struct exchange *exchange = dispatched("GET");
    (void)state;

    limits.informational_count = 2;
    assert_int_equal(exchange_inform(exchange, 101, NULL, 0), HERALD_ERROR_INVALID);
    assert_int_equal(exchange_inform(exchange, 200, NULL, 0), HERALD_ERROR_INVALID);
    assert_int_equal(exchange_inform(exchange, 103, &FIELD("link", "</a>"), 1), 0);
    assert_int_equal(exchange_inform(exchange, 103, NULL, 0), 0);
    assert_int_equal(exchange_inform(exchange, 103, NULL, 0), HERALD_ERROR_LIMIT);
    assert_int_equal(exchange_next_item(exchange)->kind, EXCHANGE_INFORMATIONAL);
    assert_int_equal(exchange_next_item(exchange)->message.status, 103);
    assert_int_equal(exchange_respond(exchange, 200, NULL, 0, 0), 0);
    assert_int_equal(exchange_inform(exchange, 103, NULL, 0), HERALD_ERROR_STATE);
    exchange_finish(exchange, NULL, 0);
    exchange_release(exchange);
    exchange_deliver_closed(exchange, 0);

    exchange = dispatched("GET");
    exchange->incoming.version = HTTP_1_0;
    assert_int_equal(exchange_inform(exchange, 103, NULL, 0), HERALD_ERROR_UNSUPPORTED);
    exchange_release(exchange);
    exchange_deliver_closed(exchange, 0);
}

static void reading_is_edge_triggered_and_gives_credit(void **state)
{
    struct exchange *exchange = dispatched("POST");
    uint8_t text[16];
    (void)state;

    assert_int_equal(exchange_deliver_body(exchange, SPAN_LITERAL("abc")), 0);
    assert_int_equal(exchange_deliver_body(exchange, SPAN_LITERAL("def")), 0);
    assert_int_equal(seen.readable, 1);
    assert_int_equal(exchange_read(exchange, text, 4), 4);
    assert_int_equal(rig.credit, 4);
    assert_int_equal(exchange_deliver_body(exchange, SPAN_LITERAL("g")), 0);
    assert_int_equal(seen.readable, 1);
    assert_int_equal(exchange_read(exchange, text, sizeof(text)), 3);
    assert_memory_equal(text, "efg", 3);
    assert_int_equal(exchange_deliver_body(exchange, SPAN_LITERAL("h")), 0);
    assert_int_equal(seen.readable, 2);
    assert_true(span_equals(exchange_peek(exchange), SPAN_LITERAL("h")));
    exchange_consume(exchange, 5);
    assert_int_equal(rig.credit, 8);
    assert_int_equal(exchange_deliver_end(exchange), 0);
    assert_int_equal(seen.readable, 3);
    assert_true(exchange_at_end(exchange));
    exchange_respond(exchange, 200, NULL, 0, 0);
    exchange_finish(exchange, NULL, 0);
    exchange_release(exchange);
    exchange_deliver_closed(exchange, 0);
}

static void incoming_length_is_checked(void **state)
{
    struct exchange *exchange = dispatched("POST");
    (void)state;

    exchange->incoming.content_length = 4;
    assert_int_equal(exchange_deliver_body(exchange, SPAN_LITERAL("abc")), 0);
    assert_int_equal(exchange_deliver_end(exchange), HERALD_ERROR_MALFORMED);
    assert_int_equal(exchange_deliver_body(exchange, SPAN_LITERAL("de")), HERALD_ERROR_MALFORMED);
    assert_int_equal(exchange_deliver_body(exchange, SPAN_LITERAL("d")), 0);
    assert_int_equal(exchange_deliver_end(exchange), 0);
    exchange_deliver_closed(exchange, HERALD_ERROR_CANCELLED);
    assert_int_equal(seen.closed, 1);
    assert_int_equal(seen.reason, HERALD_ERROR_CANCELLED);
    /* What had come stays readable; no credit is asked for. */
    assert_true(span_equals(exchange_peek(exchange), SPAN_LITERAL("abcd")) ||
                exchange->in.queued == 4);
    exchange_consume(exchange, 4);
    assert_int_equal(rig.credit, 0);
    assert_int_equal(rig.conn.running, 1);
    exchange_release(exchange);
    assert_int_equal(rig.woken, 1);
}

static void discarded_input_is_drained_up_to_a_limit(void **state)
{
    struct exchange *exchange = dispatched("POST");
    (void)state;

    limits.drain_size = 4;
    exchange_deliver_body(exchange, SPAN_LITERAL("abc"));
    exchange_discard_input(exchange);
    exchange_discard_input(exchange);
    assert_int_equal(rig.credit, 3);
    assert_int_equal(rig.discards, 1);
    exchange_deliver_body(exchange, SPAN_LITERAL("abc"));
    assert_int_equal(rig.credit, 6);
    assert_false(exchange_drain_exceeded(exchange));
    exchange_deliver_body(exchange, SPAN_LITERAL("abc"));
    assert_int_equal(rig.credit, 6);
    assert_true(exchange_drain_exceeded(exchange));
    exchange_release(exchange);
    exchange_deliver_closed(exchange, 0);
}

static void continue_is_sent_on_first_read(void **state)
{
    struct exchange *exchange = dispatched("POST");
    uint8_t byte;
    (void)state;

    exchange->incoming.expects_continue = true;
    assert_null(exchange_next_item(exchange));
    assert_int_equal(exchange_read(exchange, &byte, 1), 0);
    assert_int_equal(exchange_next_item(exchange)->message.status, 100);
    exchange_peek(exchange);
    assert_int_equal(exchange->informational_sent, 1);
    exchange_release(exchange);
    exchange_deliver_closed(exchange, 0);
}

static void write_more(struct exchange *exchange)
{
    assert_int_equal(exchange_write(exchange, SPAN_LITERAL("more")), 0);
    assert_int_equal(exchange_finish(exchange, NULL, 0), 0);
    exchange_release(exchange);
}

static void backpressure_tells_when_room_has_come(void **state)
{
    struct exchange *exchange;
    char text[64];
    bool end;
    (void)state;

    limits.body_out_buffer = 16;
    exchange = dispatched("GET");
    exchange_respond(exchange, 200, NULL, 0, CONTENT_LENGTH_UNKNOWN);
    assert_true(exchange_can_write(exchange));
    exchange_write(exchange, SPAN_LITERAL("0123456789abcdef"));
    assert_false(exchange_can_write(exchange));
    assert_int_equal(pull(exchange, text, 7, &end), 7);
    assert_int_equal(seen.writable, 0);
    seen.in_writable = write_more;
    assert_int_equal(pull(exchange, text, 1, &end), 1);
    assert_int_equal(seen.writable, 1);
    assert_false(end);
    assert_int_equal(pull(exchange, text, sizeof(text), &end), 12);
    assert_true(end);
    assert_memory_equal(text, "89abcdefmore", 12);
    assert_int_equal(seen.writable, 1);
    exchange_deliver_closed(exchange, 0);
}

static void a_full_connection_slows_writers_down(void **state)
{
    static const uint8_t bytes[8192];
    struct exchange *first = dispatched("GET"), *second = dispatched("GET");
    uint8_t text[8192];
    bool end;
    (void)state;

    limits.connection_memory_soft = 20000;
    exchange_respond(first, 200, NULL, 0, CONTENT_LENGTH_UNKNOWN);
    exchange_respond(second, 200, NULL, 0, CONTENT_LENGTH_UNKNOWN);
    while (exchange_can_write(first))
        exchange_write(first, span_make(bytes, sizeof(bytes)));
    assert_true(first->out.queued < limits.body_out_buffer);
    assert_true(exchange_can_write(second));
    exchange_write(second, span_make(bytes, 4096));
    assert_false(exchange_can_write(second));
    pull(second, (char *)text, 100, &end);
    assert_int_equal(seen.writable, 1);
    exchange_release(first);
    exchange_release(second);
    exchange_deliver_closed(first, 0);
    exchange_deliver_closed(second, 0);
}

/* ---- sources ---- */

struct test_source {
    struct body_source source;
    size_t left;
    bool fails, starves;
    int released;
};

static int64_t source_read(struct body_source *source, uint8_t *destination, size_t capacity,
                           bool *end)
{
    struct test_source *test = (struct test_source *)source;
    size_t count = capacity < test->left ? capacity : test->left;

    if (test->fails)
        return HERALD_ERROR_IO;
    if (test->starves)
        return 0;
    memset(destination, 's', count);
    test->left -= count;
    *end = test->left == 0;
    return (int64_t)count;
}

static void source_release(struct body_source *source)
{
    ((struct test_source *)source)->released++;
}

static const struct body_source_ops source_ops = {source_read, source_release};

static void sources_are_read_for_exactly_the_length(void **state)
{
    static const struct {
        size_t has;
        uint64_t length;
        int64_t expected;
    } cases[] = {
        {10, CONTENT_LENGTH_UNKNOWN, 12}, {10, 12, 12}, {20, 12, 12}, {5, 12, HERALD_ERROR_INVALID},
        {0, 2, HERALD_ERROR_INVALID},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct test_source source = {.source = {&source_ops}, .left = cases[i].has};
        struct exchange *exchange = dispatched("GET");
        int64_t total = 0, count;
        uint8_t text[5];
        bool end = false;

        exchange_respond(exchange, 200, NULL, 0, cases[i].length);
        exchange_write(exchange, SPAN_LITERAL("ab"));
        assert_int_equal(exchange_write_source(exchange, &source.source), 0);
        assert_int_equal(exchange_finish(exchange, NULL, 0), 0);
        assert_int_equal(exchange_write(exchange, SPAN_LITERAL("c")), HERALD_ERROR_STATE);
        exchange_item_done(exchange, exchange_next_item(exchange));
        do {
            count = exchange_body_read(exchange, text, sizeof(text), &end);
            total = count < 0 ? count : total + count;
        } while (count > 0 && !end);
        if (cases[i].has == 0)
            total = count; /* "ab" is the whole length and was there */
        assert_int_equal(total < 0 || end, true);
        if (cases[i].has != 0)
            assert_int_equal(total, cases[i].expected);
        exchange_release(exchange);
        exchange_deliver_closed(exchange, 0);
        assert_int_equal(source.released, 1);
    }
}

static void starved_sources_wait(void **state)
{
    struct test_source source = {.source = {&source_ops}, .left = 3, .starves = true};
    struct exchange *exchange = dispatched("GET");
    char text[8];
    bool end;
    (void)state;

    exchange_respond(exchange, 200, NULL, 0, CONTENT_LENGTH_UNKNOWN);
    exchange_write_source(exchange, &source.source);
    assert_int_equal(pull(exchange, text, sizeof(text), &end), 0);
    assert_false(exchange_body_ready(exchange));
    source.starves = false;
    exchange_source_ready(exchange);
    assert_true(exchange_body_ready(exchange));
    assert_int_equal(pull(exchange, text, sizeof(text), &end), 3);
    assert_true(end);
    exchange_release(exchange);
    exchange_deliver_closed(exchange, 0);
    assert_int_equal(source.released, 1);
}

static void sources_are_released_whatever_happens(void **state)
{
    struct test_source source = {.source = {&source_ops}, .left = 3, .fails = true};
    struct exchange *exchange = dispatched("GET");
    uint8_t byte;
    bool end;
    (void)state;

    assert_int_equal(exchange_write_source(exchange, &source.source), HERALD_ERROR_STATE);
    assert_int_equal(source.released, 1);
    exchange_respond(exchange, 200, NULL, 0, CONTENT_LENGTH_UNKNOWN);
    exchange_write_source(exchange, &source.source);
    assert_int_equal(exchange_body_read(exchange, &byte, 1, &end), HERALD_ERROR_IO);
    exchange_deliver_closed(exchange, HERALD_ERROR_INTERNAL);
    assert_int_equal(source.released, 2);
    exchange_release(exchange);

    exchange = dispatched("HEAD");
    exchange_respond(exchange, 200, NULL, 0, 3);
    assert_int_equal(exchange_write_source(exchange, &source.source), 0);
    assert_int_equal(source.released, 3);
    assert_true(exchange_body_is_empty(exchange));
    exchange_release(exchange);
    exchange_deliver_closed(exchange, 0);
}

static void count_release(void *owner)
{
    ++*(int *)owner;
}

static void references_are_released_once(void **state)
{
    struct exchange *exchange = dispatched("GET");
    int released = 0;
    char text[16];
    bool end;
    (void)state;

    assert_int_equal(
        exchange_write_reference(exchange, SPAN_LITERAL("x"), count_release, &released),
        HERALD_ERROR_STATE);
    assert_int_equal(released, 1);
    exchange_respond(exchange, 200, NULL, 0, 8);
    exchange_write_reference(exchange, SPAN_LITERAL("hello"), count_release, &released);
    assert_int_equal(
        exchange_write_reference(exchange, SPAN_LITERAL("world"), count_release, &released),
        HERALD_ERROR_LIMIT);
    exchange_write_reference(exchange, SPAN_EMPTY, count_release, &released);
    assert_int_equal(released, 2);
    assert_int_equal(pull(exchange, text, sizeof(text), &end), 8);
    assert_memory_equal(text, "hellowor", 8);
    assert_int_equal(released, 4);
    exchange_finish(exchange, NULL, 0);
    exchange_release(exchange);
    exchange_deliver_closed(exchange, 0);
}

/* ---- push ---- */

static const struct message promise = {
    .method = {(const uint8_t *)"GET", 3},
    .path = {(const uint8_t *)"/style.css", 10},
    .content_length = CONTENT_LENGTH_UNKNOWN,
};

static void a_promise_is_dispatched_like_a_request(void **state)
{
    struct exchange *exchange = dispatched("GET");
    struct message other = promise;
    (void)state;

    rig.can_push = HERALD_ERROR_UNSUPPORTED;
    assert_false(exchange_can_push(exchange));
    assert_int_equal(exchange_push(exchange, &promise), HERALD_ERROR_UNSUPPORTED);
    rig.can_push = 0;
    other.method = SPAN_LITERAL("POST");
    assert_int_equal(exchange_push(exchange, &other), HERALD_ERROR_INVALID);
    other.method = SPAN_LITERAL("GET");
    other.path = SPAN_LITERAL("style.css");
    assert_int_equal(exchange_push(exchange, &other), HERALD_ERROR_INVALID);
    other.path = SPAN_LITERAL("/a b");
    assert_int_equal(exchange_push(exchange, &other), HERALD_ERROR_INVALID);
    assert_int_equal(exchange_push(exchange, &promise), 0);
    assert_int_equal(rig.conn.promises_queued, 1);

    struct exchange_item *item = exchange_next_item(exchange);
    assert_int_equal(item->kind, EXCHANGE_PROMISE);
    struct exchange *pushed = item->promised;
    assert_ptr_equal(pushed->parent, exchange);
    assert_true(span_equals(pushed->incoming.authority, SPAN_LITERAL("a.test")));
    assert_true(span_equals(pushed->incoming.scheme, SPAN_LITERAL("https")));
    assert_true(exchange_at_end(pushed));
    exchange_item_done(exchange, item);
    assert_int_equal(rig.conn.promises_queued, 0);
    conn_dispatch(&rig.conn, pushed);
    assert_int_equal(rig.dispatched, 2);
    assert_int_equal(exchange_push(pushed, &promise), HERALD_ERROR_UNSUPPORTED);

    /* The parent goes first and stays for as long as the promise names it. */
    exchange_respond(exchange, 200, NULL, 0, 0);
    exchange_finish(exchange, NULL, 0);
    assert_int_equal(exchange_push(exchange, &promise), HERALD_ERROR_STATE);
    exchange_release(exchange);
    exchange_deliver_closed(exchange, 0);
    assert_true(pushed->parent->closed);
    exchange_respond(pushed, 200, NULL, 0, 0);
    exchange_finish(pushed, NULL, 0);
    exchange_release(pushed);
    exchange_deliver_closed(pushed, 0);
    assert_int_equal(rig.completed, 2);
}

static void unwritten_promises_end_with_their_parent(void **state)
{
    struct exchange *exchange = dispatched("GET");
    (void)state;

    exchange_push(exchange, &promise);
    exchange_push(exchange, &promise);
    exchange_cancel(exchange, HERALD_ERROR_CANCELLED);
    assert_int_equal(rig.conn.promises_queued, 0);
    exchange_deliver_closed(exchange, HERALD_ERROR_CANCELLED);
    exchange_release(exchange);

    exchange = dispatched("GET");
    exchange_push(exchange, &promise);
    exchange_deliver_closed(exchange, HERALD_ERROR_CANCELLED);
    exchange_release(exchange);
    assert_int_equal(rig.dispatched, 2);
    assert_int_equal(rig.completed, 2);
}

/* ---- client ---- */

static struct exchange *client_request(const char *method)
{
    struct field fields[] = {FIELD("Host", "a.test"), FIELD("te", "gzip"), FIELD("accept", "*/*")};
    struct message request = {.method = span_from_text(method),
                              .scheme = SPAN_LITERAL("https"),
                              .path = SPAN_LITERAL("/"),
                              .content_length = CONTENT_LENGTH_UNKNOWN,
                              .fields = {fields, 3, 3}};
    return exchange_new_request(&request, &limits, &events, NULL);
}

static void client_sends_and_receives(void **state)
{
    struct exchange *exchange = client_request("POST");
    struct message early = {.status = 103};
    char text[16];
    bool end;
    (void)state;

    assert_int_equal(exchange->outgoing.fields.count, 1);
    assert_true(span_equals(exchange->outgoing.authority, SPAN_LITERAL("a.test")));
    assert_int_equal(exchange_respond(exchange, 200, NULL, 0, 0), HERALD_ERROR_STATE);
    assert_int_equal(exchange_write(exchange, SPAN_LITERAL("body")), 0);
    exchange_attach(exchange, &rig.conn, &engine_ops, &rig);
    assert_int_equal(rig.conn.running, 1);
    assert_int_equal(exchange_finish(exchange, &FIELD("x-sum", "1"), 1), 0);
    assert_int_equal(pull(exchange, text, sizeof(text), &end), 4);
    assert_true(end);
    assert_int_equal(exchange->outgoing_trailers.count, 1);
    assert_int_equal(exchange_deliver_informational(exchange, &early), 0);
    exchange->incoming.status = 200;
    exchange_deliver_head(exchange);
    assert_int_equal(exchange_deliver_body(exchange, SPAN_LITERAL("answer")), 0);
    assert_int_equal(exchange_deliver_end(exchange), 0);
    exchange_deliver_closed(exchange, 0);
    assert_int_equal(seen.heads, 1);
    assert_int_equal(seen.informational, 1);
    assert_int_equal(seen.closed, 1);
    assert_int_equal(exchange_read(exchange, (uint8_t *)text, sizeof(text)), 6);
    assert_true(exchange_at_end(exchange));
    exchange_release(exchange);
    assert_int_equal(rig.cancels, 0);
}

static void client_requests_may_never_be_sent(void **state)
{
    struct exchange *exchange = client_request("GET");
    struct message bad = {.method = SPAN_LITERAL("GET"), .path = SPAN_LITERAL("/ HTTP/1.1\r\n")};
    (void)state;

    exchange_write(exchange, SPAN_LITERAL("body"));
    exchange_release(exchange);
    assert_null(exchange_new_request(&bad, &limits, &events, NULL));
    exchange = client_request("GET");
    exchange_cancel(exchange, HERALD_ERROR_CANCELLED);
    exchange_release(exchange);
}

static void heads_without_content_take_none(void **state)
{
    struct exchange *exchange = client_request("HEAD");
    (void)state;

    exchange_finish(exchange, NULL, 0);
    exchange_attach(exchange, &rig.conn, &engine_ops, &rig);
    exchange->incoming.status = 200;
    exchange->incoming.content_length = 100;
    exchange_deliver_head(exchange);
    assert_int_equal(exchange_deliver_body(exchange, SPAN_LITERAL("x")), HERALD_ERROR_MALFORMED);
    assert_int_equal(exchange_deliver_end(exchange), 0);
    exchange_release(exchange);
    assert_int_equal(rig.cancels, 0);
    exchange_deliver_closed(exchange, 0);
}

static void client_pushes_are_held_by_the_owner(void **state)
{
    struct exchange *exchange = client_request("GET");
    struct exchange *promised;
    (void)state;

    exchange_finish(exchange, NULL, 0);
    exchange_attach(exchange, &rig.conn, &engine_ops, &rig);
    promised = exchange_new(&rig.conn, &engine_ops, &rig, &limits, &rig.conn.account);
    assert_int_equal(exchange_deliver_promise(exchange, promised), 0);
    assert_ptr_equal(seen.promised, promised);
    promised->events = &events;
    assert_int_equal(exchange_accept_push(promised), 0);
    assert_int_equal(rig.accepts, 1);
    assert_int_equal(exchange_accept_push(exchange), HERALD_ERROR_STATE);
    assert_int_equal(rig.conn.running, 2);
    exchange_release(exchange);
    assert_int_equal(rig.cancel_reason, HERALD_ERROR_CANCELLED);
    exchange_deliver_closed(exchange, HERALD_ERROR_CANCELLED);
    promised->incoming.status = 200;
    exchange_deliver_head(promised);
    exchange_deliver_end(promised);
    exchange_deliver_closed(promised, 0);
    exchange_release(promised);

    exchange = client_request("GET");
    exchange_attach(exchange, &rig.conn, &engine_ops, &rig);
    exchange->events = NULL;
    promised = exchange_new(&rig.conn, &engine_ops, &rig, &limits, &rig.conn.account);
    assert_int_equal(exchange_deliver_promise(exchange, promised), HERALD_ERROR_REFUSED);
    exchange_unhold(promised);
    exchange_release(exchange);
    exchange_deliver_closed(exchange, HERALD_ERROR_CANCELLED);
}

/* ---- orders of the end ---- */

static void owner_releases_in_closed(void **state)
{
    struct exchange *exchange = dispatched("GET");
    (void)state;

    seen.in_closed = exchange_release;
    exchange_deliver_closed(exchange, HERALD_ERROR_CANCELLED);
    assert_int_equal(seen.closed, 1);
    assert_int_equal(rig.completed, 1);
    assert_int_equal(rig.cancels, 0);
}

static void cancel_twice(struct exchange *exchange)
{
    exchange_cancel(exchange, HERALD_ERROR_CANCELLED);
    exchange_cancel(exchange, HERALD_ERROR_INTERNAL);
    exchange_release(exchange);
}

static void owner_cancels_in_an_event(void **state)
{
    (void)state;
    for (int closing = 0; closing < 2; closing++) {
        struct exchange *exchange = dispatched("POST");

        rig.close_in_cancel = closing == 1;
        seen.in_readable = cancel_twice;
        exchange_hold(exchange);
        exchange_deliver_body(exchange, SPAN_LITERAL("abc"));
        assert_true(exchange->closed && exchange->released);
        assert_int_equal(rig.cancel_reason, HERALD_ERROR_CANCELLED);
        if (!rig.close_in_cancel)
            exchange_deliver_closed(exchange, HERALD_ERROR_CANCELLED);
        exchange_unhold(exchange);
    }
    assert_int_equal(seen.closed, 0);
    assert_int_equal(rig.cancels, 2);
    assert_int_equal(rig.credit, 6);
    assert_int_equal(rig.completed, 2);
}

static void connection_goes_first(void **state)
{
    struct exchange *first = dispatched("GET"), *second = dispatched("POST");
    struct exchange *client = client_request("GET");
    (void)state;

    exchange_attach(client, &rig.conn, &engine_ops, &rig);
    exchange_respond(first, 200, &FIELD("a", "b"), 1, CONTENT_LENGTH_UNKNOWN);
    exchange_write(first, SPAN_LITERAL("unsent"));
    exchange_deliver_body(second, SPAN_LITERAL("unread"));
    exchange_deliver_closed(first, HERALD_ERROR_CLOSED);
    exchange_deliver_closed(second, HERALD_ERROR_CLOSED);
    exchange_deliver_closed(client, HERALD_ERROR_CLOSED);
    conn_detach(&rig.conn);
    assert_int_equal(rig.conn.account.live, 0);
    assert_int_equal(rig.conn.running, 0);
    memset(&rig.conn, 0xff, sizeof(rig.conn));
    assert_null(first->conn);
    assert_int_equal(exchange_write(first, SPAN_LITERAL("x")), HERALD_ERROR_CLOSED);
    assert_int_equal(exchange_push(first, &promise), HERALD_ERROR_CLOSED);
    assert_int_equal(exchange_finish(first, NULL, 0), HERALD_ERROR_CLOSED);
    assert_int_equal(exchange_inform(second, 103, NULL, 0), HERALD_ERROR_CLOSED);
    assert_true(span_equals(exchange_peek(second), SPAN_LITERAL("unread")));
    exchange_consume(second, 6);
    exchange_release(first);
    exchange_release(second);
    exchange_release(client);
    prepare(state);
}

static void tunnels_have_no_length(void **state)
{
    struct exchange *exchange = dispatched("CONNECT");
    (void)state;

    assert_int_equal(exchange_respond(exchange, 200, NULL, 0, 3), 0);
    assert_true(exchange->tunnel);
    assert_int_equal(exchange->outgoing.fields.count, 0);
    assert_int_equal(exchange_write(exchange, SPAN_LITERAL("tunnelled")), 0);
    assert_int_equal(exchange->out.queued, 9);
    assert_int_equal(exchange_deliver_body(exchange, SPAN_LITERAL("back")), 0);
    exchange_cancel(exchange, HERALD_ERROR_CANCELLED);
    exchange_deliver_closed(exchange, HERALD_ERROR_CANCELLED);
    exchange_release(exchange);

    exchange = dispatched("GET");
    exchange->incoming.upgrade = true;
    exchange->incoming.protocol = SPAN_LITERAL("websocket");
    assert_int_equal(exchange_respond(exchange, 101, NULL, 0, CONTENT_LENGTH_UNKNOWN), 0);
    assert_true(exchange->tunnel);
    assert_true(span_equals(exchange->outgoing.protocol, SPAN_LITERAL("websocket")));
    exchange_release(exchange);
    exchange_deliver_closed(exchange, HERALD_ERROR_CLOSED);
}

static void priority_reaches_the_engine(void **state)
{
    struct exchange *exchange = dispatched("GET");
    (void)state;

    assert_int_equal(exchange_set_priority(exchange, (struct priority){1, true}), 0);
    assert_int_equal(rig.reprioritised, 1);
    exchange_cancel(exchange, HERALD_ERROR_CANCELLED);
    assert_int_equal(exchange_set_priority(exchange, PRIORITY_DEFAULT), HERALD_ERROR_CLOSED);
    exchange_deliver_closed(exchange, HERALD_ERROR_CANCELLED);
    exchange_release(exchange);
}

/* ---- memory ---- */

static bool server_scenario(void *user)
{
    struct field fields[] = {FIELD("content-type", "text/plain"), FIELD("x-long", "0123456789")};
    static const uint8_t bytes[3000];
    uint8_t text[512];
    bool end = false;

    prepare(user);
    struct exchange *exchange = new_request("POST");
    if (exchange == NULL)
        return failmalloc_fired() && rig.conn.account.live == 0;
    conn_dispatch(&rig.conn, exchange);
    int error = exchange_deliver_body(exchange, span_make(bytes, 700));
    if (error == 0)
        error = exchange_inform(exchange, 103, fields, 2);
    if (error == 0)
        error = exchange_push(exchange, &promise);
    if (error == 0)
        error = exchange_respond(exchange, 200, fields, 2, CONTENT_LENGTH_UNKNOWN);
    for (int i = 0; i < 3 && error == 0; i++)
        error = exchange_write(exchange, span_make(bytes, sizeof(bytes)));
    if (error == 0)
        error = exchange_finish(exchange, fields, 2);
    exchange_release(exchange);
    struct exchange_item *item;
    while (error == 0 && (item = exchange_next_item(exchange)) != NULL) {
        exchange_item_done(exchange, item);
        if (item->kind == EXCHANGE_PROMISE)
            exchange_unhold(item->promised);
    }
    size_t total = 0;
    while (error == 0 && !end)
        total += (size_t)exchange_body_read(exchange, text, sizeof(text), &end);
    exchange_deliver_closed(exchange, error);
    if (rig.conn.account.live != 0 || rig.conn.running != 0 || rig.conn.promises_queued != 0)
        return false;
    return error == 0 ? total == 9000 : error == HERALD_ERROR_NOMEM && failmalloc_fired();
}

static bool client_scenario(void *user)
{
    prepare(user);
    struct exchange *exchange = client_request("POST");
    if (exchange == NULL)
        return failmalloc_fired();
    int error = exchange_write(exchange, SPAN_LITERAL("body"));
    exchange_attach(exchange, &rig.conn, &engine_ops, &rig);
    if (error == 0)
        error = exchange_finish(exchange, &FIELD("a", "b"), 1);
    exchange->incoming.status = 200;
    exchange_deliver_head(exchange);
    if (error == 0)
        error = exchange_deliver_body(exchange, SPAN_LITERAL("answer"));
    exchange_deliver_closed(exchange, error);
    exchange_release(exchange);
    return rig.conn.account.live == 0 && (error == 0 || failmalloc_fired());
}

static void memory_may_run_out(void **state)
{
    assert_int_not_equal(failmalloc_each(server_scenario, state, 100), 0);
    assert_int_not_equal(failmalloc_each(client_scenario, state, 100), 0);
    prepare(state);
}

static void the_account_is_a_limit(void **state)
{
    static const uint8_t bytes[10000];
    struct exchange *exchange = dispatched("POST");
    (void)state;

    rig.conn.account.maximum = 8000;
    assert_int_equal(exchange_deliver_body(exchange, span_make(bytes, sizeof(bytes))),
                     HERALD_ERROR_LIMIT);
    assert_int_equal(exchange->body_bytes_in, 0);
    exchange_respond(exchange, 200, NULL, 0, CONTENT_LENGTH_UNKNOWN);
    assert_int_equal(exchange_write(exchange, span_make(bytes, sizeof(bytes))), HERALD_ERROR_LIMIT);
    exchange_release(exchange);
    exchange_deliver_closed(exchange, 0);
}

static void spare_memory_is_used_again(void **state)
{
    (void)state;
    exchange_keep_spare(2);
    size_t before = failmalloc_live();
    for (int round = 0; round < 3; round++) {
        struct exchange *exchanges[3];
        for (int i = 0; i < 3; i++) {
            exchanges[i] = dispatched("GET");
            assert_int_equal(exchanges[i]->holds, 2);
        }
        for (int i = 0; i < 3; i++) {
            exchange_release(exchanges[i]);
            exchange_deliver_closed(exchanges[i], 0);
        }
        assert_int_equal(failmalloc_live(), before + 2);
    }
    exchange_keep_spare(1);
    assert_int_equal(failmalloc_live(), before + 1);
    failmalloc_arm(FAILMALLOC_FROM, 1);
    struct exchange *exchange = dispatched("GET");
    assert_int_equal(exchange_respond(exchange, 200, &FIELD("a", "b"), 1, 5), 0);
    assert_int_equal(exchange_write(exchange, SPAN_LITERAL("hello")), 0);
    assert_int_equal(exchange_finish(exchange, NULL, 0), 0);
    assert_int_equal(failmalloc_calls(), 0);
    failmalloc_disarm();
    exchange_release(exchange);
    exchange_deliver_closed(exchange, 0);
    exchange_keep_spare(0);
    assert_int_equal(failmalloc_live(), before);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, prepare, check_clean)
    const struct CMUnitTest tests[] = {
        TEST(simple_answer),
        TEST(bad_fields_queue_nothing),
        TEST(content_length_is_kept),
        TEST(content_is_dropped_where_there_is_none),
        TEST(defaults_fill_the_gaps),
        TEST(informational_comes_first_and_is_limited),
        TEST(reading_is_edge_triggered_and_gives_credit),
        TEST(incoming_length_is_checked),
        TEST(discarded_input_is_drained_up_to_a_limit),
        TEST(continue_is_sent_on_first_read),
        TEST(backpressure_tells_when_room_has_come),
        TEST(a_full_connection_slows_writers_down),
        TEST(sources_are_read_for_exactly_the_length),
        TEST(starved_sources_wait),
        TEST(sources_are_released_whatever_happens),
        TEST(references_are_released_once),
        TEST(a_promise_is_dispatched_like_a_request),
        TEST(unwritten_promises_end_with_their_parent),
        TEST(client_sends_and_receives),
        TEST(client_requests_may_never_be_sent),
        TEST(heads_without_content_take_none),
        TEST(client_pushes_are_held_by_the_owner),
        TEST(owner_releases_in_closed),
        TEST(owner_cancels_in_an_event),
        TEST(connection_goes_first),
        TEST(tunnels_have_no_length),
        TEST(priority_reaches_the_engine),
        TEST(memory_may_run_out),
        TEST(the_account_is_a_limit),
        TEST(spare_memory_is_used_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
