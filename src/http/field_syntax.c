#include "http/field_syntax.h"
#include "base/err.h"

/* clang-format off */
const uint8_t field_byte_classes[256] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    4, 7, 4, 7, 7, 7, 7, 7, 4, 4, 7, 7, 4, 7, 7, 4, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 4, 4, 4, 4, 4, 4,
    4, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 4, 4, 4, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 4, 7, 4, 7, 0,
    4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4,
    4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4,
    4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4,
    4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4,
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

bool field_value_bytes_are_valid(struct span value)
{
    return all_are(value, FIELD_BYTE_VALUE);
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
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] <= ' ' || text.data[i] == 0x7f)
            return false;
    }
    return true;
}

int field_content_length(struct span value, uint64_t *length)
{
    return span_to_unsigned(value, INT64_MAX, length) == 0 ? 0 : HERALD_ERROR_INVALID;
}
