#include "server/server_private.h"

#include "base/log.h"
#include "server/supervisor.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/resource.h>

#define DESTROY_TURNS 64
/* Exchanges of 4 KiB whose memory the loop keeps: a turn of ten connections with a hundred streams
 * each. */
#define SPARE_EXCHANGES 1024

/* For the first request of a connection that was made before the shutdown. */
#define FRESH_TIME HERALD_SECOND

/* Lines that a slow reader did not take are tried again after this. */
#define LOG_RETRY (100 * HERALD_MILLISECOND)

static void turn_ended(struct loop_work *work, herald_time now);
static void log_due(struct loop_timer *timer, herald_time now);
static void shutdown_due(struct loop_timer *timer, herald_time now);
static void fresh_due(struct loop_timer *timer, herald_time now);

/* Half of what the process may open: the rest is for files, upstreams and the application. */
static uint32_t default_connections(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY ||
        limit.rlim_cur / 2 > UINT32_MAX)
        return 0;
    return (uint32_t)(limit.rlim_cur / 2);
}

static int open_access_log(struct server *server)
{
    const struct serve_config *config = server->config;
    const char *bad = NULL;
    if (config->accesslog == NULL)
        return 0;
    int result =
        access_log_open(config->accesslog, config->access_log_format, &server->access_log, &bad);
    if (result == HERALD_ERROR_INVALID || result == HERALD_ERROR_LIMIT)
        log_write(LOG_ERROR, "the access log's format cannot be used at '%s'", bad);
    else if (result == HERALD_ERROR_IO)
        log_write(LOG_ERROR, "--access-logfile '%s': %s", config->accesslog, strerror(errno));
    return result == 0 || result == HERALD_ERROR_NOMEM ? result : HERALD_ERROR_CONFIG;
}

static int create_tls(struct server *server)
{
    const struct serve_config *config = server->config;
    struct tls_certificate_files files[TEXT_LIST_MAXIMUM];
    const char *alpn[TEXT_LIST_MAXIMUM + 1];
    size_t protocols = server->options.engine_count;
    if (config->bind.count == 0)
        return 0;
    if (protocols > TEXT_LIST_MAXIMUM)
        return HERALD_ERROR_INVALID;
    for (size_t i = 0; i < config->certfile.count; i++)
        files[i] = (struct tls_certificate_files){
            .certificate = config->certfile.items[i],
            .key = i < config->keyfile.count ? config->keyfile.items[i] : NULL,
            .password = config->keyfile_password,
        };
    for (size_t i = 0; i < protocols; i++)
        alpn[i] = server->options.engines[i]->alpn;
    /* Clients told to speak HTTP/1.0 offer nothing else. */
    if (server_find_engine(server, SPAN_LITERAL("http/1.0")) != NULL)
        alpn[protocols++] = "http/1.0";
    const struct tls_server_config tls = {
        .certificates = files,
        .certificate_count = config->certfile.count,
        .alpn = alpn,
        .alpn_count = protocols,
        .verify = (enum tls_verify)config->verify_mode,
        .ca_file = config->ca_certs,
        .priorities = config->ciphers,
    };
    struct tls_error error = {"no certificate was given"};
    _Static_assert(sizeof(config->ticket_key) == TLS_TICKET_KEY_SIZE, "one key for all workers");
    int result = config->certfile.count == 0
                     ? HERALD_ERROR_TLS
                     : tls_context_create_server(&server->tls, &tls, &error);
    if (result < 0 && result != HERALD_ERROR_NOMEM) {
        log_write(LOG_ERROR, "%s", error.text);
        return HERALD_ERROR_CONFIG;
    }
    if (result == 0 && config->has_ticket_key)
        tls_context_set_ticket_key(server->tls, config->ticket_key);
    return result;
}

static void init_link_servers(struct server *server)
{
    uint32_t most = server->config->max_connections;
    if (most == 0)
        most = default_connections();
    link_server_init(&server->secure, server->loop, &server_link_ops, server);
    link_server_init(&server->cleartext, server->loop, &server_link_ops, server);
    server->secure.tls = server->tls;
    server->secure.handshake_timeout = server->config->ssl_handshake_timeout;
    server->cleartext.handshake_timeout = server->config->limits.head_timeout;
    server->secure.maximum_links = server->cleartext.maximum_links = most;
}

static void init_limits(struct server *server)
{
    herald_time age = server->config->limits.connection_age;
    for (size_t i = 0; i < SERVER_AGES; i++) {
        server->limits[i] = server->config->limits;
        /* From nine to eleven tenths of what was asked for. */
        if (age != 0 && age != HERALD_NEVER)
            server->limits[i].connection_age =
                age / 10 * 9 + age / 5 / SERVER_AGES * (herald_time)i;
    }
    uint64_t jitter = server->config->max_requests_jitter;
    server->requests_maximum = server->config->max_requests;
    if (server->requests_maximum != 0 && jitter != 0 && jitter != UINT64_MAX)
        server->requests_maximum += server_random(server) % (jitter + 1);
}

int server_create(const struct server_options *options, struct server **server)
{
    struct server *created = calloc(1, sizeof(*created));
    if (created == NULL)
        return HERALD_ERROR_NOMEM;
    created->options = *options;
    created->options.handler = NULL; /* not ours before success */
    created->loop = options->loop;
    created->config = options->config;
    loop_work_init(&created->turn_end, turn_ended);
    created->log_timer.expired = log_due;
    created->shutdown_timer.expired = shutdown_due;
    created->fresh_timer.expired = fresh_due;
    if (getrandom(&created->seed, sizeof(created->seed), 0) < 0)
        created->seed = (uint64_t)(uintptr_t)created ^ loop_now(created->loop);
    init_limits(created);
    int result = server_fields_init(&created->fields, created->config);
    if (result == 0)
        result = create_tls(created);
    if (result == 0)
        result = open_access_log(created);
    init_link_servers(created);
    if (result == 0 && created->config->push_learn) {
        created->push_memory = push_memory_create();
        result = created->push_memory == NULL ? HERALD_ERROR_NOMEM : 0;
    }
    if (result < 0) {
        server_destroy(created);
        return result;
    }
    created->options.handler = options->handler;
    *server = created;
    return 0;
}

int server_bind(struct server *server)
{
    if (server->bound)
        return 0;
    int result = server_open_listeners(server);
    if (result == 0)
        result = server_quic_bind(server);
    server->bound = result == 0;
    return result;
}

int server_start(struct server *server)
{
    int result = server_bind(server);
    for (size_t i = 0; i < server->listener_count && result == 0; i++) {
        result = listener_start(server->listeners[i]);
        if (result < 0)
            log_write(LOG_ERROR, "cannot accept on %s", server->addresses[i]);
    }
    if (result == 0)
        result = server_quic_start(server);
    server->started = result == 0;
    if (server->started)
        exchange_keep_spare(SPARE_EXCHANGES);
    return result;
}

static size_t links_open(const struct server *server)
{
    return server->secure.link_count + server->cleartext.link_count + server->quic.link_count;
}

static void flush_access_log(struct server *server, herald_time now)
{
    if (server->access_log == NULL)
        return;
    bool waiting = access_log_flush(server->access_log);
    server->counters.access_log_dropped = access_log_dropped(server->access_log);
    if (waiting)
        (void)loop_timer_set(server->loop, &server->log_timer, now + LOG_RETRY);
}

/* A client that has just connected has a request on its way: its connection ends after the answer.
 * Once `fresh_over`, whatever has not asked by then ends too. */
static void shut_link(struct link *link, void *user)
{
    struct server *server = user;
    struct connection *connection = link_user(link);
    bool has_conn = link_conn(link) != NULL && connection != NULL;
    if (!server->fresh_over && (!has_conn || !connection->used))
        return;
    if (has_conn && connection->shut)
        return;
    if (has_conn)
        connection->shut = true;
    link_shutdown(link);
}

static void shut_links(struct server *server)
{
    server->shut_due = false;
    link_server_each(&server->secure, shut_link, server);
    link_server_each(&server->cleartext, shut_link, server);
    server_quic_shut(server);
}

static void fresh_due(struct loop_timer *timer, herald_time now)
{
    struct server *server = CONTAINER_OF(timer, struct server, fresh_timer);
    (void)now;
    server->fresh_over = true;
    shut_links(server);
}

static void turn_ended(struct loop_work *work, herald_time now)
{
    struct server *server = CONTAINER_OF(work, struct server, turn_end);
    flush_access_log(server, now);
    if (server->worn_out && !server->stopping && server->options.worn_out != NULL) {
        worker_leaving();
        server->options.worn_out(server, server->options.user);
        return;
    }
    if (server->shut_due)
        shut_links(server);
    if (!server->stopping || server->stopped || links_open(server) > 0)
        return;
    server->stopped = true;
    loop_timer_stop(server->loop, &server->shutdown_timer);
    loop_timer_stop(server->loop, &server->fresh_timer);
    if (server->options.stopped != NULL)
        server->options.stopped(server, server->options.user);
}

static void log_due(struct loop_timer *timer, herald_time now)
{
    flush_access_log(CONTAINER_OF(timer, struct server, log_timer), now);
}

static void cut_link(struct link *link, void *user)
{
    struct server *server = user;
    server->counters.connections_forced++;
    link_close(link, HERALD_ERROR_TIMEOUT);
}

static void cut_all(struct server *server)
{
    link_server_each(&server->secure, cut_link, server);
    link_server_each(&server->cleartext, cut_link, server);
    server_quic_cut(server);
}

static void shutdown_due(struct loop_timer *timer, herald_time now)
{
    struct server *server = CONTAINER_OF(timer, struct server, shutdown_timer);
    (void)now;
    log_write(LOG_WARNING, "the graceful timeout has passed: open connections are cut");
    cut_all(server);
}

void server_shutdown(struct server *server, herald_time graceful)
{
    bool first = !server->stopping;
    server->stopping = true;
    if (first) {
        for (size_t i = 0; i < server->listener_count && graceful > 0; i++)
            listener_drain(server->listeners[i]);
        server_close_listeners(server);
        server_quic_refuse(server);
        shut_links(server);
        (void)loop_timer_set(server->loop, &server->fresh_timer,
                             loop_now(server->loop) + FRESH_TIME);
    }
    if (graceful == 0) {
        cut_all(server);
    } else {
        herald_time due = loop_now(server->loop) + graceful;
        if (first || due < server->shutdown_timer.node.due)
            (void)loop_timer_set(server->loop, &server->shutdown_timer, due);
    }
    loop_work_add(server->loop, &server->turn_end);
}

void server_destroy(struct server *server)
{
    if (server == NULL)
        return;
    server->stopping = server->stopped = true;
    server_close_listeners(server);
    cut_all(server);
    /* Links end at the end of a turn and use the server until then. */
    for (unsigned turn = 0; turn < DESTROY_TURNS && links_open(server) > 0; turn++)
        loop_turn(server->loop);
    server_quic_close(server);
    loop_work_remove(&server->turn_end);
    loop_timer_stop(server->loop, &server->log_timer);
    loop_timer_stop(server->loop, &server->fresh_timer);
    loop_timer_stop(server->loop, &server->shutdown_timer);
    struct handler *handler = server->options.handler;
    if (handler != NULL && handler->destroy != NULL)
        handler->destroy(handler);
    access_log_close(server->access_log);
    push_memory_destroy(server->push_memory);
    tls_context_release(server->tls);
    server_fields_free(&server->fields);
    exchange_keep_spare(0);
    free(server);
}

int server_reload_certificates(struct server *server)
{
    struct tls_error error;
    if (server->access_log != NULL && access_log_reopen(server->access_log) < 0)
        log_write(LOG_WARNING, "--access-logfile '%s': %s; the old file is kept",
                  server->config->accesslog, strerror(errno));
    if (server->tls == NULL)
        return 0;
    if (tls_context_reload(server->tls, &error) < 0)
        return HERALD_ERROR_CONFIG;
    log_write(LOG_INFO, "certificates were read again");
    return 0;
}

const struct server_counters *server_counters(const struct server *server)
{
    return &server->counters;
}

struct loop *server_loop(const struct server *server)
{
    return server->loop;
}

const char *server_address(const struct server *server, size_t index)
{
    return index < server->listener_count ? server->addresses[index] : NULL;
}
