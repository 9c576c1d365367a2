#include "server/server_private.h"

#include "base/log.h"
#include "server/status.h"

#include <stdlib.h>

static struct log_limit handshake_failures;

struct connection *connection_of(const struct exchange *exchange)
{
    if (exchange->server_data == NULL || exchange->conn == NULL)
        return NULL;
    return exchange->conn->host_data;
}

struct server *server_of(const struct exchange *exchange)
{
    return exchange->server_data;
}

const struct serve_config *server_config_of(const struct exchange *exchange)
{
    struct server *server = server_of(exchange);
    return server == NULL ? NULL : server->config;
}

struct server_counters *server_counters_of(struct exchange *exchange)
{
    struct server *server = server_of(exchange);
    return server == NULL ? NULL : &server->counters;
}

uint64_t server_random(struct server *server)
{
    /* SplitMix64 over a seed from the kernel. */
    uint64_t value = server->seed += UINT64_C(0x9e3779b97f4a7c15);
    value = (value ^ (value >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ (value >> 27)) * UINT64_C(0x94d049bb133111eb);
    return value ^ (value >> 31);
}

static struct span host_without_port(struct span authority)
{
    size_t end = authority.length;
    while (end > 0 && authority.data[end - 1] >= '0' && authority.data[end - 1] <= '9')
        end--;
    return end > 0 && authority.data[end - 1] == ':' ? span_slice(authority, 0, end - 1)
                                                     : authority;
}

/* Hypercorn's server_names: other hosts get 404. */
static bool host_is_served(const struct serve_config *config, const struct exchange *exchange)
{
    if (config->server_names.count == 0)
        return true;
    struct span authority = exchange->incoming.authority;
    struct span host = host_without_port(authority);
    for (size_t i = 0; i < config->server_names.count; i++) {
        struct span name = span_from_text(config->server_names.items[i]);
        if (span_equals_ignoring_case(name, host) || span_equals_ignoring_case(name, authority))
            return true;
    }
    return false;
}

static void count_request(struct server *server, const struct exchange *exchange)
{
    if (exchange->is_pushed) {
        server->counters.pushes++;
    } else {
        server->counters.requests++;
        if (server->requests_maximum != 0 &&
            server->counters.requests >= server->requests_maximum && !server->worn_out) {
            server->worn_out = true;
            loop_work_add(server->loop, &server->turn_end);
        }
    }
    server->counters.running++;
}

/* The status that answers a request no handler should see, or 0. */
static unsigned refusal_of(const struct serve_config *config, const struct exchange *exchange)
{
    const struct message *request = &exchange->incoming;
    if (!host_is_served(config, exchange))
        return 404;
    /* A plain CONNECT asks for a tunnel to anywhere, which no handler offers (RFC 9110
     * section 9.3.6). */
    if (span_equals(request->method, SPAN_LITERAL("CONNECT")) && request->protocol.length == 0)
        return 501;
    return 0;
}

static bool is_secure(const struct conn *conn)
{
    return conn->info != NULL && strcmp(conn->info->scheme, "https") == 0;
}

static void dispatch(struct conn *conn, struct exchange *exchange)
{
    struct connection *connection = conn->host_data;
    struct server *server = connection->server;
    exchange->server_data = server;
    connection->used = true;
    if (server->stopping && !connection->shut) {
        server->shut_due = true;
        loop_work_add(server->loop, &server->turn_end);
    }
    server_fields_refresh(&server->fields, server->loop->now);
    bool advertise =
        server->fields.advertising.count > 0 && conn->version != HTTP_3 && is_secure(conn);
    exchange->defaults = advertise ? &server->fields.advertising : &server->fields.list;
    count_request(server, exchange);
    unsigned refusal = refusal_of(server->config, exchange);
    if (refusal != 0) {
        status_respond(exchange, refusal, NULL, 0);
        exchange_release(exchange);
        return;
    }
    if (!exchange->is_pushed)
        push_policy_request(exchange);
    server->options.handler->start(server->options.handler, exchange);
}

static void completed(struct conn *conn, struct exchange *exchange)
{
    struct server *server = ((struct connection *)conn->host_data)->server;
    /* What the engine answered by itself (a malformed head) was never dispatched. */
    if (exchange->server_data == NULL)
        return;
    server->counters.running--;
    if (exchange->reason == 0)
        server->counters.responses++;
    else
        server->counters.aborted++;
    server->counters.bytes_in += exchange->body_bytes_in;
    server->counters.bytes_out += exchange->body_bytes_out;
    if (server->access_log == NULL)
        return;
    access_log_add(server->access_log, exchange, server->fields.second);
    loop_work_add(server->loop, &server->turn_end);
}

static void wake(struct conn *conn)
{
    struct connection *connection = conn->host_data;
    if (connection->link != NULL)
        link_wake(connection->link);
    else
        datagram_link_wake(connection->datagrams);
}

static const struct conn_host_ops host_ops = {
    .dispatch = dispatch, .completed = completed, .wake = wake};

void server_fill_conn_config(struct connection *connection, struct conn_config *config)
{
    struct server *server = connection->server;
    uint64_t number = ++server->connection_number;
    config->host = &host_ops;
    config->host_data = connection;
    config->limits = &server->limits[number % SERVER_AGES];
    config->trace = server->options.trace;
    config->number = number;
    config->push = server->config->push != PUSH_OFF || server->config->push_fallback;
    config->seed = server_random(server);
}

const struct engine *server_find_engine(const struct server *server, struct span alpn)
{
    if (span_equals(alpn, SPAN_LITERAL("http/1.0")))
        alpn = SPAN_LITERAL("http/1.1");
    for (size_t i = 0; i < server->options.engine_count; i++)
        if (span_equals(span_from_text(server->options.engines[i]->alpn), alpn))
            return server->options.engines[i];
    return NULL;
}

static struct server *server_of_link(struct link *link)
{
    return link_get_server(link)->user;
}

static struct conn *open_connection(struct link *link, const struct conn_info *info,
                                    struct span alpn)
{
    struct server *server = server_of_link(link);
    const struct engine *engine = server_find_engine(server, alpn);
    link_set_user(link, NULL);
    server->counters.connections_accepted++;
    if (engine == NULL || server->fresh_over) {
        server->counters.connections_no_protocol += engine == NULL;
        return NULL;
    }
    struct connection *connection = calloc(1, sizeof(*connection));
    if (connection == NULL)
        return NULL;
    *connection = (struct connection){.server = server, .link = link};
    struct conn_config config = {.role = CONN_SERVER, .info = info};
    server_fill_conn_config(connection, &config);
    connection->conn = engine->create(&config, server->loop->now);
    if (connection->conn == NULL) {
        free(connection);
        return NULL;
    }
    link_set_user(link, connection);
    return connection->conn;
}

static void closed(struct link *link, int reason)
{
    struct server *server = server_of_link(link);
    struct connection *connection = link_user(link);
    (void)reason;
    server->counters.connections_closed++;
    if (connection != NULL) {
        free(connection->diary);
        free(connection);
    }
    if (server->stopping)
        loop_work_add(server->loop, &server->turn_end);
}

static void failed(struct link *link, int reason)
{
    struct server *server = server_of_link(link);
    const struct conn_info *info = link_info(link);
    server->counters.connections_tls_failed++;
    if (server->stopping) {
        loop_work_add(server->loop, &server->turn_end);
        return;
    }
    /* A peer that just leaves is a health check, or a browser that was quicker than its user. */
    enum log_level level = reason == HERALD_ERROR_CLOSED ? LOG_DEBUG : LOG_INFO;
    if (info->peer_address[0] != '\0')
        log_limited(&handshake_failures, level, "%s:%u made no request on port %u: %s",
                    info->peer_address, info->peer_port, info->local_port, link_error_text(link));
    else
        log_limited(&handshake_failures, level, "a connection made no request: %s",
                    link_error_text(link));
}

const struct link_ops server_link_ops = {
    .open = open_connection, .closed = closed, .failed = failed};
