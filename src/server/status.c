#include "server/status.h"

#include "http/reason.h"

#include <stdio.h>

#define SHORT_FIELDS_MAXIMUM 8

int status_respond(struct exchange *exchange, unsigned status, const struct field *fields,
                   size_t count)
{
    struct field all[SHORT_FIELDS_MAXIMUM + 1];
    if (count > SHORT_FIELDS_MAXIMUM)
        return HERALD_ERROR_INVALID;
    all[0] = FIELD("content-type", "text/plain; charset=utf-8");
    for (size_t i = 0; i < count; i++)
        all[i + 1] = fields[i];

    char text[64];
    int length =
        snprintf(text, sizeof(text), "%u %.*s\n", status, SPAN_ARGUMENTS(reason_phrase(status)));
    bool content = message_response_has_content(exchange->incoming.method, status);
    bool is_head = span_equals(exchange->incoming.method, SPAN_LITERAL("HEAD"));
    int result = exchange_respond(exchange, status, content || is_head ? all : fields,
                                  content || is_head ? count + 1 : count,
                                  content || is_head ? (uint64_t)length : CONTENT_LENGTH_UNKNOWN);
    if (result == 0 && content)
        result = exchange_write(exchange, span_make(text, (size_t)length));
    if (result == 0)
        result = exchange_finish(exchange, NULL, 0);
    exchange_discard_input(exchange);
    return result;
}
