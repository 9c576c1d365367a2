#include "base/map.h"
#include "base/err.h"
#include <stdlib.h>

#define MAP_FIRST_CAPACITY 8

void map_init(struct map *map)
{
    *map = (struct map){0};
}

void map_free(struct map *map)
{
    free(map->entries);
    map_init(map);
}

/* Keys arrive in steps of 2 or 4 (stream ids), so the low bits alone would fill one slot in two or
 * four; the finaliser of a 64-bit multiplicative hash spreads every input bit over the index. */
static size_t home_of(const struct map *map, uint64_t key)
{
    key ^= key >> 33;
    key *= UINT64_C(0xff51afd7ed558ccd);
    key ^= key >> 33;
    return (size_t)key & (map->capacity - 1);
}

/* The slot of `key`, or the free slot where it would go. A free slot always exists: see map_put. */
static size_t slot_of(const struct map *map, uint64_t key)
{
    size_t slot = home_of(map, key);

    while (map->entries[slot].value != NULL && map->entries[slot].key != key)
        slot = (slot + 1) & (map->capacity - 1);
    return slot;
}

void *map_get(const struct map *map, uint64_t key)
{
    if (map->count == 0)
        return NULL;
    return map->entries[slot_of(map, key)].value;
}

static int grow(struct map *map)
{
    struct map larger = {.capacity = map->capacity == 0 ? MAP_FIRST_CAPACITY : map->capacity * 2,
                         .count = map->count};

    larger.entries = calloc(larger.capacity, sizeof(*larger.entries));
    if (larger.entries == NULL)
        return HERALD_ERROR_NOMEM;
    for (size_t i = 0; i < map->capacity; i++) {
        if (map->entries[i].value != NULL)
            larger.entries[slot_of(&larger, map->entries[i].key)] = map->entries[i];
    }
    free(map->entries);
    *map = larger;
    return 0;
}

int map_put(struct map *map, uint64_t key, void *value)
{
    if (map->count != 0) {
        struct map_entry *present = &map->entries[slot_of(map, key)];
        if (present->value != NULL) {
            present->value = value;
            return 0;
        }
    }
    /* At most three quarters full: probe runs stay short and a free slot ends every search. */
    if (map->count + 1 > map->capacity / 4 * 3) {
        int error = grow(map);
        if (error != 0)
            return error;
    }
    map->entries[slot_of(map, key)] = (struct map_entry){key, value};
    map->count++;
    return 0;
}

void *map_remove(struct map *map, uint64_t key)
{
    if (map->count == 0)
        return NULL;

    size_t mask = map->capacity - 1;
    size_t hole = slot_of(map, key);
    void *removed = map->entries[hole].value;
    if (removed == NULL)
        return NULL;

    /* Every later entry of the run whose home is not between the hole and itself moves into the
     * hole; otherwise a search that starts at its home would stop at the hole. */
    for (size_t slot = (hole + 1) & mask; map->entries[slot].value != NULL;
         slot = (slot + 1) & mask) {
        size_t home = home_of(map, map->entries[slot].key);
        if (((slot - home) & mask) >= ((slot - hole) & mask)) {
            map->entries[hole] = map->entries[slot];
            hole = slot;
        }
    }
    map->entries[hole].value = NULL;
    map->count--;
    return removed;
}

void map_each(const struct map *map, void (*visit)(void *user, uint64_t key, void *value),
              void *user)
{
    for (size_t i = 0; i < map->capacity; i++) {
        if (map->entries[i].value != NULL)
            visit(user, map->entries[i].key, map->entries[i].value);
    }
}
