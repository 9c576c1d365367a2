/* From a request target to a name below a folder. */
#ifndef SERVER_FOLDER_PATH_H
#define SERVER_FOLDER_PATH_H

#include "base/span.h"

#define FOLDER_PATH_MAXIMUM 4096 /* PATH_MAX, with the NUL */

struct folder_path {
    char text[FOLDER_PATH_MAXIMUM];
    char *name;    /* in `text`: relative, "" for the folder itself; no slash at either end */
    size_t length; /* of name */
    bool slash;    /* the target ended with a slash */
};

/* `target` is an origin-form target; it is decoded and normalised (uri_normalise_path), then
 * `prefix` ("" or "/static") is taken off. Returns 0; HERALD_ERROR_NOT_FOUND for what leads out of
 * the root, lies outside of the prefix, is too long or names something that begins with a dot
 * (unless `dotfiles`, or it is "/.well-known" at the top); HERALD_ERROR_INVALID for a NUL or a
 * broken percent sign. */
int folder_path_decode(struct span target, struct span prefix, bool dotfiles,
                       struct folder_path *path);

#endif
