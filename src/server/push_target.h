/* What a link's target means as a path to promise. */
#ifndef SERVER_PUSH_TARGET_H
#define SERVER_PUSH_TARGET_H

#include "http/message.h"

/* The path of a link's target for the origin of `request`: "/x", "x" (relative to the request's
 * path), "https://authority/x", "//authority/x". Without fragment; in `arena` where it had to be
 * put together. Returns 1; 0 for another origin; HERALD_ERROR_INVALID for what cannot be promised
 * (dot segments, ...), HERALD_ERROR_NOMEM. */
int push_resolve(struct arena *arena, const struct message *request, struct span target,
                 struct span *path);

/* True for visible ASCII without the characters that would end a Link's target or a request line.
 */
bool push_path_is_plain(struct span text);

/* Puts `left` and `right` together in `arena`. Returns 1 or HERALD_ERROR_NOMEM. */
int push_join(struct arena *arena, struct span left, struct span right, struct span *joined);

#endif
