/* What a connection and its streams are made of. The functions on them are in h2/internal.h. */
#ifndef H2_STATE_H
#define H2_STATE_H

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
    struct list queued;        /* conn->queued */
    uint32_t id;
    uint8_t state; /* enum h2_state */
    bool by_peer : 1;
    bool counted : 1;       /* against the concurrency limit of who opened it */
    bool head_sent : 1;     /* final response, or request */
    bool head_received : 1; /* the same */
    bool trailers_due : 1;  /* the body has been sent, trailers have not */
    bool promised : 1;      /* by us: counted in conn->promised */
    bool updated_early : 1; /* PRIORITY_UPDATE came before the request */
    bool response_seen : 1; /* our response's Priority field has been looked at */
    bool small_sent : 1;    /* small_at is valid */
    bool rate_running : 1;  /* rate_* are valid */
    int64_t send_window;    /* may be negative (section 6.9.2) */
    int64_t recv_window;    /* what the peer may still send */
    uint32_t recv_target;   /* recv_window + credit + unread, always */
    uint32_t credit;        /* read, not yet announced */
    uint32_t unread;        /* delivered, not yet read by the owner */
    uint32_t small_data;    /* this stream's part of budgets.small_data */
    size_t field_memory;    /* this stream's part of conn->field_memory */
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
    bool push_allowed;     /* conn_config.push */
    bool connect_protocol; /* conn_config.connect_protocol */

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
    size_t field_memory;                  /* what the fields of the peer's open requests take */
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
    struct list queued;    /* server: requests that wait for a slot; slots.c */
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
    herald_time trim_due;
    bool trimmed; /* nothing spare is kept */
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

#endif
