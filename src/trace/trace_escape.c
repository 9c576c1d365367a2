#include "trace/trace_print.h"

size_t trace_decode_utf8(struct span text, uint32_t *character)
{
    const uint8_t *bytes = text.data;
    size_t length;
    uint32_t value, least;

    if (bytes[0] < 0x80) {
        *character = bytes[0];
        return 1;
    }
    if (bytes[0] >= 0xc2 && bytes[0] <= 0xdf) {
        length = 2;
        value = bytes[0] & 0x1f;
        least = 0x80;
    } else if (bytes[0] >= 0xe0 && bytes[0] <= 0xef) {
        length = 3;
        value = bytes[0] & 0x0f;
        least = 0x800;
    } else if (bytes[0] >= 0xf0 && bytes[0] <= 0xf4) {
        length = 4;
        value = bytes[0] & 0x07;
        least = 0x10000;
    } else {
        return 0;
    }
    if (text.length < length)
        return 0;
    for (size_t i = 1; i < length; i++) {
        if ((bytes[i] & 0xc0) != 0x80)
            return 0;
        value = value << 6 | (bytes[i] & 0x3f);
    }
    if (value < least || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
        return 0;
    *character = value;
    return length;
}

struct span trace_cut(struct span text, size_t most)
{
    size_t cut = most;

    if (text.length <= most)
        return text;
    /* A character has at most three bytes after its first; more of them are no UTF-8 anyway. */
    while (cut > 0 && most - cut < 3 && (text.data[cut] & 0xc0) == 0x80)
        cut--;
    return span_slice(text, 0, (text.data[cut] & 0xc0) == 0x80 ? most : cut);
}

/* Characters that move, hide or reorder what a terminal shows. */
static bool is_deceptive(uint32_t character)
{
    static const uint32_t ranges[][2] = {
        {0x80, 0x9f},     {0xad, 0xad},     {0x61c, 0x61c},   {0x115f, 0x1160},
        {0x17b4, 0x17b5}, {0x180b, 0x180f}, {0x200b, 0x200f}, {0x2028, 0x202e},
        {0x2060, 0x206f}, {0x3164, 0x3164}, {0xfe00, 0xfe0f}, {0xfeff, 0xfeff},
        {0xffa0, 0xffa0}, {0xfff0, 0xfffb}, {0xe000, 0xf8ff}, {0xe0000, 0x10ffff},
    };

    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
        if (character >= ranges[i][0] && character <= ranges[i][1])
            return true;
    return false;
}

static int escape_byte(struct buf *out, uint8_t byte)
{
    switch (byte) {
    case '\\':
        return buf_append_text(out, "\\\\");
    case '\n':
        return buf_append_text(out, "\\n");
    case '\r':
        return buf_append_text(out, "\\r");
    case '\t':
        return buf_append_text(out, "\\t");
    default:
        return buf_printf(out, "\\x%02x", byte);
    }
}

int trace_escape(struct buf *out, struct span text)
{
    int result = 0;

    while (result == 0 && text.length > 0) {
        uint32_t character;
        size_t plain = 0, length;

        while (plain < text.length && text.data[plain] >= 0x20 && text.data[plain] < 0x7f &&
               text.data[plain] != '\\')
            plain++;
        if (plain > 0) {
            result = buf_append(out, text.data, plain);
            text = span_slice(text, plain, text.length);
            continue;
        }
        length = trace_decode_utf8(text, &character);
        if (length <= 1) {
            length = 1;
            result = escape_byte(out, text.data[0]);
        } else if (is_deceptive(character)) {
            result = buf_printf(out, "\\u{%x}", (unsigned)character);
        } else {
            result = buf_append(out, text.data, length);
        }
        text = span_slice(text, length, text.length);
    }
    return result;
}
