#include "client/url.h"
#include "support/check.h"
#include "support/failmalloc.h"

struct expected {
    const char *text, *scheme, *host;
    uint16_t port;
    const char *authority, *path;
};

static void check_url(const struct url *url, const struct expected *expected)
{
    assert_string_equal(url->scheme, expected->scheme);
    assert_string_equal(url->host, expected->host);
    assert_int_equal(url->port, expected->port);
    assert_string_equal((const char *)url->authority.data, expected->authority);
    assert_string_equal((const char *)url->path.data, expected->path);
    assert_int_equal(url->path.length, strlen(expected->path));
}

static void good_urls(void **state)
{
    static const struct expected table[] = {
        {"http://example.org", "http", "example.org", 80, "example.org", "/"},
        {"HTTPS://Example.ORG:443/a?b#c", "https", "example.org", 443, "example.org", "/a?b"},
        {"https://h:8443/", "https", "h", 8443, "h:8443", "/"},
        {"https://h:", "https", "h", 443, "h", "/"},
        {"http://h:443?x", "http", "h", 443, "h:443", "/?x"},
        {"https://[::1]:8443/p", "https", "::1", 8443, "[::1]:8443", "/p"},
        {"https://[2001:DB8::1]", "https", "2001:db8::1", 443, "[2001:db8::1]", "/"},
        {"http://127.0.0.1/a b\"<\xc3\xbc>", "http", "127.0.0.1", 80, "127.0.0.1",
         "/a%20b%22%3C%C3%BC%3E"},
        {"http://h/../a/./b", "http", "h", 80, "h", "/../a/./b"},
        {"http://h/%2e%41?a?b/c", "http", "h", 80, "h", "/%2e%41?a?b/c"},
        {"http://h#frag/?", "http", "h", 80, "h", "/"},
        {"http://h/a:b@c", "http", "h", 80, "h", "/a:b@c"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct arena arena;
        struct url url;
        arena_init(&arena, 0, NULL);
        assert_int_equal(url_parse(&arena, span_from_text(table[i].text), &url, NULL), 0);
        check_url(&url, &table[i]);
        arena_free(&arena);
    }
}

static void bad_urls(void **state)
{
    static const char *const table[] = {
        "",           "example.org",        "http:",           "http:/x",         "http://",
        "http:///x",  "http://:80/",        "http://h:0/",     "http://h:65536/", "http://h:8x/",
        "ftp://h/",   "http://u@h/",        "http://u:p@h/",   "http://[::1",     "http://[::g]/",
        "http://[]/", "http://[::1]x/",     "http://h h/",     "http://h\r\n/",   "http://h/\n",
        "http://%41", "http://\xc3\xbc.de", "file:///etc/pwd", "://h/",           "http://h\\x/",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct arena arena;
        struct url url;
        const char *why = NULL;
        arena_init(&arena, 0, NULL);
        assert_true(url_parse(&arena, span_from_text(table[i]), &url, &why) < 0);
        assert_non_null(why);
        arena_free(&arena);
    }
}

/* RFC 3986 section 5.4, in so far as http and https allow, with a port added to the base. */
static void references(void **state)
{
    static const char *const table[][2] = {
        {"g", "/b/c/g"},
        {"./g", "/b/c/g"},
        {"g/", "/b/c/g/"},
        {"/g", "/g"},
        {"?y", "/b/c/d;p?y"},
        {"g?y", "/b/c/g?y"},
        {"#s", "/b/c/d;p?q"},
        {"g#s", "/b/c/g"},
        {"g?y#s", "/b/c/g?y"},
        {";x", "/b/c/;x"},
        {"g;x", "/b/c/g;x"},
        {"", "/b/c/d;p?q"},
        {".", "/b/c/"},
        {"./", "/b/c/"},
        {"..", "/b/"},
        {"../", "/b/"},
        {"../g", "/b/g"},
        {"../..", "/"},
        {"../../", "/"},
        {"../../g", "/g"},
        {"../../../g", "/g"},
        {"../../../../g", "/g"},
        {"/./g", "/g"},
        {"/../g", "/g"},
        {"g.", "/b/c/g."},
        {".g", "/b/c/.g"},
        {"g..", "/b/c/g.."},
        {"..g", "/b/c/..g"},
        {"./../g", "/b/g"},
        {"./g/.", "/b/c/g/"},
        {"g/./h", "/b/c/g/h"},
        {"g/../h", "/b/c/h"},
        {"g;x=1/./y", "/b/c/g;x=1/y"},
        {"g;x=1/../y", "/b/c/y"},
        {"g?y/./x", "/b/c/g?y/./x"},
        {"g?y/../x", "/b/c/g?y/../x"},
    };
    struct arena arena;
    struct url base, url;

    (void)state;
    arena_init(&arena, 0, NULL);
    assert_int_equal(url_parse(&arena, SPAN_LITERAL("http://a:81/b/c/d;p?q"), &base, NULL), 0);
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        assert_int_equal(url_resolve(&arena, &base, span_from_text(table[i][0]), &url, NULL), 0);
        assert_string_equal((const char *)url.path.data, table[i][1]);
        assert_string_equal((const char *)url.authority.data, "a:81");
        assert_true(url_same_origin(&base, &url));
    }
    assert_int_equal(url_resolve(&arena, &base, SPAN_LITERAL("//g/x"), &url, NULL), 0);
    assert_string_equal((const char *)url.authority.data, "g");
    assert_string_equal(url.scheme, "http");
    assert_false(url_same_origin(&base, &url));
    assert_int_equal(url_resolve(&arena, &base, SPAN_LITERAL("https://a:81/"), &url, NULL), 0);
    assert_false(url_same_origin(&base, &url));
    assert_true(url_resolve(&arena, &base, SPAN_LITERAL("javascript:x"), &url, NULL) < 0);
    assert_true(url_resolve(&arena, &base, SPAN_LITERAL("http:g"), &url, NULL) < 0);
    assert_true(url_resolve(&arena, &base, SPAN_LITERAL("ftp://h/"), &url, NULL) < 0);
    arena_free(&arena);
}

static bool parse_and_resolve(void *user)
{
    struct arena arena;
    struct url base, url;

    (void)user;
    arena_init(&arena, 0, NULL);
    int result = url_parse(&arena, SPAN_LITERAL("https://h/a/b?c"), &base, NULL);
    if (result == 0)
        result = url_resolve(&arena, &base, SPAN_LITERAL("../x"), &url, NULL);
    arena_free(&arena);
    return result == 0 || result == HERALD_ERROR_NOMEM;
}

static void survives_every_allocation_failure(void **state)
{
    (void)state;
    assert_true(failmalloc_each(parse_and_resolve, NULL, 100) > 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_urls),
        cmocka_unit_test(bad_urls),
        cmocka_unit_test(references),
        cmocka_unit_test(survives_every_allocation_failure),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
