#include "trace/trace.h"
#include "trace/trace_print.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* The worst case: each byte shown becomes four (\xHH) or six (\u007f in JSON), besides at most 512
 * fields' and 64 settings' fixed text. */
#define LINE_MAXIMUM (TRACE_EVENT_MAXIMUM * 8 + 128 * 1024)

/* A buffer that has grown past this is given back after the event. */
#define LINE_KEPT (16 * 1024)

struct printing_trace {
    struct frame_trace base; /* first */
    struct trace_options options;
    struct buf line;
    bool started;
};

static herald_time elapsed_at(struct printing_trace *trace, herald_time now)
{
    if (!trace->started) {
        trace->started = true;
        if (trace->options.start == HERALD_NEVER)
            trace->options.start = now;
    }
    return now > trace->options.start ? now - trace->options.start : 0;
}

static void hand_over(struct printing_trace *trace, int result)
{
    if (result == 0)
        trace->options.write(trace->options.user, buf_span(&trace->line));
    buf_clear(&trace->line);
    if (trace->line.capacity > LINE_KEPT)
        buf_free(&trace->line);
}

static void print_frame(struct frame_trace *base, const struct frame_event *event)
{
    struct printing_trace *trace = (struct printing_trace *)base;
    herald_time elapsed = elapsed_at(trace, event->time);
    int result;

    if (trace->options.format == TRACE_JSON)
        result = trace_json_event(&trace->line, &trace->options, event, elapsed);
    else
        result = trace_text_event(&trace->line, &trace->options, event, elapsed);
    hand_over(trace, result);
}

struct frame_trace *trace_create(const struct trace_options *options)
{
    struct printing_trace *trace = calloc(1, sizeof(*trace));

    if (trace == NULL)
        return NULL;
    trace->base.frame = print_frame;
    trace->options = *options;
    buf_init(&trace->line, LINE_MAXIMUM, NULL);
    return &trace->base;
}

void trace_destroy(struct frame_trace *base)
{
    struct printing_trace *trace = (struct printing_trace *)base;

    if (trace == NULL)
        return;
    buf_free(&trace->line);
    free(trace);
}

void trace_note(struct frame_trace *base, uint64_t connection, herald_time now, const char *format,
                ...)
{
    struct printing_trace *trace = (struct printing_trace *)base;
    char text[TRACE_VALUE_MAXIMUM];
    va_list arguments;
    int result;

    if (trace == NULL)
        return;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (length < 0)
        return;
    herald_time elapsed = elapsed_at(trace, now);
    if (trace->options.format == TRACE_JSON)
        result = trace_json_note(&trace->line, connection, elapsed, span_from_text(text));
    else
        result = trace_text_note(&trace->line, &trace->options, connection, elapsed,
                                 span_from_text(text));
    hand_over(trace, result);
}

bool trace_is_secret(const struct field *field)
{
    static const char *const names[] = {"authorization", "proxy-authorization", "cookie",
                                        "set-cookie"};

    if ((field->flags & FIELD_SENSITIVE) != 0)
        return true;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (span_equals_ignoring_case(field->name, span_from_text(names[i])))
            return true;
    return false;
}
