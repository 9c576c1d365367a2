/* How a `module:attr` target is run. The command line knows no language: whoever embeds it (the
 * Python extension) registers a runner; the plain C program registers none and hands over to
 * `python3 -m herald`. */
#ifndef GATEWAY_APPLICATION_H
#define GATEWAY_APPLICATION_H

struct serve_config; /* server/config.h */

struct application_runner {
    const char *name; /* "python" */
    /* Serves config->target until told to stop: imports the application, creates a loop and a
     * server (server/server.h) from `config`, calls worker_ready() (server/supervisor.h) once it
     * accepts, returns the exit code of the process: 0, 1 run-time failure, 2 the application
     * cannot be imported or the configuration was refused (one line has been written to the log).
     * Called at most once, in the process that serves: with `workers` > 1 or `max_requests` that
     * is a child of the supervisor, which inherits its sockets (config->inherited). */
    int (*run)(const struct application_runner *runner, const struct serve_config *config);
    /* The words that start this program again, before its arguments, NULL-terminated
     * ({"/usr/bin/python3", "-m", "herald", NULL}); NULL: the running executable. */
    const char *const *command;
    void *user; /* the runner's */
};

#endif
