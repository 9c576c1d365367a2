#include "trace/frame_names.h"
#include "trace/trace_print.h"
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#define LINE_FLAGS (JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(15))

struct json_printer {
    const struct trace_options *options;
    size_t budget; /* bytes of peer text that may still be shown */
    bool failed;
};

static void set(struct json_printer *printer, json_t *object, const char *key, json_t *value)
{
    /* Steals `value`, also when it fails; NULL fails. */
    if (json_object_set_new(object, key, value) != 0)
        printer->failed = true;
}

/* JSON integers end at 2^63 - 1 here; no number on any wire is larger. */
static void set_number(struct json_printer *printer, json_t *object, const char *key,
                       uint64_t number)
{
    set(printer, object, key, json_integer(number > INT64_MAX ? INT64_MAX : (json_int_t)number));
}

static void set_literal(struct json_printer *printer, json_t *object, const char *key,
                        const char *text)
{
    set(printer, object, key, json_string(text));
}

static bool is_utf8(struct span text)
{
    while (text.length > 0) {
        uint32_t character;
        size_t length = trace_decode_utf8(text, &character);
        if (length == 0)
            return false;
        text = span_slice(text, length, text.length);
    }
    return true;
}

static void set_hex(struct json_printer *printer, json_t *object, const char *key, struct span text)
{
    static const char digits[] = "0123456789abcdef";
    char *hex = malloc(text.length * 2 + 1);

    if (hex == NULL) {
        printer->failed = true;
        return;
    }
    for (size_t i = 0; i < text.length; i++) {
        hex[2 * i] = digits[text.data[i] >> 4];
        hex[2 * i + 1] = digits[text.data[i] & 0xf];
    }
    set(printer, object, key, json_stringn(hex, text.length * 2));
    free(hex);
}

/* Peer text under `key`, or as hexadecimal digits under `hex_key` when it is not UTF-8. */
static void set_text(struct json_printer *printer, json_t *object, const char *key,
                     const char *hex_key, struct span text)
{
    size_t most = printer->budget < TRACE_VALUE_MAXIMUM ? printer->budget : TRACE_VALUE_MAXIMUM;
    struct span shown = trace_cut(text, most);

    printer->budget -= shown.length;
    if (is_utf8(shown))
        set(printer, object, key,
            json_stringn(shown.length > 0 ? (const char *)shown.data : "", shown.length));
    else
        set_hex(printer, object, hex_key, shown);
    if (shown.length < text.length)
        set_number(printer, object, "cut", text.length - shown.length);
}

static json_t *field_object(struct json_printer *printer, const struct field *field)
{
    json_t *object = json_object();

    set_text(printer, object, "name", "name_hex", field->name);
    if (!printer->options->show_secrets && trace_is_secret(field))
        set_number(printer, object, "redacted", field->value.length);
    else
        set_text(printer, object, "value", "value_hex", field->value);
    if ((field->flags & FIELD_SENSITIVE) != 0)
        set(printer, object, "sensitive", json_true());
    return object;
}

static void set_fields(struct json_printer *printer, json_t *line, const char *key,
                       const struct fields *fields)
{
    json_t *array = json_array();
    size_t shown = 0;

    for (; shown < fields->count && shown < TRACE_FIELDS_MAXIMUM && printer->budget > 0; shown++)
        if (json_array_append_new(array, field_object(printer, &fields->items[shown])) != 0)
            printer->failed = true;
    set(printer, line, key, array);
    if (shown < fields->count)
        set_number(printer, line, "fields_cut", fields->count - shown);
}

static void set_control(struct json_printer *printer, json_t *object, const char *key,
                        const char *hex_key, struct span text)
{
    if (text.length > 0)
        set_text(printer, object, key, hex_key, text);
}

static void set_head(struct json_printer *printer, json_t *line, const struct message *head)
{
    if (head->status != 0) {
        set_number(printer, line, "status", head->status);
        set_control(printer, line, "reason", "reason_hex", head->reason);
    }
    set_control(printer, line, "method", "method_hex", head->method);
    set_control(printer, line, "scheme", "scheme_hex", head->scheme);
    set_control(printer, line, "authority", "authority_hex", head->authority);
    set_control(printer, line, "path", "path_hex", head->path);
    set_control(printer, line, "protocol", "protocol_hex", head->protocol);
    set_fields(printer, line, "fields", &head->fields);
}

static json_t *setting_object(struct json_printer *printer, const struct frame_event *event,
                              const struct frame_setting *setting)
{
    json_t *object = json_object();
    const char *name = frame_setting_name(event->version, setting->id);

    set_number(printer, object, "id", setting->id);
    if (name != NULL)
        set_literal(printer, object, "name", name);
    set_number(printer, object, "value", setting->value);
    return object;
}

static void set_settings(struct json_printer *printer, json_t *line,
                         const struct frame_event *event)
{
    json_t *array = json_array();
    size_t shown = 0;

    for (; shown < event->setting_count && shown < TRACE_SETTING_MAXIMUM; shown++)
        if (json_array_append_new(array, setting_object(printer, event, &event->settings[shown])) !=
            0)
            printer->failed = true;
    set(printer, line, "settings", array);
    if (shown < event->setting_count)
        set_number(printer, line, "settings_cut", event->setting_count - shown);
}

static void set_flags(struct json_printer *printer, json_t *line, const struct frame_event *event)
{
    json_t *array = json_array();

    for (unsigned bit = 1; bit <= 0x80; bit <<= 1) {
        const char *name = frame_flag_name(event->kind, (uint8_t)bit);
        char number[8];
        if ((event->flags & bit) == 0)
            continue;
        snprintf(number, sizeof(number), "0x%x", bit);
        if (json_array_append_new(array, json_string(name != NULL ? name : number)) != 0)
            printer->failed = true;
    }
    set(printer, line, "flags", array);
}

static void set_error(struct json_printer *printer, json_t *line, const struct frame_event *event)
{
    const char *name = frame_error_name(event->version, event->error_code);

    set_number(printer, line, "error_code", event->error_code);
    if (name != NULL)
        set_literal(printer, line, "error", name);
}

static void set_windows(struct json_printer *printer, json_t *line, const struct frame_event *event)
{
    if (event->version != HTTP_2)
        return;
    if (event->stream_id != 0)
        set(printer, line, "stream_window", json_integer(event->stream_window));
    set(printer, line, "connection_window", json_integer(event->connection_window));
}

static void set_priority(struct json_printer *printer, json_t *line,
                         const struct frame_event *event)
{
    if (event->weight == 0)
        return;
    set_number(printer, line, "depends_on", event->depends_on);
    set_number(printer, line, "weight", event->weight);
    set(printer, line, "exclusive", json_boolean(event->exclusive));
}

static void set_details(struct json_printer *printer, json_t *line, const struct frame_event *event)
{
    switch (event->kind) {
    case FRAME_DATA:
        set_windows(printer, line, event);
        break;
    case FRAME_WINDOW_UPDATE:
        set_number(printer, line, "increment", event->increment);
        set_windows(printer, line, event);
        break;
    case FRAME_HEADERS:
    case FRAME_PRIORITY:
        set_priority(printer, line, event);
        break;
    case FRAME_PUSH_PROMISE:
        set_number(printer, line, "promised_stream", event->promised_id);
        break;
    case FRAME_RST_STREAM:
        set_error(printer, line, event);
        break;
    case FRAME_GOAWAY:
        set_number(printer, line, "last_stream", event->promised_id);
        set_error(printer, line, event);
        break;
    case FRAME_PRIORITY_UPDATE:
        set_number(printer, line, "prioritised_stream", event->promised_id);
        break;
    case FRAME_SETTINGS:
        set_settings(printer, line, event);
        break;
    default:
        break;
    }
    if (event->padding != 0)
        set_number(printer, line, "padding", event->padding);
    if (event->opaque.length > 0 && event->kind == FRAME_PING)
        set_hex(printer, line, "data_hex", span_slice(event->opaque, 0, 8));
    else if (event->opaque.length > 0 && event->kind != FRAME_PREFACE)
        set_text(printer, line, "data", "data_hex", event->opaque);
}

static void set_time(struct json_printer *printer, json_t *line, uint64_t connection,
                     herald_time elapsed)
{
    uint64_t microseconds = elapsed / HERALD_MICROSECOND;

    set(printer, line, "time", json_real((double)microseconds / 1e6));
    if (connection != 0)
        set_number(printer, line, "connection", connection);
}

/* jansson leaves DEL as it is, and all the rest is ASCII without control characters; DEL can only
 * stand inside a string. */
static int append_line(struct buf *out, const char *text)
{
    int result = 0;

    for (const char *rest = text; result == 0; rest++) {
        const char *found = strchr(rest, 0x7f);
        size_t plain = found != NULL ? (size_t)(found - rest) : strlen(rest);
        result = buf_append(out, rest, plain);
        if (found == NULL)
            break;
        if (result == 0)
            result = buf_append_text(out, "\\u007f");
        rest = found;
    }
    return result != 0 ? result : buf_append_byte(out, '\n');
}

static int finish_line(struct json_printer *printer, json_t *line, struct buf *out)
{
    char *text = printer->failed ? NULL : json_dumps(line, LINE_FLAGS);
    int result = text == NULL ? HERALD_ERROR_NOMEM : append_line(out, text);

    free(text);
    json_decref(line);
    return result;
}

int trace_json_event(struct buf *out, const struct trace_options *options,
                     const struct frame_event *event, herald_time elapsed)
{
    struct json_printer printer = {options, TRACE_EVENT_MAXIMUM, false};
    json_t *line = json_object();

    set_time(&printer, line, event->connection, elapsed);
    set_literal(&printer, line, "direction", event->direction == FRAME_IN ? "in" : "out");
    set_literal(&printer, line, "version", frame_version_name(event->version));
    set_literal(&printer, line, "frame", frame_name(event->kind));
    if (event->kind < FRAME_PREFACE || event->kind == FRAME_UNKNOWN)
        set_number(&printer, line, "type", event->type);
    set_number(&printer, line, "stream", event->stream_id);
    set_number(&printer, line, "length", event->length);
    if (event->version == HTTP_2)
        set_flags(&printer, line, event);
    set_details(&printer, line, event);
    if (event->head != NULL)
        set_head(&printer, line, event->head);
    if (event->trailers != NULL)
        set_fields(&printer, line, "trailers", event->trailers);
    return finish_line(&printer, line, out);
}

int trace_json_note(struct buf *out, uint64_t connection, herald_time elapsed, struct span text)
{
    struct json_printer printer = {NULL, TRACE_EVENT_MAXIMUM, false};
    json_t *line = json_object();

    set_time(&printer, line, connection, elapsed);
    set_text(&printer, line, "note", "note_hex", text);
    return finish_line(&printer, line, out);
}
