#include "support/check.h"

#include "cli/serve.h"
#include "client/client.h"
#include "net/loop.h"
#include "net/tls.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

struct seen {
    char hint[200], pushed_path[100], body[1000], pushed_body[1000];
    unsigned status, pushed_status;
    unsigned closed;
    struct client_request *promised;
    struct loop *loop;
};

static void take(struct client_request *request, char text[1000])
{
    struct span bytes;
    while ((bytes = exchange_peek(request->exchange)).length > 0) {
        size_t used = strlen(text);
        snprintf(text + used, 1000 - used, "%.*s", SPAN_ARGUMENTS(bytes));
        exchange_consume(request->exchange, bytes.length);
    }
}

static void on_informational(struct client_request *request, const struct message *message)
{
    struct seen *seen = request->user;
    struct span link = fields_value(&message->fields, KNOWN_LINK);
    assert_int_equal(message->status, 103);
    snprintf(seen->hint, sizeof(seen->hint), "%.*s", SPAN_ARGUMENTS(link));
}

static void on_head(struct client_request *request)
{
    struct seen *seen = request->user;
    *(request->is_pushed ? &seen->pushed_status : &seen->status) =
        request->exchange->incoming.status;
}

static void on_readable(struct client_request *request)
{
    struct seen *seen = request->user;
    take(request, request->is_pushed ? seen->pushed_body : seen->body);
}

static void on_closed(struct client_request *request, int reason)
{
    struct seen *seen = request->user;
    assert_int_equal(reason, 0);
    on_readable(request);
    if (++seen->closed == 2)
        loop_stop(seen->loop);
}

static const struct client_events events;

static bool on_pushed(struct client_request *request, struct client_request *promised)
{
    struct seen *seen = request->user;
    struct span path = promised->exchange->outgoing.path;
    snprintf(seen->pushed_path, sizeof(seen->pushed_path), "%.*s", SPAN_ARGUMENTS(path));
    promised->events = &events;
    promised->user = seen;
    seen->promised = promised;
    return true;
}

static const struct client_events events = {
    .informational = on_informational,
    .head = on_head,
    .readable = on_readable,
    .pushed = on_pushed,
    .closed = on_closed,
};

/* The program built beside this test; its port from its first line. */
static pid_t start_hello(uint16_t *port)
{
    char path[PATH_MAX], line[200] = "";
    ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 20);
    assert_true(length > 0);
    path[length] = '\0';
    snprintf(strrchr(path, '/'), 12, "/api/hello");
    int output[2];
    assert_int_equal(pipe2(output, O_CLOEXEC), 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, output[1], STDERR_FILENO);
    char *const words[] = {path, (char *)"127.0.0.1:0", NULL};
    pid_t child;
    assert_int_equal(posix_spawn(&child, path, &actions, NULL, words, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(output[1]);
    FILE *file = fdopen(output[0], "r");
    assert_non_null(fgets(line, sizeof(line), file));
    fclose(file);
    unsigned number;
    assert_int_equal(sscanf(line, "https://127.0.0.1:%u/", &number), 1);
    *port = (uint16_t)number;
    return child;
}

static void give_up(struct loop_timer *timer, herald_time now)
{
    (void)timer;
    (void)now;
    fail_msg("no answer within 10 s");
}

static void ask(struct seen *seen, uint16_t port)
{
    struct tls_context *tls;
    struct tls_error error;
    struct client_request *request;
    struct loop_timer timer = {.expired = give_up};
    assert_int_equal(loop_create(&seen->loop), 0);
    assert_int_equal(
        tls_context_create_client(&tls, &(struct tls_client_config){.no_resumption = true}, &error),
        0);
    const struct client_config config = {
        .loop = seen->loop,
        .engines = serve_engines,
        .engine_count = serve_engine_count,
        .tls = tls,
        .push = true,
    };
    struct client *client = client_create(&config);
    const struct client_request_options options = {
        .target = {.scheme = "https", .host = "127.0.0.1", .port = port},
        .message = {.method = SPAN_LITERAL("GET"),
                    .scheme = SPAN_LITERAL("https"),
                    .authority = SPAN_LITERAL("127.0.0.1"),
                    .path = SPAN_LITERAL("/"),
                    .content_length = CONTENT_LENGTH_UNKNOWN},
        .events = &events,
        .user = seen,
    };
    assert_int_equal(client_request_start(client, &options, &request), 0);
    loop_timer_set(seen->loop, &timer, loop_now(seen->loop) + 10 * HERALD_SECOND);
    assert_int_equal(loop_run(seen->loop), 0);
    loop_timer_stop(seen->loop, &timer);
    client_request_release(request);
    if (seen->promised != NULL)
        client_request_release(seen->promised);
    client_destroy(client);
    tls_context_release(tls);
    loop_destroy(seen->loop);
}

static void the_example_hints_and_pushes(void **state)
{
    (void)state;
    char home[] = "/tmp/herald-hello-XXXXXX", command[100];
    assert_non_null(mkdtemp(home));
    setenv("XDG_DATA_HOME", home, 1);
    struct seen seen = {0};
    uint16_t port;
    pid_t child = start_hello(&port);
    ask(&seen, port);
    kill(child, SIGTERM);
    waitpid(child, NULL, 0);
    snprintf(command, sizeof(command), "rm -r %s", home);
    assert_int_equal(system(command), 0);

    assert_string_equal(seen.hint, "</app.js>; rel=preload; as=script");
    assert_string_equal(seen.pushed_path, "/style.css");
    assert_int_equal(seen.status, 200);
    assert_non_null(strstr(seen.body, "<script src=/app.js>"));
    assert_int_equal(seen.pushed_status, 200);
    assert_string_equal(seen.pushed_body, "body { color: navy }\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_hints_and_pushes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
