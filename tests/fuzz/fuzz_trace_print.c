/* Random frame events through both printers. Invariants: text is valid UTF-8 without control
 * characters but newline, JSON is one line of ASCII that parses again, both are bounded. */
#include "trace/trace.h"
#include "trace/trace_print.h"
#include <jansson.h>
#include <stdlib.h>

#define FIELD_COUNT   24
#define SETTING_COUNT 80

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    struct span rest;
};

static uint64_t take_number(struct input *input, size_t bytes)
{
    uint64_t number = 0;

    for (size_t i = 0; i < bytes && i < input->rest.length; i++)
        number = number << 8 | input->rest.data[i];
    input->rest = span_slice(input->rest, bytes, input->rest.length);
    return number;
}

static struct span take_text(struct input *input)
{
    size_t length = (size_t)take_number(input, 1);
    struct span text = span_slice(input->rest, 0, length);

    input->rest = span_slice(input->rest, length, input->rest.length);
    return text;
}

static void require(bool condition)
{
    if (!condition)
        __builtin_trap();
}

static void check_text(void *user, struct span text)
{
    (void)user;
    require(text.length > 0 && text.data[text.length - 1] == '\n');
    while (text.length > 0) {
        uint32_t character;
        size_t length = trace_decode_utf8(text, &character);
        require(length > 0);
        require(character == '\n' || character >= 0x20);
        require(character < 0x7f || character > 0x9f);
        require(character < 0x202a || character > 0x202e);
        require(character < 0x2066 || character > 0x2069);
        text = span_slice(text, length, text.length);
    }
}

static void check_json(void *user, struct span text)
{
    json_t *line;

    (void)user;
    require(text.length > 0 && text.data[text.length - 1] == '\n');
    for (size_t i = 0; i + 1 < text.length; i++)
        require(text.data[i] >= 0x20 && text.data[i] < 0x7f);
    line = json_loadb((const char *)text.data, text.length, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES,
                      NULL);
    require(json_is_object(line));
    require(json_is_real(json_object_get(line, "time")));
    json_decref(line);
}

static void take_message(struct input *input, struct message *head)
{
    head->version = (enum http_version)take_number(input, 1);
    head->status = (uint16_t)take_number(input, 2);
    head->method = take_text(input);
    head->scheme = take_text(input);
    head->authority = take_text(input);
    head->path = take_text(input);
    head->protocol = take_text(input);
    head->reason = take_text(input);
}

static void take_fields(struct input *input, struct field *items, struct fields *fields)
{
    fields->items = items;
    fields->count = (size_t)take_number(input, 1) % FIELD_COUNT;
    fields->capacity = FIELD_COUNT;
    for (size_t i = 0; i < fields->count; i++) {
        items[i].name = take_text(input);
        items[i].value = take_text(input);
        items[i].flags = (uint8_t)take_number(input, 1);
    }
}

static void take_event(struct input *input, struct frame_event *event,
                       struct frame_setting *settings)
{
    event->time = take_number(input, 8);
    event->connection = take_number(input, 2);
    event->direction = (enum frame_direction)(take_number(input, 1) & 1);
    event->kind = (enum frame_kind)(take_number(input, 1) % 24);
    event->version = (enum http_version)take_number(input, 1);
    event->type = take_number(input, 8);
    event->flags = (uint8_t)take_number(input, 1);
    event->stream_id = take_number(input, 8);
    event->length = take_number(input, 8);
    event->promised_id = take_number(input, 8);
    event->error_code = take_number(input, 8);
    event->increment = take_number(input, 8);
    event->stream_window = (int64_t)take_number(input, 8);
    event->connection_window = (int64_t)take_number(input, 8);
    event->depends_on = (uint32_t)take_number(input, 4);
    event->weight = (uint16_t)take_number(input, 2);
    event->exclusive = (take_number(input, 1) & 1) != 0;
    event->padding = (uint16_t)take_number(input, 2);
    event->opaque = take_text(input);
    event->settings = settings;
    event->setting_count = (size_t)take_number(input, 1) % SETTING_COUNT;
    for (size_t i = 0; i < event->setting_count; i++)
        settings[i] =
            (struct frame_setting){(uint32_t)take_number(input, 2), take_number(input, 4)};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {span_make(data, size)};
    struct trace_options options = {.start = HERALD_NEVER, .write = check_text};
    struct field head_items[FIELD_COUNT] = {0}, trailer_items[FIELD_COUNT] = {0};
    struct frame_setting settings[SETTING_COUNT] = {0};
    struct message head = {0};
    struct fields trailers = {0};
    struct frame_event event = {0};
    unsigned choice = (unsigned)take_number(&input, 1);

    options.show_secrets = (choice & 1) != 0;
    if ((choice & 2) != 0) {
        options.format = TRACE_JSON;
        options.write = check_json;
    }
    take_event(&input, &event, settings);
    if ((choice & 4) != 0) {
        take_message(&input, &head);
        take_fields(&input, head_items, &head.fields);
        event.head = &head;
    }
    if ((choice & 8) != 0) {
        take_fields(&input, trailer_items, &trailers);
        event.trailers = &trailers;
    }

    struct frame_trace *trace = trace_create(&options);
    if (trace == NULL)
        return 0;
    trace->frame(trace, &event);
    trace_note(trace, event.connection, event.time, "%.*s", SPAN_ARGUMENTS(input.rest));
    trace_destroy(trace);
    return 0;
}
