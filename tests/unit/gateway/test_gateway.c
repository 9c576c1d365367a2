/* The gateway between a fake engine on this thread and application threads of the test. */
#include "support/check.h"

#include "gateway/gateway.h"
#include "http/conn.h"
#include "http/exchange_engine.h"

#include <pthread.h>
#include <semaphore.h>

static sem_t woken;

static void wake(void *user)
{
    (void)user;
    sem_post(&woken);
}

/* The engine: remembers what it was told. */
struct engine_side {
    struct conn conn;
    struct exchange *exchange;
    int cancelled;
    bool released;
};

static struct engine_side *side_of(struct exchange *exchange)
{
    return exchange->stream;
}

static void engine_wake(struct exchange *exchange)
{
    (void)exchange;
}

static void engine_consumed(struct exchange *exchange, size_t length)
{
    (void)exchange;
    (void)length;
}

static void engine_cancel(struct exchange *exchange, int reason)
{
    side_of(exchange)->cancelled = reason;
}

static void engine_released(struct exchange *exchange)
{
    side_of(exchange)->released = true;
}

static const struct exchange_ops engine_ops = {
    .wake = engine_wake,
    .consumed = engine_consumed,
    .discard = engine_wake,
    .cancel = engine_cancel,
    .released = engine_released,
};

static struct handler *handler;

static void dispatch(struct conn *conn, struct exchange *exchange)
{
    (void)conn;
    handler->start(handler, exchange);
}

static const struct conn_host_ops host_ops = {.dispatch = dispatch};

static struct limits limits;

static void side_open(struct engine_side *side, uint64_t content_length)
{
    struct conn_config config = {.role = CONN_SERVER, .host = &host_ops, .limits = &limits};
    memset(side, 0, sizeof *side);
    conn_init(&side->conn, NULL, &config, HTTP_2);
    side->exchange = exchange_new(&side->conn, &engine_ops, side, &limits, &side->conn.account);
    assert_non_null(side->exchange);
    side->exchange->incoming.version = HTTP_2;
    side->exchange->incoming.method = SPAN_LITERAL("POST");
    side->exchange->incoming.path = SPAN_LITERAL("/form");
    side->exchange->incoming.content_length = content_length;
    exchange_deliver_head(side->exchange);
    conn_dispatch(&side->conn, side->exchange);
}

static void side_close(struct engine_side *side, int reason)
{
    exchange_deliver_closed(side->exchange, reason);
    assert_int_equal(side->conn.account.live, 0);
}

static void turn(struct gateway *gateway)
{
    sem_wait(&woken);
    gateway_turn(gateway);
}

static struct gateway *gateway_open(size_t queue_maximum, size_t buffer_maximum,
                                    uint64_t body_maximum)
{
    struct gateway *gateway;
    struct gateway_options options = {.queue_maximum = queue_maximum,
                                      .buffer_maximum = buffer_maximum,
                                      .body_maximum = body_maximum,
                                      .wake = wake};
    limits = limits_default;
    sem_init(&woken, 0, 0);
    assert_int_equal(gateway_create(&options, &gateway), 0);
    handler = gateway_handler(gateway);
    return gateway;
}

/* Takes all that the exchange would send; returns the status of the final head, 0 without one. */
static unsigned drain(struct engine_side *side, char *body, size_t capacity, bool *end)
{
    struct exchange_item *item;
    unsigned status = 0;
    size_t length = 0;
    *end = false;
    while ((item = exchange_next_item(side->exchange)) != NULL) {
        if (item->kind == EXCHANGE_HEAD)
            status = side->exchange->outgoing.status;
        exchange_item_done(side->exchange, item);
    }
    while (!*end && exchange_body_ready(side->exchange)) {
        int64_t count = exchange_body_read(side->exchange, (uint8_t *)body + length,
                                           capacity - 1 - length, end);
        assert_true(count >= 0);
        length += (size_t)count;
        if (count == 0)
            break;
    }
    body[length] = '\0';
    return status;
}

/* An application thread: echoes the request body in upper case. */
static void *echo_thread(void *argument)
{
    struct gateway *gateway = argument;
    struct gateway_job *job;
    while ((job = gateway_take(gateway)) != NULL) {
        uint8_t bytes[7];
        int64_t count;
        struct field field = FIELD("content-type", "text/plain");
        int code = gateway_job_respond(job, 201, &field, 1, CONTENT_LENGTH_UNKNOWN);
        while (code == 0 && (count = gateway_job_read(job, bytes, sizeof bytes)) > 0) {
            for (int64_t i = 0; i < count; i++)
                bytes[i] = bytes[i] >= 'a' && bytes[i] <= 'z' ? bytes[i] - 32 : bytes[i];
            code = gateway_job_write(job, span_make(bytes, (size_t)count));
        }
        (void)gateway_job_finish(job, 0);
        gateway_job_done(job);
    }
    return NULL;
}

static void echoes_a_body_that_arrives_in_pieces(void **state)
{
    (void)state;
    struct gateway *gateway = gateway_open(4, 16, 0);
    struct engine_side side;
    pthread_t thread;
    char all[256] = "";
    size_t length = 0;
    bool end = false;
    unsigned status = 0;
    assert_int_equal(pthread_create(&thread, NULL, echo_thread, gateway), 0);
    side_open(&side, CONTENT_LENGTH_UNKNOWN);
    assert_int_equal(exchange_deliver_body(side.exchange, SPAN_LITERAL("the quick brown fox ")), 0);
    assert_int_equal(exchange_deliver_body(side.exchange, SPAN_LITERAL("jumps over the dog")), 0);
    exchange_deliver_end(side.exchange);
    while (!end) {
        turn(gateway);
        unsigned found = drain(&side, all + length, sizeof all - length, &end);
        status = found != 0 ? found : status;
        length += strlen(all + length);
    }
    assert_int_equal(status, 201);
    assert_string_equal(all, "THE QUICK BROWN FOX JUMPS OVER THE DOG");
    while (!side.released)
        turn(gateway);
    side_close(&side, 0);
    gateway_close(gateway);
    pthread_join(thread, NULL);
    gateway_destroy(gateway);
}

struct blocked_writer {
    struct gateway *gateway;
    int code;
};

static void *write_for_ever(void *argument)
{
    struct blocked_writer *writer = argument;
    struct gateway_job *job = gateway_take(writer->gateway);
    static const uint8_t block[1000];
    int code = gateway_job_respond(job, 200, NULL, 0, CONTENT_LENGTH_UNKNOWN);
    while (code == 0)
        code = gateway_job_write(job, span_make(block, sizeof block));
    writer->code = code;
    gateway_job_done(job);
    return NULL;
}

static void a_writer_waits_for_a_slow_peer_and_learns_that_it_left(void **state)
{
    (void)state;
    struct gateway *gateway = gateway_open(4, 4000, 0);
    struct engine_side side;
    struct blocked_writer writer = {gateway, 0};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, write_for_ever, &writer), 0);
    side_open(&side, CONTENT_LENGTH_UNKNOWN);
    /* Nobody reads: the exchange fills to its mark, then the job to its maximum. */
    while (exchange_can_write(side.exchange))
        turn(gateway);
    assert_true(side.exchange->out.queued <= limits.body_out_buffer + 1000);
    exchange_deliver_closed(side.exchange, HERALD_ERROR_CANCELLED);
    pthread_join(thread, NULL);
    assert_int_equal(writer.code, HERALD_ERROR_CLOSED);
    turn(gateway);
    assert_int_equal(side.conn.account.live, 0);
    gateway_close(gateway);
    gateway_destroy(gateway);
}

static void a_reader_learns_that_the_peer_left(void **state)
{
    (void)state;
    struct gateway *gateway = gateway_open(4, 4000, 0);
    struct engine_side side;
    uint8_t bytes[16];
    side_open(&side, 100);
    struct gateway_job *job = gateway_take(gateway);
    assert_int_equal(exchange_deliver_body(side.exchange, SPAN_LITERAL("part")), 0);
    assert_int_equal(gateway_job_read(job, bytes, sizeof bytes), 4);
    exchange_deliver_closed(side.exchange, HERALD_ERROR_CLOSED);
    assert_int_equal(gateway_job_read(job, bytes, sizeof bytes), HERALD_ERROR_CLOSED);
    assert_int_equal(gateway_job_respond(job, 200, NULL, 0, 0), HERALD_ERROR_CLOSED);
    gateway_job_done(job);
    gateway_turn(gateway);
    gateway_close(gateway);
    gateway_destroy(gateway);
}

static void refuses_what_the_queue_and_the_body_limit_do_not_allow(void **state)
{
    (void)state;
    struct gateway *gateway = gateway_open(1, 4000, 1000);
    struct engine_side first, second, third;
    char body[64];
    bool end;
    side_open(&first, 0);
    side_open(&second, 0);
    assert_int_equal(drain(&second, body, sizeof body, &end), 503);
    assert_true(end);
    side_open(&third, 1001);
    assert_int_equal(drain(&third, body, sizeof body, &end), 413);
    assert_true(end);
    struct gateway_job *job = gateway_take(gateway);
    gateway_job_done(job);
    gateway_turn(gateway);
    assert_int_equal(first.cancelled, HERALD_ERROR_INTERNAL);
    side_close(&first, HERALD_ERROR_INTERNAL);
    side_close(&second, 0);
    side_close(&third, 0);
    gateway_close(gateway);
    assert_null(gateway_take(gateway));
    gateway_destroy(gateway);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(echoes_a_body_that_arrives_in_pieces),
        cmocka_unit_test(a_writer_waits_for_a_slow_peer_and_learns_that_it_left),
        cmocka_unit_test(a_reader_learns_that_the_peer_left),
        cmocka_unit_test(refuses_what_the_queue_and_the_body_limit_do_not_allow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
