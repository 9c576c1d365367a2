#include "support/check.h"

#include "server/fake.h"
#include "server/routes.h"

static struct handler handlers[5];
static unsigned destroyed;

static void count_destroy(struct handler *handler)
{
    (void)handler;
    destroyed++;
}

static int mount(struct routes *routes, const char *host, const char *prefix, int number)
{
    handlers[number].destroy = count_destroy;
    return routes_mount(routes, span_from_text(host), span_from_text(prefix), &handlers[number]);
}

static int find(struct routes *routes, const char *authority, const char *path)
{
    struct handler *found = routes_find(routes, span_from_text(authority), span_from_text(path));
    return found == NULL ? -1 : (int)(found - handlers);
}

static void the_longest_prefix_of_the_host_wins(void **state)
{
    (void)state;
    struct routes *routes = routes_create();
    assert_int_equal(mount(routes, "", "", 0), 0);
    assert_int_equal(mount(routes, "", "/api", 1), 0);
    assert_int_equal(mount(routes, "", "/api/v2", 2), 0);
    assert_int_equal(mount(routes, "b.example", "", 3), 0);
    assert_int_equal(find(routes, "a.example", "/"), 0);
    assert_int_equal(find(routes, "a.example:8443", "/api"), 1);
    assert_int_equal(find(routes, "a.example", "/api?q"), 1);
    assert_int_equal(find(routes, "a.example", "/apis"), 0);
    assert_int_equal(find(routes, "a.example", "/api/v2/x"), 2);
    assert_int_equal(find(routes, "B.example:1", "/api"), 3);
    assert_int_equal(find(routes, "[::1]:8443", "/api"), 1);
    assert_int_equal(find(routes, "", "*"), 0);
    destroyed = 0;
    routes_handler(routes)->destroy(routes_handler(routes));
    assert_int_equal(destroyed, 4);
}

static void mistakes(void **state)
{
    (void)state;
    struct routes *routes = routes_create();
    assert_int_equal(mount(routes, "", "/", 0), HERALD_ERROR_INVALID);
    assert_int_equal(mount(routes, "", "a", 0), HERALD_ERROR_INVALID);
    assert_int_equal(mount(routes, "", "/a/", 0), HERALD_ERROR_INVALID);
    assert_int_equal(mount(routes, "", "/a", 0), 0);
    assert_int_equal(mount(routes, "", "/a", 1), HERALD_ERROR_STATE);
    routes_handler(routes)->destroy(routes_handler(routes));
}

static void nothing_mounted_is_not_found(void **state)
{
    (void)state;
    struct routes *routes = routes_create();
    static struct fake fake;
    fake_run(&fake, routes_handler(routes), "GET", "/", NULL);
    assert_int_equal(fake.status, 404);
    fake_end(&fake, 0);
    routes_handler(routes)->destroy(routes_handler(routes));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_longest_prefix_of_the_host_wins),
        cmocka_unit_test(mistakes),
        cmocka_unit_test(nothing_mounted_is_not_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
