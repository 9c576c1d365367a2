#include "server/file_source.h"

#include "base/log.h"

#include <errno.h>
#include <unistd.h>

struct file_source {
    struct body_source base;
    struct file *file;
    uint64_t offset, left;
};

static struct log_limit failures;

static int64_t file_read(struct body_source *source, uint8_t *destination, size_t capacity,
                         bool *end)
{
    struct file_source *self = CONTAINER_OF(source, struct file_source, base);
    size_t wanted = self->left < capacity ? (size_t)self->left : capacity;
    ssize_t length = 0;
    do {
        length = pread(self->file->descriptor, destination, wanted, (off_t)self->offset);
    } while (length < 0 && errno == EINTR);
    if (length < 0) {
        log_limited(&failures, LOG_ERROR, "a file cannot be read: %s", strerror(errno));
        return HERALD_ERROR_IO;
    }
    if (length == 0 && wanted > 0) {
        log_limited(&failures, LOG_ERROR,
                    "a file became shorter while it was sent: the response is aborted");
        return HERALD_ERROR_IO;
    }
    self->offset += (uint64_t)length;
    self->left -= (uint64_t)length;
    *end = self->left == 0;
    return length;
}

static void file_source_release(struct body_source *source)
{
    file_release(CONTAINER_OF(source, struct file_source, base)->file);
}

static const struct body_source_ops file_source_ops = {file_read, file_source_release};

struct body_source *file_source_create(struct arena *arena, struct file *file, uint64_t offset,
                                       uint64_t length)
{
    struct file_source *source = arena_alloc(arena, sizeof(*source));
    if (source == NULL)
        return NULL;
    *source = (struct file_source){{&file_source_ops}, file_retain(file), offset, length};
    return &source->base;
}
