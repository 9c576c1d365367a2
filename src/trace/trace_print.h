/* The two printers behind trace.h. */
#ifndef TRACE_TRACE_PRINT_H
#define TRACE_TRACE_PRINT_H

#include "trace/trace.h"

/* Append one event as whole lines. `elapsed` is since the start. Return as buf_append, or
 * HERALD_ERROR_NOMEM. */
int trace_text_event(struct buf *out, const struct trace_options *options,
                     const struct frame_event *event, herald_time elapsed);
int trace_json_event(struct buf *out, const struct trace_options *options,
                     const struct frame_event *event, herald_time elapsed);

/* The same for notes. */
int trace_text_note(struct buf *out, const struct trace_options *options, uint64_t connection,
                    herald_time elapsed, struct span text);
int trace_json_note(struct buf *out, uint64_t connection, herald_time elapsed, struct span text);

/* How many bytes of well-formed UTF-8 (RFC 3629) `text` starts with as one character, or 0;
 * `*character` is set. `text` is not empty. */
size_t trace_decode_utf8(struct span text, uint32_t *character);

/* The first bytes of `text` that fit into `most` without cutting a character of UTF-8 in two. */
struct span trace_cut(struct span text, size_t most);

#endif
