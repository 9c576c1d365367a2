/* Field blocks for the tests: hexadecimal in, fields out as text. */
#ifndef BLOCKS_H
#define BLOCKS_H

#include "hpack/hpack.h"
#include "support/check.h"

#define BLOCK_MOST 8192

/* "8286 84": blanks are skipped. Returns the length. */
static inline size_t block_from_hex(const char *text, uint8_t *block)
{
    size_t digits = 0;
    for (; *text != '\0'; text++) {
        if (*text == ' ')
            continue;
        int digit = *text <= '9' ? *text - '0' : *text - 'a' + 10;
        assert_true(digits / 2 < BLOCK_MOST);
        block[digits / 2] = (uint8_t)(digits % 2 == 0 ? digit << 4 : block[digits / 2] | digit);
        digits++;
    }
    return digits / 2;
}

/* Decoded fields, one a line: "name: value", with "!" in front of the never indexed. */
struct field_text {
    char text[4 * BLOCK_MOST];
    size_t length;
    size_t fields;
    size_t stop_at; /* the field, counted from 1, after which emit says 77; 0: never */
};

static inline void field_text_add(struct field_text *fields, const void *data, size_t length)
{
    assert_true(fields->length + length < sizeof(fields->text));
    if (length > 0)
        memcpy(fields->text + fields->length, data, length);
    fields->length += length;
    fields->text[fields->length] = '\0';
}

static inline int field_text_emit(void *user, const struct hpack_field *field)
{
    struct field_text *fields = user;
    if (field->never_indexed)
        field_text_add(fields, "!", 1);
    field_text_add(fields, field->name.data, field->name.length);
    field_text_add(fields, ": ", 2);
    field_text_add(fields, field->value.data, field->value.length);
    field_text_add(fields, "\n", 1);
    fields->fields++;
    return fields->fields == fields->stop_at ? 77 : 0;
}

static inline void field_text_clear(struct field_text *fields)
{
    fields->length = fields->fields = fields->stop_at = 0;
    fields->text[0] = '\0';
}

/* Decodes one block that comes in fragments of `size` bytes, as a connection does: what a call
 * leaves is put in front of the next fragment. */
static inline int decode_in_fragments(struct hpack_decoder *decoder, const uint8_t *block,
                                      size_t length, size_t size, struct field_text *fields)
{
    size_t from = 0, to = 0;
    for (;;) {
        to = length - to > size ? to + size : length;
        size_t consumed;
        int result = hpack_decode(decoder, block + from, to - from, to == length, &consumed,
                                  field_text_emit, fields);
        assert_true(consumed <= to - from);
        from += consumed;
        if (result != 0)
            return result;
        if (to == length) {
            assert_int_equal(from, length);
            return 0;
        }
    }
}

static inline int decode_hex(struct hpack_decoder *decoder, const char *hex,
                             struct field_text *fields)
{
    static uint8_t block[BLOCK_MOST];
    size_t length = block_from_hex(hex, block);
    return decode_in_fragments(decoder, block, length, BLOCK_MOST, fields);
}

#endif
