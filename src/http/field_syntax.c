#include "http/field_syntax.h"
#include "base/err.h"

/* clang-format off */
const uint8_t field_byte_classes[256] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 4, 31, 12, 15, 31, 15, 31, 31, 28, 28, 31, 31, 28, 31, 31, 12,
    31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 12, 28, 12, 28, 12, 12, 12, 29, 29, 29, 29, 29, 29, 29,
    29, 29, 29, 29, 29, 29, 29, 29, 29, 29, 29, 29, 29, 29, 29, 29, 29, 29, 29, 12, 12, 12, 15, 31,
    15, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31,
    31, 31, 31, 12, 15, 12, 31, 0, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12,
    12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12,
    12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12,
    12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12,
    12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12,
    12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12,
};
/* clang-format on */

static bool all_are(struct span text, unsigned class)
{
    unsigned seen = class;

    /* No early way out: names are short, and nearly all of them are right. */
    for (size_t i = 0; i < text.length; i++)
        seen &= field_byte_classes[text.data[i]];
    return seen != 0;
}

bool field_is_token(struct span text)
{
    return text.length != 0 && all_are(text, FIELD_BYTE_TOKEN);
}

bool field_is_lower_name(struct span text)
{
    return text.length != 0 && all_are(text, FIELD_BYTE_LOWER_NAME);
}

/* ---- eight bytes at a time ---- */

#define EVERY_BYTE(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Zero when no byte of `word` is below `floor` (at most 0x80) or is DEL; bytes from 0x80 on pass. A
 * subtraction that borrows can only mark more bytes when a lower one was rightly marked. */
static uint64_t suspects(uint64_t word, uint8_t floor)
{
    uint64_t below = (word - EVERY_BYTE(floor)) & ~word;
    uint64_t difference = word ^ EVERY_BYTE(0x7f);
    uint64_t deleted = (difference - EVERY_BYTE(1)) & ~difference;

    return (below | deleted) & EVERY_BYTE(0x80);
}

static uint64_t load(const uint8_t *data)
{
    uint64_t word;

    memcpy(&word, data, sizeof(word));
    return word;
}

/* True when a look at single bytes is not needed: all of `text` is from `floor` on and not DEL. */
static bool is_plain(struct span text, uint8_t floor)
{
    uint64_t found = 0;

    if (text.length < sizeof(uint64_t))
        return false;
    for (size_t i = 0; i + sizeof(uint64_t) <= text.length; i += sizeof(uint64_t))
        found |= suspects(load(text.data + i), floor);
    return (found | suspects(load(text.data + text.length - sizeof(uint64_t)), floor)) == 0;
}

bool field_value_bytes_are_valid(struct span value)
{
    return is_plain(value, 0x20) || all_are(value, FIELD_BYTE_VALUE);
}

static bool is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\t';
}

bool field_is_value(struct span value)
{
    if (value.length == 0)
        return true;
    if (is_blank(value.data[0]) || is_blank(value.data[value.length - 1]))
        return false;
    return field_value_bytes_are_valid(value);
}

bool field_target_is_valid(struct span text)
{
    return is_plain(text, 0x21) || all_are(text, FIELD_BYTE_TARGET);
}

int field_content_length(struct span value, uint64_t *length)
{
    return span_to_unsigned(value, INT64_MAX, length) == 0 ? 0 : HERALD_ERROR_INVALID;
}
