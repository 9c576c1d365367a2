/* Fields through the encoder and back through the decoder.
 *
 * Input: a byte for the encoder's own limit, then steps. A step's first byte says what it is: 0xff
 * and a byte, a new table maximum from the peer; else a field: the low 6 bits are a name (0 to 61:
 * that static name or, for 0, one spelled out behind a length byte), bit 6 asks for never indexed,
 * bit 7 for a value of which the next byte is repeated behind a length byte (times 16) instead of
 * spelled out behind one.
 *
 * Holds always: what comes back is what went in; both tables stay the same; no field is longer than
 * its bound; memory is accounted for and given back. */
#include "hpack/hpack.h"
#include "hpack/static_table.h"
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
            __builtin_trap();                                                                      \
        }                                                                                          \
    } while (0)

#define VALUE_MOST (255 * 16)

struct reader {
    const uint8_t *at, *end;
};

static uint8_t next_byte(struct reader *reader)
{
    return reader->at < reader->end ? *reader->at++ : 0;
}

static struct span next_string(struct reader *reader)
{
    size_t length = next_byte(reader), left = (size_t)(reader->end - reader->at);
    if (length > left)
        length = left;
    struct span string = span_make(reader->at, length);
    reader->at += length;
    return string;
}

static struct hpack_field next_field(struct reader *reader, uint8_t kind, uint8_t *value)
{
    struct hpack_field field = {.never_indexed = (kind & 0x40) != 0};
    uint8_t name = kind & 0x3f;
    if (name == 0 || name > HPACK_STATIC_COUNT)
        field.name = next_string(reader);
    else
        field.name = hpack_static_fields[name].name;
    if ((kind & 0x80) == 0) {
        field.value = next_string(reader);
    } else {
        uint8_t byte = next_byte(reader);
        size_t length = next_byte(reader) * 16u;
        memset(value, byte, length);
        field.value = span_make(value, length);
    }
    return field;
}

/* The one field expected of a block. */
struct expectation {
    const struct hpack_field *field;
    unsigned met;
};

static int expect_field(void *user, const struct hpack_field *field)
{
    struct expectation *expectation = user;
    REQUIRE(span_equals(field->name, expectation->field->name));
    REQUIRE(span_equals(field->value, expectation->field->value));
    REQUIRE(field->never_indexed || !expectation->field->never_indexed);
    REQUIRE(field->static_index == hpack_static_name(field->name));
    expectation->met++;
    return 0;
}

static void compare_tables(const struct hpack_table *one, const struct hpack_table *other)
{
    REQUIRE(one->size == other->size && one->count == other->count);
    REQUIRE(one->size <= one->maximum);
    for (uint32_t position = 0; position < one->count; position++) {
        const struct hpack_entry *left = hpack_table_entry(one, position);
        const struct hpack_entry *right = hpack_table_entry(other, position);
        REQUIRE(span_equals(hpack_entry_name(one, left), hpack_entry_name(other, right)));
        REQUIRE(span_equals(hpack_entry_value(one, left), hpack_entry_value(other, right)));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t value[VALUE_MOST], block[2 * VALUE_MOST];
    struct reader reader = {data, data + size};
    struct account account = {.maximum = 0};
    struct hpack_encoder encoder;
    struct hpack_decoder decoder;
    hpack_encoder_init(&encoder, next_byte(&reader) * 64u, &account);
    hpack_decoder_init(&decoder, HPACK_TABLE_DEFAULT, &account);
    while (reader.at < reader.end) {
        uint8_t kind = next_byte(&reader);
        if (kind == 0xff) {
            uint32_t maximum = next_byte(&reader) * 32u;
            hpack_encoder_set_maximum(&encoder, maximum);
            hpack_decoder_set_maximum(&decoder, maximum);
            continue;
        }
        struct hpack_field field = next_field(&reader, kind, value);
        int length = hpack_encode_field(&encoder, &field, block, sizeof(block));
        REQUIRE(length > 0 && (size_t)length <= hpack_field_bound(&field));
        struct expectation expectation = {&field, 0};
        size_t consumed;
        REQUIRE(hpack_decode(&decoder, block, (size_t)length, true, &consumed, expect_field,
                             &expectation) == 0);
        REQUIRE(consumed == (size_t)length && expectation.met == 1);
        compare_tables(&encoder.table, &decoder.table);
    }
    hpack_encoder_free(&encoder);
    hpack_decoder_free(&decoder);
    REQUIRE(account.live == 0);
    return 0;
}
