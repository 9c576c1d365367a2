#include "base/log.h"
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAXIMUM    8192
#define LINES_A_SECOND  10
#define ESCAPED_LENGTH  4 /* \xHH */
#define HEADING_MAXIMUM 128

static atomic_int kept_level = LOG_INFO;
static atomic_int log_descriptor = STDERR_FILENO;
static atomic_uint lost_lines;

void log_set_level(enum log_level level)
{
    atomic_store(&kept_level, (int)level);
}

void log_set_file(int descriptor)
{
    atomic_store(&log_descriptor, descriptor);
}

enum log_level log_get_level(void)
{
    return (enum log_level)atomic_load(&kept_level);
}

static size_t escape_byte(char *to, uint8_t byte)
{
    static const char digits[] = "0123456789abcdef";

    if (byte >= 0x20 && byte <= 0x7e) {
        to[0] = (char)byte;
        return 1;
    }
    to[0] = '\\';
    to[1] = 'x';
    to[2] = digits[byte >> 4];
    to[3] = digits[byte & 15];
    return ESCAPED_LENGTH;
}

/* Returns the bytes written to `to`: whole escapes only, at most `room`. */
static size_t escape_into(char *to, size_t room, const char *text, size_t length)
{
    size_t used = 0;

    for (size_t i = 0; i < length; i++) {
        char piece[ESCAPED_LENGTH];
        size_t size = escape_byte(piece, (uint8_t)text[i]);
        if (size > room - used)
            break;
        memcpy(to + used, piece, size);
        used += size;
    }
    return used;
}

/* How much one write takes without blocking. A pipe reported writable is only certain to take
 * PIPE_BUF bytes; the descriptor is shared with other processes, so it must not be made
 * non-blocking. */
static size_t writable_length(int descriptor)
{
    struct pollfd poller = {.fd = descriptor, .events = POLLOUT};
    struct stat status;

    if (poll(&poller, 1, 0) != 1 || (poller.revents & POLLOUT) == 0)
        return 0;
    if (fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode))
        return LINE_MAXIMUM;
    return PIPE_BUF;
}

static const char *level_name(enum log_level level)
{
    static const char *const names[] = {"error", "warning", "info", "debug"};

    return names[level];
}

static void write_line(enum log_level level, unsigned dropped, const char *text, size_t length)
{
    char line[LINE_MAXIMUM];
    int descriptor = atomic_load(&log_descriptor);
    size_t room = writable_length(descriptor);
    unsigned lost = atomic_exchange(&lost_lines, 0);
    size_t used = 0;

    if (room == 0) {
        atomic_fetch_add(&lost_lines, lost + 1);
        return;
    }
    if (lost != 0)
        used += (size_t)snprintf(line, HEADING_MAXIMUM,
                                 "herald: warning: %u log lines could not be written\n", lost);
    used += (size_t)snprintf(line + used, HEADING_MAXIMUM, "herald: %s: ", level_name(level));
    if (dropped != 0)
        used += (size_t)snprintf(line + used, HEADING_MAXIMUM, "(%u similar left out) ", dropped);
    used += escape_into(line + used, room - used - 1, text, length);
    line[used++] = '\n';

    ssize_t written = write(descriptor, line, used);
    if (written < 0)
        atomic_fetch_add(&lost_lines, lost + 1);
}

static void write_formatted(enum log_level level, unsigned dropped, const char *format,
                            va_list arguments)
{
    char text[LINE_MAXIMUM];
    int length = vsnprintf(text, sizeof(text), format, arguments);

    if (length < 0)
        return;
    write_line(level, dropped, text,
               (size_t)length < sizeof(text) ? (size_t)length : sizeof(text) - 1);
}

void log_write(enum log_level level, const char *format, ...)
{
    va_list arguments;

    if (level > log_get_level())
        return;
    va_start(arguments, format);
    write_formatted(level, 0, format, arguments);
    va_end(arguments);
}

/* Two threads at one call site may pass a line too many; neither can corrupt anything. */
static bool limit_passes(struct log_limit *limit, unsigned *dropped)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    if (__atomic_exchange_n(&limit->second, (int64_t)now.tv_sec, __ATOMIC_RELAXED) !=
        (int64_t)now.tv_sec)
        __atomic_store_n(&limit->lines, 0, __ATOMIC_RELAXED);
    if (__atomic_add_fetch(&limit->lines, 1, __ATOMIC_RELAXED) > LINES_A_SECOND) {
        __atomic_fetch_add(&limit->dropped, 1, __ATOMIC_RELAXED);
        return false;
    }
    *dropped = __atomic_exchange_n(&limit->dropped, 0, __ATOMIC_RELAXED);
    return true;
}

void log_limited(struct log_limit *limit, enum log_level level, const char *format, ...)
{
    va_list arguments;
    unsigned dropped;

    if (level > log_get_level() || !limit_passes(limit, &dropped))
        return;
    va_start(arguments, format);
    write_formatted(level, dropped, format, arguments);
    va_end(arguments);
}

int log_escape(struct buf *out, struct span text)
{
    size_t length = 0;
    int error;

    if (text.length > SIZE_MAX / ESCAPED_LENGTH)
        return HERALD_ERROR_LIMIT;
    for (size_t i = 0; i < text.length; i++)
        length += text.data[i] >= 0x20 && text.data[i] <= 0x7e ? 1 : ESCAPED_LENGTH;
    if (length == 0)
        return 0;
    uint8_t *to = buf_reserve(out, length, &error);
    if (to == NULL)
        return error;
    escape_into((char *)to, length, (const char *)text.data, text.length);
    buf_commit(out, length);
    return 0;
}
