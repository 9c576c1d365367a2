/* What the parts of the engine share.
 *
 * endpoint.c   datagrams to connections and back      crypto.c     TLS inside QUIC
 * accept.c     new connections, stateless answers     callbacks.c  what ngtcp2 tells
 * conn.c       life of a connection                   streams.c    what nghttp3 tells
 * packets.c    what goes out                          exchanges.c  what owners of exchanges say
 * body.c       body bytes kept until acknowledged     heads.c      heads on their way out
 * timers.c     time rules for streams
 *
 * Callbacks of the two libraries and of exchanges only note things; what changes a library's state
 * is done by h3_turn, outside of both. */
#ifndef H3_INTERNAL_H
#define H3_INTERNAL_H

#include "base/heap.h"
#include "base/map.h"
#include "h3/h3.h"
#include "h3/ids.h"
#include "http/exchange_engine.h"
#include "http/rules.h"
#include <nghttp3/nghttp3.h>
#include <ngtcp2/ngtcp2.h>

#define H3_ID_LENGTH      16
#define H3_DATAGRAM_LEAST 1200
#define H3_DATAGRAM_MOST  1452
#define H3_STATELESS_MOST 64 /* stateless answers waiting to go out */
#define H3_REPLY_MOST     1280
#define H3_CHUNK_SIZE     (16 * 1024)
#define H3_STREAM_HELD    (512 * 1024) /* body bytes a stream holds until they are acknowledged */
#define H3_UNI_STREAMS    16
#define H3_RETRY_TIME     (10 * HERALD_SECOND)
#define H3_NEW_TOKEN_TIME (24 * 3600 * HERALD_SECOND)

struct h3_conn;

struct h3_bucket {
    uint32_t level; /* left, in thousandths */
    herald_time filled;
};

/* An answer that needs no connection. */
struct h3_reply {
    struct list node;
    ngtcp2_path_storage path;
    size_t length;
    uint8_t data[H3_REPLY_MOST];
};

struct h3_endpoint {
    struct endpoint base;
    struct endpoint_config config;
    struct h3_ids ids;
    struct heap timers;  /* of h3_conn.timer */
    struct list conns;   /* of h3_conn.all */
    struct list ready;   /* of h3_conn.ready: may have something to send */
    struct list replies; /* of struct h3_reply */
    unsigned reply_count;
    unsigned half_open; /* servers: handshakes under way */
    struct h3_bucket negotiations, resets;
    ngtcp2_path_storage out_path; /* of what pull returned last */
    struct {
        ngtcp2_path_storage path;
        uint8_t ecn;
        size_t length; /* 0: none */
        uint8_t data[H3_DATAGRAM_MOST];
    } held; /* a packet that did not belong to the run of datagrams before it */
};

struct h3_chunk;

/* How many bytes had come, or had been taken, at a moment. */
struct h3_pace {
    herald_time since;
    uint64_t bytes;
};

struct h3_stream {
    struct h3_conn *conn;
    struct exchange *exchange; /* NULL once it has been told the end */
    struct list all;           /* in conn->streams */
    struct list due;           /* in conn->due */
    int64_t id;
    struct head_builder builder;
    struct list chunks;
    size_t held;           /* body bytes not yet acknowledged */
    uint64_t unread;       /* bytes its owner has not read: credit not given */
    uint64_t acknowledged; /* body bytes in all */
    herald_time opened;
    struct h3_pace coming, taken;
    uint64_t reset_code;
    int reason;
    bool submitted; /* the final head has been given to nghttp3 */
    bool head_received, in_ended, full, reset_due, stop_due, close_due, reprioritise_due;
    bool trailers_due;
};

struct h3_conn {
    struct conn base;
    struct h3_endpoint *endpoint;
    struct endpoint_peer *peer;
    ngtcp2_conn *quic; /* NULL: the connection is over, and only answers late packets */
    nghttp3_conn *http;
    struct list all, ready, ids, streams, due;
    struct map by_id;
    struct heap_node timer;
    herald_time now;
    herald_time shutdown_due; /* the second GOAWAY */
    herald_time check_due;    /* of the streams' time rules */
    herald_time forget_due;   /* over: when to free */
    int over;                 /* the code that closed was or will be called with, once `ending` */
    ngtcp2_ccerr error;
    uint64_t granted, opened;  /* request streams the peer may open, has opened */
    unsigned installed;        /* keys: one bit a level and direction */
    struct h3_bucket aborts;   /* streams the peer has cancelled */
    struct h3_reply *farewell; /* our CONNECTION_CLOSE, repeated to late packets */
    unsigned late_packets;
    bool ending;  /* to be closed: nothing is parsed any more */
    bool silent;  /* without a CONNECTION_CLOSE */
    bool counted; /* in endpoint->half_open */
    bool has_parameters, secured, working, peer_going_away, extended_connect;
};

extern const ngtcp2_mem h3_quic_memory;
extern const nghttp3_mem h3_http_memory;

static inline struct h3_conn *h3_conn_of(struct conn *conn)
{
    return CONTAINER_OF(conn, struct h3_conn, base);
}

static inline bool h3_is_client(const struct h3_conn *conn)
{
    return conn->base.role == CONN_CLIENT;
}

static inline struct span h3_id_span(const ngtcp2_cid *id)
{
    return span_make(id->data, id->datalen);
}

/* endpoint.c */
struct h3_reply *h3_reply_new(struct h3_endpoint *endpoint, const ngtcp2_path *path);
void h3_reply_send(struct h3_endpoint *endpoint, struct h3_reply *reply);
void h3_reply_drop(struct h3_endpoint *endpoint, struct h3_reply *reply);
void h3_random_id(struct h3_endpoint *endpoint, ngtcp2_cid *id);
/* A token bucket: false when it is empty. */
bool h3_bucket_take(struct h3_bucket *bucket, uint32_t burst, uint32_t rate, herald_time now);
/* The connection may have something to send; its timer is set again afterwards. */
void h3_mark_ready(struct h3_conn *conn);
void h3_set_timer(struct h3_conn *conn);

/* accept.c: a packet of no known connection. */
void h3_accept(struct h3_endpoint *endpoint, const ngtcp2_path *path, const struct conn_in *in,
               herald_time now);
void h3_negotiate_version(struct h3_endpoint *endpoint, const ngtcp2_path *path,
                          const ngtcp2_version_cid *id, struct span data, herald_time now);

/* conn.c. `initial` is the client's packet, NULL for a client; `original` the first destination ID
 * when the client has answered a Retry. NULL when memory is out. */
struct h3_conn *h3_conn_create(struct h3_endpoint *endpoint, struct endpoint_peer *peer,
                               const ngtcp2_path *path, const ngtcp2_pkt_hd *initial,
                               const ngtcp2_cid *original, ngtcp2_token_type token,
                               herald_time now);
void h3_conn_receive(struct h3_conn *conn, const ngtcp2_path *path, const struct conn_in *in,
                     herald_time now);
void h3_conn_expire(struct h3_conn *conn, herald_time now);
herald_time h3_conn_deadline(const struct h3_conn *conn);
void h3_conn_free(struct h3_conn *conn);
/* Ends the connection at the end of the turn: with an application or transport code, or by what a
 * library returned. The first call counts. */
void h3_fail(struct h3_conn *conn, uint64_t code, int reason);
void h3_fail_http(struct h3_conn *conn, int error);
void h3_fail_quic(struct h3_conn *conn, int error);
/* Does what has been noted; then, when the connection is ending, ends it. False: it is over. */
bool h3_turn(struct h3_conn *conn);
/* Ends it now. */
void h3_end(struct h3_conn *conn);

/* crypto.c: 0 or HERALD_ERROR_TLS. */
int h3_crypto_attach(struct h3_conn *conn);
int h3_crypto_receive(ngtcp2_conn *quic, ngtcp2_encryption_level level, uint64_t offset,
                      const uint8_t *data, size_t length, void *user);
void h3_crypto_completed(struct h3_conn *conn);

/* callbacks.c */
extern const ngtcp2_callbacks h3_server_callbacks, h3_client_callbacks;
void h3_submit_token(struct h3_conn *conn, const ngtcp2_path *path);

/* packets.c: appends to the run of datagrams in `out`; true when the run is complete. */
bool h3_write_packets(struct h3_conn *conn, struct conn_out *out, herald_time now);

/* streams.c */
int h3_http_create(struct h3_conn *conn);
struct h3_stream *h3_stream_find(const struct h3_conn *conn, int64_t id);
struct h3_stream *h3_stream_open(struct h3_conn *conn, int64_t id);
void h3_stream_due(struct h3_stream *stream);
/* Resets both directions and tells the exchange `reason`, at the next h3_turn. */
void h3_stream_reset(struct h3_stream *stream, uint64_t code, int reason);
/* Tells the exchange, which the stream forgets. */
void h3_stream_tell_closed(struct h3_stream *stream, int reason);
/* QUIC has forgotten the stream. */
void h3_stream_free(struct h3_stream *stream);

/* exchanges.c */
extern const struct exchange_ops h3_exchange_ops;
void h3_stream_turn(struct h3_stream *stream);

/* timers.c */
void h3_timers_begin(struct h3_stream *stream);
void h3_timers_check(struct h3_conn *conn);

/* heads.c: 0 or an error of nghttp3. */
int h3_submit_items(struct h3_stream *stream);
int h3_submit_trailers(struct h3_stream *stream);

/* body.c */
nghttp3_ssize h3_body_read(nghttp3_conn *http, int64_t id, nghttp3_vec *vectors, size_t count,
                           uint32_t *flags, void *user, void *stream_user);
void h3_body_acknowledged(struct h3_stream *stream, uint64_t length);
void h3_body_free(struct h3_stream *stream);

#endif
