#include "rig.h"

#include <stdio.h>
#include <unistd.h>

static void expect_end(struct rig *rig, const struct link_target *target, int reason,
                       const char *text)
{
    struct rig_client client = {0};

    rig_connect(&client, rig, target);
    RIG_WAIT(rig, client.closed == 1);
    assert_int_equal(client.opened, 0);
    assert_int_equal(client.reason, reason);
    if (text != NULL)
        assert_string_equal(client.error, text);
    rig_client_free(&client);
}

/* A port nobody listens on: bound, so that nobody else takes it. */
static int closed_port(uint16_t *port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(in);
    int descriptor = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(bind(descriptor, (struct sockaddr *)&in, sizeof(in)), 0);
    assert_int_equal(getsockname(descriptor, (struct sockaddr *)&in, &length), 0);
    *port = ntohs(in.sin_port);
    return descriptor;
}

static void refused(void **state)
{
    struct rig rig;
    struct link_target target;

    (void)state;
    rig_start(&rig, NULL);
    target = rig_target(&rig, NULL);
    int descriptor = closed_port(&target.port);
    expect_end(&rig, &target, HERALD_ERROR_REFUSED, "connection refused");
    target.host = "localhost";
    expect_end(&rig, &target, HERALD_ERROR_REFUSED, "connection refused");
    close(descriptor);
    rig_stop(&rig);
}

static void unresolved(void **state)
{
    struct rig rig;

    (void)state;
    rig_start(&rig, NULL);
    struct link_target target = rig_target(&rig, NULL);
    target.host = "no-such-host.invalid";
    target.connect_timeout = 8 * HERALD_SECOND;
    struct rig_client client = {0};
    rig_connect(&client, &rig, &target);
    RIG_WAIT(&rig, client.closed == 1);
    assert_int_equal(client.reason, HERALD_ERROR_RESOLVE);
    assert_non_null(strstr(client.error, "cannot resolve 'no-such-host.invalid': "));
    rig_client_free(&client);
    rig_stop(&rig);
}

static void a_unix_path_that_is_not_there(void **state)
{
    struct rig rig;

    (void)state;
    rig_start(&rig, NULL);
    struct link_target target = rig_target(&rig, NULL);
    target.unix_path = "/nonexistent/socket";
    expect_end(&rig, &target, HERALD_ERROR_IO, "no such file or directory");
    rig_stop(&rig);
}

static void bad_targets_are_refused_at_once(void **state)
{
    static const struct link_ops none;
    struct rig rig;
    struct link *link = NULL;
    char long_host[400];

    (void)state;
    rig_start(&rig, NULL);
    struct link_target target = {.host = "", .port = 80};
    assert_int_equal(link_connect(rig.loop, &target, &none, NULL, &link), HERALD_ERROR_INVALID);
    memset(long_host, 'x', sizeof(long_host));
    long_host[sizeof(long_host) - 1] = '\0';
    target.host = long_host;
    assert_int_equal(link_connect(rig.loop, &target, &none, NULL, &link), HERALD_ERROR_INVALID);
    rig_stop(&rig);
}

static void a_server_that_does_not_answer_the_handshake(void **state)
{
    struct rig rig;

    (void)state;
    rig_start(&rig, NULL);
    struct tls_client_config config = {.insecure = true};
    struct tls_context *context = NULL;
    assert_int_equal(tls_context_create_client(&context, &config, NULL), 0);
    listener_stop(rig.listener);
    struct link_target target = rig_target(&rig, context);
    target.handshake_timeout = 50 * HERALD_MILLISECOND;
    expect_end(&rig, &target, HERALD_ERROR_TIMEOUT, "the TLS handshake timed out");
    tls_context_release(context);
    rig_stop(&rig);
}

/* The backlog of a socket that never accepts is full: the handshake of TCP itself stays open. */
static void a_server_that_does_not_accept(void **state)
{
    struct rig rig;
    struct rig_client clients[8] = {0};
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(in);
    unsigned timeouts = 0;

    (void)state;
    rig_start(&rig, NULL);
    int full = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(full, (struct sockaddr *)&in, sizeof(in)), 0);
    assert_int_equal(listen(full, 0), 0);
    assert_int_equal(getsockname(full, (struct sockaddr *)&in, &length), 0);
    struct link_target target = rig_target(&rig, NULL);
    target.port = ntohs(in.sin_port);
    target.connect_timeout = 60 * HERALD_MILLISECOND;
    for (unsigned i = 0; i < 8; i++)
        rig_connect(&clients[i], &rig, &target);
    for (unsigned i = 0; i < 8; i++) {
        RIG_WAIT(&rig, clients[i].opened + clients[i].closed > 0);
        timeouts += clients[i].reason == HERALD_ERROR_TIMEOUT;
        if (clients[i].reason == HERALD_ERROR_TIMEOUT)
            assert_string_equal(clients[i].error, "connecting timed out");
        rig_client_free(&clients[i]);
    }
    assert_true(timeouts > 0);
    close(full);
    rig_stop(&rig);
}

static void a_server_that_speaks_no_tls(void **state)
{
    struct rig rig;

    (void)state;
    rig_start(&rig, NULL);
    struct tls_client_config config = {.insecure = true};
    struct tls_context *context = NULL;
    assert_int_equal(tls_context_create_client(&context, &config, NULL), 0);
    struct link_target target = rig_target(&rig, context);
    /* Ours closes at the hello. */
    expect_end(&rig, &target, HERALD_ERROR_CLOSED, NULL);
    int pair = closed_port(&target.port);
    assert_int_equal(listen(pair, 4), 0);
    struct rig_client client = {0};
    rig_connect(&client, &rig, &target);
    loop_turn(rig.loop);
    int accepted = accept(pair, NULL, NULL);
    assert_int_equal(send(accepted, "HTTP/1.1 400 \r\n\r\n", 17, 0), 17);
    RIG_WAIT(&rig, client.closed == 1);
    assert_int_equal(client.reason, HERALD_ERROR_TLS);
    assert_string_equal(client.error, "the peer does not speak TLS");
    rig_client_free(&client);
    close(accepted);
    close(pair);
    tls_context_release(context);
    rig_stop(&rig);
}

static void a_name_tries_every_address(void **state)
{
    struct rig rig;
    struct rig_client client = {0};

    (void)state;
    /* The listener is on IPv4 alone; localhost may well name IPv6 first. */
    rig_start(&rig, NULL);
    struct link_target target = rig_target(&rig, NULL);
    target.host = "localhost";
    rig_connect(&client, &rig, &target);
    RIG_WAIT(&rig, client.conn != NULL);
    const struct link_timing *timing = link_get_timing(client.link);
    assert_true(timing->started <= timing->resolved);
    assert_true(timing->resolved <= timing->connected);
    assert_int_equal(timing->secured, 0);
    assert_int_equal(link_info(client.link)->peer_port, listener_port(rig.listener));
    rig_client_free(&client);
    rig_stop(&rig);
}

static void closing_at_any_moment(void **state)
{
    static const char *const hosts[] = {"127.0.0.1", "localhost", "no-such-host.invalid"};
    struct rig_options options = {.tls = true};
    struct rig rig;

    (void)state;
    rig_start(&rig, &options);
    struct tls_context *context = rig_client_context(rig.directory);
    for (unsigned host = 0; host < 3; host++) {
        for (unsigned turns = 0; turns < 6; turns++) {
            struct rig_client client = {0};
            struct link_target target = rig_target(&rig, context);
            target.host = hosts[host];
            rig_connect(&client, &rig, &target);
            for (unsigned turn = 0; turn < turns; turn++)
                rig_turn(&rig, rig_deadline(), "a turn");
            if (client.link != NULL) {
                link_close(client.link, HERALD_ERROR_CANCELLED);
                link_close(client.link, HERALD_ERROR_IO);
                link_wake(client.link);
                assert_int_equal(client.closed, 0);
                loop_turn(rig.loop);
                assert_int_equal(client.closed, 1);
                assert_int_equal(client.reason, HERALD_ERROR_CANCELLED);
            }
            rig_client_free(&client);
            RIG_WAIT(&rig, rig.server.link_count == 0);
        }
    }
    tls_context_release(context);
    rig_stop(&rig);
}

static void the_loop_may_end_while_connecting(void **state)
{
    struct rig rig;
    struct rig_client clients[2] = {0};

    (void)state;
    rig_start(&rig, NULL);
    struct link_target target = rig_target(&rig, NULL);
    rig_connect(&clients[0], &rig, &target);
    target.host = "no-such-host.invalid";
    rig_connect(&clients[1], &rig, &target);
    link_close(clients[0].link, HERALD_ERROR_CANCELLED);
    link_close(clients[1].link, HERALD_ERROR_CANCELLED);
    rig_stop(&rig);
    assert_int_equal(clients[0].closed, 1);
    assert_int_equal(clients[1].closed, 1);
}

static void bad_client_settings_are_told(void **state)
{
    struct tls_context *context = NULL;
    struct tls_error error;
    struct tls_client_config no_file = {.ca_file = "/nonexistent/ca.pem"};
    struct tls_client_config no_ca = {.ca_file = "/dev/null"};
    struct tls_client_config bad_priorities = {.priorities = "NORMAL:+NONSENSE"};
    struct tls_client_config no_certificate = {.certificate = "/nonexistent/me.pem"};

    (void)state;
    assert_int_equal(tls_context_create_client(&context, &no_file, &error), HERALD_ERROR_IO);
    assert_string_equal(error.text,
                        "cannot read the CA file '/nonexistent/ca.pem': No such file or directory");
    assert_int_equal(tls_context_create_client(&context, &no_ca, &error), HERALD_ERROR_IO);
    assert_int_equal(tls_context_create_client(&context, &bad_priorities, &error),
                     HERALD_ERROR_TLS);
    assert_string_equal(error.text, "bad TLS priorities at '+NONSENSE'");
    assert_int_equal(tls_context_create_client(&context, &no_certificate, &error), HERALD_ERROR_IO);
    assert_null(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refused),
        cmocka_unit_test(unresolved),
        cmocka_unit_test(a_unix_path_that_is_not_there),
        cmocka_unit_test(bad_targets_are_refused_at_once),
        cmocka_unit_test(a_server_that_does_not_answer_the_handshake),
        cmocka_unit_test(a_server_that_does_not_accept),
        cmocka_unit_test(a_server_that_speaks_no_tls),
        cmocka_unit_test(a_name_tries_every_address),
        cmocka_unit_test(closing_at_any_moment),
        cmocka_unit_test(the_loop_may_end_while_connecting),
        cmocka_unit_test(bad_client_settings_are_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
