/* The access log: one line a response, in Hypercorn's format language, never waiting for a disk or
 * a reader.
 *
 * Atoms, written %(name)s: h client, l and u "-", t time, r request line, R request line with
 * query, s status, st status with its phrase, S scheme, m method, U path, Uq path with query, q
 * query, H version, b or B response body bytes ("-" for none), f Referer, a User-Agent, T seconds,
 * D microseconds, L seconds with decimals, p process, {name}i request field, {name}o response
 * field, {NAME}e environment. Values are escaped: bytes below 0x20, `"`, `\` and from 0x7f on as
 * \xHH; a longer line than 8 KiB is cut. */
#ifndef SERVER_ACCESS_LOG_H
#define SERVER_ACCESS_LOG_H

#include "base/buf.h"
#include "http/conn.h"

#define ACCESS_LOG_LINE_MAXIMUM   8192
#define ACCESS_LOG_BUFFER_MAXIMUM (256 * 1024) /* lines beyond it are dropped and counted */

/* Hypercorn's default. */
extern const char access_log_default_format[];

struct access_log;

/* Opens `path` ("-": standard output) for appending. Returns 0; HERALD_ERROR_INVALID (the format;
 * `*bad` is the place in it); HERALD_ERROR_LIMIT (too long a format); HERALD_ERROR_IO (errno);
 * HERALD_ERROR_NOMEM. */
int access_log_open(const char *path, const char *format, struct access_log **log,
                    const char **bad);

/* Writes what can be written without waiting, and closes. NULL is allowed. */
void access_log_close(struct access_log *log);

/* Opens the file again under its name (after rotation). Keeps the old one on failure: then
 * HERALD_ERROR_IO. */
int access_log_reopen(struct access_log *log);

/* Appends a line to the buffer. `wall_clock` in seconds since 1970, for %(t)s. */
void access_log_add(struct access_log *log, const struct exchange *exchange, int64_t wall_clock);

/* Once a loop turn in which lines were added, and later while it returns true: some lines wait for
 * a slow reader. Never blocks. */
bool access_log_flush(struct access_log *log);

/* Lines lost because the file could not take them. */
uint64_t access_log_dropped(const struct access_log *log);

#endif
