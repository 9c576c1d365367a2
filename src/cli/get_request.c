#include "cli/cli.h"
#include "cli/get_transfer.h"

static bool is_credential(const struct field *field)
{
    return span_equals_ignoring_case(field->name, SPAN_LITERAL("authorization")) ||
           span_equals_ignoring_case(field->name, SPAN_LITERAL("proxy-authorization")) ||
           span_equals_ignoring_case(field->name, SPAN_LITERAL("cookie"));
}

static int build_fields(struct transfer *transfer, struct fields *fields)
{
    const struct get_options *options = &transfer->get->options;
    bool own = url_same_origin(&transfer->url, &transfer->origin);
    int result = 0;

    *fields = (struct fields){0};
    for (size_t i = 0; i < options->fields.count && result == 0; i++) {
        struct field field = options->fields.items[i];
        if (!own && is_credential(&field))
            continue;
        if (!transfer->with_body &&
            span_equals_ignoring_case(field.name, SPAN_LITERAL("content-type")) &&
            options->has_body)
            continue;
        if (is_credential(&field))
            field.flags |= FIELD_SENSITIVE;
        result = fields_add(fields, &transfer->arena, field);
    }
    return result;
}

static void fill_target(struct transfer *transfer, struct client_target *target, char address[256])
{
    const struct get_options *options = &transfer->get->options;

    *target = (struct client_target){
        .scheme = transfer->url.scheme,
        .host = transfer->url.host,
        .port = transfer->url.port,
        .unix_path = options->unix_socket,
        .connect_host = options->connect_host,
        .connect_port = options->connect_port,
    };
    if (target->connect_host == NULL)
        target->connect_host =
            get_options_resolve(options, transfer->url.host, transfer->url.port, address);
}

static int fill_request(struct transfer *transfer, struct client_request_options *request,
                        const struct client_events *events)
{
    const struct get_options *options = &transfer->get->options;
    herald_time now = loop_now(transfer->get->loop);
    bool own = url_same_origin(&transfer->url, &transfer->origin);

    request->message.method = transfer->method;
    request->message.scheme = span_from_text(transfer->url.scheme);
    request->message.authority =
        options->authority.length > 0 && own ? options->authority : transfer->url.authority;
    request->message.path = transfer->url.path;
    request->message.content_length = CONTENT_LENGTH_UNKNOWN;
    if (transfer->with_body && options->upload == NULL)
        request->body = options->body;
    request->priority = options->priority;
    request->has_priority = options->has_priority;
    request->connect_timeout = options->connect_timeout;
    request->first_byte_timeout = options->first_byte_timeout;
    if (transfer->deadline != 0)
        request->total_timeout = transfer->deadline > now ? transfer->deadline - now : 1;
    request->events = events;
    request->user = transfer;
    return build_fields(transfer, &request->message.fields);
}

static int open_upload(struct transfer *transfer, struct client_request_options *request)
{
    const char *path = transfer->get->options.upload;

    if (path == NULL || !transfer->with_body)
        return 0;
    request->body_kind = CLIENT_BODY_STREAM;
    return get_upload_open(&transfer->upload, transfer->get->loop, path,
                           &request->message.content_length);
}

int get_request_begin(struct transfer *transfer, const struct client_events *events)
{
    struct client_request_options request = {0};
    char address[256], url[1024];

    fill_target(transfer, &request.target, address);
    if (fill_request(transfer, &request, events) != 0)
        return cli_failure("out of memory");
    int code = open_upload(transfer, &request);
    if (code != 0)
        return code;
    int result = client_request_start(transfer->get->client, &request, &transfer->request);
    if (result == HERALD_ERROR_INVALID)
        return cli_failure("%s: this request cannot be sent", get_transfer_name(transfer, url));
    if (result != 0)
        return cli_failure("%s: %s", get_transfer_name(transfer, url), herald_error_text(result));
    if (transfer->upload != NULL) {
        get_upload_attach(transfer->upload, transfer->request->exchange);
        struct body_source *source = get_upload_source(transfer->upload);
        transfer->upload = NULL;
        (void)exchange_write_source(transfer->request->exchange, source);
    }
    return 0;
}
