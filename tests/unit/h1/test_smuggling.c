/* What a strict reader refuses (SM-01 to SM-07, SM-10, SM-13, SM-14, SM-16, SM-20 to SM-22 of the
 * attack catalogue): the status, that nothing reached the handler, and that the connection closes.
 */
#include "h1/harness.h"
#include <stdio.h>

struct session {
    const char *name;
    const char *input;
    unsigned status;     /* of the first response */
    unsigned dispatched; /* requests that reached the handler */
    bool closes;
};

static unsigned status_of(const char *output)
{
    return strncmp(output, "HTTP/1.1 ", 9) == 0 ? (unsigned)strtoul(output + 9, NULL, 10) : 0;
}

static void run_session(const struct session *session, enum handler_kind kind)
{
    struct harness harness;
    const char *output;
    unsigned status;
    bool closed;

    harness_init(&harness, kind);
    harness_open(&harness);
    output = harness_exchange(&harness, session->input);
    status = status_of(output);
    closed = harness.server->finished;
    if (status != session->status || harness.dispatched != session->dispatched ||
        closed != session->closes)
        print_error("%s: status %u, dispatched %u, closed %d\n%s\n", session->name, status,
                    harness.dispatched, closed, output);
    assert_int_equal(status, session->status);
    assert_int_equal(harness.dispatched, session->dispatched);
    assert_int_equal(closed, session->closes);
    if (session->closes && status >= 400) {
        assert_true(harness.server_result < 0);
        assert_non_null(strstr(output, "connection: close"));
    }
    harness_close(&harness);
}

#define HOST "Host: a\r\n"
#define NEXT "GET /next HTTP/1.1\r\nHost: a\r\n\r\n"

static const struct session sessions[] = {
    {"plain", "GET / HTTP/1.1\r\n" HOST "\r\n", 200, 1, false},
    {"close", "GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n", 200, 1, true},
    {"close in a list", "GET / HTTP/1.1\r\n" HOST "Connection: x , CLOSE\r\n\r\n", 200, 1, true},
    {"1.0", "GET / HTTP/1.0\r\n\r\n", 200, 1, true},
    {"1.0 keep-alive", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 200, 1, false},
    {"pipelined", "GET / HTTP/1.1\r\n" HOST "\r\n" NEXT NEXT, 200, 3, false},
    {"after close nothing is read", "GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n" NEXT, 200,
     1, true},
    {"blank lines before", "\r\n\r\nGET / HTTP/1.1\r\n" HOST "\r\n", 200, 1, false},
    {"too many blank lines", "\r\n\r\n\r\nGET / HTTP/1.1\r\n" HOST "\r\n", 400, 0, true},
    {"body", "POST / HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc" NEXT, 200, 2, false},
    {"chunked",
     "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" NEXT, 200,
     2, false},
    {"chunked, case", "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: Chunked\r\n\r\n0\r\n\r\n", 200,
     1, false},
    /* SM-01 */
    {"CL.TE",
     "POST / HTTP/1.1\r\n" HOST
     "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" NEXT,
     400, 0, true},
    {"TE.CL",
     "POST / HTTP/1.1\r\n" HOST
     "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" NEXT,
     400, 0, true},
    /* SM-02 */
    {"TE in 1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, 0, true},
    {"TE gzip", "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip\r\n\r\n", 501, 0, true},
    {"TE list", "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400,
     0, true},
    {"TE twice",
     "POST / HTTP/1.1\r\n" HOST
     "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     400, 0, true},
    {"TE empty", "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding:\r\n\r\n", 400, 0, true},
    /* SM-03 */
    {"CL plus", "POST / HTTP/1.1\r\n" HOST "Content-Length: +5\r\n\r\nabcde", 400, 0, true},
    {"CL minus", "POST / HTTP/1.1\r\n" HOST "Content-Length: -5\r\n\r\nabcde", 400, 0, true},
    {"CL list", "POST / HTTP/1.1\r\n" HOST "Content-Length: 5,5\r\n\r\nabcde", 400, 0, true},
    {"CL list apart", "POST / HTTP/1.1\r\n" HOST "Content-Length: 5, 6\r\n\r\nabcde", 400, 0, true},
    {"CL hexadecimal", "POST / HTTP/1.1\r\n" HOST "Content-Length: 0x5\r\n\r\nabcde", 400, 0, true},
    {"CL 2^64+5", "POST / HTTP/1.1\r\n" HOST "Content-Length: 18446744073709551621\r\n\r\nabcde",
     400, 0, true},
    {"CL 2^63", "POST / HTTP/1.1\r\n" HOST "Content-Length: 9223372036854775808\r\n\r\nabcde", 400,
     0, true},
    {"CL empty", "POST / HTTP/1.1\r\n" HOST "Content-Length: \r\n\r\n", 400, 0, true},
    {"CL twice", "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nContent-Length: 5\r\n\r\nabcde",
     400, 0, true},
    {"CL inner space", "POST / HTTP/1.1\r\n" HOST "Content-Length: 1 1\r\n\r\na", 400, 0, true},
    {"CL underscore", "POST / HTTP/1.1\r\n" HOST "Content-Length: 1_0\r\n\r\na", 400, 0, true},
    {"CL blanks around", "POST / HTTP/1.1\r\n" HOST "Content-Length: \t 3 \r\n\r\nabc", 200, 1,
     false},
    /* SM-06 */
    {"bare LF everywhere", "GET / HTTP/1.1\nHost: a\n\n", 400, 0, true},
    {"bare LF in a field", "GET / HTTP/1.1\r\n" HOST "A: b\nC: d\r\n\r\n", 400, 0, true},
    {"bare CR in a field", "GET / HTTP/1.1\r\n" HOST "A: b\rC: d\r\n\r\n", 400, 0, true},
    {"bare CR in the line", "GET /\r HTTP/1.1\r\n" HOST "\r\n", 400, 0, true},
    {"CR CR LF", "GET / HTTP/1.1\r\r\n" HOST "\r\n", 400, 0, true},
    {"LF CR LF ends", "GET / HTTP/1.1\r\n" HOST "A: b\n\r\n", 400, 0, true},
    /* SM-07 */
    {"obs-fold", "GET / HTTP/1.1\r\n" HOST "A: b\r\n c\r\n\r\n", 400, 0, true},
    {"obs-fold with a tab", "GET / HTTP/1.1\r\n" HOST "A: b\r\n\tc\r\n\r\n", 400, 0, true},
    {"space before colon", "GET / HTTP/1.1\r\n" HOST "A : b\r\n\r\n", 400, 0, true},
    {"tab before colon", "GET / HTTP/1.1\r\n" HOST "A\t: b\r\n\r\n", 400, 0, true},
    {"space before the first field", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400, 0, true},
    {"no colon", "GET / HTTP/1.1\r\n" HOST "A\r\n\r\n", 400, 0, true},
    {"no name", "GET / HTTP/1.1\r\n" HOST ": b\r\n\r\n", 400, 0, true},
    {"byte over 0x7f in a name", "GET / HTTP/1.1\r\n" HOST "A\xe9: b\r\n\r\n", 400, 0, true},
    {"control byte in a value", "GET / HTTP/1.1\r\n" HOST "A: b\x01\r\n\r\n", 400, 0, true},
    {"DEL in a value", "GET / HTTP/1.1\r\n" HOST "A: b\x7f\r\n\r\n", 400, 0, true},
    {"obs-text in a value", "GET / HTTP/1.1\r\n" HOST "A: \xe9\r\n\r\n", 200, 1, false},
    /* SM-10 */
    {"Expect unknown", "POST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\nExpect: 200-ok\r\n\r\na",
     417, 0, true},
    {"Expect obfuscated",
     "POST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\nExpect: y 100-continue\r\n\r\na", 417, 0,
     true},
    /* SM-13, SM-14 */
    {"no Host", "GET / HTTP/1.1\r\n\r\n", 400, 0, true},
    {"two Hosts", "GET / HTTP/1.1\r\n" HOST "Host: b\r\n\r\n", 400, 0, true},
    {"two equal Hosts", "GET / HTTP/1.1\r\n" HOST HOST "\r\n", 400, 0, true},
    {"Host with userinfo", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400, 0, true},
    {"Host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, 0, true},
    {"Host with a blank", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400, 0, true},
    {"Host list", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400, 0, true},
    {"absolute-form", "GET http://b/x HTTP/1.1\r\n" HOST "\r\n", 200, 1, false},
    {"absolute-form with userinfo", "GET http://u@b/x HTTP/1.1\r\n" HOST "\r\n", 400, 0, true},
    {"absolute-form without host", "GET http:///x HTTP/1.1\r\n" HOST "\r\n", 400, 0, true},
    {"absolute-form, other scheme", "GET ftp://b/x HTTP/1.1\r\n" HOST "\r\n", 400, 0, true},
    {"asterisk", "OPTIONS * HTTP/1.1\r\n" HOST "\r\n", 200, 1, false},
    {"asterisk with GET", "GET * HTTP/1.1\r\n" HOST "\r\n", 400, 0, true},
    {"relative target", "GET x HTTP/1.1\r\n" HOST "\r\n", 400, 0, true},
    {"fragment", "GET /a#b HTTP/1.1\r\n" HOST "\r\n", 400, 0, true},
    {"byte over 0x7f in the target", "GET /\xe9 HTTP/1.1\r\n" HOST "\r\n", 400, 0, true},
    {"two blanks", "GET  / HTTP/1.1\r\n" HOST "\r\n", 400, 0, true},
    {"blank in the target", "GET /a b HTTP/1.1\r\n" HOST "\r\n", 400, 0, true},
    {"blank at the end", "GET / HTTP/1.1 \r\n" HOST "\r\n", 400, 0, true},
    {"tab for a blank", "GET\t/\tHTTP/1.1\r\n" HOST "\r\n", 400, 0, true},
    {"junk in the method", "G@T / HTTP/1.1\r\n" HOST "\r\n", 400, 0, true},
    {"CONNECT with a path", "CONNECT /x HTTP/1.1\r\n" HOST "\r\n", 400, 0, true},
    {"CONNECT with a body", "CONNECT a:1 HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nab", 400, 0,
     true},
    /* SM-20: method */
    {"method of 32", "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF / HTTP/1.1\r\n" HOST "\r\n", 200, 1, false},
    {"method of 33", "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG / HTTP/1.1\r\n" HOST "\r\n", 501, 0, true},
    /* SM-21 */
    {"HTTP/0.9", "GET /\r\n", 400, 0, true},
    {"HTTP/0.9, ended", "GET /\r\n\r\n", 400, 0, true},
    {"HTTP/1.2", "GET / HTTP/1.2\r\n" HOST "\r\n", 505, 0, true},
    {"HTTP/2.0", "GET / HTTP/2.0\r\n" HOST "\r\n", 505, 0, true},
    {"preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, 0, true},
    {"version in lower case", "GET / http/1.1\r\n" HOST "\r\n", 400, 0, true},
    {"version of two digits", "GET / HTTP/1.10\r\n" HOST "\r\n", 400, 0, true},
    {"TLS hello", "\x16\x03\x01\x02", 400, 0, true},
    /* SM-04 */
    {"chunk size with a blank before",
     "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n 3\r\nabc\r\n0\r\n\r\n", 400, 1,
     true},
    {"chunk data too long",
     "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n" NEXT, 400,
     1, true},
    /* SM-16 */
    {"h2c",
     "GET / HTTP/1.1\r\n" HOST "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: "
     "h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
     200, 1, false},
};

static void test_sessions(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(sessions) / sizeof(sessions[0]); i++)
        run_session(&sessions[i], HANDLER_ECHO);
}

/* SM-02: none of these may be taken for chunked, or for no coding at all. */
static void test_transfer_encoding_mutations(void **state)
{
    static const char *const values[] = {
        "xchunked",
        "chunkedx",
        "chunked, identity",
        "identity, chunked",
        "chunked,chunked",
        "chunked;a=b",
        "chunked ;",
        "\"chunked\"",
        "'chunked'",
        "chunked, gzip",
        "gzip,chunked",
        "chu nked",
        "chunke",
        "ch\xc3\xbcnked",
        "chunked,",
        ",chunked",
        "chunked\x0b",
        "\x0b"
        "chunked",
        "\x0c"
        "chunked",
        "chunked\x01",
        "identity",
        "cow",
        "chunked\r\n\tx",
        "x\r\n chunked",
        "chunked\rx",
        "chunked\nx: y",
        "chunked=1",
        "{chunked}",
        "\xc2\xa0"
        "chunked",
        "chunked\x7f",
    };
    static const char *const names[] = {"Transfer-Encoding:",
                                        "Transfer-Encoding: ",
                                        "transfer-encoding:\t",
                                        "TRANSFER-ENCODING: \t ",
                                        "Transfer-Encoding : ",
                                        " Transfer-Encoding: ",
                                        "Transfer_Encoding: x\r\nTransfer-Encoding: "};
    unsigned tried = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        for (size_t j = 0; j < sizeof(values) / sizeof(values[0]); j++) {
            char text[512];
            struct harness harness;
            unsigned status;

            (void)snprintf(text, sizeof(text),
                           "POST / HTTP/1.1\r\n" HOST "%s%s\r\n\r\n0\r\n\r\n" NEXT, names[i],
                           values[j]);
            harness_init(&harness, HANDLER_ECHO);
            harness_open(&harness);
            status = status_of(harness_exchange(&harness, text));
            if ((status != 400 && status != 501) || harness.dispatched != 0)
                print_error("%s -> %u\n", text, status);
            assert_true(status == 400 || status == 501);
            assert_int_equal(harness.dispatched, 0);
            assert_true(harness.server->finished);
            harness_close(&harness);
            tried++;
        }
    }
    assert_true(tried >= 200);
}

/* Every byte at every place of a name and of a value: accepted exactly where RFC 9110 allows it. */
static void test_field_bytes(void **state)
{
    static const char tchar[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    static const char *const forms[] = {"%cb: v", "b%cb: v", "bb%c: v",
                                        "b: %cv", "b: v%cv", "b: v%c"};

    (void)state;
    for (size_t form = 0; form < 6; form++) {
        for (int byte = 1; byte < 256; byte++) {
            char line[64], text[128];
            struct harness harness;
            bool name = form < 3, allowed;
            unsigned status;

            allowed =
                name ? strchr(tchar, byte) != NULL : byte == '\t' || (byte >= ' ' && byte != 0x7f);
            /* A colon ends the name; the rest is then a value. */
            if (name && byte == ':')
                allowed = form != 0;
            (void)snprintf(line, sizeof(line), forms[form], byte);
            (void)snprintf(text, sizeof(text), "GET / HTTP/1.1\r\n" HOST "%s\r\n\r\n", line);
            harness_init(&harness, HANDLER_ECHO);
            harness_open(&harness);
            status = status_of(harness_exchange(&harness, text));
            if (status != (allowed ? 200 : 400))
                print_error("form %zu byte %02x: %u\n", form, (unsigned)byte, status);
            assert_int_equal(status, allowed ? 200 : 400);
            harness_close(&harness);
        }
    }
}

static void test_nul(void **state)
{
    static const char *const texts[] = {"GET /\0 HTTP/1.1\r\nHost: a\r\nA: b\r\n\r\n",
                                        "G\0T / HTTP/1.1\r\nHost: a\r\nAA: b\r\n\r\n",
                                        "GET / HTTP/1.1\r\nHost: a\r\nA: b\0\r\n\r\n",
                                        "GET / HTTP/1.1\r\nHost: a\r\nA\0: b\r\n\r\n",
                                        "GET / HTTP/1.1\r\nHost: \0\r\nAA: b\r\n\r\n"};

    (void)state;
    for (size_t i = 0; i < 5; i++) {
        struct harness harness;

        harness_init(&harness, HANDLER_ECHO);
        harness_open(&harness);
        harness_feed(&harness, span_make(texts[i], 34));
        harness_pull(&harness);
        assert_int_equal(status_of(harness_output(&harness)), 400);
        assert_int_equal(harness.dispatched, 0);
        harness_close(&harness);
    }
}

static void expect_status_with(size_t target, size_t value, size_t fields, unsigned status)
{
    struct harness harness;
    struct buf text;

    buf_init(&text, 1 << 20, NULL);
    assert_int_equal(buf_append_text(&text, "GET /"), 0);
    for (size_t i = 1; i < target; i++)
        assert_int_equal(buf_append_byte(&text, 'a'), 0);
    assert_int_equal(buf_append_text(&text, " HTTP/1.1\r\nHost: a\r\n"), 0);
    for (size_t i = 0; i < fields; i++)
        assert_int_equal(buf_append_text(&text, "a: b\r\n"), 0);
    if (value > 0) {
        assert_int_equal(buf_append_text(&text, "a: "), 0);
        for (size_t i = 0; i < value; i++)
            assert_int_equal(buf_append_byte(&text, 'v'), 0);
        assert_int_equal(buf_append_text(&text, "\r\n"), 0);
    }
    assert_int_equal(buf_append_text(&text, "\r\n"), 0);
    for (size_t piece = 1; piece <= 2; piece++) {
        struct span all = buf_span(&text);
        size_t step = piece == 1 ? all.length : 1000;

        harness_init(&harness, HANDLER_ECHO);
        harness_open(&harness);
        for (size_t at = 0; at < all.length && harness.server_result == 0; at += step)
            harness_feed(&harness, span_slice(all, at, step));
        harness_pull(&harness);
        assert_int_equal(status_of(harness_output(&harness)), status);
        harness_close(&harness);
    }
    buf_free(&text);
}

/* SM-20, SM-22: exactly at the limit and one over. */
static void test_limits(void **state)
{
    const struct limits *limits = &limits_default;
    size_t line = limits->request_line_size - strlen("GET  HTTP/1.1");

    (void)state;
    expect_status_with(line, 0, 0, 200);
    expect_status_with(line + 1, 0, 0, 414);
    expect_status_with(60000, 0, 0, 414);
    expect_status_with(1, 0, limits->field_count - 1, 200);
    expect_status_with(1, 0, limits->field_count, 431);
    expect_status_with(1, limits->field_list_size - 33 - 37, 0, 200);
    expect_status_with(1, limits->field_list_size - 33 - 36, 0, 431);
    expect_status_with(1, 200000, 0, 431);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sessions),    cmocka_unit_test(test_transfer_encoding_mutations),
        cmocka_unit_test(test_field_bytes), cmocka_unit_test(test_nul),
        cmocka_unit_test(test_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
