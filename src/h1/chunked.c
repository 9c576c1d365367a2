#include "h1/chunked.h"

#include "http/field_syntax.h"

enum {
    CHUNK_SIZE,
    CHUNK_SPACE,     /* BWS after the size or an extension: only an extension may follow */
    CHUNK_EXTENSION, /* after ";" */
    CHUNK_NAME,
    CHUNK_AFTER_NAME,
    CHUNK_EQUALS,
    CHUNK_VALUE,
    CHUNK_QUOTED,
    CHUNK_ESCAPE,
    CHUNK_AFTER_VALUE,
    CHUNK_LINE_END,
    CHUNK_DATA,
    CHUNK_DATA_CR,
    CHUNK_DATA_LF
};

#define CHUNK_DIGITS_MAXIMUM 16

void h1_chunked_init(struct h1_chunked *decoder, const struct limits *limits)
{
    memset(decoder, 0, sizeof(*decoder));
    decoder->extension_size = limits->chunk_extension_size;
    decoder->extension_total_limit = limits->chunk_extension_total;
    decoder->state = CHUNK_SIZE;
}

static int hex_value(uint8_t byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    byte |= 0x20;
    if (byte >= 'a' && byte <= 'f')
        return byte - 'a' + 10;
    return -1;
}

static int size_byte(struct h1_chunked *decoder, uint8_t byte)
{
    int value = hex_value(byte);

    if (value >= 0) {
        if (++decoder->digits > CHUNK_DIGITS_MAXIMUM ||
            decoder->remaining > (INT64_MAX - (uint64_t)value) / 16)
            return HERALD_ERROR_MALFORMED;
        decoder->remaining = decoder->remaining * 16 + (uint64_t)value;
        return 0;
    }
    if (decoder->digits == 0)
        return HERALD_ERROR_MALFORMED;
    if (byte == '\r')
        decoder->state = CHUNK_LINE_END;
    else if (byte == ';')
        decoder->state = CHUNK_EXTENSION;
    else if (byte == ' ' || byte == '\t')
        decoder->state = CHUNK_SPACE;
    else
        return HERALD_ERROR_MALFORMED;
    return 0;
}

/* Between the parts of an extension: BWS, then one of the bytes that may go on. */
static int between_byte(struct h1_chunked *decoder, uint8_t byte)
{
    bool space = byte == ' ' || byte == '\t';

    if (space)
        return 0;
    switch (decoder->state) {
    case CHUNK_EXTENSION:
        decoder->state = CHUNK_NAME;
        return field_byte_is(byte, FIELD_BYTE_TOKEN) ? 0 : HERALD_ERROR_MALFORMED;
    case CHUNK_EQUALS:
        decoder->state = byte == '"' ? CHUNK_QUOTED : CHUNK_VALUE;
        return byte == '"' || field_byte_is(byte, FIELD_BYTE_TOKEN) ? 0 : HERALD_ERROR_MALFORMED;
    case CHUNK_AFTER_NAME:
        if (byte == '=') {
            decoder->state = CHUNK_EQUALS;
            return 0;
        }
        break;
    default:
        break;
    }
    if (byte != ';')
        return HERALD_ERROR_MALFORMED;
    decoder->state = CHUNK_EXTENSION;
    return 0;
}

static int token_byte(struct h1_chunked *decoder, uint8_t byte)
{
    bool name = decoder->state == CHUNK_NAME;

    if (field_byte_is(byte, FIELD_BYTE_TOKEN))
        return 0;
    if (byte == '\r')
        decoder->state = CHUNK_LINE_END;
    else if (byte == ';')
        decoder->state = CHUNK_EXTENSION;
    else if (byte == ' ' || byte == '\t')
        decoder->state = name ? CHUNK_AFTER_NAME : CHUNK_SPACE;
    else if (name && byte == '=')
        decoder->state = CHUNK_EQUALS;
    else
        return HERALD_ERROR_MALFORMED;
    return 0;
}

static int quoted_byte(struct h1_chunked *decoder, uint8_t byte)
{
    if (decoder->state == CHUNK_ESCAPE) {
        decoder->state = CHUNK_QUOTED;
        return field_byte_is(byte, FIELD_BYTE_VALUE) ? 0 : HERALD_ERROR_MALFORMED;
    }
    if (byte == '"')
        decoder->state = CHUNK_AFTER_VALUE;
    else if (byte == '\\')
        decoder->state = CHUNK_ESCAPE;
    else if (!field_byte_is(byte, FIELD_BYTE_VALUE))
        return HERALD_ERROR_MALFORMED;
    return 0;
}

/* After the closing quote. */
static int after_value_byte(struct h1_chunked *decoder, uint8_t byte)
{
    if (byte == '\r')
        decoder->state = CHUNK_LINE_END;
    else if (byte == ';')
        decoder->state = CHUNK_EXTENSION;
    else if (byte == ' ' || byte == '\t')
        decoder->state = CHUNK_SPACE;
    else
        return HERALD_ERROR_MALFORMED;
    return 0;
}

static int extension_byte(struct h1_chunked *decoder, uint8_t byte)
{
    if (byte != '\r' && (++decoder->extension_length > decoder->extension_size ||
                         ++decoder->extension_total > decoder->extension_total_limit))
        return HERALD_ERROR_LIMIT;
    switch (decoder->state) {
    case CHUNK_NAME:
    case CHUNK_VALUE:
        return token_byte(decoder, byte);
    case CHUNK_QUOTED:
    case CHUNK_ESCAPE:
        return quoted_byte(decoder, byte);
    case CHUNK_AFTER_VALUE:
        return after_value_byte(decoder, byte);
    default:
        return between_byte(decoder, byte);
    }
}

/* The LF of a chunk line: what follows is data, or the trailer section after the last chunk. */
static int line_ended(struct h1_chunked *decoder, uint8_t byte)
{
    if (byte != '\n')
        return HERALD_ERROR_MALFORMED;
    decoder->digits = 0;
    decoder->extension_length = 0;
    if (decoder->remaining == 0)
        return H1_CHUNKED_LAST;
    decoder->state = CHUNK_DATA;
    return 0;
}

static int overhead_byte(struct h1_chunked *decoder, uint8_t byte)
{
    if (++decoder->overhead > H1_CHUNKED_OVERHEAD_FREE &&
        decoder->overhead / H1_CHUNKED_OVERHEAD_RATIO > decoder->payload)
        return HERALD_ERROR_LIMIT;
    switch (decoder->state) {
    case CHUNK_SIZE:
        return size_byte(decoder, byte);
    case CHUNK_LINE_END:
        return line_ended(decoder, byte);
    case CHUNK_DATA_CR:
        decoder->state = CHUNK_DATA_LF;
        return byte == '\r' ? 0 : HERALD_ERROR_MALFORMED;
    case CHUNK_DATA_LF:
        decoder->state = CHUNK_SIZE;
        return byte == '\n' ? 0 : HERALD_ERROR_MALFORMED;
    default:
        return extension_byte(decoder, byte);
    }
}

int h1_chunked_step(struct h1_chunked *decoder, struct span *input, struct span *data)
{
    while (input->length > 0) {
        int result;

        if (decoder->state == CHUNK_DATA) {
            size_t length = input->length;

            if (length > decoder->remaining)
                length = (size_t)decoder->remaining;
            *data = span_make(input->data, length);
            *input = span_make(input->data + length, input->length - length);
            decoder->payload += length;
            decoder->remaining -= length;
            if (decoder->remaining == 0)
                decoder->state = CHUNK_DATA_CR;
            return H1_CHUNKED_DATA;
        }
        result = overhead_byte(decoder, input->data[0]);
        if (result < 0)
            return result;
        *input = span_make(input->data + 1, input->length - 1);
        if (result == H1_CHUNKED_LAST)
            return result;
    }
    return H1_CHUNKED_MORE;
}
