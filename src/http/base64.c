#include "http/base64.h"
#include "base/err.h"

static int digit(uint8_t byte, bool url_alphabet)
{
    if (byte >= 'A' && byte <= 'Z')
        return byte - 'A';
    if (byte >= 'a' && byte <= 'z')
        return byte - 'a' + 26;
    if (byte >= '0' && byte <= '9')
        return byte - '0' + 52;
    if (byte == (url_alphabet ? '-' : '+'))
        return 62;
    if (byte == (url_alphabet ? '_' : '/'))
        return 63;
    return -1;
}

int64_t base64_decode(struct span text, bool url_alphabet, uint8_t *destination)
{
    size_t length = text.length, written = 0;
    uint32_t bits = 0;
    unsigned count = 0;

    while (length != 0 && text.data[length - 1] == '=')
        length--;
    size_t padding = text.length - length;
    if (length % 4 == 1 || padding > 2 || (padding != 0 && text.length % 4 != 0))
        return HERALD_ERROR_INVALID;
    for (size_t i = 0; i < length; i++) {
        int value = digit(text.data[i], url_alphabet);
        if (value < 0)
            return HERALD_ERROR_INVALID;
        bits = bits << 6 | (uint32_t)value;
        count += 6;
        if (count >= 8) {
            count -= 8;
            destination[written++] = (uint8_t)(bits >> count);
        }
    }
    return (int64_t)written;
}

size_t base64_encode(struct span bytes, bool url_alphabet, char *destination)
{
    const char *digits = url_alphabet
                             ? "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
                             : "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t written = 0;

    for (size_t i = 0; i < bytes.length; i += 3) {
        size_t here = bytes.length - i < 3 ? bytes.length - i : 3;
        uint32_t group = (uint32_t)bytes.data[i] << 16 |
                         (here > 1 ? (uint32_t)bytes.data[i + 1] << 8 : 0) |
                         (here > 2 ? bytes.data[i + 2] : 0);
        for (size_t j = 0; j <= here; j++)
            destination[written++] = digits[group >> (18 - 6 * j) & 63];
        for (size_t j = here; j < 3 && !url_alphabet; j++)
            destination[written++] = '=';
    }
    return written;
}
