/* The options of `herald get`, and what follows from them. */
#ifndef CLI_GET_OPTIONS_H
#define CLI_GET_OPTIONS_H

#include "base/arena.h"
#include "base/time.h"
#include "cli/options.h"
#include "http/fields.h"
#include "http/priority.h"
#include "server/config.h"

enum get_push { GET_PUSH_ACCEPT, GET_PUSH_REFUSE, GET_PUSH_OFF };
enum get_trace { GET_TRACE_OFF, GET_TRACE_TEXT, GET_TRACE_JSON };

struct get_options {
    /* as given */
    bool verbose, silent, fail, head_only, include, location, insecure, remote_name, show_secrets,
        show_pushed, no_progress;
    bool http1, http2, prior_knowledge;
    enum get_push push;
    enum get_trace trace;
    const char *trace_file;
    const char *method, *upload, *output, *output_dir, *priority_text;
    const char *cacert, *certificate, *key;
    const char *connect_to, *unix_socket;
    struct text_list headers, data, resolve;
    herald_time connect_timeout, first_byte_timeout, maximum_time;
    unsigned maximum_redirects, parallel;

    /* worked out by get_options_finish, in `arena` */
    struct arena arena;
    struct fields fields;  /* of -H, with defaults */
    struct span authority; /* of -H host:, or empty */
    struct span body;      /* of -d */
    bool has_body, has_priority;
    struct priority priority;
    const char *connect_host;
    uint16_t connect_port;
};

extern const struct option_table get_option_table;

void get_options_init(struct get_options *options);
void get_options_free(struct get_options *options);

/* Checks what was given and fills the second part; reads the files of -d. `urls`: how many were
 * given. Returns 0 or an exit code; the error has been reported. */
int get_options_finish(struct get_options *options, size_t urls);

/* The address that --resolve gives for host and port, or NULL. */
const char *get_options_resolve(const struct get_options *options, const char *host, uint16_t port,
                                char address[256]);

#endif
