/* Any order of what owner and engine can do to exchanges, inside events too: every exchange is
 * freed once, no event follows the last one, nothing stays charged. Each input byte is one step. */
#include "http/conn.h"
#include "http/exchange_engine.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            __builtin_trap();                                                                      \
    } while (0)

#define STREAMS 4

/* Both ends of one exchange. */
struct stream {
    struct exchange *engine; /* while the engine has its hold */
    struct exchange *owner;  /* while the owner has its hold */
    bool closed;             /* the owner has been told, or has cancelled */
    bool client;
};

static struct {
    struct conn conn;
    bool conn_gone;
    struct stream streams[STREAMS];
    const uint8_t *at, *end;
    unsigned depth;
    int sources;
} rig;

static unsigned next_byte(void)
{
    return rig.at < rig.end ? *rig.at++ : 0;
}

static void owner_step(struct stream *stream, unsigned step);

static struct stream *stream_of(struct exchange *exchange)
{
    return exchange->user;
}

/* ---- the engine ---- */

static void close_stream(struct stream *stream, int reason)
{
    struct exchange *exchange = stream->engine;

    if (exchange == NULL)
        return;
    stream->engine = NULL;
    exchange_deliver_closed(exchange, reason);
}

static void op_nothing(struct exchange *exchange)
{
    CHECK(exchange->ops != NULL);
}
static void op_consumed(struct exchange *exchange, size_t length)
{
    CHECK(length != 0 && exchange->ops != NULL);
}
static void op_cancel(struct exchange *exchange, int reason)
{
    CHECK(exchange->closed);
    if (next_byte() & 1)
        close_stream(stream_of(exchange), reason);
}
static int op_can_push(const struct exchange *exchange)
{
    return exchange->conn->promises_queued < 3 ? 0 : HERALD_ERROR_LIMIT;
}

static const struct exchange_ops ops = {
    .wake = op_nothing,
    .consumed = op_consumed,
    .discard = op_nothing,
    .can_push = op_can_push,
    .cancel = op_cancel,
    .released = op_nothing,
};

/* ---- the owner ---- */

static void in_event(struct exchange *exchange)
{
    struct stream *stream = stream_of(exchange);

    CHECK(stream->owner == exchange && !stream->closed);
    if (rig.depth >= 3)
        return;
    rig.depth++;
    for (unsigned steps = next_byte() % 4; steps != 0; steps--)
        owner_step(stream, next_byte());
    rig.depth--;
}

static void on_closed(struct exchange *exchange, int reason)
{
    (void)reason;
    CHECK(!stream_of(exchange)->closed);
    in_event(exchange);
    stream_of(exchange)->closed = true;
}

static const struct exchange_events events = {
    .head = in_event,
    .readable = in_event,
    .writable = in_event,
    .closed = on_closed,
};

struct source {
    struct body_source source;
    unsigned left;
};

static int64_t source_read(struct body_source *source, uint8_t *destination, size_t capacity,
                           bool *end)
{
    struct source *own = (struct source *)source;
    unsigned byte = next_byte();
    size_t count = byte % 16;

    if (byte >= 250)
        return HERALD_ERROR_IO;
    if (count > capacity)
        count = capacity;
    if (count >= own->left) {
        count = own->left;
        *end = true;
    }
    memset(destination, 's', count);
    own->left -= (unsigned)count;
    return (int64_t)count;
}

static void source_release(struct body_source *source)
{
    rig.sources--;
    free(source);
}

static const struct body_source_ops source_ops = {source_read, source_release};

static void write_source(struct exchange *exchange)
{
    struct source *source = malloc(sizeof(*source));

    if (source == NULL)
        return;
    source->source.ops = &source_ops;
    source->left = next_byte();
    rig.sources++;
    exchange_write_source(exchange, &source->source);
}

static void write_bytes(struct exchange *exchange)
{
    static const uint8_t bytes[1024];
    uint64_t written = exchange->out_written;
    size_t length = next_byte() * 4;

    if (!exchange_can_write(exchange))
        return;
    int error = exchange_write(exchange, span_make(bytes, length));
    CHECK(error == 0 ? exchange->out_written == written + length : error < 0);
    CHECK(!exchange->closed || error == HERALD_ERROR_CLOSED);
}

static void release(struct stream *stream)
{
    struct exchange *exchange = stream->owner;

    stream->owner = NULL;
    exchange_release(exchange);
}

static void push(struct exchange *exchange)
{
    struct message request = {.method = SPAN_LITERAL("GET"), .path = SPAN_LITERAL("/p")};

    request.content_length = CONTENT_LENGTH_UNKNOWN;
    exchange_push(exchange, &request);
}

static void owner_step(struct stream *stream, unsigned step)
{
    struct exchange *exchange = stream->owner;
    uint64_t length = step & 64 ? 20 : CONTENT_LENGTH_UNKNOWN;
    uint8_t text[64];

    if (exchange == NULL)
        return;
    switch (step % 12) {
    case 0:
        exchange_respond(exchange, 200 + (step & 128 ? 4 : 0), &FIELD("a", "b"), 1, length);
        break;
    case 1:
        write_bytes(exchange);
        break;
    case 2:
        exchange_finish(exchange, &FIELD("t", "u"), step >> 7);
        break;
    case 3:
        exchange_read(exchange, text, sizeof(text));
        break;
    case 4:
        exchange_consume(exchange, exchange_peek(exchange).length / 2);
        break;
    case 5:
        exchange_discard_input(exchange);
        break;
    case 6:
        exchange_inform(exchange, 103, NULL, 0);
        break;
    case 7:
        stream->closed = true;
        exchange_cancel(exchange, HERALD_ERROR_CANCELLED);
        break;
    case 8:
        release(stream);
        break;
    case 9:
        write_source(exchange);
        break;
    case 10:
        exchange_source_ready(exchange);
        break;
    default:
        push(exchange);
    }
}

/* ---- the engine's steps ---- */

static void on_dispatch(struct conn *conn, struct exchange *exchange)
{
    struct stream *stream = stream_of(exchange);

    (void)conn;
    stream->owner = exchange;
    exchange->events = &events;
    in_event(exchange);
}

static void on_completed(struct conn *conn, struct exchange *exchange)
{
    CHECK(conn == &rig.conn && exchange->closed && exchange->holds != 0);
}

static void on_wake(struct conn *conn)
{
    CHECK(conn == &rig.conn && !rig.conn_gone);
}

static const struct conn_host_ops host = {on_dispatch, on_completed, on_wake, NULL, NULL};

static void open_request(struct stream *stream, unsigned step)
{
    struct exchange *exchange =
        exchange_new(&rig.conn, &ops, stream, rig.conn.limits, &rig.conn.account);

    if (exchange == NULL)
        return;
    *stream = (struct stream){.engine = exchange};
    exchange->user = stream;
    exchange->incoming.version = HTTP_2;
    exchange->incoming.method = step & 64 ? SPAN_LITERAL("HEAD") : SPAN_LITERAL("POST");
    exchange->incoming.authority = SPAN_LITERAL("a");
    exchange->incoming.scheme = SPAN_LITERAL("https");
    exchange->incoming.expects_continue = (step & 128) != 0;
    exchange_deliver_head(exchange);
    conn_dispatch(&rig.conn, exchange);
}

static void open_client(struct stream *stream)
{
    struct message request = {.method = SPAN_LITERAL("GET"),
                              .path = SPAN_LITERAL("/"),
                              .content_length = CONTENT_LENGTH_UNKNOWN};
    struct exchange *exchange = exchange_new_request(&request, rig.conn.limits, &events, stream);

    if (exchange == NULL)
        return;
    *stream = (struct stream){.owner = exchange, .client = true};
    owner_step(stream, next_byte());
    if (stream->owner == NULL || stream->closed)
        return;
    stream->engine = exchange;
    exchange_attach(exchange, &rig.conn, &ops, stream);
}

static void send_items(struct stream *stream)
{
    struct exchange_item *item;

    while (stream->engine != NULL && (item = exchange_next_item(stream->engine)) != NULL) {
        struct exchange *promised = item->promised;
        bool promise = item->kind == EXCHANGE_PROMISE;
        struct stream *place = NULL;

        exchange_item_done(stream->engine, item);
        if (!promise)
            continue;
        for (unsigned i = 0; i < STREAMS && place == NULL; i++) {
            if (rig.streams[i].engine == NULL && rig.streams[i].owner == NULL)
                place = &rig.streams[i];
        }
        if (place == NULL) {
            exchange_deliver_closed(promised, HERALD_ERROR_CANCELLED);
            continue;
        }
        *place = (struct stream){.engine = promised};
        promised->stream = promised->user = place;
        conn_dispatch(&rig.conn, promised);
    }
}

static void pull(struct stream *stream)
{
    uint8_t buffer[256];
    bool end = false;

    send_items(stream);
    if (stream->engine == NULL || !exchange_body_ready(stream->engine))
        return;
    int64_t count = exchange_body_read(stream->engine, buffer, 1 + next_byte(), &end);
    if (stream->engine == NULL)
        return;
    if (count < 0)
        close_stream(stream, HERALD_ERROR_INTERNAL);
    else if (end)
        stream->engine->out_complete = true;
}

static void receive(struct stream *stream)
{
    static const uint8_t bytes[256];

    if (stream->engine == NULL || stream->engine->in_ended)
        return;
    if (exchange_deliver_body(stream->engine, span_make(bytes, next_byte())) != 0)
        close_stream(stream, HERALD_ERROR_MALFORMED);
}

static void receive_head(struct stream *stream)
{
    struct exchange *exchange = stream->engine;

    if (exchange == NULL || !stream->client || exchange->head_received)
        return;
    exchange->incoming.status = 200;
    exchange_deliver_head(exchange);
}

static void engine_step(struct stream *stream, unsigned step)
{
    switch (step % 8) {
    case 0:
        if (stream->engine == NULL && stream->owner == NULL)
            open_request(stream, step);
        break;
    case 1:
        if (stream->engine == NULL && stream->owner == NULL)
            open_client(stream);
        break;
    case 2:
        receive(stream);
        break;
    case 3:
        if (stream->engine != NULL && !stream->engine->in_ended)
            exchange_deliver_end(stream->engine);
        break;
    case 4:
        close_stream(stream, step & 64 ? 0 : HERALD_ERROR_CANCELLED);
        break;
    case 5:
        receive_head(stream);
        break;
    default:
        pull(stream);
    }
}

static void check_counts(void)
{
    unsigned owned = 0;

    for (unsigned i = 0; i < STREAMS; i++)
        owned += rig.streams[i].owner != NULL && rig.streams[i].owner->conn != NULL;
    CHECK(rig.conn.running == owned);
}

static void destroy_conn(void)
{
    for (unsigned i = 0; i < STREAMS; i++)
        close_stream(&rig.streams[i], HERALD_ERROR_CLOSED);
    conn_detach(&rig.conn);
    CHECK(rig.conn.account.live == 0 && rig.conn.running == 0 && rig.conn.promises_queued == 0);
    rig.conn_gone = true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct limits limits;

    limits = limits_default;
    limits.body_out_buffer = 2048;
    limits.drain_size = 300;
    limits.informational_count = 3;
    limits.connection_memory_soft = 20000;
    memset(&rig, 0, sizeof(rig));
    rig.at = data;
    rig.end = data + (size > 2000 ? 2000 : size);
    conn_init(&rig.conn, NULL, &(struct conn_config){.host = &host, .limits = &limits}, HTTP_2);
    while (rig.at < rig.end) {
        unsigned step = next_byte();
        struct stream *stream = &rig.streams[step >> 4 & 3];
        if (step & 8)
            owner_step(stream, next_byte());
        else
            engine_step(stream, step);
        check_counts();
    }
    destroy_conn();
    for (unsigned i = 0; i < STREAMS; i++) {
        if (rig.streams[i].owner != NULL)
            release(&rig.streams[i]);
    }
    CHECK(rig.sources == 0);
    return 0;
}
