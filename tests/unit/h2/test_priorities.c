/* Both priority schemes, as far as they show on the wire. */
#include "h2/harness.h"

static size_t body_size = 100000;

static void send_body(struct host *host, struct exchange *exchange)
{
    (void)host;
    host_send(exchange, body_size);
}

static void open_wide(struct raw *raw)
{
    body_size = 100000;
    raw_open(raw, CONN_SERVER);
    raw->host.answer = send_body;
    raw_window(raw, 0, 0x7fff0000);
    raw_setting(raw, H2_SETTING_INITIAL_WINDOW_SIZE, 0x7fffffff);
    raw_flush(raw);
    raw_forget(raw);
}

static void get(struct raw *raw, uint32_t id, const char *priority)
{
    char text[256];
    snprintf(text, sizeof(text), GET_ROOT "%s%s%s", priority ? "priority: " : "",
             priority ? priority : "", priority ? "\n" : "");
    raw_headers(raw, id, true, text);
}

/* Position of the last DATA frame of a stream among all frames. */
static size_t last_data(const struct raw *raw, uint32_t id)
{
    size_t last = 0;
    for (size_t i = 0; i < raw->count; i++) {
        if (raw->frames[i].frame.type == H2_DATA && raw->frames[i].frame.stream_id == id)
            last = i;
    }
    return last;
}

static size_t first_data(const struct raw *raw, uint32_t id)
{
    for (size_t i = 0; i < raw->count; i++) {
        if (raw->frames[i].frame.type == H2_DATA && raw->frames[i].frame.stream_id == id)
            return i;
    }
    return raw->count;
}

static void urgency_is_strict(void **state)
{
    (void)state;
    struct raw raw;
    open_wide(&raw);
    get(&raw, 1, "u=5");
    get(&raw, 3, NULL);
    get(&raw, 5, "u=0");
    raw_flush(&raw);
    assert_true(last_data(&raw, 5) < first_data(&raw, 3));
    assert_true(last_data(&raw, 3) < first_data(&raw, 1));
    raw_close(&raw);
}

static void plain_streams_finish_in_order(void **state)
{
    (void)state;
    struct raw raw;
    open_wide(&raw);
    for (uint32_t id = 1; id < 10; id += 2)
        get(&raw, id, NULL);
    raw_flush(&raw);
    for (uint32_t id = 3; id < 10; id += 2)
        assert_true(last_data(&raw, id - 2) < first_data(&raw, id));
    raw_close(&raw);
}

static void incremental_streams_alternate(void **state)
{
    (void)state;
    struct raw raw;
    open_wide(&raw);
    get(&raw, 1, "i");
    get(&raw, 3, "i");
    raw_flush(&raw);
    assert_true(first_data(&raw, 3) < last_data(&raw, 1));
    size_t run = 0;
    uint32_t before = 0;
    for (size_t i = 0; i < last_data(&raw, 1); i++) {
        if (raw.frames[i].frame.type != H2_DATA)
            continue;
        run = raw.frames[i].frame.stream_id == before ? run + 1 : 1;
        before = raw.frames[i].frame.stream_id;
        assert_true(run <= 2);
    }
    raw_close(&raw);
}

static void pull_once(struct raw *raw)
{
    uint8_t output[65536];
    struct conn_out out = {.data = output, .capacity = sizeof(output)};
    assert_int_equal(raw->conn->ops->pull(raw->conn, &out, raw->now), 0);
}

/* A large body of low urgency is under way; what is more urgent waits for one buffer at most. */
static void newcomers_overtake(void **state)
{
    (void)state;
    struct raw raw;
    open_wide(&raw);
    body_size = 10u << 20;
    get(&raw, 1, "u=7");
    struct conn_in in = {.data = buf_span(&raw.in)};
    raw.conn->ops->recv(raw.conn, &in, raw.now);
    buf_clear(&raw.in);
    pull_once(&raw);
    body_size = 5;
    get(&raw, 3, "u=0");
    in.data = buf_span(&raw.in);
    raw.conn->ops->recv(raw.conn, &in, raw.now);
    buf_clear(&raw.in);

    uint8_t output[4096];
    struct conn_out out = {.data = output, .capacity = sizeof(output)};
    raw.conn->ops->pull(raw.conn, &out, raw.now);
    assert_int_equal(h2_frame_read(output).stream_id, 3);
    assert_int_equal(h2_frame_read(output).type, H2_HEADERS);
    raw_close(&raw);
}

static void update(struct raw *raw, uint32_t id, const char *text)
{
    uint8_t payload[64];
    h2_put32(payload, id);
    memcpy(payload + 4, text, strlen(text));
    raw_frame(raw, H2_PRIORITY_UPDATE, 0, 0, payload, 4 + strlen(text));
}

static void updates_count_before_the_request(void **state)
{
    (void)state;
    struct raw raw;
    open_wide(&raw);
    update(&raw, 5, "u=0");
    get(&raw, 1, NULL);
    get(&raw, 3, NULL);
    get(&raw, 5, "u=7"); /* the update is later than what the field says (RFC 9218 section 7) */
    raw_flush(&raw);
    assert_true(last_data(&raw, 5) < first_data(&raw, 1));
    raw_close(&raw);
}

static void updates_count_after_the_request(void **state)
{
    (void)state;
    struct raw raw;
    open_wide(&raw);
    get(&raw, 1, NULL);
    get(&raw, 3, NULL);
    update(&raw, 3, "u=1");
    raw_flush(&raw);
    assert_true(last_data(&raw, 3) < first_data(&raw, 1));
    raw_close(&raw);
}

static void answer_with_priority(struct host *host, struct exchange *exchange)
{
    static const struct field urgent = {SPAN_LITERAL("priority"), SPAN_LITERAL("u=0"), 0, 0};
    static uint8_t bytes[60000];
    (void)host;
    bool first = exchange->id == 1;
    assert_int_equal(exchange_respond(exchange, 200, &urgent, first ? 0 : 1, 60000), 0);
    assert_int_equal(exchange_write(exchange, span_make(bytes, sizeof(bytes))), 0);
    assert_int_equal(exchange_finish(exchange, NULL, 0), 0);
    exchange_release(exchange);
}

static void responses_change_priorities(void **state)
{
    (void)state;
    struct raw raw;
    open_wide(&raw);
    raw.host.answer = answer_with_priority;
    raw.pull_size = 4096;
    get(&raw, 1, "i");
    get(&raw, 3, "i");
    raw_flush(&raw);
    assert_true(last_data(&raw, 3) < last_data(&raw, 1));
    raw_close(&raw);
}

/* Also for a stream whose turn would not have come: from the head's being given on. */
static void responses_raise_what_waits(void **state)
{
    (void)state;
    struct raw raw;
    open_wide(&raw);
    raw.host.answer = answer_with_priority;
    raw.pull_size = 4096;
    get(&raw, 1, NULL);
    get(&raw, 3, NULL);
    raw_flush(&raw);
    assert_true(last_data(&raw, 3) < first_data(&raw, 1));
    raw_close(&raw);
}

/* RFC 7540: weights share, and a dependency waits for its parent. */
static void dependencies_take_effect(void **state)
{
    (void)state;
    struct raw raw;
    open_wide(&raw);
    get(&raw, 1, NULL);
    get(&raw, 3, NULL);
    raw_frame(&raw, H2_PRIORITY, 0, 1, "\0\0\0\3\x0f", 5); /* 1 depends on 3 */
    raw_flush(&raw);
    assert_true(last_data(&raw, 3) < first_data(&raw, 1));
    raw_forget(&raw);

    body_size = 400000;
    get(&raw, 5, NULL);
    get(&raw, 7, NULL);
    raw_frame(&raw, H2_PRIORITY, 0, 5, "\0\0\0\0\xc7", 5); /* weight 200 */
    raw_frame(&raw, H2_PRIORITY, 0, 7, "\0\0\0\0\x31", 5); /* weight 50 */
    raw_flush(&raw);
    size_t of_7 = 0;
    for (size_t i = 0; i < last_data(&raw, 5); i++) {
        if (raw.frames[i].frame.type == H2_DATA && raw.frames[i].frame.stream_id == 7)
            of_7 += raw.frames[i].frame.length;
    }
    assert_true(of_7 > 60000 && of_7 < 140000);
    raw_close(&raw);
}

static void dependencies_can_be_refused(void **state)
{
    (void)state;
    struct raw raw;
    raw_init(&raw);
    raw_start(&raw, CONN_SERVER);
    raw_bytes(&raw, H2_PREFACE, H2_PREFACE_LENGTH);
    raw_setting(&raw, H2_SETTING_NO_RFC7540_PRIORITIES, 1);
    raw_frame(&raw, H2_SETTINGS, H2_FLAG_ACK, 0, NULL, 0);
    raw_window(&raw, 0, 0x7fff0000);
    raw.host.answer = send_body;
    body_size = 60000;
    get(&raw, 1, NULL);
    get(&raw, 3, NULL);
    raw_frame(&raw, H2_PRIORITY, 0, 1, "\0\0\0\3\x0f", 5);
    raw_flush(&raw);
    assert_true(last_data(&raw, 1) < first_data(&raw, 3));
    /* It may not be taken back (RFC 9218 section 2.1). */
    raw_setting(&raw, H2_SETTING_NO_RFC7540_PRIORITIES, 0);
    assert_true(raw_flush(&raw) < 0);
    raw_close(&raw);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urgency_is_strict),
        cmocka_unit_test(plain_streams_finish_in_order),
        cmocka_unit_test(incremental_streams_alternate),
        cmocka_unit_test(newcomers_overtake),
        cmocka_unit_test(updates_count_before_the_request),
        cmocka_unit_test(updates_count_after_the_request),
        cmocka_unit_test(responses_change_priorities),
        cmocka_unit_test(responses_raise_what_waits),
        cmocka_unit_test(dependencies_take_effect),
        cmocka_unit_test(dependencies_can_be_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
