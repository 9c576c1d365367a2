#include "cli/get_upload.h"
#include "cli/cli.h"
#include "http/exchange.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct get_upload {
    struct body_source source; /* first */
    struct loop *loop;
    struct exchange *exchange;
    uv_poll_t watch; /* of what is not a regular file */
    int descriptor;
    bool regular, watching;
};

static void on_watch_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void release(struct body_source *source)
{
    struct get_upload *upload = (struct get_upload *)source;

    if (upload->descriptor > STDERR_FILENO && !upload->watching)
        close(upload->descriptor);
    if (!upload->watching) {
        free(upload);
        return;
    }
    uv_poll_stop(&upload->watch);
    uv_close((uv_handle_t *)&upload->watch, on_watch_closed);
    if (upload->descriptor > STDERR_FILENO)
        close(upload->descriptor);
}

static void on_readable(uv_poll_t *watch, int status, int events)
{
    struct get_upload *upload = watch->data;

    (void)status;
    (void)events;
    uv_poll_stop(watch);
    exchange_source_ready(upload->exchange);
}

/* 1 when a read will not block, 0 when the exchange will be woken, or negative. */
static int wait_for_input(struct get_upload *upload)
{
    struct pollfd entry = {.fd = upload->descriptor, .events = POLLIN};

    if (upload->regular || poll(&entry, 1, 0) != 0)
        return 1;
    if (!upload->watching) {
        if (uv_poll_init(upload->loop->uv, &upload->watch, upload->descriptor) != 0)
            return HERALD_ERROR_IO;
        upload->watch.data = upload;
        upload->watching = true;
    }
    return uv_poll_start(&upload->watch, UV_READABLE | UV_DISCONNECT, on_readable) == 0
               ? 0
               : HERALD_ERROR_IO;
}

static int64_t read_upload(struct body_source *source, uint8_t *destination, size_t capacity,
                           bool *end)
{
    struct get_upload *upload = (struct get_upload *)source;
    int ready = wait_for_input(upload);
    ssize_t count;

    if (ready <= 0)
        return ready;
    do {
        count = read(upload->descriptor, destination, capacity);
    } while (count < 0 && errno == EINTR);
    if (count < 0)
        return HERALD_ERROR_IO;
    *end = count == 0;
    return count;
}

static const struct body_source_ops source_ops = {.read = read_upload, .release = release};

int get_upload_open(struct get_upload **result, struct loop *loop, const char *path,
                    uint64_t *length)
{
    struct get_upload *upload = calloc(1, sizeof(*upload));
    struct stat status;

    if (upload == NULL)
        return cli_failure("out of memory");
    upload->source.ops = &source_ops;
    upload->loop = loop;
    upload->descriptor = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (upload->descriptor < 0 || fstat(upload->descriptor, &status) != 0) {
        int code = cli_usage_error("--upload-file: %s: %s", path, strerror(errno));
        release(&upload->source);
        return code;
    }
    if (S_ISDIR(status.st_mode)) {
        release(&upload->source);
        return cli_usage_error("--upload-file: %s: is a folder", path);
    }
    upload->regular = S_ISREG(status.st_mode);
    off_t position = upload->regular ? lseek(upload->descriptor, 0, SEEK_CUR) : 0;
    *length = upload->regular && position >= 0 && status.st_size >= position
                  ? (uint64_t)(status.st_size - position)
                  : CONTENT_LENGTH_UNKNOWN;
    *result = upload;
    return 0;
}

struct body_source *get_upload_source(struct get_upload *upload)
{
    return &upload->source;
}

void get_upload_attach(struct get_upload *upload, struct exchange *exchange)
{
    upload->exchange = exchange;
}

void get_upload_close(struct get_upload *upload)
{
    if (upload != NULL)
        release(&upload->source);
}
