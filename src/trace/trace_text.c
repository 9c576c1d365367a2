#include "trace/frame_names.h"
#include "trace/trace_print.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#define INDENT "                "

enum colour { COLOUR_TIME, COLOUR_IN, COLOUR_OUT, COLOUR_ERROR, COLOUR_NAME, COLOUR_NOTE };

/* Remembers the first error, so that the printing reads straight on. */
struct text_printer {
    struct buf *out;
    const struct trace_options *options;
    const struct frame_event *event;
    size_t budget; /* bytes of field values that may still be shown */
    int error;
};

static void print(struct text_printer *printer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void print(struct text_printer *printer, const char *format, ...)
{
    char text[256];
    va_list arguments;

    va_start(arguments, format);
    int length = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (printer->error == 0 && length > 0)
        printer->error = buf_append(
            printer->out, text, (size_t)length < sizeof(text) ? (size_t)length : sizeof(text) - 1);
}

static void print_colour(struct text_printer *printer, enum colour colour)
{
    static const char *const sequences[] = {
        [COLOUR_TIME] = "\033[2m",     [COLOUR_IN] = "\033[1;32m", [COLOUR_OUT] = "\033[1;36m",
        [COLOUR_ERROR] = "\033[1;31m", [COLOUR_NAME] = "\033[34m", [COLOUR_NOTE] = "\033[33m",
    };

    if (printer->options->colour)
        print(printer, "%s", sequences[colour]);
}

static void print_plain(struct text_printer *printer)
{
    if (printer->options->colour)
        print(printer, "\033[0m");
}

/* Peer bytes, cut to what one value and the event may show. */
static void print_escaped(struct text_printer *printer, struct span text)
{
    size_t most = printer->budget < TRACE_VALUE_MAXIMUM ? printer->budget : TRACE_VALUE_MAXIMUM;
    struct span shown = trace_cut(text, most);

    if (printer->error == 0)
        printer->error = trace_escape(printer->out, shown);
    printer->budget -= shown.length;
    if (shown.length < text.length)
        print(printer, "... <%zu bytes more>", text.length - shown.length);
}

static void print_field(struct text_printer *printer, struct span name, struct span value)
{
    print(printer, INDENT);
    print_colour(printer, COLOUR_NAME);
    print_escaped(printer, name);
    print(printer, ": ");
    print_plain(printer);
    print_escaped(printer, value);
    print(printer, "\n");
}

static void print_control_field(struct text_printer *printer, const char *name, struct span value)
{
    if (value.length > 0)
        print_field(printer, span_from_text(name), value);
}

static void print_fields(struct text_printer *printer, const struct fields *fields)
{
    size_t shown = 0;

    for (; shown < fields->count && shown < TRACE_FIELDS_MAXIMUM && printer->budget > 0; shown++) {
        const struct field *field = &fields->items[shown];
        if (!printer->options->show_secrets && trace_is_secret(field)) {
            char text[64];
            snprintf(text, sizeof(text), "<redacted, %zu bytes>", field->value.length);
            print_field(printer, field->name, span_from_text(text));
        } else {
            print_field(printer, field->name, field->value);
        }
    }
    if (shown < fields->count)
        print(printer, INDENT "... <%zu fields more>\n", fields->count - shown);
}

static void print_start_line(struct text_printer *printer, const struct message *head)
{
    /* A request on its way out has no version of its own. */
    const char *version =
        frame_version_name(head->version != 0 ? head->version : printer->event->version);

    print(printer, INDENT);
    if (head->status != 0) {
        print(printer, "%s %u ", version, head->status);
        print_escaped(printer, head->reason);
    } else {
        print_escaped(printer, head->method);
        print(printer, " ");
        print_escaped(printer, head->path.length > 0 ? head->path : head->authority);
        print(printer, " %s", version);
    }
    print(printer, "\n");
    if (head->status == 0 && fields_find_name(&head->fields, SPAN_LITERAL("host")) == NULL)
        print_control_field(printer, "host", head->authority);
}

static void print_control_data(struct text_printer *printer, const struct message *head)
{
    char status[16];

    print_control_field(printer, ":method", head->method);
    print_control_field(printer, ":protocol", head->protocol);
    print_control_field(printer, ":scheme", head->scheme);
    print_control_field(printer, ":authority", head->authority);
    print_control_field(printer, ":path", head->path);
    if (head->status != 0) {
        snprintf(status, sizeof(status), "%u", head->status);
        print_control_field(printer, ":status", span_from_text(status));
    }
}

static void print_head(struct text_printer *printer, const struct message *head)
{
    if (printer->event->kind == FRAME_H1_HEAD)
        print_start_line(printer, head);
    else
        print_control_data(printer, head);
    print_fields(printer, &head->fields);
}

static void print_settings(struct text_printer *printer)
{
    const struct frame_event *event = printer->event;
    size_t shown = 0;

    for (; shown < event->setting_count && shown < TRACE_SETTING_MAXIMUM; shown++) {
        const struct frame_setting *setting = &event->settings[shown];
        const char *name = frame_setting_name(event->version, setting->id);
        print(printer, INDENT);
        print_colour(printer, COLOUR_NAME);
        if (name != NULL)
            print(printer, "%s", name);
        else
            print(printer, "0x%" PRIx32, setting->id);
        print_plain(printer);
        print(printer, " = %" PRIu64 "\n", setting->value);
    }
    if (shown < event->setting_count)
        print(printer, INDENT "... <%zu settings more>\n", event->setting_count - shown);
}

static void print_flags(struct text_printer *printer)
{
    const struct frame_event *event = printer->event;
    const char *separator = ", ";

    for (unsigned bit = 1; bit <= 0x80; bit <<= 1) {
        const char *name = frame_flag_name(event->kind, (uint8_t)bit);
        if ((event->flags & bit) == 0)
            continue;
        if (name != NULL)
            print(printer, "%s%s", separator, name);
        else
            print(printer, "%s0x%x", separator, bit);
        separator = "|";
    }
}

static void print_error(struct text_printer *printer)
{
    const struct frame_event *event = printer->event;
    const char *name = frame_error_name(event->version, event->error_code);

    print(printer, ", ");
    print_colour(printer, event->error_code == 0 ? COLOUR_NOTE : COLOUR_ERROR);
    if (name != NULL)
        print(printer, "%s", name);
    else
        print(printer, "error 0x%" PRIx64, event->error_code);
    print_plain(printer);
}

static void print_windows(struct text_printer *printer)
{
    const struct frame_event *event = printer->event;

    if (event->version != HTTP_2)
        return;
    if (event->stream_id != 0)
        print(printer, ", window %" PRId64, event->stream_window);
    print(printer, ", connection window %" PRId64, event->connection_window);
}

static void print_priority(struct text_printer *printer)
{
    const struct frame_event *event = printer->event;

    if (event->weight != 0)
        print(printer, ", depends on %" PRIu32 ", weight %u%s", event->depends_on, event->weight,
              event->exclusive ? ", exclusive" : "");
}

static void print_opaque_hex(struct text_printer *printer)
{
    struct span opaque = printer->event->opaque;

    print(printer, ", ");
    for (size_t i = 0; i < opaque.length && i < 8; i++)
        print(printer, "%02x", opaque.data[i]);
}

static void print_head_notes(struct text_printer *printer)
{
    const struct frame_event *event = printer->event;

    if (event->trailers != NULL)
        print(printer, ", trailers");
    if (event->head == NULL || event->head->status < 100 || event->head->status > 199)
        return;
    print(printer, ", ");
    print_colour(printer, COLOUR_NOTE);
    print(printer, event->head->status == 103 ? "early hints" : "informational");
    print_plain(printer);
}

/* What the first line says beyond name, stream, length and flags. */
static void print_details(struct text_printer *printer)
{
    const struct frame_event *event = printer->event;

    switch (event->kind) {
    case FRAME_DATA:
        print_windows(printer);
        break;
    case FRAME_WINDOW_UPDATE:
        print(printer, ", increment %" PRIu64, event->increment);
        print_windows(printer);
        break;
    case FRAME_HEADERS:
    case FRAME_PRIORITY:
    case FRAME_H1_HEAD:
        print_priority(printer);
        print_head_notes(printer);
        break;
    case FRAME_PUSH_PROMISE:
        print(printer, ", promises stream %" PRIu64, event->promised_id);
        break;
    case FRAME_RST_STREAM:
        print_error(printer);
        break;
    case FRAME_GOAWAY:
        print(printer, ", last stream %" PRIu64, event->promised_id);
        print_error(printer);
        break;
    case FRAME_PRIORITY_UPDATE:
        print(printer, ", of stream %" PRIu64, event->promised_id);
        break;
    case FRAME_PING:
        print_opaque_hex(printer);
        break;
    case FRAME_UNKNOWN:
        print(printer, ", type 0x%" PRIx64, event->type);
        break;
    default:
        break;
    }
    if (event->padding != 0)
        print(printer, ", padding %u", event->padding);
}

static bool has_error(const struct frame_event *event)
{
    return event->kind == FRAME_RST_STREAM ||
           (event->kind == FRAME_GOAWAY && event->error_code != 0);
}

static void print_time(struct text_printer *printer, uint64_t connection, herald_time elapsed)
{
    print_colour(printer, COLOUR_TIME);
    print(printer, "%3" PRIu64 ".%06" PRIu64, elapsed / HERALD_SECOND,
          elapsed % HERALD_SECOND / HERALD_MICROSECOND);
    if (connection != 0)
        print(printer, " #%" PRIu64, connection);
    print_plain(printer);
}

static void print_first_line(struct text_printer *printer, herald_time elapsed)
{
    const struct frame_event *event = printer->event;
    bool in = event->direction == FRAME_IN;

    print_time(printer, event->connection, elapsed);
    print_colour(printer, has_error(event) ? COLOUR_ERROR : in ? COLOUR_IN : COLOUR_OUT);
    print(printer, " %s %s", in ? "<-" : "->", frame_name(event->kind));
    print_plain(printer);
    if (event->kind >= FRAME_H1_HEAD)
        print(printer, " request %" PRIu64, event->stream_id);
    else if (event->kind != FRAME_PREFACE)
        print(printer, " stream %" PRIu64, event->stream_id);
    print(printer, "%s%" PRIu64 " byte%s", event->kind == FRAME_PREFACE ? " " : ", ", event->length,
          event->length == 1 ? "" : "s");
    print_flags(printer);
    print_details(printer);
    print(printer, "\n");
}

static void print_text(struct text_printer *printer)
{
    const struct frame_event *event = printer->event;

    if (event->opaque.length == 0 || event->kind == FRAME_PING || event->kind == FRAME_PREFACE)
        return;
    print(printer, INDENT);
    print_escaped(printer, event->opaque);
    print(printer, "\n");
}

int trace_text_event(struct buf *out, const struct trace_options *options,
                     const struct frame_event *event, herald_time elapsed)
{
    struct text_printer printer = {out, options, event, TRACE_EVENT_MAXIMUM, 0};

    print_first_line(&printer, elapsed);
    if (event->head != NULL)
        print_head(&printer, event->head);
    if (event->trailers != NULL)
        print_fields(&printer, event->trailers);
    print_settings(&printer);
    print_text(&printer);
    return printer.error;
}

int trace_text_note(struct buf *out, const struct trace_options *options, uint64_t connection,
                    herald_time elapsed, struct span text)
{
    struct text_printer printer = {out, options, NULL, TRACE_EVENT_MAXIMUM, 0};

    print_time(&printer, connection, elapsed);
    print_colour(&printer, COLOUR_NOTE);
    print(&printer, " ** ");
    print_escaped(&printer, text);
    print_plain(&printer);
    print(&printer, "\n");
    return printer.error;
}
