#include "server/proxy.h"

#include "base/log.h"
#include "client/client.h"
#include "client/url.h"
#include "net/loop.h"
#include "net/tls.h"
#include "server/proxy_fields.h"
#include "server/push_policy.h"
#include "server/status.h"
#include <stdlib.h>

/* Connections to the upstream: one for each request that runs. */
#define CONNECTIONS_MAXIMUM 512
#define WAITING_MAXIMUM     4096

struct proxy {
    struct handler base;
    struct loop *loop;
    struct client *client;
    struct tls_context *tls;
    struct arena arena; /* of the texts below */
    struct url url;
    const struct engine *engine;
    struct proxy_rewrite rewrite;
    herald_time connect_timeout, read_timeout;
    struct log_limit failures;
};

/* One exchange on its way; in the exchange's arena. */
struct passage {
    struct proxy *proxy;
    struct exchange *exchange;      /* the client's, held */
    struct client_request *request; /* the upstream's, held; NULL before it has begun */
    struct loop_timer patience;
    bool request_sent; /* its end has been given to the upstream's exchange */
    bool responded;
};

/* The end of the passage, which is dead after it. */
static void leave(struct passage *passage)
{
    struct exchange *exchange = passage->exchange;

    loop_timer_stop(passage->proxy->loop, &passage->patience);
    if (passage->request != NULL)
        client_request_release(passage->request);
    exchange_release(exchange);
}

static unsigned failure_status(int reason)
{
    switch (reason) {
    case HERALD_ERROR_TIMEOUT:
        return 504;
    case HERALD_ERROR_LIMIT:
    case HERALD_ERROR_STATE:
    case HERALD_ERROR_NOMEM:
        return 503;
    default:
        return 502;
    }
}

/* The upstream will not give (the rest of) a response. */
static void fail(struct passage *passage, int reason, const char *text)
{
    struct proxy *proxy = passage->proxy;
    struct exchange *exchange = passage->exchange;
    unsigned status = failure_status(reason);

    log_limited(&proxy->failures, LOG_WARNING, "upstream %s://%.*s: %s%s", proxy->url.scheme,
                SPAN_ARGUMENTS(proxy->url.authority), text,
                passage->responded ? "; the response is cut off" : "");
    if (passage->responded)
        exchange_cancel(exchange, HERALD_ERROR_INTERNAL);
    else
        (void)status_respond(exchange, status, &FIELD("retry-after", "1"), status == 503);
    leave(passage);
}

/* Time runs against the upstream while we wait for it, not while we wait for the client. */
static void set_patience(struct passage *passage)
{
    struct proxy *proxy = passage->proxy;
    struct exchange *upstream = passage->request->exchange;
    bool waits;

    if (!passage->request_sent)
        waits = passage->exchange->in.queued > 0;
    else
        waits = upstream->in.queued == 0 && !upstream->in_ended;
    (void)loop_timer_set(proxy->loop, &passage->patience,
                         waits ? loop_now(proxy->loop) + proxy->read_timeout : HERALD_NEVER);
}

static void patience_over(struct loop_timer *timer, herald_time now)
{
    (void)now;
    fail(CONTAINER_OF(timer, struct passage, patience), HERALD_ERROR_TIMEOUT, "no bytes in time");
}

/* Request body, from the client to the upstream. */
static void pass_request(struct passage *passage)
{
    struct exchange *client = passage->exchange, *upstream = passage->request->exchange;

    if (passage->request_sent || passage->request->is_closed)
        return;
    while (exchange_can_write(upstream)) {
        struct span bytes = exchange_peek(client);

        /* An error here is the end of the upstream's exchange, which `closed` tells. */
        if (bytes.length == 0 || exchange_write(upstream, bytes) < 0)
            break;
        exchange_consume(client, bytes.length);
    }
    if (exchange_at_end(client)) {
        passage->request_sent = true;
        (void)exchange_finish(upstream, client->trailers.items, client->trailers.count);
    }
    set_patience(passage);
}

/* Response body, from the upstream to the client. The passage may be dead on return. */
static void pass_response(struct passage *passage)
{
    struct exchange *client = passage->exchange, *upstream = passage->request->exchange;

    if (!passage->responded)
        return;
    while (exchange_can_write(client)) {
        struct span bytes = exchange_peek(upstream);

        if (bytes.length == 0)
            break;
        if (exchange_write(client, bytes) < 0) {
            leave(passage);
            return;
        }
        exchange_consume(upstream, bytes.length);
    }
    if (!exchange_at_end(upstream)) {
        set_patience(passage);
        return;
    }
    (void)exchange_finish(client, upstream->trailers.items, upstream->trailers.count);
    leave(passage);
}

static void upstream_informational(struct client_request *request, const struct message *message)
{
    struct passage *passage = request->user;
    struct fields fields;

    /* 100 (Continue) answers us, not the client. What cannot be passed on is no loss. */
    if (message->status != 100 &&
        proxy_response_fields(&passage->exchange->arena, message, &fields) == 0)
        (void)exchange_inform(passage->exchange, message->status, fields.items, fields.count);
}

static void upstream_head(struct client_request *request)
{
    struct passage *passage = request->user;
    const struct message *head = &request->exchange->incoming;
    struct exchange *exchange = passage->exchange;
    struct fields fields;
    int result = proxy_response_fields(&exchange->arena, head, &fields);

    if (result == 0) {
        (void)push_policy_response(exchange, head->status, fields.items, fields.count);
        result = exchange_respond(exchange, head->status, fields.items, fields.count,
                                  head->content_length);
    }
    if (result < 0) {
        fail(passage, result == HERALD_ERROR_NOMEM ? result : HERALD_ERROR_MALFORMED,
             "a response that cannot be passed on");
        return;
    }
    passage->responded = true;
    set_patience(passage);
}

static void upstream_readable(struct client_request *request)
{
    pass_response(request->user);
}

static void upstream_writable(struct client_request *request)
{
    pass_request(request->user);
}

static void upstream_closed(struct client_request *request, int reason)
{
    struct passage *passage = request->user;

    if (reason != 0) {
        fail(passage, reason, client_request_error(request));
        return;
    }
    /* What is left of the request has nowhere to go. */
    passage->request_sent = true;
    exchange_discard_input(passage->exchange);
    pass_response(passage);
}

static const struct client_events upstream_events = {
    .informational = upstream_informational,
    .head = upstream_head,
    .readable = upstream_readable,
    .writable = upstream_writable,
    .closed = upstream_closed,
};

static void client_readable(struct exchange *exchange)
{
    pass_request(exchange->user);
}

static void client_writable(struct exchange *exchange)
{
    pass_response(exchange->user);
}

static void client_closed(struct exchange *exchange, int reason)
{
    (void)reason;
    leave(exchange->user);
}

static const struct exchange_events client_side = {
    .readable = client_readable,
    .writable = client_writable,
    .closed = client_closed,
};

static int begin(struct passage *passage)
{
    struct proxy *proxy = passage->proxy;
    struct exchange *exchange = passage->exchange;
    bool whole = exchange_at_end(exchange) && exchange->trailers.count == 0;
    struct client_request_options options = {
        .target = {.scheme = proxy->url.scheme, .host = proxy->url.host, .port = proxy->url.port},
        .body_kind = whole ? CLIENT_BODY_BYTES : CLIENT_BODY_STREAM,
        .connect_timeout = proxy->connect_timeout,
        .first_byte_timeout = whole ? proxy->read_timeout : 0,
        .events = &upstream_events,
        .user = passage,
    };
    int result = proxy_request(exchange, &proxy->rewrite, &options.message);

    if (result == 0)
        result = client_request_start(proxy->client, &options, &passage->request);
    if (result < 0)
        return result;
    passage->request_sent = whole;
    if (!whole)
        pass_request(passage);
    return 0;
}

static void answer(struct exchange *exchange, unsigned status, const struct field *fields,
                   size_t count)
{
    (void)status_respond(exchange, status, fields, count);
    exchange_release(exchange);
}

static void proxy_start(struct handler *handler, struct exchange *exchange)
{
    struct proxy *proxy = CONTAINER_OF(handler, struct proxy, base);
    struct span method = exchange->incoming.method;
    struct passage *passage;
    int result;

    if (span_equals(method, SPAN_LITERAL("CONNECT")) ||
        span_equals(method, SPAN_LITERAL("TRACE"))) {
        answer(exchange, 405, &FIELD("allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"), 1);
        return;
    }
    passage = arena_zalloc(&exchange->arena, sizeof(*passage));
    if (passage == NULL) {
        answer(exchange, 503, NULL, 0);
        return;
    }
    passage->proxy = proxy;
    passage->exchange = exchange;
    passage->patience.expired = patience_over;
    exchange->user = passage;
    exchange->events = &client_side;
    result = begin(passage);
    if (result == HERALD_ERROR_REFUSED)
        answer(exchange, 508, NULL, 0);
    else if (result < 0)
        fail(passage, result, herald_error_text(result));
}

static void proxy_destroy(struct handler *handler)
{
    struct proxy *proxy = CONTAINER_OF(handler, struct proxy, base);

    if (proxy->client != NULL)
        client_destroy(proxy->client);
    tls_context_release(proxy->tls);
    arena_free(&proxy->arena);
    free(proxy);
}

static int make_tls(struct proxy *proxy, const struct proxy_options *options)
{
    struct tls_client_config config = {.insecure = options->insecure, .ca_file = options->ca_file};
    struct tls_error error;
    int result;

    if (strcmp(proxy->url.scheme, "https") != 0)
        return 0;
    result = tls_context_create_client(&proxy->tls, &config, &error);
    if (result < 0 && result != HERALD_ERROR_NOMEM)
        log_write(LOG_ERROR, "upstream %s: %s", options->upstream, error.text);
    return result;
}

static int make_client(struct proxy *proxy, const struct proxy_options *options)
{
    struct client_config config = {
        .loop = options->loop,
        .engines = &proxy->engine,
        .engine_count = 1,
        .limits = options->limits,
        .tls = proxy->tls,
        .seed = options->seed,
        .connections_http1 = CONNECTIONS_MAXIMUM,
        .connections_multiplex = CONNECTIONS_MAXIMUM,
        .connections_total = CONNECTIONS_MAXIMUM,
        .queue_length = WAITING_MAXIMUM,
        .connect_timeout = options->connect_timeout,
    };

    proxy->client = client_create(&config);
    return proxy->client == NULL ? HERALD_ERROR_NOMEM : 0;
}

int proxy_create(const struct proxy_options *options, struct handler **handler)
{
    struct proxy *proxy = calloc(1, sizeof(*proxy));
    struct span path;
    int result;

    if (proxy == NULL)
        return HERALD_ERROR_NOMEM;
    arena_init(&proxy->arena, 0, NULL);
    proxy->base = (struct handler){.start = proxy_start, .destroy = proxy_destroy};
    proxy->loop = options->loop;
    proxy->engine = options->engine;
    proxy->connect_timeout = options->connect_timeout;
    proxy->read_timeout = options->read_timeout;
    result = url_parse(&proxy->arena, span_from_text(options->upstream), &proxy->url, NULL);
    if (result == 0)
        result = make_tls(proxy, options);
    if (result == 0)
        result = make_client(proxy, options);
    if (result < 0) {
        proxy_destroy(&proxy->base);
        return result == HERALD_ERROR_UNSUPPORTED ? HERALD_ERROR_INVALID : result;
    }
    path = proxy->url.path;
    while (path.length > 0 && path.data[path.length - 1] == '/')
        path.length--;
    proxy->rewrite = (struct proxy_rewrite){
        .authority = proxy->url.authority,
        .base = path,
        .prefix = options->prefix,
        .trust_forwarded = options->trust_forwarded,
    };
    *handler = &proxy->base;
    return 0;
}
