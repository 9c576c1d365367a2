#include "hpack/huffman.h"
#include "hpack/integer.h"
#include "hpack/static_table.h"
#include <stdlib.h>

#define NO_UPDATE_REQUIRED UINT32_MAX
#define UPDATES_PER_BLOCK  2
#define SCRATCH_FIRST      256
#define SCRATCH_KEPT       4096 /* a larger one is given back when the block ends */

/* One call of hpack_decode. */
struct run {
    struct hpack_decoder *decoder;
    const uint8_t *at, *end;
    hpack_emit *emit;
    void *user;
    int stopped; /* what emit returned */
};

/* A string as it stands in the input. */
struct encoded_string {
    const uint8_t *data;
    uint32_t length;
    bool huffman;
};

void hpack_decoder_init(struct hpack_decoder *decoder, uint32_t table_maximum,
                        struct account *account)
{
    *decoder = (struct hpack_decoder){
        .string_maximum = HPACK_STRING_MAXIMUM,
        .required_update = NO_UPDATE_REQUIRED,
    };
    hpack_table_init(&decoder->table, table_maximum, account);
    decoder->table_limit = decoder->table.maximum;
}

static void free_scratch(struct hpack_decoder *decoder)
{
    account_refund(decoder->table.account, decoder->scratch_capacity);
    free(decoder->scratch);
    decoder->scratch = NULL;
    decoder->scratch_capacity = 0;
}

void hpack_decoder_free(struct hpack_decoder *decoder)
{
    free_scratch(decoder);
    hpack_table_free(&decoder->table);
}

void hpack_decoder_set_maximum(struct hpack_decoder *decoder, uint32_t table_maximum)
{
    if (table_maximum > HPACK_TABLE_MAXIMUM)
        table_maximum = HPACK_TABLE_MAXIMUM;
    decoder->table_limit = table_maximum;
    if (table_maximum < decoder->table.maximum && table_maximum < decoder->required_update)
        decoder->required_update = table_maximum;
}

void hpack_decoder_set_string_maximum(struct hpack_decoder *decoder, size_t maximum)
{
    decoder->string_maximum = maximum;
}

static void emit_field(struct run *run, const struct hpack_field *field)
{
    run->decoder->in_fields = true;
    run->stopped = run->emit(run->user, field);
}

static int reserve_scratch(struct hpack_decoder *decoder, size_t needed)
{
    if (needed <= decoder->scratch_capacity)
        return 0;
    size_t capacity = SCRATCH_FIRST;
    while (capacity < needed)
        capacity *= 2;
    /* Nothing in it outlives the representation it was filled for: no need to copy. */
    free_scratch(decoder);
    int result = account_charge(decoder->table.account, capacity);
    if (result != 0)
        return result;
    decoder->scratch = malloc(capacity);
    if (decoder->scratch == NULL) {
        account_refund(decoder->table.account, capacity);
        return HERALD_ERROR_NOMEM;
    }
    decoder->scratch_capacity = capacity;
    return 0;
}

/* Reads length and place of a string; the limit is checked even if its bytes have not all arrived.
 */
static int read_string(struct run *run, struct encoded_string *string)
{
    if (run->at == run->end)
        return HPACK_INCOMPLETE;
    string->huffman = (*run->at & 0x80) != 0;
    int result = hpack_read_integer(&run->at, run->end, 7, &string->length);
    if (result != HPACK_COMPLETE)
        return result;
    size_t least = string->huffman ? hpack_huffman_decoded_least(string->length) : string->length;
    if (least > run->decoder->string_maximum)
        return HERALD_ERROR_LIMIT;
    if ((size_t)(run->end - run->at) < string->length)
        return HPACK_INCOMPLETE;
    string->data = run->at;
    run->at += string->length;
    return HPACK_COMPLETE;
}

/* Scratch bytes that expanding the string can touch. */
static size_t expansion_room(const struct hpack_decoder *decoder,
                             const struct encoded_string *string)
{
    if (!string->huffman)
        return 0;
    size_t most = hpack_huffman_decoded_most(string->length);
    if (most > decoder->string_maximum)
        most = decoder->string_maximum;
    return most + HPACK_HUFFMAN_SLACK;
}

static int expand(const struct hpack_decoder *decoder, const struct encoded_string *string,
                  uint8_t *scratch, struct span *plain)
{
    if (!string->huffman) {
        *plain = span_make(string->data, string->length);
        return 0;
    }
    plain->data = scratch;
    return hpack_huffman_decode(string->data, string->length, scratch, decoder->string_maximum,
                                &plain->length);
}

static int check_first_field(const struct hpack_decoder *decoder)
{
    return !decoder->in_fields && decoder->required_update != NO_UPDATE_REQUIRED
               ? HERALD_ERROR_COMPRESSION
               : 0;
}

static int look_up(const struct hpack_decoder *decoder, uint32_t index, struct hpack_field *field)
{
    if (index == 0 || index > HPACK_STATIC_COUNT + decoder->table.count)
        return HERALD_ERROR_COMPRESSION;
    if (index <= HPACK_STATIC_COUNT) {
        *field = hpack_static_fields[index];
        return 0;
    }
    const struct hpack_entry *entry =
        hpack_table_entry(&decoder->table, index - HPACK_STATIC_COUNT - 1);
    *field = (struct hpack_field){
        .name = hpack_entry_name(&decoder->table, entry),
        .value = hpack_entry_value(&decoder->table, entry),
        .static_index = entry->static_index,
    };
    return 0;
}

/* Section 6.1. */
static int decode_indexed(struct run *run)
{
    uint32_t index;
    int result = hpack_read_integer(&run->at, run->end, 7, &index);
    if (result != HPACK_COMPLETE)
        return result;
    struct hpack_field field;
    result = look_up(run->decoder, index, &field);
    if (result == 0)
        emit_field(run, &field);
    return result;
}

/* Fills in the name and value of a literal whose strings are all there. `index` is its name's or 0.
 */
static int expand_literal(struct hpack_decoder *decoder, uint32_t index, bool insert,
                          const struct encoded_string *name, const struct encoded_string *value,
                          struct hpack_field *field)
{
    /* An insertion may evict the entry that gives the name (section 4.4). */
    bool copy_name = insert && index > HPACK_STATIC_COUNT;
    size_t name_room = copy_name ? field->name.length : expansion_room(decoder, name);
    int result = reserve_scratch(decoder, name_room + expansion_room(decoder, value));
    if (result != 0)
        return result;
    if (copy_name) {
        if (name_room > 0)
            field->name.data = memcpy(decoder->scratch, field->name.data, name_room);
    } else if (index == 0) {
        result = expand(decoder, name, decoder->scratch, &field->name);
        if (result != 0)
            return result;
        field->static_index = hpack_static_name(field->name);
    }
    uint8_t *rest = decoder->scratch == NULL ? NULL : decoder->scratch + name_room;
    return expand(decoder, value, rest, &field->value);
}

/* Section 6.2: all three kinds. */
static int decode_literal(struct run *run, unsigned prefix, bool insert, bool never_indexed)
{
    struct hpack_decoder *decoder = run->decoder;
    struct hpack_field field = {.static_index = 0};
    struct encoded_string name = {.huffman = false}, value;
    uint32_t index;
    int result = hpack_read_integer(&run->at, run->end, prefix, &index);
    if (result == HPACK_COMPLETE)
        result = index == 0 ? read_string(run, &name) : look_up(decoder, index, &field);
    if (result == HPACK_COMPLETE)
        result = read_string(run, &value);
    if (result == HPACK_COMPLETE)
        result = expand_literal(decoder, index, insert, &name, &value, &field);
    if (result != HPACK_COMPLETE)
        return result;
    field.never_indexed = never_indexed;
    if (insert) {
        result = hpack_table_insert(&decoder->table, field.name, field.value, field.static_index);
        if (result < 0)
            return result;
    }
    emit_field(run, &field);
    return HPACK_COMPLETE;
}

/* Sections 4.2 and 6.3. */
static int decode_size_update(struct run *run)
{
    struct hpack_decoder *decoder = run->decoder;
    if (decoder->in_fields || decoder->updates == UPDATES_PER_BLOCK)
        return HERALD_ERROR_COMPRESSION;
    uint32_t maximum;
    int result = hpack_read_integer(&run->at, run->end, 5, &maximum);
    if (result != HPACK_COMPLETE)
        return result;
    if (maximum > decoder->table_limit)
        return HERALD_ERROR_COMPRESSION;
    if (decoder->required_update != NO_UPDATE_REQUIRED) {
        if (maximum > decoder->required_update)
            return HERALD_ERROR_COMPRESSION;
        decoder->required_update = NO_UPDATE_REQUIRED;
    }
    decoder->updates++;
    hpack_table_set_maximum(&decoder->table, maximum);
    return HPACK_COMPLETE;
}

static int decode_representation(struct run *run)
{
    uint8_t first = *run->at;
    if ((first & 0xe0) == 0x20)
        return decode_size_update(run);
    int result = check_first_field(run->decoder);
    if (result != 0)
        return result;
    if ((first & 0x80) != 0)
        return decode_indexed(run);
    if ((first & 0x40) != 0)
        return decode_literal(run, 6, true, false);
    return decode_literal(run, 4, false, (first & 0x10) != 0);
}

static void end_block(struct hpack_decoder *decoder)
{
    decoder->updates = 0;
    decoder->in_fields = false;
    if (decoder->scratch_capacity > SCRATCH_KEPT)
        free_scratch(decoder);
}

int hpack_decode(struct hpack_decoder *decoder, const uint8_t *in, size_t length,
                 bool last_fragment, size_t *consumed, hpack_emit *emit, void *user)
{
    struct run run = {decoder, in, in == NULL ? NULL : in + length, emit, user, 0};
    int result = decoder->failed;
    *consumed = 0;
    while (result == 0 && run.stopped == 0 && run.at < run.end) {
        const uint8_t *start = run.at;
        result = decode_representation(&run);
        if (result == HPACK_INCOMPLETE) {
            run.at = start;
            if (last_fragment)
                result = HERALD_ERROR_COMPRESSION;
        }
        *consumed = (size_t)(run.at - in);
    }
    if (result < 0) {
        decoder->failed = result;
        return result;
    }
    if (last_fragment && run.at == run.end)
        end_block(decoder);
    return run.stopped;
}
