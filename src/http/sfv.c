#include "http/sfv.h"
#include "http/sfv_internal.h"

void sfv_parser_init(struct sfv_parser *parser, struct span text)
{
    *parser = (struct sfv_parser){0};
    parser->cursor = text.data;
    parser->end = text.length == 0 ? text.data : text.data + text.length;
}

static void skip_spaces(struct sfv_parser *parser)
{
    while (sfv_take(parser, ' '))
        ;
}

static void skip_blanks(struct sfv_parser *parser)
{
    while (sfv_take(parser, ' ') || sfv_take(parser, '\t'))
        ;
}

static int parse_item_or_inner(struct sfv_parser *parser, struct sfv_item *item)
{
    if (sfv_take(parser, '(')) {
        *item = (struct sfv_item){.type = SFV_INNER_LIST};
        parser->in_inner = true;
        parser->parameters = false;
        return 1;
    }
    int error = sfv_parse_bare(parser, item);
    parser->parameters = error == 0;
    return error == 0 ? 1 : error;
}

int sfv_next_parameter(struct sfv_parser *parser, struct span *key, struct sfv_item *item)
{
    if (parser->failed)
        return HERALD_ERROR_INVALID;
    if (!parser->parameters || !sfv_take(parser, ';')) {
        parser->parameters = false;
        return 0;
    }
    skip_spaces(parser);
    int error = sfv_parse_key(parser, key);
    if (error == 0 && sfv_take(parser, '='))
        error = sfv_parse_bare(parser, item);
    else
        *item = (struct sfv_item){.type = SFV_BOOLEAN, .boolean = true};
    return error == 0 ? 1 : error;
}

static int skip_parameters(struct sfv_parser *parser)
{
    struct sfv_item item;
    struct span key;
    int state;

    while ((state = sfv_next_parameter(parser, &key, &item)) > 0)
        ;
    return state;
}

int sfv_next_inner(struct sfv_parser *parser, struct sfv_item *item)
{
    if (!parser->in_inner)
        return parser->failed ? HERALD_ERROR_INVALID : 0;
    bool first = parser->cursor[-1] == '(' && !parser->parameters;
    int error = skip_parameters(parser);
    if (error != 0)
        return error;
    int before = sfv_peek(parser);
    skip_spaces(parser);
    if (sfv_take(parser, ')')) {
        parser->in_inner = false;
        parser->parameters = true;
        return 0;
    }
    if (!first && before != ' ')
        return sfv_fail(parser);
    error = sfv_parse_bare(parser, item);
    parser->parameters = error == 0;
    return error == 0 ? 1 : error;
}

/* Behind the last value: 1 at the next one, 0 at the end. */
static int go_to_next(struct sfv_parser *parser)
{
    struct sfv_item item;
    int state;

    while ((state = sfv_next_inner(parser, &item)) > 0)
        ;
    if (state == 0)
        state = skip_parameters(parser);
    if (state != 0)
        return state;
    if (!parser->started) {
        parser->started = true;
        skip_spaces(parser);
        return sfv_at_end(parser) ? 0 : 1;
    }
    skip_blanks(parser);
    if (sfv_at_end(parser))
        return 0;
    if (!sfv_take(parser, ','))
        return sfv_fail(parser);
    skip_blanks(parser);
    return sfv_at_end(parser) ? sfv_fail(parser) : 1;
}

int sfv_next_element(struct sfv_parser *parser, struct sfv_item *item)
{
    int state = go_to_next(parser);

    return state > 0 ? parse_item_or_inner(parser, item) : state;
}

int sfv_next_member(struct sfv_parser *parser, struct span *key, struct sfv_item *item)
{
    int state = go_to_next(parser);

    if (state <= 0)
        return state;
    if (sfv_parse_key(parser, key) != 0)
        return HERALD_ERROR_INVALID;
    if (sfv_take(parser, '='))
        return parse_item_or_inner(parser, item);
    *item = (struct sfv_item){.type = SFV_BOOLEAN, .boolean = true};
    parser->parameters = true;
    return 1;
}

int sfv_next_item(struct sfv_parser *parser, struct sfv_item *item)
{
    int error;

    if (!parser->started) {
        parser->started = true;
        skip_spaces(parser);
        error = sfv_parse_bare(parser, item);
        parser->parameters = error == 0;
        return error == 0 ? 1 : error;
    }
    error = skip_parameters(parser);
    if (error != 0)
        return error;
    skip_spaces(parser);
    return sfv_at_end(parser) ? 0 : sfv_fail(parser);
}
