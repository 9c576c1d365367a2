#include "base/err.h"
#include "http/base64.h"
#include "http/field_syntax.h"
#include "http/sfv.h"
#include <inttypes.h>

#define INTEGER_MAXIMUM INT64_C(999999999999999)

int sfv_write_integer(struct buf *out, int64_t value)
{
    if (value > INTEGER_MAXIMUM || value < -INTEGER_MAXIMUM)
        return HERALD_ERROR_INVALID;
    return buf_printf(out, "%" PRId64, value);
}

int sfv_write_decimal(struct buf *out, int64_t thousandths)
{
    if (thousandths > INTEGER_MAXIMUM || thousandths < -INTEGER_MAXIMUM)
        return HERALD_ERROR_INVALID;
    uint64_t size = (uint64_t)(thousandths < 0 ? -thousandths : thousandths);
    unsigned part = (unsigned)(size % 1000);
    int digits = part % 100 == 0 ? 1 : part % 10 == 0 ? 2 : 3;

    part = digits == 1 ? part / 100 : digits == 2 ? part / 10 : part;
    return buf_printf(out, "%s%" PRIu64 ".%0*u", thousandths < 0 ? "-" : "", size / 1000, digits,
                      part);
}

int sfv_write_string(struct buf *out, struct span text)
{
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] < 0x20 || text.data[i] > 0x7e)
            return HERALD_ERROR_INVALID;
    }
    uint8_t *room = buf_reserve(out, text.length * 2 + 2, NULL);
    size_t length = 0;
    if (room == NULL)
        return HERALD_ERROR_NOMEM;
    room[length++] = '"';
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] == '"' || text.data[i] == '\\')
            room[length++] = '\\';
        room[length++] = text.data[i];
    }
    room[length++] = '"';
    buf_commit(out, length);
    return 0;
}

int sfv_write_token(struct buf *out, struct span text)
{
    for (size_t i = 0; i < text.length; i++) {
        uint8_t byte = text.data[i];
        bool alpha = (byte | 0x20) >= 'a' && (byte | 0x20) <= 'z';
        bool inside = field_byte_is(byte, FIELD_BYTE_TOKEN) || byte == ':' || byte == '/';
        if (i == 0 ? !alpha && byte != '*' : !inside)
            return HERALD_ERROR_INVALID;
    }
    return text.length == 0 ? HERALD_ERROR_INVALID : buf_append_span(out, text);
}

int sfv_write_bytes(struct buf *out, struct span bytes)
{
    uint8_t *room = buf_reserve(out, (bytes.length + 2) / 3 * 4 + 2, NULL);

    if (room == NULL)
        return HERALD_ERROR_NOMEM;
    size_t length = base64_encode(bytes, false, (char *)room + 1);
    room[0] = ':';
    room[length + 1] = ':';
    buf_commit(out, length + 2);
    return 0;
}

int sfv_write_boolean(struct buf *out, bool value)
{
    return buf_append_text(out, value ? "?1" : "?0");
}

int sfv_write_date(struct buf *out, int64_t seconds)
{
    if (seconds > INTEGER_MAXIMUM || seconds < -INTEGER_MAXIMUM)
        return HERALD_ERROR_INVALID;
    return buf_printf(out, "@%" PRId64, seconds);
}

int sfv_write_display_string(struct buf *out, struct span utf8)
{
    static const char hex[] = "0123456789abcdef";
    uint8_t *room = buf_reserve(out, utf8.length * 3 + 3, NULL);
    size_t length = 0;

    if (room == NULL)
        return HERALD_ERROR_NOMEM;
    room[length++] = '%';
    room[length++] = '"';
    for (size_t i = 0; i < utf8.length; i++) {
        uint8_t byte = utf8.data[i];
        if (byte == '%' || byte == '"' || byte < 0x20 || byte > 0x7e) {
            room[length++] = '%';
            room[length++] = (uint8_t)hex[byte >> 4];
            room[length++] = (uint8_t)hex[byte & 15];
        } else {
            room[length++] = byte;
        }
    }
    room[length++] = '"';
    buf_commit(out, length);
    return 0;
}

int sfv_write_key(struct buf *out, struct span key)
{
    for (size_t i = 0; i < key.length; i++) {
        uint8_t byte = key.data[i];
        bool lower = byte >= 'a' && byte <= 'z';
        bool inside = lower || (byte >= '0' && byte <= '9') || byte == '_' || byte == '-' ||
                      byte == '.' || byte == '*';
        if (i == 0 ? !lower && byte != '*' : !inside)
            return HERALD_ERROR_INVALID;
    }
    return key.length == 0 ? HERALD_ERROR_INVALID : buf_append_span(out, key);
}
