/* The state of one HTTP/1.1 connection, shared by the files of this module. One exchange at a time
 * is on the wire; `exchange` is it, from its head to the moment both messages are complete. */
#ifndef H1_CONNECTION_H
#define H1_CONNECTION_H

#include "base/buf.h"
#include "h1/chunked.h"
#include "h1/framing.h"
#include "h1/h1.h"
#include "h1/head.h"
#include "h1/pace.h"
#include "http/exchange_engine.h"
#include "http/rules.h"

/* Empty lines skipped before a head (RFC 9112 section 2.2). */
#define H1_BLANK_LINES 2
/* What may wait unparsed behind a running exchange before we stop reading. */
#define H1_AHEAD_SIZE 16384
/* How long the rest of an unwanted request body is waited for. */
#define H1_DRAIN_TIME (5 * HERALD_SECOND)
/* A handler that has neither read nor answered by then gets the body sent anyway. */
#define H1_CONTINUE_DELAY (100 * HERALD_MILLISECOND)
/* A client waits this long for 100 (Continue) before it sends the body. */
#define H1_CONTINUE_WAIT HERALD_SECOND
/* After the peer has ended its direction, a response may pause no longer than this. */
#define H1_HALF_CLOSE_GRACE (500 * HERALD_MILLISECOND)
/* Room in the caller's buffer below which no chunk is started. */
#define H1_CHUNK_ROOM 64

enum h1_input {
    H1_INPUT_HEAD,
    H1_INPUT_BODY,
    H1_INPUT_TRAILERS,
    H1_INPUT_DONE,  /* the incoming message is complete */
    H1_INPUT_CLOSED /* nothing is parsed any more */
};

enum h1_output {
    H1_OUTPUT_HEAD, /* the final (or request) head has not been written */
    H1_OUTPUT_BODY,
    H1_OUTPUT_DONE
};

struct h1_connection {
    struct conn conn;
    struct buf input; /* bytes not parsed yet: a split head, pipelined requests */
    struct buf spill; /* bytes built but not pulled yet */
    struct exchange *exchange;
    struct h1_scan scan;
    struct h1_chunked chunked;
    uint64_t in_left, out_left; /* of Content-Length bodies */
    uint64_t drained;           /* body bytes dropped since the response was complete */
    uint64_t requests;
    herald_time created;
    herald_time head_due;       /* server: end of a head, or of idleness */
    herald_time message_start;  /* first byte of the head being read */
    herald_time continue_due;   /* 100 (Continue): sent (server) or no longer waited for (client) */
    herald_time drain_due;      /* not HERALD_NEVER: draining */
    herald_time half_close_due; /* HERALD_NEVER while there is something to send */
    struct h1_pace body_pace;   /* server: request body */
    struct h1_pace stall_pace;  /* server: bytes wait for the transport */
    herald_time stall_due;      /* hard cap of the same */
    uint64_t stall_bytes;       /* pulled since the cap was set */
    int failure;                /* what recv, pull and expire return from now on; 0: none */
    enum h1_input input_state;
    enum h1_output output_state;
    enum h1_framing in_framing, out_framing;
    uint8_t blank_lines;
    bool keep_alive;     /* after this exchange */
    bool input_upgraded; /* request: an upgrade was asked for; nothing is parsed behind it */
    bool continue_owed;  /* the request says Expect: 100-continue, and it has not been answered */
    bool tunnel_pending; /* client: body bytes wait for the answer to CONNECT or upgrade */
    bool early_data;     /* the bytes being parsed came in 0-RTT */
    bool peer_ended;     /* no more input will come */
};

static inline struct h1_connection *h1_from_conn(struct conn *conn)
{
    return CONTAINER_OF(conn, struct h1_connection, conn);
}

static inline bool h1_is_server(const struct h1_connection *connection)
{
    return connection->conn.role == CONN_SERVER;
}

static inline bool h1_is_idle(const struct h1_connection *connection)
{
    return connection->exchange == NULL;
}

/* connection.c */

/* No exchange can be saved: nothing is parsed or built any more. `code` is what recv returns. Ends
 * the exchange with it. */
void h1_fail(struct h1_connection *connection, int code, herald_time now);

/* Server: as h1_fail, after an error response when none has been started. */
void h1_refuse(struct h1_connection *connection, int code, unsigned status, herald_time now);

/* Takes the exchange off the wire without an answer to come: closes or keeps the connection as its
 * state says, then ends the exchange with `reason`. */
void h1_end_exchange(struct h1_connection *connection, int reason, herald_time now);

/* Looks whether the exchange is over, and if so ends it and makes the connection ready for the next
 * or finished. Call it whenever either direction has made progress. */
void h1_settle(struct h1_connection *connection, herald_time now);

/* Parses what is buffered, as far as it can be now. */
void h1_resume_input(struct h1_connection *connection, herald_time now);

/* True when pull would yield bytes. */
bool h1_has_output(const struct h1_connection *connection);

/* input.c */

/* Parses from `*data`, moving it past what was consumed, until more is needed or the connection
 * must wait. Errors have been dealt with (connection->failure). */
void h1_parse(struct h1_connection *connection, struct span *data, herald_time now);

/* Sets the state for an incoming body of that framing; `content_length` for H1_FRAMING_LENGTH. */
void h1_start_body(struct h1_connection *connection, enum h1_framing framing,
                   uint64_t content_length, herald_time now);

/* The incoming message is complete. */
void h1_end_input(struct h1_connection *connection, herald_time now);

/* Gives the field lines of a whole section to `builder`. 0 (the builder's verdict is still to be
 * asked) or HERALD_ERROR_MALFORMED. */
int h1_feed_fields(struct head_builder *builder, struct span rest);

/* The code and the response status for a verdict. */
int h1_verdict_error(enum head_verdict verdict, unsigned *status);

/* conn->wants_read from the state. */
void h1_update_reading(struct h1_connection *connection, herald_time now);

/* server.c */
void h1_server_head(struct h1_connection *connection, struct span head, herald_time now);
int h1_server_output(struct h1_connection *connection, struct conn_out *out, herald_time now);

/* client.c */
void h1_client_head(struct h1_connection *connection, struct span head, herald_time now);
int h1_client_output(struct h1_connection *connection, struct conn_out *out, herald_time now);
int h1_client_request(struct conn *conn, struct exchange *exchange, herald_time now);

/* output.c: what both roles share. Steps return 1 after progress, 0 when there is nothing to send
 * now or no room, negative when the exchange must be aborted. */
int h1_output_body(struct h1_connection *connection, struct conn_out *out, herald_time now);

/* Where `length` bytes can be put: in `out` when they fit, else in the spill buffer. NULL when
 * memory is out. Follow with h1_commit. */
uint8_t *h1_reserve(struct h1_connection *connection, struct conn_out *out, size_t length);
void h1_commit(struct h1_connection *connection, struct conn_out *out, const uint8_t *start,
               size_t length);

/* Moves spilt bytes into `out`. */
void h1_flush_spill(struct h1_connection *connection, struct conn_out *out);

/* timers.c */
herald_time h1_deadline(const struct conn *conn);
int h1_expire(struct conn *conn, herald_time now);
void h1_note_pulled(struct h1_connection *connection, size_t length, herald_time now);

/* observe.c: trace events; nothing happens without a tracer. */
void h1_trace_head(struct h1_connection *connection, enum frame_direction direction,
                   const struct message *message, size_t length, herald_time now);
void h1_trace_body(struct h1_connection *connection, enum frame_direction direction, size_t length,
                   herald_time now);
void h1_trace_trailers(struct h1_connection *connection, enum frame_direction direction,
                       const struct fields *trailers, size_t length, herald_time now);

extern const struct exchange_ops h1_exchange_ops;

#endif
