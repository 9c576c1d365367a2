#include "client/push_store.h"
#include <stdlib.h>

struct push_entry {
    struct list node;
    void *owner;
    struct span scheme, authority, path;
    uint8_t text[]; /* what the spans point into */
};

void push_store_init(struct push_store *store)
{
    list_init(&store->entries);
    store->count = 0;
}

static void remove_entry(struct push_store *store, struct push_entry *entry)
{
    list_remove(&entry->node);
    store->count--;
    free(entry);
}

void push_store_free(struct push_store *store)
{
    LIST_FOR_EACH_SAFE(node, following, &store->entries)
    remove_entry(store, CONTAINER_OF(node, struct push_entry, node));
}

static struct push_entry *find(const struct push_store *store, const struct message *request)
{
    for (struct list *node = store->entries.next; node != &store->entries; node = node->next) {
        struct push_entry *entry = CONTAINER_OF(node, struct push_entry, node);
        if (span_equals(entry->path, request->path) &&
            span_equals_ignoring_case(entry->authority, request->authority) &&
            span_equals_ignoring_case(entry->scheme, request->scheme))
            return entry;
    }
    return NULL;
}

static struct span append(uint8_t **position, struct span text)
{
    struct span copy = span_make(*position, text.length);

    if (text.length > 0)
        memcpy(*position, text.data, text.length);
    *position += text.length;
    return copy;
}

int push_store_add(struct push_store *store, const struct message *request, void *owner)
{
    if (!span_equals(request->method, SPAN_LITERAL("GET")))
        return HERALD_ERROR_INVALID;
    if (find(store, request) != NULL)
        return HERALD_ERROR_STATE;
    if (store->count >= PUSH_STORE_MAXIMUM)
        return HERALD_ERROR_LIMIT;
    struct push_entry *entry = malloc(sizeof(*entry) + request->scheme.length +
                                      request->authority.length + request->path.length);
    if (entry == NULL)
        return HERALD_ERROR_NOMEM;
    uint8_t *position = entry->text;
    entry->owner = owner;
    entry->scheme = append(&position, request->scheme);
    entry->authority = append(&position, request->authority);
    entry->path = append(&position, request->path);
    list_append(&store->entries, &entry->node);
    store->count++;
    return 0;
}

void *push_store_take(struct push_store *store, const struct message *request)
{
    struct push_entry *entry =
        span_equals(request->method, SPAN_LITERAL("GET")) ? find(store, request) : NULL;
    void *owner = NULL;

    if (entry != NULL) {
        owner = entry->owner;
        remove_entry(store, entry);
    }
    return owner;
}

void push_store_forget(struct push_store *store, const void *owner)
{
    LIST_FOR_EACH_SAFE(node, following, &store->entries)
    {
        struct push_entry *entry = CONTAINER_OF(node, struct push_entry, node);
        if (entry->owner == owner)
            remove_entry(store, entry);
    }
}
