/* The parts of `herald get`: get.c (set-up and end), get_transfer.c (one URL). */
#ifndef CLI_GET_H
#define CLI_GET_H

#include "cli/get_options.h"
#include "cli/get_output.h"
#include "cli/get_progress.h"
#include "client/push_store.h"
#include "client/url.h"
#include "trace/trace.h"

struct get {
    struct get_options options;
    struct loop *loop;
    struct client *client;
    struct tls_context *tls;
    struct frame_trace *trace; /* NULL: off */
    int trace_descriptor;
    struct get_output output;
    struct get_progress progress;
    struct push_store pushes;
    struct list transfers; /* all, until the end: their sinks wait for their turns */
    const char **urls;
    size_t url_count, next_url;
    unsigned running; /* transfers that have not ended */
    struct loop_timer ending;
    herald_time ending_due;
    struct loop_work starter;
    int exit_code;
};

/* Whether all can be parsed: 0 or an exit code; reported. */
int get_check_urls(const char *const *urls, size_t count);

/* Begins the transfer of one URL. Returns 0 or an exit code; reported. */
int get_transfer_start(struct get *get, const char *text);

/* Frees all transfers; requests that still run are cancelled. */
void get_transfers_free(struct get *get);

/* A transfer has ended: starts the next one, or ends the whole. */
void get_transfer_ended(struct get *get);

/* A line for the user that is not an error: a note in the trace, or text on standard error unless
 * --silent. */
void get_note(struct get *get, uint64_t connection, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
