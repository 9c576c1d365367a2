#include "server/status.h"

#include <stdio.h>

static const struct {
    unsigned status;
    const char *phrase;
} phrases[] = {
    {100, "Continue"},
    {101, "Switching Protocols"},
    {103, "Early Hints"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {203, "Non-Authoritative Information"},
    {204, "No Content"},
    {205, "Reset Content"},
    {206, "Partial Content"},
    {300, "Multiple Choices"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {418, "I'm a teapot"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {425, "Too Early"},
    {426, "Upgrade Required"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
};

const char *status_phrase(unsigned status)
{
    for (size_t i = 0; i < sizeof(phrases) / sizeof(phrases[0]); i++)
        if (phrases[i].status == status)
            return phrases[i].phrase;
    return "";
}

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
    int length = snprintf(text, sizeof(text), "%u %s\n", status, status_phrase(status));
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
