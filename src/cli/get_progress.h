/* One line on a terminal that shows how far long bodies are. */
#ifndef CLI_GET_PROGRESS_H
#define CLI_GET_PROGRESS_H

#include "net/loop.h"

struct get_progress {
    struct loop *loop;
    struct loop_timer timer;
    uint64_t done, total; /* bytes; total 0 or UINT64_MAX: not known */
    herald_time started;  /* of the first byte */
    bool enabled, shown;
};

/* Enabled only when standard error is a terminal and `wanted`. */
void get_progress_init(struct get_progress *progress, struct loop *loop, bool wanted);

/* Body bytes expected (CONTENT_LENGTH_UNKNOWN makes the whole unknown) and received. */
void get_progress_expect(struct get_progress *progress, uint64_t length);
void get_progress_add(struct get_progress *progress, uint64_t length);

/* Takes the line away; it comes back when enough time has passed. Call before writing to standard
 * error. */
void get_progress_hide(struct get_progress *progress);
void get_progress_end(struct get_progress *progress);

/* "12.3 MiB". */
void get_progress_size(uint64_t bytes, char text[32]);

#endif
