#include "http/uri.h"
#include "base/err.h"
#include "http/field_syntax.h"
#include "http/rules.h"

static inline size_t find_byte(struct span text, char byte)
{
    const uint8_t *found = text.length == 0 ? NULL : memchr(text.data, byte, text.length);

    return found == NULL ? text.length : (size_t)(found - text.data);
}

static size_t find_any(struct span text, const char *bytes)
{
    for (size_t i = 0; i < text.length; i++) {
        if (strchr(bytes, text.data[i]) != NULL && text.data[i] != 0)
            return i;
    }
    return text.length;
}

static struct span rest_of(struct span text, size_t from)
{
    return span_slice(text, from, text.length);
}

int authority_split(struct span authority, uint16_t default_port, struct span *host, uint16_t *port,
                    bool *is_ipv6)
{
    if (!authority_is_valid(authority))
        return HERALD_ERROR_INVALID;
    bool literal = authority.data[0] == '[';
    size_t length = literal ? find_byte(authority, ']') + 1 : find_byte(authority, ':');
    struct span digits = rest_of(authority, length + 1);
    uint64_t number = default_port;

    if (digits.length != 0 && span_to_unsigned(digits, 65535, &number) != 0)
        return HERALD_ERROR_INVALID;
    *host = literal ? span_slice(authority, 1, length - 2) : span_slice(authority, 0, length);
    *port = (uint16_t)number;
    if (is_ipv6 != NULL)
        *is_ipv6 = literal;
    return 0;
}

int uri_parse(struct span text, struct uri *uri)
{
    *uri = (struct uri){0};
    if (!field_target_is_valid(text))
        return HERALD_ERROR_INVALID;
    size_t colon = find_any(text, ":/?#");
    if (colon == 0 || colon == text.length || text.data[colon] != ':')
        return HERALD_ERROR_INVALID;
    uri->scheme = span_slice(text, 0, colon);
    uri->is_https = span_equals_ignoring_case(uri->scheme, SPAN_LITERAL("https"));
    if (!uri->is_https && !span_equals_ignoring_case(uri->scheme, SPAN_LITERAL("http")))
        return HERALD_ERROR_UNSUPPORTED;
    text = rest_of(text, colon + 1);
    if (!span_starts_with(text, SPAN_LITERAL("//")))
        return HERALD_ERROR_INVALID;
    text = rest_of(text, 2);

    size_t length = find_any(text, "/?#");
    uri->authority = span_slice(text, 0, length);
    text = rest_of(text, length);
    /* The last "@" ends the userinfo: one inside it is not legal, but who wrote it did not mean the
     * text in front of it to be the host. */
    for (size_t i = uri->authority.length; i-- > 0;) {
        if (uri->authority.data[i] == '@') {
            uri->userinfo = span_slice(uri->authority, 0, i);
            uri->authority = rest_of(uri->authority, i + 1);
            break;
        }
    }
    int error = authority_split(uri->authority, uri->is_https ? 443 : 80, &uri->host, &uri->port,
                                &uri->is_ipv6);
    if (error != 0)
        return error;

    size_t hash = find_byte(text, '#');
    uri->fragment = rest_of(text, hash + 1);
    uri->target = span_slice(text, 0, hash);
    size_t question = find_byte(uri->target, '?');
    uri->path = span_slice(uri->target, 0, question);
    uri->has_query = question != uri->target.length;
    uri->query = rest_of(uri->target, question + 1);
    return 0;
}

void uri_split_query(struct span target, struct span *path, struct span *query)
{
    size_t question = find_byte(target, '?');

    *path = span_slice(target, 0, question);
    *query = rest_of(target, question + 1);
}

static int hex_value(uint8_t byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    byte |= 0x20;
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

int64_t uri_decode(struct span text, uint8_t *destination)
{
    size_t plain = find_byte(text, '%');
    size_t length = plain;

    if (plain != 0)
        memmove(destination, text.data, plain);
    for (size_t i = plain; i < text.length; i++) {
        uint8_t byte = text.data[i];

        if (byte == '%') {
            if (text.length - i < 3)
                return HERALD_ERROR_INVALID;
            int upper = hex_value(text.data[i + 1]), lower = hex_value(text.data[i + 2]);
            if (upper < 0 || lower < 0)
                return HERALD_ERROR_INVALID;
            byte = (uint8_t)(upper << 4 | lower);
            i += 2;
        }
        destination[length++] = byte;
    }
    return (int64_t)length;
}

/* Takes the last segment, and the slash in front of it, off. False at the root. */
static bool go_up(const uint8_t *path, size_t *length)
{
    if (*length == 0)
        return false;
    while (path[--*length] != '/')
        ;
    return true;
}

int64_t uri_normalise_path(struct span path, uint8_t *destination)
{
    size_t length = 0;

    path = span_slice(path, 0, find_byte(path, '?'));
    if (path.length == 0 || path.data[0] != '/')
        return HERALD_ERROR_INVALID;
    while (path.length != 0) {
        /* Here a slash comes first. Segments are cut before they are decoded. */
        path = rest_of(path, 1);
        struct span segment = span_slice(path, 0, find_byte(path, '/'));
        path = rest_of(path, segment.length);

        int64_t decoded = uri_decode(segment, destination + length + 1);
        if (decoded < 0)
            return decoded;
        struct span text = span_make(destination + length + 1, (size_t)decoded);
        bool last = path.length == 0;
        if (text.length != 0 && memchr(text.data, 0, text.length) != NULL)
            return HERALD_ERROR_INVALID;
        if (text.length != 0 && (memchr(text.data, '/', text.length) != NULL ||
                                 memchr(text.data, '\\', text.length) != NULL))
            return HERALD_ERROR_NOT_FOUND;
        if (span_equals(text, SPAN_LITERAL(".."))) {
            if (!go_up(destination, &length))
                return HERALD_ERROR_NOT_FOUND;
        } else if (text.length != 0 && !span_equals(text, SPAN_LITERAL("."))) {
            destination[length] = '/';
            length += 1 + text.length;
            continue;
        }
        if (last)
            destination[length++] = '/';
    }
    return (int64_t)length;
}
