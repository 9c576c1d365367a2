#include "support/check.h"
#include "support/failmalloc.h"
#include "trace/trace.h"
#include <jansson.h>

struct output {
    struct buf text;
    unsigned calls;
};

static void collect(void *user, struct span text)
{
    struct output *output = user;

    output->calls++;
    assert_int_equal(buf_append_span(&output->text, text), 0);
}

static char *printed(struct trace_options options, const struct frame_event *event)
{
    struct output output = {0};

    buf_init(&output.text, 1 << 22, NULL);
    options.write = collect;
    options.user = &output;
    struct frame_trace *trace = trace_create(&options);
    assert_non_null(trace);
    trace->frame(trace, event);
    trace_destroy(trace);
    assert_int_equal(output.calls, 1);
    char *copy = calloc(1, buf_length(&output.text) + 1);
    assert_non_null(copy);
    memcpy(copy, buf_span(&output.text).data, buf_length(&output.text));
    buf_free(&output.text);
    return copy;
}

static const struct trace_options as_text = {.format = TRACE_TEXT, .start = 1000 * HERALD_SECOND};
static const struct trace_options as_json = {.format = TRACE_JSON, .start = 1000 * HERALD_SECOND};

#define AT(nanoseconds) (1000 * HERALD_SECOND + (nanoseconds))

static void check(struct trace_options options, const struct frame_event *event,
                  const char *expected)
{
    char *got = printed(options, event);

    assert_string_equal(got, expected);
    free(got);
}

static void settings_by_name(void **state)
{
    static const struct frame_setting settings[] = {{2, 0}, {4, 65535}, {0xfafa, 7}};
    struct frame_event event = {
        .time = AT(1234567),
        .connection = 1,
        .direction = FRAME_OUT,
        .kind = FRAME_SETTINGS,
        .version = HTTP_2,
        .type = 4,
        .length = 18,
        .settings = settings,
        .setting_count = 3,
    };

    (void)state;
    check(as_text, &event,
          "  0.001234 #1 -> SETTINGS stream 0, 18 bytes\n"
          "                ENABLE_PUSH = 0\n"
          "                INITIAL_WINDOW_SIZE = 65535\n"
          "                0xfafa = 7\n");
    check(as_json, &event,
          "{\"time\":0.001234,\"connection\":1,\"direction\":\"out\",\"version\":\"HTTP/2\","
          "\"frame\":\"SETTINGS\",\"type\":4,\"stream\":0,\"length\":18,\"flags\":[],"
          "\"settings\":[{\"id\":2,\"name\":\"ENABLE_PUSH\",\"value\":0},"
          "{\"id\":4,\"name\":\"INITIAL_WINDOW_SIZE\",\"value\":65535},"
          "{\"id\":64250,\"value\":7}]}\n");
}

static struct field request_fields[] = {
    {SPAN_LITERAL("accept"), SPAN_LITERAL("*/*"), 0, 0},
    {SPAN_LITERAL("authorization"), SPAN_LITERAL("Bearer abcdef"), 0, 0},
    {SPAN_LITERAL("x-token"), SPAN_LITERAL("hunter2"), 0, FIELD_SENSITIVE},
};

static struct message request_head(void)
{
    return (struct message){
        .version = HTTP_2,
        .method = SPAN_LITERAL("GET"),
        .scheme = SPAN_LITERAL("https"),
        .authority = SPAN_LITERAL("example.org"),
        .path = SPAN_LITERAL("/a?b"),
        .fields = {request_fields, 3, 3},
    };
}

static void request_headers_without_secrets(void **state)
{
    struct message head = request_head();
    struct frame_event event = {
        .time = AT(2 * HERALD_SECOND),
        .connection = 12,
        .direction = FRAME_IN,
        .kind = FRAME_HEADERS,
        .version = HTTP_2,
        .type = 1,
        .flags = 0x25,
        .stream_id = 1,
        .length = 40,
        .head = &head,
        .depends_on = 3,
        .weight = 256,
        .exclusive = true,
    };

    (void)state;
    check(as_text, &event,
          "  2.000000 #12 <- HEADERS stream 1, 40 bytes, END_STREAM|END_HEADERS|PRIORITY, "
          "depends on 3, weight 256, exclusive\n"
          "                :method: GET\n"
          "                :scheme: https\n"
          "                :authority: example.org\n"
          "                :path: /a?b\n"
          "                accept: */*\n"
          "                authorization: <redacted, 13 bytes>\n"
          "                x-token: <redacted, 7 bytes>\n");
    check(as_json, &event,
          "{\"time\":2.0,\"connection\":12,\"direction\":\"in\",\"version\":\"HTTP/2\","
          "\"frame\":\"HEADERS\",\"type\":1,\"stream\":1,\"length\":40,"
          "\"flags\":[\"END_STREAM\",\"END_HEADERS\",\"PRIORITY\"],\"depends_on\":3,"
          "\"weight\":256,\"exclusive\":true,\"method\":\"GET\",\"scheme\":\"https\","
          "\"authority\":\"example.org\",\"path\":\"/a?b\",\"fields\":["
          "{\"name\":\"accept\",\"value\":\"*/*\"},"
          "{\"name\":\"authorization\",\"redacted\":13},"
          "{\"name\":\"x-token\",\"redacted\":7,\"sensitive\":true}]}\n");
}

static void secrets_when_asked_for(void **state)
{
    struct message head = request_head();
    struct frame_event event = {
        .time = AT(0), .kind = FRAME_HEADERS, .version = HTTP_2, .head = &head};
    struct trace_options options = as_text;

    (void)state;
    options.show_secrets = true;
    char *text = printed(options, &event);
    assert_non_null(strstr(text, "authorization: Bearer abcdef\n"));
    assert_non_null(strstr(text, "x-token: hunter2\n"));
    free(text);
    options.format = TRACE_JSON;
    text = printed(options, &event);
    assert_non_null(strstr(text, "\"value\":\"Bearer abcdef\""));
    free(text);
}

static void secret_names_in_any_case(void **state)
{
    static const char *const names[] = {"Authorization", "COOKIE", "set-cookie", "Set-Cookie",
                                        "proxy-authorization"};

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct field field = {span_from_text(names[i]), SPAN_LITERAL("x"), 0, 0};
        assert_true(trace_is_secret(&field));
    }
    assert_false(trace_is_secret(&request_fields[0]));
}

static void early_hints_promise_data_and_trailers(void **state)
{
    struct field link[] = {
        {SPAN_LITERAL("link"), SPAN_LITERAL("</s.css>; rel=preload; as=style"), 0, 0}};
    struct message hints = {.version = HTTP_2, .status = 103, .fields = {link, 1, 1}};
    struct frame_event event = {.time = AT(3000),
                                .connection = 1,
                                .direction = FRAME_IN,
                                .kind = FRAME_HEADERS,
                                .version = HTTP_2,
                                .flags = 0x4,
                                .stream_id = 1,
                                .length = 30,
                                .head = &hints};
    struct message promised = {.method = SPAN_LITERAL("GET"), .path = SPAN_LITERAL("/s.css")};
    struct frame_event promise = {.time = AT(3000),
                                  .direction = FRAME_IN,
                                  .kind = FRAME_PUSH_PROMISE,
                                  .version = HTTP_2,
                                  .flags = 0x4,
                                  .stream_id = 1,
                                  .promised_id = 2,
                                  .length = 9,
                                  .head = &promised};
    struct frame_event data = {.time = AT(3000),
                               .direction = FRAME_IN,
                               .kind = FRAME_DATA,
                               .version = HTTP_2,
                               .flags = 0x9,
                               .stream_id = 2,
                               .length = 1,
                               .padding = 5,
                               .stream_window = 65534,
                               .connection_window = -1};
    struct fields trailers = {link, 1, 1};
    struct frame_event end = {.time = AT(3000),
                              .direction = FRAME_OUT,
                              .kind = FRAME_HEADERS,
                              .version = HTTP_2,
                              .flags = 0x5,
                              .stream_id = 2,
                              .length = 8,
                              .trailers = &trailers};

    (void)state;
    check(as_text, &event,
          "  0.000003 #1 <- HEADERS stream 1, 30 bytes, END_HEADERS, early hints\n"
          "                :status: 103\n"
          "                link: </s.css>; rel=preload; as=style\n");
    check(as_text, &promise,
          "  0.000003 <- PUSH_PROMISE stream 1, 9 bytes, END_HEADERS, promises stream 2\n"
          "                :method: GET\n"
          "                :path: /s.css\n");
    check(as_text, &data,
          "  0.000003 <- DATA stream 2, 1 byte, END_STREAM|PADDED, window 65534, "
          "connection window -1, padding 5\n");
    check(as_text, &end,
          "  0.000003 -> HEADERS stream 2, 8 bytes, END_STREAM|END_HEADERS, trailers\n"
          "                link: </s.css>; rel=preload; as=style\n");
}

static void errors_pings_and_unknown_frames(void **state)
{
    struct frame_event event = {.time = AT(0),
                                .direction = FRAME_IN,
                                .kind = FRAME_GOAWAY,
                                .version = HTTP_2,
                                .length = 12,
                                .promised_id = 7,
                                .error_code = 11,
                                .opaque = SPAN_LITERAL("calm\n\033[2J")};

    (void)state;
    check(as_text, &event,
          "  0.000000 <- GOAWAY stream 0, 12 bytes, last stream 7, ENHANCE_YOUR_CALM\n"
          "                calm\\n\\x1b[2J\n");
    event = (struct frame_event){.time = AT(0),
                                 .direction = FRAME_OUT,
                                 .kind = FRAME_RST_STREAM,
                                 .version = HTTP_2,
                                 .stream_id = 2,
                                 .length = 4,
                                 .error_code = 0xabc};
    check(as_text, &event, "  0.000000 -> RST_STREAM stream 2, 4 bytes, error 0xabc\n");
    event = (struct frame_event){.time = AT(0),
                                 .kind = FRAME_PING,
                                 .version = HTTP_2,
                                 .flags = 0x81,
                                 .length = 8,
                                 .opaque = span_make("\0\1\2\3\4\5\6\377", 8)};
    check(as_text, &event, "  0.000000 <- PING stream 0, 8 bytes, ACK|0x80, 00010203040506ff\n");
    event = (struct frame_event){
        .time = AT(0), .kind = FRAME_UNKNOWN, .version = HTTP_2, .type = 0xfa, .length = 3};
    check(as_text, &event, "  0.000000 <- UNKNOWN stream 0, 3 bytes, type 0xfa\n");
    event = (struct frame_event){.time = AT(0),
                                 .direction = FRAME_OUT,
                                 .kind = FRAME_PRIORITY_UPDATE,
                                 .version = HTTP_2,
                                 .length = 9,
                                 .promised_id = 5,
                                 .opaque = SPAN_LITERAL("u=1, i")};
    check(as_text, &event,
          "  0.000000 -> PRIORITY_UPDATE stream 0, 9 bytes, of stream 5\n"
          "                u=1, i\n");
}

static void http1_messages(void **state)
{
    struct field fields[] = {{SPAN_LITERAL("accept"), SPAN_LITERAL("*/*"), 0, 0}};
    struct message request = {.method = SPAN_LITERAL("GET"),
                              .authority = SPAN_LITERAL("h:1"),
                              .path = SPAN_LITERAL("/"),
                              .fields = {fields, 1, 1}};
    struct message response = {
        .version = HTTP_1_1, .status = 200, .reason = SPAN_LITERAL("Fine\007")};
    struct frame_event event = {.time = AT(0),
                                .connection = 1,
                                .direction = FRAME_OUT,
                                .kind = FRAME_H1_HEAD,
                                .version = HTTP_1_1,
                                .stream_id = 1,
                                .length = 33,
                                .head = &request};

    (void)state;
    check(as_text, &event,
          "  0.000000 #1 -> HEAD request 1, 33 bytes\n"
          "                GET / HTTP/1.1\n"
          "                host: h:1\n"
          "                accept: */*\n");
    event.direction = FRAME_IN;
    event.head = &response;
    check(as_text, &event,
          "  0.000000 #1 <- HEAD request 1, 33 bytes\n"
          "                HTTP/1.1 200 Fine\\x07\n");
}

static void colours_only_when_asked_for(void **state)
{
    struct frame_event event = {.time = AT(0), .kind = FRAME_SETTINGS, .version = HTTP_2};
    struct trace_options options = as_text;

    (void)state;
    char *plain = printed(options, &event);
    options.colour = true;
    char *coloured = printed(options, &event);
    assert_null(strchr(plain, 033));
    assert_non_null(strchr(coloured, 033));

    /* Without the sequences both are the same. */
    size_t length = 0;
    for (const char *p = coloured; *p != 0;) {
        if (*p == 033) {
            p += strcspn(p, "m") + 1;
            continue;
        }
        coloured[length++] = *p++;
    }
    coloured[length] = 0;
    assert_string_equal(coloured, plain);
    free(plain);
    free(coloured);
}

static void every_byte_of_a_peer_makes_valid_json(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        char value[4] = {'<', (char)byte, '>', 'z'};
        struct field field = {span_make(value, 3), span_make(value, 3), 0, 0};
        struct message head = {.status = 200,
                               .method = span_make(value, 4),
                               .reason = span_make(value, 2),
                               .fields = {&field, 1, 1}};
        struct frame_event event = {.time = AT(0),
                                    .kind = FRAME_HEADERS,
                                    .version = HTTP_2,
                                    .head = &head,
                                    .opaque = span_make(value, 4)};
        char *line = printed(as_json, &event);
        size_t length = strlen(line);
        assert_int_equal(line[length - 1], '\n');
        for (size_t i = 0; i + 1 < length; i++)
            assert_true(line[i] >= 0x20 && line[i] < 0x7f);
        json_t *object = json_loads(line, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, NULL);
        assert_non_null(object);
        json_t *shown = json_array_get(json_object_get(object, "fields"), 0);
        if (byte < 0x80) {
            assert_int_equal(json_string_length(json_object_get(shown, "value")), 3);
            assert_memory_equal(json_string_value(json_object_get(shown, "value")), value, 3);
        } else {
            char hex[7];
            snprintf(hex, sizeof(hex), "3c%02x3e", byte);
            assert_string_equal(json_string_value(json_object_get(shown, "value_hex")), hex);
        }
        json_decref(object);
        free(line);
    }
}

static void long_values_and_many_fields_are_cut(void **state)
{
    enum { COUNT = 2000 };
    char *value = malloc(100000);
    struct field *many = calloc(COUNT, sizeof(*many));

    (void)state;
    memset(value, 0x1b, 100000);
    for (size_t i = 0; i < COUNT; i++)
        many[i] = (struct field){SPAN_LITERAL("n"), span_make(value, 5000), 0, 0};
    struct message head = {.status = 200, .fields = {many, COUNT, COUNT}};
    struct frame_event event = {
        .time = AT(0), .kind = FRAME_HEADERS, .version = HTTP_2, .head = &head};

    char *text = printed(as_text, &event);
    assert_true(strlen(text) < TRACE_EVENT_MAXIMUM * 8);
    assert_non_null(strstr(text, "... <904 bytes more>\n"));
    assert_non_null(strstr(text, " fields more>\n"));
    free(text);
    text = printed(as_json, &event);
    json_t *line = json_loads(text, 0, NULL);
    assert_non_null(line);
    assert_true(json_integer_value(json_object_get(line, "fields_cut")) > 1900);
    json_decref(line);
    free(text);
    free(many);
    free(value);
}

static void time_starts_at_the_first_event_when_not_given(void **state)
{
    struct output output = {0};
    struct trace_options options = {
        .format = TRACE_TEXT, .start = HERALD_NEVER, .write = collect, .user = &output};
    struct frame_event event = {.time = 5 * HERALD_SECOND, .kind = FRAME_PREFACE, .length = 24};

    (void)state;
    buf_init(&output.text, 1 << 16, NULL);
    struct frame_trace *trace = trace_create(&options);
    trace->frame(trace, &event);
    event.time = 4 * HERALD_SECOND; /* a clock that runs back shows zero, not a huge number */
    trace->frame(trace, &event);
    event.time = 6 * HERALD_SECOND + 1000;
    trace->frame(trace, &event);
    trace_note(trace, 3, event.time, "connected to %s", "\033]0;x\007");
    trace_note(NULL, 3, event.time, "nowhere");
    trace_destroy(trace);
    trace_destroy(NULL);
    assert_int_equal(buf_append_byte(&output.text, 0), 0);
    assert_string_equal((const char *)buf_span(&output.text).data,
                        "  0.000000 <- PREFACE 24 bytes\n"
                        "  0.000000 <- PREFACE 24 bytes\n"
                        "  1.000001 <- PREFACE 24 bytes\n"
                        "  1.000001 #3 ** connected to \\x1b]0;x\\x07\n");
    buf_free(&output.text);
}

static void drop(void *user, struct span text)
{
    (void)user;
    (void)text;
}

static bool print_everything(void *user)
{
    const struct trace_options *base = user;
    struct trace_options options = *base;
    static const struct frame_setting settings[] = {{2, 0}, {9, 1}};
    struct message head = request_head();
    struct field raw = {SPAN_LITERAL("\xff"), SPAN_LITERAL("\xff"), 0, 0};
    struct fields trailers = {&raw, 1, 1};
    struct frame_event event = {.time = 1,
                                .connection = 1,
                                .kind = FRAME_HEADERS,
                                .version = HTTP_2,
                                .flags = 0xff,
                                .head = &head,
                                .trailers = &trailers,
                                .weight = 1,
                                .opaque = SPAN_LITERAL("\xff")};

    options.write = drop;
    struct frame_trace *trace = trace_create(&options);
    if (trace == NULL)
        return true;
    trace->frame(trace, &event);
    event.kind = FRAME_SETTINGS;
    event.settings = settings;
    event.setting_count = 2;
    trace->frame(trace, &event);
    trace_note(trace, 1, 2, "note");
    trace_destroy(trace);
    return true;
}

static void survives_every_allocation_failure(void **state)
{
    struct trace_options options = as_text;

    (void)state;
    assert_true(failmalloc_each(print_everything, &options, 10000) > 1);
    options = as_json;
    assert_true(failmalloc_each(print_everything, &options, 10000) > 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_by_name),
        cmocka_unit_test(request_headers_without_secrets),
        cmocka_unit_test(secrets_when_asked_for),
        cmocka_unit_test(secret_names_in_any_case),
        cmocka_unit_test(early_hints_promise_data_and_trailers),
        cmocka_unit_test(errors_pings_and_unknown_frames),
        cmocka_unit_test(http1_messages),
        cmocka_unit_test(colours_only_when_asked_for),
        cmocka_unit_test(every_byte_of_a_peer_makes_valid_json),
        cmocka_unit_test(long_values_and_many_fields_are_cut),
        cmocka_unit_test(time_starts_at_the_first_event_when_not_given),
        cmocka_unit_test(survives_every_allocation_failure),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
