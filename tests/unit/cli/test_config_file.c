#include "support/check.h"

#include "base/err.h"
#include "cli/capture.h"
#include "cli/config_file.h"
#include "cli/serve_options.h"

#include <sys/stat.h>

static char directory[64];

struct run {
    struct serve_settings settings;
    struct capture errors;
    int result;
};

/* Writes `text` to `name` in the test's folder and reads it. */
static void run(struct run *run, const char *name, const char *text)
{
    if (text != NULL) {
        FILE *file = fopen(name, "w");
        assert_non_null(file);
        fputs(text, file);
        fclose(file);
    }
    memset(run, 0, sizeof(*run));
    serve_config_init(&run->settings.config);
    capture_start(&run->errors, STDERR_FILENO);
    run->result =
        config_file_read(name, NULL, &serve_options, &run->settings, &run->settings.config);
    capture_stop(&run->errors);
}

static void finish(struct run *run)
{
    serve_config_free(&run->settings.config);
}

static void expect_refused(struct run *run, const char *line)
{
    assert_string_equal(run->errors.text, line);
    assert_int_equal(run->result, HERALD_ERROR_CONFIG);
    finish(run);
}

static void check_seed_values(struct run *r)
{
    const struct serve_config *config = &r->settings.config;
    assert_string_equal(r->errors.text, "");
    assert_int_equal(r->result, 0);
    assert_int_equal(config->bind.count, 1);
    assert_string_equal(config->bind.items[0], "0.0.0.0:8443");
    assert_string_equal(config->certfile.items[0], "/etc/ssl/certs/server.pem");
    assert_string_equal(config->keyfile.items[0], "/etc/ssl/private/server-key.pem");
    assert_int_equal(config->limits.concurrent_streams, 100);
    assert_int_equal(config->limits.field_list_size, 65536);
    assert_int_equal(config->limits.stream_window, 65535);
    assert_int_equal(config->workers, 4);
    finish(r);
}

static const char seed_python[] = "# hypercorn_config.py\n"
                                  "bind = \"0.0.0.0:8443\"\n"
                                  "certfile = \"/etc/ssl/certs/server.pem\"\n"
                                  "keyfile = \"/etc/ssl/private/server-key.pem\"\n"
                                  "h2_max_concurrent_streams = 100\n"
                                  "h2_max_header_list_size = 65536\n"
                                  "h2_initial_window_size = 65535\n"
                                  "workers = 4\n";

static void a_hypercorn_config_is_read_unchanged(void **state)
{
    (void)state;
    struct run r;
    run(&r, "hypercorn_config.py", seed_python);
    check_seed_values(&r);
    run(&r, "file:hypercorn_config.py", NULL);
    check_seed_values(&r);
    run(&r, "python:hypercorn_config", NULL);
    check_seed_values(&r);
}

static void the_other_formats_say_the_same(void **state)
{
    (void)state;
    struct run r;
    run(&r, "c.toml", seed_python);
    check_seed_values(&r);
    run(&r, "c.yaml",
        "bind: 0.0.0.0:8443\ncertfile: /etc/ssl/certs/server.pem\n"
        "keyfile: \"/etc/ssl/private/server-key.pem\"\nh2_max_concurrent_streams: 100\n"
        "h2_max_header_list_size: 65536\nh2_initial_window_size: 65535\nworkers: 4\n");
    check_seed_values(&r);
    run(&r, "c.json",
        "{\"bind\": [\"0.0.0.0:8443\"], \"certfile\": \"/etc/ssl/certs/server.pem\","
        "\"keyfile\": \"/etc/ssl/private/server-key.pem\", \"h2_max_concurrent_streams\": 100,"
        "\"h2_max_header_list_size\": 65536, \"h2_initial_window_size\": 65535, \"workers\": 4}");
    check_seed_values(&r);
}

static void python_values_of_many_kinds(void **state)
{
    (void)state;
    struct run r;
    run(&r, "kinds.py",
        "import os, ssl, pathlib\n"
        "print('a config may print')\n"
        "_private = 1\n"
        "def helper(): return 3\n"
        "bind = ['127.0.0.1:1', '127.0.0.1:2']\n"
        "verify_mode = ssl.CERT_REQUIRED\n"
        "ca_certs = pathlib.Path('/ca.pem')\n"
        "graceful_timeout = 0.5\n"
        "include_date_header = False\n"
        "accesslog = None\n"
        "my_own_name = 7\n"
        "worker_class = 'uvloop'\n"
        "umask = 7\n"
        "workers = helper()\n");
    assert_int_equal(r.result, 0);
    const struct serve_config *config = &r.settings.config;
    assert_int_equal(config->bind.count, 2);
    assert_int_equal(config->verify_mode, VERIFY_REQUIRED);
    assert_string_equal(config->ca_certs, "/ca.pem");
    assert_int_equal(config->graceful_timeout, 500 * HERALD_MILLISECOND);
    assert_false(config->include_date_header);
    assert_null(config->accesslog);
    assert_int_equal(config->workers, 3);
    assert_non_null(strstr(r.errors.text, "a config may print\n"));
    assert_non_null(strstr(r.errors.text, "herald: warning: kinds.py: 'my_own_name' is not a "
                                          "setting and is left alone\n"));
    assert_non_null(strstr(r.errors.text, "herald: warning: kinds.py: umask is ignored: "));
    assert_int_equal(config->worker_class, WORKER_UVLOOP);
    finish(&r);
}

static void every_key_of_hypercorn_is_known(void **state)
{
    (void)state;
    struct run r;
    /* Its defaults written out, as its documentation lists them: nothing to warn about. */
    run(&r, "defaults.py",
        "import ssl\n"
        "bind = ['127.0.0.1:8000']\ninsecure_bind = []\nquic_bind = []\nroot_path = ''\n"
        "accesslog = None\nalpn_protocols = ['h2', 'http/1.1']\nalt_svc_headers = []\n"
        "backlog = 100\nca_certs = None\ncertfile = None\ndaemon = False\ndebug = False\n"
        "errorlog = '-'\ngraceful_timeout = 3\nread_timeout = None\ngroup = None\n"
        "h11_max_incomplete_size = 16384\nh11_pass_raw_headers = False\n"
        "h2_max_concurrent_streams = 100\nh2_max_header_list_size = 2**16\n"
        "h2_max_inbound_frame_size = 2**14\ninclude_date_header = True\n"
        "include_server_header = True\nkeep_alive_timeout = 5\nkeep_alive_max_requests = 1000\n"
        "keyfile = None\nkeyfile_password = None\nlogconfig = None\nlogconfig_dict = None\n"
        "loglevel = 'INFO'\nmax_app_queue_size = 10\nmax_requests = None\n"
        "max_requests_jitter = 0\npid_path = None\nserver_names = []\nshutdown_timeout = 60\n"
        "ssl_handshake_timeout = 60\nstartup_timeout = 60\nstatsd_host = None\numask = None\n"
        "use_reloader = False\nuser = None\nverify_flags = None\nverify_mode = ssl.CERT_NONE\n"
        "websocket_ping_interval = None\nworkers = 1\nwsgi_max_body_size = 16777216\n"
        "application_path = 'app:app'\n");
    assert_string_equal(r.errors.text, "");
    assert_int_equal(r.result, 0);
    finish(&r);
    run(&r, "other.py", "daemon = True\nuser = 5\ncert_reqs = 2\n");
    assert_int_equal(r.result, 0);
    assert_int_equal(r.settings.config.verify_mode, VERIFY_REQUIRED);
    assert_non_null(strstr(r.errors.text, "herald: warning: other.py: daemon is ignored: "));
    assert_non_null(strstr(r.errors.text, "herald: warning: other.py: user is ignored: "));
    finish(&r);
}

static void limits_are_a_table_or_a_list(void **state)
{
    (void)state;
    struct run r;
    run(&r, "limits.json",
        "{\"limits\": {\"reset_burst\": 5, \"stall_timeout\": 2.5,"
        " \"glitch_burst\": \"off\"}}");
    assert_int_equal(r.result, 0);
    assert_int_equal(r.settings.config.limits.reset_burst, 5);
    assert_int_equal(r.settings.config.limits.stall_timeout, 2500 * HERALD_MILLISECOND);
    assert_int_equal(r.settings.config.limits.glitch_burst, UINT32_MAX);
    finish(&r);
    run(&r, "limits.yaml", "limits: [reset_burst=6, settings_entries=9]\n");
    assert_int_equal(r.result, 0);
    assert_int_equal(r.settings.config.limits.reset_burst, 6);
    assert_int_equal(r.settings.config.limits.settings_entries, 9);
    finish(&r);
    run(&r, "limits.json", "{\"limits\": {\"reset_burst\": -5}}");
    expect_refused(
        &r, "herald: error: limits.json: limits: reset_burst: '-5' is not a whole number from 0 "
            "to 4294967295\n");
    run(&r, "limits.json", "{\"limits\": {\"reset_burst\": []}}");
    expect_refused(&r, "herald: error: limits.json: limits: not a value a limit can have\n");
}

static void mistakes_name_file_and_key(void **state)
{
    (void)state;
    struct run r;
    run(&r, "typo.toml", "wokers = 2\n");
    expect_refused(&r, "herald: error: typo.toml: unknown key 'wokers'; did you mean "
                       "'workers'?\n");
    run(&r, "typo.py", "wokers = 2\n");
    expect_refused(&r, "herald: error: typo.py: unknown key 'wokers'; did you mean 'workers'?\n");
    run(&r, "far.yaml", "frobnicate: 2\n");
    expect_refused(&r, "herald: error: far.yaml: unknown key 'frobnicate'; 'herald serve --help' "
                       "lists them\n");
    run(&r, "value.toml", "workers = \"many\"\n");
    expect_refused(&r, "herald: error: value.toml: workers: 'many' is not a whole number from 1 to "
                       "256\n");
    run(&r, "list.toml", "workers = [1]\n");
    expect_refused(&r, "herald: error: list.toml: workers: one value is expected, not a list\n");
    run(&r, "table.toml", "[workers]\na = 1\n");
    expect_refused(&r, "herald: error: table.toml: workers: not a value this key can have\n");
}

static void broken_files_say_where(void **state)
{
    (void)state;
    struct run r;
    run(&r, "broken.toml", "workers = \n");
    assert_int_equal(r.result, HERALD_ERROR_CONFIG);
    assert_non_null(strstr(r.errors.text, "herald: error: broken.toml: TOMLDecodeError: "));
    finish(&r);
    run(&r, "broken.py", "bind = 'x'\nworkers = (\n");
    assert_non_null(strstr(r.errors.text, "herald: error: broken.py: line 2: SyntaxError: "));
    finish(&r);
    run(&r, "raises.py", "bind = 'x'\n1 / 0\n");
    expect_refused(&r, "herald: error: raises.py: line 2: ZeroDivisionError: division by zero\n");
    run(&r, "exits.py", "raise SystemExit(3)\n");
    expect_refused(&r, "herald: error: exits.py: line 1: SystemExit: 3\n");
    run(&r, "broken.yaml", "a: b: c\n");
    expect_refused(&r, "herald: error: broken.yaml: line 1: mapping values are not allowed in this "
                       "context\n");
    run(&r, "loop.yaml", "bind: &a [*a]\n");
    assert_int_equal(r.result, HERALD_ERROR_CONFIG);
    finish(&r);
    run(&r, "broken.json", "{");
    assert_int_equal(r.result, HERALD_ERROR_CONFIG);
    finish(&r);
    run(&r, "list.json", "[]");
    expect_refused(&r, "herald: error: list.json: keys and values are expected\n");
    run(&r, "absent.toml", NULL);
    expect_refused(&r, "herald: error: absent.toml: No such file or directory\n");
    run(&r, "what.ini", NULL);
    expect_refused(&r, "herald: error: what.ini: unknown kind of configuration file; accepted: "
                       ".py, .toml, .yaml, .json\n");
}

static void an_absent_interpreter_is_said(void **state)
{
    (void)state;
    struct run r;
    run(&r, "p.toml", "workers = 1\n");
    finish(&r);
    serve_config_init(&r.settings.config);
    capture_start(&r.errors, STDERR_FILENO);
    r.result = config_file_read("p.toml", "no-such-python", &serve_options, &r.settings,
                                &r.settings.config);
    capture_stop(&r.errors);
    expect_refused(&r, "herald: error: p.toml: needs Python to be read: cannot run "
                       "no-such-python: No such file or directory\n");
}

static int enter_folder(void **state)
{
    (void)state;
    snprintf(directory, sizeof(directory), "/tmp/herald-config-XXXXXX");
    return mkdtemp(directory) == NULL || chdir(directory) < 0;
}

static int leave_folder(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof(command), "rm -r %s", directory);
    return chdir("/") < 0 || system(command) != 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hypercorn_config_is_read_unchanged),
        cmocka_unit_test(the_other_formats_say_the_same),
        cmocka_unit_test(python_values_of_many_kinds),
        cmocka_unit_test(every_key_of_hypercorn_is_known),
        cmocka_unit_test(limits_are_a_table_or_a_list),
        cmocka_unit_test(mistakes_name_file_and_key),
        cmocka_unit_test(broken_files_say_where),
        cmocka_unit_test(an_absent_interpreter_is_said),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
