/* A hash map from 64-bit keys to pointers (stream ids, connection numbers): open addressing with
 * linear probing and backward-shift deletion, so there are no tombstones to build up. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stddef.h>
#include <stdint.h>

struct map_entry {
    uint64_t key;
    void *value; /* NULL: free */
};

struct map {
    struct map_entry *entries;
    size_t count;
    size_t capacity; /* a power of two, or 0 */
};

void map_init(struct map *map);
void map_free(struct map *map);

/* NULL when absent. */
void *map_get(const struct map *map, uint64_t key);

/* `value` is not NULL; replaces an earlier value. Returns 0 or HERALD_ERROR_NOMEM (map unchanged).
 */
int map_put(struct map *map, uint64_t key, void *value);

/* Returns the removed value or NULL. */
void *map_remove(struct map *map, uint64_t key);

/* Calls `visit` for each entry in no particular order; `visit` must not change the map. */
void map_each(const struct map *map, void (*visit)(void *user, uint64_t key, void *value),
              void *user);

#endif
