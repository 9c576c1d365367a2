/* Shared by rules.c (fields as they come) and rules_finish.c (the block as a whole). */
#ifndef HTTP_RULES_INTERNAL_H
#define HTTP_RULES_INTERNAL_H

#include "http/rules.h"

enum {
    SEEN_METHOD = 1 << 0,
    SEEN_SCHEME = 1 << 1,
    SEEN_AUTHORITY = 1 << 2,
    SEEN_PATH = 1 << 3,
    SEEN_PROTOCOL = 1 << 4,
    SEEN_STATUS = 1 << 5,
    SEEN_FIELD = 1 << 6, /* pseudo-fields may not follow */
    SEEN_HOST = 1 << 7,
    SEEN_CONTENT_LENGTH = 1 << 8,
    SEEN_COOKIE = 1 << 9,
    SEEN_EXPECT = 1 << 10
};

/* Notes the first fault; "far too large" also replaces an earlier one. Returns the verdict. */
enum head_verdict head_builder_fault(struct head_builder *builder, enum head_verdict verdict,
                                     const char *reason);

#endif
