/* The chunked decoder (SM-04, SM-05). */
#include "base/buf.h"
#include "h1/chunked.h"
#include "support/check.h"

/* Decodes `input` in pieces; the result of the last step. */
static int decode(struct span input, size_t piece, struct buf *data)
{
    struct h1_chunked decoder;
    int event = H1_CHUNKED_MORE;

    h1_chunked_init(&decoder, &limits_default);
    buf_clear(data);
    for (size_t at = 0; at < input.length; at += piece) {
        struct span part = span_slice(input, at, piece), run;

        while ((event = h1_chunked_step(&decoder, &part, &run)) == H1_CHUNKED_DATA) {
            assert_true(run.length > 0);
            assert_int_equal(buf_append_span(data, run), 0);
        }
        if (event != H1_CHUNKED_MORE)
            break;
        assert_int_equal(part.length, 0);
    }
    return event;
}

static void expect_all_pieces(const char *input, int event, const char *data)
{
    struct buf out;

    buf_init(&out, 1 << 16, NULL);
    for (size_t piece = 1; piece <= strlen(input) + 1; piece++) {
        int result = decode(span_from_text(input), piece, &out);

        if (result != event)
            print_error("\"%s\": %d\n", input, result);
        assert_int_equal(result, event);
        assert_int_equal(buf_length(&out), strlen(data));
        assert_memory_equal(out.data == NULL ? (const uint8_t *)"" : out.data, data, strlen(data));
    }
    buf_free(&out);
}

static void test_valid(void **state)
{
    static const char *const lines[] = {
        "3\r\nabc\r\n0\r\n",
        "003\r\nabc\r\n0\r\n",
        "1\r\na\r\n2\r\nbc\r\n0\r\n",
        "3;a\r\nabc\r\n0;b=c\r\n",
        "3 ; a = b ; c=\"d;\\\"\"\r\nabc\r\n0\r\n",
    };

    (void)state;
    for (size_t i = 0; i < 5; i++) {
        struct buf out;
        size_t length = strlen(lines[i]);

        buf_init(&out, 1 << 16, NULL);
        for (size_t piece = 1; piece <= length; piece++) {
            assert_int_equal(decode(span_from_text(lines[i]), piece, &out), H1_CHUNKED_LAST);
            assert_int_equal(buf_length(&out), 3);
            assert_memory_equal(buf_span(&out).data, "abc", 3);
        }
        buf_free(&out);
    }
    expect_all_pieces("3;a = \"b\\\"c\" ; d\r\nabc\r\n", H1_CHUNKED_MORE, "abc");
    expect_all_pieces("A\r\n0123456789\r\n", H1_CHUNKED_MORE, "0123456789");
    expect_all_pieces("a\r\n01234", H1_CHUNKED_MORE, "01234");
}

static void test_invalid(void **state)
{
    static const char *const lines[] = {
        "\r\n",
        " 3\r\n",
        "3 \r\n",
        "3\n",
        "3\r",
        "0_5\r\n",
        "0x5\r\n",
        "+5\r\n",
        "-1\r\n",
        "g\r\n",
        ";a\r\n",
        "3;\r\n",
        "3;a\n",
        "3;a\rb\r\n",
        "3;a\x01\r\n",
        "3;a=\r\n",
        "3;a=\"b\r\n",
        "3;a=\"b\"c\r\n",
        "3;=b\r\n",
        "3;a b\r\n",
        "3,4\r\n",
        "3.0\r\n",
        "00000000000000003\r\n",
        "8000000000000000\r\n",
        "ffffffffffffffff\r\n",
        "10000000000000000\r\n",
    };
    static const char *const after[] = {"3\r\nabc0\r\n", "3\r\nabc\n0\r\n", "3\r\nabc\r0\r\n",
                                        "3\r\nabcd\r\n", "3\r\nabc\r\n\r\n"};

    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        /* "3\r" alone may still become right. */
        if (strcmp(lines[i], "3\r") == 0)
            expect_all_pieces(lines[i], H1_CHUNKED_MORE, "");
        else
            expect_all_pieces(lines[i], HERALD_ERROR_MALFORMED, "");
    }
    for (size_t i = 0; i < sizeof(after) / sizeof(after[0]); i++)
        expect_all_pieces(after[i], HERALD_ERROR_MALFORMED, "abc");
}

static int feed_text(struct h1_chunked *decoder, struct span text)
{
    struct span run;
    int event;

    while ((event = h1_chunked_step(decoder, &text, &run)) == H1_CHUNKED_DATA) {
    }
    return event;
}

static void test_extension_limits(void **state)
{
    static uint8_t name[300];
    struct h1_chunked decoder;
    unsigned chunks = 0;

    (void)state;
    memset(name, 'n', sizeof(name));
    for (size_t over = 0; over < 2; over++) {
        h1_chunked_init(&decoder, &limits_default);
        assert_int_equal(feed_text(&decoder, SPAN_LITERAL("1;")), H1_CHUNKED_MORE);
        assert_int_equal(
            feed_text(&decoder, span_make(name, limits_default.chunk_extension_size + over)),
            over ? HERALD_ERROR_LIMIT : H1_CHUNKED_MORE);
    }
    h1_chunked_init(&decoder, &limits_default);
    for (; chunks < 1000; chunks++) {
        if (feed_text(&decoder, SPAN_LITERAL("1;")) < 0 ||
            feed_text(&decoder, span_make(name, 256)) < 0)
            break;
        assert_int_equal(feed_text(&decoder, SPAN_LITERAL("\r\na\r\n")), H1_CHUNKED_MORE);
    }
    assert_int_equal(chunks, limits_default.chunk_extension_total / 256);
}

/* One-byte chunks written as wide as they may be: too much overhead, after a first megabyte. */
static void test_overhead(void **state)
{
    struct h1_chunked decoder;
    uint64_t chunks = 0;

    (void)state;
    h1_chunked_init(&decoder, &limits_default);
    while (chunks < 1000000 &&
           feed_text(&decoder, SPAN_LITERAL("0000000000000001\r\na\r\n")) == H1_CHUNKED_MORE)
        chunks++;
    assert_in_range(chunks * 20, H1_CHUNKED_OVERHEAD_FREE - 40, H1_CHUNKED_OVERHEAD_FREE);
    /* Small chunks as an honest sender writes them pass. */
    h1_chunked_init(&decoder, &limits_default);
    for (chunks = 0; chunks < 1000000; chunks++)
        assert_int_equal(feed_text(&decoder, SPAN_LITERAL("1\r\na\r\n")), H1_CHUNKED_MORE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_valid),
        cmocka_unit_test(test_invalid),
        cmocka_unit_test(test_extension_limits),
        cmocka_unit_test(test_overhead),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
