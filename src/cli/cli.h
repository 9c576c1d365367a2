/* The one command line. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "gateway/application.h"

enum exit_code { EXIT_CODE_OK = 0, EXIT_CODE_FAILURE = 1, EXIT_CODE_USAGE = 2 };

/* One word after `herald`. */
struct command {
    const char *name;
    const char *summary; /* for `herald help`; one line */
    /* argv[0] is the command's own name. Returns an exit code; errors have been reported in one
     * line each. */
    int (*run)(int argc, char **argv, const struct application_runner *runner);
};

/* Runs a whole command line (argv[0] is the program). `runner` is how applications are run, or
 * NULL: then `module:attr` targets are handed to `python3 -m herald`. Returns the exit code. */
int cli_main(int argc, char **argv, const struct application_runner *runner);

/* "herald: error: ..." on standard error, one line; returns EXIT_CODE_USAGE / EXIT_CODE_FAILURE. */
int cli_usage_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
int cli_failure(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* "herald: warning: ..." on standard error, one line. */
void cli_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The commands, each in its own file. */
int command_serve(int argc, char **argv, const struct application_runner *runner);
int command_get(int argc, char **argv, const struct application_runner *runner);
int command_bench(int argc, char **argv, const struct application_runner *runner);
int command_cert(int argc, char **argv, const struct application_runner *runner);

#endif
