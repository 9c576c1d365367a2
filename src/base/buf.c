#include "base/buf.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define BUF_FIRST_CAPACITY 256

void buf_init(struct buf *buf, size_t maximum, struct account *account)
{
    *buf = (struct buf){.maximum = maximum, .account = account};
}

void buf_free(struct buf *buf)
{
    account_refund(buf->account, buf->capacity);
    free(buf->data);
    buf_init(buf, buf->maximum, buf->account);
}

static void compact(struct buf *buf)
{
    size_t length = buf_length(buf);

    if (buf->start != 0 && length != 0)
        memmove(buf->data, buf->data + buf->start, length);
    buf->start = 0;
    buf->end = length;
}

static int grow(struct buf *buf, size_t needed)
{
    size_t capacity = buf->capacity < BUF_FIRST_CAPACITY / 2 ? BUF_FIRST_CAPACITY : buf->capacity;
    size_t length = buf_length(buf);

    if (capacity == buf->capacity)
        capacity = capacity > SIZE_MAX / 2 ? SIZE_MAX : capacity * 2;
    if (capacity < needed)
        capacity = needed;
    if (capacity > buf->maximum)
        capacity = buf->maximum;

    int error = account_charge(buf->account, capacity - buf->capacity);
    if (error != 0)
        return error;
    uint8_t *data = malloc(capacity);
    if (data == NULL) {
        account_refund(buf->account, capacity - buf->capacity);
        return HERALD_ERROR_NOMEM;
    }
    if (length != 0)
        memcpy(data, buf->data + buf->start, length);
    free(buf->data);
    buf->data = data;
    buf->capacity = capacity;
    buf->start = 0;
    buf->end = length;
    return 0;
}

static int make_room(struct buf *buf, size_t extra)
{
    size_t length = buf_length(buf);

    if (extra > buf->maximum || length > buf->maximum - extra)
        return HERALD_ERROR_LIMIT;
    if (buf->data != NULL && extra <= buf->capacity - buf->end)
        return 0;

    bool fits = buf->data != NULL && length + extra <= buf->capacity;
    /* Moving bytes is paid for by the bytes consumed before: at least as many as are moved.
     * Otherwise a reader that takes a little at a time from a full buffer would cause a move of
     * everything for each append. */
    if (fits && (buf->start >= length || buf->capacity == buf->maximum)) {
        compact(buf);
        return 0;
    }
    int error = grow(buf, length + extra);
    if (error != 0 && fits) {
        compact(buf);
        return 0;
    }
    return error;
}

uint8_t *buf_reserve(struct buf *buf, size_t extra, int *error)
{
    int code = make_room(buf, extra);

    if (error != NULL)
        *error = code;
    return code == 0 ? buf->data + buf->end : NULL;
}

void buf_commit(struct buf *buf, size_t length)
{
    buf->end += length;
}

int buf_append(struct buf *buf, const void *data, size_t length)
{
    int error;

    if (length == 0)
        return 0;
    uint8_t *to = buf_reserve(buf, length, &error);
    if (to == NULL)
        return error;
    memcpy(to, data, length);
    buf_commit(buf, length);
    return 0;
}

int buf_append_span(struct buf *buf, struct span span)
{
    return buf_append(buf, span.data, span.length);
}

int buf_append_text(struct buf *buf, const char *text)
{
    return buf_append(buf, text, strlen(text));
}

int buf_append_byte(struct buf *buf, uint8_t byte)
{
    return buf_append(buf, &byte, 1);
}

int buf_printf(struct buf *buf, const char *format, ...)
{
    va_list arguments;
    int error;

    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0)
        return HERALD_ERROR_INVALID;

    size_t room = (size_t)length + 1;
    /* vsnprintf wants a byte for the NUL, which must not count against the maximum of a buffer that
     * is just full. */
    if (buf_length(buf) + room > buf->maximum && buf_length(buf) + room - 1 <= buf->maximum) {
        char *text = malloc(room);
        if (text == NULL)
            return HERALD_ERROR_NOMEM;
        va_start(arguments, format);
        vsnprintf(text, room, format, arguments);
        va_end(arguments);
        error = buf_append(buf, text, room - 1);
        free(text);
        return error;
    }
    uint8_t *to = buf_reserve(buf, room, &error);
    if (to == NULL)
        return error;
    va_start(arguments, format);
    vsnprintf((char *)to, room, format, arguments);
    va_end(arguments);
    buf_commit(buf, room - 1);
    return 0;
}

void buf_consume(struct buf *buf, size_t length)
{
    if (length >= buf_length(buf))
        buf_clear(buf);
    else
        buf->start += length;
}

void buf_clear(struct buf *buf)
{
    buf->start = 0;
    buf->end = 0;
}
