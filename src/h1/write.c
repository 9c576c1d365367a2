#include "h1/write.h"

#include "http/reason.h"

/* Status line or request line apart from their spans, Connection, Transfer-Encoding,
 * Content-Length, Upgrade apart from its token, TE, and the empty line. */
#define FIXED_BOUND 320

#define PUT(at, text) put((at), SPAN_LITERAL(text))

static inline uint8_t *put(uint8_t *at, struct span text)
{
    if (text.length > 0)
        memcpy(at, text.data, text.length);
    return at + text.length;
}

static uint8_t *put_decimal(uint8_t *at, uint64_t value)
{
    uint8_t digits[20];
    size_t count = 0;

    do {
        digits[count++] = (uint8_t)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    while (count > 0)
        *at++ = digits[--count];
    return at;
}

size_t h1_write_hexadecimal(uint8_t *destination, uint64_t value)
{
    static const char digit[] = "0123456789abcdef";
    size_t length = 1;

    for (uint64_t rest = value >> 4; rest > 0; rest >>= 4)
        length++;
    for (size_t i = length; i > 0; i--) {
        destination[i - 1] = (uint8_t)digit[value & 15];
        value >>= 4;
    }
    return length;
}
/* Fields whose place is taken by the plan. */
static bool is_planned(uint16_t known)
{
    switch (known) {
    case KNOWN_CONNECTION:
    case KNOWN_CONTENT_LENGTH:
    case KNOWN_HOST:
    case KNOWN_KEEP_ALIVE:
    case KNOWN_PROXY_CONNECTION:
    case KNOWN_TE:
    case KNOWN_TRANSFER_ENCODING:
    case KNOWN_UPGRADE:
        return true;
    default:
        return false;
    }
}

static size_t fields_bound(const struct fields *fields)
{
    size_t size = 0;

    for (size_t i = 0; i < fields->count; i++)
        size += fields->items[i].name.length + fields->items[i].value.length + 4;
    return size;
}

size_t h1_head_bound(const struct h1_head_plan *plan)
{
    const struct message *message = plan->message;
    return FIXED_BOUND + fields_bound(&message->fields) + message->reason.length +
           message->method.length + message->path.length + 2 * message->authority.length +
           plan->upgrade.length;
}

static inline uint8_t *put_field(uint8_t *at, const struct field *field)
{
    at = put(at, field->name);
    *at++ = ':';
    *at++ = ' ';
    at = put(at, field->value);
    *at++ = '\r';
    *at++ = '\n';
    return at;
}

static uint8_t *put_fields(uint8_t *at, const struct fields *fields)
{
    for (size_t i = 0; i < fields->count; i++) {
        if (!is_planned(fields->items[i].known))
            at = put_field(at, &fields->items[i]);
    }
    return at;
}

static uint8_t *put_plan(uint8_t *at, const struct h1_head_plan *plan)
{
    if (plan->send_length) {
        at = PUT(at, "content-length: ");
        at = put_decimal(at, plan->length);
        at = PUT(at, "\r\n");
    }
    if (plan->chunked)
        at = PUT(at, "transfer-encoding: chunked\r\n");
    if (plan->upgrade.length > 0) {
        at = PUT(at, "connection: upgrade\r\nupgrade: ");
        at = put(at, plan->upgrade);
        at = PUT(at, "\r\n");
    } else if (plan->close) {
        at = PUT(at, "connection: close\r\n");
    } else if (plan->keep_alive) {
        at = PUT(at, "connection: keep-alive\r\n");
    }
    return PUT(at, "\r\n");
}

size_t h1_write_response_head(uint8_t *destination, const struct h1_head_plan *plan)
{
    const struct message *message = plan->message;
    uint8_t *at = PUT(destination, "HTTP/1.1 ");

    at = put_decimal(at, message->status);
    *at++ = ' ';
    at = put(at, message->reason.length > 0 ? message->reason : reason_phrase(message->status));
    at = PUT(at, "\r\n");
    at = put_fields(at, &message->fields);
    return (size_t)(put_plan(at, plan) - destination);
}

size_t h1_write_request_head(uint8_t *destination, const struct h1_head_plan *plan)
{
    const struct message *message = plan->message;
    bool connect = span_equals(message->method, SPAN_LITERAL("CONNECT"));
    uint8_t *at = put(destination, message->method);

    *at++ = ' ';
    at = put(at, connect ? message->authority : message->path);
    at = PUT(at, " HTTP/1.1\r\nhost: ");
    at = put(at, message->authority);
    at = PUT(at, "\r\n");
    at = put_fields(at, &message->fields);
    /* The only member of TE with a meaning to us; it is hop by hop and must be named as such. */
    if (plan->upgrade.length == 0 && !plan->close && !plan->keep_alive &&
        fields_find(&message->fields, KNOWN_TE) != NULL)
        at = PUT(at, "te: trailers\r\nconnection: te\r\n");
    return (size_t)(put_plan(at, plan) - destination);
}

size_t h1_trailers_bound(const struct fields *trailers)
{
    return fields_bound(trailers) + 2;
}

size_t h1_write_trailers(uint8_t *destination, const struct fields *trailers)
{
    uint8_t *at = put_fields(destination, trailers);

    return (size_t)(PUT(at, "\r\n") - destination);
}
