/* The field names that the program treats in some special way, as small numbers. The numbers 15 to
 * 61 are the indices of RFC 7541 appendix A, so a field compressor's static name and a known name
 * convert by assignment. */
#ifndef HTTP_KNOWN_NAMES_H
#define HTTP_KNOWN_NAMES_H

#include "base/span.h"
#include "http/known_names_table.h"

enum known_name {
    KNOWN_NONE = 0,
#define KNOWN_NAME_CONSTANT(number, constant, text) constant = number,
    KNOWN_NAMES(KNOWN_NAME_CONSTANT)
#undef KNOWN_NAME_CONSTANT
        KNOWN_NAME_END
};

#define KNOWN_NAME_LENGTH_MAXIMUM 32

#define KNOWN_STATIC_FIRST 15 /* the range that is shared with RFC 7541 appendix A */
#define KNOWN_STATIC_LAST  61

/* The number of a lower-case name, KNOWN_NONE when it is not in the table. One hash, one
 * comparison. */
enum known_name known_name_find(struct span lower_case_name);

/* The name's text with static lifetime; empty for KNOWN_NONE and numbers outside the table. */
struct span known_name_text(enum known_name known);

#endif
