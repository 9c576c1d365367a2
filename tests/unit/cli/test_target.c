#include "support/check.h"

#include "cli/target.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[64];

static void expect(const char *text, enum target_kind kind, const char *canonical)
{
    struct serve_config config;
    char error[TARGET_ERROR_MAXIMUM] = "";
    serve_config_init(&config);
    int result = target_decide(&config, text, error);
    if (result != 0)
        fail_msg("%s: %s", text, error);
    assert_int_equal(config.target_kind, kind);
    assert_string_equal(config.target, canonical);
    serve_config_free(&config);
}

static void expect_refused(const char *text, const char *message)
{
    struct serve_config config;
    char error[TARGET_ERROR_MAXIMUM] = "";
    serve_config_init(&config);
    assert_int_equal(target_decide(&config, text, error), HERALD_ERROR_CONFIG);
    assert_string_equal(error, message);
    serve_config_free(&config);
}

static void applications(void **state)
{
    (void)state;
    expect("app:app", TARGET_APPLICATION, "app:app");
    expect("my.pack_age:obj.attr", TARGET_APPLICATION, "my.pack_age:obj.attr");
    expect("my:make_app()", TARGET_APPLICATION, "my:make_app()");
    expect("module", TARGET_APPLICATION, "module:app");
    expect("package", TARGET_APPLICATION, "package:app");
}

static void interfaces(void **state)
{
    (void)state;
    struct serve_config config;
    char error[TARGET_ERROR_MAXIMUM];
    serve_config_init(&config);
    assert_int_equal(target_decide(&config, "wsgi:site:application", error), 0);
    assert_int_equal(config.interface, INTERFACE_WSGI);
    assert_string_equal(config.target, "site:application");
    /* A module may be called asgi. */
    assert_int_equal(target_decide(&config, "asgi:app", error), 0);
    assert_string_equal(config.target, "asgi:app");
    serve_config_free(&config);
}

static void folders(void **state)
{
    (void)state;
    expect("folder", TARGET_FOLDER, "folder");
    expect("./folder", TARGET_FOLDER, "./folder");
    expect("folder/", TARGET_FOLDER, "folder/");
    expect(".", TARGET_FOLDER, ".");
    expect("./package", TARGET_FOLDER, "./package");
    expect("./a:b", TARGET_FOLDER, "./a:b");
}

static void upstreams(void **state)
{
    (void)state;
    expect("http://127.0.0.1:8000", TARGET_UPSTREAM, "http://127.0.0.1:8000");
    expect("https://[::1]:8000/prefix", TARGET_UPSTREAM, "https://[::1]:8000/prefix");
    expect("http://localhost", TARGET_UPSTREAM, "http://localhost");
}

static void mistakes(void **state)
{
    (void)state;
    expect_refused("./absent", "'./absent': no such folder");
    expect_refused("/dev/null", "'/dev/null': not a folder; give the folder that the file is in");
    expect_refused("absent", "'absent': neither a folder that is there, nor module:attr, nor "
                             "http://host:port");
    expect_refused("ftp://x", "'ftp://x': unknown scheme; an upstream is http:// or https://");
    expect_refused("http://", "'http://': not a URL: no host; expected http://host:port");
    expect_refused("http://a:99999", "'http://a:99999': not a URL: expected http://host:port");
    expect_refused("http://a:b", "'http://a:b': not a URL: expected http://host:port");
    expect_refused("http://u:p@a", "'http://u:p@a': a user name in an upstream's URL is not used");
    expect_refused("http://a/b c",
                   "'http://a/b c': not a URL: spaces and letters beyond ASCII are not allowed");
    expect_refused("1app:app", "'1app:app': neither a folder that is there, nor module:attr, nor "
                               "http://host:port");
}

static void touch(const char *path)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fclose(file);
}

static int enter_folder(void **state)
{
    (void)state;
    snprintf(directory, sizeof(directory), "/tmp/herald-target-XXXXXX");
    if (mkdtemp(directory) == NULL || chdir(directory) < 0 || mkdir("folder", 0755) < 0 ||
        mkdir("package", 0755) < 0 || mkdir("a:b", 0755) < 0)
        return -1;
    touch("package/__init__.py");
    touch("module.py");
    return 0;
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
        cmocka_unit_test(applications), cmocka_unit_test(interfaces), cmocka_unit_test(folders),
        cmocka_unit_test(upstreams),    cmocka_unit_test(mistakes),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
