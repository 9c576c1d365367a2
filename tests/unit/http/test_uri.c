#include "base/err.h"
#include "http/uri.h"
#include "support/check.h"

static void assert_span(struct span span, const char *text)
{
    assert_int_equal(span.length, strlen(text));
    assert_memory_equal(span.data == NULL ? (const uint8_t *)"" : span.data, text, span.length);
}

static void urls_are_taken_apart(void **state)
{
    struct uri uri;
    (void)state;

    assert_int_equal(uri_parse(SPAN_LITERAL("HTTPS://me:pw@Example.com:8443/a/b?c=d?e#f#g"), &uri),
                     0);
    assert_true(uri.is_https && uri.has_query && !uri.is_ipv6);
    assert_span(uri.userinfo, "me:pw");
    assert_span(uri.authority, "Example.com:8443");
    assert_span(uri.host, "Example.com");
    assert_int_equal(uri.port, 8443);
    assert_span(uri.path, "/a/b");
    assert_span(uri.query, "c=d?e");
    assert_span(uri.target, "/a/b?c=d?e");
    assert_span(uri.fragment, "f#g");

    assert_int_equal(uri_parse(SPAN_LITERAL("http://[2001:db8::1]"), &uri), 0);
    assert_true(uri.is_ipv6);
    assert_span(uri.host, "2001:db8::1");
    assert_int_equal(uri.port, 80);
    assert_span(uri.target, "");
    assert_int_equal(uri_parse(SPAN_LITERAL("https://a?b"), &uri), 0);
    assert_int_equal(uri.port, 443);
    assert_span(uri.path, "");
    assert_span(uri.target, "?b");
    assert_int_equal(uri_parse(SPAN_LITERAL("https://a:/"), &uri), 0);
    assert_int_equal(uri.port, 443);
    assert_int_equal(uri_parse(SPAN_LITERAL("https://user@evil@host/"), &uri), 0);
    assert_span(uri.host, "host");
}

static void other_text_is_no_url(void **state)
{
    static const char *const bad[] = {
        "",           "/",           "example.com",   "http:",      "http:/",       "http://",
        "http:///a",  "http://:80/", "http://a b",    "http://a:x", "http://a:0x1", "http://[::1",
        "http://[x]", "http://a\n",  "//example.com", "http://a@",  "http://a/ b"};
    struct uri uri;
    (void)state;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(uri_parse(span_from_text(bad[i]), &uri), HERALD_ERROR_INVALID);
    assert_int_equal(uri_parse(SPAN_LITERAL("ftp://a/"), &uri), HERALD_ERROR_UNSUPPORTED);
    assert_int_equal(uri_parse(SPAN_LITERAL("localhost:8443"), &uri), HERALD_ERROR_UNSUPPORTED);
}

static void escapes_are_decoded_once(void **state)
{
    uint8_t text[32];
    (void)state;

    assert_int_equal(uri_decode(SPAN_LITERAL("%41%7e%00%ff%2541"), text), 7);
    assert_memory_equal(text, "A~\0\xff%41", 7);
    assert_int_equal(uri_decode(SPAN_LITERAL("a%4"), text), HERALD_ERROR_INVALID);
    assert_int_equal(uri_decode(SPAN_LITERAL("a%"), text), HERALD_ERROR_INVALID);
    assert_int_equal(uri_decode(SPAN_LITERAL("%g0"), text), HERALD_ERROR_INVALID);
    assert_int_equal(uri_decode(SPAN_LITERAL("%u0041"), text), HERALD_ERROR_INVALID);
}

static void paths_stay_below_the_root(void **state)
{
    static const struct {
        const char *path, *expected; /* NULL: refused */
    } cases[] = {
        {"/", "/"},
        {"/a", "/a"},
        {"/a/", "/a/"},
        {"/a//b///c", "/a/b/c"},
        {"//", "/"},
        {"/./a/.", "/a/"},
        {"/a/../b", "/b"},
        {"/a/b/..", "/a/"},
        {"/a/..", "/"},
        {"/a/b/../../c", "/c"},
        {"/...", "/..."},
        {"/a..b/.c", "/a..b/.c"},
        {"/%61%2e%2e", "/a.."},
        {"/a?/../..", "/a"},
        {"/%252e%252e/a", "/%2e%2e/a"},
        {"/\xc0\xae\xc0\xae/a", "/\xc0\xae\xc0\xae/a"},
        {"/a;b", "/a;b"},
        {"/..", NULL},
        {"/../a", NULL},
        {"/a/../../b", NULL},
        {"/%2e%2e/a", NULL},
        {"/%2E./a", NULL},
        {"/.%2e", NULL},
        {"/a/%2e%2e/%2e%2e", NULL},
        {"/a%2fb", NULL},
        {"/a%5cb", NULL},
        {"/a\\b", NULL},
        {"/a%00b", NULL},
        {"/%", NULL},
        {"/%4", NULL},
        {"", NULL},
        {"a", NULL},
        {"*", NULL},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct span path = span_from_text(cases[i].path);
        uint8_t *text = malloc(path.length + 1);
        int64_t length = uri_normalise_path(path, text);

        if (cases[i].expected == NULL)
            assert_true(length < 0);
        else
            assert_span(span_make(text, (size_t)(length < 0 ? 0 : length)), cases[i].expected);
        free(text);
    }
}

static void queries_are_split_off(void **state)
{
    struct span path, query;
    (void)state;

    uri_split_query(SPAN_LITERAL("/a?b?c"), &path, &query);
    assert_span(path, "/a");
    assert_span(query, "b?c");
    uri_split_query(SPAN_LITERAL("/a"), &path, &query);
    assert_span(path, "/a");
    assert_span(query, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_are_taken_apart),     cmocka_unit_test(other_text_is_no_url),
        cmocka_unit_test(escapes_are_decoded_once), cmocka_unit_test(paths_stay_below_the_root),
        cmocka_unit_test(queries_are_split_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
