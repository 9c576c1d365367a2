/* What engines tell a tracer: one event a frame (or HTTP/1.1 message part), decoded. Printing is in
 * src/trace. */
#ifndef HTTP_TRACE_H
#define HTTP_TRACE_H

#include "base/time.h"
#include "http/fields.h"
#include "http/message.h"

enum frame_direction { FRAME_IN, FRAME_OUT };

enum frame_kind {
    /* HTTP/2 and HTTP/3 */
    FRAME_DATA,
    FRAME_HEADERS,
    FRAME_PRIORITY,
    FRAME_RST_STREAM,
    FRAME_SETTINGS,
    FRAME_PUSH_PROMISE,
    FRAME_PING,
    FRAME_GOAWAY,
    FRAME_WINDOW_UPDATE,
    FRAME_CONTINUATION,
    FRAME_ALTSVC,
    FRAME_ORIGIN,
    FRAME_PRIORITY_UPDATE,
    FRAME_CACHE_DIGEST,
    FRAME_PREFACE,
    FRAME_UNKNOWN,
    /* HTTP/1.1 */
    FRAME_H1_HEAD,
    FRAME_H1_BODY,
    FRAME_H1_TRAILERS
};

struct frame_setting {
    uint32_t id; /* as on the wire */
    uint64_t value;
};

struct frame_event {
    herald_time time;
    uint64_t connection;
    enum frame_direction direction;
    enum frame_kind kind;
    enum http_version version;
    uint64_t type; /* on the wire */
    uint8_t flags; /* HTTP/2 */
    uint64_t stream_id;
    uint64_t length; /* payload bytes on the wire */
    /* by kind; absent ones are zero */
    const struct message
        *head; /* HEADERS, PUSH_PROMISE, H1_HEAD: control data and fields, decoded */
    const struct fields *trailers; /* HEADERS that are trailers, H1_TRAILERS */
    const struct frame_setting *settings;
    size_t setting_count;
    uint64_t
        promised_id;     /* PUSH_PROMISE; GOAWAY: last stream id; PRIORITY_UPDATE: prioritised id */
    uint64_t error_code; /* RST_STREAM, GOAWAY */
    uint64_t increment;  /* WINDOW_UPDATE */
    int64_t stream_window; /* DATA, WINDOW_UPDATE: what is left on the stream after the frame */
    int64_t connection_window;
    struct span opaque;  /* PING data, GOAWAY debug data, PRIORITY_UPDATE, ALTSVC and ORIGIN text */
    uint32_t depends_on; /* PRIORITY and HEADERS with a priority */
    uint16_t weight;     /* 1 to 256; 0: no priority given */
    bool exclusive;
    uint16_t padding;
};

struct frame_trace {
    /* `event` and all it points to live until the call returns. */
    void (*frame)(struct frame_trace *trace, const struct frame_event *event);
};

#endif
