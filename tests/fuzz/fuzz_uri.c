/* URLs and paths: parts lie inside the text, a normalised path is one and stays the same when it is
 * normalised again. */
#include "http/rules.h"
#include "http/uri.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            __builtin_trap();                                                                      \
    } while (0)

static void check_inside(struct span part, struct span whole)
{
    CHECK(part.length == 0 || (part.data >= whole.data && part.length <= whole.length &&
                               part.data + part.length <= whole.data + whole.length));
}

static void check_url(struct span text)
{
    struct uri uri;

    if (uri_parse(text, &uri) != 0)
        return;
    check_inside(uri.authority, text);
    check_inside(uri.host, uri.authority);
    check_inside(uri.target, text);
    check_inside(uri.path, uri.target);
    check_inside(uri.query, uri.target);
    check_inside(uri.fragment, text);
    CHECK(uri.host.length != 0 && authority_is_valid(uri.authority));
    CHECK(uri.path.length == 0 || uri.path.data[0] == '/');
}

static void check_normal(const uint8_t *path, size_t length)
{
    CHECK(length != 0 && path[0] == '/' && memchr(path, 0, length) == NULL);
    for (size_t i = 0; i < length; i++) {
        if (path[i] != '/' || i + 1 == length)
            continue;
        size_t left = length - i - 1;
        CHECK(path[i + 1] != '/');
        CHECK(!(path[i + 1] == '.' && (left == 1 || path[i + 2] == '/')));
        CHECK(!(path[i + 1] == '.' && left >= 2 && path[i + 2] == '.' &&
                (left == 2 || path[i + 3] == '/')));
    }
}

static void check_path(struct span text)
{
    uint8_t *path = malloc(text.length + 1), *again = malloc(text.length + 1);
    int64_t length = uri_normalise_path(text, path);

    if (length >= 0) {
        CHECK((size_t)length <= text.length);
        check_normal(path, (size_t)length);
        if (memchr(path, '%', (size_t)length) == NULL &&
            memchr(path, '?', (size_t)length) == NULL) {
            CHECK(uri_normalise_path(span_make(path, (size_t)length), again) == length);
            CHECK(memcmp(path, again, (size_t)length) == 0);
        }
    }
    free(path);
    free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_url(span_make(data, size));
    check_path(span_make(data, size));
    return 0;
}
