#include "client/client_internal.h"
#include <stdio.h>
#include <stdlib.h>

/* An odd number, so that seeds of one client's connections all differ (2^64 over the golden ratio).
 */
#define SEED_STEP UINT64_C(0x9e3779b97f4a7c15)

static void schedule_idle(struct connection *connection)
{
    struct client *client = connection->client;
    struct loop *loop = client->config.loop;

    if (connection->active > 0 || client->destroyed) {
        loop_timer_stop(loop, &connection->idle);
        return;
    }
    if (loop_timer_set(loop, &connection->idle, loop_now(loop) + client->config.idle_timeout) != 0)
        connection->closing = true;
}

static void idle_expired(struct loop_timer *timer, herald_time now)
{
    (void)now;
    connection_retire(CONTAINER_OF(timer, struct connection, idle));
}

/* ---- what the engine says ---- */

static void on_dispatch(struct conn *conn, struct exchange *exchange)
{
    /* Only a server is asked; nobody else would release it. */
    (void)conn;
    exchange_cancel(exchange, HERALD_ERROR_REFUSED);
    exchange_release(exchange);
}

static void on_change(struct conn *conn)
{
    struct connection *connection = conn->host_data;

    client_schedule(connection->client);
}

static void on_completed(struct conn *conn, struct exchange *exchange)
{
    (void)exchange;
    on_change(conn);
}

static void on_wake(struct conn *conn)
{
    struct connection *connection = conn->host_data;

    link_wake(connection->link);
    /* A slot may have become free. */
    if (connection->origin->waiting_count > 0)
        client_schedule(connection->client);
}

static void on_going_away(struct conn *conn)
{
    struct connection *connection = conn->host_data;

    connection->closing = true;
    client_schedule(connection->client);
}

static const struct conn_host_ops host_ops = {
    .dispatch = on_dispatch,
    .completed = on_completed,
    .wake = on_wake,
    .ready = on_change,
    .going_away = on_going_away,
};

/* ---- what the link says ---- */

static const struct engine *find_engine(const struct client *client, struct span alpn)
{
    for (size_t i = 0; i < client->config.engine_count; i++)
        if (span_equals(span_from_text(client->config.engines[i]->alpn), alpn))
            return client->config.engines[i];
    return NULL;
}

static void note_open(struct connection *connection, const struct conn_info *info,
                      const struct engine *engine)
{
    const char *path = connection->origin->target.unix_path;
    bool ipv6 = strchr(info->peer_address, ':') != NULL;
    bool tls = info->tls_version != NULL && info->tls_version[0] != 0;

    if (path != NULL)
        client_note(connection->client, connection->number, "connected to unix:%s%s%s, %s", path,
                    tls ? ", " : "", tls ? info->tls_version : "", engine->alpn);
    else
        client_note(connection->client, connection->number, "connected to %s%s%s:%u%s%s%s%s, %s",
                    ipv6 ? "[" : "", info->peer_address, ipv6 ? "]" : "", info->peer_port,
                    tls ? ", " : "", tls ? info->tls_version : "", tls ? " " : "",
                    tls ? info->tls_cipher : "", engine->alpn);
}

static struct conn *on_open(struct link *link, const struct conn_info *info, struct span alpn)
{
    struct connection *connection = link_user(link);
    struct client *client = connection->client;
    const struct engine *engine = find_engine(client, alpn);
    struct conn_config config = {
        .role = CONN_CLIENT,
        .host = &host_ops,
        .host_data = connection,
        .info = info,
        .limits = client->config.limits,
        .trace = client->config.trace,
        .number = connection->number,
        .push = client->config.push,
        .seed = client->config.seed + connection->number * SEED_STEP,
    };

    if (client->destroyed)
        return NULL;
    connection->failure = engine == NULL ? HERALD_ERROR_UNSUPPORTED : HERALD_ERROR_NOMEM;
    if (engine == NULL)
        return NULL;
    struct conn *conn = engine->create(&config, loop_now(client->config.loop));
    if (conn == NULL)
        return NULL;
    connection->failure = 0;
    connection->was_open = true;
    connection->origin->version = engine->version;
    note_open(connection, info, engine);
    schedule_idle(connection);
    client_schedule(client);
    return conn;
}

static void describe_failure(const struct connection *connection, const char *why, char *text,
                             size_t capacity)
{
    const struct client_target *target = &connection->origin->target;

    if (target->unix_path != NULL)
        snprintf(text, capacity, "unix:%s: %s", target->unix_path, why);
    else
        snprintf(text, capacity, "%s port %u: %s",
                 target->connect_host != NULL ? target->connect_host : target->host,
                 target->connect_port != 0 ? target->connect_port : target->port, why);
}

static void on_closed(struct link *link, int reason)
{
    struct connection *connection = link_user(link);
    struct client *client = connection->client;
    struct origin *origin = connection->origin;
    bool served = connection->served > 0;
    char text[CLIENT_ERROR_SIZE];
    const char *why = link_error_text(link);

    if (connection->failure == HERALD_ERROR_UNSUPPORTED)
        why = "the server speaks none of the protocols asked for";
    describe_failure(connection, why, text, sizeof(text));
    if (!connection->was_open && connection->failure != 0)
        reason = connection->failure;
    if (connection->was_open && reason == 0)
        client_note(client, connection->number, "connection closed");
    else
        client_note(client, connection->number, "connection closed: %s", why);
    loop_timer_stop(client->config.loop, &connection->idle);
    list_remove(&connection->node);
    free(connection);
    if (!served && !client->destroyed)
        origin_connection_failed(origin, reason != 0 ? reason : HERALD_ERROR_CLOSED, text);
    client_connection_ended(client);
}

static const struct link_ops link_ops_client = {.open = on_open, .closed = on_closed};

/* ---- what the pool asks ---- */

/* The protocol of a cleartext connection is decided beforehand. */
static const char *cleartext_protocol(const struct client_config *config)
{
    const char *multiplexed = NULL;

    for (size_t i = 0; i < config->engine_count; i++) {
        if (config->engines[i]->version == HTTP_1_1 && !config->prior_knowledge)
            return config->engines[i]->alpn;
        if (config->engines[i]->version == HTTP_2 && multiplexed == NULL)
            multiplexed = config->engines[i]->alpn;
    }
    return multiplexed;
}

int connection_open(struct origin *origin)
{
    struct client *client = origin->client;
    const struct client_config *config = &client->config;
    const struct client_target *target = &origin->target;
    const char *alpn[CLIENT_ENGINES_MAXIMUM];
    bool secure = strcmp(target->scheme, "https") == 0;
    struct link_target link_target = {
        .host = target->connect_host != NULL ? target->connect_host : target->host,
        .port = target->connect_port != 0 ? target->connect_port : target->port,
        .unix_path = target->unix_path,
        .tls = secure ? config->tls : NULL,
        .server_name = target->host,
        .alpn = alpn,
        .connect_timeout = config->connect_timeout,
        .handshake_timeout = config->connect_timeout,
    };
    struct connection *connection = calloc(1, sizeof(*connection));

    if (connection == NULL)
        return HERALD_ERROR_NOMEM;
    if (secure) {
        for (; link_target.alpn_count < config->engine_count; link_target.alpn_count++)
            alpn[link_target.alpn_count] = config->engines[link_target.alpn_count]->alpn;
    } else {
        alpn[link_target.alpn_count++] = cleartext_protocol(config);
    }
    connection->client = client;
    connection->origin = origin;
    connection->number = ++client->connection_number;
    connection->idle.expired = idle_expired;
    int result =
        link_connect(config->loop, &link_target, &link_ops_client, connection, &connection->link);
    if (result != 0) {
        free(connection);
        return result;
    }
    list_append(&origin->connections, &connection->node);
    client->connection_count++;
    return 0;
}

struct conn *connection_usable(const struct connection *connection)
{
    struct conn *conn = link_conn(connection->link);

    if (conn == NULL || connection->closing || conn->finished || conn->shutting_down)
        return NULL;
    return conn;
}

void connection_add(struct connection *connection)
{
    connection->active++;
    schedule_idle(connection);
}

void connection_remove(struct connection *connection, bool served)
{
    connection->active--;
    if (served) {
        connection->served++;
        connection->origin->failures = 0;
    }
    schedule_idle(connection);
    client_schedule(connection->client);
}

void connection_retire(struct connection *connection)
{
    connection->closing = true;
    if (connection->active > 0 || connection->retired)
        return;
    connection->retired = true;
    link_shutdown(connection->link);
}
