#include "support/check.h"

#include "base/log.h"
#include "h1/h1.h"
#include "net/loop.h"
#include "server/server.h"
#include "server/status.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct engine *const engines[] = {&h1_engine};

struct rig {
    struct loop *loop;
    struct serve_config config;
    struct server *server;
    struct handler handler;
    struct exchange *held; /* of "/hold" */
    uint16_t port;
    unsigned stopped, worn_out, destroyed;
    char answer[4096];
    size_t length;
};

static void held_closed(struct exchange *exchange, int reason)
{
    struct rig *rig = exchange->user;
    (void)reason;
    exchange_release(exchange);
    rig->held = NULL;
}

static const struct exchange_events held_events = {.closed = held_closed};

static void start(struct handler *handler, struct exchange *exchange)
{
    struct rig *rig = CONTAINER_OF(handler, struct rig, handler);
    if (span_equals(exchange->incoming.path, SPAN_LITERAL("/hold"))) {
        exchange->user = rig;
        exchange->events = &held_events;
        rig->held = exchange;
        return;
    }
    assert_ptr_equal(server_of(exchange), rig->server);
    assert_ptr_equal(server_config_of(exchange), &rig->config);
    status_respond(exchange, 200, NULL, 0);
    exchange_release(exchange);
}

static void destroy(struct handler *handler)
{
    CONTAINER_OF(handler, struct rig, handler)->destroyed++;
}

static void on_stopped(struct server *server, void *user)
{
    (void)server;
    ((struct rig *)user)->stopped++;
}

static void on_worn_out(struct server *server, void *user)
{
    (void)server;
    ((struct rig *)user)->worn_out++;
}

static int create(struct rig *rig)
{
    const struct server_options options = {
        .loop = rig->loop,
        .config = &rig->config,
        .handler = &rig->handler,
        .engines = engines,
        .engine_count = 1,
        .stopped = on_stopped,
        .worn_out = on_worn_out,
        .user = rig,
    };
    return server_create(&options, &rig->server);
}

static int set_up(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    serve_config_init(&rig->config);
    rig->handler = (struct handler){.start = start, .destroy = destroy};
    rig->config.insecure_bind.items[0] = "127.0.0.1:0";
    rig->config.insecure_bind.count = 1;
    *state = rig;
    return loop_create(&rig->loop);
}

static int tear_down(void **state)
{
    struct rig *rig = *state;
    server_destroy(rig->server);
    loop_destroy(rig->loop);
    serve_config_free(&rig->config);
    free(rig);
    return 0;
}

static void begin(struct rig *rig)
{
    assert_int_equal(create(rig), 0);
    assert_int_equal(server_start(rig->server), 0);
    const char *address = server_address(rig->server, 0);
    assert_non_null(address);
    rig->port = (uint16_t)strtoul(strrchr(address, ':') + 1, NULL, 10);
}

static int connect_to(struct rig *rig)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    to.sin_port = htons(rig->port);
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    int result = connect(descriptor, (struct sockaddr *)&to, sizeof(to));
    if (result < 0 && errno != EINPROGRESS) {
        close(descriptor);
        return -1;
    }
    return descriptor;
}

static void turn(struct rig *rig)
{
    struct pollfd poller = {.fd = loop_backend_fd(rig->loop), .events = POLLIN};
    int timeout = loop_backend_timeout(rig->loop);
    poll(&poller, 1, timeout < 0 || timeout > 20 ? 20 : timeout);
    loop_turn(rig->loop);
}

static void send_text(struct rig *rig, int descriptor, const char *text)
{
    struct pollfd poller = {.fd = descriptor, .events = POLLOUT};
    for (int i = 0; i < 100 && (poll(&poller, 1, 0) != 1 || poller.revents != POLLOUT); i++)
        turn(rig);
    assert_int_equal(write(descriptor, text, strlen(text)), strlen(text));
}

/* Turns until the peer's text contains `wanted` (NULL: until the end of the connection). */
static bool receive(struct rig *rig, int descriptor, const char *wanted)
{
    rig->length = 0;
    rig->answer[0] = '\0';
    for (int i = 0; i < 300; i++) {
        turn(rig);
        ssize_t length =
            read(descriptor, rig->answer + rig->length, sizeof(rig->answer) - 1 - rig->length);
        if (length > 0)
            rig->length += (size_t)length;
        rig->answer[rig->length] = '\0';
        if (wanted != NULL && strstr(rig->answer, wanted) != NULL)
            return true;
        if (length == 0 || (length < 0 && errno != EAGAIN))
            return wanted == NULL;
    }
    return false;
}

#define GET(path) "GET " path " HTTP/1.1\r\nhost: example.com\r\n\r\n"

static void answers_carry_the_default_fields(void **state)
{
    struct rig *rig = *state;
    rig->config.alt_svc_headers.items[0] = "h3=\":1\"";
    rig->config.alt_svc_headers.count = 1;
    begin(rig);
    int peer = connect_to(rig);
    send_text(rig, peer, GET("/"));
    assert_true(receive(rig, peer, "200 OK\n"));
    assert_non_null(strstr(rig->answer, "server: herald\r\n"));
    assert_non_null(strstr(rig->answer, " GMT\r\n"));
    assert_non_null(strstr(rig->answer, "alt-svc: h3=\":1\"\r\n"));
    const struct server_counters *counters = server_counters(rig->server);
    assert_int_equal(counters->requests, 1);
    assert_int_equal(counters->responses, 1);
    assert_int_equal(counters->running, 0);
    assert_int_equal(counters->connections_accepted, 1);
    close(peer);
    for (int i = 0; i < 100 && counters->connections_closed == 0; i++)
        turn(rig);
    assert_int_equal(counters->connections_closed, 1);
}

static void default_fields_can_be_left_out(void **state)
{
    struct rig *rig = *state;
    rig->config.include_server_header = rig->config.include_date_header = false;
    begin(rig);
    int peer = connect_to(rig);
    send_text(rig, peer, GET("/"));
    assert_true(receive(rig, peer, "200 OK\n"));
    assert_null(strstr(rig->answer, "server:"));
    assert_null(strstr(rig->answer, "date:"));
    close(peer);
}

static void other_hosts_are_not_served(void **state)
{
    struct rig *rig = *state;
    rig->config.server_names.items[0] = "example.org";
    rig->config.server_names.count = 1;
    begin(rig);
    int peer = connect_to(rig);
    send_text(rig, peer, GET("/"));
    assert_true(receive(rig, peer, "404 Not Found\n"));
    send_text(rig, peer, "GET / HTTP/1.1\r\nhost: Example.ORG:8443\r\n\r\n");
    assert_true(receive(rig, peer, "200 OK\n"));
    close(peer);
}

static void shutdown_ends_what_is_idle_and_waits_for_the_rest(void **state)
{
    struct rig *rig = *state;
    begin(rig);
    int idle = connect_to(rig), busy = connect_to(rig);
    send_text(rig, idle, GET("/"));
    assert_true(receive(rig, idle, "200 OK\n"));
    send_text(rig, busy, GET("/hold"));
    for (int i = 0; i < 100 && rig->held == NULL; i++)
        turn(rig);
    assert_non_null(rig->held);
    server_shutdown(rig->server, 10 * HERALD_SECOND);
    assert_true(receive(rig, idle, NULL));
    assert_int_equal(rig->stopped, 0);
    status_respond(rig->held, 200, NULL, 0);
    exchange_release(rig->held);
    rig->held = NULL;
    assert_true(receive(rig, busy, "200 OK\n"));
    close(idle);
    close(busy);
    for (int i = 0; i < 300 && rig->stopped == 0; i++)
        turn(rig);
    assert_int_equal(rig->stopped, 1);
    assert_int_equal(server_counters(rig->server)->connections_forced, 0);
    int late = connect_to(rig);
    struct pollfd poller = {.fd = late, .events = POLLOUT};
    assert_true(late == -1 || (poll(&poller, 1, 1000) == 1 && (poller.revents & POLLERR) != 0));
    if (late >= 0)
        close(late);
}

static void a_connection_just_made_gets_its_answer(void **state)
{
    struct rig *rig = *state;
    begin(rig);
    int accepted = connect_to(rig), queued;
    for (int i = 0; i < 20 && rig->server != NULL; i++)
        turn(rig);
    queued = connect_to(rig);
    server_shutdown(rig->server, 10 * HERALD_SECOND);
    send_text(rig, accepted, GET("/"));
    send_text(rig, queued, GET("/"));
    assert_true(receive(rig, accepted, "200 OK\n"));
    assert_true(receive(rig, queued, "200 OK\n"));
    /* Closed by the server, long before anything is idle for too long. */
    assert_true(receive(rig, accepted, NULL));
    assert_true(receive(rig, queued, NULL));
    close(accepted);
    close(queued);
    for (int i = 0; i < 300 && rig->stopped == 0; i++)
        turn(rig);
    assert_int_equal(rig->stopped, 1);
}

static void a_silent_connection_holds_nothing_up(void **state)
{
    struct rig *rig = *state;
    begin(rig);
    int silent = connect_to(rig);
    for (int i = 0; i < 5; i++)
        turn(rig);
    herald_time before = loop_now(rig->loop);
    server_shutdown(rig->server, 100 * HERALD_SECOND);
    for (int i = 0; i < 300 && rig->stopped == 0; i++)
        turn(rig);
    assert_int_equal(rig->stopped, 1);
    assert_true(loop_now(rig->loop) - before < 3 * HERALD_SECOND);
    close(silent);
}

static void what_outlasts_the_graceful_timeout_is_cut(void **state)
{
    struct rig *rig = *state;
    begin(rig);
    int busy = connect_to(rig);
    send_text(rig, busy, GET("/hold"));
    for (int i = 0; i < 100 && rig->held == NULL; i++)
        turn(rig);
    log_set_level(LOG_ERROR);
    server_shutdown(rig->server, 50 * HERALD_MILLISECOND);
    for (int i = 0; i < 300 && rig->stopped == 0; i++)
        turn(rig);
    log_set_level(LOG_INFO);
    assert_int_equal(rig->stopped, 1);
    assert_null(rig->held);
    assert_int_equal(server_counters(rig->server)->connections_forced, 1);
    assert_int_equal(server_counters(rig->server)->aborted, 1);
    close(busy);
}

static void a_second_stop_may_be_at_once(void **state)
{
    struct rig *rig = *state;
    begin(rig);
    int busy = connect_to(rig);
    send_text(rig, busy, GET("/hold"));
    for (int i = 0; i < 100 && rig->held == NULL; i++)
        turn(rig);
    server_shutdown(rig->server, 100 * HERALD_SECOND);
    turn(rig);
    assert_int_equal(rig->stopped, 0);
    server_shutdown(rig->server, 0);
    for (int i = 0; i < 10 && rig->stopped == 0; i++)
        turn(rig);
    assert_int_equal(rig->stopped, 1);
    close(busy);
}

static void a_worker_wears_out(void **state)
{
    struct rig *rig = *state;
    rig->config.max_requests = 2;
    begin(rig);
    int peer = connect_to(rig);
    send_text(rig, peer, GET("/"));
    assert_true(receive(rig, peer, "200 OK\n"));
    assert_int_equal(rig->worn_out, 0);
    send_text(rig, peer, GET("/"));
    assert_true(receive(rig, peer, "200 OK\n"));
    assert_int_equal(rig->worn_out, 1);
    close(peer);
}

static void destroying_cuts_what_is_open(void **state)
{
    struct rig *rig = *state;
    begin(rig);
    int peer = connect_to(rig);
    send_text(rig, peer, GET("/hold"));
    for (int i = 0; i < 100 && rig->held == NULL; i++)
        turn(rig);
    server_destroy(rig->server);
    rig->server = NULL;
    assert_null(rig->held);
    assert_int_equal(rig->destroyed, 1);
    close(peer);
}

static void a_taken_port_opens_nothing(void **state)
{
    struct rig *rig = *state;
    struct sockaddr_in taken = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(taken);
    int descriptor = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(descriptor, (struct sockaddr *)&taken, length), 0);
    assert_int_equal(listen(descriptor, 1), 0);
    getsockname(descriptor, (struct sockaddr *)&taken, &length);
    char address[32];
    snprintf(address, sizeof(address), "127.0.0.1:%u", ntohs(taken.sin_port));
    rig->config.insecure_bind.items[1] = address;
    rig->config.insecure_bind.count = 2;
    assert_int_equal(create(rig), 0);
    log_set_file(open("/dev/null", O_WRONLY));
    assert_int_equal(server_start(rig->server), HERALD_ERROR_IO);
    log_set_file(STDERR_FILENO);
    assert_null(server_address(rig->server, 0));
    close(descriptor);
}

static void a_bad_address_is_a_mistake_of_configuration(void **state)
{
    struct rig *rig = *state;
    rig->config.insecure_bind.items[0] = "127.0.0.1:99999";
    assert_int_equal(create(rig), 0);
    log_set_file(open("/dev/null", O_WRONLY));
    assert_int_equal(server_bind(rig->server), HERALD_ERROR_CONFIG);
    log_set_file(STDERR_FILENO);
}

static void without_a_certificate_there_is_no_tls(void **state)
{
    struct rig *rig = *state;
    rig->config.bind.items[0] = "127.0.0.1:0";
    rig->config.bind.count = 1;
    log_set_file(open("/dev/null", O_WRONLY));
    assert_int_equal(create(rig), HERALD_ERROR_CONFIG);
    log_set_file(STDERR_FILENO);
    assert_null(rig->server);
    /* The handler is still the caller's. */
    assert_int_equal(rig->destroyed, 0);
}

#define RIG_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(answers_carry_the_default_fields),
        RIG_TEST(default_fields_can_be_left_out),
        RIG_TEST(other_hosts_are_not_served),
        RIG_TEST(shutdown_ends_what_is_idle_and_waits_for_the_rest),
        RIG_TEST(a_connection_just_made_gets_its_answer),
        RIG_TEST(a_silent_connection_holds_nothing_up),
        RIG_TEST(what_outlasts_the_graceful_timeout_is_cut),
        RIG_TEST(a_second_stop_may_be_at_once),
        RIG_TEST(a_worker_wears_out),
        RIG_TEST(destroying_cuts_what_is_open),
        RIG_TEST(a_taken_port_opens_nothing),
        RIG_TEST(a_bad_address_is_a_mistake_of_configuration),
        RIG_TEST(without_a_certificate_there_is_no_tls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
