/* The dynamic table of RFC 7541 section 2.3.2, as both directions keep it: bytes in one block,
 * entries in a ring. */
#ifndef HPACK_DYNAMIC_TABLE_H
#define HPACK_DYNAMIC_TABLE_H

#include "base/account.h"
#include "base/span.h"

#define HPACK_ENTRY_OVERHEAD 32    /* what an entry counts beyond its bytes (section 4.1) */
#define HPACK_TABLE_MAXIMUM  65536 /* the largest table either direction can be given */

struct hpack_entry {
    uint32_t offset; /* of the name in the table's bytes; the value follows it */
    uint32_t name_length;
    uint32_t value_length;
    uint8_t static_index; /* of the name in the static table, or 0 */
};

struct hpack_table {
    uint8_t *bytes;
    struct hpack_entry *entries; /* slot of insertion n: n & (slots - 1) */
    uint32_t bytes_start, bytes_end, bytes_capacity;
    uint32_t slots;    /* a power of two, or 0 */
    uint32_t inserted; /* insertions so far; the newest entry has number inserted - 1 */
    uint32_t count;
    uint32_t size;       /* section 4.1: bytes plus overhead */
    uint32_t maximum;    /* of size */
    uint32_t generation; /* counts changes of any kind */
    struct account *account;
};

/* Memory is taken as entries come: at most 2 * maximum bytes and maximum / 32 slots (rounded up to
 * a power of two), charged to `account` (may be NULL). `maximum` is cut to HPACK_TABLE_MAXIMUM. */
void hpack_table_init(struct hpack_table *table, uint32_t maximum, struct account *account);
void hpack_table_free(struct hpack_table *table);

/* Evicts what no longer fits (section 4.3). */
void hpack_table_set_maximum(struct hpack_table *table, uint32_t maximum);

/* Adds an entry at the front, evicting from the back (section 4.4); one larger than the maximum
 * leaves the table empty and is no error. Neither span may lie in the table's own bytes. Returns 1
 * when the entry is in the table, 0 when it was too large, HERALD_ERROR_NOMEM or HERALD_ERROR_LIMIT
 * (the account's) when there was no memory for it: entries may have been evicted then, the new one
 * is not in. */
int hpack_table_insert(struct hpack_table *table, struct span name, struct span value,
                       uint8_t static_index);

/* `position` counts from 0, the newest, and is less than `count`. */
static inline const struct hpack_entry *hpack_table_entry(const struct hpack_table *table,
                                                          uint32_t position)
{
    return &table->entries[(table->inserted - 1 - position) & (table->slots - 1)];
}

/* Valid until the table is next changed. */
static inline struct span hpack_entry_name(const struct hpack_table *table,
                                           const struct hpack_entry *entry)
{
    return span_make(table->bytes + entry->offset, entry->name_length);
}

static inline struct span hpack_entry_value(const struct hpack_table *table,
                                            const struct hpack_entry *entry)
{
    return span_make(table->bytes + entry->offset + entry->name_length, entry->value_length);
}

#endif
