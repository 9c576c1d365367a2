/* Requests in, responses out, and every frame that is wrong, with the exact code. */
#include "h2/harness.h"

static void answers_a_request(void **state)
{
    (void)state;
    struct raw raw;
    raw_open(&raw, CONN_SERVER);
    raw_get(&raw, 1);
    assert_int_equal(raw_flush(&raw), 0);
    assert_int_equal(raw_status(&raw, 1), 200);
    assert_int_equal(raw_body(&raw, 1), 5);
    assert_true(raw_ended(&raw, 1));
    assert_int_equal(raw.host.completed, 1);
    assert_int_equal(raw.conn->running, 0);
    raw_close(&raw);
}

static void announces_its_limits(void **state)
{
    (void)state;
    struct raw raw;
    raw_init(&raw);
    raw_start(&raw, CONN_SERVER);
    raw_pull(&raw);
    assert_int_equal(raw.frames[0].frame.type, H2_SETTINGS);
    const uint8_t *entry = raw_payload(&raw, &raw.frames[0]);
    uint32_t values[16] = {0};
    for (size_t i = 0; i < raw.frames[0].frame.length; i += 6)
        values[h2_get16(entry + i)] = h2_get32(entry + i + 2);
    assert_int_equal(values[H2_SETTING_HEADER_TABLE_SIZE], 4096);
    assert_int_equal(values[H2_SETTING_MAX_CONCURRENT_STREAMS], 100);
    assert_int_equal(values[H2_SETTING_INITIAL_WINDOW_SIZE], raw.limits.stream_window);
    assert_int_equal(values[H2_SETTING_MAX_FRAME_SIZE], 16384);
    assert_int_equal(values[H2_SETTING_MAX_HEADER_LIST_SIZE], 65536);
    assert_int_equal(values[H2_SETTING_NO_RFC7540_PRIORITIES], 0);
    assert_non_null(raw_find(&raw, H2_WINDOW_UPDATE, 0));
    raw_close(&raw);
}

static void takes_bytes_one_at_a_time(void **state)
{
    (void)state;
    struct raw raw;
    raw_init(&raw);
    raw.limits.empty_data_frames = 1000;
    raw_start(&raw, CONN_SERVER);
    raw_bytes(&raw, H2_PREFACE, H2_PREFACE_LENGTH);
    raw_setting(&raw, H2_SETTING_INITIAL_WINDOW_SIZE, 70000);
    raw_headers(&raw, 1, false, POST_ROOT "content-length: 600\n");
    raw_data(&raw, 1, 300, false);
    raw_data(&raw, 1, 300, true);
    raw_frame(&raw, 0x77, 0, 0, "unknown", 7);
    raw_frame(&raw, 0x78, 0, 0, NULL, 0);
    assert_int_equal(raw_flush_bytewise(&raw), 0);
    assert_int_equal(raw_status(&raw, 1), 200);
    assert_int_equal(raw_goaway(&raw), -1);
    raw_close(&raw);
}

static void continues_field_blocks(void **state)
{
    (void)state;
    struct raw raw;
    uint8_t block[256];
    raw_open(&raw, CONN_SERVER);
    size_t length = raw_encode(&raw, GET_ROOT "x-long-name: a value of some length\n", block, 256);
    raw_frame(&raw, H2_HEADERS, H2_FLAG_END_STREAM, 1, block, 0);
    size_t step = length / 7;
    for (size_t i = 0; i < 7; i++) {
        size_t from = i * step;
        size_t take = i == 6 ? length - from : step;
        raw_frame(&raw, H2_CONTINUATION, i == 6 ? H2_FLAG_END_HEADERS : 0, 1, block + from, take);
    }
    assert_int_equal(raw_flush(&raw), 0);
    assert_int_equal(raw_status(&raw, 1), 200);
    raw_close(&raw);
}

/* ---- the table of errors ---- */

enum verdict { CONNECTION, STREAM, IGNORED };

struct wrong {
    const char *what;
    void (*send)(struct raw *raw);
    enum verdict verdict;
    uint32_t code;
    uint32_t stream;
};

static void data_on_zero(struct raw *raw)
{
    raw_data(raw, 0, 1, false);
}
static void data_on_idle(struct raw *raw)
{
    raw_data(raw, 5, 1, false);
}
static void data_half_closed(struct raw *raw)
{
    raw->host.answer = host_keep;
    raw_get(raw, 1);
    raw_data(raw, 1, 1, false);
}
static void data_after_both_ended(struct raw *raw)
{
    raw_get(raw, 1);
    raw_flush(raw);
    raw_data(raw, 1, 1, false);
}
static void data_after_peer_reset(struct raw *raw)
{
    raw->host.answer = host_keep;
    raw_headers(raw, 1, false, POST_ROOT);
    raw_rst(raw, 1, H2_CANCEL);
    raw_data(raw, 1, 1, false);
}
static void data_padding_too_long(struct raw *raw)
{
    raw->host.answer = host_keep;
    raw_headers(raw, 1, false, POST_ROOT);
    raw_frame(raw, H2_DATA, H2_FLAG_PADDED, 1,
              "\x05"
              "abcd",
              5);
}
static void data_padded_empty(struct raw *raw)
{
    raw->host.answer = host_keep;
    raw_headers(raw, 1, false, POST_ROOT);
    raw_frame(raw, H2_DATA, H2_FLAG_PADDED, 1, "", 0);
}
static void data_over_content_length(struct raw *raw)
{
    raw->host.answer = host_keep;
    raw_headers(raw, 1, false, POST_ROOT "content-length: 3\n");
    raw_data(raw, 1, 4, false);
}
static void data_under_content_length(struct raw *raw)
{
    raw->host.answer = host_keep;
    raw_headers(raw, 1, false, POST_ROOT "content-length: 3\n");
    raw_data(raw, 1, 2, true);
}
static void headers_under_content_length(struct raw *raw)
{
    raw_headers(raw, 1, true, POST_ROOT "content-length: 3\n");
}
static void data_over_stream_window(struct raw *raw)
{
    raw->host.answer = host_keep;
    raw_headers(raw, 1, false, POST_ROOT);
    for (int i = 0; i < 4; i++)
        raw_data(raw, 1, 16384, false);
}
static void data_over_connection_window(struct raw *raw)
{
    raw->host.answer = host_keep;
    for (uint32_t id = 1; id < 40; id += 2) {
        raw_headers(raw, id, false, POST_ROOT);
        for (int i = 0; i < 3; i++)
            raw_data(raw, id, 16384, false);
        raw_data(raw, id, 16000, false);
    }
}
static void headers_on_zero(struct raw *raw)
{
    raw_get(raw, 0);
}
static void headers_even(struct raw *raw)
{
    raw_get(raw, 2);
}
static void headers_decreasing(struct raw *raw)
{
    raw_get(raw, 5);
    raw_get(raw, 3);
}
static void headers_half_closed(struct raw *raw)
{
    raw->host.answer = host_keep;
    raw_get(raw, 1);
    raw_get(raw, 1);
}
static void headers_after_both_ended(struct raw *raw)
{
    raw_get(raw, 1);
    raw_flush(raw);
    raw_get(raw, 1);
}
static void headers_padding_too_long(struct raw *raw)
{
    raw_frame(raw, H2_HEADERS, H2_FLAG_PADDED | H2_FLAG_END_HEADERS, 1, "\x09\x82\x86", 3);
}
static void headers_padded_empty(struct raw *raw)
{
    raw_frame(raw, H2_HEADERS, H2_FLAG_PADDED | H2_FLAG_END_HEADERS, 1, "", 0);
}
static void headers_priority_short(struct raw *raw)
{
    raw_frame(raw, H2_HEADERS, H2_FLAG_PRIORITY | H2_FLAG_END_HEADERS, 1, "\0\0\0\0", 4);
}
static void headers_on_itself(struct raw *raw)
{
    raw_frame(raw, H2_HEADERS, H2_FLAG_PRIORITY | H2_FLAG_END_HEADERS | H2_FLAG_END_STREAM, 1,
              "\0\0\0\1\x10\x82\x84\x87\x01\x01\x61", 11);
}
static void headers_bad_hpack(struct raw *raw)
{
    raw_frame(raw, H2_HEADERS, H2_FLAG_END_HEADERS, 1, "\xff\xff\xff\xff\xff\xff", 6);
}
static void headers_malformed(struct raw *raw)
{
    raw_headers(raw, 1, true, ":method: GET\n:scheme: https\n");
}
static void headers_upper_case(struct raw *raw)
{
    raw_headers(raw, 1, true, GET_ROOT "X-A: b\n");
}
static void headers_connection_field(struct raw *raw)
{
    raw_headers(raw, 1, true, GET_ROOT "connection: close\n");
}
static void headers_protocol_not_enabled(struct raw *raw)
{
    raw_headers(raw, 1, false,
                ":method: CONNECT\n:protocol: websocket\n:scheme: https\n"
                ":path: /\n:authority: a.example\n");
}
static void trailers_without_end(struct raw *raw)
{
    raw->host.answer = host_keep;
    raw_headers(raw, 1, false, POST_ROOT);
    raw_headers(raw, 1, false, "x-trailer: 1\n");
}
static void trailers_with_pseudo(struct raw *raw)
{
    raw->host.answer = host_keep;
    raw_headers(raw, 1, false, POST_ROOT);
    raw_headers(raw, 1, true, ":path: /\n");
}
static void continuation_alone(struct raw *raw)
{
    raw_frame(raw, H2_CONTINUATION, H2_FLAG_END_HEADERS, 1, "\x82", 1);
}
static void continuation_other_stream(struct raw *raw)
{
    raw_frame(raw, H2_HEADERS, 0, 1, "\x82", 1);
    raw_frame(raw, H2_CONTINUATION, H2_FLAG_END_HEADERS, 3, "\x82", 1);
}
static void frame_inside_block(struct raw *raw)
{
    raw_frame(raw, H2_HEADERS, 0, 1, "\x82", 1);
    raw_frame(raw, H2_PING, 0, 0, "12345678", 8);
}
static void unknown_inside_block(struct raw *raw)
{
    raw_frame(raw, H2_HEADERS, 0, 1, "\x82", 1);
    raw_frame(raw, 0x99, 0, 0, "12345678", 8);
}
static void priority_on_zero(struct raw *raw)
{
    raw_frame(raw, H2_PRIORITY, 0, 0, "\0\0\0\0\1", 5);
}
static void priority_short_open(struct raw *raw)
{
    raw->host.answer = host_keep;
    raw_get(raw, 1);
    raw_frame(raw, H2_PRIORITY, 0, 1, "\0\0\0\0", 4);
}
static void priority_short_idle(struct raw *raw)
{
    raw_frame(raw, H2_PRIORITY, 0, 1, "\0\0\0\0", 4);
}
static void priority_on_itself(struct raw *raw)
{
    raw->host.answer = host_keep;
    raw_get(raw, 1);
    raw_frame(raw, H2_PRIORITY, 0, 1, "\0\0\0\1\1", 5);
}
static void priority_on_idle(struct raw *raw)
{
    raw_frame(raw, H2_PRIORITY, 0, 9, "\0\0\0\0\1", 5);
}
static void rst_on_zero(struct raw *raw)
{
    raw_rst(raw, 0, 8);
}
static void rst_on_idle(struct raw *raw)
{
    raw_rst(raw, 7, 8);
}
static void rst_short(struct raw *raw)
{
    raw->host.answer = host_keep;
    raw_get(raw, 1);
    raw_frame(raw, H2_RST_STREAM, 0, 1, "\0\0\0", 3);
}
static void rst_after_end(struct raw *raw)
{
    raw_get(raw, 1);
    raw_flush(raw);
    raw_rst(raw, 1, H2_CANCEL);
}
static void settings_on_stream(struct raw *raw)
{
    raw_frame(raw, H2_SETTINGS, 0, 1, NULL, 0);
}
static void settings_odd_length(struct raw *raw)
{
    raw_frame(raw, H2_SETTINGS, 0, 0, "\0\0\0", 3);
}
static void settings_ack_with_payload(struct raw *raw)
{
    raw_frame(raw, H2_SETTINGS, H2_FLAG_ACK, 0, "\0\1\0\0\0\0", 6);
}
static void settings_push_2(struct raw *raw)
{
    raw_setting(raw, H2_SETTING_ENABLE_PUSH, 2);
}
static void settings_window_large(struct raw *raw)
{
    raw_setting(raw, H2_SETTING_INITIAL_WINDOW_SIZE, 0x80000000u);
}
static void settings_frame_small(struct raw *raw)
{
    raw_setting(raw, H2_SETTING_MAX_FRAME_SIZE, 16383);
}
static void settings_frame_large(struct raw *raw)
{
    raw_setting(raw, H2_SETTING_MAX_FRAME_SIZE, 16777216);
}
static void settings_connect_2(struct raw *raw)
{
    raw_setting(raw, H2_SETTING_ENABLE_CONNECT_PROTOCOL, 2);
}
static void settings_unknown(struct raw *raw)
{
    raw_setting(raw, 0xabcd, 1);
}
static void settings_many(struct raw *raw)
{
    uint8_t payload[33 * 6] = {0};
    raw_frame(raw, H2_SETTINGS, 0, 0, payload, sizeof(payload));
}
static void push_from_client(struct raw *raw)
{
    raw_frame(raw, H2_PUSH_PROMISE, H2_FLAG_END_HEADERS, 1, "\0\0\0\2\x82", 5);
}
static void ping_on_stream(struct raw *raw)
{
    raw_frame(raw, H2_PING, 0, 1, "12345678", 8);
}
static void ping_short(struct raw *raw)
{
    raw_frame(raw, H2_PING, 0, 0, "1234567", 7);
}
static void goaway_on_stream(struct raw *raw)
{
    raw_frame(raw, H2_GOAWAY, 0, 1, "\0\0\0\0\0\0\0\0", 8);
}
static void goaway_short(struct raw *raw)
{
    raw_frame(raw, H2_GOAWAY, 0, 0, "\0\0\0\0\0\0\0", 7);
}
static void window_zero_connection(struct raw *raw)
{
    raw_window(raw, 0, 0);
}
static void window_zero_stream(struct raw *raw)
{
    raw->host.answer = host_keep;
    raw_get(raw, 1);
    raw_window(raw, 1, 0);
}
static void window_short(struct raw *raw)
{
    raw_frame(raw, H2_WINDOW_UPDATE, 0, 0, "\0\0\1", 3);
}
static void window_idle(struct raw *raw)
{
    raw_window(raw, 11, 1);
}
static void window_overflow_connection(struct raw *raw)
{
    raw_window(raw, 0, 0x7fffffff);
}
static void window_overflow_stream(struct raw *raw)
{
    raw->host.answer = host_keep;
    raw_get(raw, 1);
    raw_window(raw, 1, 0x7fffffff);
}
static void window_overflow_by_settings(struct raw *raw)
{
    raw->host.answer = host_keep;
    raw_get(raw, 1);
    raw_window(raw, 1, 0x7fff0000);
    raw_setting(raw, H2_SETTING_INITIAL_WINDOW_SIZE, 0x7fffffff);
}
static void window_closed_stream(struct raw *raw)
{
    raw_get(raw, 1);
    raw_flush(raw);
    raw_window(raw, 1, 1);
}
static void too_long_data(struct raw *raw)
{
    raw_bytes(raw, "\x00\x40\x01\x00\x00\x00\x00\x00\x01", 9);
}
static void too_long_unknown(struct raw *raw)
{
    raw_bytes(raw, "\xff\xff\xff\x99\x00\x00\x00\x00\x00", 9);
}
static void unknown_type(struct raw *raw)
{
    raw_frame(raw, 0x42, 0xff, 0, "whatever", 8);
}
static void unknown_flags(struct raw *raw)
{
    raw_frame(raw, H2_PING, 0xfe, 0, "12345678", 8);
}
static void priority_update_zero(struct raw *raw)
{
    raw_frame(raw, H2_PRIORITY_UPDATE, 0, 0, "\0\0\0\0u=1", 7);
}
static void priority_update_on_stream(struct raw *raw)
{
    raw_frame(raw, H2_PRIORITY_UPDATE, 0, 1, "\0\0\0\1u=1", 7);
}
static void priority_update_short(struct raw *raw)
{
    raw_frame(raw, H2_PRIORITY_UPDATE, 0, 0, "\0\0\0", 3);
}
static void priority_update_idle(struct raw *raw)
{
    raw_frame(raw, H2_PRIORITY_UPDATE, 0, 0, "\0\0\0\1u=1", 7);
}
static void altsvc_from_client(struct raw *raw)
{
    raw_frame(raw, H2_ALTSVC, 0, 0, "\0\0h3", 4);
}

static const struct wrong wrongs[] = {
    {"DATA on stream 0", data_on_zero, CONNECTION, H2_PROTOCOL_ERROR, 0},
    {"DATA on idle", data_on_idle, CONNECTION, H2_PROTOCOL_ERROR, 0},
    {"DATA half-closed", data_half_closed, STREAM, H2_STREAM_CLOSED, 1},
    {"DATA on closed", data_after_both_ended, CONNECTION, H2_STREAM_CLOSED, 0},
    {"DATA after RST", data_after_peer_reset, STREAM, H2_STREAM_CLOSED, 1},
    {"DATA padding", data_padding_too_long, CONNECTION, H2_PROTOCOL_ERROR, 0},
    {"DATA padded, empty", data_padded_empty, CONNECTION, H2_FRAME_SIZE_ERROR, 0},
    {"DATA > Content-Length", data_over_content_length, STREAM, H2_PROTOCOL_ERROR, 1},
    {"DATA < Content-Length", data_under_content_length, STREAM, H2_PROTOCOL_ERROR, 1},
    {"END_STREAM < Content-Length", headers_under_content_length, STREAM, H2_PROTOCOL_ERROR, 1},
    {"stream window", data_over_stream_window, STREAM, H2_FLOW_CONTROL_ERROR, 1},
    {"connection window", data_over_connection_window, CONNECTION, H2_FLOW_CONTROL_ERROR, 0},
    {"HEADERS on 0", headers_on_zero, CONNECTION, H2_PROTOCOL_ERROR, 0},
    {"HEADERS even", headers_even, CONNECTION, H2_PROTOCOL_ERROR, 0},
    {"HEADERS decreasing", headers_decreasing, CONNECTION, H2_PROTOCOL_ERROR, 0},
    {"HEADERS half-closed", headers_half_closed, STREAM, H2_STREAM_CLOSED, 1},
    {"HEADERS on closed", headers_after_both_ended, CONNECTION, H2_STREAM_CLOSED, 0},
    {"HEADERS padding", headers_padding_too_long, CONNECTION, H2_PROTOCOL_ERROR, 0},
    {"HEADERS padded, empty", headers_padded_empty, CONNECTION, H2_FRAME_SIZE_ERROR, 0},
    {"HEADERS priority short", headers_priority_short, CONNECTION, H2_FRAME_SIZE_ERROR, 0},
    {"HEADERS self-dependent", headers_on_itself, STREAM, H2_PROTOCOL_ERROR, 1},
    {"HEADERS compression", headers_bad_hpack, CONNECTION, H2_COMPRESSION_ERROR, 0},
    {"HEADERS malformed", headers_malformed, STREAM, H2_PROTOCOL_ERROR, 1},
    {"HEADERS upper case", headers_upper_case, STREAM, H2_PROTOCOL_ERROR, 1},
    {"HEADERS connection", headers_connection_field, STREAM, H2_PROTOCOL_ERROR, 1},
    {"HEADERS :protocol", headers_protocol_not_enabled, STREAM, H2_PROTOCOL_ERROR, 1},
    {"trailers without end", trailers_without_end, STREAM, H2_PROTOCOL_ERROR, 1},
    {"trailers with pseudo", trailers_with_pseudo, STREAM, H2_PROTOCOL_ERROR, 1},
    {"CONTINUATION alone", continuation_alone, CONNECTION, H2_PROTOCOL_ERROR, 0},
    {"CONTINUATION elsewhere", continuation_other_stream, CONNECTION, H2_PROTOCOL_ERROR, 0},
    {"PING in a block", frame_inside_block, CONNECTION, H2_PROTOCOL_ERROR, 0},
    {"unknown in a block", unknown_inside_block, CONNECTION, H2_PROTOCOL_ERROR, 0},
    {"PRIORITY on 0", priority_on_zero, CONNECTION, H2_PROTOCOL_ERROR, 0},
    {"PRIORITY short", priority_short_open, STREAM, H2_FRAME_SIZE_ERROR, 1},
    {"PRIORITY short, idle", priority_short_idle, CONNECTION, H2_FRAME_SIZE_ERROR, 0},
    {"PRIORITY on itself", priority_on_itself, STREAM, H2_PROTOCOL_ERROR, 1},
    {"PRIORITY idle", priority_on_idle, IGNORED, 0, 0},
    {"RST on 0", rst_on_zero, CONNECTION, H2_PROTOCOL_ERROR, 0},
    {"RST on idle", rst_on_idle, CONNECTION, H2_PROTOCOL_ERROR, 0},
    {"RST short", rst_short, CONNECTION, H2_FRAME_SIZE_ERROR, 0},
    {"RST after the end", rst_after_end, IGNORED, 0, 0},
    {"SETTINGS on a stream", settings_on_stream, CONNECTION, H2_PROTOCOL_ERROR, 0},
    {"SETTINGS length", settings_odd_length, CONNECTION, H2_FRAME_SIZE_ERROR, 0},
    {"SETTINGS ack length", settings_ack_with_payload, CONNECTION, H2_FRAME_SIZE_ERROR, 0},
    {"ENABLE_PUSH 2", settings_push_2, CONNECTION, H2_PROTOCOL_ERROR, 0},
    {"INITIAL_WINDOW_SIZE", settings_window_large, CONNECTION, H2_FLOW_CONTROL_ERROR, 0},
    {"MAX_FRAME_SIZE small", settings_frame_small, CONNECTION, H2_PROTOCOL_ERROR, 0},
    {"MAX_FRAME_SIZE large", settings_frame_large, CONNECTION, H2_PROTOCOL_ERROR, 0},
    {"ENABLE_CONNECT 2", settings_connect_2, CONNECTION, H2_PROTOCOL_ERROR, 0},
    {"SETTINGS unknown", settings_unknown, IGNORED, 0, 0},
    {"SETTINGS many", settings_many, CONNECTION, H2_ENHANCE_YOUR_CALM, 0},
    {"PUSH_PROMISE", push_from_client, CONNECTION, H2_PROTOCOL_ERROR, 0},
    {"PING on a stream", ping_on_stream, CONNECTION, H2_PROTOCOL_ERROR, 0},
    {"PING short", ping_short, CONNECTION, H2_FRAME_SIZE_ERROR, 0},
    {"GOAWAY on a stream", goaway_on_stream, CONNECTION, H2_PROTOCOL_ERROR, 0},
    {"GOAWAY short", goaway_short, CONNECTION, H2_FRAME_SIZE_ERROR, 0},
    {"WINDOW_UPDATE 0", window_zero_connection, CONNECTION, H2_PROTOCOL_ERROR, 0},
    {"WINDOW_UPDATE 0, stream", window_zero_stream, STREAM, H2_PROTOCOL_ERROR, 1},
    {"WINDOW_UPDATE short", window_short, CONNECTION, H2_FRAME_SIZE_ERROR, 0},
    {"WINDOW_UPDATE idle", window_idle, CONNECTION, H2_PROTOCOL_ERROR, 0},
    {"window overflow", window_overflow_connection, CONNECTION, H2_FLOW_CONTROL_ERROR, 0},
    {"window overflow, stream", window_overflow_stream, STREAM, H2_FLOW_CONTROL_ERROR, 1},
    {"window overflow, SETTINGS", window_overflow_by_settings, CONNECTION, H2_FLOW_CONTROL_ERROR,
     0},
    {"WINDOW_UPDATE closed", window_closed_stream, IGNORED, 0, 0},
    {"frame too long", too_long_data, CONNECTION, H2_FRAME_SIZE_ERROR, 0},
    {"unknown frame too long", too_long_unknown, CONNECTION, H2_FRAME_SIZE_ERROR, 0},
    {"unknown type", unknown_type, IGNORED, 0, 0},
    {"unknown flags", unknown_flags, IGNORED, 0, 0},
    {"PRIORITY_UPDATE for 0", priority_update_zero, CONNECTION, H2_PROTOCOL_ERROR, 0},
    {"PRIORITY_UPDATE on 1", priority_update_on_stream, CONNECTION, H2_PROTOCOL_ERROR, 0},
    {"PRIORITY_UPDATE short", priority_update_short, CONNECTION, H2_FRAME_SIZE_ERROR, 0},
    {"PRIORITY_UPDATE idle", priority_update_idle, IGNORED, 0, 0},
    {"ALTSVC", altsvc_from_client, IGNORED, 0, 0},
};

/* After the wrong frame: a good request must be answered, or nothing at all may happen any more
 * (H2-24). */
static void check_wrong(const struct wrong *wrong, bool bytewise)
{
    struct raw raw;
    raw_open(&raw, CONN_SERVER);
    wrong->send(&raw);
    int result = bytewise ? raw_flush_bytewise(&raw) : raw_flush(&raw);
    int goaway = raw_goaway(&raw);
    if (wrong->verdict == CONNECTION) {
        if (result >= 0 || goaway != (int)wrong->code)
            fail_msg("%s: result %d, GOAWAY %d", wrong->what, result, goaway);
        unsigned dispatched = raw.host.dispatched;
        assert_true(raw.conn->finished);
        raw_get(&raw, 101);
        assert_true(raw_flush(&raw) < 0);
        assert_int_equal(raw.host.dispatched, dispatched);
        raw_close(&raw);
        return;
    }
    if (result != 0 || goaway != -1)
        fail_msg("%s: result %d, GOAWAY %d", wrong->what, result, goaway);
    if (wrong->verdict == STREAM && raw_reset(&raw, wrong->stream) != (int)wrong->code)
        fail_msg("%s: RST_STREAM %d", wrong->what, raw_reset(&raw, wrong->stream));
    raw.host.answer = host_hello;
    raw_get(&raw, 101);
    assert_int_equal(raw_flush(&raw), 0);
    assert_int_equal(raw_status(&raw, 101), 200);
    raw_close(&raw);
}

static void judges_every_wrong_frame(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(wrongs) / sizeof(wrongs[0]); i++) {
        check_wrong(&wrongs[i], false);
        check_wrong(&wrongs[i], true);
    }
}

static void refuses_another_preface(void **state)
{
    (void)state;
    static const char *const starts[] = {"GET / HTTP/1.1\r\n", "PRI * HTTP/2.0\r\n\r\nSN",
                                         "\x16\x03\x01", "X"};
    for (size_t i = 0; i < 4; i++) {
        struct raw raw;
        raw_init(&raw);
        raw_start(&raw, CONN_SERVER);
        raw_bytes(&raw, starts[i], strlen(starts[i]));
        assert_true(raw_flush(&raw) < 0);
        assert_int_equal(raw_goaway(&raw), H2_PROTOCOL_ERROR);
        raw_close(&raw);
    }
}

static void wants_settings_first(void **state)
{
    (void)state;
    struct raw raw;
    raw_init(&raw);
    raw_start(&raw, CONN_SERVER);
    raw_bytes(&raw, H2_PREFACE, H2_PREFACE_LENGTH);
    raw_get(&raw, 1);
    assert_true(raw_flush(&raw) < 0);
    assert_int_equal(raw_goaway(&raw), H2_PROTOCOL_ERROR);
    assert_int_equal(raw.host.dispatched, 0);
    raw_close(&raw);
}

static void keeps_nothing_of_a_frame_too_long(void **state)
{
    (void)state;
    struct raw raw;
    for (unsigned type = 0; type < 0x12; type++) {
        raw_open(&raw, CONN_SERVER);
        size_t before = raw.conn->account.peak;
        uint8_t header[9] = {0xff, 0xff, 0xff, (uint8_t)type, 0, 0, 0, 0, 1};
        raw_bytes(&raw, header, 9);
        assert_true(raw_flush(&raw) < 0);
        assert_true(raw.conn->account.peak <= before + 1024);
        raw_close(&raw);
    }
}

static void first_id_may_be_the_last(void **state)
{
    (void)state;
    struct raw raw;
    raw_open(&raw, CONN_SERVER);
    raw_get(&raw, H2_ID_MAXIMUM);
    assert_int_equal(raw_flush(&raw), 0);
    assert_int_equal(raw_status(&raw, H2_ID_MAXIMUM), 200);
    assert_int_equal(raw_goaway(&raw), H2_NO_ERROR);
    raw_close(&raw);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_a_request),
        cmocka_unit_test(announces_its_limits),
        cmocka_unit_test(takes_bytes_one_at_a_time),
        cmocka_unit_test(continues_field_blocks),
        cmocka_unit_test(judges_every_wrong_frame),
        cmocka_unit_test(refuses_another_preface),
        cmocka_unit_test(wants_settings_first),
        cmocka_unit_test(keeps_nothing_of_a_frame_too_long),
        cmocka_unit_test(first_id_may_be_the_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
