#include "simulation.h"
#include "h2/internal.h"
#include <stdio.h>
#include <stdlib.h>

#define JOBS     24
#define TURNS    60000
#define PIPE_MAX (1u << 18)

enum plan {
    PLAN_INFORM = 1,
    PLAN_TRAILERS = 2,
    PLAN_PUSH = 4,
    PLAN_SERVER_CANCEL = 8,
    PLAN_CLIENT_CANCEL = 16,
    PLAN_EARLY = 32, /* responds before the request has been read */
    PLAN_DISCARD = 64,
    PLAN_LENGTH = 128, /* says Content-Length */
    PLAN_LEAVE = 256,  /* the client releases early */
};

struct sim;

/* One side's view of one exchange. */
struct job {
    struct sim *sim;
    struct exchange *exchange; /* NULL once released */
    bool used, client, pushed;
    unsigned tag, plan;
    uint64_t to_write, written;
    uint64_t to_read, read;
    bool responded, finished, head, closed, cancelled_by_us, informed;
    int reason;
};

struct sim {
    uint64_t random;
    struct conn *client, *server;
    struct buf up, down;
    struct job asks[JOBS * 4], answers[JOBS * 4];
    unsigned ask_count, answer_count;
    herald_time now;
    const char *broken;
    struct simulation_result *result;
    struct limits client_limits, server_limits;
    bool tiny_windows; /* and so little to send */
    enum ending { NO_END, SERVER_SHUTS_DOWN, CLIENT_SHUTS_DOWN, TORN } ending;
    unsigned end_turn;
    bool ended;
};

static uint64_t below(struct sim *sim, uint64_t bound)
{
    sim->random ^= sim->random << 13;
    sim->random ^= sim->random >> 7;
    sim->random ^= sim->random << 17;
    return sim->random % bound;
}

static void broken(struct sim *sim, const char *what)
{
    if (sim->broken == NULL)
        sim->broken = what;
}

/* Bodies: a wave that every offset begins somewhere in, plus a constant of the body's own. */
#define WAVE  65536
#define PIECE 5000

static const uint8_t *wave_at(uint64_t offset)
{
    static uint8_t wave[WAVE + PIECE];
    if (wave[1] == 0) {
        for (size_t i = 0; i < sizeof(wave); i++)
            wave[i] = (uint8_t)(i * 13 + (i >> 8));
    }
    return wave + offset % WAVE;
}

static uint8_t constant_of(unsigned tag, bool up)
{
    return (uint8_t)(tag * 31 + (up ? 101 : 7));
}

static void fill(uint8_t *bytes, size_t length, unsigned tag, bool up, uint64_t offset)
{
    const uint8_t *wave = wave_at(offset);
    uint8_t constant = constant_of(tag, up);
    for (size_t i = 0; i < length; i++)
        bytes[i] = (uint8_t)(wave[i] + constant);
}

static bool is_right(const uint8_t *bytes, size_t length, unsigned tag, bool up, uint64_t offset)
{
    const uint8_t *wave = wave_at(offset);
    uint8_t constant = constant_of(tag, up), difference = 0;
    for (size_t i = 0; i < length; i++)
        difference |= (uint8_t)(wave[i] + constant) ^ bytes[i];
    return difference == 0;
}

static uint64_t random_size(struct sim *sim)
{
    switch (below(sim, sim->tiny_windows ? 2 : 4)) {
    case 0:
        return 0;
    case 1:
        return below(sim, 64);
    case 2:
        return below(sim, 20000);
    default:
        return below(sim, 200000);
    }
}

static void leave(struct job *job)
{
    struct exchange *exchange = job->exchange;
    job->exchange = NULL;
    exchange->user = NULL;
    exchange_release(exchange);
}

static void read_some(struct job *job)
{
    uint8_t bytes[3000];
    struct sim *sim = job->sim;
    size_t got = exchange_read(job->exchange, bytes, 1 + below(sim, sizeof(bytes)));
    if (!is_right(bytes, got, job->tag, !job->client, job->read))
        broken(sim, "a body byte is wrong");
    job->read += got;
    sim->result->bytes += got;
}

static void write_some(struct job *job)
{
    uint8_t bytes[PIECE];
    struct sim *sim = job->sim;
    if (!exchange_can_write(job->exchange))
        return;
    uint64_t left = job->to_write - job->written;
    size_t length = 1 + below(sim, sizeof(bytes));
    if (length > left)
        length = (size_t)left;
    fill(bytes, length, job->tag, job->client, job->written);
    if (exchange_write(job->exchange, span_make(bytes, length)) == 0)
        job->written += length;
    else if (!job->exchange->closed)
        broken(sim, "a write failed");
}

static void finish(struct job *job)
{
    static const struct field trailer = {SPAN_LITERAL("x-end"), SPAN_LITERAL("yes"), 0, 0};
    bool trailers = (job->plan & PLAN_TRAILERS) != 0;
    int result = exchange_finish(job->exchange, &trailer, trailers);
    if (result != 0 && !job->exchange->closed)
        broken(job->sim, "finish failed");
    job->finished = true;
}

/* ---- events ---- */

static void on_closed(struct exchange *exchange, int reason)
{
    struct job *job = exchange->user;
    if (job->closed)
        broken(job->sim, "closed twice");
    job->closed = true;
    job->reason = reason;
    if (below(job->sim, 2) == 0) {
        while (exchange->in.queued > 0)
            read_some(job);
        leave(job);
    }
}

static void on_event(struct exchange *exchange)
{
    struct job *job = exchange->user;
    if (job->closed)
        broken(job->sim, "an event after closed");
    if (below(job->sim, 3) == 0)
        read_some(job);
}

static void on_head(struct exchange *exchange)
{
    struct job *job = exchange->user;
    job->head = true;
    if (exchange->incoming.status != 200)
        broken(job->sim, "wrong status");
}

static void on_informational(struct exchange *exchange, const struct message *message)
{
    struct job *job = exchange->user;
    if (message->status != 103 || job->head)
        broken(job->sim, "a wrong interim response");
    job->informed = true;
    job->sim->result->informed++;
}

static void on_pushed(struct exchange *exchange, struct exchange *promised);

static const struct exchange_events ask_events = {
    .head = on_head,
    .informational = on_informational,
    .readable = on_event,
    .writable = on_event,
    .pushed = on_pushed,
    .closed = on_closed,
};

static const struct exchange_events answer_events = {
    .readable = on_event,
    .writable = on_event,
    .closed = on_closed,
};

/* "/tag-plan-size" */
static void read_path(struct job *job, struct span path)
{
    unsigned long long size = 0;
    char text[64];
    snprintf(text, sizeof(text), "%.*s", SPAN_ARGUMENTS(path));
    if (sscanf(text, "/%u-%u-%llu", &job->tag, &job->plan, &size) != 3)
        broken(job->sim, "the path is wrong");
    *(job->client ? &job->to_read : &job->to_write) = size;
}

static void on_pushed(struct exchange *exchange, struct exchange *promised)
{
    struct job *parent = exchange->user;
    struct sim *sim = parent->sim;
    struct job *job = &sim->asks[sim->ask_count++];
    *job = (struct job){.sim = sim, .used = true, .client = true, .pushed = true};
    job->exchange = promised;
    read_path(job, promised->outgoing.path);
    promised->user = job;
    promised->events = &ask_events;
    sim->result->pushes++;
    if (below(sim, 4) == 0) {
        job->cancelled_by_us = job->closed = true;
        exchange_cancel(promised, HERALD_ERROR_CANCELLED);
        leave(job);
    } else {
        (void)exchange_accept_push(promised);
    }
}

static void on_dispatch(struct conn *conn, struct exchange *exchange)
{
    struct sim *sim = conn->host_data;
    struct job *job = &sim->answers[sim->answer_count++];
    *job = (struct job){.sim = sim, .used = true};
    job->exchange = exchange;
    job->pushed = exchange->is_pushed;
    exchange->user = job;
    exchange->events = &answer_events;
    read_path(job, exchange->incoming.path);
    if (!exchange->is_pushed) {
        const struct field *size =
            fields_find_name(&exchange->incoming.fields, SPAN_LITERAL("x-upload"));
        if (size == NULL || span_to_unsigned(size->value, UINT64_MAX, &job->to_read) != 0)
            broken(sim, "a field is missing");
    }
}

static void on_wake(struct conn *conn)
{
    (void)conn;
}

static const struct conn_host_ops host = {.dispatch = on_dispatch, .wake = on_wake};

/* ---- what owners do ---- */

static void ask(struct sim *sim)
{
    struct job *job = &sim->asks[sim->ask_count];
    *job = (struct job){.sim = sim, .used = true, .client = true, .tag = sim->ask_count};
    job->plan = (unsigned)below(sim, 512);
    if (below(sim, 2) == 0)
        job->plan &= ~(unsigned)(PLAN_SERVER_CANCEL | PLAN_CLIENT_CANCEL | PLAN_LEAVE);
    job->to_write = below(sim, 2) == 0 ? 0 : random_size(sim);
    job->to_read = random_size(sim);

    char path[64], upload[32];
    snprintf(path, sizeof(path), "/%u-%u-%llu", job->tag, job->plan,
             (unsigned long long)job->to_read);
    snprintf(upload, sizeof(upload), "%llu", (unsigned long long)job->to_write);
    struct field fields[] = {
        {SPAN_LITERAL("x-upload"), span_from_text(upload), 0, 0},
        {SPAN_LITERAL("cookie"), SPAN_LITERAL("a=b; c=d"), 0, FIELD_SENSITIVE},
    };
    struct message request = {
        .version = HTTP_2,
        .method = job->to_write > 0 ? SPAN_LITERAL("POST") : SPAN_LITERAL("GET"),
        .scheme = SPAN_LITERAL("https"),
        .authority = SPAN_LITERAL("a.example"),
        .path = span_from_text(path),
        .fields = {fields, 2, 2},
        .content_length = (job->plan & PLAN_LENGTH) != 0 ? job->to_write : CONTENT_LENGTH_UNKNOWN,
    };
    struct exchange *exchange =
        exchange_new_request(&request, &sim->client_limits, &ask_events, job);
    if (exchange == NULL) {
        broken(sim, "no request");
        return;
    }
    exchange->priority = (struct priority){(uint8_t)below(sim, 8), below(sim, 2) == 0};
    int result = sim->client->ops->request(sim->client, exchange, sim->now);
    if (result != 0) {
        exchange_cancel(exchange, HERALD_ERROR_CANCELLED);
        exchange_release(exchange);
        if (result != HERALD_ERROR_LIMIT && !(result == HERALD_ERROR_REFUSED && sim->ended))
            broken(sim, "a request was refused");
        return;
    }
    job->exchange = exchange;
    sim->ask_count++;
    sim->result->requests++;
}

static void push(struct job *job)
{
    struct sim *sim = job->sim;
    char path[64];
    snprintf(path, sizeof(path), "/%u-%u-%llu", 1000 + job->tag,
             (unsigned)(PLAN_EARLY | (below(sim, 2) ? PLAN_TRAILERS : 0)),
             (unsigned long long)random_size(sim));
    struct message request = {.method = SPAN_LITERAL("GET"),
                              .path = span_from_text(path),
                              .content_length = CONTENT_LENGTH_UNKNOWN};
    (void)exchange_push(job->exchange, &request);
    if (below(sim, 2) == 0)
        (void)exchange_push(job->exchange, &request);
}

static void respond(struct job *job)
{
    static const struct field hint = {SPAN_LITERAL("link"), SPAN_LITERAL("</a>; rel=preload"), 0,
                                      0};
    if ((job->plan & PLAN_INFORM) != 0 && exchange_inform(job->exchange, 103, &hint, 1) != 0)
        broken(job->sim, "inform failed");
    if ((job->plan & PLAN_PUSH) != 0 && !job->pushed)
        push(job);
    if (exchange_respond(job->exchange, 200, &hint, 1,
                         (job->plan & PLAN_LENGTH) != 0 ? job->to_write : CONTENT_LENGTH_UNKNOWN) !=
        0)
        broken(job->sim, "respond failed");
    job->responded = true;
}

static void cancel(struct job *job)
{
    job->cancelled_by_us = job->closed = true;
    exchange_cancel(job->exchange, HERALD_ERROR_CANCELLED);
    leave(job);
}

static void work_on_answer(struct job *job)
{
    struct sim *sim = job->sim;
    if (job->closed) {
        leave(job);
        return;
    }
    if ((job->plan & PLAN_SERVER_CANCEL) != 0 && below(sim, 20) == 0) {
        cancel(job);
        return;
    }
    if ((job->plan & PLAN_DISCARD) != 0 && below(sim, 8) == 0)
        exchange_discard_input(job->exchange);
    read_some(job);
    bool may_respond = (job->plan & PLAN_EARLY) != 0 || exchange_at_end(job->exchange) ||
                       job->exchange->in_discarded;
    if (!job->responded && may_respond)
        respond(job);
    if (job->responded && !job->finished && job->written < job->to_write)
        write_some(job);
    if (job->responded && !job->finished && job->written == job->to_write)
        finish(job);
    else if (job->finished && (exchange_at_end(job->exchange) || below(sim, 4) == 0))
        leave(job);
}

static void work_on_ask(struct job *job)
{
    struct sim *sim = job->sim;
    if (job->closed) {
        while (job->exchange->in.queued > 0)
            read_some(job);
        leave(job);
        return;
    }
    if ((job->plan & PLAN_CLIENT_CANCEL) != 0 && below(sim, 30) == 0) {
        cancel(job);
        return;
    }
    if (below(sim, 40) == 0)
        (void)exchange_set_priority(job->exchange,
                                    (struct priority){(uint8_t)below(sim, 8), below(sim, 2) == 0});
    if (!job->finished && job->written < job->to_write)
        write_some(job);
    if (!job->finished && !job->pushed && job->written == job->to_write)
        finish(job);
    read_some(job);
}

/* ---- the network ---- */

static void pull_from(struct sim *sim, struct conn *conn, struct buf *pipe)
{
    uint8_t bytes[16384];
    if (buf_length(pipe) > PIPE_MAX)
        return;
    struct conn_out out = {.data = bytes, .capacity = 4096 + below(sim, sizeof(bytes) - 4095)};
    if (conn->ops->pull(conn, &out, sim->now) < 0)
        broken(sim, "pull failed");
    if (out.length > out.capacity || buf_append(pipe, bytes, out.length) != 0)
        broken(sim, "pull gave too much");
}

static void give_to(struct sim *sim, struct conn *conn, struct buf *pipe)
{
    struct span queued = buf_span(pipe);
    if (queued.length == 0)
        return;
    size_t length = 1 + below(sim, below(sim, 3) == 0 ? 12 : 20000);
    struct conn_in in = {.data = span_slice(queued, 0, length)};
    if (conn->ops->recv(conn, &in, sim->now) < 0)
        broken(sim, "an engine found fault with the other");
    buf_consume(pipe, in.data.length);
}

static void expire(struct sim *sim, struct conn *conn)
{
    if (conn->ops->deadline(conn) <= sim->now && conn->ops->expire(conn, sim->now) < 0)
        broken(sim, "a timer ended the connection");
}

static void turn(struct sim *sim)
{
    unsigned asks = sim->ask_count, answers = sim->answer_count;
    sim->now += below(sim, 4) == 0 ? below(sim, 5 * HERALD_MILLISECOND) : 1000;
    switch (below(sim, 6)) {
    case 0:
        pull_from(sim, sim->client, &sim->up);
        break;
    case 1:
        pull_from(sim, sim->server, &sim->down);
        break;
    case 2:
        give_to(sim, sim->server, &sim->up);
        break;
    case 3:
        give_to(sim, sim->client, &sim->down);
        break;
    case 4:
        for (unsigned i = 0; i < asks; i++) {
            if (sim->asks[i].exchange != NULL && below(sim, 3) == 0)
                work_on_ask(&sim->asks[i]);
        }
        break;
    default:
        for (unsigned i = 0; i < answers; i++) {
            if (sim->answers[i].exchange != NULL && below(sim, 3) == 0)
                work_on_answer(&sim->answers[i]);
        }
        break;
    }
    expire(sim, sim->client);
    expire(sim, sim->server);
}

/* For whoever replays a seed: HERALD_SIMULATION=1 prints what is left when it ends badly. */
static void describe(struct conn *base, const char *name)
{
    struct h2_conn *conn = h2_of(base);
    fprintf(stderr, "%s: %u streams, send window %lld, receive window %lld\n", name,
            conn->stream_count, (long long)conn->send_window, (long long)conn->recv_window);
    LIST_FOR_EACH_SAFE(node, following, &conn->streams)
    {
        struct h2_stream *stream = CONTAINER_OF(node, struct h2_stream, all);
        struct exchange *exchange = stream->exchange;
        fprintf(
            stderr,
            "  stream %u state %d: send %lld, receive %lld of %u, credit %u, unread %u; items %d, "
            "queued %zu, ended %d, complete %d; waiting %d, ready %d\n",
            stream->id, stream->state, (long long)stream->send_window,
            (long long)stream->recv_window, stream->recv_target, stream->credit, stream->unread,
            !list_is_empty(&exchange->items), exchange->out.queued, exchange->out_ended,
            exchange->out_complete, !list_is_empty(&stream->waiting), stream->node.ready);
    }
}

static void describe_jobs(const struct job *jobs, unsigned count, const char *name)
{
    for (unsigned i = 0; i < count; i++) {
        const struct job *job = &jobs[i];
        if (job->exchange != NULL)
            fprintf(stderr, "  %s %u plan %x: written %llu of %llu, read %llu of %llu, closed %d\n",
                    name, job->tag, job->plan, (unsigned long long)job->written,
                    (unsigned long long)job->to_write, (unsigned long long)job->read,
                    (unsigned long long)job->to_read, job->closed);
    }
}

static void describe_all(struct sim *sim)
{
    describe(sim->client, "client");
    describe_jobs(sim->asks, sim->ask_count, "ask");
    describe(sim->server, "server");
    describe_jobs(sim->answers, sim->answer_count, "answer");
}

/* ---- invariants ---- */

static void sum_windows(struct sim *sim, struct conn *base)
{
    struct h2_conn *conn = h2_of(base);
    int64_t sum = conn->recv_window + conn->credit;
    LIST_FOR_EACH_SAFE(node, following, &conn->streams)
    {
        struct h2_stream *stream = CONTAINER_OF(node, struct h2_stream, all);
        sum += stream->unread;
        if (stream->state != H2_HALF_CLOSED_REMOTE && conn->phase == H2_PHASE_HEADER &&
            stream->recv_window + stream->credit + stream->unread != stream->recv_target)
            broken(sim, "a stream's window is not conserved");
    }
    if (conn->phase == H2_PHASE_HEADER && sum != conn->recv_target)
        broken(sim, "the connection's window is not conserved");
    if (conn->stream_count != conn->by_id.count)
        broken(sim, "streams are miscounted");
}

static bool is_done(const struct sim *sim)
{
    for (unsigned i = 0; i < sim->ask_count; i++) {
        if (sim->asks[i].exchange != NULL)
            return false;
    }
    for (unsigned i = 0; i < sim->answer_count; i++) {
        if (sim->answers[i].exchange != NULL)
            return false;
    }
    return buf_length(&sim->up) == 0 && buf_length(&sim->down) == 0 &&
           h2_of(sim->client)->stream_count == 0 && h2_of(sim->server)->stream_count == 0;
}

static void judge(struct sim *sim, const struct job *job)
{
    bool cancels = (job->plan & (PLAN_SERVER_CANCEL | PLAN_CLIENT_CANCEL)) != 0;
    if (job->cancelled_by_us) {
        sim->result->cancelled++;
        return;
    }
    if (!job->closed) {
        if (sim->ending != TORN)
            broken(sim, "never closed");
        return;
    }
    /* Before the server's SETTINGS are known a request may go over its limit. */
    if (job->reason != 0 && job->reason != HERALD_ERROR_REFUSED && !cancels && !job->pushed)
        broken(sim, "a request failed for no reason");
    if (job->reason == 0) {
        sim->result->completed++;
        /* A torn connection leaves owners that have not read all yet. */
        if (job->exchange == NULL && (job->read != job->to_read || !job->head))
            broken(sim, "a body is short");
        if (!job->informed && !job->pushed && (job->plan & PLAN_INFORM) != 0)
            broken(sim, "an interim response is missing");
    } else {
        sim->result->cancelled++;
    }
}

static void set_up(struct sim *sim, uint64_t seed, struct simulation_result *result)
{
    memset(sim, 0, sizeof(*sim));
    memset(result, 0, sizeof(*result));
    sim->random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    sim->result = result;
    sim->now = HERALD_SECOND;
    sim->client_limits = sim->server_limits = limits_default;
    sim->tiny_windows = below(sim, 16) == 0;
    sim->ending = (enum ending)(below(sim, 8) % 4);
    if (below(sim, 2) == 0)
        sim->ending = NO_END;
    sim->end_turn = (unsigned)below(sim, 3000);
    /* Owners work at random here: what is small or slow is not the peer's fault. */
    struct limits *both[] = {&sim->client_limits, &sim->server_limits};
    for (int i = 0; i < 2; i++) {
        both[i]->small_data_budget = 1u << 30;
        both[i]->stream_window =
            sim->tiny_windows ? 1 + (uint32_t)below(sim, 50) : 2048 + (uint32_t)below(sim, 100000);
        both[i]->reset_burst = 1000;
        both[i]->body_rate = both[i]->stall_rate = 0;
        both[i]->stall_timeout = both[i]->head_timeout = 3600 * HERALD_SECOND;
        if (below(sim, 2) == 0)
            both[i]->header_table_size = (uint32_t)below(sim, 5000);
        if (below(sim, 4) == 0)
            both[i]->frame_size = 16384 + (uint32_t)below(sim, 100000);
    }
    sim->server_limits.concurrent_streams = 1 + (uint32_t)below(sim, 20);
    struct conn_config config = {.host = &host, .host_data = sim, .push = true};
    config.role = CONN_CLIENT;
    config.limits = &sim->client_limits;
    sim->client = h2_engine.create(&config, sim->now);
    config.role = CONN_SERVER;
    config.limits = &sim->server_limits;
    sim->server = h2_engine.create(&config, sim->now);
    buf_init(&sim->up, 1u << 24, NULL);
    buf_init(&sim->down, 1u << 24, NULL);
}

static void leave_all(struct sim *sim, struct job *jobs, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (jobs[i].exchange == NULL)
            continue;
        if (!jobs[i].closed)
            broken(sim, "not told of the end of the connection");
        leave(&jobs[i]);
    }
}

static void tear_down(struct sim *sim)
{
    if (h2_free(h2_of(sim->client)) != 0 || h2_free(h2_of(sim->server)) != 0)
        broken(sim, "memory is left on an account");
    leave_all(sim, sim->asks, sim->ask_count);
    leave_all(sim, sim->answers, sim->answer_count);
    buf_free(&sim->up);
    buf_free(&sim->down);
}

/* A graceful end loses nothing but what it refuses; a torn connection is left to tear_down. */
static void end(struct sim *sim)
{
    sim->ended = true;
    if (sim->ending == SERVER_SHUTS_DOWN)
        sim->server->ops->shutdown(sim->server, sim->now);
    if (sim->ending == CLIENT_SHUTS_DOWN)
        sim->client->ops->shutdown(sim->client, sim->now);
}

static void run(struct sim *sim)
{
    unsigned wanted = 1 + (unsigned)below(sim, JOBS);
    unsigned turns;
    for (turns = 0; turns < TURNS && sim->broken == NULL; turns++) {
        if (sim->result->requests < wanted && !sim->ended && below(sim, 10) == 0)
            ask(sim);
        if (sim->ending != NO_END && turns == sim->end_turn) {
            end(sim);
            if (sim->ending == TORN)
                break;
        }
        turn(sim);
        sum_windows(sim, sim->client);
        sum_windows(sim, sim->server);
        if ((sim->ended || sim->result->requests == wanted) && is_done(sim))
            break;
    }
    sim->result->overtaken = turns == TURNS;
    if (sim->result->overtaken)
        broken(sim, "nothing moves any more");
    for (unsigned i = 0; i < sim->ask_count && sim->broken == NULL; i++)
        judge(sim, &sim->asks[i]);
    if (sim->broken != NULL && getenv("HERALD_SIMULATION") != NULL)
        describe_all(sim);
}

const char *simulate(uint64_t seed, struct simulation_result *result)
{
    struct sim *sim = calloc(1, sizeof(*sim));
    set_up(sim, seed, result);
    if (sim->client != NULL && sim->server != NULL) {
        run(sim);
        tear_down(sim);
    }
    const char *what = sim->broken;
    free(sim);
    return what;
}
