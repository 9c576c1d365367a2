#include "bench/worker.h"
#include <stdio.h>
#include <stdlib.h>

#define SEED_STEP UINT64_C(0x9e3779b97f4a7c15) /* 2^64 over the golden ratio */

#define ENGINES_MAXIMUM 4

/* ---- what the engine says ---- */

static void on_dispatch(struct conn *conn, struct exchange *exchange)
{
    /* Only a server is asked; nobody else would release it. */
    (void)conn;
    exchange_cancel(exchange, HERALD_ERROR_REFUSED);
    exchange_release(exchange);
}

static void on_wake(struct conn *conn)
{
    struct connection *connection = conn->host_data;

    link_wake(connection->link);
}

static unsigned room_of(const struct connection *connection, enum http_version version)
{
    return version == HTTP_1_1 ? 1 : connection->worker->config->streams;
}

static void on_ready(struct conn *conn)
{
    struct connection *connection = conn->host_data;

    connection->room = room_of(connection, conn->version);
    connection_note(connection);
}

static void on_going_away(struct conn *conn)
{
    struct connection *connection = conn->host_data;

    connection->stands = false;
    connection_note(connection);
}

static const struct conn_host_ops host_ops = {
    .dispatch = on_dispatch,
    .wake = on_wake,
    .ready = on_ready,
    .going_away = on_going_away,
};

/* ---- what the link says ---- */

static const struct engine *find_engine(const struct bench_config *config, struct span alpn)
{
    for (size_t i = 0; i < config->engine_count; i++)
        if (span_equals(span_from_text(config->engines[i]->alpn), alpn))
            return config->engines[i];
    return NULL;
}

static void count_open(struct connection *connection, enum http_version version)
{
    struct bench_tally *tally = &connection->worker->tally;
    const struct link_timing *timing = link_get_timing(connection->link);

    tally->connections++;
    if (version == HTTP_1_1)
        tally->connections_http1++;
    else
        tally->connections_http2++;
    histogram_record(&tally->connect, worker_clock() - timing->started);
}

static struct conn *on_open(struct link *link, const struct conn_info *info, struct span alpn)
{
    struct connection *connection = link_user(link);
    struct worker *worker = connection->worker;
    const struct engine *engine = find_engine(worker->config, alpn);
    struct conn_config config = {
        .role = CONN_CLIENT,
        .host = &host_ops,
        .host_data = connection,
        .info = info,
        .limits = &worker->limits,
        .number = connection->number,
        .push = worker->config->push != BENCH_PUSH_OFF,
        .seed = worker->config->seed + connection->number * SEED_STEP,
    };

    if (worker->phase >= WORKER_DRAINING)
        return NULL;
    if (engine == NULL)
        bench_tally_note(&worker->tally, "the server speaks none of the protocols asked for");
    struct conn *conn = engine == NULL ? NULL : engine->create(&config, loop_now(worker->loop));
    if (conn == NULL)
        return NULL;
    count_open(connection, engine->version);
    connection->was_open = connection->stands = true;
    connection->room = room_of(connection, engine->version);
    worker->opening--;
    worker_opened(worker);
    connection_note(connection);
    return conn;
}

static bool is_needed(const struct connection *connection)
{
    const struct worker *worker = connection->worker;

    if (worker->phase >= WORKER_DRAINING || pace_is_done(worker))
        return false;
    return worker->config->requests == 0 || worker->config->rate > 0 || connection->quota > 0 ||
           worker->pool > 0 || !list_is_empty(&worker->again);
}

/* Its part of the requests goes to a successor, or to the others when it has done nothing. */
static void replace(struct connection *connection)
{
    struct worker *worker = connection->worker;

    if (!is_needed(connection))
        return;
    if (connection->was_open && connection->served > 0 &&
        connection_start(worker, connection->quota) == 0)
        return;
    worker->pool += connection->quota;
    pace_all(worker);
}

static void note_failure(struct connection *connection, struct link *link)
{
    struct worker *worker = connection->worker;
    char text[BENCH_ERROR_SIZE];

    if (worker->phase >= WORKER_DRAINING)
        return;
    if (connection->was_open) {
        worker->tally.connections_lost += is_needed(connection) ? 1 : 0;
        return;
    }
    worker->tally.connect_failures++;
    snprintf(text, sizeof(text), "cannot connect: %s", link_error_text(link));
    bench_tally_note(&worker->tally, text);
}

static void on_closed(struct link *link, int reason)
{
    struct connection *connection = link_user(link);
    struct worker *worker = connection->worker;

    (void)reason;
    worker->tally.wire_in += link_bytes_in(link);
    worker->tally.wire_out += link_bytes_out(link);
    if (!connection->was_open)
        worker->opening--;
    note_failure(connection, link);
    list_remove(&connection->node);
    list_remove(&connection->open_node);
    loop_work_remove(&connection->work);
    worker->connection_count--;
    replace(connection);
    free(connection);
    worker_closed(worker);
}

static const struct link_ops bench_link_ops = {.open = on_open, .closed = on_closed};

/* ---- what the worker asks ---- */

bool connection_has_room(const struct connection *connection)
{
    return connection->stands && connection->in_flight < connection->room;
}

void connection_end(struct connection *connection)
{
    connection->stands = false;
    if (connection->retired)
        return;
    connection->retired = true;
    link_shutdown(connection->link);
}

static void look(struct loop_work *work, herald_time now)
{
    struct connection *connection = CONTAINER_OF(work, struct connection, work);
    struct worker *worker = connection->worker;

    (void)now;
    if (worker->phase == WORKER_RUNNING)
        pace_connection(connection);
    if (connection->was_open && !connection->stands && connection->in_flight == 0)
        connection_end(connection);
    worker_check_done(worker);
}

void connection_note(struct connection *connection)
{
    struct worker *worker = connection->worker;

    /* A slot freed now is what the oldest waiting request has been waiting for. */
    if (worker->config->rate > 0 && connection_has_room(connection) &&
        list_is_empty(&connection->open_node)) {
        if (list_is_empty(&worker->open))
            worker->free_since = worker_clock();
        list_append(&worker->open, &connection->open_node);
    }
    loop_work_add(worker->loop, &connection->work);
}

int connection_start(struct worker *worker, uint64_t quota)
{
    const struct bench_config *config = worker->config;
    const char *alpn[ENGINES_MAXIMUM];
    struct link_target target = {
        .host = config->host,
        .port = config->port,
        .unix_path = config->unix_path,
        .tls = worker->tls,
        .server_name = config->server_name,
        .alpn = alpn,
        .connect_timeout = config->connect_timeout,
        .handshake_timeout = config->connect_timeout,
    };
    struct connection *connection = calloc(1, sizeof(*connection));

    if (connection == NULL)
        return HERALD_ERROR_NOMEM;
    for (; target.alpn_count < config->engine_count && target.alpn_count < ENGINES_MAXIMUM;
         target.alpn_count++)
        alpn[target.alpn_count] = config->engines[target.alpn_count]->alpn;
    connection->worker = worker;
    connection->number = ++worker->connection_numbers;
    connection->quota = quota;
    list_init(&connection->open_node);
    list_init(&connection->requests);
    loop_work_init(&connection->work, look);
    int result =
        link_connect(worker->loop, &target, &bench_link_ops, connection, &connection->link);
    if (result != 0) {
        free(connection);
        return result;
    }
    list_append(&worker->connections, &connection->node);
    worker->connection_count++;
    worker->opening++;
    return 0;
}
