#include "hpack/huffman.h"
#include "hpack/integer.h"
#include "hpack/static_table.h"

#define SHORT_COOKIE 20 /* a shorter one could be guessed by watching sizes (section 7.1) */

/* First byte of each representation (section 6), and bits of its integer. */
#define INDEXED       0x80, 7
#define INCREMENTAL   0x40, 6
#define SIZE_UPDATE   0x20, 5
#define NEVER_INDEXED 0x10, 4
#define NOT_INDEXED   0x00, 4

/* Names whose values belong to one resource or one moment: worth an entry only once a value came
 * back. */
static const bool seldom_repeats[HPACK_STATIC_COUNT + 1] = {
    [HPACK_NAME_PATH] = true,
    [HPACK_NAME_AGE] = true,
    [HPACK_NAME_CONTENT_LENGTH] = true,
    [HPACK_NAME_CONTENT_LOCATION] = true,
    [HPACK_NAME_CONTENT_RANGE] = true,
    [HPACK_NAME_ETAG] = true,
    [HPACK_NAME_EXPIRES] = true,
    [HPACK_NAME_IF_MATCH] = true,
    [HPACK_NAME_IF_MODIFIED_SINCE] = true,
    [HPACK_NAME_IF_NONE_MATCH] = true,
    [HPACK_NAME_IF_RANGE] = true,
    [HPACK_NAME_IF_UNMODIFIED_SINCE] = true,
    [HPACK_NAME_LAST_MODIFIED] = true,
    [HPACK_NAME_LOCATION] = true,
    [HPACK_NAME_RANGE] = true,
    [HPACK_NAME_SET_COOKIE] = true,
};

void hpack_encoder_init(struct hpack_encoder *encoder, uint32_t table_maximum,
                        struct account *account)
{
    *encoder = (struct hpack_encoder){
        .own_limit = table_maximum < HPACK_TABLE_MAXIMUM ? table_maximum : HPACK_TABLE_MAXIMUM,
    };
    hpack_table_init(&encoder->table, HPACK_TABLE_DEFAULT, account);
    hpack_encoder_set_maximum(encoder, HPACK_TABLE_DEFAULT);
}

void hpack_encoder_free(struct hpack_encoder *encoder)
{
    hpack_index_free(&encoder->index, &encoder->table);
    hpack_table_free(&encoder->table);
}

void hpack_encoder_set_maximum(struct hpack_encoder *encoder, uint32_t table_maximum)
{
    uint32_t maximum = table_maximum < encoder->own_limit ? table_maximum : encoder->own_limit;
    if (maximum == encoder->table.maximum)
        return;
    if (!encoder->update_pending || maximum < encoder->pending_minimum)
        encoder->pending_minimum = maximum;
    encoder->update_pending = true;
    hpack_table_set_maximum(&encoder->table, maximum);
}

size_t hpack_field_bound(const struct hpack_field *field)
{
    /* Two size updates, and index and lengths of a literal; Huffman coding is used only where it is
     * shorter. */
    return 5 * HPACK_INTEGER_BYTES + field->name.length + field->value.length;
}

static uint8_t *write_updates(struct hpack_encoder *encoder, uint8_t *out)
{
    if (encoder->pending_minimum < encoder->table.maximum)
        out = hpack_write_integer(out, SIZE_UPDATE, encoder->pending_minimum);
    out = hpack_write_integer(out, SIZE_UPDATE, encoder->table.maximum);
    encoder->update_pending = false;
    encoder->table.generation++;
    return out;
}

/* Section 5.2. */
static uint8_t *write_string(uint8_t *out, struct span string)
{
    size_t length = hpack_huffman_encoded_length(string.data, string.length);
    if (length < string.length) {
        out = hpack_write_integer(out, 0x80, 7, (uint32_t)length);
        return hpack_huffman_encode(string.data, string.length, out);
    }
    out = hpack_write_integer(out, 0x00, 7, (uint32_t)string.length);
    if (string.length > 0)
        memcpy(out, string.data, string.length);
    return out + string.length;
}

static uint8_t *write_literal(uint8_t *out, uint8_t pattern, unsigned prefix, uint32_t name_index,
                              const struct hpack_key *key)
{
    out = hpack_write_integer(out, pattern, prefix, name_index);
    if (name_index == 0)
        out = write_string(out, key->name);
    return write_string(out, key->value);
}

static uint32_t find_static_field(const struct hpack_key *key)
{
    for (uint32_t index = key->static_index; index != 0 && index <= HPACK_STATIC_COUNT; index++) {
        if (hpack_static_fields[index].static_index != key->static_index)
            break;
        if (span_equals(hpack_static_fields[index].value, key->value))
            return index;
    }
    return 0;
}

static uint32_t find_name(const struct hpack_encoder *encoder, const struct hpack_key *key)
{
    if (key->static_index != 0)
        return key->static_index;
    uint32_t position = hpack_index_find_name(&encoder->index, &encoder->table, key);
    return position == HPACK_NOT_FOUND ? 0 : HPACK_STATIC_COUNT + 1 + position;
}

static bool is_sensitive(const struct hpack_field *field, uint8_t static_index)
{
    return field->never_indexed || static_index == HPACK_NAME_AUTHORIZATION ||
           static_index == HPACK_NAME_PROXY_AUTHORIZATION ||
           (static_index == HPACK_NAME_COOKIE && field->value.length < SHORT_COOKIE);
}

/* Whether a field with this hash was noted before; notes it. One that is forgotten or mistaken for
 * another only costs an entry. */
static bool seen_before(struct hpack_encoder *encoder, uint32_t hash)
{
    uint16_t *slot = &encoder->seen[hash % HPACK_SEEN_SLOTS];
    uint16_t mark = (uint16_t)(hash >> 16);
    bool seen = *slot == mark;
    *slot = mark;
    return seen;
}

static bool is_worth_an_entry(struct hpack_encoder *encoder, const struct hpack_key *key)
{
    uint64_t size = (uint64_t)key->name.length + key->value.length + HPACK_ENTRY_OVERHEAD;
    if (size > encoder->table.maximum / 4 * 3)
        return false;
    return !seldom_repeats[key->static_index] || seen_before(encoder, key->field_hash);
}

static bool insert(struct hpack_encoder *encoder, const struct hpack_key *key)
{
    if (hpack_index_reserve(&encoder->index, &encoder->table) != 0)
        return false;
    if (hpack_table_insert(&encoder->table, key->name, key->value, key->static_index) != 1)
        return false;
    hpack_index_add(&encoder->index, &encoder->table, key);
    return true;
}

static uint32_t *recent_of(struct hpack_encoder *encoder, uint8_t static_index)
{
    return &encoder->recent[static_index % HPACK_RECENT_SLOTS];
}

/* Responses of a connection mostly repeat the value a name had last: that entry is looked at before
 * anything is hashed. */
static uint32_t find_recent(struct hpack_encoder *encoder, const struct hpack_key *key)
{
    const struct hpack_table *table = &encoder->table;
    uint32_t position = table->inserted - *recent_of(encoder, key->static_index);
    if (key->static_index == 0 || position >= table->count)
        return HPACK_NOT_FOUND;
    const struct hpack_entry *entry = hpack_table_entry(table, position);
    bool same = entry->static_index == key->static_index &&
                span_equals(hpack_entry_value(table, entry), key->value);
    return same ? position : HPACK_NOT_FOUND;
}

static uint8_t *write_field(struct hpack_encoder *encoder, struct hpack_key *key, uint8_t *out)
{
    uint32_t position = find_recent(encoder, key);
    if (position == HPACK_NOT_FOUND) {
        hpack_key_hash(key);
        position = hpack_index_find_field(&encoder->index, &encoder->table, key);
    }
    if (position != HPACK_NOT_FOUND) {
        *recent_of(encoder, key->static_index) = encoder->table.inserted - position;
        return hpack_write_integer(out, INDEXED, HPACK_STATIC_COUNT + 1 + position);
    }
    /* The peer resolves the name before it inserts. */
    uint32_t name_index = find_name(encoder, key);
    if (is_worth_an_entry(encoder, key) && insert(encoder, key)) {
        *recent_of(encoder, key->static_index) = encoder->table.inserted;
        return write_literal(out, INCREMENTAL, name_index, key);
    }
    return write_literal(out, NOT_INDEXED, name_index, key);
}

int hpack_encode_field(struct hpack_encoder *encoder, const struct hpack_field *field, uint8_t *out,
                       size_t capacity)
{
    if (capacity < hpack_field_bound(field))
        return HERALD_ERROR_LIMIT;
    uint8_t *start = out;
    if (encoder->update_pending)
        out = write_updates(encoder, out);
    struct hpack_key key = {
        .name = field->name,
        .value = field->value,
        .static_index =
            field->static_index != 0 ? field->static_index : hpack_static_name(field->name),
    };
    bool sensitive = is_sensitive(field, key.static_index);
    uint32_t static_field = sensitive ? 0 : find_static_field(&key);
    if (static_field != 0)
        return (int)(hpack_write_integer(out, INDEXED, static_field) - start);
    if (sensitive) {
        hpack_key_hash(&key);
        out = write_literal(out, NEVER_INDEXED, find_name(encoder, &key), &key);
    } else {
        out = write_field(encoder, &key, out);
    }
    return (int)(out - start);
}
