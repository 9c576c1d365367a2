#include "http/base64.h"
#include "http/field_syntax.h"
#include "http/sfv_internal.h"

#define INTEGER_DIGITS       15
#define DECIMAL_WHOLE_DIGITS 12
#define DECIMAL_PART_DIGITS  3

static bool is_digit(int byte)
{
    return byte >= '0' && byte <= '9';
}

static bool is_lower(int byte)
{
    return byte >= 'a' && byte <= 'z';
}

static bool is_alpha(int byte)
{
    return is_lower(byte) || (byte >= 'A' && byte <= 'Z');
}

static bool is_key_byte(int byte)
{
    return is_lower(byte) || is_digit(byte) || byte == '_' || byte == '-' || byte == '.' ||
           byte == '*';
}

static bool is_token_byte(int byte)
{
    return byte >= 0 &&
           (field_byte_is((uint8_t)byte, FIELD_BYTE_TOKEN) || byte == ':' || byte == '/');
}

int sfv_parse_key(struct sfv_parser *parser, struct span *key)
{
    const uint8_t *start = parser->cursor;

    if (!is_lower(sfv_peek(parser)) && sfv_peek(parser) != '*')
        return sfv_fail(parser);
    while (is_key_byte(sfv_peek(parser)))
        parser->cursor++;
    *key = span_make(start, (size_t)(parser->cursor - start));
    return 0;
}

/* Section 4.2.4. */
static int parse_number(struct sfv_parser *parser, struct sfv_item *item)
{
    bool negative = sfv_take(parser, '-');
    int64_t value = 0;
    unsigned digits = 0, part = 0;

    for (; is_digit(sfv_peek(parser)); parser->cursor++) {
        if (++digits > INTEGER_DIGITS)
            return sfv_fail(parser);
        value = value * 10 + (*parser->cursor - '0');
    }
    if (digits == 0)
        return sfv_fail(parser);
    item->type = SFV_INTEGER;
    if (sfv_peek(parser) == '.') {
        parser->cursor++;
        item->type = SFV_DECIMAL;
        for (; is_digit(sfv_peek(parser)); parser->cursor++) {
            if (++part > DECIMAL_PART_DIGITS)
                return sfv_fail(parser);
            value = value * 10 + (*parser->cursor - '0');
        }
        if (part == 0 || digits > DECIMAL_WHOLE_DIGITS)
            return sfv_fail(parser);
        for (; part < DECIMAL_PART_DIGITS; part++)
            value *= 10;
    }
    item->integer = negative ? -value : value;
    return 0;
}

/* The cursor is behind the opening quote. */
static int parse_string(struct sfv_parser *parser, struct sfv_item *item)
{
    const uint8_t *start = parser->cursor;

    item->type = SFV_STRING;
    for (; !sfv_at_end(parser); parser->cursor++) {
        uint8_t byte = *parser->cursor;

        if (byte == '"') {
            item->text = span_make(start, (size_t)(parser->cursor - start));
            parser->cursor++;
            return 0;
        }
        if (byte < 0x20 || byte > 0x7e)
            break;
        if (byte == '\\') {
            parser->cursor++;
            if (sfv_peek(parser) != '"' && sfv_peek(parser) != '\\')
                break;
        }
    }
    return sfv_fail(parser);
}

static int parse_token(struct sfv_parser *parser, struct sfv_item *item)
{
    const uint8_t *start = parser->cursor;

    while (is_token_byte(sfv_peek(parser)))
        parser->cursor++;
    item->type = SFV_TOKEN;
    item->text = span_make(start, (size_t)(parser->cursor - start));
    return 0;
}

static bool is_base64(struct span text)
{
    uint8_t group[6];

    /* In whole groups, so that no buffer is needed for the length of the text. */
    while (text.length > 4) {
        if (base64_decode(span_make(text.data, 4), false, group) != 3)
            return false;
        text = span_slice(text, 4, text.length);
    }
    return base64_decode(text, false, group) >= 0;
}

static int parse_bytes(struct sfv_parser *parser, struct sfv_item *item)
{
    const uint8_t *start = parser->cursor;

    while (!sfv_at_end(parser) && *parser->cursor != ':')
        parser->cursor++;
    item->type = SFV_BYTES;
    item->text = span_make(start, (size_t)(parser->cursor - start));
    if (!sfv_take(parser, ':') || !is_base64(item->text))
        return sfv_fail(parser);
    return 0;
}

static int hex_value(int byte)
{
    if (is_digit(byte))
        return byte - '0';
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* Takes one byte of UTF-8 into account: `*left` continuation bytes are expected, the next one in
 * [*low, *high]. False when it is not allowed there (RFC 3629 section 4). */
static bool utf8_step(uint8_t byte, unsigned *left, uint8_t *low, uint8_t *high)
{
    if (*left != 0) {
        bool good = byte >= *low && byte <= *high;
        *left -= 1;
        *low = 0x80;
        *high = 0xbf;
        return good;
    }
    *low = byte == 0xe0 ? 0xa0 : byte == 0xf0 ? 0x90 : 0x80;
    *high = byte == 0xed ? 0x9f : byte == 0xf4 ? 0x8f : 0xbf;
    *left = byte < 0x80 ? 0 : byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
    return byte < 0x80 || (byte >= 0xc2 && byte <= 0xf4);
}

/* The cursor is behind the percent sign. Section 4.2.10. */
static int parse_display_string(struct sfv_parser *parser, struct sfv_item *item)
{
    unsigned left = 0;
    uint8_t low = 0x80, high = 0xbf;

    if (!sfv_take(parser, '"'))
        return sfv_fail(parser);
    const uint8_t *start = parser->cursor;
    for (; !sfv_at_end(parser); parser->cursor++) {
        uint8_t byte = *parser->cursor;

        if (byte < 0x20 || byte > 0x7e)
            break;
        if (byte == '"') {
            if (left != 0)
                break;
            item->type = SFV_DISPLAY_STRING;
            item->text = span_make(start, (size_t)(parser->cursor - start));
            parser->cursor++;
            return 0;
        }
        if (byte == '%') {
            if (parser->end - parser->cursor < 3)
                break;
            int upper = hex_value(parser->cursor[1]), lower = hex_value(parser->cursor[2]);
            if (upper < 0 || lower < 0)
                break;
            byte = (uint8_t)(upper << 4 | lower);
            parser->cursor += 2;
        }
        if (!utf8_step(byte, &left, &low, &high))
            break;
    }
    return sfv_fail(parser);
}

int sfv_parse_bare(struct sfv_parser *parser, struct sfv_item *item)
{
    int byte = sfv_peek(parser);

    *item = (struct sfv_item){0};
    if (byte == '-' || is_digit(byte))
        return parse_number(parser, item);
    if (byte == '*' || is_alpha(byte))
        return parse_token(parser, item);
    if (sfv_take(parser, '"'))
        return parse_string(parser, item);
    if (sfv_take(parser, ':'))
        return parse_bytes(parser, item);
    if (sfv_take(parser, '%'))
        return parse_display_string(parser, item);
    if (sfv_take(parser, '@')) {
        int error = parse_number(parser, item);
        if (error == 0 && item->type != SFV_INTEGER)
            return sfv_fail(parser);
        item->type = SFV_DATE;
        return error;
    }
    if (sfv_take(parser, '?')) {
        item->type = SFV_BOOLEAN;
        item->boolean = sfv_peek(parser) == '1';
        return sfv_take(parser, '0') || sfv_take(parser, '1') ? 0 : sfv_fail(parser);
    }
    return sfv_fail(parser);
}

size_t sfv_decode(const struct sfv_item *item, uint8_t *destination)
{
    size_t length = 0;

    if (item->type == SFV_BYTES) {
        /* Straight to `destination` would need the decoder's slack of up to two bytes. */
        for (struct span left = item->text; left.length != 0;
             left = span_slice(left, 4, left.length)) {
            uint8_t group[6];
            int64_t count = base64_decode(span_slice(left, 0, 4), false, group);
            memcpy(destination + length, group, count > 0 ? (size_t)count : 0);
            length += count > 0 ? (size_t)count : 0;
        }
        return length;
    }
    for (size_t i = 0; i < item->text.length; i++) {
        uint8_t byte = item->text.data[i];
        if (item->type == SFV_STRING && byte == '\\') {
            byte = item->text.data[++i];
        } else if (item->type == SFV_DISPLAY_STRING && byte == '%') {
            byte = (uint8_t)(hex_value(item->text.data[i + 1]) << 4 |
                             hex_value(item->text.data[i + 2]));
            i += 2;
        }
        destination[length++] = byte;
    }
    return length;
}
