/* The Link values that responses of a path carried, for the next visitor of that path. */
#ifndef SERVER_PUSH_MEMORY_H
#define SERVER_PUSH_MEMORY_H

#include "base/span.h"

#define PUSH_MEMORY_PATHS      512  /* the least recently learnt makes room */
#define PUSH_MEMORY_LINK_BYTES 2048 /* of one path */

struct push_memory;

/* NULL when memory is out. */
struct push_memory *push_memory_create(void);
void push_memory_destroy(struct push_memory *memory); /* NULL is allowed */

/* The Link value, empty when there is none. Valid until the next learn. `path` without query. */
struct span push_memory_find(const struct push_memory *memory, struct span authority,
                             struct span path);

/* Replaces what is known; an empty or too long `links` forgets the path. Returns 0 or
 * HERALD_ERROR_NOMEM. */
int push_memory_learn(struct push_memory *memory, struct span authority, struct span path,
                      struct span links);

#endif
