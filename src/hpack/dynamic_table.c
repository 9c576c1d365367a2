#include "hpack/dynamic_table.h"
#include "base/err.h"
#include <stdlib.h>

#define FIRST_BYTES 512
#define FIRST_SLOTS 16

void hpack_table_init(struct hpack_table *table, uint32_t maximum, struct account *account)
{
    *table = (struct hpack_table){
        .maximum = maximum < HPACK_TABLE_MAXIMUM ? maximum : HPACK_TABLE_MAXIMUM,
        .account = account,
    };
}

void hpack_table_free(struct hpack_table *table)
{
    account_refund(table->account, table->bytes_capacity + table->slots * sizeof(*table->entries));
    free(table->bytes);
    free(table->entries);
    hpack_table_init(table, table->maximum, table->account);
}

static uint32_t entry_size(const struct hpack_entry *entry)
{
    return entry->name_length + entry->value_length + HPACK_ENTRY_OVERHEAD;
}

/* How many of the oldest entries must go for the size to be at most `size`. */
static uint32_t surplus(const struct hpack_table *table, uint32_t size)
{
    uint32_t remaining = table->size, count = 0;
    while (remaining > size) {
        count++;
        remaining -= entry_size(hpack_table_entry(table, table->count - count));
    }
    return count;
}

/* Where the bytes begin once `count` of the oldest entries are gone. */
static uint32_t start_without(const struct hpack_table *table, uint32_t count)
{
    if (count == table->count)
        return table->bytes_end;
    return hpack_table_entry(table, table->count - 1 - count)->offset;
}

static void evict(struct hpack_table *table, uint32_t count)
{
    if (count == 0)
        return;
    table->bytes_start = start_without(table, count);
    for (uint32_t gone = 0; gone < count; gone++)
        table->size -= entry_size(hpack_table_entry(table, --table->count));
    if (table->count == 0)
        table->bytes_start = table->bytes_end = 0;
    table->generation++;
}

void hpack_table_set_maximum(struct hpack_table *table, uint32_t maximum)
{
    table->maximum = maximum < HPACK_TABLE_MAXIMUM ? maximum : HPACK_TABLE_MAXIMUM;
    table->generation++;
    evict(table, surplus(table, table->maximum));
}

static int grow_slots(struct hpack_table *table)
{
    uint32_t slots = table->slots == 0 ? FIRST_SLOTS : table->slots * 2;
    size_t growth = (slots - table->slots) * sizeof(*table->entries);
    int result = account_charge(table->account, growth);
    if (result != 0)
        return result;
    struct hpack_entry *entries = malloc(slots * sizeof(*entries));
    if (entries == NULL) {
        account_refund(table->account, growth);
        return HERALD_ERROR_NOMEM;
    }
    for (uint32_t position = 0; position < table->count; position++) {
        uint32_t number = table->inserted - 1 - position;
        entries[number & (slots - 1)] = *hpack_table_entry(table, position);
    }
    free(table->entries);
    table->entries = entries;
    table->slots = slots;
    return 0;
}

/* Moves the entries' bytes from `start` on to the beginning of `bytes`. */
static void move_bytes(struct hpack_table *table, uint8_t *bytes, uint32_t start, uint32_t evicted)
{
    if (table->bytes_end > start)
        memmove(bytes, table->bytes + start, table->bytes_end - start);
    for (uint32_t position = 0; position < table->count - evicted; position++)
        table->entries[(table->inserted - 1 - position) & (table->slots - 1)].offset -= start;
    table->bytes_end -= start;
}

/* Room for `extra` bytes at the end, keeping those from `start` on. A block at most half full is
 * packed rather than grown, so that each byte added pays for less than two moved. */
static int reserve_bytes(struct hpack_table *table, uint32_t start, uint32_t extra,
                         uint32_t evicted)
{
    if (table->bytes != NULL && table->bytes_end + extra <= table->bytes_capacity)
        return 0;
    uint32_t needed = table->bytes_end - start + extra;
    if (table->bytes != NULL && needed <= table->bytes_capacity / 2) {
        move_bytes(table, table->bytes, start, evicted);
        return 0;
    }
    uint32_t capacity = table->bytes_capacity == 0 ? FIRST_BYTES : table->bytes_capacity;
    while (capacity / 2 < needed)
        capacity *= 2;
    int result = account_charge(table->account, capacity - table->bytes_capacity);
    if (result != 0)
        return result;
    uint8_t *bytes = malloc(capacity);
    if (bytes == NULL) {
        account_refund(table->account, capacity - table->bytes_capacity);
        return HERALD_ERROR_NOMEM;
    }
    move_bytes(table, bytes, start, evicted);
    free(table->bytes);
    table->bytes = bytes;
    table->bytes_capacity = capacity;
    return 0;
}

static void append(struct hpack_table *table, struct span name, struct span value,
                   uint8_t static_index)
{
    uint8_t *to = table->bytes + table->bytes_end;
    if (name.length > 0)
        memcpy(to, name.data, name.length);
    if (value.length > 0)
        memcpy(to + name.length, value.data, value.length);
    table->entries[table->inserted & (table->slots - 1)] = (struct hpack_entry){
        .offset = table->bytes_end,
        .name_length = (uint32_t)name.length,
        .value_length = (uint32_t)value.length,
        .static_index = static_index,
    };
    table->bytes_end += (uint32_t)(name.length + value.length);
    table->size += (uint32_t)(name.length + value.length) + HPACK_ENTRY_OVERHEAD;
    table->inserted++;
    table->count++;
    table->generation++;
}

int hpack_table_insert(struct hpack_table *table, struct span name, struct span value,
                       uint8_t static_index)
{
    uint64_t size = (uint64_t)name.length + value.length + HPACK_ENTRY_OVERHEAD;
    if (size > table->maximum) {
        evict(table, table->count);
        return 0;
    }
    /* Memory first: an encoder whose insertion failed must not have evicted what its peer keeps. */
    uint32_t evicted = surplus(table, table->maximum - (uint32_t)size);
    int result = 0;
    if (table->count - evicted == table->slots)
        result = grow_slots(table);
    if (result == 0)
        result = reserve_bytes(table, start_without(table, evicted),
                               (uint32_t)(name.length + value.length), evicted);
    if (result != 0)
        return result;
    evict(table, evicted);
    append(table, name, value, static_index);
    return 1;
}
