/* Prints what engines report (http/trace.h): one event a frame, as text for people or as JSON lines
 * for programs (docs/internals/trace.md). No I/O here: the text goes to a callback.
 *
 * Every byte that came from a peer is escaped: the output is valid UTF-8 (JSON: ASCII), without
 * control characters but newline (text with `colour`: and the printer's own colour sequences).
 * Values of authorization, proxy-authorization, cookie, set-cookie and of fields marked sensitive
 * are left out unless show_secrets is set. */
#ifndef TRACE_TRACE_H
#define TRACE_TRACE_H

#include "base/buf.h"
#include "http/trace.h"

/* What is shown of one event at most; what is cut off is said. Bytes before escaping. */
#define TRACE_VALUE_MAXIMUM   4096
#define TRACE_EVENT_MAXIMUM   65536 /* of all fields of one event */
#define TRACE_FIELDS_MAXIMUM  512
#define TRACE_SETTING_MAXIMUM 64

enum trace_format { TRACE_TEXT, TRACE_JSON };

struct trace_options {
    enum trace_format format;
    bool colour; /* text only; ask only for a terminal */
    bool show_secrets;
    /* Time zero; HERALD_NEVER: the time of the first event. */
    herald_time start;
    /* Takes whole lines, one call an event; the text lives until the call returns. Must not block
     * for long. */
    void (*write)(void *user, struct span text);
    void *user;
};

/* One trace serves any number of connections (of one thread). NULL when memory is out. An event
 * that cannot be printed for want of memory is left out. */
struct frame_trace *trace_create(const struct trace_options *options);
void trace_destroy(struct frame_trace *trace);

/* A line that is not a frame, under the same escapes ("connected to 127.0.0.1:8443"); cut at
 * TRACE_VALUE_MAXIMUM bytes. `connection` 0: of no connection. `trace` may be NULL. */
void trace_note(struct frame_trace *trace, uint64_t connection, herald_time now, const char *format,
                ...) __attribute__((format(printf, 4, 5)));

/* Appends `text` so that a terminal shows it and does nothing else: backslash as \\, control
 * characters (C0, DEL, C1), bidirectional and invisible ones and bytes that are not UTF-8 as \n,
 * \r, \t, \xHH or \u{HHHH}. Returns as buf_append. */
int trace_escape(struct buf *out, struct span text);

/* True for a field whose value stays out of traces unless asked for. */
bool trace_is_secret(const struct field *field);

#endif
