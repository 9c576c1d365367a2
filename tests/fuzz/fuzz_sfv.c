/* Structured fields: looking at everything and looking at nothing give the same verdict, and each
 * bare item that is read can be written and reads the same again. */
#include "http/sfv.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            __builtin_trap();                                                                      \
    } while (0)

static int write_item(struct buf *out, const struct sfv_item *item, struct span decoded)
{
    switch (item->type) {
    case SFV_INTEGER:
        return sfv_write_integer(out, item->integer);
    case SFV_DECIMAL:
        return sfv_write_decimal(out, item->integer);
    case SFV_STRING:
        return sfv_write_string(out, decoded);
    case SFV_TOKEN:
        return sfv_write_token(out, decoded);
    case SFV_BYTES:
        return sfv_write_bytes(out, decoded);
    case SFV_BOOLEAN:
        return sfv_write_boolean(out, item->boolean);
    case SFV_DATE:
        return sfv_write_date(out, item->integer);
    default:
        return sfv_write_display_string(out, decoded);
    }
}

static void check_item(const struct sfv_item *item)
{
    uint8_t *first = malloc(item->text.length + 1);
    struct span decoded = span_make(first, sfv_decode(item, first));
    struct sfv_parser parser;
    struct sfv_item again;
    struct buf out;

    CHECK(decoded.length <= item->text.length);
    buf_init(&out, 1 << 20, NULL);
    CHECK(write_item(&out, item, decoded) == 0);
    sfv_parser_init(&parser, buf_span(&out));
    CHECK(sfv_next_item(&parser, &again) == 1);
    CHECK(sfv_next_item(&parser, &again) == 0);
    CHECK(again.type == item->type && again.integer == item->integer &&
          again.boolean == item->boolean);
    uint8_t *second = malloc(again.text.length + 1);
    CHECK(span_equals(span_make(second, sfv_decode(&again, second)), decoded));
    free(first);
    free(second);
    buf_free(&out);
}

static int walk_parameters(struct sfv_parser *parser)
{
    struct sfv_item item;
    struct span key;
    int state;

    while ((state = sfv_next_parameter(parser, &key, &item)) > 0)
        check_item(&item);
    return state;
}

static int walk_value(struct sfv_parser *parser, const struct sfv_item *value)
{
    struct sfv_item item;
    int state;

    if (value->type != SFV_INNER_LIST) {
        check_item(value);
        return walk_parameters(parser);
    }
    while ((state = sfv_next_inner(parser, &item)) > 0) {
        check_item(&item);
        if (walk_parameters(parser) < 0)
            return -1;
    }
    return state < 0 ? state : walk_parameters(parser);
}

static int walk(struct span text, bool dictionary, bool look)
{
    struct sfv_parser parser;
    struct sfv_item item;
    struct span key;
    int state;

    sfv_parser_init(&parser, text);
    for (;;) {
        state =
            dictionary ? sfv_next_member(&parser, &key, &item) : sfv_next_element(&parser, &item);
        if (state <= 0)
            break;
        if (look && walk_value(&parser, &item) < 0)
            return -1;
    }
    CHECK(sfv_next_element(&parser, &item) == state);
    return state < 0 ? -1 : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = span_make(data, size);
    struct sfv_parser parser;
    struct sfv_item item;

    CHECK(walk(text, true, true) == walk(text, true, false));
    CHECK(walk(text, false, true) == walk(text, false, false));
    sfv_parser_init(&parser, text);
    if (sfv_next_item(&parser, &item) > 0) {
        check_item(&item);
        sfv_next_item(&parser, &item);
    }
    return 0;
}
