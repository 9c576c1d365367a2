#include "client/client_internal.h"
#include <stdio.h>
#include <stdlib.h>

#define ATTEMPTS_MAXIMUM 4

static struct request *request_of(struct exchange *exchange)
{
    return exchange->user;
}

static struct loop *loop_of(const struct request *request)
{
    return request->client->config.loop;
}

/* ---- deadlines ---- */

void request_set_deadline(struct request *request)
{
    herald_time due = request->total_due;

    if (request->client == NULL)
        return;
    if (request->base.attempts == 0)
        due = herald_time_earlier(due, request->connect_due);
    else
        due = herald_time_earlier(due, request->first_byte_due);
    /* Without memory for a timer the request goes on without its deadline, which the connection's
     * own deadlines still bound. */
    (void)loop_timer_set(loop_of(request), &request->timer, due);
}

static void deadline_expired(struct loop_timer *timer, herald_time now)
{
    struct request *request = CONTAINER_OF(timer, struct request, timer);
    const char *text = "no response in time";

    if (now >= request->total_due)
        text = "the time for the whole request is over";
    else if (request->base.attempts == 0)
        text = "no connection in time";
    request_fail(request, HERALD_ERROR_TIMEOUT, text);
}

static herald_time due_after(herald_time now, herald_time timeout)
{
    return timeout == 0 || timeout > HERALD_NEVER - now ? HERALD_NEVER : now + timeout;
}

/* ---- life ---- */

static void leave_connection(struct request *request, bool served)
{
    struct connection *connection = request->connection;

    request->connection = NULL;
    if (connection != NULL)
        connection_remove(connection, served);
}

void request_detach(struct request *request)
{
    if (request->client == NULL)
        return;
    loop_timer_stop(loop_of(request), &request->timer);
    origin_dequeue(request);
    list_remove(&request->client_node);
    if (request->origin != NULL) {
        request->origin->requests--;
        request->origin = NULL;
        client_schedule(request->client);
    }
    request->client = NULL;
}

struct request *request_create(struct client *client, struct origin *origin)
{
    struct request *request = calloc(1, sizeof(*request));

    if (request == NULL)
        return NULL;
    list_init(&request->queue_node);
    list_init(&request->client_node);
    list_append(&client->requests, &request->client_node);
    request->client = client;
    request->origin = origin;
    origin->requests++;
    request->timer.expired = deadline_expired;
    request->connect_due = request->first_byte_due = request->total_due = HERALD_NEVER;
    return request;
}

static void finish(struct request *request, int reason)
{
    request->base.is_closed = true;
    request_detach(request);
    if (request->base.events != NULL && request->base.events->closed != NULL)
        request->base.events->closed(&request->base, reason);
}

static const char *reason_text(const struct request *request, int reason)
{
    if (reason != HERALD_ERROR_PROTOCOL)
        return herald_error_text(reason);
    return request->origin->version == HTTP_1_1 ? "what the server sent is not valid HTTP/1.1"
                                                : "what the server sent is not valid HTTP/2";
}

void request_fail(struct request *request, int reason, const char *text)
{
    if (text != NULL)
        snprintf(request->error, sizeof(request->error), "%s", text);
    else
        snprintf(request->error, sizeof(request->error), "%s", reason_text(request, reason));
    exchange_cancel(request->base.exchange, HERALD_ERROR_CANCELLED);
    leave_connection(request, false);
    finish(request, reason);
}

void request_orphan(struct request *request)
{
    request->connection = NULL;
    request_fail(request, HERALD_ERROR_CANCELLED, NULL);
}

/* ---- building and repeating ---- */

static void keep_body(void *owner)
{
    (void)owner;
}

static int give_body(struct request *request, struct exchange *exchange)
{
    int result = 0;

    if (request->body_kind == CLIENT_BODY_STREAM)
        return 0;
    if (request->body.length > 0)
        result = exchange_write_reference(exchange, request->body, keep_body, NULL);
    return result != 0 ? result : exchange_finish(exchange, NULL, 0);
}

/* RFC 9110 section 8.6: a length of 0 is worth saying where the method expects content. */
static bool method_expects_content(struct span method)
{
    return span_equals(method, SPAN_LITERAL("POST")) || span_equals(method, SPAN_LITERAL("PUT")) ||
           span_equals(method, SPAN_LITERAL("PATCH"));
}

int request_build(struct request *request, const struct message *message)
{
    struct message whole = *message;

    if (request->body_kind == CLIENT_BODY_BYTES) {
        whole.content_length = CONTENT_LENGTH_UNKNOWN;
        if (request->body.length > 0 || method_expects_content(message->method))
            whole.content_length = request->body.length;
    }
    struct exchange *exchange = exchange_new_request(&whole, request->client->config.limits,
                                                     &request_exchange_events, request);
    if (exchange == NULL)
        return HERALD_ERROR_INVALID;
    if (request->has_priority)
        exchange->priority = request->priority;
    int result = give_body(request, exchange);
    if (result != 0) {
        exchange_release(exchange);
        return result;
    }
    request->base.exchange = exchange;
    return 0;
}

/* RFC 9110 section 9.2.2. */
static bool method_is_idempotent(struct span method)
{
    return message_method_is_safe(method) || span_equals(method, SPAN_LITERAL("PUT")) ||
           span_equals(method, SPAN_LITERAL("DELETE"));
}

static bool may_repeat(const struct request *request, int reason)
{
    const struct exchange *exchange = request->base.exchange;

    if (request->never_retry || request->shown || request->base.is_pushed ||
        request->body_kind != CLIENT_BODY_BYTES || request->base.attempts >= ATTEMPTS_MAXIMUM ||
        request->client == NULL || request->client->destroyed)
        return false;
    if (reason == HERALD_ERROR_REFUSED)
        return true;
    return reason == HERALD_ERROR_CLOSED && request->on_reused && !exchange->head_received &&
           method_is_idempotent(exchange->outgoing.method);
}

static bool repeat(struct request *request)
{
    struct exchange *old = request->base.exchange;

    if (request_build(request, &old->outgoing) != 0)
        return false;
    exchange_release(old);
    client_note(request->client, 0, "request repeated on another connection");
    origin_enqueue(request->origin, request, true);
    return true;
}

void request_assigned(struct request *request, struct connection *connection, herald_time now)
{
    origin_dequeue(request);
    request->connection = connection;
    request->on_reused = connection->served > 0;
    request->base.attempts++;
    request->first_byte_due = due_after(now, request->first_byte_timeout);
    connection_add(connection);
    request_set_deadline(request);
}

/* ---- what the engine says ---- */

static void on_informational(struct exchange *exchange, const struct message *message)
{
    struct request *request = request_of(exchange);

    request->shown = true;
    if (request->base.events->informational != NULL)
        request->base.events->informational(&request->base, message);
}

static void on_head(struct exchange *exchange)
{
    struct request *request = request_of(exchange);

    request->shown = true;
    request->first_byte_due = HERALD_NEVER;
    request_set_deadline(request);
    if (request->base.events->head != NULL)
        request->base.events->head(&request->base);
}

static void on_readable(struct exchange *exchange)
{
    struct request *request = request_of(exchange);

    if (request->base.events->readable != NULL)
        request->base.events->readable(&request->base);
}

static void on_writable(struct exchange *exchange)
{
    struct request *request = request_of(exchange);

    if (request->base.events->writable != NULL)
        request->base.events->writable(&request->base);
}

/* Why the link ended, where it says more than `otherwise`. */
static const char *link_text(const struct request *request, const char *otherwise)
{
    const char *text = link_error_text(request->connection->link);

    if (strcmp(text, herald_error_text(0)) == 0)
        return otherwise;
    /* The engine refused what came, which is all that the link knows. */
    if (strcmp(text, herald_error_text(HERALD_ERROR_PROTOCOL)) == 0)
        return reason_text(request, HERALD_ERROR_PROTOCOL);
    return text;
}

static void describe_end(struct request *request, int reason)
{
    const char *text = reason_text(request, reason);

    if (reason == HERALD_ERROR_CLOSED) {
        text = "the server closed the connection";
        if (request->connection != NULL && link_conn(request->connection->link) == NULL)
            text = link_text(request, text);
    } else if (reason == HERALD_ERROR_CANCELLED) {
        text = "the server reset the stream";
    }
    snprintf(request->error, sizeof(request->error), "%s", text);
}

static void on_closed(struct exchange *exchange, int reason)
{
    struct request *request = request_of(exchange);

    if (request->client == NULL)
        return;
    if (reason != 0)
        describe_end(request, reason);
    leave_connection(request, reason == 0);
    if (reason != 0 && may_repeat(request, reason) && repeat(request))
        return;
    if (request->client->destroyed)
        reason = HERALD_ERROR_CANCELLED;
    finish(request, reason);
}

const struct exchange_events request_exchange_events = {
    .head = on_head,
    .informational = on_informational,
    .readable = on_readable,
    .writable = on_writable,
    .pushed = request_pushed,
    .closed = on_closed,
};

/* ---- what the owner asks ---- */

static int check_target(const struct client *client, const struct client_target *target)
{
    bool secure = target->scheme != NULL && strcmp(target->scheme, "https") == 0;

    if (target->scheme == NULL || (!secure && strcmp(target->scheme, "http") != 0))
        return HERALD_ERROR_INVALID;
    if (target->host == NULL || target->host[0] == 0)
        return HERALD_ERROR_INVALID;
    if (target->port == 0 && target->connect_port == 0 && target->unix_path == NULL)
        return HERALD_ERROR_INVALID;
    if (client->config.engine_count == 0 || client->config.engine_count > CLIENT_ENGINES_MAXIMUM ||
        (secure && client->config.tls == NULL))
        return HERALD_ERROR_UNSUPPORTED;
    return 0;
}

static void take_options(struct request *request, const struct client_request_options *options,
                         herald_time now)
{
    request->base.events = options->events;
    request->base.user = options->user;
    request->body_kind = options->body_kind;
    request->body = options->body;
    request->priority = options->priority;
    request->has_priority = options->has_priority;
    request->never_retry = options->never_retry;
    request->first_byte_timeout = options->first_byte_timeout;
    request->connect_due = due_after(now, options->connect_timeout);
    request->total_due = due_after(now, options->total_timeout);
}

int client_request_start(struct client *client, const struct client_request_options *options,
                         struct client_request **result)
{
    int error = check_target(client, &options->target);

    if (error == 0 && (client->shutting_down || client->destroyed))
        error = HERALD_ERROR_STATE;
    if (error != 0)
        return error;
    struct origin *origin = origin_find(client, &options->target);
    if (origin == NULL)
        return HERALD_ERROR_NOMEM;
    if (origin->waiting_count >= client->config.queue_length)
        return HERALD_ERROR_LIMIT;
    struct request *request = request_create(client, origin);
    if (request == NULL) {
        client_schedule(client);
        return HERALD_ERROR_NOMEM;
    }
    take_options(request, options, loop_now(client->config.loop));
    error = request_build(request, &options->message);
    if (error != 0) {
        request_detach(request);
        free(request);
        return error;
    }
    origin_enqueue(origin, request, false);
    request_set_deadline(request);
    *result = &request->base;
    return 0;
}

void client_request_cancel(struct client_request *base, int reason)
{
    struct request *request = (struct request *)base;

    if (base->is_closed)
        return;
    base->is_closed = true;
    exchange_cancel(base->exchange, reason);
    leave_connection(request, false);
    request_detach(request);
}

void client_request_release(struct client_request *base)
{
    struct request *request = (struct request *)base;
    const struct exchange *exchange = base->exchange;

    /* With the whole response here and the rest of the request queued nothing has to be aborted. */
    if (!base->is_closed && exchange->in_ended && exchange->out_ended) {
        base->is_closed = true;
        leave_connection(request, true);
        request_detach(request);
    }
    client_request_cancel(base, HERALD_ERROR_CANCELLED);
    exchange_release(base->exchange);
    free(request);
}

const char *client_request_error(const struct client_request *base)
{
    const struct request *request = (const struct request *)base;

    return request->error[0] != 0 ? request->error : herald_error_text(HERALD_ERROR_CANCELLED);
}

const struct conn *client_request_connection(const struct client_request *base)
{
    const struct request *request = (const struct request *)base;

    return request->connection != NULL ? link_conn(request->connection->link) : NULL;
}
