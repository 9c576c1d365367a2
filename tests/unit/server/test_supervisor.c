#include "support/check.h"

#include "base/log.h"
#include "net/loop.h"
#include "server/supervisor.h"
#include "server/supervisor_sockets.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static char directory[64];

struct run {
    struct serve_config config;
    unsigned started;
    bool stop_when_started;
    char address[192];
    int code;
    uint64_t took; /* ns */
};

static void on_started(void *user, const char *const *addresses, size_t count)
{
    struct run *run = user;
    run->started++;
    assert_int_equal(count, 1);
    snprintf(run->address, sizeof(run->address), "%s", addresses[0]);
    if (run->stop_when_started)
        raise(SIGTERM);
}

/* A supervisor whose workers are a shell script. */
static void run_script(struct run *run, unsigned workers, const char *script)
{
    const char *const command[] = {"/bin/sh", "-c", script, "worker", NULL};
    char *arguments[] = {(char *)"serve", (char *)"target", NULL};
    const struct supervisor_options options = {
        .config = &run->config,
        .arguments = arguments,
        .command = command,
        .started = on_started,
        .user = run,
    };
    serve_config_init(&run->config);
    run->config.workers = workers;
    run->config.insecure_bind.items[0] = "127.0.0.1:0";
    run->config.insecure_bind.count = 1;
    uint64_t before = uv_hrtime();
    run->code = supervisor_run(&options);
    run->took = uv_hrtime() - before;
    serve_config_free(&run->config);
}

/* The shell tells that it is ready, and stays. */
#define READY "eval \"printf r >&$HERALD_READY_FD\"; "
#define STAY  "while :; do sleep 0.05; done"

static void stops_when_told(void **state)
{
    (void)state;
    struct run run = {.stop_when_started = true};
    run_script(&run, 2, READY STAY);
    assert_int_equal(run.code, 0);
    assert_int_equal(run.started, 1);
    assert_memory_equal(run.address, "http://127.0.0.1:", 17);
}

static void workers_get_arguments_and_sockets(void **state)
{
    (void)state;
    struct run run = {.stop_when_started = true};
    run_script(&run, 1,
               "test \"$0 $*\" = 'worker serve target' || exit 9;"
               "test \"$HERALD_LISTEN_FDS\" = cleartext=3 || exit 10;"
               "test -S /proc/self/fd/3 || exit 11;"
               "test \"$HERALD_WORKER\" = 1 || exit 12;"
               "test \"$HERALD_MASTER\" = $PPID || exit 13;"
               "test $(wc -c < /proc/self/fd/$HERALD_TICKET_FD) = 64 || exit 14;" READY STAY);
    assert_int_equal(run.code, 0);
    assert_int_equal(run.started, 1);
}

static void a_worker_that_cannot_start_ends_all(void **state)
{
    (void)state;
    struct run run = {0};
    run_script(&run, 2, "test $HERALD_WORKER = 2 && exit 2;" READY STAY);
    assert_int_equal(run.code, 2);
    assert_int_equal(run.started, 0);
}

static void a_worker_killed_before_it_was_ready_ends_all(void **state)
{
    (void)state;
    struct run run = {0};
    log_set_file(open("/dev/null", O_WRONLY));
    run_script(&run, 1, "kill -9 $$");
    log_set_file(STDERR_FILENO);
    assert_int_equal(run.code, 1);
    assert_int_equal(run.started, 0);
}

static void a_crashed_worker_is_replaced(void **state)
{
    (void)state;
    struct run run = {0};
    char script[300];
    snprintf(script, sizeof(script),
             "if test -e %s/first; then kill -TERM $HERALD_MASTER; " STAY "; fi;"
             "touch %s/first; " READY "kill -9 $$",
             directory, directory);
    log_set_file(open("/dev/null", O_WRONLY));
    run_script(&run, 1, script);
    log_set_file(STDERR_FILENO);
    assert_int_equal(run.code, 0);
    assert_int_equal(run.started, 1);
    assert_true(run.took < 2 * HERALD_SECOND);
}

static void a_crash_loop_slows_down(void **state)
{
    (void)state;
    struct run run = {0};
    char script[400];
    snprintf(script, sizeof(script),
             "echo >> %s/lives; test $(wc -l < %s/lives) = 4 && kill -TERM $HERALD_MASTER; " READY
             "exit 3",
             directory, directory);
    log_set_file(open("/dev/null", O_WRONLY));
    run_script(&run, 1, script);
    log_set_file(STDERR_FILENO);
    assert_int_equal(run.code, 0);
    /* Replaced at once, after 100 ms, after 200 ms. */
    assert_true(run.took >= 300 * HERALD_MILLISECOND);
}

static void who_leaves_is_replaced_while_it_finishes(void **state)
{
    (void)state;
    struct run run = {0};
    char script[1000];
    /* The second one finds the first still running, and ends it. */
    snprintf(script, sizeof(script),
             "if test -e %s/leaving; then kill -0 $(cat %s/leaving) || exit 9;"
             " kill $(cat %s/leaving); kill -TERM $HERALD_MASTER; " STAY "; fi;" READY
             "echo $$ > %s/new; mv %s/new %s/leaving;"
             "eval \"printf l >&$HERALD_READY_FD\"; trap 'exit 0' TERM; " STAY,
             directory, directory, directory, directory, directory, directory);
    run_script(&run, 1, script);
    assert_int_equal(run.code, 0);
    assert_int_equal(run.started, 1);
    assert_true(run.took < 5 * HERALD_SECOND);
}

static void a_command_that_is_not_there(void **state)
{
    (void)state;
    const char *const command[] = {"/no/such/command", NULL};
    char *arguments[] = {NULL};
    struct serve_config config;
    const struct supervisor_options options = {
        .config = &config, .arguments = arguments, .command = command};
    serve_config_init(&config);
    config.workers = 2;
    config.insecure_bind.items[0] = "127.0.0.1:0";
    config.insecure_bind.count = 1;
    log_set_file(open("/dev/null", O_WRONLY));
    assert_int_equal(supervisor_run(&options), 1);
    log_set_file(STDERR_FILENO);
    serve_config_free(&config);
}

static uint16_t port_of(int descriptor)
{
    struct sockaddr_in address;
    socklen_t length = sizeof(address);
    assert_int_equal(getsockname(descriptor, (struct sockaddr *)&address, &length), 0);
    return ntohs(address.sin_port);
}

static void every_worker_has_a_socket_of_the_port(void **state)
{
    (void)state;
    static struct supervisor_sockets sockets, second;
    struct serve_config config;
    char path[100], taken[32];
    snprintf(path, sizeof(path), "unix:%s/socket", directory);
    serve_config_init(&config);
    config.workers = 3;
    config.insecure_bind.items[0] = "127.0.0.1:0";
    config.insecure_bind.items[1] = path;
    config.insecure_bind.count = 2;
    assert_int_equal(supervisor_sockets_open(&sockets, &config), 0);
    assert_int_equal(sockets.count, 2);
    uint16_t port = port_of(sockets.items[0].descriptors[0]);
    assert_int_equal(port_of(sockets.items[0].descriptors[1]), port);
    assert_int_equal(port_of(sockets.items[0].descriptors[2]), port);
    assert_true(sockets.items[1].shared);
    assert_int_equal(sockets.items[1].descriptors[1], -1);

    /* SO_REUSEPORT lets no second server in. */
    snprintf(taken, sizeof(taken), "127.0.0.1:%u", port);
    config.insecure_bind.items[0] = taken;
    config.insecure_bind.count = 1;
    log_set_file(open("/dev/null", O_WRONLY));
    assert_int_equal(supervisor_sockets_open(&second, &config), HERALD_ERROR_IO);
    config.insecure_bind.items[0] = "127.0.0.1:99999";
    assert_int_equal(supervisor_sockets_open(&second, &config), HERALD_ERROR_CONFIG);
    log_set_file(STDERR_FILENO);
    assert_int_equal(second.count, 0);

    supervisor_sockets_close(&sockets);
    assert_int_equal(access(path + 5, F_OK), -1);
    serve_config_free(&config);
}

static void a_process_without_master_is_no_worker(void **state)
{
    (void)state;
    struct serve_config config;
    serve_config_init(&config);
    assert_int_equal(worker_adopt(&config), 0);
    setenv("HERALD_WORKER", "1", 1);
    setenv("HERALD_LISTEN_FDS", "tls=3", 1);
    setenv("HERALD_MASTER", "999999", 1);
    assert_int_equal(worker_adopt(&config), HERALD_ERROR_STATE);
    unsetenv("HERALD_WORKER");
    unsetenv("HERALD_LISTEN_FDS");
    unsetenv("HERALD_MASTER");
    worker_ready();
    serve_config_free(&config);
}

static int set_up(void **state)
{
    (void)state;
    snprintf(directory, sizeof(directory), "/tmp/herald-super-XXXXXX");
    return mkdtemp(directory) == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof(command), "rm -r %s", directory);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stops_when_told),
        cmocka_unit_test(workers_get_arguments_and_sockets),
        cmocka_unit_test(a_worker_that_cannot_start_ends_all),
        cmocka_unit_test(a_worker_killed_before_it_was_ready_ends_all),
        cmocka_unit_test(a_crashed_worker_is_replaced),
        cmocka_unit_test(a_crash_loop_slows_down),
        cmocka_unit_test(who_leaves_is_replaced_while_it_finishes),
        cmocka_unit_test(a_command_that_is_not_there),
        cmocka_unit_test(every_worker_has_a_socket_of_the_port),
        cmocka_unit_test(a_process_without_master_is_no_worker),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
