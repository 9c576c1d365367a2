/* Extensible priorities (RFC 9218). */
#ifndef HTTP_PRIORITY_H
#define HTTP_PRIORITY_H

#include "base/span.h"

#define PRIORITY_URGENCY_DEFAULT 3

struct priority {
    uint8_t urgency; /* 0 (first) to 7 (background) */
    bool incremental;
};

#define PRIORITY_DEFAULT ((struct priority){PRIORITY_URGENCY_DEFAULT, false})

/* Applies a Priority field value or PRIORITY_UPDATE payload (a structured-fields dictionary) onto
 * `priority`: unknown members and out-of-range values are ignored (section 4), others are left as
 * they were. Returns 0, or HERALD_ERROR_INVALID when the text is not a dictionary (priority
 * unchanged). */
int priority_parse(struct span text, struct priority *priority);

/* Writes the field value ("u=5, i"), empty for the default; at most 16 bytes. Returns the length.
 */
size_t priority_format(struct priority priority, char text[16]);

#endif
