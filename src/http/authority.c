#include "http/field_syntax.h"
#include "http/rules.h"
#include <arpa/inet.h>

static bool is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

static bool is_hex(uint8_t byte)
{
    return is_digit(byte) || (byte >= 'a' && byte <= 'f') || (byte >= 'A' && byte <= 'F');
}

/* *( unreserved / sub-delims / pct-encoded ), RFC 3986 section 3.2.2. */
static bool is_registered_name(struct span host)
{
    for (size_t i = 0; i < host.length; i++) {
        uint8_t byte = host.data[i];

        if (byte == '%') {
            if (host.length - i < 3 || !is_hex(host.data[i + 1]) || !is_hex(host.data[i + 2]))
                return false;
            i += 2;
        } else if (!field_byte_is(byte, FIELD_BYTE_HOST)) {
            return false;
        }
    }
    return host.length != 0;
}

static bool is_ipv6(struct span address)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr ignored;

    if (address.length >= sizeof(text) || memchr(address.data, 0, address.length) != NULL)
        return false;
    memcpy(text, address.data, address.length);
    text[address.length] = 0;
    return inet_pton(AF_INET6, text, &ignored) == 1;
}

/* Finds the host, checks it and gives what follows it. */
static bool split_host(struct span authority, struct span *rest)
{
    size_t length = 0;

    if (authority.length != 0 && authority.data[0] == '[') {
        const uint8_t *close = memchr(authority.data, ']', authority.length);
        if (close == NULL)
            return false;
        length = (size_t)(close - authority.data) + 1;
        if (!is_ipv6(span_slice(authority, 1, length - 2)))
            return false;
    } else {
        const uint8_t *colon =
            authority.length == 0 ? NULL : memchr(authority.data, ':', authority.length);
        length = colon == NULL ? authority.length : (size_t)(colon - authority.data);
        if (!is_registered_name(span_slice(authority, 0, length)))
            return false;
    }
    *rest = span_slice(authority, length, authority.length - length);
    return true;
}

bool authority_is_valid(struct span authority)
{
    struct span rest;
    uint64_t port;

    if (!split_host(authority, &rest))
        return false;
    if (rest.length <= 1)
        return rest.length == 0 || rest.data[0] == ':';
    return rest.data[0] == ':' &&
           span_to_unsigned(span_slice(rest, 1, rest.length), 65535, &port) == 0;
}

bool authority_has_port(struct span authority)
{
    return authority_is_valid(authority) && is_digit(authority.data[authority.length - 1]) &&
           memchr(authority.data, ':', authority.length) != NULL &&
           authority.data[authority.length - 1] != ']';
}

bool request_path_is_valid(struct span path)
{
    return path.length != 0 && path.data[0] == '/' && field_target_is_valid(path) &&
           memchr(path.data, '#', path.length) == NULL;
}
