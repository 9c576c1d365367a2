/* What the two HTTP/2 targets share. The input is a list of steps: bytes or frames for the engine,
 * output, time, and what the owners of exchanges do. Invariants: no event after the terminal one,
 * no dispatch after the end, windows conserved to the byte, output that is well framed, no memory
 * left on the account. */
#ifndef FUZZ_H2_H
#define FUZZ_H2_H

#include "h2/internal.h"
#include <stdlib.h>

#define HELD_MOST 256

struct input {
    const uint8_t *data;
    size_t length;
};

struct held {
    struct exchange *exchange;
    bool closed;
};

struct fuzz {
    struct input input;
    struct conn *conn;
    struct limits limits;
    herald_time now;
    bool over;
    struct held held[HELD_MOST];
    struct h2_frame frame; /* of the output, as it is read */
    uint8_t header[H2_FRAME_HEADER];
    size_t header_length, frame_left, skip;
    uint32_t block_stream;
};

static void must(bool condition)
{
    if (!condition)
        abort();
}

static unsigned take(struct input *input)
{
    if (input->length == 0)
        return 0;
    input->length--;
    return *input->data++;
}

static struct span take_span(struct input *input, size_t length)
{
    if (length > input->length)
        length = input->length;
    struct span span = span_make(input->data, length);
    input->data += length;
    input->length -= length;
    return span;
}

/* ---- owners ---- */

static void let_go(struct held *held)
{
    struct exchange *exchange = held->exchange;
    held->exchange = NULL;
    exchange->user = NULL;
    exchange_release(exchange);
}

static void on_event(struct exchange *exchange)
{
    struct held *held = exchange->user;
    must(held != NULL && held->exchange == exchange && !held->closed);
}

static void on_closed(struct exchange *exchange, int reason)
{
    struct held *held = exchange->user;
    (void)reason;
    must(held != NULL && !held->closed);
    held->closed = true;
}

static void on_informational(struct exchange *exchange, const struct message *message)
{
    must(message->status >= 100 && message->status < 200);
    on_event(exchange);
}

static void on_pushed(struct exchange *exchange, struct exchange *promised);

static const struct exchange_events owner_events = {
    .head = on_event,
    .informational = on_informational,
    .readable = on_event,
    .writable = on_event,
    .pushed = on_pushed,
    .closed = on_closed,
};

static struct fuzz *fuzz_now;

static void hold(struct fuzz *fuzz, struct exchange *exchange)
{
    for (size_t i = 0; i < HELD_MOST; i++) {
        if (fuzz->held[i].exchange == NULL) {
            fuzz->held[i] = (struct held){exchange, false};
            exchange->user = &fuzz->held[i];
            exchange->events = &owner_events;
            return;
        }
    }
    exchange_release(exchange);
}

static void on_pushed(struct exchange *exchange, struct exchange *promised)
{
    on_event(exchange);
    (void)exchange_accept_push(promised);
    hold(fuzz_now, promised);
}

static void on_dispatch(struct conn *conn, struct exchange *exchange)
{
    struct fuzz *fuzz = conn->host_data;
    must(!fuzz->over);
    must(conn->running <= conn->limits->concurrent_streams + conn->limits->pushes_concurrent + 1);
    hold(fuzz, exchange);
}

static const struct conn_host_ops fuzz_host = {.dispatch = on_dispatch};

/* What an owner does next, by a byte of the input. */
static void act(struct fuzz *fuzz)
{
    static const struct field link = {SPAN_LITERAL("link"), SPAN_LITERAL("</a>"), 0, 0};
    static const uint8_t body[4096];
    struct held *held = &fuzz->held[take(&fuzz->input) % HELD_MOST];
    unsigned action = take(&fuzz->input);
    struct exchange *exchange = held->exchange;
    struct message request = {.method = SPAN_LITERAL("GET"),
                              .path = SPAN_LITERAL("/p"),
                              .content_length = CONTENT_LENGTH_UNKNOWN};
    uint8_t bytes[512];
    if (exchange == NULL)
        return;
    switch (action % 12) {
    case 0:
        (void)exchange_inform(exchange, 103, &link, 1);
        break;
    case 1:
        (void)exchange_respond(exchange, 200, &link, 1, CONTENT_LENGTH_UNKNOWN);
        break;
    case 2:
        (void)exchange_respond(exchange, 200, NULL, 0, 100);
        break;
    case 3:
        (void)exchange_write(exchange, span_make(body, take(&fuzz->input) * 16));
        break;
    case 4:
        (void)exchange_finish(exchange, &link, action / 12 % 2);
        break;
    case 5:
        exchange_read(exchange, bytes, sizeof(bytes));
        break;
    case 6:
        exchange_discard_input(exchange);
        break;
    case 7:
        (void)exchange_push(exchange, &request);
        break;
    case 8:
        (void)exchange_set_priority(exchange, (struct priority){(uint8_t)(action / 12 % 8), true});
        break;
    case 9:
        if (!held->closed) {
            exchange_cancel(exchange, HERALD_ERROR_CANCELLED);
            held->closed = true;
        }
        break;
    case 10:
        let_go(held);
        break;
    default:
        (void)exchange_can_write(exchange);
        break;
    }
}

/* ---- the wire ---- */

/* The engine's own output keeps to the framing rules. */
static void check_output(struct fuzz *fuzz, const uint8_t *data, size_t length)
{
    for (; length > 0; data++, length--) {
        if (fuzz->skip > 0) {
            fuzz->skip--;
            continue;
        }
        if (fuzz->frame_left > 0) {
            fuzz->frame_left--;
            continue;
        }
        fuzz->header[fuzz->header_length++] = *data;
        if (fuzz->header_length < H2_FRAME_HEADER)
            continue;
        fuzz->header_length = 0;
        fuzz->frame = h2_frame_read(fuzz->header);
        fuzz->frame_left = fuzz->frame.length;
        must(fuzz->frame.type < H2_FRAME_TYPES);
        must(fuzz->frame.length <= h2_of(fuzz->conn)->peer.max_frame_size);
        must((fuzz->block_stream != 0) == (fuzz->frame.type == H2_CONTINUATION));
        must(fuzz->block_stream == 0 || fuzz->block_stream == fuzz->frame.stream_id);
        if (fuzz->frame.type == H2_HEADERS || fuzz->frame.type == H2_PUSH_PROMISE ||
            fuzz->frame.type == H2_CONTINUATION)
            fuzz->block_stream =
                (fuzz->frame.flags & H2_FLAG_END_HEADERS) != 0 ? 0 : fuzz->frame.stream_id;
    }
}

static void pull(struct fuzz *fuzz)
{
    static uint8_t output[16384];
    struct conn_out out = {.data = output,
                           .capacity = 4096 + 64 * (size_t)(take(&fuzz->input) % 190)};
    int result = fuzz->conn->ops->pull(fuzz->conn, &out, fuzz->now);
    must(out.length <= out.capacity);
    check_output(fuzz, output, out.length);
    if (result < 0)
        fuzz->over = true;
}

static void give(struct fuzz *fuzz, struct span bytes)
{
    struct conn_in in = {.data = bytes};
    bool was_over = fuzz->over;
    int result = fuzz->conn->ops->recv(fuzz->conn, &in, fuzz->now);
    must(!was_over || result < 0);
    if (result < 0)
        fuzz->over = true;
}

/* A frame with a right length, so that the input need not guess it. */
static void give_frame(struct fuzz *fuzz)
{
    uint8_t header[H2_FRAME_HEADER];
    struct h2_frame frame = {.type = (uint8_t)take(&fuzz->input),
                             .flags = (uint8_t)take(&fuzz->input),
                             .stream_id = take(&fuzz->input)};
    struct span payload = take_span(&fuzz->input, take(&fuzz->input));
    frame.length = (uint32_t)payload.length;
    h2_frame_write(header, frame);
    give(fuzz, span_make(header, sizeof(header)));
    give(fuzz, payload);
}

static void advance(struct fuzz *fuzz)
{
    fuzz->now += (herald_time)take(&fuzz->input) * 100 * HERALD_MILLISECOND;
    if (fuzz->conn->ops->deadline(fuzz->conn) <= fuzz->now &&
        fuzz->conn->ops->expire(fuzz->conn, fuzz->now) < 0)
        fuzz->over = true;
}

static void check_windows(struct fuzz *fuzz)
{
    struct h2_conn *conn = h2_of(fuzz->conn);
    int64_t sum = conn->recv_window + conn->credit;
    if (fuzz->over || conn->phase == H2_PHASE_DATA)
        return;
    LIST_FOR_EACH_SAFE(node, following, &conn->streams)
    {
        struct h2_stream *stream = CONTAINER_OF(node, struct h2_stream, all);
        sum += stream->unread;
        must(stream->state == H2_HALF_CLOSED_REMOTE ||
             stream->recv_window + stream->credit + stream->unread == stream->recv_target);
    }
    must(sum == conn->recv_target);
    must(conn->stream_count == conn->by_id.count);
}

static void step(struct fuzz *fuzz)
{
    unsigned kind = take(&fuzz->input);
    switch (kind % 8) {
    case 0:
        give(fuzz, take_span(&fuzz->input, take(&fuzz->input)));
        break;
    case 1:
        pull(fuzz);
        break;
    case 2:
        advance(fuzz);
        break;
    case 3:
    case 4:
        act(fuzz);
        break;
    case 5:
        if (kind == 0xfd)
            fuzz->conn->ops->shutdown(fuzz->conn, fuzz->now);
        break;
    default:
        give_frame(fuzz);
        break;
    }
    check_windows(fuzz);
}

static void finish(struct fuzz *fuzz)
{
    for (int i = 0; i < 4; i++)
        pull(fuzz);
    /* Half of the owners outlive the connection. */
    for (size_t i = 0; i < HELD_MOST; i += 2) {
        if (fuzz->held[i].exchange != NULL)
            let_go(&fuzz->held[i]);
    }
    must(h2_free(h2_of(fuzz->conn)) == 0);
    for (size_t i = 0; i < HELD_MOST; i++) {
        if (fuzz->held[i].exchange != NULL) {
            must(fuzz->held[i].closed);
            let_go(&fuzz->held[i]);
        }
    }
}

static bool start(struct fuzz *fuzz, enum conn_role role, const uint8_t *data, size_t length)
{
    *fuzz = (struct fuzz){.input = {data, length}, .limits = limits_default, .now = HERALD_SECOND};
    fuzz_now = fuzz;
    fuzz->limits.concurrent_streams = 20;
    fuzz->skip = role == CONN_CLIENT ? H2_PREFACE_LENGTH : 0;
    struct conn_config config = {
        .role = role,
        .host = &fuzz_host,
        .host_data = fuzz,
        .limits = &fuzz->limits,
        .push = true,
        .connect_protocol = length % 2 == 0,
    };
    fuzz->conn = h2_engine.create(&config, fuzz->now);
    return fuzz->conn != NULL;
}

#endif
