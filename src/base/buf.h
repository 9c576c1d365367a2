/* A growable byte buffer with a stated maximum and a read position. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/account.h"
#include "base/span.h"

struct buf {
    uint8_t *data;
    size_t start; /* first unread byte */
    size_t end;   /* one past the last byte */
    size_t capacity;
    size_t maximum;          /* of (end - start); growth beyond it is refused */
    struct account *account; /* charged with the capacity; may be NULL */
};

/* No allocation happens before the first append. `maximum` in bytes, not 0. */
void buf_init(struct buf *buf, size_t maximum, struct account *account);

/* Frees the storage; the buffer is as after buf_init. */
void buf_free(struct buf *buf);

static inline size_t buf_length(const struct buf *buf)
{
    return buf->end - buf->start;
}

static inline struct span buf_span(const struct buf *buf)
{
    return span_make(buf->data == NULL ? NULL : buf->data + buf->start, buf->end - buf->start);
}

/* Makes room for `extra` more bytes and returns where they go; follow with buf_commit. NULL when
 * the maximum or the account would be exceeded or memory is out (buf unchanged); `*error` (may be
 * NULL) then holds the code. */
uint8_t *buf_reserve(struct buf *buf, size_t extra, int *error);
void buf_commit(struct buf *buf, size_t length);

/* Returns 0, HERALD_ERROR_LIMIT or HERALD_ERROR_NOMEM; on error nothing was appended. */
int buf_append(struct buf *buf, const void *data, size_t length);
int buf_append_span(struct buf *buf, struct span span);
int buf_append_text(struct buf *buf, const char *text);
int buf_append_byte(struct buf *buf, uint8_t byte);
int buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Drops `length` bytes (at most what is there) from the front. */
void buf_consume(struct buf *buf, size_t length);

/* Forgets the contents, keeps the storage. */
void buf_clear(struct buf *buf);

#endif
