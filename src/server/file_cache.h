/* Open files by name, and the content of small ones, so that a file asked for again and again costs
 * no system call.
 *
 * What is handed out is one version: descriptor, size, tag and content belong together. An entry is
 * compared with the disk once a loop turn (size and times of the open file: a file replaced,
 * removed or written to is noticed at once; one that has just changed is not kept), and opened
 * again after FILE_CACHE_AGE, which notices a folder or link on the way that has changed. */
#ifndef SERVER_FILE_CACHE_H
#define SERVER_FILE_CACHE_H

#include "base/time.h"
#include "server/file.h"

#define FILE_CACHE_ENTRIES 256 /* descriptors held */
#define FILE_CACHE_AGE     HERALD_SECOND
#define FILE_CACHE_CONTENT (8 * 1024 * 1024) /* bytes of content held */

struct file_cache;

/* `root` outlives the cache. NULL when memory is out. */
struct file_cache *file_cache_create(const struct file_root *root);
void file_cache_destroy(struct file_cache *cache); /* NULL is allowed */

/* As file_open. `now` is the loop's, the same all through a turn. */
enum file_result file_cache_open(struct file_cache *cache, const char *name, herald_time now,
                                 struct file **file);

#endif
