#include "support/check.h"

#include "server/fake.h"
#include "server/push_policy.h"
#include "server/push_target.h"
#include "server/server_private.h"

#include <stdio.h>

static struct serve_config config;
static struct server server;
static struct connection connection;
static struct fake fake;

#define LINK(text) FIELD("link", text)

/* A request on the test's one connection, seen by the policy. */
static void request(const char *path, const char *const *fields)
{
    fake_init(&fake, "GET", path, fields);
    fake_hold(&fake);
    fake.takes_pushes = true;
    fake.conn.host_data = &connection;
    fake.exchange->server_data = &server;
}

static int respond(const struct field *fields, size_t count)
{
    int acted = push_policy_response(fake.exchange, 200, fields, count);
    assert_int_equal(exchange_respond(fake.exchange, 200, fields, count, 0), 0);
    assert_int_equal(exchange_finish(fake.exchange, NULL, 0), 0);
    return acted;
}

static void expect(const char *said)
{
    if (!fake.exchange->head_queued) {
        assert_int_equal(exchange_respond(fake.exchange, 200, NULL, 0, 0), 0);
        assert_int_equal(exchange_finish(fake.exchange, NULL, 0), 0);
    }
    exchange_release(fake.exchange);
    fake_drain(&fake, 4096);
    assert_string_equal(fake.said, said);
    fake_end(&fake, 0);
}

static int start(void **state)
{
    (void)state;
    memset(&server, 0, sizeof(server));
    memset(&connection, 0, sizeof(connection));
    serve_config_init(&config);
    server.config = &config;
    server.push_memory = push_memory_create();
    connection.server = &server;
    return server.push_memory == NULL;
}

static int stop(void **state)
{
    (void)state;
    push_memory_destroy(server.push_memory);
    serve_config_free(&config);
    free(connection.diary);
    return 0;
}

static const struct field two_links[] = {
    FIELD("content-type", "text/html"),
    LINK("</style.css>; rel=preload; as=style, <app.js>; rel=\"preload\"; as=script"),
};

static void preload_links_are_pushed(void **state)
{
    (void)state;
    request("/dir/page?q", NULL);
    assert_int_equal(respond(two_links, 2), 2);
    expect("push /style.css\npush /dir/app.js\n200 -\n");
}

static void nothing_is_pushed_twice_on_a_connection(void **state)
{
    (void)state;
    request("/", NULL);
    respond(two_links, 2);
    expect("push /style.css\npush /app.js\n200 -\n");
    request("/", NULL);
    assert_int_equal(respond(two_links, 2), 0);
    expect("200 -\n");
    assert_int_equal(server.counters.pushes_skipped, 2);
}

static void what_the_client_asked_for_is_not_pushed(void **state)
{
    (void)state;
    config.push_learn = false;
    request("/", NULL);
    respond(&LINK("</a.css>; rel=preload"), 1);
    expect("push /a.css\n200 -\n");
    request("/b.css", NULL);
    push_policy_request(fake.exchange);
    expect("200 -\n");
    request("/other", NULL);
    respond(&LINK("</b.css>; rel=preload, </c.css>; rel=preload"), 1);
    expect("push /c.css\n200 -\n");
}

static void nopush_is_hinted(void **state)
{
    (void)state;
    request("/", NULL);
    assert_int_equal(respond(&LINK("</a.css>; rel=preload; as=style; nopush"), 1), 1);
    expect("103 </a.css>; rel=preload; as=style; nopush\n200 -\n");
}

static void other_origins_are_hinted(void **state)
{
    (void)state;
    request("/", NULL);
    respond(&LINK("<https://cdn.example/a.css>; rel=preload"), 1);
    expect("103 <https://cdn.example/a.css>; rel=preload\n200 -\n");
}

static void other_relations_mean_nothing(void **state)
{
    (void)state;
    request("/", NULL);
    assert_int_equal(respond(&LINK("</next>; rel=next, </a.css>; rel=stylesheet"), 1), 0);
    expect("200 -\n");
}

static void without_pushes_there_are_hints(void **state)
{
    (void)state;
    request("/", NULL);
    fake.takes_pushes = false;
    assert_int_equal(respond(two_links, 2), 2);
    expect("103 </style.css>; rel=preload; as=style, <app.js>; rel=\"preload\"; as=script\n"
           "200 -\n");
    assert_int_equal(server.counters.hints, 1);
}

static void one_hint_a_response(void **state)
{
    (void)state;
    request("/", NULL);
    fake.takes_pushes = false;
    assert_int_equal(exchange_inform(fake.exchange, 103, &LINK("</x>; rel=preload"), 1), 0);
    respond(two_links, 2);
    expect("103 </x>; rel=preload\n200 -\n");
}

static void simple_http1_clients_get_no_hints(void **state)
{
    (void)state;
    request("/", NULL);
    fake.takes_pushes = false;
    fake.exchange->incoming.version = HTTP_1_1;
    respond(two_links, 2);
    expect("200 -\n");
    request("/", (const char *const[]){"sec-fetch-mode", "navigate", NULL});
    fake.takes_pushes = false;
    fake.exchange->incoming.version = HTTP_1_1;
    respond(&LINK("</a>; rel=preload"), 1);
    expect("103 </a>; rel=preload\n200 -\n");
}

static void modes(void **state)
{
    (void)state;
    config.push_learn = false;
    config.push = PUSH_OFF;
    request("/", NULL);
    respond(two_links, 2);
    expect("200 -\n");
    config.push = PUSH_HINT;
    request("/", NULL);
    respond(&LINK("</a>; rel=preload"), 1);
    expect("103 </a>; rel=preload\n200 -\n");
    config.push = PUSH_ONLY;
    request("/", NULL);
    fake.takes_pushes = false;
    respond(&LINK("</a>; rel=preload"), 1);
    expect("200 -\n");
}

static void names_may_be_spelt_in_any_case(void **state)
{
    (void)state;
    request("/", NULL);
    const struct field fields[] = {FIELD("Content-Type", "text/html"),
                                   FIELD("Link", "</style.css>; rel=preload; as=style")};
    respond(fields, 2);
    expect("push /style.css\n200 -\n");
}

static void the_next_visitor_is_told_at_once(void **state)
{
    (void)state;
    request("/page?user=1", NULL);
    fake.takes_pushes = false;
    respond(two_links, 2);
    fake_drain(&fake, 4096);
    exchange_release(fake.exchange);
    fake_end(&fake, 0);

    request("/page?user=2", NULL);
    fake.takes_pushes = false;
    push_policy_request(fake.exchange);
    respond(two_links, 2);
    expect("103 </style.css>; rel=preload; as=style, <app.js>; rel=\"preload\"; as=script\n"
           "200 -\n");
    request("/page", NULL);
    push_policy_request(fake.exchange);
    expect("push /style.css\npush /app.js\n200 -\n");
    request("/other", NULL);
    push_policy_request(fake.exchange);
    expect("200 -\n");
}

static void private_responses_teach_nothing(void **state)
{
    (void)state;
    const struct field fields[] = {LINK("</mine>; rel=preload"),
                                   FIELD("cache-control", "private, max-age=1")};
    const struct field cookie[] = {LINK("</mine>; rel=preload"), FIELD("set-cookie", "a=b")};
    request("/a", NULL);
    respond(fields, 2);
    expect("push /mine\n200 -\n");
    request("/b", NULL);
    respond(cookie, 2);
    expect("200 -\n");
    request("/c", (const char *const[]){"authorization", "x", NULL});
    respond(&LINK("</mine>; rel=preload"), 1);
    expect("200 -\n");
    const struct field spelt[] = {FIELD("LINK", "</mine>; rel=preload"),
                                  FIELD("Cache-Control", "Private")};
    const struct field cookie_spelt[] = {LINK("</mine>; rel=preload"), FIELD("Set-Cookie", "a=b")};
    request("/d", NULL);
    respond(spelt, 2);
    expect("200 -\n");
    request("/e", NULL);
    respond(cookie_spelt, 2);
    expect("200 -\n");
    static const char *const paths[] = {"/a", "/b", "/c", "/d", "/e"};
    for (int i = 0; i < 5; i++) {
        assert_int_equal(push_memory_find(server.push_memory, SPAN_LITERAL("example.com"),
                                          span_from_text(paths[i]))
                             .length,
                         0);
    }
}

static void pushed_responses_push_nothing(void **state)
{
    (void)state;
    request("/", NULL);
    fake.exchange->is_pushed = true;
    assert_int_equal(push_policy_response(fake.exchange, 200, two_links, 2), 0);
    fake.exchange->is_pushed = false;
    expect("200 -\n");
}

static void an_applications_push(void **state)
{
    (void)state;
    const struct field accept = FIELD("accept", "text/css");
    request("/", NULL);
    assert_int_equal(push_policy_push(fake.exchange, SPAN_LITERAL("/a.css"), &accept, 1),
                     PUSH_PUSHED);
    assert_int_equal(push_policy_push(fake.exchange, SPAN_LITERAL("/a.css"), &accept, 1),
                     PUSH_SKIPPED);
    static const char *const wrong[] = {"", "a.css", "//host/a", "/a b", "/a\r\nb", "https://x/"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(push_policy_push(fake.exchange, span_from_text(wrong[i]), NULL, 0),
                         HERALD_ERROR_INVALID);
    fake.takes_pushes = false;
    assert_int_equal(push_policy_push(fake.exchange, SPAN_LITERAL("/b.js"), NULL, 0), PUSH_HINTED);
    config.push_fallback = false;
    assert_int_equal(push_policy_push(fake.exchange, SPAN_LITERAL("/c.js"), NULL, 0), PUSH_SKIPPED);
    respond(NULL, 0);
    assert_int_equal(push_policy_push(fake.exchange, SPAN_LITERAL("/c.js"), NULL, 0),
                     HERALD_ERROR_STATE);
    expect("push /a.css\n103 </b.js>; rel=preload; as=script\n200 -\n");
}

static void expect_path(const char *target, const char *path)
{
    struct span resolved;
    int result = push_resolve(&fake.exchange->arena, &fake.exchange->incoming,
                              span_from_text(target), &resolved);
    if (path == NULL) {
        if (result == 1)
            fail_msg("%s is %.*s", target, SPAN_ARGUMENTS(resolved));
        return;
    }
    assert_int_equal(result, 1);
    assert_true(span_equals(resolved, span_from_text(path)));
}

static void targets(void **state)
{
    (void)state;
    request("/dir/page?a/b", NULL);
    expect_path("/x?y#z", "/x?y");
    expect_path("x", "/dir/x");
    expect_path("x:y/z", NULL);
    expect_path("./x", NULL);
    expect_path("../x", NULL);
    expect_path("/a/../b", NULL);
    expect_path("/a/..", NULL);
    expect_path("/a/..b", "/a/..b");
    expect_path("//example.com/x", "/x");
    expect_path("//other/x", NULL);
    expect_path("https://example.com/x?y", "/x?y");
    expect_path("https://EXAMPLE.com", "/");
    expect_path("http://example.com/x", NULL);
    expect_path("https://u@example.com/x", NULL);
    expect_path("data:text/css,x", NULL);
    expect_path("", NULL);
    expect_path("#a", NULL);
    expect_path("/a b", NULL);
    expect("200 -\n");
}

static void the_diary_forgets_the_oldest(void **state)
{
    (void)state;
    struct push_diary diary = {0};
    char path[16];
    for (int i = 0; i < PUSH_DIARY_MAXIMUM + 1; i++) {
        snprintf(path, sizeof(path), "/%d", i);
        assert_false(push_diary_has(&diary, SPAN_LITERAL("a"), span_from_text(path)));
        push_diary_note(&diary, SPAN_LITERAL("a"), span_from_text(path));
    }
    assert_false(push_diary_has(&diary, SPAN_LITERAL("a"), SPAN_LITERAL("/0")));
    assert_true(push_diary_has(&diary, SPAN_LITERAL("a"), SPAN_LITERAL("/1")));
    assert_false(push_diary_has(&diary, SPAN_LITERAL("b"), SPAN_LITERAL("/1")));
}

#define POLICY_TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        POLICY_TEST(preload_links_are_pushed),
        POLICY_TEST(nothing_is_pushed_twice_on_a_connection),
        POLICY_TEST(what_the_client_asked_for_is_not_pushed),
        POLICY_TEST(nopush_is_hinted),
        POLICY_TEST(other_origins_are_hinted),
        POLICY_TEST(other_relations_mean_nothing),
        POLICY_TEST(without_pushes_there_are_hints),
        POLICY_TEST(one_hint_a_response),
        POLICY_TEST(simple_http1_clients_get_no_hints),
        POLICY_TEST(modes),
        POLICY_TEST(names_may_be_spelt_in_any_case),
        POLICY_TEST(the_next_visitor_is_told_at_once),
        POLICY_TEST(private_responses_teach_nothing),
        POLICY_TEST(pushed_responses_push_nothing),
        POLICY_TEST(an_applications_push),
        POLICY_TEST(targets),
        POLICY_TEST(the_diary_forgets_the_oldest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
