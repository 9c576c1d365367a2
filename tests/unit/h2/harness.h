/* An engine under test without sockets: a host that answers requests, a raw peer that speaks in
 * frames, and a pair of engines that speak to each other. */
#ifndef H2_HARNESS_H
#define H2_HARNESS_H

#include "support/check.h"

#include "h2/frame.h"
#include "h2/h2.h"
#include "h2/internal.h"
#include "hpack/hpack.h"

/* ---- host ---- */

struct host {
    /* Answers a dispatched exchange; NULL: host_hello. */
    void (*answer)(struct host *host, struct exchange *exchange);
    unsigned dispatched, completed, wakes, closed, ready, going_away;
    int closed_reason;         /* of the last one */
    struct exchange *exchange; /* the last dispatched */
    void *user;
    bool connect_protocol; /* of the connections it opens */
};

extern const struct conn_host_ops host_ops;
/* Counts `closed` and releases the exchange there. exchange->user is the host. */
extern const struct exchange_events host_events;

/* 200, "hello", released. */
void host_hello(struct host *host, struct exchange *exchange);
/* Keeps it without an answer. */
void host_keep(struct host *host, struct exchange *exchange);
/* 200 and `size` bytes of a pattern, released. */
void host_send(struct exchange *exchange, size_t size);

struct conn *host_open(struct host *host, enum conn_role role, const struct limits *limits);

/* ---- raw peer ---- */

struct seen {
    struct h2_frame frame;
    size_t payload;  /* offset in raw.out */
    unsigned status; /* of the block that ends with this frame */
    size_t fields;
};

#define RAW_FRAMES 4096

struct raw {
    struct host host;
    struct conn *conn;
    struct limits limits;
    herald_time now;
    int result; /* of the last recv */
    size_t pull_size;
    struct buf in, out;
    size_t parsed;
    struct hpack_encoder encoder;
    struct hpack_decoder decoder;
    struct seen frames[RAW_FRAMES];
    size_t count;
    unsigned status;
    size_t fields;
    uint32_t block_stream;
    struct buf block; /* of the field block being received */
};

/* Starts an engine of `role` with limits_default (change raw->limits before: raw_init, raw_start).
 */
void raw_init(struct raw *raw);
void raw_start(struct raw *raw, enum conn_role role);
/* Preface (to a server), empty SETTINGS, an acknowledgement of the engine's. */
void raw_handshake(struct raw *raw);
void raw_open(struct raw *raw, enum conn_role role);
void raw_close(struct raw *raw);

void raw_bytes(struct raw *raw, const void *data, size_t length);
void raw_frame(struct raw *raw, uint8_t type, uint8_t flags, uint32_t id, const void *payload,
               size_t length);
void raw_setting(struct raw *raw, uint16_t id, uint32_t value);
void raw_window(struct raw *raw, uint32_t id, uint32_t increment);
void raw_rst(struct raw *raw, uint32_t id, uint32_t code);
void raw_data(struct raw *raw, uint32_t id, size_t length, bool end);
/* `text`: "name: value" lines. */
size_t raw_encode(struct raw *raw, const char *text, uint8_t *out, size_t capacity);
void raw_headers(struct raw *raw, uint32_t id, bool end, const char *text);
#define GET_ROOT  ":method: GET\n:scheme: https\n:path: /\n:authority: a.example\n"
#define POST_ROOT ":method: POST\n:scheme: https\n:path: /\n:authority: a.example\n"
void raw_get(struct raw *raw, uint32_t id);

/* Gives the engine what is queued and takes what it says. Returns recv's result. */
int raw_flush(struct raw *raw);
/* The same bytes, one at a time. */
int raw_flush_bytewise(struct raw *raw);
void raw_pull(struct raw *raw);
void raw_advance(struct raw *raw, herald_time by);

/* The code of the GOAWAY (the last one), RST_STREAM on `id`; -1: there was none. */
int raw_goaway(const struct raw *raw);
int raw_reset(const struct raw *raw, uint32_t id);
/* The first frame like that, or NULL; how many. */
const struct seen *raw_find(const struct raw *raw, uint8_t type, uint32_t id);
size_t raw_count(const struct raw *raw, uint8_t type, uint32_t id);
const uint8_t *raw_payload(const struct raw *raw, const struct seen *seen);
/* Status of the final response on `id`, 0 for none; DATA bytes; whether END_STREAM was seen. */
unsigned raw_status(const struct raw *raw, uint32_t id);
size_t raw_body(const struct raw *raw, uint32_t id);
bool raw_ended(const struct raw *raw, uint32_t id);
/* Forgets the frames seen. */
void raw_forget(struct raw *raw);

/* ---- pseudo-random numbers, by seed ---- */
static inline uint64_t random_next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static inline uint64_t random_below(uint64_t *state, uint64_t bound)
{
    return random_next(state) % bound;
}

#endif
