#include "server/push_target.h"

#include "base/err.h"
#include "http/uri.h"

static bool has_dot_segment(struct span path)
{
    struct span rest, query;
    uri_split_query(path, &rest, &query);
    for (size_t i = 0; i < rest.length; i++) {
        if (rest.data[i] != '/')
            continue;
        size_t dots = 0;
        while (i + 1 + dots < rest.length && rest.data[i + 1 + dots] == '.')
            dots++;
        bool ends = i + 1 + dots == rest.length || rest.data[i + 1 + dots] == '/';
        if (ends && (dots == 1 || dots == 2))
            return true;
    }
    return false;
}

bool push_path_is_plain(struct span text)
{
    for (size_t i = 0; i < text.length; i++)
        if (text.data[i] <= 0x20 || text.data[i] >= 0x7f || text.data[i] == '"' ||
            text.data[i] == '<' || text.data[i] == '>' || text.data[i] == '\\')
            return false;
    return true;
}

int push_join(struct arena *arena, struct span left, struct span right, struct span *joined)
{
    uint8_t *text = arena_alloc(arena, left.length + right.length + 1);
    if (text == NULL)
        return HERALD_ERROR_NOMEM;
    if (left.length > 0)
        memcpy(text, left.data, left.length);
    if (right.length > 0)
        memcpy(text + left.length, right.data, right.length);
    *joined = span_make(text, left.length + right.length);
    return 1;
}

static int resolve_absolute(struct arena *arena, const struct message *request, struct span target,
                            struct span *path)
{
    struct uri uri;
    if (uri_parse(target, &uri) < 0 || uri.userinfo.length > 0)
        return 0;
    if (!span_equals_ignoring_case(uri.scheme, request->scheme) ||
        !span_equals_ignoring_case(uri.authority, request->authority))
        return 0;
    if (uri.path.length > 0) {
        *path = uri.target;
        return 1;
    }
    return push_join(arena, SPAN_LITERAL("/"), uri.target, path);
}

static struct span folder_of(struct span path)
{
    struct span rest, query;
    uri_split_query(path, &rest, &query);
    while (rest.length > 0 && rest.data[rest.length - 1] != '/')
        rest.length--;
    return rest;
}

int push_resolve(struct arena *arena, const struct message *request, struct span target,
                 struct span *path)
{
    const uint8_t *fragment = target.length == 0 ? NULL : memchr(target.data, '#', target.length);
    if (fragment != NULL)
        target.length = (size_t)(fragment - target.data);
    if (target.length == 0 || !push_path_is_plain(target))
        return HERALD_ERROR_INVALID;
    int result = 1;
    const uint8_t *colon = memchr(target.data, ':', target.length);
    const uint8_t *slash = memchr(target.data, '/', target.length);
    if (span_starts_with(target, SPAN_LITERAL("//"))) {
        struct span scheme, whole;
        result = push_join(arena, request->scheme, SPAN_LITERAL(":"), &scheme);
        if (result == 1)
            result = push_join(arena, scheme, target, &whole);
        if (result == 1)
            result = resolve_absolute(arena, request, whole, path);
    } else if (colon != NULL && (slash == NULL || colon < slash)) {
        result = resolve_absolute(arena, request, target, path);
    } else if (target.data[0] == '/') {
        *path = target;
    } else {
        result = push_join(arena, folder_of(request->path), target, path);
    }
    if (result == 1 && (path->length == 0 || path->data[0] != '/' || has_dot_segment(*path)))
        result = HERALD_ERROR_INVALID;
    return result;
}
