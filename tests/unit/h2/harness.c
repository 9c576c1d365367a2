#include "h2/harness.h"

/* ---- host ---- */

static void closed(struct exchange *exchange, int reason)
{
    struct host *host = exchange->user;
    host->closed++;
    host->closed_reason = reason;
    exchange_release(exchange);
}

const struct exchange_events host_events = {.closed = closed};

void host_send(struct exchange *exchange, size_t size)
{
    static uint8_t pattern[4096];
    for (size_t i = 0; i < sizeof(pattern); i++)
        pattern[i] = (uint8_t)(i * 7);
    assert_int_equal(exchange_respond(exchange, 200, NULL, 0, size), 0);
    while (size > 0) {
        size_t step = size < sizeof(pattern) ? size : sizeof(pattern);
        assert_int_equal(exchange_write(exchange, span_make(pattern, step)), 0);
        size -= step;
    }
    assert_int_equal(exchange_finish(exchange, NULL, 0), 0);
    exchange_release(exchange);
}

void host_hello(struct host *host, struct exchange *exchange)
{
    (void)host;
    if (exchange_respond(exchange, 200, NULL, 0, 5) == 0 &&
        exchange_write(exchange, SPAN_LITERAL("hello")) == 0)
        (void)exchange_finish(exchange, NULL, 0);
    exchange_release(exchange);
}

void host_keep(struct host *host, struct exchange *exchange)
{
    exchange->user = host;
    exchange->events = &host_events;
}

static void dispatch(struct conn *conn, struct exchange *exchange)
{
    struct host *host = conn->host_data;
    host->dispatched++;
    host->exchange = exchange;
    (host->answer != NULL ? host->answer : host_hello)(host, exchange);
}

static void completed(struct conn *conn, struct exchange *exchange)
{
    (void)exchange;
    ((struct host *)conn->host_data)->completed++;
}

static void wake(struct conn *conn)
{
    ((struct host *)conn->host_data)->wakes++;
}

static void ready(struct conn *conn)
{
    ((struct host *)conn->host_data)->ready++;
}

static void going_away(struct conn *conn)
{
    ((struct host *)conn->host_data)->going_away++;
}

const struct conn_host_ops host_ops = {
    .dispatch = dispatch,
    .completed = completed,
    .wake = wake,
    .ready = ready,
    .going_away = going_away,
};

struct conn *host_open(struct host *host, enum conn_role role, const struct limits *limits)
{
    struct conn_config config = {
        .role = role,
        .host = &host_ops,
        .host_data = host,
        .limits = limits,
        .push = true,
        .connect_protocol = host->connect_protocol,
    };
    return h2_engine.create(&config, HERALD_SECOND);
}

/* ---- raw peer ---- */

void raw_init(struct raw *raw)
{
    memset(raw, 0, sizeof(*raw));
    raw->limits = limits_default;
    raw->now = HERALD_SECOND;
    raw->pull_size = 65536;
    buf_init(&raw->in, 1u << 26, NULL);
    buf_init(&raw->out, 1u << 28, NULL);
    buf_init(&raw->block, 1u << 22, NULL);
    hpack_encoder_init(&raw->encoder, HPACK_TABLE_DEFAULT, NULL);
    hpack_decoder_init(&raw->decoder, HPACK_TABLE_DEFAULT, NULL);
}

void raw_start(struct raw *raw, enum conn_role role)
{
    raw->conn = host_open(&raw->host, role, &raw->limits);
    assert_non_null(raw->conn);
}

void raw_handshake(struct raw *raw)
{
    if (raw->conn->role == CONN_SERVER)
        raw_bytes(raw, H2_PREFACE, H2_PREFACE_LENGTH);
    raw_frame(raw, H2_SETTINGS, 0, 0, NULL, 0);
    raw_frame(raw, H2_SETTINGS, H2_FLAG_ACK, 0, NULL, 0);
    assert_int_equal(raw_flush(raw), 0);
    raw_forget(raw);
}

void raw_open(struct raw *raw, enum conn_role role)
{
    raw_init(raw);
    raw_start(raw, role);
    raw_handshake(raw);
}

void raw_close(struct raw *raw)
{
    raw->conn->ops->destroy(raw->conn);
    buf_free(&raw->in);
    buf_free(&raw->out);
    buf_free(&raw->block);
    hpack_encoder_free(&raw->encoder);
    hpack_decoder_free(&raw->decoder);
}

void raw_bytes(struct raw *raw, const void *data, size_t length)
{
    if (length > 0)
        assert_int_equal(buf_append(&raw->in, data, length), 0);
}

void raw_frame(struct raw *raw, uint8_t type, uint8_t flags, uint32_t id, const void *payload,
               size_t length)
{
    uint8_t header[H2_FRAME_HEADER];
    h2_frame_write(header, (struct h2_frame){(uint32_t)length, id, type, flags});
    raw_bytes(raw, header, sizeof(header));
    raw_bytes(raw, payload, length);
}

void raw_setting(struct raw *raw, uint16_t id, uint32_t value)
{
    uint8_t payload[6];
    h2_put16(payload, id);
    h2_put32(payload + 2, value);
    raw_frame(raw, H2_SETTINGS, 0, 0, payload, sizeof(payload));
}

void raw_window(struct raw *raw, uint32_t id, uint32_t increment)
{
    uint8_t payload[4];
    h2_put32(payload, increment);
    raw_frame(raw, H2_WINDOW_UPDATE, 0, id, payload, sizeof(payload));
}

void raw_rst(struct raw *raw, uint32_t id, uint32_t code)
{
    uint8_t payload[4];
    h2_put32(payload, code);
    raw_frame(raw, H2_RST_STREAM, 0, id, payload, sizeof(payload));
}

void raw_data(struct raw *raw, uint32_t id, size_t length, bool end)
{
    static const uint8_t zeros[1 << 17];
    raw_frame(raw, H2_DATA, end ? H2_FLAG_END_STREAM : 0, id, zeros, length);
}

size_t raw_encode(struct raw *raw, const char *text, uint8_t *out, size_t capacity)
{
    size_t length = 0;
    while (*text != '\0') {
        const char *end = strchr(text, '\n');
        const char *colon = strchr(text + 1, ':');
        struct hpack_field field = {
            .name = span_make(text, (size_t)(colon - text)),
            .value = span_make(colon + 2, (size_t)(end - colon - 2)),
        };
        int written = hpack_encode_field(&raw->encoder, &field, out + length, capacity - length);
        assert_true(written > 0);
        length += (size_t)written;
        text = end + 1;
    }
    return length;
}

void raw_headers(struct raw *raw, uint32_t id, bool end, const char *text)
{
    uint8_t block[16384];
    size_t length = raw_encode(raw, text, block, sizeof(block));
    raw_frame(raw, H2_HEADERS, (uint8_t)(H2_FLAG_END_HEADERS | (end ? H2_FLAG_END_STREAM : 0)), id,
              block, length);
}

void raw_get(struct raw *raw, uint32_t id)
{
    raw_headers(raw, id, true, GET_ROOT);
}

static int on_field(void *user, const struct hpack_field *field)
{
    struct raw *raw = user;
    raw->fields++;
    if (span_equals(field->name, SPAN_LITERAL(":status"))) {
        uint64_t status;
        assert_int_equal(span_to_unsigned(field->value, 999, &status), 0);
        raw->status = (unsigned)status;
    }
    return 0;
}

/* Decodes the block that ends with this frame. */
static void decode_block(struct raw *raw, struct seen *seen)
{
    size_t consumed;
    size_t prefix = seen->frame.type == H2_PUSH_PROMISE ? 4 : 0;
    assert_int_equal(buf_append(&raw->block, raw->out.data + seen->payload + prefix,
                                seen->frame.length - prefix),
                     0);
    if ((seen->frame.flags & H2_FLAG_END_HEADERS) == 0)
        return;
    raw->status = 0;
    raw->fields = 0;
    struct span block = buf_span(&raw->block);
    assert_int_equal(
        hpack_decode(&raw->decoder, block.data, block.length, true, &consumed, on_field, raw), 0);
    buf_clear(&raw->block);
    seen->status = raw->status;
    seen->fields = raw->fields;
}

static void parse(struct raw *raw)
{
    size_t prefix = raw->conn->role == CONN_CLIENT ? H2_PREFACE_LENGTH : 0;
    if (raw->parsed == 0)
        raw->parsed = raw->out.end >= prefix ? prefix : 0;
    while (raw->out.end - raw->parsed >= H2_FRAME_HEADER) {
        struct h2_frame frame = h2_frame_read(raw->out.data + raw->parsed);
        if (raw->out.end - raw->parsed < H2_FRAME_HEADER + (size_t)frame.length)
            return;
        assert_true(raw->count < RAW_FRAMES);
        struct seen *seen = &raw->frames[raw->count++];
        *seen = (struct seen){frame, raw->parsed + H2_FRAME_HEADER, 0, 0};
        bool open = raw->block_stream != 0;
        assert_int_equal(open, frame.type == H2_CONTINUATION);
        if (frame.type == H2_HEADERS || frame.type == H2_PUSH_PROMISE ||
            frame.type == H2_CONTINUATION) {
            raw->block_stream = (frame.flags & H2_FLAG_END_HEADERS) != 0 ? 0 : frame.stream_id;
            decode_block(raw, seen);
        }
        raw->parsed += H2_FRAME_HEADER + (size_t)frame.length;
    }
}

void raw_pull(struct raw *raw)
{
    static uint8_t output[1 << 17];
    struct conn_out out;
    do {
        out = (struct conn_out){.data = output, .capacity = raw->pull_size};
        int result = raw->conn->ops->pull(raw->conn, &out, raw->now);
        assert_true(result <= 0);
        assert_true(out.length <= raw->pull_size);
        assert_int_equal(buf_append(&raw->out, output, out.length), 0);
    } while (out.length > 0);
    parse(raw);
}

static int give(struct raw *raw, const uint8_t *data, size_t length)
{
    struct conn_in in = {.data = span_make(data, length)};
    raw->result = raw->conn->ops->recv(raw->conn, &in, raw->now);
    return raw->result;
}

int raw_flush(struct raw *raw)
{
    struct span queued = buf_span(&raw->in);
    int result = give(raw, queued.data, queued.length);
    buf_clear(&raw->in);
    raw_pull(raw);
    return result;
}

int raw_flush_bytewise(struct raw *raw)
{
    int result = 0;
    for (size_t i = 0; i < buf_length(&raw->in) && result == 0; i++)
        result = give(raw, buf_span(&raw->in).data + i, 1);
    buf_clear(&raw->in);
    raw_pull(raw);
    return result;
}

void raw_advance(struct raw *raw, herald_time by)
{
    herald_time end = raw->now + by;
    herald_time due;
    while ((due = raw->conn->ops->deadline(raw->conn)) <= end) {
        if (due > raw->now)
            raw->now = due;
        raw->result = raw->conn->ops->expire(raw->conn, raw->now);
        raw_pull(raw);
        if (raw->result < 0)
            break;
        assert_true(raw->conn->ops->deadline(raw->conn) > raw->now);
    }
    raw->now = end;
}

const struct seen *raw_find(const struct raw *raw, uint8_t type, uint32_t id)
{
    for (size_t i = 0; i < raw->count; i++) {
        if (raw->frames[i].frame.type == type && raw->frames[i].frame.stream_id == id)
            return &raw->frames[i];
    }
    return NULL;
}

size_t raw_count(const struct raw *raw, uint8_t type, uint32_t id)
{
    size_t count = 0;
    for (size_t i = 0; i < raw->count; i++)
        count += raw->frames[i].frame.type == type && raw->frames[i].frame.stream_id == id;
    return count;
}

const uint8_t *raw_payload(const struct raw *raw, const struct seen *seen)
{
    return raw->out.data + seen->payload;
}

int raw_goaway(const struct raw *raw)
{
    int code = -1;
    for (size_t i = 0; i < raw->count; i++) {
        if (raw->frames[i].frame.type == H2_GOAWAY)
            code = (int)h2_get32(raw_payload(raw, &raw->frames[i]) + 4);
    }
    return code;
}

int raw_reset(const struct raw *raw, uint32_t id)
{
    const struct seen *seen = raw_find(raw, H2_RST_STREAM, id);
    return seen == NULL ? -1 : (int)h2_get32(raw_payload(raw, seen));
}

unsigned raw_status(const struct raw *raw, uint32_t id)
{
    for (size_t i = 0; i < raw->count; i++) {
        const struct seen *seen = &raw->frames[i];
        if ((seen->frame.type == H2_HEADERS || seen->frame.type == H2_CONTINUATION) &&
            seen->frame.stream_id == id && seen->status >= 200)
            return seen->status;
    }
    return 0;
}

size_t raw_body(const struct raw *raw, uint32_t id)
{
    size_t length = 0;
    for (size_t i = 0; i < raw->count; i++) {
        if (raw->frames[i].frame.type == H2_DATA && raw->frames[i].frame.stream_id == id)
            length += raw->frames[i].frame.length;
    }
    return length;
}

bool raw_ended(const struct raw *raw, uint32_t id)
{
    for (size_t i = 0; i < raw->count; i++) {
        const struct h2_frame *frame = &raw->frames[i].frame;
        if ((frame->type == H2_DATA || frame->type == H2_HEADERS) && frame->stream_id == id &&
            (frame->flags & H2_FLAG_END_STREAM) != 0)
            return true;
    }
    return false;
}

void raw_forget(struct raw *raw)
{
    raw->count = 0;
}
