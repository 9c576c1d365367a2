/* Entity tags and conditional requests (RFC 9110 sections 8.8 and 13). */
#ifndef HTTP_CONDITIONAL_H
#define HTTP_CONDITIONAL_H

#include "http/fields.h"

/* What the server has; an empty etag or a negative date stands for "none". */
struct validators {
    struct span etag; /* with quotes, and W/ when weak */
    int64_t last_modified;
};

enum condition_result {
    CONDITION_PROCEED,            /* answer as if there were no condition */
    CONDITION_NOT_MODIFIED,       /* 304 */
    CONDITION_PRECONDITION_FAILED /* 412 */
};

/* Evaluates If-Match, If-Unmodified-Since, If-None-Match and If-Modified-Since in the order of
 * section 13.2.2. `exists`: there is a current representation ("*"). Fields that cannot be parsed
 * are ignored, but for If-Match, which then fails. */
enum condition_result condition_evaluate(const struct fields *request, struct span method,
                                         const struct validators *validators, bool exists,
                                         int64_t now);

/* True when a Range field is to be obeyed: there is no If-Range, or it names the present
 * representation by strong comparison (section 13.1.5). A date counts as strong when it equals
 * last_modified and lies a second or more before `now`. */
bool condition_range_applies(const struct fields *request, const struct validators *validators,
                             int64_t now);

/* True for a quoted string of etagc, W/ or not (section 8.8.3). */
bool etag_is_valid(struct span etag);
bool etag_is_weak(struct span etag);
bool etag_equals_strongly(struct span left, struct span right);
bool etag_equals_weakly(struct span left, struct span right);

#define ETAG_FILE_LENGTH 40 /* room that etag_of_file asks for */

/* A strong tag of size and modification time (nanoseconds since 1970), quotes included. Returns the
 * length. */
size_t etag_of_file(uint64_t size, int64_t modified, char text[ETAG_FILE_LENGTH]);

#endif
