#include "server/file_cache.h"

#include "base/list.h"
#include "base/map.h"

#include <stdlib.h>

struct entry {
    struct list node; /* the least recently used first */
    uint64_t key;
    herald_time opened, checked;
    struct file *file;
    char name[];
};

struct file_cache {
    const struct file_root *root;
    struct map entries;
    struct list order;
    size_t content; /* bytes */
};

/* FNV-1a. Two names with one key take turns in the cache. */
static uint64_t key_of(const char *name)
{
    uint64_t value = UINT64_C(14695981039346656037);
    for (; *name != '\0'; name++)
        value = (value ^ (uint8_t)*name) * UINT64_C(1099511628211);
    return value;
}

struct file_cache *file_cache_create(const struct file_root *root)
{
    struct file_cache *cache = calloc(1, sizeof(*cache));
    if (cache == NULL)
        return NULL;
    cache->root = root;
    map_init(&cache->entries);
    list_init(&cache->order);
    return cache;
}

static void drop(struct file_cache *cache, struct entry *entry)
{
    map_remove(&cache->entries, entry->key);
    list_remove(&entry->node);
    if (entry->file->content != NULL)
        cache->content -= (size_t)entry->file->size;
    file_release(entry->file);
    free(entry);
}

void file_cache_destroy(struct file_cache *cache)
{
    if (cache == NULL)
        return;
    LIST_FOR_EACH_SAFE(node, following, &cache->order)
    {
        drop(cache, CONTAINER_OF(node, struct entry, node));
    }
    map_free(&cache->entries);
    free(cache);
}

static bool is_current(struct entry *entry, herald_time now)
{
    if (entry->checked == now)
        return true;
    if (now - entry->opened >= FILE_CACHE_AGE || !file_is_unchanged(entry->file))
        return false;
    entry->checked = now;
    return true;
}

static void make_room(struct file_cache *cache, size_t content)
{
    while (!list_is_empty(&cache->order) && (cache->entries.count >= FILE_CACHE_ENTRIES ||
                                             cache->content + content > FILE_CACHE_CONTENT))
        drop(cache, CONTAINER_OF(list_first(&cache->order), struct entry, node));
}

/* Best effort: what cannot be kept is served all the same. */
static void keep(struct file_cache *cache, const char *name, uint64_t key, herald_time now,
                 struct file *file)
{
    size_t length = strlen(name) + 1;
    if (!file_is_settled(file))
        return;
    file_load_content(file);
    size_t content = file->content == NULL ? 0 : (size_t)file->size;
    make_room(cache, content);
    struct entry *entry = malloc(sizeof(*entry) + length);
    if (entry == NULL)
        return;
    *entry = (struct entry){.key = key, .opened = now, .checked = now, .file = file};
    memcpy(entry->name, name, length);
    if (map_put(&cache->entries, key, entry) < 0) {
        free(entry);
        return;
    }
    file_retain(file);
    cache->content += content;
    list_append(&cache->order, &entry->node);
}

enum file_result file_cache_open(struct file_cache *cache, const char *name, herald_time now,
                                 struct file **file)
{
    uint64_t key = key_of(name);
    struct entry *entry = map_get(&cache->entries, key);
    if (entry != NULL && strcmp(entry->name, name) == 0 && is_current(entry, now)) {
        list_remove(&entry->node);
        list_append(&cache->order, &entry->node);
        *file = file_retain(entry->file);
        return FILE_FOUND;
    }
    if (entry != NULL)
        drop(cache, entry);
    enum file_result result = file_open(cache->root, name, file);
    if (result == FILE_FOUND)
        keep(cache, name, key, now, *file);
    return result;
}
