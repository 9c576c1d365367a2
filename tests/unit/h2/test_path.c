/* Two engines at the ends of a long path, 100 Mbit/s and 100 ms there and back: neither an upload
 * nor a download is held to the first window a round trip. */
#include "h2/harness.h"

#define ONE_WAY   (50 * HERALD_MILLISECOND)
#define STEP      HERALD_MILLISECOND
#define BYTES     12500 /* a step */
#define SIZE      (UINT64_C(24) << 20)
#define STEPS_MAX 60000
#define IN_FLIGHT 256 /* steps */

struct direction {
    uint8_t bytes[IN_FLIGHT][BYTES];
    size_t lengths[IN_FLIGHT];
};

struct path {
    struct host host;
    struct limits limits;
    struct conn *client, *server;
    struct direction up, down;
    struct exchange *writer; /* of the body */
    uint64_t written, read;
    bool upload;
};

static void carry(struct conn *from, struct conn *to, struct direction *way, uint64_t step)
{
    herald_time now = HERALD_SECOND + step * STEP;
    size_t slot = step % IN_FLIGHT;
    size_t arrived = (step - ONE_WAY / STEP) % IN_FLIGHT;
    struct conn_out out = {.data = way->bytes[slot], .capacity = BYTES};
    assert_int_equal(from->ops->pull(from, &out, now), 0);
    way->lengths[slot] = out.length;
    struct conn_in in = {.data = span_make(way->bytes[arrived], way->lengths[arrived])};
    if (step >= ONE_WAY / STEP && in.data.length > 0)
        assert_int_equal(to->ops->recv(to, &in, now), 0);
}

static void read_all(struct exchange *exchange)
{
    static uint8_t bytes[65536];
    struct path *path = exchange->user;
    size_t length;
    while ((length = exchange_read(exchange, bytes, sizeof(bytes))) > 0)
        path->read += length;
}

static void let_go(struct exchange *exchange, int reason)
{
    struct path *path = exchange->user;
    assert_int_equal(reason, HERALD_ERROR_CLOSED); /* not before the end of the test */
    if (path->writer == exchange)
        path->writer = NULL;
    exchange_release(exchange);
}

static const struct exchange_events events = {.readable = read_all, .closed = let_go};

static void answer(struct host *host, struct exchange *exchange)
{
    struct path *path = host->user;
    exchange->user = path;
    exchange->events = &events;
    if (path->upload)
        return;
    assert_int_equal(exchange_respond(exchange, 200, NULL, 0, CONTENT_LENGTH_UNKNOWN), 0);
    path->writer = exchange;
}

static void write_more(struct path *path)
{
    static const uint8_t bytes[16384];
    while (path->writer != NULL && path->written < 2 * SIZE && exchange_can_write(path->writer)) {
        assert_int_equal(exchange_write(path->writer, span_make(bytes, sizeof(bytes))), 0);
        path->written += sizeof(bytes);
    }
}

static void open_path(struct path *path, bool upload)
{
    memset(path, 0, sizeof(*path));
    path->limits = limits_default;
    path->upload = upload;
    path->host.answer = answer;
    path->host.user = path;
    path->client = host_open(&path->host, CONN_CLIENT, &path->limits);
    path->server = host_open(&path->host, CONN_SERVER, &path->limits);
    assert_non_null(path->client);
    assert_non_null(path->server);
    struct message request = {
        .version = HTTP_2,
        .method = upload ? SPAN_LITERAL("POST") : SPAN_LITERAL("GET"),
        .scheme = SPAN_LITERAL("https"),
        .authority = SPAN_LITERAL("a.example"),
        .path = SPAN_LITERAL("/"),
        .content_length = CONTENT_LENGTH_UNKNOWN,
    };
    struct exchange *asked = exchange_new_request(&request, &path->limits, &events, path);
    assert_non_null(asked);
    if (upload)
        path->writer = asked;
    else
        assert_int_equal(exchange_finish(asked, NULL, 0), 0);
    assert_int_equal(path->client->ops->request(path->client, asked, HERALD_SECOND), 0);
}

/* Returns the steps until `size` bytes have been read. */
static uint64_t transfer(struct path *path, uint64_t step, uint64_t size)
{
    for (; path->read < size && step < STEPS_MAX; step++) {
        write_more(path);
        carry(path->client, path->server, &path->up, step);
        carry(path->server, path->client, &path->down, step);
    }
    assert_true(path->read >= size);
    return step;
}

static void is_not_held_back(bool upload)
{
    struct path *path = malloc(sizeof(*path));
    assert_non_null(path);
    open_path(path, upload);
    uint64_t half = transfer(path, 0, SIZE / 2);
    uint64_t whole = transfer(path, half, SIZE);
    /* 64 KiB a round trip would be 38 seconds. It takes a few round trips to find out, then the
     * line is full but for what the control frames need. */
    assert_true(half * STEP < 4 * HERALD_SECOND);
    assert_true((whole - half) * BYTES < SIZE / 2 * 5 / 4);
    const struct h2_conn *reader = h2_of(upload ? path->server : path->client);
    assert_in_range(reader->probe.round_trip, 2 * ONE_WAY, 2 * ONE_WAY + 10 * STEP);
    assert_in_range(reader->stream_target, 2 * ONE_WAY / STEP * BYTES,
                    limits_default.stream_window_maximum);
    path->client->ops->destroy(path->client);
    path->server->ops->destroy(path->server);
    free(path);
}

static void an_upload_fills_the_path(void **state)
{
    (void)state;
    is_not_held_back(true);
}

static void a_download_fills_the_path(void **state)
{
    (void)state;
    is_not_held_back(false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_upload_fills_the_path),
        cmocka_unit_test(a_download_fills_the_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
