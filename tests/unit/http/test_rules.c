#include "http/rules.h"
#include "support/check.h"
#include "support/failmalloc.h"

static struct limits limits;
static struct arena arena;
static struct head_builder builder;
static struct message message;
static struct fields trailers;

static int prepare(void **state)
{
    (void)state;
    limits = limits_default;
    arena_init(&arena, 0, NULL);
    return 0;
}

static int clean(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

/* Feeds "name", "value" pairs up to a NULL. */
static enum head_verdict feed(const char *const *pairs)
{
    for (; *pairs != NULL; pairs += 2)
        head_builder_add(&builder, span_from_text(pairs[0]), span_from_text(pairs[1]), KNOWN_NONE,
                         0);
    if (builder.kind == HEAD_TRAILERS)
        return head_builder_finish_trailers(&builder, &trailers);
    return head_builder_finish(&builder, &message);
}

static enum head_verdict judge(enum head_kind kind, const char *const *pairs)
{
    arena_free(&arena);
    head_builder_init(&builder, kind, &arena, &limits);
    return feed(pairs);
}

#define PAIRS(...)    ((const char *const[]){__VA_ARGS__, NULL})
#define REQUEST(...)  judge(HEAD_REQUEST, PAIRS(__VA_ARGS__))
#define GET           ":method", "GET", ":scheme", "https", ":path", "/", ":authority", "example.com"
#define RESPONSE(...) judge(HEAD_RESPONSE, PAIRS(__VA_ARGS__))
#define PROMISE(...)  judge(HEAD_PROMISED_REQUEST, PAIRS(__VA_ARGS__))
#define TRAILERS(...) judge(HEAD_TRAILERS, PAIRS(__VA_ARGS__))

static void assert_span(struct span span, const char *text)
{
    assert_int_equal(span.length, strlen(text));
    assert_memory_equal(span.data, text, span.length);
}

static void request_is_taken_apart(void **state)
{
    (void)state;
    assert_int_equal(REQUEST(":method", "POST", ":scheme", "HTTPS", ":path", "/a?b", ":authority",
                             "example.com:8443", "accept", "*/*", "content-length", "12", "x-mine",
                             ""),
                     HEAD_OK);
    assert_span(message.method, "POST");
    assert_span(message.scheme, "https");
    assert_span(message.path, "/a?b");
    assert_span(message.authority, "example.com:8443");
    assert_int_equal(message.content_length, 12);
    assert_int_equal(message.fields.count, 3);
    assert_int_equal(message.fields.items[0].known, KNOWN_ACCEPT);
    assert_int_equal(message.fields.items[1].known, KNOWN_CONTENT_LENGTH);
    assert_int_equal(message.fields.items[2].known, KNOWN_NONE);
    assert_span(message.fields.items[2].name, "x-mine");
    assert_span(message.fields.items[2].value, "");
}

static void pseudo_fields_are_strict(void **state)
{
    (void)state;
    assert_int_equal(REQUEST(GET), HEAD_OK);
    assert_int_equal(REQUEST(GET, ":method", "GET"), HEAD_MALFORMED);
    assert_int_equal(REQUEST(GET, ":status", "200"), HEAD_MALFORMED);
    assert_int_equal(REQUEST(GET, ":unknown", "1"), HEAD_MALFORMED);
    assert_int_equal(REQUEST(GET, ":", "1"), HEAD_MALFORMED);
    assert_int_equal(REQUEST(GET, ":protocol", "websocket"), HEAD_MALFORMED);
    assert_int_equal(REQUEST(":method", "GET", "accept", "*/*", ":scheme", "https", ":path", "/",
                             ":authority", "a"),
                     HEAD_MALFORMED);
    assert_int_equal(REQUEST(":scheme", "https", ":path", "/", ":authority", "a"), HEAD_MALFORMED);
    assert_int_equal(REQUEST(":method", "GET", ":path", "/", ":authority", "a"), HEAD_MALFORMED);
    assert_int_equal(REQUEST(":method", "GET", ":scheme", "https", ":authority", "a"),
                     HEAD_MALFORMED);
    assert_int_equal(REQUEST(":method", "GET", ":scheme", "https", ":path", "/"), HEAD_MALFORMED);
    assert_int_equal(REQUEST(":method", "", ":scheme", "https", ":path", "/", ":authority", "a"),
                     HEAD_MALFORMED);
}

static enum head_verdict with(const char *method, const char *scheme, const char *path,
                              const char *authority)
{
    return REQUEST(":method", method, ":scheme", scheme, ":path", path, ":authority", authority);
}

static void control_data_has_syntax(void **state)
{
    (void)state;
    assert_int_equal(with("G T", "https", "/", "a"), HEAD_MALFORMED);
    assert_int_equal(with("GET\r", "https", "/", "a"), HEAD_MALFORMED);
    assert_int_equal(with("!#$%&'*+-.^_`|~", "https", "/", "a"), HEAD_OK);
    assert_int_equal(with("GET", "https ", "/", "a"), HEAD_MALFORMED);
    assert_int_equal(with("GET", "", "/", "a"), HEAD_MALFORMED);
    assert_int_equal(with("GET", "1https", "/", "a"), HEAD_MALFORMED);
    assert_int_equal(with("GET", "git+ssh", "/", "a"), HEAD_OK);
    assert_int_equal(with("GET", "https", "", "a"), HEAD_MALFORMED);
    assert_int_equal(with("GET", "https", "a", "a"), HEAD_MALFORMED);
    assert_int_equal(with("GET", "https", "https://a/", "a"), HEAD_MALFORMED);
    assert_int_equal(with("GET", "https", "*", "a"), HEAD_MALFORMED);
    assert_int_equal(with("OPTIONS", "https", "*", "a"), HEAD_OK);
    assert_int_equal(with("OPTIONS", "https", "*a", "a"), HEAD_MALFORMED);
    assert_int_equal(with("GET", "https", "/a b", "a"), HEAD_MALFORMED);
    assert_int_equal(with("GET", "https", "/a\tb", "a"), HEAD_MALFORMED);
    assert_int_equal(with("GET", "https", "/#b", "a"), HEAD_MALFORMED);
    assert_int_equal(with("GET", "https", "/\x7f", "a"), HEAD_MALFORMED);
    assert_int_equal(with("GET", "https", "/\xc3\xa9|^{}", "a"), HEAD_OK);
}

static void authority_has_syntax(void **state)
{
    static const char *const good[] = {
        "a",          "a:1",   "a:65535", "127.0.0.1:8443", "[::1]",
        "[::1]:8443", "a_b.c", "a:",      "x%41.test",      "[::127.0.0.1]"};
    static const char *const bad[] = {
        "",       "user@a",        "a:b",   "a:65536", "a:1:2", "a b",  "a/b",       "[::1", "::1",
        "[::1]x", "[fe80::1%25x]", "[]",    ":80",     "a%4",   "a%zz", "a\xc3\xa9", "a?b",  "a#b",
        "a\\b",   "[v1.a]",        "a,b@c", "a:+1",    "a:-1",  "a: 1", "\"a\"",     "<a>"};
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_int_equal(with("GET", "https", "/", good[i]), HEAD_OK);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(with("GET", "https", "/", bad[i]), HEAD_MALFORMED);
}

static void host_and_authority_become_one(void **state)
{
    (void)state;
    assert_int_equal(REQUEST(GET, "host", "EXAMPLE.com"), HEAD_OK);
    assert_span(message.authority, "example.com");
    assert_null(fields_find(&message.fields, KNOWN_HOST));
    assert_int_equal(REQUEST(GET, "host", "other.com"), HEAD_MALFORMED);
    assert_int_equal(REQUEST(GET, "host", "example.com:443"), HEAD_MALFORMED);
    assert_int_equal(REQUEST(GET, "host", ""), HEAD_MALFORMED);
    assert_int_equal(REQUEST(GET, "host", "example.com", "host", "example.com"), HEAD_MALFORMED);
    assert_int_equal(
        REQUEST(":method", "GET", ":scheme", "http", ":path", "/", "host", "a.test:80"), HEAD_OK);
    assert_span(message.authority, "a.test:80");
    assert_int_equal(REQUEST(":method", "GET", ":scheme", "http", ":path", "/", "host", "a@b"),
                     HEAD_MALFORMED);
    assert_int_equal(REQUEST(":method", "GET", ":scheme", "urn", ":path", "/"), HEAD_OK);
}

static void connect_is_different(void **state)
{
    (void)state;
    assert_int_equal(REQUEST(":method", "CONNECT", ":authority", "a.test:443"), HEAD_OK);
    assert_int_equal(message.path.length, 0);
    assert_int_equal(REQUEST(":method", "CONNECT", ":authority", "[::1]:443"), HEAD_OK);
    assert_int_equal(REQUEST(":method", "CONNECT", ":authority", "a.test"), HEAD_MALFORMED);
    assert_int_equal(REQUEST(":method", "CONNECT", ":authority", "[::1]"), HEAD_MALFORMED);
    assert_int_equal(REQUEST(":method", "CONNECT"), HEAD_MALFORMED);
    assert_int_equal(REQUEST(":method", "CONNECT", ":authority", "a:1", ":path", "/"),
                     HEAD_MALFORMED);
    assert_int_equal(REQUEST(":method", "CONNECT", ":authority", "a:1", ":scheme", "https"),
                     HEAD_MALFORMED);

    const char *const *websocket = PAIRS(":method", "CONNECT", ":protocol", "websocket", ":scheme",
                                         "https", ":path", "/chat", ":authority", "a.test");
    assert_int_equal(judge(HEAD_REQUEST, websocket), HEAD_MALFORMED);
    head_builder_init(&builder, HEAD_REQUEST, &arena, &limits);
    builder.extended_connect = true;
    assert_int_equal(feed(websocket), HEAD_OK);
    assert_span(message.protocol, "websocket");
    head_builder_init(&builder, HEAD_REQUEST, &arena, &limits);
    builder.extended_connect = true;
    assert_int_equal(feed(PAIRS(GET, ":protocol", "websocket")), HEAD_MALFORMED);
    head_builder_init(&builder, HEAD_REQUEST, &arena, &limits);
    builder.extended_connect = true;
    assert_int_equal(
        feed(PAIRS(":method", "CONNECT", ":protocol", "websocket", ":authority", "a.test")),
        HEAD_MALFORMED);
}

static void connection_specific_fields_are_refused(void **state)
{
    static const char *const names[] = {"connection", "keep-alive", "proxy-connection",
                                        "transfer-encoding", "upgrade"};
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_int_equal(REQUEST(GET, names[i], "x"), HEAD_MALFORMED);
        assert_int_equal(RESPONSE(":status", "200", names[i], "x"), HEAD_MALFORMED);
        assert_int_equal(TRAILERS(names[i], "x"), HEAD_MALFORMED);
    }
    assert_int_equal(REQUEST(GET, "te", "trailers"), HEAD_OK);
    assert_int_equal(REQUEST(GET, "te", "Trailers"), HEAD_OK);
    assert_int_equal(REQUEST(GET, "te", "gzip"), HEAD_MALFORMED);
    assert_int_equal(REQUEST(GET, "te", "trailers, deflate"), HEAD_MALFORMED);
    assert_int_equal(RESPONSE(":status", "200", "te", "trailers"), HEAD_MALFORMED);
}

static void content_length_is_digits_once(void **state)
{
    static const char *const bad[] = {"",
                                      "+5",
                                      "-5",
                                      "5,5",
                                      "5, 6",
                                      "0x5",
                                      "5 ",
                                      " 5",
                                      "5a",
                                      "1_0",
                                      "9223372036854775808",
                                      "18446744073709551621",
                                      "5.0",
                                      "\xd9\xa5"};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(REQUEST(GET, "content-length", bad[i]), HEAD_MALFORMED);
    assert_int_equal(REQUEST(GET, "content-length", "5", "content-length", "5"), HEAD_MALFORMED);
    assert_int_equal(REQUEST(GET, "content-length", "9223372036854775807"), HEAD_OK);
    assert_int_equal(message.content_length, INT64_MAX);
    assert_int_equal(REQUEST(GET, "content-length", "007"), HEAD_OK);
    assert_int_equal(message.content_length, 7);
}

static void expect_is_one_token(void **state)
{
    (void)state;
    assert_int_equal(REQUEST(GET, "expect", "100-Continue"), HEAD_OK);
    assert_true(message.expects_continue);
    assert_int_equal(REQUEST(GET, "expect", "100-continue, x"), HEAD_EXPECTATION_FAILED);
    assert_int_equal(REQUEST(GET, "expect", "y 100-continue"), HEAD_EXPECTATION_FAILED);
    assert_int_equal(REQUEST(GET), HEAD_OK);
    assert_false(message.expects_continue);
}

static void cookie_crumbs_are_joined(void **state)
{
    (void)state;
    assert_int_equal(REQUEST(GET, "cookie", "a=1", "accept", "x", "cookie", "b=2", "cookie", "",
                             "cookie", "c=3"),
                     HEAD_OK);
    assert_int_equal(fields_count(&message.fields, KNOWN_COOKIE), 1);
    assert_span(message.fields.items[0].value, "a=1; b=2; c=3");
    assert_span(message.fields.items[1].name, "accept");
    assert_int_equal(REQUEST(GET, "cookie", "", "cookie", "b=2"), HEAD_OK);
    assert_span(fields_value(&message.fields, KNOWN_COOKIE), "b=2");

    head_builder_init(&builder, HEAD_REQUEST, &arena, &limits);
    head_builder_add(&builder, SPAN_LITERAL("cookie"), SPAN_LITERAL("a=1"), KNOWN_COOKIE, 0);
    head_builder_add(&builder, SPAN_LITERAL("cookie"), SPAN_LITERAL("b=2"), KNOWN_COOKIE,
                     FIELD_SENSITIVE);
    head_builder_finish(&builder, &message);
    assert_int_equal(message.fields.items[0].flags, FIELD_SENSITIVE);
}

static void limits_count_every_field(void **state)
{
    const struct span crumb = SPAN_LITERAL("cookie");
    (void)state;

    limits.field_count = 10;
    assert_int_equal(REQUEST(GET, "a", "", "b", "", "c", "", "d", "", "e", "", "f", ""), HEAD_OK);
    assert_int_equal(REQUEST(GET, "a", "", "b", "", "c", "", "d", "", "e", "", "f", "", "g", ""),
                     HEAD_TOO_LARGE);
    head_builder_init(&builder, HEAD_REQUEST, &arena, &limits);
    for (int i = 0; i < 10; i++)
        assert_int_equal(head_builder_add(&builder, crumb, SPAN_EMPTY, KNOWN_COOKIE, 0), HEAD_OK);
    for (int i = 0; i < 30; i++)
        assert_int_equal(head_builder_add(&builder, crumb, SPAN_EMPTY, KNOWN_COOKIE, 0),
                         HEAD_TOO_LARGE);
    assert_int_equal(head_builder_add(&builder, crumb, SPAN_EMPTY, KNOWN_COOKIE, 0),
                     HEAD_FAR_TOO_LARGE);

    limits = limits_default;
    limits.field_list_size = 7 + 3 + 32 + 7 + 5 + 32 + 5 + 1 + 32 + 10 + 11 + 32;
    assert_int_equal(REQUEST(GET), HEAD_OK);
    limits.field_list_size--;
    assert_int_equal(REQUEST(GET), HEAD_TOO_LARGE);

    limits = limits_default;
    limits.trailer_count = 1;
    assert_int_equal(TRAILERS("a", "1"), HEAD_OK);
    assert_int_equal(TRAILERS("a", "1", "b", "2"), HEAD_TOO_LARGE);
    limits.trailer_count = 32;
    limits.trailer_size = 40;
    assert_int_equal(TRAILERS("a", "12345678"), HEAD_TOO_LARGE);

    limits = limits_default;
    limits.method_size = 3;
    assert_int_equal(with("POST", "https", "/", "a"), HEAD_METHOD_TOO_LONG);
    limits.request_line_size = 3;
    assert_int_equal(with("GET", "https", "/abc", "a"), HEAD_TARGET_TOO_LONG);
}

static void ordinary_heads_pass_the_defaults(void **state)
{
    (void)state;
    head_builder_init(&builder, HEAD_REQUEST, &arena, &limits);
    feed(PAIRS(GET));
    for (int i = 0; i < 150; i++)
        head_builder_add(&builder, SPAN_LITERAL("cookie"), SPAN_LITERAL("crumb=0123456789"),
                         KNOWN_COOKIE, 0);
    for (int i = 0; i < 30; i++)
        head_builder_add(&builder, SPAN_LITERAL("x-field"), SPAN_LITERAL("value"), KNOWN_NONE, 0);
    assert_int_equal(head_builder_finish(&builder, &message), HEAD_OK);
}

static void first_fault_stays_but_for_floods(void **state)
{
    (void)state;
    limits.field_list_size = 200;
    head_builder_init(&builder, HEAD_REQUEST, &arena, &limits);
    head_builder_add(&builder, SPAN_LITERAL("Upper"), SPAN_EMPTY, KNOWN_NONE, 0);
    assert_string_equal(builder.reason, "bad field name");
    for (int i = 0; i < 10; i++)
        head_builder_add(&builder, SPAN_LITERAL("a"), SPAN_EMPTY, KNOWN_NONE, 0);
    assert_int_equal(builder.verdict, HEAD_MALFORMED);
    for (int i = 0; i < 30; i++)
        head_builder_add(&builder, SPAN_LITERAL("a"), SPAN_EMPTY, KNOWN_NONE, 0);
    assert_int_equal(head_builder_finish(&builder, &message), HEAD_FAR_TOO_LARGE);
}

static void responses_have_a_status(void **state)
{
    static const char *const bad[] = {"", "20", "2000", "099", "+20", "20a", " 20", "abc", "101"};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(RESPONSE(":status", bad[i]), HEAD_MALFORMED);
    assert_int_equal(RESPONSE(":status", "103", "link", "</a>; rel=preload"), HEAD_OK);
    assert_int_equal(message.status, 103);
    assert_int_equal(RESPONSE(":status", "999", "content-length", "3"), HEAD_OK);
    assert_int_equal(message.content_length, 3);
    assert_int_equal(RESPONSE("server", "x"), HEAD_MALFORMED);
    assert_int_equal(RESPONSE(":status", "200", ":path", "/"), HEAD_MALFORMED);
    assert_int_equal(RESPONSE(":status", "200", ":status", "200"), HEAD_MALFORMED);
    assert_int_equal(RESPONSE(":status", "200", "host", "kept"), HEAD_OK);
    assert_int_equal(message.fields.count, 1);
}

static void promises_are_safe_and_empty(void **state)
{
    (void)state;
    assert_int_equal(PROMISE(GET), HEAD_OK);
    assert_int_equal(PROMISE(GET, "content-length", "0"), HEAD_OK);
    assert_int_equal(PROMISE(GET, "content-length", "1"), HEAD_MALFORMED);
    assert_int_equal(
        PROMISE(":method", "POST", ":scheme", "https", ":path", "/", ":authority", "example.com"),
        HEAD_MALFORMED);
    assert_int_equal(
        PROMISE(":method", "GET", ":scheme", "https", ":path", "/", "host", "example.com"),
        HEAD_MALFORMED);
}

static void trailers_smuggle_nothing(void **state)
{
    (void)state;
    assert_int_equal(TRAILERS("x-checksum", "1", "content-length", "5", "host", "evil",
                              "authorization", "x", "grpc-status", "0", "trailer", "y"),
                     HEAD_OK);
    assert_int_equal(trailers.count, 2);
    assert_span(trailers.items[0].name, "x-checksum");
    assert_span(trailers.items[1].name, "grpc-status");
    assert_int_equal(TRAILERS(":path", "/"), HEAD_MALFORMED);
    assert_int_equal(TRAILERS("Upper", "/"), HEAD_MALFORMED);
    assert_int_equal(trailers.count, 0);
    assert_int_equal(TRAILERS("cookie", "a", "cookie", "b"), HEAD_OK);
    assert_int_equal(trailers.count, 0);
}

/* ---- HTTP/1 ---- */

static enum head_verdict http1(const char *method, const char *path, const char *authority,
                               enum http_version version, const char *const *pairs)
{
    arena_free(&arena);
    head_builder_init_http1(&builder, HEAD_REQUEST, &arena, &limits);
    builder.message.method = span_from_text(method);
    builder.message.path = span_from_text(path);
    builder.message.authority = span_from_text(authority);
    builder.message.version = version;
    return feed(pairs);
}

static void http1_uses_the_same_rules(void **state)
{
    (void)state;
    assert_int_equal(http1("GET", "/", "", HTTP_1_1,
                           PAIRS("Host", " example.com\t", "X-Upper", " v ", "Accept", "*/*")),
                     HEAD_OK);
    assert_span(message.authority, "example.com");
    assert_int_equal(message.fields.count, 2);
    assert_span(message.fields.items[0].name, "x-upper");
    assert_span(message.fields.items[0].value, "v");
    assert_int_equal(message.fields.items[1].known, KNOWN_ACCEPT);
    assert_span(message.fields.items[1].name, "accept");

    assert_int_equal(http1("GET", "/", "", HTTP_1_1, PAIRS("Accept", "x")), HEAD_MALFORMED);
    assert_int_equal(http1("GET", "/", "", HTTP_1_0, PAIRS("Accept", "x")), HEAD_OK);
    assert_int_equal(http1("GET", "/", "", HTTP_1_1, PAIRS("Host", "")), HEAD_OK);
    assert_int_equal(http1("GET", "/", "", HTTP_1_1, PAIRS("Host", "a", "host", "a")),
                     HEAD_MALFORMED);
    assert_int_equal(http1("GET", "/", "", HTTP_1_1, PAIRS("Host", "u@a")), HEAD_MALFORMED);
    assert_int_equal(http1("GET", "/", "abs.test", HTTP_1_1, PAIRS("Host", "other.test")), HEAD_OK);
    assert_span(message.authority, "abs.test");
    assert_int_equal(http1("CONNECT", "", "a.test:443", HTTP_1_1, PAIRS("Host", "a.test:443")),
                     HEAD_OK);
    assert_int_equal(http1("CONNECT", "", "a.test", HTTP_1_1, PAIRS("Host", "a.test")),
                     HEAD_MALFORMED);
    assert_int_equal(http1("GET", "/", "", HTTP_1_1, PAIRS("Host", "a", "Connection", "close")),
                     HEAD_OK);
    assert_non_null(fields_find(&message.fields, KNOWN_CONNECTION));
    assert_int_equal(http1("GET", "/", "", HTTP_1_1, PAIRS("Host", "a", ":path", "/x")),
                     HEAD_MALFORMED);
    assert_int_equal(http1("GET", "/", "", HTTP_1_1, PAIRS("Host", "a", "a b", "/x")),
                     HEAD_MALFORMED);
    assert_int_equal(http1("GET", "/", "", HTTP_1_1, PAIRS("Host", "a", "", "/x")), HEAD_MALFORMED);
    assert_int_equal(http1("GET", "/", "", HTTP_1_1, PAIRS("Host", "a", "a", "x\x01y")),
                     HEAD_MALFORMED);
}

/* ---- bytes ---- */

static bool is_name_byte(unsigned byte)
{
    return byte != 0 && (strchr("!#$%&'*+-.^_`|~", (int)byte) != NULL ||
                         (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z'));
}

static bool is_value_byte(unsigned byte, bool at_an_end)
{
    if (byte == ' ' || byte == '\t')
        return !at_an_end;
    return byte > 0x20 && byte != 0x7f;
}

/* SM-12: every byte at every place of a name and of a value, in a head and in trailers. */
static void every_byte_at_every_place(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        for (size_t place = 0; place < 3; place++) {
            for (int kind = HEAD_REQUEST; kind <= HEAD_TRAILERS; kind++) {
                uint8_t text[3] = {'x', 'y', 'z'};
                text[place] = (uint8_t)byte;

                head_builder_init(&builder, (enum head_kind)kind, &arena, &limits);
                enum head_verdict verdict =
                    head_builder_add(&builder, span_make(text, 3), SPAN_EMPTY, KNOWN_NONE, 0);
                assert_int_equal(verdict, is_name_byte(byte) ? HEAD_OK : HEAD_MALFORMED);

                head_builder_init(&builder, (enum head_kind)kind, &arena, &limits);
                verdict = head_builder_add(&builder, SPAN_LITERAL("x-name"), span_make(text, 3),
                                           KNOWN_NONE, 0);
                assert_int_equal(verdict,
                                 is_value_byte(byte, place != 1) ? HEAD_OK : HEAD_MALFORMED);
            }
        }
        uint8_t alone = (uint8_t)byte;
        head_builder_init(&builder, HEAD_REQUEST, &arena, &limits);
        assert_int_equal(
            head_builder_add(&builder, SPAN_LITERAL("x"), span_make(&alone, 1), KNOWN_NONE, 0),
            is_value_byte(byte, true) ? HEAD_OK : HEAD_MALFORMED);
        arena_free(&arena);
    }
}

static bool build_without_memory(void *user)
{
    (void)user;
    arena_init(&arena, 0, NULL);
    enum head_verdict verdict =
        REQUEST(GET, "cookie", "a", "cookie", "b", "host", "example.com", "x-a", "1", "x-b", "2",
                "x-c", "3", "x-d", "4", "x-e", "5", "x-f", "6", "x-g", "7", "x-h", "8");
    /* The arena may have found a smaller block in place of the one refused. */
    bool good = verdict == HEAD_OK || (failmalloc_fired() && verdict == HEAD_NO_MEMORY);
    arena_free(&arena);
    return good;
}

static void memory_may_run_out(void **state)
{
    (void)state;
    assert_int_not_equal(failmalloc_each(build_without_memory, NULL, 100), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(request_is_taken_apart, prepare, clean),
        cmocka_unit_test_setup_teardown(pseudo_fields_are_strict, prepare, clean),
        cmocka_unit_test_setup_teardown(control_data_has_syntax, prepare, clean),
        cmocka_unit_test_setup_teardown(authority_has_syntax, prepare, clean),
        cmocka_unit_test_setup_teardown(host_and_authority_become_one, prepare, clean),
        cmocka_unit_test_setup_teardown(connect_is_different, prepare, clean),
        cmocka_unit_test_setup_teardown(connection_specific_fields_are_refused, prepare, clean),
        cmocka_unit_test_setup_teardown(content_length_is_digits_once, prepare, clean),
        cmocka_unit_test_setup_teardown(expect_is_one_token, prepare, clean),
        cmocka_unit_test_setup_teardown(cookie_crumbs_are_joined, prepare, clean),
        cmocka_unit_test_setup_teardown(limits_count_every_field, prepare, clean),
        cmocka_unit_test_setup_teardown(ordinary_heads_pass_the_defaults, prepare, clean),
        cmocka_unit_test_setup_teardown(first_fault_stays_but_for_floods, prepare, clean),
        cmocka_unit_test_setup_teardown(responses_have_a_status, prepare, clean),
        cmocka_unit_test_setup_teardown(promises_are_safe_and_empty, prepare, clean),
        cmocka_unit_test_setup_teardown(trailers_smuggle_nothing, prepare, clean),
        cmocka_unit_test_setup_teardown(http1_uses_the_same_rules, prepare, clean),
        cmocka_unit_test_setup_teardown(every_byte_at_every_place, prepare, clean),
        cmocka_unit_test_setup_teardown(memory_may_run_out, prepare, clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
