#include "h2/internal.h"

enum stream_rule { ON_STREAM, ON_CONNECTION, ON_EITHER };

/* What a frame's header alone tells about its validity (RFC 9113 section 6), by type. */
struct frame_rule {
    enum stream_rule where;
    bool fixed;        /* the length is exactly `length`; otherwise at least that */
    bool stream_error; /* a wrong length concerns only the stream */
    uint8_t length;
    int (*take)(struct h2_conn *conn, struct span payload);
};

static const struct frame_rule rules[H2_FRAME_TYPES] = {
    [H2_DATA] = {ON_STREAM, false, false, 0, NULL},
    [H2_HEADERS] = {ON_STREAM, false, false, 0, h2_take_headers},
    [H2_PRIORITY] = {ON_STREAM, true, true, 5, h2_take_priority},
    [H2_RST_STREAM] = {ON_STREAM, true, false, 4, h2_take_rst_stream},
    [H2_SETTINGS] = {ON_CONNECTION, false, false, 0, h2_take_settings},
    [H2_PUSH_PROMISE] = {ON_STREAM, false, false, 4, h2_take_push_promise},
    [H2_PING] = {ON_CONNECTION, true, false, 8, h2_take_ping},
    [H2_GOAWAY] = {ON_CONNECTION, false, false, 8, h2_take_goaway},
    [H2_WINDOW_UPDATE] = {ON_EITHER, true, false, 4, h2_take_window_update},
    [H2_CONTINUATION] = {ON_STREAM, false, false, 0, h2_take_continuation},
    [H2_ALTSVC] = {ON_EITHER, false, false, 2, h2_take_altsvc},
    [H2_ORIGIN] = {ON_EITHER, false, false, 0, h2_take_origin},
    [H2_PRIORITY_UPDATE] = {ON_CONNECTION, false, false, 4, h2_take_priority_update},
};

static const struct frame_rule *rule_of(uint8_t type)
{
    return type < H2_FRAME_TYPES && (rules[type].take != NULL || type == H2_DATA) ? &rules[type]
                                                                                  : NULL;
}

/* Moves bytes from `in` to conn->header until `wanted` are there. */
static bool collect_header(struct h2_conn *conn, struct span *in, size_t wanted)
{
    size_t length = wanted - conn->header_length;
    if (length > in->length)
        length = in->length;
    memcpy(conn->header + conn->header_length, in->data, length);
    conn->header_length += (uint8_t)length;
    *in = span_slice(*in, length, in->length);
    if (conn->header_length < wanted)
        return false;
    conn->header_length = 0;
    return true;
}

static int receive_preface(struct h2_conn *conn, struct span *in)
{
    size_t before = conn->header_length;
    bool whole = collect_header(conn, in, H2_PREFACE_LENGTH);
    size_t after = whole ? H2_PREFACE_LENGTH : conn->header_length;
    if (memcmp(conn->header + before, &H2_PREFACE[before], after - before) != 0)
        return h2_fail(conn, H2_PROTOCOL_ERROR, "not an HTTP/2 connection preface");
    if (whole) {
        conn->phase = H2_PHASE_HEADER;
        if (conn->base.trace != NULL)
            h2_trace_preface(conn, FRAME_IN);
    }
    return 0;
}

/* Section 3.4. */
static int check_first(struct h2_conn *conn, const struct h2_frame *frame)
{
    if (frame->type != H2_SETTINGS || (frame->flags & H2_FLAG_ACK) != 0)
        return h2_fail(conn, H2_PROTOCOL_ERROR, "the first frame is not SETTINGS");
    conn->settings_seen = true;
    return 0;
}

/* Nothing comes between the parts of a field block. */
static int check_order(struct h2_conn *conn, const struct h2_frame *frame)
{
    bool open = conn->block.kind != H2_BLOCK_NONE;
    if (open != (frame->type == H2_CONTINUATION) ||
        (open && frame->stream_id != conn->block.stream_id))
        return h2_fail(conn, H2_PROTOCOL_ERROR,
                       open ? "another frame within a field block"
                            : "CONTINUATION without a block");
    return 0;
}

static int check_header(struct h2_conn *conn, const struct h2_frame *frame,
                        const struct frame_rule *rule)
{
    if (rule->where == ON_STREAM && frame->stream_id == 0)
        return h2_fail(conn, H2_PROTOCOL_ERROR, "a stream's frame on stream 0");
    if (rule->where == ON_CONNECTION && frame->stream_id != 0)
        return h2_fail(conn, H2_PROTOCOL_ERROR, "a connection's frame on a stream");
    bool fits = rule->fixed ? frame->length == rule->length : frame->length >= rule->length;
    if (frame->type == H2_SETTINGS)
        fits = (frame->flags & H2_FLAG_ACK) != 0 ? frame->length == 0 : frame->length % 6 == 0;
    if (fits)
        return 0;
    if (rule->stream_error && !h2_stream_is_idle(conn, frame->stream_id)) {
        conn->phase = H2_PHASE_SKIP;
        return h2_stream_error(conn, frame->stream_id, H2_FRAME_SIZE_ERROR);
    }
    return h2_fail(conn, H2_FRAME_SIZE_ERROR, "wrong length for the frame's type");
}

/* Acts on the 9-byte header before anything of the payload is kept. */
static int begin_frame(struct h2_conn *conn)
{
    struct h2_frame *frame = &conn->frame;
    *frame = h2_frame_read(conn->header);
    conn->frame_left = frame->length;
    conn->budgets.bytes += H2_FRAME_HEADER + frame->length;
    int result = conn->settings_seen ? 0 : check_first(conn, frame);
    if (result < 0)
        return result;
    if (frame->length > h2_limits(conn)->frame_size)
        return h2_fail(conn, H2_FRAME_SIZE_ERROR, "frame over SETTINGS_MAX_FRAME_SIZE");
    result = check_order(conn, frame);
    if (result < 0)
        return result;
    if (!h2_budget_overhead(&conn->budgets))
        return h2_fail(conn, H2_ENHANCE_YOUR_CALM, "too little content for that many bytes");

    const struct frame_rule *rule = rule_of(frame->type);
    if (rule == NULL) {
        /* Section 5.5: unknown types are ignored. */
        conn->phase = H2_PHASE_SKIP;
        if (conn->base.trace != NULL)
            h2_trace_frame(conn, FRAME_IN, *frame, SPAN_EMPTY);
        return h2_glitch(conn, 1);
    }
    conn->phase = H2_PHASE_PAYLOAD;
    result = check_header(conn, frame, rule);
    if (result < 0 || conn->phase == H2_PHASE_SKIP)
        return result;
    if (frame->type != H2_DATA)
        return 0;
    conn->phase = H2_PHASE_DATA;
    return h2_data_begin(conn);
}

static int take_payload(struct h2_conn *conn, struct span payload)
{
    conn->phase = H2_PHASE_HEADER;
    if (conn->base.trace != NULL)
        h2_trace_frame(conn, FRAME_IN, conn->frame, payload);
    return rules[conn->frame.type].take(conn, payload);
}

/* Payloads are taken where they lie when they are whole, and collected otherwise. */
static int receive_payload(struct h2_conn *conn, struct span *in)
{
    struct span piece = span_slice(*in, 0, conn->frame_left);
    *in = span_slice(*in, piece.length, in->length);
    if (piece.length == conn->frame.length)
        return take_payload(conn, piece);
    int result = buf_append_span(&conn->partial, piece);
    if (result < 0)
        return h2_fail_memory(conn);
    conn->frame_left -= (uint32_t)piece.length;
    if (conn->frame_left > 0)
        return 0;
    result = take_payload(conn, buf_span(&conn->partial));
    buf_free(&conn->partial);
    return result;
}

static int receive_data(struct h2_conn *conn, struct span *in)
{
    struct span piece = span_slice(*in, 0, conn->frame_left);
    *in = span_slice(*in, piece.length, in->length);
    conn->frame_left -= (uint32_t)piece.length;
    int result = piece.length > 0 ? h2_data_bytes(conn, piece) : 0;
    if (result < 0 || conn->frame_left > 0)
        return result;
    conn->phase = H2_PHASE_HEADER;
    return h2_data_end(conn);
}

static void receive_skip(struct h2_conn *conn, struct span *in)
{
    struct span piece = span_slice(*in, 0, conn->frame_left);
    *in = span_slice(*in, piece.length, in->length);
    conn->frame_left -= (uint32_t)piece.length;
    if (conn->frame_left == 0)
        conn->phase = H2_PHASE_HEADER;
}

/* True when the present phase can do something without more input. */
static bool is_due(const struct h2_conn *conn, struct span in)
{
    if (in.length > 0)
        return true;
    return conn->frame_left == 0 && (conn->phase == H2_PHASE_PAYLOAD ||
                                     conn->phase == H2_PHASE_DATA || conn->phase == H2_PHASE_SKIP);
}

int h2_receive(struct h2_conn *conn, struct span in)
{
    int result = 0;
    while (result == 0 && conn->over == 0 && is_due(conn, in)) {
        switch (conn->phase) {
        case H2_PHASE_PREFACE:
            result = receive_preface(conn, &in);
            break;
        case H2_PHASE_HEADER:
            if (collect_header(conn, &in, H2_FRAME_HEADER))
                result = begin_frame(conn);
            break;
        case H2_PHASE_PAYLOAD:
            result = receive_payload(conn, &in);
            break;
        case H2_PHASE_DATA:
            result = receive_data(conn, &in);
            break;
        case H2_PHASE_SKIP:
            receive_skip(conn, &in);
            break;
        }
        /* What a reset or an end has freed is free for the next frame of the same segment. */
        if (!list_is_empty(&conn->dead))
            h2_reap(conn);
    }
    return conn->over != 0 ? conn->over : result;
}
