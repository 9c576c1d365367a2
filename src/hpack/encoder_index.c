#include "hpack/encoder_index.h"
#include "base/err.h"
#include <stdlib.h>

#define FIRST_SLOTS 16
#define WALK_BUDGET                                                                                \
    64 /* links followed by one search: a chain made long on purpose costs no more */

struct hpack_link {
    uint32_t name_hash, field_hash;
    uint32_t older_name, older_field; /* as the buckets: number + 1 */
};

static uint64_t mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 32;
}

static uint64_t load(const uint8_t *from, size_t length)
{
    uint64_t word = 0;
    uint32_t half, other;
    if (length >= 8) {
        memcpy(&word, from, sizeof(word));
    } else if (length >= 4) {
        memcpy(&half, from, sizeof(half));
        memcpy(&other, from + length - sizeof(other), sizeof(other));
        word = (uint64_t)half << 32 | other;
    } else if (length > 0) {
        word = (uint64_t)from[0] << 16 | (uint64_t)from[length / 2] << 8 | from[length - 1];
    }
    return word;
}

static uint64_t hash_bytes(uint64_t hash, struct span bytes)
{
    const uint8_t *at = bytes.data;
    size_t left = bytes.length;
    hash = mix(hash, left);
    for (; left > 8; left -= 8, at += 8)
        hash = mix(hash, load(at, 8));
    return mix(hash, load(at, left));
}

void hpack_key_hash(struct hpack_key *key)
{
    uint64_t hash = key->static_index != 0 ? mix(0, key->static_index) : hash_bytes(1, key->name);
    key->name_hash = (uint32_t)hash;
    key->field_hash = (uint32_t)hash_bytes(hash, key->value);
}

static size_t block_size(uint32_t slots)
{
    return slots * (sizeof(struct hpack_link) + 2 * sizeof(uint32_t));
}

void hpack_index_free(struct hpack_index *index, const struct hpack_table *table)
{
    account_refund(table->account, block_size(index->slots));
    free(index->links);
    *index = (struct hpack_index){.slots = 0};
}

static void chain(struct hpack_index *index, uint32_t number, uint32_t name_hash,
                  uint32_t field_hash, bool by_name)
{
    uint32_t mask = index->slots - 1;
    struct hpack_link *link = &index->links[number & mask];
    *link = (struct hpack_link){
        .name_hash = name_hash,
        .field_hash = field_hash,
        .older_field = index->field_buckets[field_hash & mask],
    };
    index->field_buckets[field_hash & mask] = number + 1;
    if (by_name) {
        link->older_name = index->name_buckets[name_hash & mask];
        index->name_buckets[name_hash & mask] = number + 1;
    }
}

int hpack_index_reserve(struct hpack_index *index, const struct hpack_table *table)
{
    if (table->count < index->slots)
        return 0;
    uint32_t slots = index->slots == 0 ? FIRST_SLOTS : index->slots * 2;
    size_t size = block_size(slots);
    int result = account_charge(table->account, size);
    if (result != 0)
        return result;
    struct hpack_index grown = {.links = calloc(1, size), .slots = slots};
    if (grown.links == NULL) {
        account_refund(table->account, size);
        return HERALD_ERROR_NOMEM;
    }
    grown.field_buckets = (uint32_t *)(grown.links + slots);
    grown.name_buckets = grown.field_buckets + slots;
    for (uint32_t position = table->count; position-- > 0;) {
        uint32_t number = table->inserted - 1 - position;
        const struct hpack_link *link = &index->links[number & (index->slots - 1)];
        chain(&grown, number, link->name_hash, link->field_hash,
              hpack_table_entry(table, position)->static_index == 0);
    }
    hpack_index_free(index, table);
    *index = grown;
    return 0;
}

void hpack_index_add(struct hpack_index *index, const struct hpack_table *table,
                     const struct hpack_key *key)
{
    chain(index, table->inserted - 1, key->name_hash, key->field_hash, key->static_index == 0);
}

static bool same_name(const struct hpack_table *table, const struct hpack_entry *entry,
                      const struct hpack_key *key)
{
    if (entry->static_index != key->static_index)
        return false;
    return key->static_index != 0 || span_equals(hpack_entry_name(table, entry), key->name);
}

/* A number from a bucket or link is live while the entry is in the table; a stale one is older than
 * all that are, and so is the rest of its chain. */
static bool position_of(const struct hpack_table *table, uint32_t number_plus_one,
                        uint32_t *position)
{
    *position = table->inserted - number_plus_one;
    return *position < table->count;
}

uint32_t hpack_index_find_field(const struct hpack_index *index, const struct hpack_table *table,
                                const struct hpack_key *key)
{
    if (index->slots == 0)
        return HPACK_NOT_FOUND;
    uint32_t mask = index->slots - 1, position;
    uint32_t next = index->field_buckets[key->field_hash & mask];
    for (unsigned step = 0; step < WALK_BUDGET && position_of(table, next, &position); step++) {
        const struct hpack_link *link = &index->links[(next - 1) & mask];
        const struct hpack_entry *entry = hpack_table_entry(table, position);
        if (link->field_hash == key->field_hash && same_name(table, entry, key) &&
            span_equals(hpack_entry_value(table, entry), key->value))
            return position;
        next = link->older_field;
    }
    return HPACK_NOT_FOUND;
}

uint32_t hpack_index_find_name(const struct hpack_index *index, const struct hpack_table *table,
                               const struct hpack_key *key)
{
    if (index->slots == 0)
        return HPACK_NOT_FOUND;
    uint32_t mask = index->slots - 1, position;
    uint32_t next = index->name_buckets[key->name_hash & mask];
    for (unsigned step = 0; step < WALK_BUDGET && position_of(table, next, &position); step++) {
        const struct hpack_link *link = &index->links[(next - 1) & mask];
        if (link->name_hash == key->name_hash &&
            same_name(table, hpack_table_entry(table, position), key))
            return position;
        next = link->older_name;
    }
    return HPACK_NOT_FOUND;
}
