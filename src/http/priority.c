#include "http/priority.h"
#include "base/err.h"
#include "http/sfv.h"

int priority_parse(struct span text, struct priority *priority)
{
    struct priority result = *priority;
    struct sfv_parser parser;
    struct sfv_item value;
    struct span key;
    int state;

    sfv_parser_init(&parser, text);
    while ((state = sfv_next_member(&parser, &key, &value)) > 0) {
        /* Of two members with one key the last counts, also when its value then counts for nothing.
         */
        if (span_equals(key, SPAN_LITERAL("u"))) {
            bool good = value.type == SFV_INTEGER && value.integer >= 0 && value.integer <= 7;
            result.urgency = good ? (uint8_t)value.integer : priority->urgency;
        } else if (span_equals(key, SPAN_LITERAL("i"))) {
            bool good = value.type == SFV_BOOLEAN;
            result.incremental = good ? value.boolean : priority->incremental;
        }
    }
    if (state < 0)
        return HERALD_ERROR_INVALID;
    *priority = result;
    return 0;
}

size_t priority_format(struct priority priority, char text[16])
{
    size_t length = 0;

    if (priority.urgency != PRIORITY_URGENCY_DEFAULT) {
        text[length++] = 'u';
        text[length++] = '=';
        text[length++] = (char)('0' + (priority.urgency & 7));
    }
    if (priority.incremental) {
        if (length != 0) {
            text[length++] = ',';
            text[length++] = ' ';
        }
        text[length++] = 'i';
    }
    return length;
}
