#include "support/check.h"

#include "herald.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static char answer[65536];

static void echo_some(herald_exchange *exchange)
{
    char buffer[256];
    size_t length;
    while ((length = herald_exchange_read(exchange, buffer, sizeof(buffer))) > 0)
        assert_int_equal(herald_exchange_write(exchange, buffer, length), 0);
    if (herald_exchange_at_end(exchange))
        herald_exchange_finish(exchange);
}

static void echo_readable(herald_exchange *exchange, void *user)
{
    (void)user;
    echo_some(exchange);
}

static void give_up(herald_exchange *exchange, void *user)
{
    (void)user;
    herald_exchange_abort(exchange);
}

static const herald_events echo_events = {.readable = echo_readable, .closed = give_up};

static void echo(herald_exchange *exchange, void *user)
{
    const herald_field type = {"Content-Type", "application/x-echo"};
    assert_int_equal(herald_exchange_respond(exchange, 200, &type, 1), 0);
    herald_exchange_listen(exchange, &echo_events, user);
    echo_some(exchange);
}

/* Says what it sees of the request. */
static void mirror(herald_exchange *exchange, void *user)
{
    char text[256];
    herald_text method = herald_exchange_method(exchange), path = herald_exchange_path(exchange),
                scheme = herald_exchange_scheme(exchange),
                authority = herald_exchange_authority(exchange),
                own = herald_exchange_field(exchange, "x-own"),
                absent = herald_exchange_field(exchange, "x-absent");
    assert_null(absent.data);
    int length = snprintf(text, sizeof(text), "%.*s %.*s %.*s %.*s %.*s %d %d %s",
                          (int)method.length, method.data, (int)scheme.length, scheme.data,
                          (int)authority.length, authority.data, (int)path.length, path.data,
                          (int)own.length, own.data, herald_exchange_version(exchange),
                          herald_exchange_is_pushed(exchange), (const char *)user);
    assert_int_equal(herald_exchange_reply(exchange, 200, "text/plain", text, (size_t)length), 0);
}

static void broken(herald_exchange *exchange, void *user)
{
    const herald_field length = {"content-length", "10"};
    (void)user;
    assert_int_equal(herald_exchange_inform(exchange, 103, NULL, 0), 0);
    assert_int_equal(herald_exchange_push(exchange, "/x", NULL, 0), HERALD_ERROR_UNSUPPORTED);
    assert_int_equal(herald_exchange_respond(exchange, 200, &length, 1), 0);
    assert_int_equal(herald_exchange_write(exchange, "five!", 5), 0);
    assert_true(herald_exchange_can_write(exchange));
    herald_exchange_finish(exchange);
}

static void *run(void *server)
{
    return herald_server_run(server) == 0 ? NULL : server;
}

static int connect_to(const char *address)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    to.sin_port = htons((uint16_t)strtoul(strrchr(address, ':') + 1, NULL, 10));
    int descriptor = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(descriptor, (struct sockaddr *)&to, sizeof(to)), 0);
    return descriptor;
}

static const char *ask(const char *address, const char *request)
{
    int descriptor = connect_to(address);
    size_t length = 0;
    assert_int_equal(write(descriptor, request, strlen(request)), strlen(request));
    for (ssize_t count = 1; count > 0; length += count > 0 ? (size_t)count : 0)
        count = read(descriptor, answer + length, sizeof(answer) - 1 - length);
    answer[length] = '\0';
    close(descriptor);
    return answer;
}

static void handlers_answer(void **state)
{
    (void)state;
    herald_server *server = herald_server_new();
    pthread_t thread;
    void *failed;
    char root[] = "root";
    assert_int_equal(herald_server_handle(server, "", mirror, root), 0);
    assert_int_equal(herald_server_handle(server, "/echo", echo, NULL), 0);
    assert_int_equal(herald_server_handle(server, "/broken", broken, NULL), 0);
    assert_int_equal(herald_server_handle(server, "/echo", echo, NULL), HERALD_ERROR_STATE);
    assert_int_equal(herald_server_handle(server, "echo", echo, NULL), HERALD_ERROR_INVALID);
    assert_int_equal(herald_server_listen_cleartext(server, "127.0.0.1:0"), 0);
    assert_null(herald_server_address(server, 0));
    assert_int_equal(herald_server_start(server), 0);
    assert_int_equal(herald_server_start(server), HERALD_ERROR_STATE);
    assert_int_equal(herald_server_handle(server, "/late", echo, NULL), HERALD_ERROR_STATE);
    const char *address = herald_server_address(server, 0);
    assert_int_equal(pthread_create(&thread, NULL, run, server), 0);

    ask(address, "GET /a?b HTTP/1.1\r\nhost: h\r\nx-own: mine\r\nconnection: close\r\n\r\n");
    assert_non_null(strstr(answer, "\r\n\r\nGET http h /a?b mine 11 0 root"));
    ask(address, "POST /echo HTTP/1.1\r\nhost: h\r\ncontent-length: 5\r\nconnection: close\r\n\r\n"
                 "hello");
    assert_non_null(strstr(answer, "content-type: application/x-echo\r\n"));
    assert_non_null(strstr(answer, "hello"));
    ask(address, "GET /broken HTTP/1.1\r\nhost: h\r\n\r\n");
    /* Whatever came of it, it was not a whole message. */
    const char *body = strstr(answer, "content-length: 10\r\n");
    assert_true(body == NULL || strlen(strstr(body, "\r\n\r\n") + 4) < 10);

    herald_server_stop(server);
    herald_server_stop(server);
    assert_int_equal(pthread_join(thread, &failed), 0);
    assert_null(failed);
    herald_server_free(server);
}

static void settings_are_checked(void **state)
{
    (void)state;
    herald_server *server = herald_server_new();
    assert_int_equal(herald_server_set(server, "h2_max_concurrent_streams", "10"), 0);
    assert_int_equal(herald_server_set(server, "no_such_key", "1"), HERALD_ERROR_NOT_FOUND);
    assert_int_equal(herald_server_set(server, "backlog", "many"), HERALD_ERROR_INVALID);
    assert_int_equal(herald_server_set(server, "workers", "2"), HERALD_ERROR_UNSUPPORTED);
    assert_int_equal(herald_server_set(server, "statsd_host", "x"), HERALD_ERROR_UNSUPPORTED);
    assert_int_equal(herald_server_folder(server, "/files", "/no/such/folder"),
                     HERALD_ERROR_NOT_FOUND);
    assert_int_equal(herald_server_folder(server, "/files", "/"), 0);
    herald_server_free(server);
    herald_server_free(NULL);
}

static void stopping_before_running(void **state)
{
    (void)state;
    herald_server *server = herald_server_new();
    assert_int_equal(herald_server_listen_cleartext(server, "127.0.0.1:0"), 0);
    herald_server_stop(server);
    assert_int_equal(herald_server_run(server), 0);
    assert_int_equal(herald_server_run(server), HERALD_ERROR_STATE);
    herald_server_free(server);
}

static void errors_have_texts(void **state)
{
    (void)state;
    assert_string_equal(herald_error_text(HERALD_ERROR_NOMEM), "out of memory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(handlers_answer),
        cmocka_unit_test(settings_are_checked),
        cmocka_unit_test(stopping_before_running),
        cmocka_unit_test(errors_have_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
