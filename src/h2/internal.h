/* The engine's own structures and the joints between its files. Nothing outside src/h2 includes
 * this.
 *
 * Two rules hold everywhere:
 *  - A function returning int returns 0, or a negative code when the *connection* is over; then the
 *    GOAWAY has been queued and the caller only passes the code on. What is wrong with one stream
 *    is dealt with where it is found.
 *  - A stream that has ended stays in memory until h2_reap at the end of recv, pull or expire, so a
 *    pointer to it is good for the whole call even when an event ends it.
 */
#ifndef H2_INTERNAL_H
#define H2_INTERNAL_H

#include "base/buf.h"
#include "base/list.h"
#include "base/map.h"
#include "h2/budgets.h"
#include "h2/frame.h"
#include "h2/h2.h"
#include "h2/scheduler.h"
#include "hpack/hpack.h"
#include "http/exchange_engine.h"
#include "http/rules.h"

struct h2_conn;

/* RFC 9113 section 5.1; idle streams have no struct. */
enum h2_state {
    H2_RESERVED_LOCAL,
    H2_RESERVED_REMOTE,
    H2_OPEN,
    H2_HALF_CLOSED_LOCAL,  /* we have sent END_STREAM */
    H2_HALF_CLOSED_REMOTE, /* the peer has */
    H2_CLOSED
};

/* How a stream that is gone ended: decides what a late frame on it means. */
enum h2_ending { H2_ENDED_BOTH, H2_ENDED_BY_PEER_RESET, H2_ENDED_BY_OUR_RESET };

/* How long a peer has taken too little of what is ready for it (timers.c). */
struct h2_stall {
    bool running;
    herald_time since, progress_since;
    uint64_t bytes, progress_bytes; /* sent by then */
};

struct h2_stream {
    struct h2_schedule_node node; /* the scheduler's */
    struct h2_conn *conn;
    struct exchange *exchange; /* the engine's hold */
    struct list all;           /* conn->streams, conn->dead or conn->spare */
    struct list waiting;       /* one of conn->opening, blocked, dribbling, reserved */
    struct list crediting;     /* conn->crediting */
    uint32_t id;
    uint8_t state; /* enum h2_state */
    bool by_peer : 1;
    bool counted : 1;       /* against the concurrency limit of who opened it */
    bool head_sent : 1;     /* final response, or request */
    bool head_received : 1; /* the same */
    bool trailers_due : 1;  /* the body has been sent, trailers have not */
    bool promised : 1;      /* by us: counted in conn->promised */
    bool updated_early : 1; /* PRIORITY_UPDATE came before the request */
    bool small_sent : 1;    /* small_at is valid */
    bool rate_running : 1;  /* rate_* are valid */
    int64_t send_window;    /* may be negative (section 6.9.2) */
    int64_t recv_window;    /* what the peer may still send */
    uint32_t recv_target;   /* recv_window + credit + unread, always */
    uint32_t credit;        /* read, not yet announced */
    uint32_t unread;        /* delivered, not yet read by the owner */
    uint32_t small_data;    /* this stream's part of budgets.small_data */
    herald_time small_at;
    struct h2_stall stall;
    herald_time rate_since;
    uint64_t rate_bytes;
    int reason; /* for closed, once state is H2_CLOSED */
};

enum h2_phase { H2_PHASE_PREFACE, H2_PHASE_HEADER, H2_PHASE_PAYLOAD, H2_PHASE_DATA, H2_PHASE_SKIP };

enum h2_block_kind {
    H2_BLOCK_NONE,
    H2_BLOCK_REQUEST,
    H2_BLOCK_RESPONSE,
    H2_BLOCK_TRAILERS,
    H2_BLOCK_PROMISE,
    H2_BLOCK_DISCARD /* decoded for the table's sake only */
};

/* A field block on its way in: HEADERS or PUSH_PROMISE and their CONTINUATIONs. */
struct h2_block {
    uint8_t kind; /* enum h2_block_kind; NONE: no block is open */
    bool end_stream;
    bool has_dependency;
    uint16_t padding;
    uint32_t continuations;
    uint32_t stream_id; /* of the frames */
    uint32_t target_id; /* whose fields these are: stream_id or the promised stream */
    size_t list_size;   /* name + value + 32 a field */
    struct h2_dependency dependency;
    struct head_builder builder;
    struct buf tail; /* the beginning of a representation that the next frame goes on with */
};

struct h2_peer_settings {
    uint32_t max_concurrent_streams;
    uint32_t initial_window;
    uint32_t max_frame_size;
    bool enable_push;
    bool enable_connect;
    bool no_rfc7540_priorities;
    bool received; /* the first SETTINGS */
};

enum h2_shutdown { H2_RUNNING, H2_WARNED, H2_LAST_STREAM_SAID };

#define H2_RECENT 32 /* ended streams remembered */

/* The ways the last streams ended; older ones are forgotten, `forgotten` is the highest of those.
 */
struct h2_recent {
    uint32_t ids[H2_RECENT];
    uint8_t endings[H2_RECENT];
    uint32_t next;
    uint32_t forgotten[2]; /* by the id's parity */
};

/* Bandwidth-delay measurement by PING (flow.c). */
struct h2_probe {
    bool in_flight;
    herald_time sent;
    herald_time next;  /* no probe before */
    herald_time pause; /* between probes; doubles while nothing grows */
    uint64_t received; /* DATA bytes since the probe was sent */
    herald_time round_trip;
};

struct h2_conn {
    struct conn base;
    unsigned depth; /* calls of recv, pull, expire on the stack: no wake needed */
    int over;       /* the negative code once the connection has failed */
    herald_time now;
    bool push_allowed; /* conn_config.push */

    /* receive.c */
    enum h2_phase phase;
    bool early_data;                   /* what is being received came in 0-RTT */
    uint8_t header[H2_PREFACE_LENGTH]; /* of a frame header or the preface, as it comes in */
    uint8_t header_length;
    bool settings_seen; /* the peer's first frame was SETTINGS */
    struct h2_frame frame;
    uint32_t frame_left; /* payload bytes not yet seen */
    struct buf partial;  /* a payload that comes in pieces */

    /* frame_data.c */
    struct h2_stream *data_stream; /* of the DATA frame in flight; NULL: discard */
    uint32_t data_content;         /* content bytes of that frame still to come */
    bool pad_length_due;
    uint8_t padding;
    uint32_t data_reclaim; /* padding and discarded bytes: credited at the end of the frame */

    /* frame_headers.c */
    struct h2_block block;
    struct hpack_decoder decoder;
    struct hpack_encoder encoder;

    /* streams.c */
    struct map by_id;
    struct list streams, dead, spare;
    unsigned spare_count;
    unsigned stream_count;                /* in by_id */
    unsigned peer_streams, local_streams; /* counted ones */
    uint32_t highest_peer_id;             /* seen */
    uint32_t highest_processed_id;        /* a peer's stream that reached a handler */
    uint32_t next_local_id;
    struct h2_recent recent;

    /* settings */
    struct h2_peer_settings peer;
    bool settings_acknowledged; /* by the peer, ours */
    uint64_t requests;

    /* flow.c */
    int64_t send_window, recv_window;
    uint32_t recv_target;
    uint32_t credit;
    uint32_t stream_target; /* receive window of new and growing streams */
    struct list crediting;
    struct h2_probe probe;

    /* send.c */
    struct buf control; /* whole frames */
    uint32_t control_frames;
    struct buf spill; /* rest of a field block that did not fit */
    uint32_t spill_stream;
    struct h2_scheduler scheduler;
    struct list opening;   /* client: requests whose HEADERS have not been sent */
    struct list blocked;   /* only the connection's window holds them */
    struct list dribbling; /* wait for a window worth a frame */
    struct list reserved;  /* promised, waiting for a slot of the client */
    uint32_t promised;     /* streams of ours promised and not ended */
    uint64_t bytes_out, data_out;
    bool want_preface;

    /* goaway.c */
    enum h2_shutdown shutdown;
    bool peer_going_away;
    uint32_t peer_last_id;

    struct h2_budgets budgets;

    /* timers.c; HERALD_NEVER when off */
    herald_time head_due, idle_due, settings_due, scan_due, dribble_due, age_due, shutdown_due;
    struct h2_stall stall;
};

static inline struct h2_conn *h2_of(struct conn *conn)
{
    return (struct h2_conn *)conn;
}

static inline bool h2_is_client(const struct h2_conn *conn)
{
    return conn->base.role == CONN_CLIENT;
}

static inline const struct limits *h2_limits(const struct h2_conn *conn)
{
    return conn->base.limits;
}

/* ---- conn.c ---- */

/* Ends every exchange and frees. Returns what the memory account still held: 0, or there is a fault
 * in the bookkeeping (tests look). */
size_t h2_free(struct h2_conn *conn);

/* Ends the connection: GOAWAY with `code`, nothing is parsed or dispatched any more. Returns the
 * code that recv returns. */
int h2_fail(struct h2_conn *conn, enum h2_error code, const char *why);
/* The same for a failure of ours. */
int h2_fail_memory(struct h2_conn *conn);
/* Tells the host that there is something to pull, unless a call of it is running. */
void h2_wake(struct h2_conn *conn);
/* Counts `weight` glitches. */
int h2_glitch(struct h2_conn *conn, uint32_t weight);

/* ---- receive.c ---- */
int h2_receive(struct h2_conn *conn, struct span in);

/* ---- frame_*.c: `payload` is whole. The frame header is conn->frame; its length and stream id
 * have been checked against the table in receive.c ---- */
int h2_take_headers(struct h2_conn *conn, struct span payload);
int h2_take_continuation(struct h2_conn *conn, struct span payload);
int h2_take_priority(struct h2_conn *conn, struct span payload);
int h2_take_rst_stream(struct h2_conn *conn, struct span payload);
int h2_take_settings(struct h2_conn *conn, struct span payload);
int h2_take_push_promise(struct h2_conn *conn, struct span payload);
int h2_take_ping(struct h2_conn *conn, struct span payload);
int h2_take_goaway(struct h2_conn *conn, struct span payload);
int h2_take_window_update(struct h2_conn *conn, struct span payload);
int h2_take_priority_update(struct h2_conn *conn, struct span payload);
int h2_take_altsvc(struct h2_conn *conn, struct span payload);
int h2_take_origin(struct h2_conn *conn, struct span payload);

/* DATA is not collected: begin at the frame header, bytes as they come, end. */
int h2_data_begin(struct h2_conn *conn);
int h2_data_bytes(struct h2_conn *conn, struct span bytes);
int h2_data_end(struct h2_conn *conn);

/* The peer's END_STREAM. */
int h2_message_ended(struct h2_conn *conn, struct h2_stream *stream);

/* Cuts padding off `payload`. */
int h2_unpad(struct h2_conn *conn, struct span *payload, uint16_t *padding);

struct h2_dependency h2_dependency_read(const uint8_t bytes[5]);

/* ---- field_block.c ---- */

/* Opens conn->block for the frame at hand; `target_id` is whose fields they are. */
void h2_block_open(struct h2_conn *conn, enum h2_block_kind kind, uint32_t target_id);
/* Decodes a fragment; with `last` the block is complete. */
int h2_block_fragment(struct h2_conn *conn, struct span fragment, bool last);

/* ---- field_block_done.c ---- */

/* Acts on the complete block and closes it. */
int h2_block_done(struct h2_conn *conn);

/* ---- streams.c ---- */

/* NULL when memory is out. The stream is in the map and has no exchange. */
struct h2_stream *h2_stream_open(struct h2_conn *conn, uint32_t id, enum h2_state state,
                                 bool by_peer);
struct h2_stream *h2_stream_find(const struct h2_conn *conn, uint32_t id);
/* True when a stream with that id has never been used. */
bool h2_stream_is_idle(const struct h2_conn *conn, uint32_t id);
/* Counts the stream against its opener's concurrency limit. */
void h2_stream_count(struct h2_stream *stream);
/* Half of the stream is done; closes it when both are. */
void h2_stream_end_local(struct h2_stream *stream);
void h2_stream_end_remote(struct h2_stream *stream);
/* Takes the stream out of everything; `reason` goes to the owner at h2_reap. */
void h2_stream_close(struct h2_stream *stream, enum h2_ending ending, int reason);
/* RST_STREAM and close, by our own decision. */
void h2_stream_reset(struct h2_stream *stream, enum h2_error code, int reason);
/* RST_STREAM because of what the peer did: costs it reset budget. The stream may be gone already.
 */
int h2_stream_error(struct h2_conn *conn, uint32_t id, enum h2_error code);
/* A frame for a stream that has ended. `gentle`: one that may well be under way (WINDOW_UPDATE,
 * RST_STREAM). */
int h2_stream_late_frame(struct h2_conn *conn, uint32_t id, bool gentle);
/* The owner wants no more input and has had enough thrown away: stops the peer, as soon as the
 * response is out. */
void h2_stream_stop_input(struct h2_stream *stream);
/* Notes the end of a stream that has no struct (any more). */
void h2_stream_remember(struct h2_conn *conn, uint32_t id, enum h2_ending ending);
/* True for an id below the highest that was passed over, so is closed without having been open. */
bool h2_stream_was_skipped(const struct h2_conn *conn, uint32_t id);
/* Gives ended streams' exchanges back and frees the streams. */
void h2_reap(struct h2_conn *conn);
void h2_streams_free(struct h2_conn *conn);
/* Every stream ends with `reason`. */
void h2_streams_close_all(struct h2_conn *conn, int reason);

/* ---- exchanges.c: struct exchange_ops ---- */
extern const struct exchange_ops h2_exchange_ops;

/* ---- flow.c ---- */
int h2_flow_settings(struct h2_conn *conn, uint32_t initial_window);
/* What the peer takes a new stream's receive window for: the default, until it has acknowledged our
 * SETTINGS, which then change the windows of the streams there are (section 6.9.2). */
uint32_t h2_flow_first_window(const struct h2_conn *conn);
void h2_flow_settings_acknowledged(struct h2_conn *conn);
/* Bytes of a stream have been read, or thrown away. */
void h2_flow_credit_stream(struct h2_stream *stream, uint32_t length);
void h2_flow_credit_connection(struct h2_conn *conn, uint32_t length);
/* Counts received DATA for the probe, and starts one. */
void h2_flow_received(struct h2_conn *conn, const struct h2_stream *stream, uint32_t length);
/* True when h2_write_credit has something to write. */
bool h2_flow_credit_is_due(const struct h2_conn *conn);
void h2_flow_probed(struct h2_conn *conn);
/* The connection's window has opened. */
void h2_flow_unblock(struct h2_conn *conn);

/* A smaller window is used at most once in 100 ms (H2-11). */
#define H2_DRIBBLE_FLOOR 1024

/* A stream's, or the connection's, send window was `before` and has changed: streams that wait for
 * a window worth a frame go on when it has become one. */
void h2_flow_stream_changed(struct h2_stream *stream, int64_t before);
void h2_flow_connection_changed(struct h2_conn *conn, int64_t before);

/* All of them go on, each for one frame if its window is still small. */
void h2_flow_end_dribble(struct h2_conn *conn);

/* ---- send.c ---- */

/* The output of one pull. */
struct h2_writer {
    uint8_t *data;
    size_t capacity;
    size_t length;
};

static inline size_t h2_writer_room(const struct h2_writer *writer)
{
    return writer->capacity - writer->length;
}

int h2_pull(struct h2_conn *conn, struct conn_out *out);
/* Looks anew at whether the stream has something that can go out now. */
void h2_stream_refresh(struct h2_stream *stream);

/* ---- send_block.c ---- */

/* Room for a field block is asked for before it is begun, in bytes of output. */
#define H2_BLOCK_ROOM 1024

/* Each writes the frame, the rest of its block into conn->spill. */
int h2_write_headers(struct h2_stream *stream, const struct message *message, bool end_stream,
                     struct h2_writer *writer);
int h2_write_trailers(struct h2_stream *stream, struct h2_writer *writer);
int h2_write_push_promise(struct h2_stream *parent, uint32_t promised_id,
                          const struct message *request, struct h2_writer *writer);
/* CONTINUATION frames; returns true when the block is complete. */
bool h2_write_spill(struct h2_conn *conn, struct h2_writer *writer);

/* ---- control.c: the queue of small frames ---- */

/* The buffer for a frame's payload is filled by the caller at once. NULL: the queue is over its
 * limit or memory is out, and the connection has failed. */
uint8_t *h2_control_frame(struct h2_conn *conn, struct h2_frame frame);
void h2_send_rst_stream(struct h2_conn *conn, uint32_t id, enum h2_error code);
void h2_send_ping(struct h2_conn *conn, const uint8_t data[8], bool acknowledge);
void h2_send_settings_ack(struct h2_conn *conn);
void h2_send_goaway(struct h2_conn *conn, uint32_t last_id, enum h2_error code, const char *why);
void h2_send_priority_update(struct h2_conn *conn, uint32_t id, struct priority priority);
/* Our SETTINGS and the first WINDOW_UPDATE. */
void h2_send_settings(struct h2_conn *conn);
/* Moves whole frames out. */
void h2_write_control(struct h2_conn *conn, struct h2_writer *writer);
/* WINDOW_UPDATE frames for what has been read. */
void h2_write_credit(struct h2_conn *conn, struct h2_writer *writer);

/* ---- push.c ---- */
int h2_can_push(const struct exchange *exchange);
int h2_write_promise(struct h2_stream *parent, struct exchange_item *item,
                     struct h2_writer *writer);
/* A slot of the client's has become free. */
void h2_push_next(struct h2_conn *conn);
/* Whether a promised stream may begin its response. */
bool h2_push_may_open(struct h2_conn *conn);

/* ---- goaway.c ---- */
#define H2_SHUTDOWN_PING "herald:\1"
#define H2_PROBE_PING    "herald:\2"

void h2_shutdown(struct h2_conn *conn);
/* The second GOAWAY, one round trip after the first. */
void h2_shutdown_finish(struct h2_conn *conn);
/* Sets base.finished when nothing is left to do. */
void h2_shutdown_check(struct h2_conn *conn);

/* ---- timers.c ---- */
void h2_timers_init(struct h2_conn *conn);
/* After anything that opens or ends streams. */
void h2_timers_update(struct h2_conn *conn);
herald_time h2_timers_deadline(const struct h2_conn *conn);
int h2_timers_expire(struct h2_conn *conn);

/* ---- priorities.c ---- */
void h2_priority_init(struct h2_conn *conn);
/* A stream enters the scheduler; `parent_id` as in h2_scheduler_insert. */
void h2_priority_enter(struct h2_stream *stream, uint32_t parent_id);
/* The exchange's priority has changed. */
void h2_priority_apply(struct h2_stream *stream);
/* The Priority field of a request or a response. */
void h2_priority_field(struct h2_stream *stream, const struct fields *fields);

/* ---- trace.c: call only when conn->base.trace is not NULL ---- */
/* A frame whose payload tells all: every type but DATA and the ones with field blocks. */
void h2_trace_frame(struct h2_conn *conn, enum frame_direction direction, struct h2_frame frame,
                    struct span payload);
void h2_trace_preface(struct h2_conn *conn, enum frame_direction direction);
void h2_trace_data(struct h2_conn *conn, enum frame_direction direction, struct h2_frame frame,
                   uint16_t padding, const struct h2_stream *stream);
struct h2_trace_block {
    const struct message *head;
    const struct fields *trailers;
    uint32_t promised_id;
    const struct h2_dependency *dependency;
    uint16_t padding;
};
void h2_trace_block_frame(struct h2_conn *conn, enum frame_direction direction,
                          struct h2_frame frame, const struct h2_trace_block *block);

#endif
