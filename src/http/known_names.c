#include "http/known_names.h"

static const uint8_t slots[KNOWN_NAME_SLOTS] = {KNOWN_NAME_SLOT_VALUES};

static const struct span texts[KNOWN_NAME_END] = {
#define KNOWN_NAME_TEXT(number, constant, text)                                                    \
    [number] = {(const uint8_t *)(text), sizeof(text) - 1},
    KNOWN_NAMES(KNOWN_NAME_TEXT)
#undef KNOWN_NAME_TEXT
};

_Static_assert(KNOWN_NAME_END <= 256, "a slot holds one byte");
_Static_assert(KNOWN_WWW_AUTHENTICATE == KNOWN_STATIC_LAST, "numbers follow RFC 7541 appendix A");

enum known_name known_name_find(struct span lower_case_name)
{
    const uint8_t *data = lower_case_name.data;
    size_t length = lower_case_name.length;

    if (length < 2 || length > KNOWN_NAME_LENGTH_MAXIMUM)
        return KNOWN_NONE;
    uint32_t hash = (uint32_t)length * KNOWN_NAME_LENGTH_FACTOR +
                    data[0] * KNOWN_NAME_FIRST_FACTOR + data[length - 1] * KNOWN_NAME_LAST_FACTOR +
                    data[length / 2] * KNOWN_NAME_MIDDLE_FACTOR +
                    data[length - 2] * KNOWN_NAME_PENULTIMATE_FACTOR;
    unsigned candidate = slots[(hash & 0xffff) >> 6];
    if (texts[candidate].length != length || memcmp(texts[candidate].data, data, length) != 0)
        return KNOWN_NONE;
    return (enum known_name)candidate;
}

struct span known_name_text(enum known_name known)
{
    return (unsigned)known < KNOWN_NAME_END ? texts[known] : SPAN_EMPTY;
}
