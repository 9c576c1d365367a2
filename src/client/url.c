#include "client/url.h"
#include "base/buf.h"
#include <arpa/inet.h>
#include <stdio.h>

struct url_parts {
    struct span scheme, authority, path, query;
    bool has_scheme, has_authority, has_query;
};

static bool is_alpha(uint8_t byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

static bool is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

/* The length of "scheme:" without the colon, or 0. */
static size_t scheme_length(struct span text)
{
    size_t length = 0;

    while (length < text.length &&
           (is_alpha(text.data[length]) ||
            (length > 0 && (is_digit(text.data[length]) || text.data[length] == '+' ||
                            text.data[length] == '-' || text.data[length] == '.'))))
        length++;
    return length < text.length && text.data[length] == ':' ? length : 0;
}

static size_t find_any(struct span text, const char *bytes)
{
    size_t at = 0;

    while (at < text.length && (text.data[at] == 0 || strchr(bytes, text.data[at]) == NULL))
        at++;
    return at;
}

static struct span rest_of(struct span text, size_t from)
{
    return span_slice(text, from, text.length);
}

static struct url_parts split(struct span text)
{
    struct url_parts parts = {0};
    size_t length = scheme_length(text);

    text = span_slice(text, 0, find_any(text, "#"));
    if (length > 0) {
        parts.has_scheme = true;
        parts.scheme = span_slice(text, 0, length);
        text = rest_of(text, length + 1);
    }
    if (span_starts_with(text, SPAN_LITERAL("//"))) {
        text = rest_of(text, 2);
        parts.has_authority = true;
        parts.authority = span_slice(text, 0, find_any(text, "/?"));
        text = rest_of(text, parts.authority.length);
    }
    parts.path = span_slice(text, 0, find_any(text, "?"));
    text = rest_of(text, parts.path.length);
    if (text.length > 0) {
        parts.has_query = true;
        parts.query = rest_of(text, 1);
    }
    return parts;
}

static int refuse(const char **why, const char *text)
{
    if (why != NULL)
        *why = text;
    return HERALD_ERROR_INVALID;
}

static int read_scheme(struct span text, struct url *url, const char **why)
{
    if (span_equals_ignoring_case(text, SPAN_LITERAL("https"))) {
        url->scheme = "https";
        url->port = 443;
    } else if (span_equals_ignoring_case(text, SPAN_LITERAL("http"))) {
        url->scheme = "http";
        url->port = 80;
    } else {
        refuse(why, "only http and https are supported");
        return HERALD_ERROR_UNSUPPORTED;
    }
    return 0;
}

static int read_port(struct span text, struct url *url, bool *is_default, const char **why)
{
    uint64_t port;

    *is_default = true;
    if (text.length == 0)
        return 0;
    if (span_to_unsigned(text, UINT16_MAX, &port) != 0 || port == 0)
        return refuse(why, "the port is not a number from 1 to 65535");
    *is_default = port == url->port;
    url->port = (uint16_t)port;
    return 0;
}

static bool name_is_valid(struct span host)
{
    for (size_t i = 0; i < host.length; i++) {
        uint8_t byte = host.data[i];
        if (!is_alpha(byte) && !is_digit(byte) && byte != '-' && byte != '.' && byte != '_')
            return false;
    }
    return host.length > 0 && host.length <= 253;
}

static bool address_is_valid(struct span host)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr address;

    if (host.length >= sizeof(text))
        return false;
    snprintf(text, sizeof(text), "%.*s", SPAN_ARGUMENTS(host));
    return inet_pton(AF_INET6, text, &address) == 1;
}

static int copy_host(struct arena *arena, struct span host, struct url *url)
{
    struct span copy;
    int result = arena_copy(arena, host, &copy);

    if (result != 0)
        return result;
    uint8_t *bytes = (uint8_t *)copy.data;
    for (size_t i = 0; i < copy.length; i++)
        if (bytes[i] >= 'A' && bytes[i] <= 'Z')
            bytes[i] |= 0x20;
    url->host = (const char *)bytes;
    return 0;
}

static int write_authority(struct arena *arena, struct url *url, bool is_ipv6, bool is_default)
{
    char text[300];
    int length =
        snprintf(text, sizeof(text), "%s%s%s", is_ipv6 ? "[" : "", url->host, is_ipv6 ? "]" : "");

    if (!is_default)
        length += snprintf(text + length, sizeof(text) - (size_t)length, ":%u", url->port);
    return arena_copy(arena, span_make(text, (size_t)length), &url->authority);
}

static int read_authority(struct arena *arena, struct span text, struct url *url, const char **why)
{
    struct span host, port = SPAN_EMPTY;
    bool is_ipv6 = text.length > 0 && text.data[0] == '[', is_default;

    if (find_any(text, "@") < text.length)
        return refuse(why, "user names and passwords do not belong into a URL");
    if (is_ipv6) {
        size_t close = find_any(text, "]");
        host = span_slice(text, 1, close - 1);
        text = rest_of(text, close);
        if (text.length == 0 || !address_is_valid(host))
            return refuse(why, "the IPv6 address is not valid");
        text = rest_of(text, 1);
    } else {
        host = span_slice(text, 0, find_any(text, ":"));
        text = rest_of(text, host.length);
        if (host.length == 0)
            return refuse(why, "the host is missing");
        if (!name_is_valid(host))
            return refuse(why, "the host is not a valid name");
    }
    if (text.length > 0 && text.data[0] != ':')
        return refuse(why, "something other than a port follows the host");
    port = rest_of(text, text.length > 0 ? 1 : 0);
    int result = read_port(port, url, &is_default, why);
    if (result == 0)
        result = copy_host(arena, host, url);
    return result != 0 ? result : write_authority(arena, url, is_ipv6, is_default);
}

/* Bytes outside of RFC 3986's set are encoded; a percent sign is taken to be an encoding already.
 */
static int append_encoded(struct buf *out, struct span text)
{
    int result = 0;

    for (size_t i = 0; i < text.length && result == 0; i++) {
        uint8_t byte = text.data[i];
        if (byte <= 0x20 || byte >= 0x7f || strchr("\"<>\\^`{|}", byte) != NULL)
            result = buf_printf(out, "%%%02X", byte);
        else
            result = buf_append_byte(out, byte);
    }
    return result;
}

static int read_path(struct arena *arena, const struct url_parts *parts, struct url *url)
{
    struct buf out;
    int result = 0;

    buf_init(&out, URL_MAXIMUM * 3 + 2, NULL);
    if (parts->path.length == 0 || parts->path.data[0] != '/')
        result = buf_append_byte(&out, '/');
    if (result == 0)
        result = append_encoded(&out, parts->path);
    if (result == 0 && parts->has_query)
        result = buf_append_byte(&out, '?');
    if (result == 0)
        result = append_encoded(&out, parts->query);
    if (result == 0)
        result = arena_copy(arena, buf_span(&out), &url->path);
    buf_free(&out);
    return result;
}

static int build(struct arena *arena, const struct url_parts *parts, struct url *url,
                 const char **why)
{
    int result = read_scheme(parts->scheme, url, why);

    if (result == 0)
        result = read_authority(arena, parts->authority, url, why);
    return result != 0 ? result : read_path(arena, parts, url);
}

static int check_text(struct span text, const char **why)
{
    if (text.length > URL_MAXIMUM)
        return refuse(why, "it is too long");
    for (size_t i = 0; i < text.length; i++)
        if (text.data[i] < 0x20 || text.data[i] == 0x7f)
            return refuse(why, "it contains a control character");
    return 0;
}

int url_parse(struct arena *arena, struct span text, struct url *url, const char **why)
{
    struct url_parts parts = split(text);
    int result = check_text(text, why);

    if (result != 0)
        return result;
    if (!parts.has_scheme || !parts.has_authority)
        return refuse(why, "it does not start with http:// or https://");
    return build(arena, &parts, url, why);
}

/* RFC 3986 section 5.2.4: takes the last segment off, with the slash before it. */
static void drop_segment(struct buf *out, size_t keep)
{
    while (buf_length(out) > keep) {
        out->end--;
        if (out->data[out->end] == '/')
            break;
    }
}

static int remove_dot_segments(struct span path, struct buf *out)
{
    int result = 0;

    while (path.length > 0 && result == 0) {
        size_t length = path.data[0] == '/' ? 1 : 0;
        length += find_any(rest_of(path, length), "/");
        struct span segment = span_slice(path, 0, length);
        bool last = length == path.length;
        if (span_equals(segment, SPAN_LITERAL("/.")) || span_equals(segment, SPAN_LITERAL("/.."))) {
            if (segment.length == 3)
                drop_segment(out, 0);
            if (last)
                result = buf_append_byte(out, '/');
        } else if (!span_equals(segment, SPAN_LITERAL(".")) &&
                   !span_equals(segment, SPAN_LITERAL(".."))) {
            result = buf_append_span(out, segment);
        }
        path = rest_of(path, length);
    }
    return result;
}

/* Section 5.2.3: the base's path up to its last slash, then the reference. */
static int merge(const struct url *base, struct span path, struct buf *out)
{
    struct span base_path = span_slice(base->path, 0, find_any(base->path, "?"));
    size_t keep = base_path.length;
    int result;

    while (keep > 0 && base_path.data[keep - 1] != '/')
        keep--;
    result = buf_append_span(out, span_slice(base_path, 0, keep));
    return result != 0 ? result : buf_append_span(out, path);
}

static int resolve_path(const struct url *base, struct url_parts *parts, struct buf *merged,
                        struct buf *path)
{
    int result;

    if (parts->path.length == 0) {
        size_t query = find_any(base->path, "?");
        parts->path = span_slice(base->path, 0, query);
        if (!parts->has_query && query < base->path.length) {
            parts->has_query = true;
            parts->query = rest_of(base->path, query + 1);
        }
        return 0;
    }
    if (parts->path.data[0] == '/')
        result = buf_append_span(merged, parts->path);
    else
        result = merge(base, parts->path, merged);
    if (result == 0)
        result = remove_dot_segments(buf_span(merged), path);
    parts->path = buf_span(path);
    return result;
}

int url_resolve(struct arena *arena, const struct url *base, struct span reference, struct url *url,
                const char **why)
{
    struct url_parts parts = split(reference);
    struct buf merged, path;
    int result = check_text(reference, why);

    if (result != 0)
        return result;
    buf_init(&merged, URL_MAXIMUM * 4, NULL);
    buf_init(&path, URL_MAXIMUM * 4, NULL);
    if (!parts.has_authority && parts.has_scheme) {
        result = refuse(why, "it has a scheme but no host");
    } else if (!parts.has_authority) {
        parts.scheme = span_from_text(base->scheme);
        parts.authority = base->authority;
        result = resolve_path(base, &parts, &merged, &path);
    } else if (!parts.has_scheme) {
        parts.scheme = span_from_text(base->scheme);
    }
    if (result == 0)
        result = build(arena, &parts, url, why);
    buf_free(&merged);
    buf_free(&path);
    return result;
}

bool url_same_origin(const struct url *left, const struct url *right)
{
    return strcmp(left->scheme, right->scheme) == 0 && strcmp(left->host, right->host) == 0 &&
           left->port == right->port;
}
