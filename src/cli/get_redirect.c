#include "cli/cli.h"
#include "cli/get_transfer.h"

static bool is_redirect(unsigned status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* RFC 9110 section 15.4: what the next request looks like. */
static bool change_method(struct transfer *transfer)
{
    bool post = span_equals(transfer->method, SPAN_LITERAL("POST"));
    bool head = span_equals(transfer->method, SPAN_LITERAL("HEAD"));

    if ((transfer->status == 303 && !head) || (transfer->status <= 302 && post)) {
        transfer->method = SPAN_LITERAL("GET");
        transfer->with_body = false;
    }
    return !transfer->with_body || transfer->get->options.upload == NULL ||
           strcmp(transfer->get->options.upload, "-") != 0;
}

bool get_redirect_plan(struct transfer *transfer, const struct message *response)
{
    const struct get_options *options = &transfer->get->options;
    const struct field *location = fields_find_name(&response->fields, SPAN_LITERAL("location"));
    const char *why = "out of memory";

    if (!options->location || transfer->pushed || !is_redirect(response->status) ||
        location == NULL)
        return false;
    if (transfer->redirects >= options->maximum_redirects) {
        get_transfer_fail(transfer, "more than %u redirects", options->maximum_redirects);
        return true;
    }
    if (url_resolve(&transfer->arena, &transfer->url, location->value, &transfer->next, &why) !=
        0) {
        get_transfer_fail(transfer, "redirect to '%.*s': %s", SPAN_ARGUMENTS(location->value), why);
        return true;
    }
    if (!change_method(transfer)) {
        get_transfer_fail(transfer, "redirect to '%.*s': standard input cannot be sent twice",
                          SPAN_ARGUMENTS(location->value));
        return true;
    }
    transfer->redirecting = true;
    transfer->redirects++;
    get_note(transfer->get, transfer->connection, "redirect %u to %s://%.*s%.*s", response->status,
             transfer->next.scheme, SPAN_ARGUMENTS(transfer->next.authority),
             SPAN_ARGUMENTS(transfer->next.path));
    return true;
}

void get_redirect_follow(struct transfer *transfer)
{
    get_transfer_release_request(transfer);
    transfer->redirecting = false;
    transfer->received = 0;
    transfer->url = transfer->next;
    if (get_request_begin(transfer, &get_transfer_events) != 0)
        get_transfer_end(transfer, EXIT_CODE_FAILURE);
}
