/* Reason phrases of status codes (RFC 9110 section 15 and the registry). */
#ifndef HTTP_REASON_H
#define HTTP_REASON_H

#include "base/span.h"

/* The registered phrase, NUL-terminated with static lifetime; empty for a status that has none. */
struct span reason_phrase(unsigned status);

#endif
