#include "server/folder_path.h"

#include "base/err.h"
#include "http/uri.h"

static bool has_dotfile(struct span path)
{
    static const struct span well_known = {(const uint8_t *)"/.well-known/", 13};
    struct span rest =
        span_starts_with(path, well_known) ? span_slice(path, 12, path.length) : path;
    for (size_t i = 0; i + 1 < rest.length; i++)
        if (rest.data[i] == '/' && rest.data[i + 1] == '.')
            return true;
    return false;
}

int folder_path_decode(struct span target, struct span prefix, bool dotfiles,
                       struct folder_path *path)
{
    const uint8_t *query = target.length == 0 ? NULL : memchr(target.data, '?', target.length);
    size_t raw = query == NULL ? target.length : (size_t)(query - target.data);
    /* A NUL is added. The index is added by who opens it. */
    if (raw >= FOLDER_PATH_MAXIMUM)
        return HERALD_ERROR_NOT_FOUND;
    int64_t length = uri_normalise_path(span_slice(target, 0, raw), (uint8_t *)path->text);
    if (length < 0)
        return (int)length;
    struct span rest = span_make(path->text, (size_t)length);
    if (!span_starts_with(rest, prefix))
        return HERALD_ERROR_NOT_FOUND;
    rest = span_slice(rest, prefix.length, rest.length);
    if ((rest.length > 0 && rest.data[0] != '/') || (!dotfiles && has_dotfile(rest)))
        return HERALD_ERROR_NOT_FOUND;

    path->slash = rest.length > 0 && rest.data[rest.length - 1] == '/';
    if (rest.length > 0)
        rest = span_slice(rest, 1, rest.length);
    path->length = rest.length > 0 && path->slash ? rest.length - 1 : rest.length;
    path->name = path->text + length - rest.length;
    path->name[path->length] = '\0';
    return 0;
}
