/* A URL and a reference, separated by a newline. Invariants: what comes out can be put into a
 * request line, and parsing it again gives the same. */
#include "client/url.h"
#include "http/field_syntax.h"
#include "http/uri.h"
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        __builtin_trap();
}

static void check(struct arena *arena, const struct url *url)
{
    struct url again;
    struct uri uri;
    struct span text;
    char *whole;
    int length;

    require(url->path.length > 0 && url->path.data[0] == '/');
    require(field_target_is_valid(url->path));
    require(url->authority.length > 0 && field_target_is_valid(url->authority));
    require(url->host[0] != 0 && url->port != 0);
    length = asprintf(&whole, "%s://%.*s%.*s", url->scheme, SPAN_ARGUMENTS(url->authority),
                      SPAN_ARGUMENTS(url->path));
    if (length < 0)
        return;
    text = span_make(whole, (size_t)length);
    if (text.length <= URL_MAXIMUM) {
        require(url_parse(arena, text, &again, NULL) == 0);
        require(url_same_origin(url, &again));
        require(span_equals(again.path, url->path));
        require(span_equals(again.authority, url->authority));
        /* The strict parser of the servers agrees. */
        require(uri_parse(text, &uri) == 0 && uri.port == url->port);
    }
    free(whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span whole = span_make(data, size);
    struct arena arena;
    struct url base, url;
    size_t end = 0;

    while (end < size && data[end] != '\n')
        end++;
    arena_init(&arena, 0, NULL);
    if (url_parse(&arena, span_slice(whole, 0, end), &base, NULL) == 0) {
        check(&arena, &base);
        if (url_resolve(&arena, &base, span_slice(whole, end + 1, size), &url, NULL) == 0)
            check(&arena, &url);
    }
    arena_free(&arena);
    return 0;
}
