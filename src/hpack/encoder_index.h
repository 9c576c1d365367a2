/* Finds entries of an encoder's dynamic table by hash, without a scan: chains from the newest
 * insertion to older ones that end by themselves where the table has evicted. */
#ifndef HPACK_ENCODER_INDEX_H
#define HPACK_ENCODER_INDEX_H

#include "hpack/dynamic_table.h"

struct hpack_link;

struct hpack_index {
    struct hpack_link *links; /* one block with the buckets behind them */
    uint32_t *field_buckets;  /* newest insertion with that hash of name and value, as number + 1 */
    uint32_t *name_buckets;   /* the same by name alone; names of the static table are not in it */
    uint32_t slots;           /* of each; a power of two, or 0 */
};

/* What is looked up and what is remembered. */
struct hpack_key {
    struct span name, value;
    uint32_t name_hash, field_hash;
    uint8_t static_index; /* of the name, or 0 */
};

#define HPACK_NOT_FOUND UINT32_MAX

/* Fills in the hashes from the other members. Names in the static table hash by index. */
void hpack_key_hash(struct hpack_key *key);

void hpack_index_free(struct hpack_index *index, const struct hpack_table *table);

/* Room for one more entry of `table`, charged to its account. Returns 0, HERALD_ERROR_NOMEM or
 * HERALD_ERROR_LIMIT with the index unchanged. */
int hpack_index_reserve(struct hpack_index *index, const struct hpack_table *table);

/* Notes the entry just inserted; the room is reserved. */
void hpack_index_add(struct hpack_index *index, const struct hpack_table *table,
                     const struct hpack_key *key);

/* The position (0: newest) of an entry with this name and value, or HPACK_NOT_FOUND. */
uint32_t hpack_index_find_field(const struct hpack_index *index, const struct hpack_table *table,
                                const struct hpack_key *key);

/* The same by name alone, for a name outside the static table. */
uint32_t hpack_index_find_name(const struct hpack_index *index, const struct hpack_table *table,
                               const struct hpack_key *key);

#endif
