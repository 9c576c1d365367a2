/* `--limit NAME=VALUE`: every member of struct limits by its name. */
#ifndef CLI_LIMIT_OPTION_H
#define CLI_LIMIT_OPTION_H

#include "base/span.h"
#include "cli/options.h"
#include "http/limits.h"

/* Sets one limit. `text` is "name=value": a whole number (bytes, frames, ... as limits.h says), or
 * seconds for a time; "off" is the largest value the limit can have. Returns 0, or -1 with a phrase
 * in `error`. */
int limit_set(struct limits *limits, const char *text, char error[OPTION_ERROR_MAXIMUM]);

/* Calls `each` with every name, in the order of struct limits. */
void limit_names(void (*each)(void *user, const char *name), void *user);

#endif
