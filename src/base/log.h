/* The error log: one line an event, to standard error, each cause limited in rate. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/buf.h"

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

/* Where lines go (default: standard error) and the least important level kept (default LOG_INFO).
 */
void log_set_level(enum log_level level);
void log_set_file(int descriptor);
enum log_level log_get_level(void);

/* Writes "herald: LEVEL: text" and a newline in one write call; control bytes, DEL and bytes over
 * 0x7e are written as \xHH, the line is cut at 8 KiB. Never blocks: a line that cannot be written
 * is counted and dropped. */
void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A limiter for one cause: at most 10 lines a second; the next line that passes says how many were
 * left out. Keep one static a call site. */
struct log_limit {
    int64_t second;
    unsigned lines, dropped;
};
void log_limited(struct log_limit *limit, enum log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Appends `text` to `out` with the same escapes. Returns as buf_append. */
int log_escape(struct buf *out, struct span text);

#endif
