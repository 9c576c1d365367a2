/* Each frame, in and out, is one event with what it carries. */
#include "h2/harness.h"

#define EVENTS 256

struct recorder {
    struct frame_trace trace;
    struct frame_event events[EVENTS];
    char first_field[EVENTS][32]; /* name of the first field or the status */
    unsigned status[EVENTS];
    size_t trailers[EVENTS];
    size_t count;
};

static void record(struct frame_trace *trace, const struct frame_event *event)
{
    struct recorder *recorder = (struct recorder *)trace;
    size_t i = recorder->count++;
    assert_true(i < EVENTS);
    recorder->events[i] = *event;
    recorder->status[i] = event->head != NULL ? event->head->status : 0;
    recorder->trailers[i] = event->trailers != NULL ? event->trailers->count : 0;
    if (event->head != NULL)
        snprintf(recorder->first_field[i], 32, "%.*s", SPAN_ARGUMENTS(event->head->path));
}

static void start(struct raw *raw, struct recorder *recorder)
{
    memset(recorder, 0, sizeof(*recorder));
    recorder->trace.frame = record;
    raw_init(raw);
    raw_start(raw, CONN_SERVER);
    raw->conn->trace = &recorder->trace;
    raw->conn->number = 7;
    raw_handshake(raw);
}

static const struct frame_event *find(const struct recorder *recorder, enum frame_kind kind,
                                      enum frame_direction direction, size_t *position)
{
    for (size_t i = *position; i < recorder->count; i++) {
        if (recorder->events[i].kind == kind && recorder->events[i].direction == direction) {
            *position = i;
            return &recorder->events[i];
        }
    }
    fail_msg("no event of kind %d", (int)kind);
    return NULL;
}

static void shows_an_exchange(void **state)
{
    (void)state;
    struct raw raw;
    struct recorder recorder;
    size_t at = 0;
    start(&raw, &recorder);
    assert_int_equal(recorder.events[0].kind, FRAME_PREFACE);
    const struct frame_event *event = find(&recorder, FRAME_SETTINGS, FRAME_OUT, &at);
    assert_int_equal(event->setting_count, 5);
    assert_int_equal(event->connection, 7);

    at = recorder.count;
    raw_headers(&raw, 1, false, POST_ROOT);
    raw_frame(&raw, H2_DATA, H2_FLAG_PADDED, 1, "\x02xyz\0\0", 6);
    raw_headers(&raw, 1, true, "x-end: 1\n");
    raw_window(&raw, 0, 1000);
    raw_frame(&raw, H2_PING, 0, 0, "pingpong", 8);
    raw_flush(&raw);
    event = find(&recorder, FRAME_HEADERS, FRAME_IN, &at);
    assert_string_equal(recorder.first_field[at], "/");
    assert_int_equal(event->stream_id, 1);
    event = find(&recorder, FRAME_DATA, FRAME_IN, &at);
    assert_int_equal(event->padding, 2);
    assert_int_equal(event->length, 6);
    assert_int_equal(event->stream_window, 65535 - 6);
    at++;
    (void)find(&recorder, FRAME_HEADERS, FRAME_IN, &at);
    assert_int_equal(recorder.trailers[at], 1);
    event = find(&recorder, FRAME_WINDOW_UPDATE, FRAME_IN, &at);
    assert_int_equal(event->increment, 1000);
    assert_int_equal(event->connection_window, 66535);
    event = find(&recorder, FRAME_PING, FRAME_IN, &at);
    assert_memory_equal(event->opaque.data, "pingpong", 0);
    (void)find(&recorder, FRAME_PING, FRAME_OUT, &at);
    (void)find(&recorder, FRAME_HEADERS, FRAME_OUT, &at);
    assert_int_equal(recorder.status[at], 200);
    event = find(&recorder, FRAME_DATA, FRAME_OUT, &at);
    assert_int_equal(event->length, 5);
    assert_int_equal(event->flags, H2_FLAG_END_STREAM);
    raw_close(&raw);
}

/* Whatever the split, the number of events is the number of frames. */
static void shows_every_frame_once(void **state)
{
    (void)state;
    for (unsigned bytewise = 0; bytewise < 2; bytewise++) {
        struct raw raw;
        struct recorder recorder;
        uint8_t block[256];
        start(&raw, &recorder);
        size_t before = recorder.count;
        size_t length = raw_encode(&raw, GET_ROOT, block, sizeof(block));
        raw_frame(&raw, H2_HEADERS, H2_FLAG_END_STREAM | H2_FLAG_PRIORITY, 1, "\0\0\0\0\x0a", 5);
        raw_frame(&raw, H2_CONTINUATION, 0, 1, block, 3);
        raw_frame(&raw, H2_CONTINUATION, H2_FLAG_END_HEADERS, 1, block + 3, length - 3);
        raw_frame(&raw, 0x77, 0, 0, "??", 2);
        raw_frame(&raw, H2_PRIORITY, 0, 3, "\0\0\0\1\x0a", 5);
        raw_frame(&raw, H2_PRIORITY_UPDATE, 0, 0, "\0\0\0\3u=1", 7);
        raw_rst(&raw, 1, H2_CANCEL);
        if (bytewise)
            raw_flush_bytewise(&raw);
        else
            raw_flush(&raw);
        size_t in = 0, out = 0;
        for (size_t i = before; i < recorder.count; i++)
            *(recorder.events[i].direction == FRAME_IN ? &in : &out) += 1;
        assert_int_equal(in, 7);
        assert_int_equal(out, raw.count);
        assert_int_equal(recorder.events[before].kind, FRAME_HEADERS);
        assert_int_equal(recorder.events[before + 1].kind, FRAME_CONTINUATION);
        assert_int_equal(recorder.events[before + 2].kind, FRAME_CONTINUATION);
        assert_string_equal(recorder.first_field[before + 2], "/");
        raw_close(&raw);
    }
}

static void shows_the_error_that_ends_it(void **state)
{
    (void)state;
    struct raw raw;
    struct recorder recorder;
    size_t at = 0;
    start(&raw, &recorder);
    raw_window(&raw, 0, 0);
    raw_flush(&raw);
    const struct frame_event *event = find(&recorder, FRAME_GOAWAY, FRAME_OUT, &at);
    assert_int_equal(event->error_code, H2_PROTOCOL_ERROR);
    assert_true(event->opaque.length > 0);
    raw_close(&raw);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shows_an_exchange),
        cmocka_unit_test(shows_every_frame_once),
        cmocka_unit_test(shows_the_error_that_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
