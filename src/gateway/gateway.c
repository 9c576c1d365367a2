/* The loop's side. */
#include "gateway/job.h"

#include "http/conn.h"
#include <stdio.h>
#include <stdlib.h>

void gateway_mark_dirty(struct gateway_job *job)
{
    struct gateway *gateway = job->gateway;
    if (list_is_empty(&job->dirty_node))
        list_append(&gateway->dirty, &job->dirty_node);
    if (!gateway->woken) {
        gateway->woken = true;
        gateway->options.wake(gateway->options.user);
    }
}

/* With the mutex held: moves request bytes from the exchange to the thread, as far as there is
 * room. */
static void job_take_input(struct gateway_job *job)
{
    struct exchange *exchange = job->exchange;
    while (buf_length(&job->input) < job->gateway->options.buffer_maximum) {
        struct span ready = exchange_peek(exchange);
        ready =
            span_slice(ready, 0, job->gateway->options.buffer_maximum - buf_length(&job->input));
        if (ready.length == 0)
            break;
        if (buf_append_span(&job->input, ready) < 0) {
            job->closed = true;
            break;
        }
        exchange_consume(exchange, ready.length);
    }
    job->input_ended = exchange_at_end(exchange);
    pthread_cond_signal(&job->changed);
}

static void event_readable(struct exchange *exchange)
{
    struct gateway_job *job = exchange->user;
    pthread_mutex_lock(&job->gateway->mutex);
    job_take_input(job);
    pthread_mutex_unlock(&job->gateway->mutex);
}

static void event_writable(struct exchange *exchange)
{
    struct gateway_job *job = exchange->user;
    pthread_mutex_lock(&job->gateway->mutex);
    gateway_mark_dirty(job);
    pthread_mutex_unlock(&job->gateway->mutex);
}

/* With the mutex held. The thread finds out at its next call. */
static void job_close(struct gateway_job *job)
{
    job->closed = true;
    gateway_job_drop_commands(job);
    pthread_cond_signal(&job->changed);
}

static void event_closed(struct exchange *exchange, int reason)
{
    struct gateway_job *job = exchange->user;
    pthread_mutex_lock(&job->gateway->mutex);
    job->finished = true;
    if (reason < 0 || !job->done)
        job_close(job);
    pthread_mutex_unlock(&job->gateway->mutex);
}

static const struct exchange_events gateway_events = {
    .readable = event_readable,
    .writable = event_writable,
    .closed = event_closed,
};

/* Carries out the oldest command. Returns 0, HERALD_ERROR_AGAIN when the peer has to read first, or
 * what the exchange said. */
static int job_carry_out(struct gateway_job *job, struct gateway_command *command)
{
    struct exchange *exchange = job->exchange;
    switch (command->kind) {
    case COMMAND_INFORM: {
        int code = exchange_inform(exchange, command->status, command->fields.items,
                                   command->fields.count);
        /* An interim response that the peer cannot take is not worth the response. */
        return code == HERALD_ERROR_UNSUPPORTED || code == HERALD_ERROR_LIMIT ? 0 : code;
    }
    case COMMAND_RESPOND:
        if (job->gateway->options.responding != NULL)
            job->gateway->options.responding(exchange, command->status, command->fields.items,
                                             command->fields.count);
        return exchange_respond(exchange, command->status, command->fields.items,
                                command->fields.count, command->content_length);
    case COMMAND_WRITE: {
        if (!exchange_can_write(exchange))
            return HERALD_ERROR_AGAIN;
        int code = exchange_write(exchange, span_make(command->data, command->length));
        return code == HERALD_ERROR_LIMIT ? 0 : code;
    }
    default:
        job->finished = true;
        if (command->reason == 0)
            return exchange_finish(exchange, NULL, 0);
        exchange_cancel(exchange, command->reason);
        return 0;
    }
}

/* With the mutex held. */
static void job_work(struct gateway_job *job)
{
    struct list *node;
    while ((node = list_first(&job->commands)) != NULL) {
        struct gateway_command *command = CONTAINER_OF(node, struct gateway_command, node);
        int code = job_carry_out(job, command);
        if (code == HERALD_ERROR_AGAIN)
            return;
        job->queued -= command->length;
        gateway_command_free(command);
        if (code < 0) {
            if (!job->finished)
                exchange_cancel(job->exchange, HERALD_ERROR_INTERNAL);
            job->finished = true;
            job_close(job);
        }
    }
    pthread_cond_signal(&job->changed);
}

/* The thread is through and its commands have been carried out. With the mutex held, which is let
 * go. */
static void job_end(struct gateway_job *job)
{
    struct gateway *gateway = job->gateway;
    struct exchange *exchange = job->exchange;
    gateway->jobs--;
    pthread_mutex_unlock(&gateway->mutex);
    if (!job->finished)
        exchange_cancel(exchange, HERALD_ERROR_INTERNAL);
    exchange_release(exchange);
    gateway_job_drop_commands(job);
    buf_free(&job->input);
    pthread_cond_destroy(&job->changed);
    free(job);
    pthread_mutex_lock(&gateway->mutex);
}

void gateway_turn(struct gateway *gateway)
{
    struct list *node;
    pthread_mutex_lock(&gateway->mutex);
    gateway->woken = false;
    while ((node = list_first(&gateway->dirty)) != NULL) {
        struct gateway_job *job = CONTAINER_OF(node, struct gateway_job, dirty_node);
        list_remove(node);
        job_work(job);
        if (!job->closed && !job->input_ended)
            job_take_input(job);
        if (job->done && list_is_empty(&job->commands))
            job_end(job);
    }
    pthread_mutex_unlock(&gateway->mutex);
}

static void respond_at_once(struct exchange *exchange, unsigned status, struct span text)
{
    static const struct field fields[] = {
        FIELD_INITIALIZER("content-type", "text/plain; charset=utf-8"),
        FIELD_INITIALIZER("retry-after", "1")};
    if (exchange_respond(exchange, status, fields, status == 503 ? 2 : 1, text.length) == 0 &&
        exchange_write(exchange, text) == 0)
        (void)exchange_finish(exchange, NULL, 0);
    exchange_release(exchange);
}

static void copy_endpoints(struct gateway_endpoints *ends, const struct conn *conn)
{
    const struct conn_info *info = conn == NULL ? NULL : conn->info;
    if (info == NULL)
        return;
    (void)snprintf(ends->peer_address, sizeof ends->peer_address, "%s", info->peer_address);
    (void)snprintf(ends->local_address, sizeof ends->local_address, "%s", info->local_address);
    ends->peer_port = info->peer_port;
    ends->local_port = info->local_port;
}

static struct gateway_job *job_new(struct gateway *gateway, struct exchange *exchange)
{
    struct gateway_job *job = calloc(1, sizeof *job);
    if (job == NULL || pthread_cond_init(&job->changed, NULL) != 0) {
        free(job);
        return NULL;
    }
    job->gateway = gateway;
    job->exchange = exchange;
    copy_endpoints(&job->endpoints, exchange->conn);
    list_init(&job->node);
    list_init(&job->dirty_node);
    list_init(&job->commands);
    buf_init(&job->input, gateway->options.buffer_maximum, NULL);
    return job;
}

static void gateway_start(struct handler *handler, struct exchange *exchange)
{
    struct gateway *gateway = CONTAINER_OF(handler, struct gateway, handler);
    uint64_t length = exchange->incoming.content_length;
    if (gateway->options.body_maximum > 0 && length != CONTENT_LENGTH_UNKNOWN &&
        length > gateway->options.body_maximum) {
        respond_at_once(exchange, 413, SPAN_LITERAL("The request body is too large.\n"));
        return;
    }
    struct gateway_job *job = NULL;
    pthread_mutex_lock(&gateway->mutex);
    if (!gateway->closed && gateway->waiting_count < gateway->options.queue_maximum)
        job = job_new(gateway, exchange);
    if (job != NULL) {
        exchange->user = job;
        exchange->events = &gateway_events;
        gateway->jobs++;
        gateway->waiting_count++;
        job_take_input(job);
        list_append(&gateway->waiting, &job->node);
        pthread_cond_signal(&gateway->available);
    }
    pthread_mutex_unlock(&gateway->mutex);
    if (job == NULL)
        respond_at_once(exchange, 503, SPAN_LITERAL("The server is busy.\n"));
}

int gateway_create(const struct gateway_options *options, struct gateway **gateway)
{
    struct gateway *made = calloc(1, sizeof *made);
    if (made == NULL)
        return HERALD_ERROR_NOMEM;
    if (pthread_mutex_init(&made->mutex, NULL) != 0 ||
        pthread_cond_init(&made->available, NULL) != 0) {
        free(made);
        return HERALD_ERROR_IO;
    }
    made->handler.start = gateway_start;
    made->options = *options;
    list_init(&made->waiting);
    list_init(&made->dirty);
    *gateway = made;
    return 0;
}

struct handler *gateway_handler(struct gateway *gateway)
{
    return &gateway->handler;
}

void gateway_close(struct gateway *gateway)
{
    pthread_mutex_lock(&gateway->mutex);
    gateway->closed = true;
    pthread_cond_broadcast(&gateway->available);
    pthread_mutex_unlock(&gateway->mutex);
}

void gateway_destroy(struct gateway *gateway)
{
    if (gateway == NULL)
        return;
    pthread_cond_destroy(&gateway->available);
    pthread_mutex_destroy(&gateway->mutex);
    free(gateway);
}
