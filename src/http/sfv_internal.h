/* Shared by sfv.c (lists, dictionaries, parameters) and sfv_bare.c (keys and bare items). */
#ifndef HTTP_SFV_INTERNAL_H
#define HTTP_SFV_INTERNAL_H

#include "base/err.h"
#include "http/sfv.h"

static inline int sfv_fail(struct sfv_parser *parser)
{
    parser->failed = true;
    return HERALD_ERROR_INVALID;
}

static inline bool sfv_at_end(const struct sfv_parser *parser)
{
    return parser->cursor == parser->end;
}

/* The next byte, or -1. */
static inline int sfv_peek(const struct sfv_parser *parser)
{
    return sfv_at_end(parser) ? -1 : *parser->cursor;
}

static inline bool sfv_take(struct sfv_parser *parser, int byte)
{
    if (sfv_peek(parser) != byte)
        return false;
    parser->cursor++;
    return true;
}

/* Section 4.2.3.3 and 4.2.3.1: 0 or HERALD_ERROR_INVALID. */
int sfv_parse_key(struct sfv_parser *parser, struct span *key);
int sfv_parse_bare(struct sfv_parser *parser, struct sfv_item *item);

#endif
