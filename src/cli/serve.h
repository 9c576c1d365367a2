/* What `herald serve` and an application runner share. */
#ifndef CLI_SERVE_H
#define CLI_SERVE_H

#include "http/handler.h"
#include "server/server.h"

/* Says on standard error what is listening, with which certificate, and what to try next. Nothing
 * in a worker: its supervisor does it. */
void serve_announce(const struct serve_config *config, const char *const *addresses, size_t count);
void serve_announce_server(const struct serve_config *config, const struct server *server);

/* Runs a server for `config` on a loop of its own until SIGTERM or SIGINT: what `herald serve` does
 * for folders and upstreams. `make` creates the root handler on the loop (one line has been logged
 * when it fails). Returns the exit code. */
int serve_run(const struct serve_config *config,
              int (*make)(struct loop *loop, const struct serve_config *config,
                          struct handler **handler));

/* Reads the certificates and opens the log as a server would, and ends it again before it listens.
 * Returns the exit code; one line has been logged when it is not 0. */
int serve_check(const struct serve_config *config);

/* Fills in what was not given (address, development certificate) and checks the files that were.
 * Returns 0, or a negative code after one line has been reported (HERALD_ERROR_CONFIG: exit code
 * 2). */
int serve_complete(struct serve_config *config);

/* Becomes `python3 -m herald` with the same arguments (argv[0] is "serve"). Returns, with an exit
 * code and after one line, only when that cannot be. */
int serve_through_python(char **argv);

/* The engines a server speaks, in order of preference. */
extern const struct engine *const serve_engines[];
extern const size_t serve_engine_count;
/* HTTP/3. */
extern const struct datagram_engine *const serve_datagram_engine;

/* A trace as --trace asks, writing to standard error; NULL when it is off or memory is out. */
struct frame_trace *serve_trace_create(const struct serve_config *config);

#endif
