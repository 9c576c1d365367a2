#include "cli/get_transfer.h"
#include "cli/cli.h"
#include "trace/frame_names.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* A body behind a redirect that is longer is not worth reading. */
#define REDIRECT_BODY 65536

static struct transfer *new_transfer(struct get *get)
{
    struct transfer *transfer = calloc(1, sizeof(*transfer));

    if (transfer == NULL)
        return NULL;
    transfer->get = get;
    arena_init(&transfer->arena, TRANSFER_MEMORY, NULL);
    get_sink_init(&transfer->sink, &get->output);
    list_append(&get->transfers, &transfer->node);
    return transfer;
}

const char *get_transfer_name(const struct transfer *transfer, char text[1024])
{
    snprintf(text, 1024, "%s://%.*s%.*s", transfer->url.scheme,
             SPAN_ARGUMENTS(transfer->url.authority), SPAN_ARGUMENTS(transfer->url.path));
    return text;
}

void get_transfer_release_request(struct transfer *transfer)
{
    struct client_request *request = transfer->request;

    transfer->request = NULL;
    if (request != NULL)
        client_request_release(request);
    get_upload_close(transfer->upload);
    transfer->upload = NULL;
}

void get_transfer_end(struct transfer *transfer, int code)
{
    struct get *get = transfer->get;

    if (transfer->ended)
        return;
    transfer->ended = true;
    push_store_forget(&get->pushes, transfer);
    get_transfer_release_request(transfer);
    if (get_sink_end(&transfer->sink) != 0)
        code = EXIT_CODE_FAILURE;
    if (code != 0)
        get->exit_code = code;
    get->running--;
    get_transfer_ended(get);
}

void get_transfer_fail(struct transfer *transfer, const char *format, ...)
{
    char text[512], url[1024];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    get_progress_hide(&transfer->get->progress);
    cli_failure("%s: %s", get_transfer_name(transfer, url), text);
    get_transfer_end(transfer, EXIT_CODE_FAILURE);
}

/* ---- where the body goes ---- */

static int open_sink(struct transfer *transfer)
{
    const struct get_options *options = &transfer->get->options;
    bool to_folder = options->output_dir != NULL;

    if (to_folder)
        return get_sink_to_folder(&transfer->sink, options->output_dir, transfer->url.path);
    if (transfer->pushed) {
        bool elsewhere = options->remote_name || options->output != NULL;
        if (options->show_pushed || (options->verbose && !elsewhere))
            get_sink_to_stdout(&transfer->sink);
        return 0;
    }
    if (options->remote_name)
        return get_sink_to_folder(&transfer->sink, ".", transfer->url.path);
    if (options->output != NULL && strcmp(options->output, "-") != 0)
        return get_sink_to_file(&transfer->sink, options->output);
    get_sink_to_stdout(&transfer->sink);
    return 0;
}

static int append_head(struct buf *text, const struct message *message)
{
    int result = buf_printf(text, "%s %u", frame_version_name(message->version), message->status);

    if (result == 0 && message->reason.length > 0)
        result = buf_printf(text, " %.*s", SPAN_ARGUMENTS(message->reason));
    if (result == 0)
        result = buf_append_byte(text, '\n');
    for (size_t i = 0; i < message->fields.count && result == 0; i++)
        result = buf_printf(text, "%.*s: %.*s\n", SPAN_ARGUMENTS(message->fields.items[i].name),
                            SPAN_ARGUMENTS(message->fields.items[i].value));
    return result != 0 ? result : buf_append_byte(text, '\n');
}

static int write_head(struct transfer *transfer, const struct message *message)
{
    struct buf text;
    int result;

    buf_init(&text, SIZE_MAX, NULL);
    result = append_head(&text, message);
    if (result == 0)
        result = get_sink_write(&transfer->sink, buf_span(&text));
    buf_free(&text);
    return result;
}

/* ---- events ---- */

static uint64_t connection_number(const struct client_request *request)
{
    const struct conn *conn = client_request_connection(request);

    return conn != NULL ? conn->number : 0;
}

static void on_informational(struct client_request *request, const struct message *message)
{
    struct transfer *transfer = request->user;
    struct get *get = transfer->get;

    if (get->options.include || get->options.head_only) {
        if (write_head(transfer, message) != 0)
            get_transfer_end(transfer, EXIT_CODE_FAILURE);
        return;
    }
    /* A trace has it already, and a 100 (Continue) says nothing to a reader. */
    if (get->trace != NULL || message->status == 100)
        return;
    get_note(get, 0, "%u%s", message->status, message->status == 103 ? " Early Hints" : "");
    for (size_t i = 0; i < message->fields.count; i++)
        get_note(get, 0, "  %.*s: %.*s", SPAN_ARGUMENTS(message->fields.items[i].name),
                 SPAN_ARGUMENTS(message->fields.items[i].value));
}

static void on_head(struct client_request *request)
{
    struct transfer *transfer = request->user;
    const struct message *response = &request->exchange->incoming;
    bool has_content =
        message_response_has_content(request->exchange->outgoing.method, response->status);

    transfer->status = response->status;
    transfer->connection = connection_number(request);
    if (get_redirect_plan(transfer, response))
        return;
    if (has_content)
        get_progress_expect(&transfer->get->progress, response->content_length);
    if ((transfer->get->options.include || transfer->get->options.head_only) &&
        write_head(transfer, response) != 0)
        get_transfer_end(transfer, EXIT_CODE_FAILURE);
}

static void complete(struct transfer *transfer)
{
    const struct get_options *options = &transfer->get->options;
    char url[1024];

    if (transfer->redirecting) {
        get_redirect_follow(transfer);
        return;
    }
    if (transfer->pushed) {
        get_note(transfer->get, transfer->connection, "pushed %.*s %u %" PRIu64 " byte%s",
                 SPAN_ARGUMENTS(transfer->url.path), transfer->status, transfer->received,
                 transfer->received == 1 ? "" : "s");
        get_transfer_end(transfer, EXIT_CODE_OK);
        return;
    }
    if (options->fail && transfer->status >= 400) {
        get_progress_hide(&transfer->get->progress);
        get_transfer_end(transfer, cli_failure("%s: status %u", get_transfer_name(transfer, url),
                                               transfer->status));
        return;
    }
    get_transfer_end(transfer, EXIT_CODE_OK);
}

static void on_readable(struct client_request *request)
{
    struct transfer *transfer = request->user;
    struct exchange *exchange = request->exchange;

    for (;;) {
        struct span data = exchange_peek(exchange);
        if (data.length == 0)
            break;
        transfer->received += data.length;
        if (!transfer->redirecting) {
            get_progress_add(&transfer->get->progress, data.length);
            if (get_sink_write(&transfer->sink, data) != 0) {
                get_transfer_end(transfer, EXIT_CODE_FAILURE);
                return;
            }
        } else if (transfer->received > REDIRECT_BODY) {
            get_redirect_follow(transfer);
            return;
        }
        exchange_consume(exchange, data.length);
    }
    /* A server may answer before it has taken the whole request: `closed` would wait for the rest.
     */
    if (exchange_at_end(exchange) && exchange->head_received)
        complete(transfer);
}

static void on_closed(struct client_request *request, int reason)
{
    struct transfer *transfer = request->user;
    struct exchange *exchange = request->exchange;
    char error[512];

    if (reason == 0 && exchange_at_end(exchange)) {
        complete(transfer);
        return;
    }
    snprintf(error, sizeof(error), "%s", client_request_error(request));
    if (transfer->pushed) {
        get_note(transfer->get, transfer->connection, "pushed %.*s failed: %s",
                 SPAN_ARGUMENTS(transfer->url.path), error);
        get_transfer_end(transfer, EXIT_CODE_FAILURE);
    } else if (exchange->head_received) {
        get_transfer_fail(transfer, "incomplete response after %" PRIu64 " bytes: %s",
                          transfer->received, error);
    } else {
        get_transfer_fail(transfer, "%s", error);
    }
}

static bool on_pushed(struct client_request *request, struct client_request *promised);

const struct client_events get_transfer_events = {
    .informational = on_informational,
    .head = on_head,
    .readable = on_readable,
    .pushed = on_pushed,
    .closed = on_closed,
};

/* A response that was asked for already is not wanted twice. */
static bool is_asked_for(const struct get *get, const struct message *request)
{
    for (const struct list *node = get->transfers.next; node != &get->transfers;
         node = node->next) {
        const struct transfer *transfer = CONTAINER_OF(node, struct transfer, node);
        if (span_equals(transfer->url.path, request->path) &&
            span_equals_ignoring_case(transfer->url.authority, request->authority) &&
            span_equals_ignoring_case(span_from_text(transfer->url.scheme), request->scheme))
            return true;
    }
    return false;
}

static int copy_url(struct transfer *transfer, const struct transfer *parent,
                    const struct message *request)
{
    transfer->url = parent->url;
    int result = arena_copy(&transfer->arena, request->path, &transfer->url.path);
    if (result == 0)
        result = arena_copy(&transfer->arena, request->authority, &transfer->url.authority);
    return result;
}

static bool on_pushed(struct client_request *request, struct client_request *promised)
{
    struct transfer *parent = request->user;
    struct get *get = parent->get;
    const struct message *message = &promised->exchange->outgoing;
    bool wanted = get->options.push == GET_PUSH_ACCEPT && !is_asked_for(get, message);

    if (!wanted) {
        get_note(get, connection_number(request), "push of %.*s refused",
                 SPAN_ARGUMENTS(message->path));
        return false;
    }
    struct transfer *transfer = new_transfer(get);
    if (transfer == NULL)
        return false;
    get->running++;
    transfer->pushed = true;
    transfer->method = SPAN_LITERAL("GET");
    transfer->connection = connection_number(request);
    if (copy_url(transfer, parent, message) != 0 || open_sink(transfer) != 0) {
        get_transfer_end(transfer, EXIT_CODE_FAILURE);
        return false;
    }
    transfer->request = promised;
    promised->events = &get_transfer_events;
    promised->user = transfer;
    (void)push_store_add(&get->pushes, message, transfer);
    return true;
}

/* A response that has been pushed, or is being pushed, serves the URL. */
static bool take_pushed(struct get *get, const struct transfer *transfer)
{
    struct message request = {.method = transfer->method,
                              .scheme = span_from_text(transfer->url.scheme),
                              .authority = transfer->url.authority,
                              .path = transfer->url.path};
    struct transfer *pushed = push_store_take(&get->pushes, &request);

    if (pushed == NULL)
        return false;
    get_note(get, pushed->connection, "%.*s was pushed already",
             SPAN_ARGUMENTS(transfer->url.path));
    return pushed->sink.discard == false;
}

static int read_url(struct arena *arena, const char *text, struct url *url)
{
    struct span span = span_from_text(text);
    char with_scheme[2048];
    const char *why = "out of memory";

    if (strstr(text, "://") == NULL) {
        int length = snprintf(with_scheme, sizeof(with_scheme), "https://%s", text);
        if (length > 0 && (size_t)length < sizeof(with_scheme))
            span = span_make(with_scheme, (size_t)length);
    }
    if (url_parse(arena, span, url, &why) != 0)
        return cli_usage_error("get: '%s' is not a URL: %s", text, why);
    return 0;
}

int get_check_urls(const char *const *urls, size_t count)
{
    int code = 0;

    for (size_t i = 0; i < count && code == 0; i++) {
        struct arena arena;
        struct url url;
        arena_init(&arena, TRANSFER_MEMORY, NULL);
        code = read_url(&arena, urls[i], &url);
        arena_free(&arena);
    }
    return code;
}

int get_transfer_start(struct get *get, const char *text)
{
    const struct get_options *options = &get->options;
    struct transfer *transfer = new_transfer(get);
    int code;

    if (transfer == NULL)
        return cli_failure("out of memory");
    transfer->method = span_from_text(options->method);
    transfer->with_body = options->has_body || options->upload != NULL;
    if (options->maximum_time != 0)
        transfer->deadline = loop_now(get->loop) + options->maximum_time;
    code = read_url(&transfer->arena, text, &transfer->url);
    transfer->origin = transfer->url;
    if (code != 0) {
        transfer->ended = true;
        return code;
    }
    if (take_pushed(get, transfer)) {
        transfer->ended = true;
        return 0;
    }
    get->running++;
    if (open_sink(transfer) != 0)
        code = EXIT_CODE_FAILURE;
    else
        code = get_request_begin(transfer, &get_transfer_events);
    if (code != 0)
        get_transfer_end(transfer, code);
    return 0;
}

void get_transfers_free(struct get *get)
{
    LIST_FOR_EACH_SAFE(node, following, &get->transfers)
    {
        struct transfer *transfer = CONTAINER_OF(node, struct transfer, node);
        get_transfer_release_request(transfer);
        (void)get_sink_end(&transfer->sink);
    }
    LIST_FOR_EACH_SAFE(node, following, &get->transfers)
    {
        struct transfer *transfer = CONTAINER_OF(node, struct transfer, node);
        list_remove(&transfer->node);
        arena_free(&transfer->arena);
        free(transfer);
    }
}
