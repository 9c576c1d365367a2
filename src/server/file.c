#include "server/file.h"

#include "base/err.h"
#include "base/time.h"
#include "http/media_type.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* O_NONBLOCK: opening a FIFO or a device must not wait. */
#define FILE_FLAGS (O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)

/* Twice the longest tick (10 ms). */
#define SETTLING_TIME (20 * HERALD_MILLISECOND)

/* A rename beside us makes the kernel give up its proof that the way stays inside (EAGAIN). */
#define RACES_MAXIMUM 16

static int open_beneath(int root, const char *name)
{
    struct open_how how = {.flags = FILE_FLAGS, .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    for (int attempt = 0; attempt < RACES_MAXIMUM; attempt++) {
        long descriptor = syscall(SYS_openat2, root, name, &how, sizeof(how));
        if (descriptor >= 0 || (errno != EAGAIN && errno != EINTR))
            return (int)descriptor;
    }
    return -1;
}

/* For kernels and sandboxes without openat2: one segment at a time, no symbolic link followed. */
static int open_by_segments(int root, const char *name)
{
    int folder = openat(root, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    while (folder >= 0) {
        char segment[NAME_MAX + 1];
        size_t length = strcspn(name, "/");
        if (length > NAME_MAX) {
            close(folder);
            errno = ENAMETOOLONG;
            return -1;
        }
        memcpy(segment, name, length);
        segment[length] = '\0';
        bool last = name[length] == '\0';
        int flags = last ? FILE_FLAGS : O_PATH | O_DIRECTORY | O_CLOEXEC;
        int next = openat(folder, length == 0 ? "." : segment, flags | O_NOFOLLOW);
        int saved = errno;
        close(folder);
        errno = saved;
        if (last)
            return next;
        folder = next;
        name += length + 1;
    }
    return -1;
}

int file_root_open(struct file_root *root, const char *path)
{
    root->descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root->descriptor < 0) {
        if (errno == ENOENT)
            return HERALD_ERROR_NOT_FOUND;
        return errno == ENOTDIR ? HERALD_ERROR_INVALID : HERALD_ERROR_IO;
    }
    int probe = open_beneath(root->descriptor, ".");
    root->beneath = probe >= 0;
    if (probe >= 0)
        close(probe);
    return 0;
}

void file_root_close(struct file_root *root)
{
    if (root->descriptor >= 0)
        close(root->descriptor);
    root->descriptor = -1;
}

static enum file_result result_of(int error)
{
    switch (error) {
    case EACCES:
    case EPERM:
    case ENXIO: /* a FIFO or socket nobody serves */
    case ENODEV:
        return FILE_FORBIDDEN;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
        return FILE_BUSY;
    case EIO:
        return FILE_BROKEN;
    default:
        return FILE_ABSENT;
    }
}

static enum file_result describe(int descriptor, const char *name, struct file **file)
{
    struct stat status;
    if (fstat(descriptor, &status) < 0)
        return FILE_BROKEN;
    if (S_ISDIR(status.st_mode))
        return FILE_IS_FOLDER;
    if (!S_ISREG(status.st_mode))
        return FILE_FORBIDDEN;
    struct file *created = malloc(sizeof(*created));
    if (created == NULL)
        return FILE_BUSY;
    *created = (struct file){
        .descriptor = descriptor,
        .references = 1,
        .size = (uint64_t)status.st_size,
        .modified = status.st_mtim,
        .changed = status.st_ctim,
        .content_type = media_type_of_path(span_from_text(name)),
    };
    uint64_t nanoseconds =
        (uint64_t)status.st_mtim.tv_sec * HERALD_SECOND + (uint64_t)status.st_mtim.tv_nsec;
    snprintf(created->etag, sizeof(created->etag), "\"%llx-%llx-%llx\"",
             (unsigned long long)status.st_ino, (unsigned long long)status.st_size,
             (unsigned long long)nanoseconds);
    date_format(status.st_mtim.tv_sec, created->last_modified);
    *file = created;
    return FILE_FOUND;
}

static enum file_result finish_open(int descriptor, const char *name, struct file **file)
{
    if (descriptor < 0)
        return result_of(errno);
    enum file_result result = describe(descriptor, name, file);
    if (result != FILE_FOUND)
        close(descriptor);
    return result;
}

enum file_result file_open(const struct file_root *root, const char *name, struct file **file)
{
    const char *inside = name[0] == '\0' ? "." : name;
    int descriptor = root->beneath ? open_beneath(root->descriptor, inside)
                                   : open_by_segments(root->descriptor, name);
    return finish_open(descriptor, name, file);
}

enum file_result file_open_path(const char *path, struct file **file)
{
    return finish_open(open(path, FILE_FLAGS), path, file);
}

static bool same_time(struct timespec left, struct timespec right)
{
    return left.tv_sec == right.tv_sec && left.tv_nsec == right.tv_nsec;
}

bool file_is_settled(const struct file *file)
{
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now) < 0)
        return false;
    int64_t age = (int64_t)(now.tv_sec - file->changed.tv_sec) * (int64_t)HERALD_SECOND +
                  now.tv_nsec - file->changed.tv_nsec;
    return age > (int64_t)SETTLING_TIME;
}

bool file_is_unchanged(const struct file *file)
{
    struct stat status;
    return fstat(file->descriptor, &status) == 0 && (uint64_t)status.st_size == file->size &&
           same_time(status.st_mtim, file->modified) && same_time(status.st_ctim, file->changed);
}

void file_load_content(struct file *file)
{
    size_t size = (size_t)file->size;
    if (file->content != NULL || file->size == 0 || file->size > FILE_CONTENT_MAXIMUM)
        return;
    uint8_t *content = malloc(size);
    if (content == NULL)
        return;
    if (pread(file->descriptor, content, size, 0) == (ssize_t)size && file_is_unchanged(file))
        file->content = content;
    else
        free(content);
}

struct file *file_retain(struct file *file)
{
    file->references++;
    return file;
}

void file_release(struct file *file)
{
    if (file == NULL || --file->references > 0)
        return;
    close(file->descriptor);
    free(file->content);
    free(file);
}
