/* The access log: any format compiles or is refused at a place inside it, and a line holds nothing
 * that could start another one. Up to the first newline the input is the format, then come path,
 * agent and referer. */
#include "server/access_format.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            __builtin_trap();                                                                      \
    } while (0)

static bool is_printable(struct span text)
{
    for (size_t i = 0; i < text.length; i++)
        if (text.data[i] < 0x20 || text.data[i] > 0x7e)
            return false;
    return true;
}

static void write_line(const struct access_format *format, struct span rest, bool plain)
{
    struct field items[2] = {FIELD("user-agent", ""), FIELD("referer", "")};
    struct exchange exchange = {.limits = NULL};
    struct buf line;
    items[0].value = span_slice(rest, 0, rest.length / 2);
    items[1].value = span_slice(rest, rest.length / 2, rest.length);
    exchange.incoming = (struct message){
        .version = HTTP_2, .method = SPAN_LITERAL("GET"), .path = rest, .fields = {items, 2, 2}};
    buf_init(&line, 8192, NULL);
    int result = access_format_write(format, &exchange, SPAN_LITERAL("[now]"), &line);
    CHECK(result == 0 || result == HERALD_ERROR_LIMIT || result == HERALD_ERROR_NOMEM);
    CHECK(buf_length(&line) <= 8192);
    CHECK(!plain || is_printable(buf_span(&line)));
    buf_free(&line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *newline = size == 0 ? NULL : memchr(data, '\n', size);
    size_t length = newline == NULL ? size : (size_t)(newline - data);
    char *text = calloc(1, length + 1);
    if (text == NULL)
        return 0;
    if (length > 0)
        memcpy(text, data, length);
    struct access_format format;
    const char *bad = NULL;
    int result = access_format_compile(&format, text, &bad);
    if (result == 0) {
        write_line(&format, span_make(data + length, size - length),
                   is_printable(span_from_text(text)));
        access_format_free(&format);
    } else {
        CHECK(bad >= text && bad <= text + length);
    }
    free(text);
    return 0;
}
