#include "server/access_log.h"

#include "server/access_format.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

const char access_log_default_format[] =
    "%(h)s %(l)s %(l)s %(t)s \"%(r)s\" %(s)s %(b)s \"%(f)s\" \"%(a)s\"";

/* What a pipe that is reported writable takes without blocking (pipe(7)). */
#define PIPE_SURE 4096

struct access_log {
    struct access_format format;
    char *path;
    int descriptor;
    bool may_block; /* not ours to make non-blocking: written in pieces that are sure to fit */
    bool inside;    /* the last write ended within a line */
    bool torn;      /* and the rest of that line was dropped: end it first */
    struct buf buffer;
    struct buf line;
    uint64_t dropped;
    int64_t time_second;
    char time_text[40];
    size_t time_length;
};

/* A description of our own may be non-blocking without changing the one that other processes
 * share. In a regular file it would have a place of its own too, and overwrite what they wrote. */
static int open_standard_output(bool *may_block)
{
    struct stat status;
    bool regular = fstat(STDOUT_FILENO, &status) == 0 && S_ISREG(status.st_mode);
    *may_block = false;
    if (!regular) {
        int descriptor = open("/proc/self/fd/1", O_WRONLY | O_APPEND | O_NONBLOCK | O_CLOEXEC);
        if (descriptor >= 0)
            return descriptor;
    }
    *may_block = !regular;
    return fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
}

static int open_log(const char *path, bool *may_block)
{
    if (strcmp(path, "-") == 0)
        return open_standard_output(may_block);
    *may_block = false;
    /* O_NONBLOCK: a FIFO without a reader is an error now, not a wait. */
    return open(path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_CLOEXEC, 0644);
}

int access_log_open(const char *path, const char *format, struct access_log **log, const char **bad)
{
    struct access_log *created = calloc(1, sizeof(*created));
    if (created == NULL)
        return HERALD_ERROR_NOMEM;
    buf_init(&created->buffer, ACCESS_LOG_BUFFER_MAXIMUM, NULL);
    buf_init(&created->line, ACCESS_LOG_LINE_MAXIMUM, NULL);
    created->descriptor = -1;
    created->time_second = INT64_MIN;
    int result = access_format_compile(&created->format, format, bad);
    if (result < 0)
        goto out;
    result = HERALD_ERROR_NOMEM;
    created->path = strdup(path);
    if (created->path == NULL)
        goto out;
    created->descriptor = open_log(path, &created->may_block);
    result = created->descriptor < 0 ? HERALD_ERROR_IO : 0;
out:
    if (result < 0) {
        int saved = errno;
        access_log_close(created);
        errno = saved;
    } else {
        *log = created;
    }
    return result;
}

void access_log_close(struct access_log *log)
{
    if (log == NULL)
        return;
    if (log->descriptor >= 0) {
        access_log_flush(log);
        close(log->descriptor);
    }
    access_format_free(&log->format);
    buf_free(&log->buffer);
    buf_free(&log->line);
    free(log->path);
    free(log);
}

int access_log_reopen(struct access_log *log)
{
    bool may_block;
    int descriptor = open_log(log->path, &may_block);
    if (descriptor < 0)
        return HERALD_ERROR_IO;
    access_log_flush(log);
    close(log->descriptor);
    log->descriptor = descriptor;
    log->may_block = may_block;
    log->inside = log->torn = false;
    return 0;
}

static struct span time_text(struct access_log *log, int64_t wall_clock)
{
    if (wall_clock != log->time_second) {
        time_t seconds = (time_t)wall_clock;
        struct tm local;
        log->time_second = wall_clock;
        log->time_length = 0;
        if (localtime_r(&seconds, &local) != NULL)
            log->time_length =
                strftime(log->time_text, sizeof(log->time_text), "[%d/%b/%Y:%H:%M:%S %z]", &local);
    }
    return span_make(log->time_text, log->time_length);
}

void access_log_add(struct access_log *log, const struct exchange *exchange, int64_t wall_clock)
{
    buf_clear(&log->line);
    int result =
        access_format_write(&log->format, exchange, time_text(log, wall_clock), &log->line);
    if (result == HERALD_ERROR_NOMEM) {
        log->dropped++;
        return;
    }
    /* Over the maximum: what fitted is the line. */
    struct span line = buf_span(&log->line);
    if (line.length == ACCESS_LOG_LINE_MAXIMUM)
        line.length--;
    if (buf_length(&log->buffer) + line.length + 2 > ACCESS_LOG_BUFFER_MAXIMUM) {
        log->dropped++;
        return;
    }
    if (buf_append_span(&log->buffer, line) < 0 || buf_append_byte(&log->buffer, '\n') < 0)
        log->dropped++;
}

static ssize_t write_piece(struct access_log *log, struct span bytes)
{
    if (!log->may_block)
        return write(log->descriptor, bytes.data, bytes.length);
    struct pollfd poller = {.fd = log->descriptor, .events = POLLOUT};
    if (poll(&poller, 1, 0) != 1 || (poller.revents & POLLOUT) == 0) {
        errno = EAGAIN;
        return -1;
    }
    return write(log->descriptor, bytes.data, bytes.length < PIPE_SURE ? bytes.length : PIPE_SURE);
}

/* The file takes no more (full, gone): the lines are lost, the worker is not. */
static void drop_buffer(struct access_log *log)
{
    struct span rest = buf_span(&log->buffer);
    for (size_t i = 0; i < rest.length; i++)
        log->dropped += rest.data[i] == '\n';
    buf_clear(&log->buffer);
    log->torn = log->inside;
}

bool access_log_flush(struct access_log *log)
{
    while (buf_length(&log->buffer) > 0) {
        struct span bytes = log->torn ? SPAN_LITERAL("\n") : buf_span(&log->buffer);
        ssize_t written = write_piece(log, bytes);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0 && errno == EAGAIN)
            return true;
        if (written <= 0) {
            drop_buffer(log);
            return false;
        }
        if (!log->torn) {
            log->inside = bytes.data[written - 1] != '\n';
            buf_consume(&log->buffer, (size_t)written);
        }
        log->torn = false;
    }
    return false;
}

uint64_t access_log_dropped(const struct access_log *log)
{
    return log->dropped;
}
