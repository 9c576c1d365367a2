#include "http/alt_svc.h"
#include "base/err.h"
#include "http/field_syntax.h"
#include "http/uri.h"
#include <stdio.h>

static bool take(struct span *text, uint8_t byte)
{
    if (text->length == 0 || text->data[0] != byte)
        return false;
    *text = span_slice(*text, 1, text->length);
    return true;
}

static void skip_blanks(struct span *text)
{
    while (take(text, ' ') || take(text, '\t'))
        ;
}

static struct span take_token(struct span *text)
{
    size_t length = 0;

    while (length < text->length && field_byte_is(text->data[length], FIELD_BYTE_TOKEN))
        length++;
    struct span token = span_slice(*text, 0, length);
    *text = span_slice(*text, length, text->length);
    return token;
}

/* A quoted string without escapes, or a token. */
static int take_value(struct span *text, struct span *value)
{
    if (!take(text, '"')) {
        *value = take_token(text);
        return value->length != 0 ? 0 : HERALD_ERROR_INVALID;
    }
    const uint8_t *quote = text->length == 0 ? NULL : memchr(text->data, '"', text->length);
    if (quote == NULL)
        return HERALD_ERROR_INVALID;
    *value = span_slice(*text, 0, (size_t)(quote - text->data));
    *text = span_slice(*text, value->length + 1, text->length);
    return memchr(value->data, '\\', value->length) == NULL ? 0 : HERALD_ERROR_INVALID;
}

static int set_protocol(struct alt_svc *service, struct span name)
{
    uint8_t decoded[64];

    if (name.length == 0)
        return HERALD_ERROR_INVALID;
    if (name.length > sizeof(decoded))
        return 0;
    int64_t length = uri_decode(name, decoded);
    if (length < 0)
        return HERALD_ERROR_INVALID;
    if ((size_t)length < sizeof(service->protocol) && memchr(decoded, 0, (size_t)length) == NULL)
        memcpy(service->protocol, decoded, (size_t)length);
    return 0;
}

/* "host:port" or ":port". */
static int set_authority(struct alt_svc *service, struct span authority)
{
    uint64_t port;

    if (authority.length != 0 && authority.data[0] == ':') {
        if (span_to_unsigned(span_slice(authority, 1, authority.length), 65535, &port) != 0)
            return HERALD_ERROR_INVALID;
        service->port = (uint16_t)port;
    } else if (authority_split(authority, 0, &service->host, &service->port, NULL) != 0) {
        return HERALD_ERROR_INVALID;
    }
    return service->port != 0 ? 0 : HERALD_ERROR_INVALID;
}

static int take_parameter(struct span *rest, struct alt_svc *service)
{
    struct span value;

    skip_blanks(rest);
    struct span name = take_token(rest);
    if (name.length == 0 || !take(rest, '=') || take_value(rest, &value) != 0)
        return HERALD_ERROR_INVALID;
    if (span_equals_ignoring_case(name, SPAN_LITERAL("ma"))) {
        uint64_t seconds;
        int error = span_to_unsigned(value, UINT32_MAX, &seconds);
        if (error == HERALD_ERROR_INVALID)
            return error;
        service->max_age = error == 0 ? (uint32_t)seconds : UINT32_MAX;
    } else if (span_equals_ignoring_case(name, SPAN_LITERAL("persist"))) {
        service->persist = span_equals(value, SPAN_LITERAL("1"));
    }
    return 0;
}

int alt_svc_next(struct span *rest, struct alt_svc *service)
{
    struct span value;

    *service = (struct alt_svc){.max_age = ALT_SVC_MAX_AGE_DEFAULT};
    do
        skip_blanks(rest);
    while (take(rest, ','));
    if (rest->length == 0)
        return 0;
    struct span name = take_token(rest);
    if (span_equals(name, SPAN_LITERAL("clear")) && span_trim(*rest).length == 0) {
        *rest = SPAN_EMPTY;
        return 2;
    }
    if (!take(rest, '=') || set_protocol(service, name) != 0 || take_value(rest, &value) != 0 ||
        set_authority(service, value) != 0)
        return HERALD_ERROR_INVALID;
    skip_blanks(rest);
    while (take(rest, ';')) {
        if (take_parameter(rest, service) != 0)
            return HERALD_ERROR_INVALID;
        skip_blanks(rest);
    }
    return rest->length == 0 || rest->data[0] == ',' ? 1 : HERALD_ERROR_INVALID;
}

size_t alt_svc_format(const struct alt_svc *service, char *text, size_t capacity)
{
    bool literal =
        service->host.length != 0 && memchr(service->host.data, ':', service->host.length) != NULL;
    char protocol[sizeof(service->protocol) * 3 + 1];
    size_t length = 0;

    for (const char *byte = service->protocol; *byte != 0; byte++) {
        bool plain = field_byte_is((uint8_t)*byte, FIELD_BYTE_TOKEN) && *byte != '%';
        length += (size_t)snprintf(protocol + length, sizeof(protocol) - length,
                                   plain ? "%c" : "%%%02X", (uint8_t)*byte);
    }
    protocol[length] = 0;
    int written = snprintf(text, capacity, "%s=\"%s%.*s%s:%u\"; ma=%u%s", protocol,
                           literal ? "[" : "", SPAN_ARGUMENTS(service->host), literal ? "]" : "",
                           service->port, service->max_age, service->persist ? "; persist=1" : "");
    return written > 0 && (size_t)written < capacity ? (size_t)written : 0;
}
