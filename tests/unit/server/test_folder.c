#include "support/check.h"

#include "server/fake.h"
#include "server/folder.h"
#include "support/failmalloc.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[64];
static struct handler *folder;
static struct fake fake; /* large */

#define FIELDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void get(const char *path, const char *const *fields)
{
    fake_run(&fake, folder, "GET", path, fields);
}

static void expect(const char *path, unsigned status)
{
    get(path, NULL);
    if (fake.status != status)
        fail_msg("%s: %u, not %u", path, fake.status, status);
    assert_true(fake.complete);
    fake_end(&fake, 0);
}

static void expect_body(const char *text)
{
    assert_int_equal(fake.body_length, strlen(text));
    assert_memory_equal(fake.body, text, strlen(text));
}

static void a_file(void **state)
{
    (void)state;
    get("/a.txt", NULL);
    assert_int_equal(fake.status, 200);
    assert_true(fake.complete);
    expect_body("0123456789");
    assert_string_equal(fake_field(&fake, "content-type"), "text/plain; charset=utf-8");
    assert_string_equal(fake_field(&fake, "content-length"), "10");
    assert_string_equal(fake_field(&fake, "accept-ranges"), "bytes");
    assert_string_equal(fake_field(&fake, "last-modified"), "Sun, 09 Sep 2001 01:46:40 GMT");
    assert_non_null(fake_field(&fake, "etag"));
    fake_end(&fake, 0);
}

static void head_has_the_fields_of_get(void **state)
{
    (void)state;
    fake_run(&fake, folder, "HEAD", "/a.txt", FIELDS("range", "bytes=0-1"));
    assert_int_equal(fake.status, 200);
    assert_string_equal(fake_field(&fake, "content-length"), "10");
    assert_int_equal(fake.body_length, 0);
    fake_end(&fake, 0);
}

static void an_empty_file(void **state)
{
    (void)state;
    get("/empty.css", NULL);
    assert_int_equal(fake.status, 200);
    assert_true(fake.complete);
    assert_int_equal(fake.body_length, 0);
    assert_string_equal(fake_field(&fake, "content-length"), "0");
    fake_end(&fake, 0);
    get("/empty.css", FIELDS("range", "bytes=0-"));
    assert_int_equal(fake.status, 416);
    fake_end(&fake, 0);
}

static void names_that_need_decoding(void **state)
{
    (void)state;
    expect("/with%20blank.txt", 200);
    expect("/a.txt?query=/../x", 200);
    expect("/sub/../a.txt", 200);
    expect("//a.txt", 200);
    expect("/%61.txt", 200);
}

static void folders(void **state)
{
    (void)state;
    get("/sub/", NULL);
    expect_body("index of sub");
    assert_string_equal(fake_field(&fake, "content-type"), "text/html; charset=utf-8");
    fake_end(&fake, 0);
    get("/sub?q=1", NULL);
    assert_int_equal(fake.status, 301);
    assert_string_equal(fake_field(&fake, "location"), "/sub/?q=1");
    fake_end(&fake, 0);
    get("//sub", NULL);
    assert_string_equal(fake_field(&fake, "location"), "/sub/");
    fake_end(&fake, 0);
    expect("/bare/", 404);
    expect("/a.txt/", 404);
    expect("/", 404);
}

static void nothing_outside_is_served(void **state)
{
    (void)state;
    static const char *const refused[] = {
        "/../secret",      "/%2e%2e/secret",  "/sub/%2e%2e/../../secret",
        "/..%2fsecret",    "/link-out",       "/folder-out/secret",
        "/folder-out/",    "/..\\secret",     "/%5c..%5csecret",
        "/sub/..;/secret", "/proc/self/root", "/%252e%252e/secret",
        "/link-absolute"};
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        expect(refused[i], 404);
    expect("/%c0%ae%c0%ae/secret", 404);
    expect("/a.txt%00.html", 400);
    expect("/%", 400);
    expect("/%zz", 400);
    /* A link that stays inside is a name like any other. */
    expect("/link-in", 200);
}

static void dotfiles_are_hidden(void **state)
{
    (void)state;
    expect("/.hidden", 404);
    expect("/%2ehidden", 404);
    expect("/.well-known/acme", 200);
}

static void what_is_no_file(void **state)
{
    (void)state;
    expect("/fifo", 403);
    expect("/absent", 404);
    expect("/a.txt/below", 404);
    if (geteuid() != 0)
        expect("/unreadable", 403);
}

static void too_long_names(void **state)
{
    (void)state;
    static char path[8192];
    memset(path, 'a', sizeof(path) - 1);
    path[0] = '/';
    expect(path, 404);
    path[4000] = '\0';
    expect(path, 404);
    path[300] = '\0';
    expect(path, 404);
}

static void other_methods(void **state)
{
    (void)state;
    fake_run(&fake, folder, "POST", "/a.txt", NULL);
    assert_int_equal(fake.status, 405);
    assert_string_equal(fake_field(&fake, "allow"), "GET, HEAD");
    fake_end(&fake, 0);
}

static void conditions(void **state)
{
    (void)state;
    char etag[64];
    get("/a.txt", NULL);
    snprintf(etag, sizeof(etag), "%s", fake_field(&fake, "etag"));
    fake_end(&fake, 0);

    get("/a.txt", FIELDS("if-none-match", etag));
    assert_int_equal(fake.status, 304);
    assert_int_equal(fake.body_length, 0);
    assert_string_equal(fake_field(&fake, "etag"), etag);
    fake_end(&fake, 0);
    get("/a.txt", FIELDS("if-modified-since", "Sun, 09 Sep 2001 01:46:40 GMT"));
    assert_int_equal(fake.status, 304);
    fake_end(&fake, 0);
    get("/a.txt", FIELDS("if-match", "\"other\""));
    assert_int_equal(fake.status, 412);
    fake_end(&fake, 0);
}

static void single_ranges(void **state)
{
    (void)state;
    get("/a.txt", FIELDS("range", "bytes=2-4"));
    assert_int_equal(fake.status, 206);
    expect_body("234");
    assert_string_equal(fake_field(&fake, "content-range"), "bytes 2-4/10");
    assert_string_equal(fake_field(&fake, "content-length"), "3");
    fake_end(&fake, 0);
    get("/a.txt", FIELDS("range", "bytes=-3"));
    expect_body("789");
    fake_end(&fake, 0);
    get("/a.txt", FIELDS("range", "bytes=10-"));
    assert_int_equal(fake.status, 416);
    assert_string_equal(fake_field(&fake, "content-range"), "bytes */10");
    fake_end(&fake, 0);
    get("/a.txt", FIELDS("range", "bytes=0-1,5-6"));
    assert_int_equal(fake.status, 200);
    expect_body("0123456789");
    fake_end(&fake, 0);
    get("/a.txt", FIELDS("range", "bytes=0-1", "if-range", "\"other\""));
    assert_int_equal(fake.status, 200);
    fake_end(&fake, 0);
}

static void a_file_that_shrinks_is_not_completed(void **state)
{
    (void)state;
    FILE *file = fopen("shrinks.bin", "w");
    for (int i = 0; i < 3000; i++)
        fputs("0123456789", file);
    fclose(file);
    fake_init(&fake, "GET", "/shrinks.bin", NULL);
    fake_start(&fake, folder);
    assert_int_equal(truncate("shrinks.bin", 10000), 0);
    fake_drain(&fake, 4096);
    assert_true(fake.failed);
    assert_false(fake.complete);
    assert_true(fake.body_length <= 10000);
    fake_end(&fake, HERALD_ERROR_INTERNAL);
}

static void a_file_that_grows_keeps_its_length(void **state)
{
    (void)state;
    FILE *file = fopen("grows.txt", "w");
    fputs("0123456789", file);
    fclose(file);
    fake_init(&fake, "GET", "/grows.txt", NULL);
    fake_start(&fake, folder);
    file = fopen("grows.txt", "a");
    fputs("more", file);
    fclose(file);
    fake_drain(&fake, 4);
    expect_body("0123456789");
    assert_true(fake.complete);
    fake_end(&fake, 0);
}

static void a_replaced_file_stays_one_version(void **state)
{
    (void)state;
    FILE *file = fopen("replaced.txt", "w");
    fputs("old", file);
    fclose(file);
    fake_init(&fake, "GET", "/replaced.txt", NULL);
    fake_start(&fake, folder);
    file = fopen("new.txt", "w");
    fputs("new", file);
    fclose(file);
    assert_int_equal(rename("new.txt", "replaced.txt"), 0);
    fake_drain(&fake, 4096);
    expect_body("old");
    fake_end(&fake, 0);
}

static void a_prefix_is_taken_off(void **state)
{
    (void)state;
    const struct folder_options options = {.root = directory, .prefix = SPAN_LITERAL("/static")};
    struct handler *mounted;
    assert_int_equal(folder_create(&options, &mounted), 0);
    fake_run(&fake, mounted, "GET", "/static/a.txt", NULL);
    assert_int_equal(fake.status, 200);
    fake_end(&fake, 0);
    fake_run(&fake, mounted, "GET", "/staticky/a.txt", NULL);
    assert_int_equal(fake.status, 404);
    fake_end(&fake, 0);
    fake_run(&fake, mounted, "GET", "/static", NULL);
    assert_string_equal(fake_field(&fake, "location"), "/static/");
    fake_end(&fake, 0);
    fake_run(&fake, mounted, "GET", "/static/../a.txt", NULL);
    assert_int_equal(fake.status, 404);
    fake_end(&fake, 0);
    mounted->destroy(mounted);
}

struct racer {
    pthread_t thread;
    atomic_bool stop;
};

/* "race" is now a folder inside the root, now a link out of it; "race.txt" the same as a file. */
static void *swap_links(void *user)
{
    struct racer *racer = user;
    while (!atomic_load(&racer->stop)) {
        renameat2(AT_FDCWD, "race", AT_FDCWD, "race-other", RENAME_EXCHANGE);
        renameat2(AT_FDCWD, "race.txt", AT_FDCWD, "race-other.txt", RENAME_EXCHANGE);
    }
    return NULL;
}

static void no_race_leads_out(void **state)
{
    (void)state;
    struct racer racer = {.stop = false};
    unsigned found = 0;
    mkdir("race", 0755);
    FILE *file = fopen("race/secret", "w");
    fputs("public", file);
    fclose(file);
    assert_int_equal(symlink("../", "race-other"), 0);
    assert_int_equal(symlink("../secret", "race-other.txt"), 0);
    assert_int_equal(link("a.txt", "race.txt"), 0);
    assert_int_equal(pthread_create(&racer.thread, NULL, swap_links, &racer), 0);
    for (int i = 0; i < 10000; i++) {
        get(i % 2 == 0 ? "/race/secret" : "/race.txt", NULL);
        assert_true(fake.status == 200 || fake.status == 404);
        assert_false(fake.body_length == 6 && memcmp(fake.body, "secret", 6) == 0);
        found += fake.status == 200;
        fake_end(&fake, 0);
    }
    atomic_store(&racer.stop, true);
    pthread_join(racer.thread, NULL);
    assert_true(found > 0);
}

static void roots_that_cannot_be(void **state)
{
    (void)state;
    struct handler *none = NULL;
    struct folder_options options = {.root = "absent"};
    assert_int_equal(folder_create(&options, &none), HERALD_ERROR_NOT_FOUND);
    options.root = "a.txt";
    assert_int_equal(folder_create(&options, &none), HERALD_ERROR_INVALID);
    assert_null(none);
}

static void a_path_of_the_application(void **state)
{
    (void)state;
    char path[128];
    snprintf(path, sizeof(path), "%s/a.txt", directory);
    fake_init(&fake, "GET", "/", NULL);
    fake_hold(&fake);
    assert_int_equal(exchange_respond(fake.exchange, 200, NULL, 0, 10), 0);
    assert_int_equal(folder_send_path(fake.exchange, "/absent"), HERALD_ERROR_NOT_FOUND);
    assert_int_equal(folder_send_path(fake.exchange, directory), HERALD_ERROR_NOT_FOUND);
    assert_int_equal(folder_send_path(fake.exchange, path), 0);
    exchange_release(fake.exchange);
    fake_drain(&fake, 3);
    expect_body("0123456789");
    assert_true(fake.complete);
    fake_end(&fake, 0);
}

static bool one_request(void *user)
{
    (void)user;
    struct handler *handler;
    const struct folder_options options = {.root = directory};
    int result = folder_create(&options, &handler);
    if (result == HERALD_ERROR_NOMEM)
        return true;
    static struct fake short_of_memory;
    struct fake *request = &short_of_memory;
    failmalloc_disarm();
    fake_init(request, "GET", "/a.txt", NULL);
    fake_start(request, handler);
    fake_drain(request, 4096);
    bool whole = request->complete && request->body_length == 10;
    fake_end(request, 0);
    handler->destroy(handler);
    return whole;
}

static void memory_can_be_short(void **state)
{
    (void)state;
    assert_int_not_equal(failmalloc_each(one_request, NULL, 50), 0);
}

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(name, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static int set_up(void **state)
{
    (void)state;
    snprintf(directory, sizeof(directory), "/tmp/herald-folder-XXXXXX");
    if (mkdtemp(directory) == NULL || chdir(directory) < 0)
        return -1;
    mkdir("root", 0755);
    write_file("secret", "secret");
    if (chdir("root") < 0)
        return -1;
    snprintf(directory + strlen(directory), 6, "/root");
    mkdir("sub", 0755);
    mkdir("bare", 0755);
    mkdir(".well-known", 0755);
    write_file("a.txt", "0123456789");
    write_file("empty.css", "");
    write_file("with blank.txt", "x");
    write_file("sub/index.html", "index of sub");
    write_file(".hidden", "hidden");
    write_file(".well-known/acme", "x");
    write_file("unreadable", "x");
    const struct timespec times[2] = {{1000000000, 0}, {1000000000, 0}};
    if (chmod("unreadable", 0) < 0 || utimensat(AT_FDCWD, "a.txt", times, 0) < 0 ||
        symlink("../secret", "link-out") < 0 || symlink("/etc/passwd", "link-absolute") < 0 ||
        symlink("..", "folder-out") < 0 || symlink("a.txt", "link-in") < 0 ||
        symlink("/proc", "proc") < 0 || mkfifo("fifo", 0644) < 0)
        return -1;
    const struct folder_options options = {.root = directory};
    return folder_create(&options, &folder);
}

static int tear_down(void **state)
{
    (void)state;
    folder->destroy(folder);
    char command[128];
    snprintf(command, sizeof(command), "rm -r %.*s", (int)(strlen(directory) - strlen("/root")),
             directory);
    return chdir("/") < 0 || system(command) != 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file),
        cmocka_unit_test(head_has_the_fields_of_get),
        cmocka_unit_test(an_empty_file),
        cmocka_unit_test(names_that_need_decoding),
        cmocka_unit_test(folders),
        cmocka_unit_test(nothing_outside_is_served),
        cmocka_unit_test(dotfiles_are_hidden),
        cmocka_unit_test(what_is_no_file),
        cmocka_unit_test(too_long_names),
        cmocka_unit_test(other_methods),
        cmocka_unit_test(conditions),
        cmocka_unit_test(single_ranges),
        cmocka_unit_test(a_file_that_shrinks_is_not_completed),
        cmocka_unit_test(a_file_that_grows_keeps_its_length),
        cmocka_unit_test(a_replaced_file_stays_one_version),
        cmocka_unit_test(a_prefix_is_taken_off),
        cmocka_unit_test(no_race_leads_out),
        cmocka_unit_test(roots_that_cannot_be),
        cmocka_unit_test(a_path_of_the_application),
        cmocka_unit_test(memory_can_be_short),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
