#include "rig.h"

#include "support/failmalloc.h"
#include <poll.h>
#include <sys/un.h>
#include <unistd.h>

static void cleartext_echo(void **state)
{
    struct rig rig;
    struct rig_client client = {0};

    (void)state;
    rig_start(&rig, NULL);
    struct link_target target = rig_target(&rig, NULL);
    rig_connect(&client, &rig, &target);
    RIG_WAIT(&rig, client.conn != NULL);
    assert_string_equal(client.alpn, "h2");
    fake_conn_send(client.conn, "GET / HTTP/1.1\r\n\r\n");
    RIG_WAIT(&rig, client.conn->received == 18);
    assert_string_equal(rig.server_alpn, "http/1.1");
    assert_string_equal(rig.seen.scheme, "http");
    assert_string_equal(rig.seen_peer, "127.0.0.1");
    assert_int_equal(rig.seen.local_port, listener_port(rig.listener));
    assert_int_equal(rig.accepted->recv_calls, 1);
    link_shutdown(client.link);
    RIG_WAIT(&rig, client.closed == 1 && rig.closed == 1);
    assert_int_equal(client.reason, 0);
    assert_int_equal(rig.server_reason, 0);
    assert_memory_equal(client.in.data + client.in.start, "GET / HTTP/1.1\r\n\r\n", 18);
    rig_client_free(&client);
    rig_stop(&rig);
}

static void preface_in_any_pieces_is_http2(void **state)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nrest";
    struct rig rig;

    (void)state;
    rig_start(&rig, NULL);
    for (size_t first = 1; first < sizeof(preface) - 1; first++) {
        int raw = rig_raw_socket(&rig);
        unsigned opened = rig.opened;
        assert_int_equal(send(raw, preface, first, 0), first);
        RIG_WAIT(&rig, rig.server.link_count == 1);
        for (unsigned turn = 0; turn < 5; turn++)
            loop_turn(rig.loop);
        if (first < 24)
            assert_int_equal(rig.opened, opened);
        assert_int_equal(send(raw, preface + first, sizeof(preface) - 1 - first, 0),
                         sizeof(preface) - 1 - first);
        RIG_WAIT(&rig, rig.accepted != NULL && rig.accepted->received == sizeof(preface) - 1);
        assert_string_equal(rig.server_alpn, "h2");
        close(raw);
        RIG_WAIT(&rig, rig.server.link_count == 0);
    }
    rig_stop(&rig);
}

static void expect_detected(const struct rig_options *options, const char *bytes,
                            const char *expected)
{
    struct rig rig;

    rig_start(&rig, options);
    int raw = rig_raw_socket(&rig);
    assert_int_equal(send(raw, bytes, strlen(bytes), 0), strlen(bytes));
    RIG_WAIT(&rig, rig.opened == 1);
    assert_string_equal(rig.server_alpn, expected);
    close(raw);
    RIG_WAIT(&rig, rig.closed == 1);
    rig_stop(&rig);
}

static void protocols_can_be_fixed(void **state)
{
    struct rig_options http1 = {.http1_only = true};
    struct rig_options http2 = {.http2_only = true};

    (void)state;
    expect_detected(NULL, "PRI * HTTP/1.1\r\n", "http/1.1");
    expect_detected(NULL, "GET / HTTP/1.1\r\n", "http/1.1");
    expect_detected(&http1, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "http/1.1");
    expect_detected(&http2, "GET / HTTP/1.1\r\n\r\n", "h2");
}

static void tls_hello_on_a_cleartext_port_is_closed(void **state)
{
    struct rig rig;
    uint8_t byte;

    (void)state;
    rig_start(&rig, NULL);
    int raw = rig_raw_socket(&rig);
    assert_int_equal(send(raw, "\x16\x03\x01\x02", 4, 0), 4);
    RIG_WAIT(&rig, rig.failed == 1);
    assert_int_equal(rig.opened, 0);
    assert_int_equal(recv(raw, &byte, 1, 0), 0);
    close(raw);
    rig_stop(&rig);
}

static void silence_ends_after_the_timeout(void **state)
{
    struct rig_options options = {.handshake_timeout = 50 * HERALD_MILLISECOND};
    struct rig rig;

    (void)state;
    rig_start(&rig, &options);
    int raw = rig_raw_socket(&rig);
    assert_int_equal(send(raw, "PRI", 3, 0), 3);
    RIG_WAIT(&rig, rig.failed == 1);
    assert_int_equal(rig.server_reason, HERALD_ERROR_TIMEOUT);
    close(raw);
    rig_stop(&rig);
}

static void a_conn_deadline_is_kept(void **state)
{
    struct rig rig;

    (void)state;
    rig_start(&rig, NULL);
    int raw = rig_raw_socket(&rig);
    assert_int_equal(send(raw, "x", 1, 0), 1);
    RIG_WAIT(&rig, rig.accepted != NULL);
    rig.accepted->deadline = loop_now(rig.loop) + 20 * HERALD_MILLISECOND;
    link_wake(rig.accepted->link);
    RIG_WAIT(&rig, rig.accepted->expirations == 1);
    close(raw);
    rig_stop(&rig);
}

/* The rest of a response must reach a peer that still sends, and only then the connection ends. */
static void a_failed_conn_speaks_its_last_words(void **state)
{
    struct rig_options options = {.linger_timeout = 100 * HERALD_MILLISECOND};
    struct rig rig;
    char text[64];

    (void)state;
    rig_start(&rig, &options);
    int raw = rig_raw_socket(&rig);
    assert_int_equal(send(raw, "first", 5, 0), 5);
    RIG_WAIT(&rig, rig.accepted != NULL && rig.accepted->received == 5);
    rig.accepted->recv_result = HERALD_ERROR_PROTOCOL;
    rig.accepted->echo = false;
    fake_conn_send(rig.accepted, " last words");
    assert_int_equal(send(raw, "second", 6, 0), 6);
    RIG_WAIT(&rig, rig.accepted == NULL);
    assert_int_equal(send(raw, "ignored", 7, MSG_NOSIGNAL), 7);
    assert_int_equal(recv(raw, text, sizeof(text), MSG_WAITALL), 16);
    assert_memory_equal(text, "first last words", 16);
    assert_int_equal(rig.closed, 0);
    RIG_WAIT(&rig, rig.closed == 1);
    assert_int_equal(rig.server_reason, HERALD_ERROR_PROTOCOL);
    close(raw);
    rig_stop(&rig);
}

static void half_close_still_gets_the_answer(void **state)
{
    struct rig rig;
    char text[16];

    (void)state;
    rig_start(&rig, NULL);
    int raw = rig_raw_socket(&rig);
    assert_int_equal(send(raw, "question", 8, 0), 8);
    shutdown(raw, SHUT_WR);
    RIG_WAIT(&rig, rig.closed == 1);
    assert_int_equal(recv(raw, text, sizeof(text), MSG_WAITALL), 8);
    assert_int_equal(rig.server_reason, 0);
    close(raw);
    rig_stop(&rig);
}

static void a_reset_is_noticed_while_not_reading(void **state)
{
    struct rig rig;
    struct linger hard = {.l_onoff = 1};

    (void)state;
    rig_start(&rig, NULL);
    int raw = rig_raw_socket(&rig);
    assert_int_equal(send(raw, "x", 1, 0), 1);
    RIG_WAIT(&rig, rig.accepted != NULL && rig.accepted->received == 1);
    rig.accepted->conn.wants_read = false;
    rig.accepted->echo = false;
    link_wake(rig.accepted->link);
    rig_turn(&rig, rig_deadline(), "a turn");
    setsockopt(raw, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    close(raw);
    RIG_WAIT(&rig, rig.closed == 1);
    assert_int_equal(rig.server_reason, HERALD_ERROR_CLOSED);
    rig_stop(&rig);
}

static void urgent_data_does_not_spin_or_close(void **state)
{
    struct rig rig;

    (void)state;
    rig_start(&rig, NULL);
    int raw = rig_raw_socket(&rig);
    assert_int_equal(send(raw, "x", 1, 0), 1);
    RIG_WAIT(&rig, rig.accepted != NULL && rig.accepted->received == 1);
    rig.accepted->conn.wants_read = false;
    rig.accepted->echo = false;
    link_wake(rig.accepted->link);
    rig_turn(&rig, rig_deadline(), "a turn");
    assert_int_equal(send(raw, "!", 1, MSG_OOB), 1);
    struct pollfd poll_one = {.fd = loop_backend_fd(rig.loop), .events = POLLIN};
    poll(&poll_one, 1, 1000);
    for (unsigned turn = 0; turn < 3; turn++)
        loop_turn(rig.loop);
    assert_int_equal(poll(&poll_one, 1, 0), 0);
    assert_int_equal(rig.closed, 0);
    close(raw);
    rig_stop(&rig);
}

static uint64_t read_slowly(struct rig *rig, int raw, uint64_t length)
{
    static uint8_t chunk[16384];
    uint64_t position = 0;

    while (position < length) {
        ssize_t count = recv(raw, chunk, sizeof(chunk), MSG_DONTWAIT);
        if (count < 0) {
            loop_turn(rig->loop);
            continue;
        }
        if (count == 0)
            break;
        for (ssize_t i = 0; i < count; i++, position++)
            assert_int_equal(chunk[i], (uint8_t)(position * 31 + (position >> 8)));
    }
    return position;
}

static void frames_are_built_only_when_the_socket_takes_them(void **state)
{
    struct rig_options options = {.generate = 4 * 1024 * 1024};
    struct rig rig;
    int small = 32 * 1024;

    (void)state;
    rig_start(&rig, &options);
    setsockopt(listener_descriptor(rig.listener), SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
    int raw = rig_raw_socket(&rig);
    setsockopt(raw, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    assert_int_equal(send(raw, "x", 1, 0), 1);
    RIG_WAIT(&rig, rig.accepted != NULL);
    for (unsigned turn = 0; turn < 20; turn++)
        rig_turn(&rig, rig_deadline(), "a turn");
    /* Nobody has read yet: what has been pulled is what the kernel holds and one burst. */
    assert_true(rig.accepted->generated > 0);
    assert_true(rig.accepted->generated < 512 * 1024);
    assert_int_equal(read_slowly(&rig, raw, options.generate), options.generate);
    shutdown(raw, SHUT_WR);
    RIG_WAIT(&rig, rig.closed == 1);
    assert_int_equal(rig.server_reason, 0);
    close(raw);
    rig_stop(&rig);
}

static void large_bodies_both_ways(void **state)
{
    struct rig rig;
    struct rig_client client = {.generate = 4 * 1024 * 1024};

    (void)state;
    for (int tls = 0; tls <= 1; tls++) {
        struct rig_options options = {.tls = tls != 0};
        rig_start(&rig, &options);
        struct tls_context *context = tls ? rig_client_context(rig.directory) : NULL;
        struct link_target target = rig_target(&rig, context);
        client.generate = 4 * 1024 * 1024;
        rig_connect(&client, &rig, &target);
        RIG_WAIT(&rig, client.conn != NULL);
        RIG_WAIT(&rig, client.conn == NULL || client.conn->received == 4 * 1024 * 1024);
        assert_non_null(client.conn);
        assert_true(rig.accepted->high_water <= 320 * 1024);
        for (uint64_t i = 0; i < client.conn->received; i++)
            assert_int_equal(client.conn->in.data[i], (uint8_t)(i * 31 + (i >> 8)));
        rig_client_free(&client);
        rig_stop(&rig);
        tls_context_release(context);
    }
}

static void refused_by_open(void **state)
{
    struct rig_options options = {.refuse_open = true};
    struct rig rig;
    uint8_t byte;

    (void)state;
    rig_start(&rig, &options);
    int raw = rig_raw_socket(&rig);
    assert_int_equal(send(raw, "GET", 3, 0), 3);
    shutdown(raw, SHUT_WR);
    RIG_WAIT(&rig, rig.closed == 1);
    assert_int_equal(rig.server_reason, HERALD_ERROR_REFUSED);
    assert_int_equal(recv(raw, &byte, 1, 0), 0);
    close(raw);
    rig_stop(&rig);
}

static void one_read_and_one_write_a_small_request(void **state)
{
    struct rig rig;
    char text[64];

    (void)state;
    rig_start(&rig, NULL);
    int raw = rig_raw_socket(&rig);
    for (unsigned request = 1; request <= 5; request++) {
        assert_int_equal(send(raw, "request", 7, 0), 7);
        RIG_WAIT(&rig, rig.accepted != NULL && rig.accepted->received == 7 * request);
        loop_turn(rig.loop);
        assert_int_equal(rig.accepted->recv_calls, request);
        assert_int_equal(recv(raw, text, sizeof(text), 0), 7);
    }
    close(raw);
    rig_stop(&rig);
}

static void shut_down(struct link *link, void *user)
{
    (void)user;
    link_shutdown(link);
}

static void shutdown_closes_what_has_not_begun(void **state)
{
    struct rig rig;

    (void)state;
    rig_start(&rig, NULL);
    int raw = rig_raw_socket(&rig);
    RIG_WAIT(&rig, rig.server.link_count == 1);
    link_server_each(&rig.server, shut_down, NULL);
    RIG_WAIT(&rig, rig.failed == 1);
    close(raw);
    rig_stop(&rig);
}

static void a_full_server_leaves_callers_in_the_backlog(void **state)
{
    struct rig_options options = {.maximum_links = 2};
    struct rig rig;
    int raw[3];

    (void)state;
    rig_start(&rig, &options);
    for (unsigned i = 0; i < 3; i++) {
        raw[i] = rig_raw_socket(&rig);
        assert_int_equal(send(raw[i], "x", 1, 0), 1);
    }
    RIG_WAIT(&rig, rig.opened == 2);
    for (unsigned turn = 0; turn < 5; turn++)
        rig_turn(&rig, rig_deadline(), "a turn");
    assert_int_equal(rig.opened, 2);
    close(raw[0]);
    RIG_WAIT(&rig, rig.opened == 3);
    close(raw[1]);
    close(raw[2]);
    rig_stop(&rig);
}

static void a_socket_pair_can_be_accepted(void **state)
{
    struct rig rig;
    int pair[2];
    char text[8];

    (void)state;
    rig_start(&rig, NULL);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(link_accept(&rig.server, pair[0], NULL), 0);
    assert_int_equal(send(pair[1], "hello", 5, 0), 5);
    RIG_WAIT(&rig, rig.accepted != NULL && rig.accepted->received == 5);
    loop_turn(rig.loop);
    assert_int_equal(recv(pair[1], text, sizeof(text), 0), 5);
    assert_string_equal(rig.seen_peer, "");
    close(pair[1]);
    RIG_WAIT(&rig, rig.closed == 1);
    rig_stop(&rig);
}

/* One connection from accept to close, as far as memory lets it. */
static bool short_life(void *user)
{
    const struct link_ops *ops = user;
    struct link_server server;
    struct loop *loop;
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    if (loop_create(&loop) != 0) {
        close(pair[0]);
        close(pair[1]);
        return true;
    }
    link_server_init(&server, loop, ops, NULL);
    assert_int_equal(send(pair[1], "hello", 5, 0), 5);
    shutdown(pair[1], SHUT_WR);
    (void)link_accept(&server, pair[0], NULL);
    for (unsigned turn = 0; turn < 4; turn++)
        loop_turn(loop);
    link_server_each(&server, shut_down, NULL);
    for (unsigned turn = 0; turn < 4; turn++)
        loop_turn(loop);
    bool empty = server.link_count == 0;
    close(pair[1]);
    loop_destroy(loop);
    return empty;
}

struct tiny {
    struct conn conn;
    struct buf out;
};

static int tiny_recv(struct conn *conn, const struct conn_in *in, herald_time now)
{
    (void)now;
    return buf_append_span(&((struct tiny *)conn)->out, in->data);
}

static int tiny_pull(struct conn *conn, struct conn_out *out, herald_time now)
{
    struct tiny *tiny = (struct tiny *)conn;
    struct span span = buf_span(&tiny->out);

    (void)now;
    memcpy(out->data, span.length > 0 ? span.data : (const uint8_t *)"", span.length);
    out->length = span.length;
    buf_clear(&tiny->out);
    return 0;
}

static herald_time tiny_deadline(const struct conn *conn)
{
    (void)conn;
    return HERALD_SECOND; /* long ago: it expires in every turn */
}

static int tiny_expire(struct conn *conn, herald_time now)
{
    (void)conn, (void)now;
    return 0;
}

static int tiny_eof(struct conn *conn, herald_time now)
{
    (void)now;
    conn->finished = true;
    return 0;
}

static void tiny_destroy(struct conn *conn)
{
    buf_free(&((struct tiny *)conn)->out);
    free(conn);
}

static struct conn *tiny_open(struct link *link, const struct conn_info *info, struct span alpn)
{
    static const struct conn_ops ops = {
        .recv = tiny_recv,
        .pull = tiny_pull,
        .deadline = tiny_deadline,
        .expire = tiny_expire,
        .eof = tiny_eof,
        .destroy = tiny_destroy,
    };
    struct tiny *tiny = calloc(1, sizeof(*tiny));

    (void)link, (void)info, (void)alpn;
    if (tiny == NULL)
        return NULL;
    tiny->conn.ops = &ops;
    tiny->conn.wants_read = true;
    buf_init(&tiny->out, 1024, NULL);
    return &tiny->conn;
}

static void tiny_closed(struct link *link, int reason)
{
    (void)link, (void)reason;
}

static void memory_may_run_out_anywhere(void **state)
{
    struct link_ops ops = {.open = tiny_open, .closed = tiny_closed};

    (void)state;
    assert_true(failmalloc_each(short_life, &ops, 200) > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cleartext_echo),
        cmocka_unit_test(preface_in_any_pieces_is_http2),
        cmocka_unit_test(protocols_can_be_fixed),
        cmocka_unit_test(tls_hello_on_a_cleartext_port_is_closed),
        cmocka_unit_test(silence_ends_after_the_timeout),
        cmocka_unit_test(a_conn_deadline_is_kept),
        cmocka_unit_test(a_failed_conn_speaks_its_last_words),
        cmocka_unit_test(half_close_still_gets_the_answer),
        cmocka_unit_test(a_reset_is_noticed_while_not_reading),
        cmocka_unit_test(urgent_data_does_not_spin_or_close),
        cmocka_unit_test(frames_are_built_only_when_the_socket_takes_them),
        cmocka_unit_test(large_bodies_both_ways),
        cmocka_unit_test(refused_by_open),
        cmocka_unit_test(one_read_and_one_write_a_small_request),
        cmocka_unit_test(shutdown_closes_what_has_not_begun),
        cmocka_unit_test(a_full_server_leaves_callers_in_the_backlog),
        cmocka_unit_test(a_socket_pair_can_be_accepted),
        cmocka_unit_test(memory_may_run_out_anywhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
