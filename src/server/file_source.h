/* A range of a file as a response body, read straight into the engine's buffer. */
#ifndef SERVER_FILE_SOURCE_H
#define SERVER_FILE_SOURCE_H

#include "base/arena.h"
#include "server/file.h"

/* Bytes [offset, offset + length) of `file`, which is retained. Lives in `arena`, the exchange's. A
 * file that has become shorter makes read fail, so that the message is aborted and never padded.
 * NULL when memory is out. */
struct body_source *file_source_create(struct arena *arena, struct file *file, uint64_t offset,
                                       uint64_t length);

#endif
