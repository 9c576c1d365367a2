/* The options of `herald serve`: one table for the command line, the help and configuration files.
 */
#ifndef CLI_SERVE_OPTIONS_H
#define CLI_SERVE_OPTIONS_H

#include "cli/options.h"
#include "server/config.h"

/* What the command line alone knows. */
struct serve_settings {
    struct serve_config config; /* first: configuration keys write here */
    const char *config_file;    /* -c */
    bool check;                 /* --check: validate, serve nothing */
};

extern const struct option_table serve_options;

#endif
