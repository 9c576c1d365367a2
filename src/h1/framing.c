#include "h1/framing.h"

#include "http/field_syntax.h"
#include "http/outgoing_fields.h"

/* HERALD_ERROR_NOT_FOUND when there is no such field, 0 for chunked. */
static int read_coding(const struct message *message)
{
    size_t count = fields_count(&message->fields, KNOWN_TRANSFER_ENCODING);
    struct span value;

    if (count == 0)
        return HERALD_ERROR_NOT_FOUND;
    value = fields_value(&message->fields, KNOWN_TRANSFER_ENCODING);
    if (count > 1 || message->version < HTTP_1_1)
        return HERALD_ERROR_MALFORMED;
    if (span_equals_ignoring_case(value, SPAN_LITERAL("chunked")))
        return 0;
    return field_is_token(value) ? HERALD_ERROR_UNSUPPORTED : HERALD_ERROR_MALFORMED;
}

int h1_request_framing(struct message *message, enum h1_framing *framing, unsigned *status)
{
    int coding = read_coding(message);
    bool sized = message->content_length != CONTENT_LENGTH_UNKNOWN;

    *status = coding == HERALD_ERROR_UNSUPPORTED ? 501 : 400;
    if (coding < 0 && coding != HERALD_ERROR_NOT_FOUND)
        return coding;
    if (coding == 0) {
        *framing = H1_FRAMING_CHUNKED;
        return sized ? HERALD_ERROR_MALFORMED : 0;
    }
    if (!sized)
        message->content_length = 0;
    *framing = message->content_length > 0 ? H1_FRAMING_LENGTH : H1_FRAMING_NONE;
    return 0;
}

int h1_response_framing(const struct message *message, struct span method, enum h1_framing *framing)
{
    int coding = read_coding(message);
    bool sized = message->content_length != CONTENT_LENGTH_UNKNOWN;

    if (coding < 0 && coding != HERALD_ERROR_NOT_FOUND)
        return coding;
    if (coding == 0 && sized)
        return HERALD_ERROR_MALFORMED;
    if (!message_response_has_content(method, message->status))
        *framing = H1_FRAMING_NONE;
    else if (coding == 0)
        *framing = H1_FRAMING_CHUNKED;
    else if (sized)
        *framing = message->content_length > 0 ? H1_FRAMING_LENGTH : H1_FRAMING_NONE;
    else
        *framing = H1_FRAMING_CLOSE;
    return 0;
}

/* Takes the next member off a comma-separated list. */
static struct span next_option(struct span *list)
{
    const uint8_t *comma = memchr(list->data, ',', list->length);
    size_t length = comma == NULL ? list->length : (size_t)(comma - list->data);
    struct span option = span_trim(span_slice(*list, 0, length));

    *list = comma == NULL ? SPAN_EMPTY : span_slice(*list, length + 1, list->length);
    return option;
}

static void read_options(struct span value, struct h1_connection_options *options)
{
    while (value.length > 0) {
        struct span option = next_option(&value);

        if (span_equals_ignoring_case(option, SPAN_LITERAL("close")))
            options->close = true;
        else if (span_equals_ignoring_case(option, SPAN_LITERAL("keep-alive")))
            options->keep_alive = true;
        else if (span_equals_ignoring_case(option, SPAN_LITERAL("upgrade")))
            options->upgrade = true;
    }
}

struct h1_connection_options h1_read_connection_options(const struct fields *fields)
{
    struct h1_connection_options options = {0};

    for (size_t i = 0; i < fields->count; i++) {
        if (fields->items[i].known == KNOWN_CONNECTION)
            read_options(fields->items[i].value, &options);
    }
    return options;
}

/* A field that may be named in Connection and then goes no further than this hop. Others that we
 * know are end to end whatever a peer says: naming them must not take them from the application. */
static bool may_be_hop_by_hop(const struct field *field)
{
    return field->known == KNOWN_NONE || field->known == KNOWN_TE ||
           field->known == KNOWN_HTTP2_SETTINGS || field_is_connection_specific(field->known);
}

static bool is_named(struct span list, struct span name)
{
    while (list.length > 0) {
        struct span option = next_option(&list);

        if (span_equals_ignoring_case(option, name))
            return true;
    }
    return false;
}

static bool is_nominated(const struct fields *fields, struct span name)
{
    for (size_t i = 0; i < fields->count; i++) {
        if (fields->items[i].known == KNOWN_CONNECTION && is_named(fields->items[i].value, name))
            return true;
    }
    return false;
}

void h1_remove_connection_fields(struct fields *fields)
{
    bool nominates = fields_find(fields, KNOWN_CONNECTION) != NULL;
    size_t kept = 0;

    for (size_t i = 0; nominates && i < fields->count; i++) {
        const struct field *field = &fields->items[i];

        if (field->known != KNOWN_CONNECTION && may_be_hop_by_hop(field) &&
            is_nominated(fields, field->name))
            continue;
        fields->items[kept++] = *field;
    }
    if (nominates)
        fields->count = kept;
    kept = 0;
    for (size_t i = 0; i < fields->count; i++) {
        if (!field_is_connection_specific(fields->items[i].known))
            fields->items[kept++] = fields->items[i];
    }
    fields->count = kept;
}
