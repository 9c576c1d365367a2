#include "http/exchange_internal.h"
#include "http/field_syntax.h"
#include "http/outgoing_fields.h"

int exchange_inform(struct exchange *exchange, unsigned status, const struct field *fields,
                    size_t count)
{
    struct fields copy;

    if (exchange->closed)
        return HERALD_ERROR_CLOSED;
    if (exchange->is_client || exchange->head_queued)
        return HERALD_ERROR_STATE;
    if (status < 100 || status > 199 || status == 101)
        return HERALD_ERROR_INVALID;
    if (exchange->incoming.version == HTTP_1_0)
        return HERALD_ERROR_UNSUPPORTED;
    if (exchange->informational_sent >= exchange->limits->informational_count)
        return HERALD_ERROR_LIMIT;

    int error = outgoing_fields_copy(&exchange->arena, OUTGOING_RESPONSE, fields, count, 0, &copy);
    if (error != 0)
        return error;
    struct exchange_item *item = exchange_add_item(exchange, EXCHANGE_INFORMATIONAL);
    if (item == NULL)
        return HERALD_ERROR_NOMEM;
    item->message = (struct message){
        .version = exchange->incoming.version,
        .status = (uint16_t)status,
        .fields = copy,
        .content_length = CONTENT_LENGTH_UNKNOWN,
    };
    exchange->informational_sent++;
    exchange_wake(exchange);
    return 0;
}

static bool opens_tunnel(const struct message *request, unsigned status)
{
    if (status == 101)
        return request->upgrade;
    return status / 100 == 2 && span_equals(request->method, SPAN_LITERAL("CONNECT"));
}

/* Content-Length is not sent where there can be no content by definition (RFC 9110 section 8.6); a
 * response to HEAD and a 304 may say what a GET would have given. */
static bool may_have_length(unsigned status, bool tunnel)
{
    return !tunnel && status >= 200 && status != 204;
}

int exchange_respond(struct exchange *exchange, unsigned status, const struct field *fields,
                     size_t count, uint64_t content_length)
{
    struct message *head = &exchange->outgoing;
    bool tunnel = opens_tunnel(&exchange->incoming, status);
    uint64_t stated;
    struct fields copy;

    if (exchange->closed)
        return HERALD_ERROR_CLOSED;
    if (exchange->is_client || exchange->head_queued)
        return HERALD_ERROR_STATE;
    if ((status < 200 && !(status == 101 && tunnel)) || status > 999)
        return HERALD_ERROR_INVALID;
    int error = outgoing_content_length(fields, count, &stated);
    if (error != 0)
        return error;
    if (content_length == CONTENT_LENGTH_UNKNOWN)
        content_length = stated;
    if (!may_have_length(status, tunnel))
        content_length = CONTENT_LENGTH_UNKNOWN;

    size_t spare = 1 + (exchange->defaults == NULL ? 0 : exchange->defaults->count);
    error = outgoing_fields_copy(&exchange->arena, OUTGOING_RESPONSE, fields, count, spare, &copy);
    if (error == 0 && content_length != CONTENT_LENGTH_UNKNOWN)
        error = outgoing_add_content_length(&copy, &exchange->arena, content_length);
    if (error == 0 && exchange->defaults != NULL)
        error = outgoing_add_defaults(&copy, &exchange->arena, exchange->defaults);
    if (error != 0)
        return error;
    struct exchange_item *item = exchange_add_item(exchange, EXCHANGE_HEAD);
    if (item == NULL)
        return HERALD_ERROR_NOMEM;

    head->version = exchange->incoming.version;
    head->status = (uint16_t)status;
    head->fields = copy;
    head->content_length = content_length;
    if (tunnel)
        head->protocol = exchange->incoming.protocol;
    item->message = *head;
    exchange->tunnel = tunnel;
    exchange->out_no_content =
        !tunnel && !message_response_has_content(exchange->incoming.method, status);
    exchange->head_queued = true;
    exchange_wake(exchange);
    return 0;
}

static bool trailers_are_possible(const struct exchange *exchange)
{
    const struct message *head = &exchange->outgoing;

    if (exchange->out_no_content || exchange->tunnel)
        return false;
    if (exchange->is_client)
        return true;
    return head->version != HTTP_1_0 &&
           (head->version != HTTP_1_1 || head->content_length == CONTENT_LENGTH_UNKNOWN);
}

int exchange_finish(struct exchange *exchange, const struct field *trailers, size_t count)
{
    uint64_t whole = exchange->outgoing.content_length;
    struct fields copy = {0};

    if (exchange->closed)
        return HERALD_ERROR_CLOSED;
    if (!exchange->head_queued)
        return HERALD_ERROR_STATE;
    if (exchange->out_ended)
        return exchange->out.source != NULL && count == 0 ? 0 : HERALD_ERROR_STATE;
    if (whole != CONTENT_LENGTH_UNKNOWN && !exchange->tunnel && !exchange->out_no_content &&
        exchange->out_written < whole) {
        exchange_cancel(exchange, HERALD_ERROR_INTERNAL);
        return HERALD_ERROR_INVALID;
    }
    int error =
        outgoing_fields_copy(&exchange->arena, OUTGOING_TRAILERS, trailers, count, 0, &copy);
    if (error != 0)
        return error;
    if (trailers_are_possible(exchange))
        exchange->outgoing_trailers = copy;
    exchange->out_ended = true;
    exchange->out.ended = true;
    exchange_wake(exchange);
    return 0;
}

static int can_push(const struct exchange *exchange)
{
    if (exchange->closed)
        return HERALD_ERROR_CLOSED;
    if (exchange->is_client || exchange->out_ended)
        return HERALD_ERROR_STATE;
    if (exchange->is_pushed || exchange->ops == NULL || exchange->ops->can_push == NULL)
        return HERALD_ERROR_UNSUPPORTED;
    return exchange->ops->can_push(exchange);
}

bool exchange_can_push(const struct exchange *exchange)
{
    return can_push(exchange) == 0;
}

/* A promise is a request that is safe, cacheable and without content (RFC 9113 section 8.4). */
static bool may_be_promised(const struct message *request)
{
    if (!span_equals(request->method, SPAN_LITERAL("GET")) &&
        !span_equals(request->method, SPAN_LITERAL("HEAD")))
        return false;
    if (request->path.length == 0 || request->path.data[0] != '/' ||
        request->protocol.length != 0 || request->upgrade)
        return false;
    return field_target_is_valid(request->path) && field_target_is_valid(request->authority) &&
           request->authority.length != 0 &&
           (request->scheme.length == 0 || field_is_token(request->scheme));
}

/* `request` with the parent's scheme and authority where it names none, its fields cleaned. */
static int copy_promised(struct exchange *promised, const struct message *request)
{
    struct message whole = *request;
    uint64_t length;

    int error = outgoing_content_length(request->fields.items, request->fields.count, &length);
    if (error == 0 && length != CONTENT_LENGTH_UNKNOWN && length != 0)
        error = HERALD_ERROR_INVALID;
    if (error == 0)
        error = outgoing_fields_copy(&promised->arena, OUTGOING_REQUEST, request->fields.items,
                                     request->fields.count, 0, &whole.fields);
    if (error != 0)
        return error;
    struct fields fields = whole.fields;
    whole.fields = (struct fields){0};
    error = message_copy(&promised->arena, &whole, &promised->incoming);
    promised->incoming.fields = fields;
    promised->incoming.content_length = CONTENT_LENGTH_UNKNOWN;
    promised->incoming.expects_continue = false;
    return error;
}

int exchange_push(struct exchange *exchange, const struct message *request)
{
    struct message whole = *request;
    int error = can_push(exchange);

    if (error != 0)
        return error;
    whole.version = exchange->incoming.version;
    if (whole.scheme.length == 0)
        whole.scheme = exchange->incoming.scheme;
    if (whole.authority.length == 0)
        whole.authority = exchange->incoming.authority;
    if (!may_be_promised(&whole))
        return HERALD_ERROR_INVALID;

    struct exchange *promised =
        exchange_new(exchange->conn, exchange->ops, NULL, exchange->limits, exchange->out.account);
    if (promised == NULL)
        return HERALD_ERROR_NOMEM;
    error = copy_promised(promised, &whole);
    struct exchange_item *item = error == 0 ? exchange_add_item(exchange, EXCHANGE_PROMISE) : NULL;
    if (item == NULL) {
        exchange_unhold(promised);
        return error == 0 ? HERALD_ERROR_NOMEM : error;
    }
    promised->head_received = true;
    promised->in_ended = true;
    promised->is_pushed = true;
    promised->defaults = exchange->defaults;
    promised->parent = exchange;
    exchange_hold(exchange);
    item->promised = promised;
    if (exchange->conn != NULL)
        exchange->conn->promises_queued++;
    exchange_wake(exchange);
    return 0;
}

int exchange_accept_push(struct exchange *promised)
{
    if (promised->closed)
        return HERALD_ERROR_CLOSED;
    if (!promised->is_client || !promised->is_pushed)
        return HERALD_ERROR_STATE;
    if (promised->ops != NULL && promised->ops->accept_push != NULL)
        promised->ops->accept_push(promised);
    return 0;
}

/* The request of `exchange` from the caller's: Host is the authority, Content-Length a number. */
static int copy_request(struct exchange *exchange, const struct message *request)
{
    struct message whole = *request;
    struct fields fields;
    uint64_t stated;

    int error = outgoing_content_length(request->fields.items, request->fields.count, &stated);
    if (whole.content_length == CONTENT_LENGTH_UNKNOWN)
        whole.content_length = stated;
    if (whole.authority.length == 0) {
        const struct field *host = NULL;
        for (size_t i = 0; i < request->fields.count && host == NULL; i++) {
            if (span_equals_ignoring_case(request->fields.items[i].name, SPAN_LITERAL("host")))
                host = &request->fields.items[i];
        }
        if (host != NULL)
            whole.authority = span_trim(host->value);
    }
    if (error == 0)
        error = outgoing_fields_copy(&exchange->arena, OUTGOING_REQUEST, request->fields.items,
                                     request->fields.count, 1, &fields);
    if (error == 0 && whole.content_length != CONTENT_LENGTH_UNKNOWN)
        error = outgoing_add_content_length(&fields, &exchange->arena, whole.content_length);
    if (error != 0)
        return error;
    whole.fields = (struct fields){0};
    error = message_copy(&exchange->arena, &whole, &exchange->outgoing);
    exchange->outgoing.fields = fields;
    return error;
}

struct exchange *exchange_new_request(const struct message *request, const struct limits *limits,
                                      const struct exchange_events *events, void *user)
{
    struct exchange *exchange;

    if (!field_is_token(request->method) || !field_target_is_valid(request->path) ||
        !field_target_is_valid(request->authority))
        return NULL;
    exchange = exchange_create(limits, NULL);
    if (exchange == NULL)
        return NULL;
    exchange->is_client = true;
    exchange->events = events;
    exchange->user = user;
    exchange_give_to_owner(exchange);
    struct exchange_item *item =
        copy_request(exchange, request) == 0 ? exchange_add_item(exchange, EXCHANGE_HEAD) : NULL;
    if (item == NULL) {
        exchange_unhold(exchange);
        return NULL;
    }
    item->message = exchange->outgoing;
    exchange->head_queued = true;
    return exchange;
}
