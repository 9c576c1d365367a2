/* Heads and trailers on their way out. nghttp3 copies what it is given. */
#include "h3/internal.h"
#include <stdlib.h>

#define PSEUDO_MOST 6
#define SMALL_HEAD  32

struct head_list {
    nghttp3_nv *items;
    size_t count;
    nghttp3_nv small[SMALL_HEAD];
    uint8_t status[3];
    char priority[16];
};

static int reserve(struct head_list *list, size_t count)
{
    list->count = 0;
    list->items = list->small;
    if (count > SMALL_HEAD)
        list->items = calloc(count, sizeof(*list->items));
    return list->items == NULL ? NGHTTP3_ERR_NOMEM : 0;
}

static void release(struct head_list *list)
{
    if (list->items != list->small)
        free(list->items);
}

static void add(struct head_list *list, struct span name, struct span value, uint8_t flags)
{
    list->items[list->count++] =
        (nghttp3_nv){name.data, value.data, name.length, value.length, flags};
}

static void add_fields(struct head_list *list, const struct fields *fields)
{
    for (size_t i = 0; i < fields->count; i++)
        add(list, fields->items[i].name, fields->items[i].value,
            fields->items[i].flags & FIELD_SENSITIVE ? NGHTTP3_NV_FLAG_NEVER_INDEX : 0);
}

static int list_response(struct head_list *list, const struct message *message)
{
    if (reserve(list, message->fields.count + PSEUDO_MOST) != 0)
        return NGHTTP3_ERR_NOMEM;
    unsigned status = message->status;
    list->status[0] = (uint8_t)('0' + status / 100 % 10);
    list->status[1] = (uint8_t)('0' + status / 10 % 10);
    list->status[2] = (uint8_t)('0' + status % 10);
    add(list, SPAN_LITERAL(":status"), span_make(list->status, 3), 0);
    add_fields(list, &message->fields);
    return 0;
}

static int list_request(struct head_list *list, const struct exchange *exchange)
{
    const struct message *message = &exchange->outgoing;
    bool connect = span_equals(message->method, SPAN_LITERAL("CONNECT"));
    if (reserve(list, message->fields.count + PSEUDO_MOST) != 0)
        return NGHTTP3_ERR_NOMEM;
    add(list, SPAN_LITERAL(":method"), message->method, 0);
    if (!connect || message->protocol.length > 0) {
        add(list, SPAN_LITERAL(":scheme"), message->scheme, 0);
        add(list, SPAN_LITERAL(":path"), message->path, 0);
    }
    add(list, SPAN_LITERAL(":authority"), message->authority, 0);
    if (message->protocol.length > 0)
        add(list, SPAN_LITERAL(":protocol"), message->protocol, 0);
    size_t length = priority_format(exchange->priority, list->priority);
    if (length > 0 && fields_find(&message->fields, KNOWN_PRIORITY) == NULL)
        add(list, SPAN_LITERAL("priority"), span_make(list->priority, length), 0);
    add_fields(list, &message->fields);
    return 0;
}

/* What the handler said about the order of responses goes before the client's wish (RFC 9218
 * section 8). */
static void merge_priority(struct h3_stream *stream)
{
    struct exchange *exchange = stream->exchange;
    struct span value = fields_value(&exchange->outgoing.fields, KNOWN_PRIORITY);
    if (value.length > 0 && priority_parse(value, &exchange->priority) == 0)
        stream->reprioritise_due = true;
}

static int submit_final(struct h3_stream *stream)
{
    static const nghttp3_data_reader reader = {h3_body_read};
    struct h3_conn *conn = stream->conn;
    struct exchange *exchange = stream->exchange;
    bool empty = exchange_body_is_empty(exchange);
    struct head_list list;
    int error = exchange->is_client ? list_request(&list, exchange)
                                    : list_response(&list, &exchange->outgoing);
    if (error != 0)
        return error;
    const nghttp3_data_reader *source = empty ? NULL : &reader;
    error = exchange->is_client ? nghttp3_conn_submit_request(conn->http, stream->id, list.items,
                                                              list.count, source, NULL)
                                : nghttp3_conn_submit_response(conn->http, stream->id, list.items,
                                                               list.count, source);
    release(&list);
    if (error != 0)
        return error;
    stream->submitted = true;
    if (!exchange->is_client) {
        exchange->timing.responded = conn->now;
        merge_priority(stream);
    }
    if (empty) {
        exchange->out_complete = true;
        stream->close_due = true;
    }
    return 0;
}

static int submit_informational(struct h3_stream *stream, const struct exchange_item *item)
{
    struct head_list list;
    int error = list_response(&list, &item->message);
    if (error != 0)
        return error;
    error = nghttp3_conn_submit_info(stream->conn->http, stream->id, list.items, list.count);
    release(&list);
    return error;
}

int h3_submit_items(struct h3_stream *stream)
{
    struct exchange_item *item;
    while ((item = exchange_next_item(stream->exchange)) != NULL) {
        int error = 0;
        if (item->kind == EXCHANGE_INFORMATIONAL)
            error = submit_informational(stream, item);
        else if (item->kind == EXCHANGE_HEAD)
            error = submit_final(stream);
        if (error != 0)
            return error;
        exchange_item_done(stream->exchange, item);
    }
    return 0;
}

int h3_submit_trailers(struct h3_stream *stream)
{
    const struct fields *trailers = &stream->exchange->outgoing_trailers;
    struct head_list list;
    if (reserve(&list, trailers->count) != 0)
        return NGHTTP3_ERR_NOMEM;
    add_fields(&list, trailers);
    int error =
        nghttp3_conn_submit_trailers(stream->conn->http, stream->id, list.items, list.count);
    release(&list);
    return error;
}
