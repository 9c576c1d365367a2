/* Frames as events for a tracer. Called only with one, so it costs nothing without. */
#include "h2/internal.h"

#define SETTINGS_SHOWN 64

static enum frame_kind kind_of(uint8_t type)
{
    static const enum frame_kind kinds[] = {
        [H2_DATA] = FRAME_DATA,
        [H2_HEADERS] = FRAME_HEADERS,
        [H2_PRIORITY] = FRAME_PRIORITY,
        [H2_RST_STREAM] = FRAME_RST_STREAM,
        [H2_SETTINGS] = FRAME_SETTINGS,
        [H2_PUSH_PROMISE] = FRAME_PUSH_PROMISE,
        [H2_PING] = FRAME_PING,
        [H2_GOAWAY] = FRAME_GOAWAY,
        [H2_WINDOW_UPDATE] = FRAME_WINDOW_UPDATE,
        [H2_CONTINUATION] = FRAME_CONTINUATION,
        [H2_ALTSVC] = FRAME_ALTSVC,
        [0xb] = FRAME_UNKNOWN,
        [H2_ORIGIN] = FRAME_ORIGIN,
        [0xd] = FRAME_UNKNOWN,
        [0xe] = FRAME_UNKNOWN,
        [0xf] = FRAME_UNKNOWN,
        [H2_PRIORITY_UPDATE] = FRAME_PRIORITY_UPDATE,
    };
    return type < H2_FRAME_TYPES ? kinds[type] : FRAME_UNKNOWN;
}

static struct frame_event event_of(struct h2_conn *conn, enum frame_direction direction,
                                   struct h2_frame frame)
{
    return (struct frame_event){
        .time = conn->now,
        .connection = conn->base.number,
        .direction = direction,
        .kind = kind_of(frame.type),
        .version = HTTP_2,
        .type = frame.type,
        .flags = frame.flags,
        .stream_id = frame.stream_id,
        .length = frame.length,
    };
}

static void send(struct h2_conn *conn, const struct frame_event *event)
{
    conn->base.trace->frame(conn->base.trace, event);
}

static size_t read_settings(struct span payload, struct frame_setting shown[SETTINGS_SHOWN])
{
    size_t count = 0;
    for (; payload.length >= 6 && count < SETTINGS_SHOWN; count++) {
        shown[count] = (struct frame_setting){h2_get16(payload.data), h2_get32(payload.data + 2)};
        payload = span_slice(payload, 6, payload.length);
    }
    return count;
}

static void window_after(struct h2_conn *conn, enum frame_direction direction,
                         struct frame_event *event)
{
    const struct h2_stream *stream = h2_stream_find(conn, (uint32_t)event->stream_id);
    /* A WINDOW_UPDATE opens the window of the other direction's DATA; it is shown before a received
     * one is applied. */
    if (direction == FRAME_IN) {
        event->connection_window = conn->send_window;
        event->stream_window = stream == NULL ? 0 : stream->send_window;
        if (event->stream_id == 0)
            event->connection_window += (int64_t)event->increment;
        else
            event->stream_window += (int64_t)event->increment;
    } else {
        event->connection_window = conn->recv_window;
        event->stream_window = stream == NULL ? 0 : stream->recv_window;
    }
}

void h2_trace_frame(struct h2_conn *conn, enum frame_direction direction, struct h2_frame frame,
                    struct span payload)
{
    struct frame_event event = event_of(conn, direction, frame);
    struct frame_setting settings[SETTINGS_SHOWN];
    struct h2_dependency dependency;
    switch (frame.type) {
    case H2_HEADERS:
    case H2_PUSH_PROMISE:
    case H2_CONTINUATION:
        return; /* shown with their fields by h2_trace_block_frame */
    case H2_PRIORITY:
        dependency = h2_dependency_read(payload.data);
        event.depends_on = dependency.parent;
        event.weight = dependency.weight;
        event.exclusive = dependency.exclusive;
        break;
    case H2_RST_STREAM:
        event.error_code = h2_get32(payload.data);
        break;
    case H2_SETTINGS:
        event.setting_count = read_settings(payload, settings);
        event.settings = settings;
        break;
    case H2_GOAWAY:
        event.promised_id = h2_get31(payload.data);
        event.error_code = h2_get32(payload.data + 4);
        event.opaque = span_slice(payload, 8, payload.length);
        break;
    case H2_WINDOW_UPDATE:
        event.increment = h2_get31(payload.data);
        window_after(conn, direction, &event);
        break;
    case H2_PRIORITY_UPDATE:
        event.promised_id = h2_get31(payload.data);
        event.opaque = span_slice(payload, 4, payload.length);
        break;
    default:
        event.opaque = payload;
        break;
    }
    send(conn, &event);
}

void h2_trace_preface(struct h2_conn *conn, enum frame_direction direction)
{
    struct frame_event event = event_of(conn, direction, (struct h2_frame){0});
    event.kind = FRAME_PREFACE;
    event.length = H2_PREFACE_LENGTH;
    send(conn, &event);
}

void h2_trace_data(struct h2_conn *conn, enum frame_direction direction, struct h2_frame frame,
                   uint16_t padding, const struct h2_stream *stream)
{
    struct frame_event event = event_of(conn, direction, frame);
    bool in = direction == FRAME_IN;
    event.padding = padding;
    event.connection_window = in ? conn->recv_window : conn->send_window;
    if (stream != NULL)
        event.stream_window = in ? stream->recv_window : stream->send_window;
    send(conn, &event);
}

void h2_trace_block_frame(struct h2_conn *conn, enum frame_direction direction,
                          struct h2_frame frame, const struct h2_trace_block *block)
{
    struct frame_event event = event_of(conn, direction, frame);
    event.head = block->head;
    event.trailers = block->trailers;
    event.promised_id = block->promised_id;
    event.padding = block->padding;
    if (block->dependency != NULL) {
        event.depends_on = block->dependency->parent;
        event.weight = block->dependency->weight;
        event.exclusive = block->dependency->exclusive;
    }
    send(conn, &event);
}
