#include "rig.h"

#include "net/link_private.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static void echo_works(struct rig *rig, const struct link_target *target)
{
    struct rig_client client = {0};

    rig_connect(&client, rig, target);
    RIG_WAIT(rig, client.conn != NULL || client.closed);
    assert_string_equal(client.error, "");
    fake_conn_send(client.conn, "hello");
    RIG_WAIT(rig, client.conn->received == 5);
    rig_client_free(&client);
    RIG_WAIT(rig, rig->server.link_count == 0);
}

static void accepted_sockets_have_their_options(void **state)
{
    struct rig rig;

    (void)state;
    rig_start(&rig, NULL);
    int raw = rig_raw_socket(&rig);
    RIG_WAIT(&rig, rig.server.link_count == 1);
    const struct link *link = CONTAINER_OF(list_first(&rig.server.links), struct link, node);
    int value = 0;
    socklen_t length = sizeof(value);
    assert_int_equal(getsockopt(link->descriptor, IPPROTO_TCP, TCP_NODELAY, &value, &length), 0);
    assert_true(value != 0);
    assert_int_equal(getsockopt(link->descriptor, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &value, &length),
                     0);
    assert_int_equal(value, LINK_NOTSENT_LOWAT);
    assert_true(fcntl(link->descriptor, F_GETFD) & FD_CLOEXEC);
    assert_true(fcntl(link->descriptor, F_GETFL) & O_NONBLOCK);
    close(raw);
    rig_stop(&rig);
}

static void a_port_in_use_is_told(void **state)
{
    struct rig rig;
    struct listener *second = NULL;
    struct listener_error error;
    struct address address;
    char expected[128];

    (void)state;
    rig_start(&rig, NULL);
    assert_int_equal(address_parse(listener_name(rig.listener), 0, &address), 0);
    assert_int_equal(listener_open(&second, 1, &address, &rig.server, NULL, &error),
                     HERALD_ERROR_IO);
    assert_int_equal(errno, EADDRINUSE);
    snprintf(expected, sizeof(expected), "cannot listen on %s: address already in use",
             listener_name(rig.listener));
    assert_string_equal(error.text, expected);
    assert_null(second);
    rig_stop(&rig);
}

static void workers_share_a_port(void **state)
{
    struct rig rig;
    struct listener *listeners[2];
    struct listener_options options = {.reuse_port = true};
    struct address address;

    (void)state;
    rig_start(&rig, NULL);
    assert_int_equal(address_parse("127.0.0.1:0", 0, &address), 0);
    assert_int_equal(listener_open(&listeners[0], 1, &address, &rig.server, &options, NULL), 1);
    address.port = listener_port(listeners[0]);
    assert_int_equal(listener_open(&listeners[1], 1, &address, &rig.server, &options, NULL), 1);
    assert_int_equal(listener_port(listeners[0]), listener_port(listeners[1]));
    listener_close(listeners[0]);
    listener_close(listeners[1]);
    rig_stop(&rig);
}

static void ipv6_and_every_address(void **state)
{
    static const char *const binds[] = {"[::1]:0", ":0"};

    (void)state;
    int probe = socket(AF_INET6, SOCK_STREAM, 0);
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    bool have = probe >= 0 && bind(probe, (struct sockaddr *)&in6, sizeof(in6)) == 0;
    if (probe >= 0)
        close(probe);
    if (!have)
        skip();
    for (size_t i = 0; i < 2; i++) {
        struct rig rig;
        struct rig_options options = {.bind = binds[i]};
        rig_start(&rig, &options);
        struct link_target target = rig_target(&rig, NULL);
        target.host = "::1";
        echo_works(&rig, &target);
        assert_string_equal(rig.seen_peer, "::1");
        if (i == 1) {
            target.host = "127.0.0.1";
            echo_works(&rig, &target);
            assert_string_equal(rig.seen_peer, "127.0.0.1");
        }
        rig_stop(&rig);
    }
}

static void localhost_is_one_port_on_each_family(void **state)
{
    struct rig rig;
    struct listener *listeners[4];
    struct address address;

    (void)state;
    rig_start(&rig, NULL);
    assert_int_equal(address_parse("localhost:0", 0, &address), 0);
    int count = listener_open(listeners, 4, &address, &rig.server, NULL, NULL);
    assert_in_range(count, 1, 2);
    for (int i = 0; i < count; i++)
        assert_int_equal(listener_port(listeners[i]), listener_port(listeners[0]));
    for (int i = 0; i < count; i++)
        listener_close(listeners[i]);
    rig_stop(&rig);
}

static void unix_sockets(void **state)
{
    char directory[64], bind_text[128], path[96];
    struct rig rig, second;
    struct rig_options options = {.bind = bind_text};
    struct stat status;

    (void)state;
    rig_make_directory(directory);
    snprintf(path, sizeof(path), "%s/socket", directory);
    snprintf(bind_text, sizeof(bind_text), "unix:%s", path);
    rig_start(&rig, &options);
    assert_true(listener_is_unix(rig.listener));
    assert_string_equal(listener_name(rig.listener), bind_text);
    assert_int_equal(listener_port(rig.listener), 0);
    struct link_target target = rig_target(&rig, NULL);
    target.unix_path = path;
    echo_works(&rig, &target);
    assert_string_equal(rig.seen_peer, "");

    /* One that answers is not taken away. */
    struct listener *other = NULL;
    struct listener_error error;
    struct address address;
    assert_int_equal(address_parse(bind_text, 0, &address), 0);
    assert_int_equal(listener_open(&other, 1, &address, &rig.server, NULL, &error),
                     HERALD_ERROR_IO);
    assert_non_null(strstr(error.text, "address already in use"));
    rig_stop(&rig);
    assert_int_not_equal(stat(path, &status), 0);

    /* One that a dead process left is. */
    struct socket_address resolved;
    assert_int_equal(address_resolve(&address, &resolved, 1), 1);
    int stale = listener_bind(&resolved, NULL, &error);
    assert_true(stale >= 0);
    close(stale);
    assert_int_equal(stat(path, &status), 0);
    rig_start(&second, &options);
    rig_stop(&second);

    /* And a file that is no socket never. */
    int file = open(path, O_CREAT | O_WRONLY, 0600);
    close(file);
    assert_int_equal(listener_bind(&resolved, NULL, &error), HERALD_ERROR_IO);
    assert_int_equal(stat(path, &status), 0);
    rig_remove_directory(directory);
}

static void inherited_descriptors(void **state)
{
    struct rig rig;
    struct address address;
    struct socket_address resolved;
    struct listener_error error;
    char bind_text[32];
    int pair[2];

    (void)state;
    assert_int_equal(address_parse("127.0.0.1:0", 0, &address), 0);
    assert_int_equal(address_resolve(&address, &resolved, 1), 1);
    int descriptor = listener_bind(&resolved, NULL, &error);
    assert_true(descriptor >= 0);
    snprintf(bind_text, sizeof(bind_text), "fd://%d", descriptor);
    struct rig_options options = {.bind = bind_text};
    rig_start(&rig, &options);
    struct link_target target = rig_target(&rig, NULL);
    echo_works(&rig, &target);

    struct listener *bad = NULL;
    address = (struct address){.kind = ADDRESS_DESCRIPTOR, .descriptor = 999};
    assert_int_equal(listener_open(&bad, 1, &address, &rig.server, NULL, &error),
                     HERALD_ERROR_INVALID);
    assert_non_null(strstr(error.text, "descriptor 999 is not a socket"));
    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
    address.descriptor = pair[0];
    assert_int_equal(listener_open(&bad, 1, &address, &rig.server, NULL, &error),
                     HERALD_ERROR_INVALID);
    assert_non_null(strstr(error.text, "not a stream socket"));
    close(pair[1]);
    rig_stop(&rig);
}

static void names_that_do_not_resolve_are_told(void **state)
{
    struct rig rig;
    struct listener *listener = NULL;
    struct listener_error error;
    struct address address;

    (void)state;
    rig_start(&rig, NULL);
    assert_int_equal(address_parse("no-such-host.invalid:1", 0, &address), 0);
    assert_int_equal(listener_open(&listener, 1, &address, &rig.server, NULL, &error),
                     HERALD_ERROR_RESOLVE);
    assert_string_equal(error.text, "cannot resolve 'no-such-host.invalid' to listen on it");
    rig_stop(&rig);
}

static void without_descriptors_callers_are_turned_away(void **state)
{
    struct rig rig;
    struct rlimit old, low;
    int raw[4];
    uint8_t byte;

    (void)state;
    rig_start(&rig, NULL);
    for (unsigned i = 0; i < 4; i++)
        raw[i] = rig_raw_socket(&rig);
    /* No new descriptor is possible; the ones in use stay. */
    int highest = dup(0);
    close(highest);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    low = old;
    low.rlim_cur = (rlim_t)highest;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    loop_turn(rig.loop);
    loop_turn(rig.loop);
    /* One caller was let in and out again, and the loop does not spin on the others. */
    struct pollfd poll_one = {.fd = loop_backend_fd(rig.loop), .events = POLLIN};
    int spinning = poll(&poll_one, 1, 50);
    herald_time paused = uv_hrtime();
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    assert_int_equal(spinning, 0);
    assert_int_equal(rig.server.link_count, 0);
    assert_int_equal(recv(raw[0], &byte, 1, MSG_DONTWAIT), 0);
    assert_int_equal(send(raw[1], "x", 1, 0), 1);
    RIG_WAIT(&rig, rig.opened == 1);
    assert_true(uv_hrtime() - paused < HERALD_SECOND);
    for (unsigned i = 0; i < 4; i++)
        close(raw[i]);
    rig_stop(&rig);
}

static void a_stopped_listener_can_go_on(void **state)
{
    struct rig rig;

    (void)state;
    rig_start(&rig, NULL);
    listener_stop(rig.listener);
    int raw = rig_raw_socket(&rig);
    assert_int_equal(send(raw, "x", 1, 0), 1);
    for (unsigned turn = 0; turn < 5; turn++)
        loop_turn(rig.loop);
    assert_int_equal(rig.server.link_count, 0);
    assert_int_equal(listener_start(rig.listener), 0);
    RIG_WAIT(&rig, rig.opened == 1);
    close(raw);
    rig_stop(&rig);
}

static void many_connections_at_once(void **state)
{
    enum { COUNT = 200 };
    struct rig rig;
    static struct rig_client clients[COUNT];

    (void)state;
    rig_start(&rig, NULL);
    struct link_target target = rig_target(&rig, NULL);
    for (unsigned i = 0; i < COUNT; i++)
        rig_connect(&clients[i], &rig, &target);
    unsigned done = 0;
    for (herald_time limit = rig_deadline(); done < COUNT;) {
        rig_turn(&rig, limit, "all echoes");
        done = 0;
        for (unsigned i = 0; i < COUNT; i++) {
            if (clients[i].conn != NULL && clients[i].conn->pull_calls > 0 &&
                clients[i].conn->high_water == 0) {
                clients[i].conn->high_water = 1;
                fake_conn_send(clients[i].conn, "hello");
            }
            done += clients[i].conn != NULL && clients[i].conn->received == 5;
        }
    }
    assert_int_equal(rig.opened, COUNT);
    for (unsigned i = 0; i < COUNT; i++)
        rig_client_free(&clients[i]);
    RIG_WAIT(&rig, rig.closed == COUNT);
    rig_stop(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepted_sockets_have_their_options),
        cmocka_unit_test(a_port_in_use_is_told),
        cmocka_unit_test(workers_share_a_port),
        cmocka_unit_test(ipv6_and_every_address),
        cmocka_unit_test(localhost_is_one_port_on_each_family),
        cmocka_unit_test(unix_sockets),
        cmocka_unit_test(inherited_descriptors),
        cmocka_unit_test(names_that_do_not_resolve_are_told),
        cmocka_unit_test(without_descriptors_callers_are_turned_away),
        cmocka_unit_test(a_stopped_listener_can_go_on),
        cmocka_unit_test(many_connections_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
