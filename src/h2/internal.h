/* The joints between the engine's files (the structures are in h2/state.h). Nothing outside src/h2
 * includes this.
 *
 * Two rules hold everywhere:
 *  - A function returning int returns 0, or a negative code when the *connection* is over; then the
 *    GOAWAY has been queued and the caller only passes the code on. What is wrong with one stream
 *    is dealt with where it is found.
 *  - A stream that has ended stays in memory until h2_reap, which runs between two received frames
 *    and at the end of recv, pull and expire. So a pointer to it is good while one frame is dealt
 *    with, even when an event ends it; its state is H2_CLOSED then.
 */
#ifndef H2_INTERNAL_H
#define H2_INTERNAL_H

#include "h2/state.h"

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

/* ---- slots.c ---- */

/* The head of the stream's request is complete: it is dispatched at the next turn with a slot. */
void h2_slot_request(struct h2_stream *stream);

/* Dispatches what waits, as far as there are slots. Calls handlers. */
void h2_slot_turn(struct h2_conn *conn);

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
/* No stream is left: keeps little memory. */
void h2_streams_trim(struct h2_conn *conn);
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
/* The Priority field of a request; of our response, as soon as the owner has given its head, so
 * that one which raises the stream does not wait for its turn. */
void h2_priority_request(struct h2_stream *stream);
void h2_priority_response(struct h2_stream *stream);

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
