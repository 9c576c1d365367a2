/* Differential test of the server role against libnghttp2: random sequences of frames, most of them
 * nearly right, go to both. They must agree on whether and with which code the connection ends, and
 * which streams are reset. Where the two differ by policy or by a choice that RFC 9113 leaves open
 * the case is listed in `allowed`, with the text.
 *
 * Usage: h2_differential <sequences> <seed>. */
#include "h2/harness.h"
#include <nghttp2/nghttp2.h>
#include <stdio.h>

#define FRAMES_MOST 12

/* What one engine made of a sequence. */
struct verdict {
    int goaway;     /* -1: none */
    int resets[16]; /* by stream; -1: none */
};

static uint64_t random_state;
static const char *last_kind; /* of the last frame made */

static uint64_t below(uint64_t bound)
{
    return random_below(&random_state, bound);
}

/* ---- sequences ---- */

static uint32_t some_id(void)
{
    static const uint32_t ids[] = {1, 1, 1, 3, 3, 5, 7, 9, 0, 2};
    return ids[below(sizeof(ids) / sizeof(ids[0]))];
}

static void make_headers(struct raw *raw)
{
    static const char *const heads[] = {
        GET_ROOT,         POST_ROOT,        POST_ROOT "content-length: 4\n", GET_ROOT "x-a: b\n",
        "x-trailer: 1\n", ":method: GET\n", GET_ROOT "connection: close\n",  GET_ROOT ":path: /\n"};
    static const uint8_t weights[] = {8, 8, 4, 2, 4, 1, 1, 1};
    unsigned pick = (unsigned)below(29);
    size_t which = 0;
    while (pick >= weights[which])
        pick -= weights[which++];
    last_kind = "HEADERS";
    raw_headers(raw, some_id(), below(2) == 0, heads[which]);
}

static void make_data(struct raw *raw)
{
    static const uint8_t bytes[64];
    size_t length = (size_t)below(8);
    bool padded = below(5) == 0;
    uint8_t payload[64] = {0};
    payload[0] = (uint8_t)below(6);
    last_kind = padded ? "padded DATA" : "DATA";
    raw_frame(raw, H2_DATA,
              (uint8_t)((padded ? H2_FLAG_PADDED : 0) | (below(2) == 0 ? H2_FLAG_END_STREAM : 0)),
              some_id(), padded ? payload : bytes, padded ? length + 1 : length);
}

static void make_settings(struct raw *raw)
{
    static const uint16_t ids[] = {1, 2, 3, 4, 5, 6, 9};
    static const uint32_t values[] = {0, 1, 2, 100, 16384, 65535, 0x7fffffff, 0x80000000, 16777216};
    last_kind = "SETTINGS";
    raw_setting(raw, ids[below(7)], values[below(9)]);
}

static void make_small(struct raw *raw)
{
    static const struct {
        uint8_t type, lengths[3];
        const char *name;
    } kinds[] = {{H2_PRIORITY, {5, 5, 4}, "PRIORITY"},
                 {H2_RST_STREAM, {4, 4, 5}, "RST_STREAM"},
                 {H2_PING, {8, 8, 7}, "PING"},
                 {H2_WINDOW_UPDATE, {4, 4, 3}, "WINDOW_UPDATE"},
                 {H2_PUSH_PROMISE, {5, 5, 5}, "PUSH_PROMISE"},
                 {H2_CONTINUATION, {1, 1, 0}, "CONTINUATION"},
                 {0x42, {0, 3, 8}, "unknown"}};
    uint8_t payload[16] = {0};
    size_t which = (size_t)below(7);
    bool connection = which == 2 ? below(8) != 0 : which == 3 ? below(2) == 0 : false;
    if (which == 1)
        payload[3] = H2_CANCEL;
    if (which == 3 && below(6) != 0)
        h2_put32(payload, below(20) == 0 ? 0x7fffffff : 1 + (uint32_t)below(1000));
    if (which == 0)
        payload[3] = (uint8_t)below(4);
    last_kind = kinds[which].name;
    raw_frame(raw, kinds[which].type, 0, connection ? 0 : some_id(), payload,
              kinds[which].lengths[below(3)]);
}

static void make_frame(struct raw *raw)
{
    switch (below(8)) {
    case 0:
    case 1:
    case 2:
        make_headers(raw);
        break;
    case 3:
    case 4:
        make_data(raw);
        break;
    case 5:
        make_settings(raw);
        break;
    default:
        make_small(raw);
        break;
    }
}

/* ---- the two engines, fed a frame at a time ---- */

static void clear(struct verdict *verdict)
{
    *verdict = (struct verdict){.goaway = -1};
    for (size_t i = 0; i < 16; i++)
        verdict->resets[i] = -1;
}

static void note_reset(struct verdict *verdict, uint32_t id, uint32_t code)
{
    if (id < 16 && verdict->resets[id] == -1)
        verdict->resets[id] = (int)code;
}

static void judge_ours(struct raw *raw, struct verdict *verdict)
{
    struct conn_in in = {.data = buf_span(&raw->in)};
    (void)raw->conn->ops->recv(raw->conn, &in, raw->now);
    raw_pull(raw);
    verdict->goaway = raw_goaway(raw);
    for (uint32_t id = 0; id < 16; id++) {
        if (raw_reset(raw, id) >= 0)
            note_reset(verdict, id, (uint32_t)raw_reset(raw, id));
    }
}

static int on_frame_send(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct verdict *verdict = user;
    (void)session;
    if (frame->hd.type == NGHTTP2_GOAWAY)
        verdict->goaway = (int)frame->goaway.error_code;
    if (frame->hd.type == NGHTTP2_RST_STREAM)
        note_reset(verdict, (uint32_t)frame->hd.stream_id, frame->rst_stream.error_code);
    return 0;
}

static nghttp2_session *open_theirs(struct verdict *verdict)
{
    nghttp2_session_callbacks *callbacks;
    nghttp2_session *session;
    assert_int_equal(nghttp2_session_callbacks_new(&callbacks), 0);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_send);
    assert_int_equal(nghttp2_session_server_new(&session, callbacks, verdict), 0);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_settings_entry entry = {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 100};
    assert_int_equal(nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, &entry, 1), 0);
    return session;
}

static void judge_theirs(nghttp2_session *session, struct span bytes, struct verdict *verdict)
{
    const uint8_t *out;
    while (nghttp2_session_mem_send(session, &out) > 0)
        ;
    if (nghttp2_session_mem_recv(session, bytes.data, bytes.length) < 0 && verdict->goaway == -1)
        verdict->goaway = H2_PROTOCOL_ERROR;
    while (nghttp2_session_mem_send(session, &out) > 0)
        ;
}

/* ---- comparing ---- */

static bool is_same(const struct verdict *ours, const struct verdict *theirs)
{
    return ours->goaway == theirs->goaway &&
           memcmp(ours->resets, theirs->resets, sizeof(ours->resets)) == 0;
}

static void describe(const struct raw *raw, const struct verdict *ours,
                     const struct verdict *theirs)
{
    const uint8_t *data = raw->in.data + raw->in.start;
    struct h2_frame frame = h2_frame_read(data);
    uint32_t id = frame.stream_id < 16 ? frame.stream_id : 0;
    printf("  RST_STREAM ours %d theirs %d; %s: type %u flags %02x stream %u length %u:",
           ours->resets[id], theirs->resets[id], last_kind, frame.type, frame.flags,
           frame.stream_id, frame.length);
    for (size_t i = 0; i < frame.length && i < 24; i++)
        printf(" %02x", data[H2_FRAME_HEADER + i]);
    printf("\n");
}

/* The stream that the frame at hand is on, as it was before. */
enum was { ANY, OPEN, HALF_CLOSED_REMOTE, SKIPPED, ENDED };

#define NONE -1
#define SOME -2 /* whatever the code */

struct allowed {
    int type; /* -1: any */
    enum was was;
    int goaway, reset;             /* ours */
    int their_goaway, their_reset; /* theirs */
    const char *why;
};

static const struct allowed allowed[] = {
    {H2_HEADERS, SKIPPED, H2_PROTOCOL_ERROR, NONE, NONE, NONE,
     "5.1.1: an id below the highest that was never used MUST be a PROTOCOL_ERROR"},
    {H2_DATA, SKIPPED, H2_STREAM_CLOSED, NONE, NONE, NONE,
     "5.1, closed: frames after the stream's (implicit) end may end the connection"},
    {H2_HEADERS, HALF_CLOSED_REMOTE, NONE, H2_STREAM_CLOSED, H2_STREAM_CLOSED, NONE,
     "5.1, half-closed (remote): MUST be a stream error STREAM_CLOSED"},
    {H2_DATA, HALF_CLOSED_REMOTE, NONE, H2_STREAM_CLOSED, H2_STREAM_CLOSED, NONE,
     "5.1, half-closed (remote): MUST be a stream error STREAM_CLOSED"},
    {H2_DATA, ENDED, NONE, SOME, H2_STREAM_CLOSED, SOME,
     "6.1: a stream error; 5.4.2: after our RST_STREAM frames that were under way are ignored"},
    {H2_HEADERS, ENDED, NONE, SOME, H2_STREAM_CLOSED, SOME,
     "5.4.2: after our RST_STREAM frames that were under way are ignored"},
    {H2_PRIORITY, ANY, NONE, SOME, H2_FRAME_SIZE_ERROR, SOME,
     "6.3: a length other than 5 MUST be a stream error"},
    {H2_PRIORITY, ANY, NONE, H2_PROTOCOL_ERROR, H2_PROTOCOL_ERROR, SOME,
     "RFC 7540 5.3.1: a dependency on itself MUST be a stream error"},
    {H2_WINDOW_UPDATE, OPEN, NONE, H2_PROTOCOL_ERROR, H2_PROTOCOL_ERROR, NONE,
     "6.9: an increment of 0 MUST be a stream error"},
    {H2_WINDOW_UPDATE, HALF_CLOSED_REMOTE, NONE, H2_PROTOCOL_ERROR, H2_PROTOCOL_ERROR, NONE,
     "6.9: an increment of 0 MUST be a stream error"},
    {H2_DATA, ANY, H2_PROTOCOL_ERROR, SOME, SOME, SOME,
     "two faults in one frame, the padding (6.1) and the stream's state: either may be reported"},
    {-1, ANY, H2_PROTOCOL_ERROR, SOME, H2_FRAME_SIZE_ERROR, SOME,
     "two faults in one frame, the stream id and the length: either may be reported"},
};

struct subject {
    struct h2_frame frame;
    enum was was;
};

static struct subject look(struct raw *raw)
{
    struct h2_conn *conn = h2_of(raw->conn);
    struct subject subject = {h2_frame_read(raw->in.data + raw->in.start), ENDED};
    const struct h2_stream *stream = h2_stream_find(conn, subject.frame.stream_id);
    if (stream != NULL)
        subject.was = stream->state == H2_HALF_CLOSED_REMOTE ? HALF_CLOSED_REMOTE : OPEN;
    else if (subject.frame.stream_id == 0 || h2_stream_is_idle(conn, subject.frame.stream_id))
        subject.was = ANY;
    else if (h2_stream_was_skipped(conn, subject.frame.stream_id))
        subject.was = SKIPPED;
    return subject;
}

static bool fits(int wanted, int code)
{
    return wanted == SOME || wanted == code;
}

static bool is_allowed(const struct subject *subject, const struct verdict *ours,
                       const struct verdict *theirs)
{
    uint32_t id = subject->frame.stream_id < 16 ? subject->frame.stream_id : 0;
    for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++) {
        const struct allowed *rule = &allowed[i];
        if ((rule->type == -1 || rule->type == subject->frame.type) &&
            (rule->was == ANY || rule->was == subject->was) && fits(rule->goaway, ours->goaway) &&
            fits(rule->reset, ours->resets[id]) && fits(rule->their_goaway, theirs->goaway) &&
            fits(rule->their_reset, theirs->resets[id]))
            return true;
    }
    return false;
}

/* Returns false on a difference that is not listed. */
static bool run_sequence(unsigned long long number)
{
    static struct raw raw;
    struct verdict ours, theirs;
    clear(&ours);
    clear(&theirs);
    raw_init(&raw);
    raw_start(&raw, CONN_SERVER);
    raw.host.answer = host_keep;
    nghttp2_session *session = open_theirs(&theirs);
    raw_bytes(&raw, H2_PREFACE, H2_PREFACE_LENGTH);
    raw_frame(&raw, H2_SETTINGS, 0, 0, NULL, 0);
    raw_frame(&raw, H2_SETTINGS, H2_FLAG_ACK, 0, NULL, 0);
    unsigned count = 1 + (unsigned)below(FRAMES_MOST);
    bool good = true;
    bool same = true;
    for (unsigned frame = 0; frame <= count && same && ours.goaway == -1; frame++) {
        /* The first are the preface and SETTINGS. */
        struct subject subject = frame == 0 ? (struct subject){0} : look(&raw);
        judge_theirs(session, buf_span(&raw.in), &theirs);
        judge_ours(&raw, &ours);
        same = is_same(&ours, &theirs);
        if (!same && !is_allowed(&subject, &ours, &theirs)) {
            good = false;
            printf("sequence %llu, frame %u: GOAWAY ours %d theirs %d\n", number, frame,
                   ours.goaway, theirs.goaway);
            describe(&raw, &ours, &theirs);
        }
        buf_clear(&raw.in);
        make_frame(&raw);
    }
    nghttp2_session_del(session);
    raw_close(&raw);
    return good;
}

int main(int argc, char **argv)
{
    unsigned long long sequences = argc > 1 ? strtoull(argv[1], NULL, 10) : 10000;
    unsigned long long differ = 0;
    random_state = (argc > 2 ? strtoull(argv[2], NULL, 10) : 1) * UINT64_C(0x9e3779b97f4a7c15) + 1;
    for (unsigned long long i = 0; i < sequences; i++)
        differ += !run_sequence(i);
    printf("%llu sequences, %llu differ without a listed reason\n", sequences, differ);
    return differ != 0;
}
