/* An open regular file: its descriptor and what a response says about it. Counted, so that a cache
 * and any number of responses can share one. */
#ifndef SERVER_FILE_H
#define SERVER_FILE_H

#include "base/span.h"
#include "http/body.h"
#include "http/date.h"
#include <sys/stat.h>

/* Files up to this size may be held in memory. */
#define FILE_CONTENT_MAXIMUM 16384

struct file {
    int descriptor;
    unsigned references;
    uint64_t size;
    struct timespec modified, changed; /* contents; contents, name or permissions */
    char etag[64];                     /* strong, with its quotes */
    char last_modified[DATE_LENGTH];
    struct span content_type;
    uint8_t *content; /* all of it, or NULL: to be read from the descriptor */
};

/* A folder whose files are opened: the root never changes, whatever happens to its name. */
struct file_root {
    int descriptor;
    bool beneath; /* the kernel keeps us inside (openat2); else no symbolic link is followed */
};

/* Returns 0, HERALD_ERROR_NOT_FOUND, HERALD_ERROR_INVALID (not a folder), HERALD_ERROR_IO (errno).
 */
int file_root_open(struct file_root *root, const char *path);
void file_root_close(struct file_root *root);

enum file_result {
    FILE_FOUND = 0,
    FILE_IS_FOLDER,
    FILE_ABSENT,
    FILE_FORBIDDEN, /* not readable, or not a regular file */
    FILE_BUSY,      /* no descriptor or memory left */
    FILE_BROKEN     /* the disk failed */
};

/* `name`: relative, without "." and ".." ("" is the root itself). Never waits for a FIFO or a
 * device. `*file` is set for FILE_FOUND only and is released by file_release. */
enum file_result file_open(const struct file_root *root, const char *name, struct file **file);

/* The same for any path of the machine, as the program itself names it. */
enum file_result file_open_path(const char *path, struct file **file);

/* Reads a small file into `content`, if it does not change meanwhile and memory allows. */
void file_load_content(struct file *file);

/* False while a change could still come that the file's times would not show: they move with the
 * kernel's tick. */
bool file_is_settled(const struct file *file);

/* Whether the open file still is what it was: not written to, replaced or removed. */
bool file_is_unchanged(const struct file *file);

struct file *file_retain(struct file *file);
void file_release(struct file *file); /* NULL is allowed */

#endif
