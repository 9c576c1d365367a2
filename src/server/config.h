/* Everything `herald serve` can be told, in one structure. Member names are the keys of a
 * configuration file, which are Hypercorn's where it has one. */
#ifndef SERVER_CONFIG_H
#define SERVER_CONFIG_H

#include "base/arena.h"
#include "base/log.h"
#include "http/limits.h"
#include <stdbool.h>

enum verify_mode { VERIFY_NONE, VERIFY_OPTIONAL, VERIFY_REQUIRED };

enum target_kind { TARGET_NONE, TARGET_FOLDER, TARGET_UPSTREAM, TARGET_APPLICATION };

/* The event loop an application runs on. */
enum worker_class { WORKER_AUTO, WORKER_ASYNCIO, WORKER_UVLOOP };

enum application_interface { INTERFACE_AUTO, INTERFACE_ASGI, INTERFACE_WSGI };

/* What a `Link: rel=preload` field of a response becomes. */
enum push_mode {
    PUSH_AUTO, /* a push where the client takes pushes, else an early hint */
    PUSH_ONLY, /* a push, or nothing */
    PUSH_HINT, /* an early hint (103) */
    PUSH_OFF
};

enum trace_output { TRACE_OUTPUT_OFF, TRACE_OUTPUT_TEXT, TRACE_OUTPUT_JSON };

#define TEXT_LIST_MAXIMUM 64

struct text_list {
    const char *items[TEXT_LIST_MAXIMUM];
    size_t count;
};

/* Text is NUL-terminated and lives in `arena`; NULL: not given. Times are nanoseconds. */
struct serve_config {
    struct arena arena;

    /* target */
    const char *target; /* as typed */
    enum target_kind target_kind;
    enum application_interface interface;
    enum worker_class worker_class;
    const char *root_path; /* "" or "/prefix": ASGI root_path, and the prefix the target is
                              mounted under */
    const char *app_dir;   /* put before the search path of applications; NULL: "." */

    /* where: "host:port", "[::1]:port", "unix:/path", "fd://N" */
    struct text_list bind;          /* TLS */
    struct text_list insecure_bind; /* HTTP/1.1 and h2c */
    struct text_list quic_bind;
    unsigned backlog;

    /* TLS */
    struct text_list certfile; /* several: chosen by the name the client asks for (SNI) */
    struct text_list keyfile;  /* as many as certfile */
    const char *keyfile_password;
    const char *ca_certs;
    enum verify_mode verify_mode;
    const char *ciphers; /* a GnuTLS priority string, or NULL for the default */
    struct text_list alpn_protocols;
    herald_time ssl_handshake_timeout;

    /* processes */
    unsigned workers;
    herald_time graceful_timeout; /* for running exchanges after SIGTERM */
    herald_time shutdown_timeout; /* for the application's lifespan shutdown */
    herald_time startup_timeout;  /* for the application's lifespan startup */
    uint64_t max_requests;        /* a worker leaves after this many; 0: never */
    uint64_t max_requests_jitter;
    const char *pid_path;
    uint32_t max_connections; /* a worker; 0: half of the descriptor limit */
    unsigned worker;          /* number of this worker from 1 on; 0: not under a supervisor */
    const char *inherited;    /* the supervisor's sockets ("tls=5 cleartext=6"), NULL: open them */
    uint8_t ticket_key[64];   /* shared by the workers (net/tls.h) */
    bool has_ticket_key;

    /* protocol */
    struct limits limits;
    bool include_server_header, include_date_header;
    struct text_list alt_svc_headers; /* values of alt-svc fields */
    struct text_list server_names;    /* hosts answered; none: all (others get 404) */
    enum push_mode push;
    bool push_learn; /* hints seen in a response are sent at once to the next visitor of its path */
    bool push_fallback; /* an application's push becomes an early hint where there are no pushes */

    /* application */
    uint32_t max_app_queue_size;
    uint64_t wsgi_max_body_size;
    unsigned wsgi_threads;

    /* upstream */
    herald_time upstream_connect_timeout, upstream_read_timeout;
    const char *upstream_ca_certs;
    bool upstream_insecure; /* do not verify an https upstream */

    /* logs */
    const char *accesslog; /* NULL: none; "-": standard output */
    const char *access_log_format;
    const char *errorlog; /* "-": standard error */
    enum log_level loglevel;
    enum trace_output trace;
    bool debug;
};

/* The defaults. `config` owns nothing yet but may be freed. */
void serve_config_init(struct serve_config *config);
void serve_config_free(struct serve_config *config);

/* Copies `text` into the configuration. NULL when memory is out. */
const char *serve_config_text(struct serve_config *config, struct span text);

/* Appends a copy. Returns 0, HERALD_ERROR_LIMIT past TEXT_LIST_MAXIMUM, or HERALD_ERROR_NOMEM. */
int serve_config_append(struct serve_config *config, struct text_list *list, struct span text);

#endif
