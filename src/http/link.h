/* The Link field (RFC 8288) as far as preloading needs it. */
#ifndef HTTP_LINK_H
#define HTTP_LINK_H

#include "base/span.h"

struct link_header {
    struct span target; /* between < and >, as written */
    struct span rel;    /* one or more relation types, separated by blanks */
    struct span as, type, media, title, anchor, hreflang;
    struct span crossorigin;   /* its value; see has_crossorigin */
    struct span fetchpriority; /* "high", "low", "auto" */
    struct span imagesrcset, imagesizes, integrity, referrerpolicy;
    bool has_crossorigin;
    bool nopush;    /* W3C Preload: a hint only, do not push */
    bool push_only; /* x-http2-push-only: push, but do not pass on */
};

/* Takes the next link from the front of `*rest`. Parameter values come without quotes; escapes in
 * them stay as written. Of a parameter given twice the first counts (section 3.4.1). Returns 1, 0
 * when there is none left, HERALD_ERROR_INVALID when the text is no Link value (then stop). */
int link_next(struct span *rest, struct link_header *link);

/* True when one of the relation types of `link` is `relation` (in any case). */
bool link_has_relation(const struct link_header *link, struct span relation);

#endif
