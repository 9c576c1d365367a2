#include "h1/connection.h"

int h1_feed_fields(struct head_builder *builder, struct span rest)
{
    struct span name, value;
    int result;

    while ((result = h1_next_field(&rest, &name, &value)) > 0) {
        if (head_builder_add(builder, name, value, KNOWN_NONE, 0) != HEAD_OK)
            break;
    }
    return result < 0 ? result : 0;
}

int h1_verdict_error(enum head_verdict verdict, unsigned *status)
{
    static const struct {
        int code;
        unsigned status;
    } answers[] = {
        [HEAD_OK] = {0, 200},
        [HEAD_MALFORMED] = {HERALD_ERROR_MALFORMED, 400},
        [HEAD_TOO_LARGE] = {HERALD_ERROR_LIMIT, 431},
        [HEAD_FAR_TOO_LARGE] = {HERALD_ERROR_LIMIT, 431},
        [HEAD_TARGET_TOO_LONG] = {HERALD_ERROR_LIMIT, 414},
        [HEAD_METHOD_TOO_LONG] = {HERALD_ERROR_UNSUPPORTED, 501},
        [HEAD_EXPECTATION_FAILED] = {HERALD_ERROR_UNSUPPORTED, 417},
        [HEAD_NO_MEMORY] = {HERALD_ERROR_NOMEM, 503},
    };

    *status = answers[verdict].status;
    return answers[verdict].code;
}

static void skip(struct span *data, size_t length)
{
    *data = span_make(data->data + length, data->length - length);
}

/* A server waits with the next request while too many owners still work on earlier ones. */
static bool can_start(const struct h1_connection *connection)
{
    return connection->exchange == NULL &&
           connection->conn.running < connection->conn.limits->concurrent_streams;
}

/* Whether a head may be parsed now. A client's peer has nothing to say before the request. */
static bool head_is_welcome(struct h1_connection *connection, herald_time now)
{
    if (h1_is_server(connection))
        return can_start(connection);
    if (connection->exchange == NULL)
        h1_fail(connection, HERALD_ERROR_PROTOCOL, now);
    else if (connection->output_state == H1_OUTPUT_HEAD)
        h1_fail(connection, HERALD_ERROR_REFUSED, now);
    return connection->failure == 0;
}

/* Skips empty lines before a request line. False: wait or stop. */
static bool skip_blank_lines(struct h1_connection *connection, struct span *data, herald_time now)
{
    while (connection->scan.position == 0 && data->length > 0 && data->data[0] == '\r') {
        if (data->length == 1)
            return false;
        if (data->data[1] != '\n' || ++connection->blank_lines > H1_BLANK_LINES) {
            h1_refuse(connection, HERALD_ERROR_MALFORMED, 400, now);
            return false;
        }
        skip(data, 2);
    }
    return data->length > 0;
}

static bool parse_head(struct h1_connection *connection, struct span *data, herald_time now)
{
    bool server = h1_is_server(connection);
    enum h1_section section = server ? H1_REQUEST_HEAD : H1_RESPONSE_HEAD;
    unsigned status = 400;
    size_t length;
    int result;

    if (!head_is_welcome(connection, now))
        return false;
    if (connection->message_start == HERALD_NEVER) {
        connection->message_start = now;
        if (server)
            connection->head_due = now + connection->conn.limits->head_timeout;
    }
    if (server && !skip_blank_lines(connection, data, now))
        return false;
    result = h1_scan_section(&connection->scan, *data, section, connection->conn.limits, &status);
    if (result < 0)
        h1_refuse(connection, result, status, now);
    if (result <= 0)
        return false;
    length = connection->scan.position;
    if (server)
        h1_server_head(connection, span_slice(*data, 0, length), now);
    else
        h1_client_head(connection, span_slice(*data, 0, length), now);
    skip(data, length);
    return true;
}

void h1_start_body(struct h1_connection *connection, enum h1_framing framing,
                   uint64_t content_length, herald_time now)
{
    connection->scan = (struct h1_scan){0};
    connection->head_due = HERALD_NEVER;
    connection->message_start = HERALD_NEVER;
    connection->in_framing = framing;
    connection->in_left = framing == H1_FRAMING_LENGTH ? content_length : 0;
    connection->input_state = framing == H1_FRAMING_NONE ? H1_INPUT_DONE : H1_INPUT_BODY;
    if (framing == H1_FRAMING_CHUNKED)
        h1_chunked_init(&connection->chunked, connection->conn.limits);
    if (h1_is_server(connection) && framing != H1_FRAMING_NONE && framing != H1_FRAMING_CLOSE) {
        h1_pace_start(&connection->body_pace, now, connection->conn.limits->body_grace);
        if (connection->continue_owed)
            h1_pace_pause(&connection->body_pace, now);
    }
}

void h1_end_input(struct h1_connection *connection, herald_time now)
{
    struct exchange *exchange = connection->exchange;
    int result;

    connection->input_state = H1_INPUT_DONE;
    connection->continue_owed = connection->continue_owed && !h1_is_server(connection);
    h1_pace_stop(&connection->body_pace);
    result = exchange_deliver_end(exchange);
    if (connection->exchange != exchange)
        return;
    if (result < 0)
        h1_refuse(connection, result, 400, now);
    else
        h1_settle(connection, now);
}

/* False when the exchange has gone. */
static bool deliver(struct h1_connection *connection, struct span data, herald_time now)
{
    struct exchange *exchange = connection->exchange;
    const struct limits *limits = connection->conn.limits;
    int result;

    if (h1_is_server(connection))
        connection->continue_owed = false;
    h1_pace_resume(&connection->body_pace, now);
    h1_pace_credit(&connection->body_pace, data.length, limits->body_rate, now, limits->body_grace);
    h1_trace_body(connection, FRAME_IN, data.length, now);
    result = exchange_deliver_body(exchange, data);
    if (connection->exchange != exchange)
        return false;
    if (result < 0) {
        h1_refuse(connection, result, result == HERALD_ERROR_MALFORMED ? 400 : 503, now);
        return false;
    }
    if (exchange_drain_exceeded(exchange))
        h1_settle(connection, now);
    return connection->exchange == exchange;
}

static bool parse_length(struct h1_connection *connection, struct span *data, herald_time now)
{
    struct span part = span_slice(*data, 0, data->length);

    if (part.length > connection->in_left)
        part.length = (size_t)connection->in_left;
    connection->in_left -= part.length;
    skip(data, part.length);
    if (deliver(connection, part, now) && connection->in_left == 0)
        h1_end_input(connection, now);
    return true;
}

static bool parse_chunked(struct h1_connection *connection, struct span *data, herald_time now)
{
    struct span part;
    int event = h1_chunked_step(&connection->chunked, data, &part);

    if (event == H1_CHUNKED_DATA)
        (void)deliver(connection, part, now);
    else if (event == H1_CHUNKED_LAST)
        connection->input_state = H1_INPUT_TRAILERS;
    else if (event < 0)
        h1_refuse(connection, event, 400, now);
    return event >= 0;
}

static bool parse_body(struct h1_connection *connection, struct span *data, herald_time now)
{
    struct span part = *data;

    switch (connection->in_framing) {
    case H1_FRAMING_LENGTH:
        return parse_length(connection, data, now);
    case H1_FRAMING_CHUNKED:
        return parse_chunked(connection, data, now);
    default:
        skip(data, part.length);
        (void)deliver(connection, part, now);
        return true;
    }
}

/* The fields of a whole trailer section, without its empty line's meaning for the body. */
static int read_trailers(struct h1_connection *connection, struct span section, unsigned *status)
{
    struct exchange *exchange = connection->exchange;
    struct head_builder builder;
    int result;

    if (connection->scan.lines == 0)
        return 0;
    head_builder_init_http1(&builder, HEAD_TRAILERS, &exchange->arena, connection->conn.limits);
    result = h1_feed_fields(&builder, section);
    if (result < 0)
        return result;
    return h1_verdict_error(head_builder_finish_trailers(&builder, &exchange->trailers), status);
}

static bool parse_trailers(struct h1_connection *connection, struct span *data, herald_time now)
{
    unsigned status = 400;
    size_t length;
    int result = h1_scan_section(&connection->scan, *data, H1_TRAILER_SECTION,
                                 connection->conn.limits, &status);

    if (result == 0)
        return false;
    length = connection->scan.position;
    if (result > 0)
        result = read_trailers(connection, span_slice(*data, 0, length), &status);
    if (result < 0) {
        h1_refuse(connection, result, status, now);
        return false;
    }
    skip(data, length);
    h1_trace_trailers(connection, FRAME_IN, &connection->exchange->trailers, length, now);
    h1_end_input(connection, now);
    return true;
}

void h1_parse(struct h1_connection *connection, struct span *data, herald_time now)
{
    bool progress = true;

    while (progress && data->length > 0) {
        switch (connection->input_state) {
        case H1_INPUT_HEAD:
            progress = parse_head(connection, data, now);
            break;
        case H1_INPUT_BODY:
            progress = parse_body(connection, data, now);
            break;
        case H1_INPUT_TRAILERS:
            progress = parse_trailers(connection, data, now);
            break;
        case H1_INPUT_DONE:
            progress = false;
            break;
        case H1_INPUT_CLOSED:
            skip(data, data->length);
            break;
        }
    }
}

void h1_update_reading(struct h1_connection *connection, herald_time now)
{
    const struct exchange *exchange = connection->exchange;
    bool wants;

    switch (connection->input_state) {
    case H1_INPUT_HEAD:
        wants = !h1_is_server(connection) || can_start(connection) ||
                buf_length(&connection->input) < H1_AHEAD_SIZE;
        break;
    case H1_INPUT_BODY:
        wants = exchange->in_discarded || body_has_room(&exchange->in);
        break;
    case H1_INPUT_DONE:
        wants = buf_length(&connection->input) < H1_AHEAD_SIZE;
        break;
    default:
        wants = true;
    }
    connection->conn.wants_read = wants;
    if (!wants)
        h1_pace_pause(&connection->body_pace, now);
    else if (!connection->continue_owed)
        h1_pace_resume(&connection->body_pace, now);
}
