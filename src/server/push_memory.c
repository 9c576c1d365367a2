#include "server/push_memory.h"

#include "base/err.h"
#include "base/list.h"
#include "base/map.h"

#include <stdlib.h>

struct memory_entry {
    struct list node; /* oldest first */
    uint64_t key;
    struct span authority, path, links; /* in `text` */
    uint8_t text[];
};

struct push_memory {
    struct map entries;
    struct list order;
};

/* FNV-1a. A collision is found by comparing; all it costs is the older entry. */
static uint64_t hash(struct span authority, struct span path)
{
    uint64_t value = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < authority.length; i++)
        value = (value ^ authority.data[i]) * UINT64_C(1099511628211);
    value = (value ^ ' ') * UINT64_C(1099511628211);
    for (size_t i = 0; i < path.length; i++)
        value = (value ^ path.data[i]) * UINT64_C(1099511628211);
    return value;
}

struct push_memory *push_memory_create(void)
{
    struct push_memory *memory = calloc(1, sizeof(*memory));
    if (memory == NULL)
        return NULL;
    map_init(&memory->entries);
    list_init(&memory->order);
    return memory;
}

static void forget(struct push_memory *memory, struct memory_entry *entry)
{
    map_remove(&memory->entries, entry->key);
    list_remove(&entry->node);
    free(entry);
}

void push_memory_destroy(struct push_memory *memory)
{
    if (memory == NULL)
        return;
    LIST_FOR_EACH_SAFE(node, following, &memory->order)
    forget(memory, CONTAINER_OF(node, struct memory_entry, node));
    map_free(&memory->entries);
    free(memory);
}

struct span push_memory_find(const struct push_memory *memory, struct span authority,
                             struct span path)
{
    if (memory->entries.count == 0)
        return SPAN_EMPTY;
    const struct memory_entry *entry = map_get(&memory->entries, hash(authority, path));
    if (entry == NULL || !span_equals(entry->authority, authority) ||
        !span_equals(entry->path, path))
        return SPAN_EMPTY;
    return entry->links;
}

static struct span keep(struct memory_entry *entry, size_t at, struct span source)
{
    if (source.length > 0)
        memcpy(entry->text + at, source.data, source.length);
    return span_make(entry->text + at, source.length);
}

int push_memory_learn(struct push_memory *memory, struct span authority, struct span path,
                      struct span links)
{
    uint64_t key = hash(authority, path);
    struct memory_entry *old = map_get(&memory->entries, key);
    if (old != NULL && span_equals(old->links, links) && span_equals(old->path, path) &&
        span_equals(old->authority, authority))
        return 0;
    if (old != NULL)
        forget(memory, old);
    if (links.length == 0 || links.length > PUSH_MEMORY_LINK_BYTES)
        return 0;
    if (memory->entries.count >= PUSH_MEMORY_PATHS)
        forget(memory, CONTAINER_OF(list_first(&memory->order), struct memory_entry, node));
    struct memory_entry *entry =
        malloc(sizeof(*entry) + authority.length + path.length + links.length);
    if (entry == NULL)
        return HERALD_ERROR_NOMEM;
    entry->key = key;
    entry->authority = keep(entry, 0, authority);
    entry->path = keep(entry, authority.length, path);
    entry->links = keep(entry, authority.length + path.length, links);
    if (map_put(&memory->entries, key, entry) < 0) {
        free(entry);
        return HERALD_ERROR_NOMEM;
    }
    list_append(&memory->order, &entry->node);
    return 0;
}
