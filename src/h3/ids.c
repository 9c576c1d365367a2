#include "h3/ids.h"

#include "base/err.h"
#include <stdlib.h>

#define FIRST_CAPACITY 64

static uint64_t rotate(uint64_t value, unsigned bits)
{
    return value << bits | value >> (64 - bits);
}

static void mix(uint64_t v[4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] = rotate(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] = rotate(v[2], 32);
}

/* SipHash-1-3: without the key nobody can choose IDs that meet in one bucket. */
static uint64_t hash(const struct h3_ids *ids, struct span id)
{
    uint64_t v[4] = {
        ids->key[0] ^ UINT64_C(0x736f6d6570736575), ids->key[1] ^ UINT64_C(0x646f72616e646f6d),
        ids->key[0] ^ UINT64_C(0x6c7967656e657261), ids->key[1] ^ UINT64_C(0x7465646279746573)};
    for (size_t i = 0; i <= id.length / 8; i++) {
        struct span part = span_slice(id, i * 8, 8);
        uint64_t word = part.length < 8 ? (uint64_t)id.length << 56 : 0;
        for (size_t k = 0; k < part.length; k++)
            word |= (uint64_t)part.data[k] << (8 * k);
        v[3] ^= word;
        mix(v);
        v[0] ^= word;
    }
    v[2] ^= 0xff;
    mix(v);
    mix(v);
    mix(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static struct h3_id **place(const struct h3_ids *ids, struct span id)
{
    struct h3_id **link = &ids->buckets[hash(ids, id) & (ids->capacity - 1)];
    while (*link != NULL && !span_equals(span_make((*link)->bytes, (*link)->length), id))
        link = &(*link)->next;
    return link;
}

void h3_ids_init(struct h3_ids *ids, const uint64_t key[2])
{
    *ids = (struct h3_ids){.key = {key[0], key[1]}};
}

void h3_ids_free(struct h3_ids *ids)
{
    free(ids->buckets);
    ids->buckets = NULL;
    ids->capacity = 0;
}

static int grow(struct h3_ids *ids)
{
    struct h3_ids larger = *ids;
    larger.capacity = ids->capacity == 0 ? FIRST_CAPACITY : ids->capacity * 2;
    larger.buckets = calloc(larger.capacity, sizeof(struct h3_id *));
    if (larger.buckets == NULL)
        return HERALD_ERROR_NOMEM;
    for (size_t i = 0; i < ids->capacity; i++)
        for (struct h3_id *id = ids->buckets[i], *next; id != NULL; id = next) {
            next = id->next;
            id->next = NULL;
            *place(&larger, span_make(id->bytes, id->length)) = id;
        }
    free(ids->buckets);
    *ids = larger;
    return 0;
}

void *h3_ids_find(const struct h3_ids *ids, struct span id)
{
    if (ids->capacity == 0)
        return NULL;
    struct h3_id *found = *place(ids, id);
    return found == NULL ? NULL : found->owner;
}

int h3_ids_add(struct h3_ids *ids, struct span id, void *owner, struct list *of_owner)
{
    if (id.length > H3_ID_MAXIMUM)
        return HERALD_ERROR_INVALID;
    if (ids->count >= ids->capacity && grow(ids) != 0)
        return HERALD_ERROR_NOMEM;
    struct h3_id **link = place(ids, id);
    if (*link != NULL)
        return HERALD_ERROR_STATE;
    struct h3_id *added = calloc(1, sizeof(*added));
    if (added == NULL)
        return HERALD_ERROR_NOMEM;
    added->owner = owner;
    added->length = (uint8_t)id.length;
    if (id.length > 0)
        memcpy(added->bytes, id.data, id.length);
    list_append(of_owner, &added->of_owner);
    *link = added;
    ids->count++;
    return 0;
}

void h3_ids_remove(struct h3_ids *ids, struct span id)
{
    if (ids->capacity == 0)
        return;
    struct h3_id **link = place(ids, id);
    struct h3_id *found = *link;
    if (found == NULL)
        return;
    *link = found->next;
    list_remove(&found->of_owner);
    ids->count--;
    free(found);
}

void h3_ids_remove_all(struct h3_ids *ids, struct list *of_owner)
{
    struct list *node;
    while ((node = list_first(of_owner)) != NULL) {
        struct h3_id *id = CONTAINER_OF(node, struct h3_id, of_owner);
        h3_ids_remove(ids, span_make(id->bytes, id->length));
    }
}
