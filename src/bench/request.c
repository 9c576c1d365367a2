#include "bench/worker.h"
#include <gnutls/crypto.h>
#include <stdio.h>
#include <stdlib.h>

#define ATTEMPTS_MAXIMUM 3

/* ---- memory ---- */

static struct request *take(struct worker *worker)
{
    struct list *node = list_first(&worker->spare);
    struct request *request;

    if (node != NULL) {
        request = CONTAINER_OF(node, struct request, node);
        list_remove(node);
        return request;
    }
    request = calloc(1, sizeof(*request));
    if (request == NULL)
        return NULL;
    list_init(&request->node);
    if (worker->config->check_sha256 != NULL &&
        gnutls_hash_init((gnutls_hash_hd_t *)&request->digest, GNUTLS_DIG_SHA256) != 0) {
        free(request);
        return NULL;
    }
    return request;
}

static void give(struct worker *worker, struct request *request)
{
    list_remove(&request->node);
    /* At the front: the memory last used is the one in the cache. */
    list_insert_before(worker->spare.next, &request->node);
}

static void free_list(struct list *head)
{
    LIST_FOR_EACH_SAFE(node, following, head)
    {
        struct request *request = CONTAINER_OF(node, struct request, node);
        list_remove(node);
        if (request->digest != NULL)
            gnutls_hash_deinit(request->digest, NULL);
        free(request);
    }
}

void requests_free(struct worker *worker)
{
    free_list(&worker->spare);
    free_list(&worker->again);
}

/* ---- pushed responses ---- */

static void on_push_head(struct exchange *pushed)
{
    exchange_discard_input(pushed);
}

static void on_push_closed(struct exchange *pushed, int reason)
{
    struct connection *connection = pushed->conn->host_data;
    struct worker *worker = connection->worker;
    herald_time now = worker_clock();

    worker->promises_open--;
    if (reason == 0) {
        worker->tally.pushes++;
        worker->tally.push_bytes += pushed->body_bytes_in;
        histogram_record(&worker->tally.push, now - (herald_time)(uintptr_t)pushed->user);
        worker->tally.end = now;
    } else {
        worker->tally.push_failures++;
    }
    exchange_release(pushed);
    connection_note(connection);
}

static const struct exchange_events push_events = {.head = on_push_head, .closed = on_push_closed};

static void on_pushed(struct exchange *exchange, struct exchange *promised)
{
    struct request *request = exchange->user;
    struct worker *worker = request->connection->worker;

    worker->tally.promises++;
    if (worker->config->push == BENCH_PUSH_ACCEPT) {
        promised->events = &push_events;
        promised->user = (void *)(uintptr_t)worker_clock();
        if (exchange_accept_push(promised) == 0) {
            worker->promises_open++;
            return;
        }
        worker->tally.push_failures++;
    }
    exchange_cancel(promised, HERALD_ERROR_CANCELLED);
    exchange_release(promised);
}

/* ---- events of a request ---- */

static void on_informational(struct exchange *exchange, const struct message *message)
{
    struct request *request = exchange->user;
    struct bench_tally *tally = &request->connection->worker->tally;

    tally->informational++;
    if (message->status != 103)
        return;
    tally->hints++;
    if (!request->has_hint)
        histogram_record(&tally->hint, worker_clock() - request->due);
    request->has_hint = true;
}

static void on_head(struct exchange *exchange)
{
    struct request *request = exchange->user;

    histogram_record(&request->connection->worker->tally.first_byte, worker_clock() - request->due);
    /* HTTP/1.1 closes a connection that has much to drop; there the bytes are read. */
    if (request->digest == NULL && exchange->conn->version != HTTP_1_1)
        exchange_discard_input(exchange);
}

static void on_readable(struct exchange *exchange)
{
    struct request *request = exchange->user;
    struct span data;

    while ((data = exchange_peek(exchange)).length > 0) {
        if (request->digest != NULL)
            (void)gnutls_hash(request->digest, data.data, data.length);
        exchange_consume(exchange, data.length);
    }
}

static void check(const struct request *request, struct bench_tally *tally)
{
    const struct bench_config *config = request->connection->worker->config;
    unsigned status = request->exchange->incoming.status;

    if (status < BENCH_STATUSES)
        tally->status[status]++;
    if (config->check_status != 0 && status != config->check_status)
        tally->status_wrong++;
    if (request->digest != NULL) {
        uint8_t digest[BENCH_SHA256_SIZE];
        gnutls_hash_output(request->digest, digest);
        if (memcmp(digest, config->check_sha256, sizeof(digest)) != 0)
            tally->body_wrong++;
    }
}

static void count_failure(struct request *request, int reason)
{
    struct worker *worker = request->connection->worker;
    char text[BENCH_ERROR_SIZE];

    worker->tally.failed++;
    __atomic_store_n(&worker->shown_failed, worker->tally.failed, __ATOMIC_RELAXED);
    snprintf(text, sizeof(text), "a request failed: %s", herald_error_text(reason));
    bench_tally_note(&worker->tally, text);
    if (request->digest != NULL)
        gnutls_hash_output(request->digest, NULL);
}

static void count_response(struct request *request)
{
    struct worker *worker = request->connection->worker;
    struct bench_tally *tally = &worker->tally;
    herald_time now = worker_clock();

    histogram_record(&tally->latency, now - request->due);
    check(request, tally);
    tally->completed++;
    tally->body_bytes += request->exchange->body_bytes_in;
    tally->end = now;
    __atomic_store_n(&worker->shown_completed, tally->completed, __ATOMIC_RELAXED);
}

/* Leaves its connection; the exchange is given back. */
static void leave(struct request *request)
{
    struct connection *connection = request->connection;
    struct exchange *exchange = request->exchange;

    request->exchange = NULL;
    list_remove(&request->node);
    connection->in_flight--;
    connection->worker->in_flight--;
    exchange_release(exchange);
    connection_note(connection);
}

static void wait_again(struct worker *worker, struct request *request)
{
    if (request->digest != NULL)
        gnutls_hash_output(request->digest, NULL);
    list_remove(&request->node);
    list_append(&worker->again, &request->node);
}

static void on_closed(struct exchange *exchange, int reason)
{
    struct request *request = exchange->user;
    struct connection *connection = request->connection;
    struct worker *worker = connection->worker;
    bool again = reason == HERALD_ERROR_REFUSED && request->attempts < ATTEMPTS_MAXIMUM &&
                 worker->phase == WORKER_RUNNING;

    if (reason == 0) {
        connection->served++;
        count_response(request);
    } else if (!again) {
        worker->tally.end = worker_clock();
        count_failure(request, reason);
    }
    leave(request);
    if (again) {
        worker->tally.repeated++;
        wait_again(worker, request);
    } else {
        give(worker, request);
    }
}

static const struct exchange_events request_events = {
    .head = on_head,
    .informational = on_informational,
    .readable = on_readable,
    .pushed = on_pushed,
    .closed = on_closed,
};

/* ---- sending ---- */

/* The exchange, whole: head, body and end. NULL when memory is out. */
static struct exchange *build(struct worker *worker, struct request *request)
{
    const struct bench_config *config = worker->config;
    struct exchange *exchange =
        exchange_new_request(config->request, &worker->limits, &request_events, request);

    if (exchange == NULL)
        return NULL;
    if ((config->body.length == 0 ||
         exchange_write_reference(exchange, config->body, NULL, NULL) == 0) &&
        exchange_finish(exchange, NULL, 0) == 0)
        return exchange;
    exchange->events = NULL;
    exchange_release(exchange);
    return NULL;
}

static int offer(struct connection *connection, struct request *request)
{
    struct worker *worker = connection->worker;
    struct conn *conn = link_conn(connection->link);
    struct exchange *exchange = build(worker, request);
    int result = HERALD_ERROR_NOMEM;

    if (exchange != NULL)
        result = conn->ops->request(conn, exchange, loop_now(worker->loop));
    if (result == 0) {
        request->exchange = exchange;
        request->attempts++;
        list_append(&connection->requests, &request->node);
        connection->in_flight++;
        worker->in_flight++;
        return 0;
    }
    if (exchange != NULL) {
        exchange->events = NULL;
        exchange_release(exchange);
    }
    if (result == HERALD_ERROR_LIMIT) {
        connection->room = connection->in_flight;
        wait_again(worker, request);
    } else if (result == HERALD_ERROR_REFUSED) {
        connection->stands = false;
        wait_again(worker, request);
    } else {
        count_failure(request, result);
        give(worker, request);
    }
    return result;
}

int request_send(struct connection *connection, herald_time due)
{
    struct worker *worker = connection->worker;
    struct request *request = take(worker);

    worker->tally.sent++;
    if (request == NULL) {
        worker->tally.failed++;
        bench_tally_note(&worker->tally, herald_error_text(HERALD_ERROR_NOMEM));
        return HERALD_ERROR_NOMEM;
    }
    request->connection = connection;
    request->due = due;
    request->attempts = 0;
    request->has_hint = false;
    return offer(connection, request);
}

int request_send_again(struct connection *connection, struct request *request)
{
    list_remove(&request->node);
    request->connection = connection;
    return offer(connection, request);
}

/* ---- the end ---- */

void requests_abandon(struct worker *worker, herald_time now)
{
    LIST_FOR_EACH_SAFE(node, following, &worker->connections)
    {
        struct connection *connection = CONTAINER_OF(node, struct connection, node);
        struct list *first;
        while ((first = list_first(&connection->requests)) != NULL) {
            struct request *request = CONTAINER_OF(first, struct request, node);
            worker->tally.unfinished++;
            histogram_record(&worker->tally.latency, now - request->due);
            leave(request);
            give(worker, request);
        }
    }
    LIST_FOR_EACH_SAFE(node, following, &worker->again)
    {
        struct request *request = CONTAINER_OF(node, struct request, node);
        worker->tally.unfinished++;
        histogram_record(&worker->tally.latency, now - request->due);
        give(worker, request);
    }
}
