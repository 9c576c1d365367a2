/* llhttp's test vectors (strict mode) against our two roles: the messages that come out are the
 * same, in number, method or status, and body length. Where we differ by intent
 * a table says why.
 *
 *     h1_llhttp FOLDER      exit status 0, 1, or 77 (skipped) when the folder is not there
 */
#include "base/buf.h"
#include "h1/h1.h"
#include "http/exchange_engine.h"
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#define SKIPPED      77
#define RAW_MAXIMUM  65536
#define TEXT_MAXIMUM 8192

/* Where a vector's result is not ours, and why. */
static const struct {
    const char *file;
    long line;
    const char *reason;
} exceptions[] = {
    {"request/invalid.md", 66, "methods are an open set (RFC 9110 section 16.1)"},
    {"request/invalid.md", 356, "methods are an open set (RFC 9110 section 16.1)"},
    {"request/method.md", 96, "content of CONNECT has no meaning and is refused"},
    {"request/method.md", 135, "'*' is for OPTIONS alone (RFC 9112 section 3.2.4)"},
    {"request/method.md", 372, "Icecast, not HTTP"},
    {"request/method.md", 400, "RTSP, not HTTP"},
    {"request/method.md", 430, "RTSP, not HTTP"},
    {"request/sample.md", 314, "HTTP/0.9 (RFC 9112 section 2.3)"},
    {"request/transfer-encoding.md", 751, "codings other than chunked get 501 (section 6.1)"},
    {"request/transfer-encoding.md", 793, "codings other than chunked are refused (section 6.1)"},
    {"request/uri.md", 165, "no fragment in a request target (RFC 9110 section 7.1)"},
    {"request/uri.md", 222, "no user information in a request target (RFC 9110 section 4.2.4)"},
    {"response/connection.md", 293, "101 to a request without upgrade (RFC 9110 section 15.2.2)"},
    {"response/connection.md", 331, "101 to a request without upgrade (RFC 9110 section 15.2.2)"},
    {"response/connection.md", 492, "only a request may have an empty line before it"},
    {"response/connection.md", 586, "only a request may have an empty line before it"},
    {"response/finish.md", 6, "the end of the connection ends the body (RFC 9112 section 6.3)"},
    {"response/pipelining.md", 4, "only a request may have an empty line before it"},
    {"response/sample.md", 695, "only a request may have an empty line before it"},
};

/* What came out: one line a complete message. */
struct outcome {
    struct buf lines;
    size_t body; /* of the message being read */
    struct conn *conn;
    bool head_request; /* responses: the request was HEAD */
};

static void note(struct outcome *outcome, struct span what)
{
    (void)buf_append_span(&outcome->lines, what);
    (void)buf_printf(&outcome->lines, " %zu\n", outcome->body);
    outcome->body = 0;
}

/* ---- what llhttp says ---- */

static struct span quoted(const char *line)
{
    const char *first = strchr(line, '"'), *last = strrchr(line, '"');

    return first == NULL || last <= first ? SPAN_EMPTY
                                          : span_make(first + 1, (size_t)(last - first) - 1);
}

static void expected_outcome(const json_t *log, struct outcome *outcome)
{
    struct span what = SPAN_EMPTY;
    char status[16] = "";
    size_t index;
    json_t *entry;

    json_array_foreach(log, index, entry)
    {
        const char *line = json_string_value(entry), *at;

        if (strstr(line, "span[method]=") != NULL)
            what = quoted(line);
        if ((at = strstr(line, "headers complete status=")) != NULL) {
            (void)snprintf(status, sizeof(status), "%ld", strtol(at + 24, NULL, 10));
            what = span_from_text(status);
        }
        if ((at = strstr(line, "len=")) != NULL && strstr(line, "span[body]=") != NULL)
            outcome->body += strtoul(at + 4, NULL, 10);
        if (strstr(line, "message complete") != NULL)
            note(outcome, what);
    }
}

/* ---- what we say ---- */

static void read_all(struct exchange *exchange, struct outcome *outcome)
{
    uint8_t bytes[1024];
    size_t count;

    while ((count = exchange_read(exchange, bytes, sizeof(bytes))) > 0)
        outcome->body += count;
}

static void server_readable(struct exchange *exchange)
{
    struct outcome *outcome = exchange->user;

    read_all(exchange, outcome);
    if (!exchange_at_end(exchange) || exchange->head_queued)
        return;
    note(outcome, exchange->incoming.method);
    (void)exchange_respond(exchange, 200, NULL, 0, 0);
    (void)exchange_finish(exchange, NULL, 0);
}

static void release(struct exchange *exchange, int reason)
{
    (void)reason;
    exchange_release(exchange);
}

static const struct exchange_events server_events = {.readable = server_readable,
                                                     .closed = release};

static void dispatch(struct conn *conn, struct exchange *exchange)
{
    exchange->user = conn->host_data;
    exchange->events = &server_events;
    server_readable(exchange);
}

static void client_readable(struct exchange *exchange)
{
    struct outcome *outcome = exchange->user;
    char status[16];

    read_all(exchange, outcome);
    if (!exchange_at_end(exchange))
        return;
    (void)snprintf(status, sizeof(status), "%u", exchange->incoming.status);
    note(outcome, span_from_text(status));
}

/* llhttp counts an interim response as a message. */
static void client_informational(struct exchange *exchange, const struct message *message)
{
    char status[16];

    (void)snprintf(status, sizeof(status), "%u", message->status);
    note(exchange->user, span_from_text(status));
}

static const struct exchange_events client_events = {
    .readable = client_readable, .informational = client_informational, .closed = release};

static void pull_all(struct conn *conn)
{
    static uint8_t bytes[8192];
    struct conn_out out = {.data = bytes, .capacity = sizeof(bytes)};

    do
        (void)conn->ops->pull(conn, &out, HERALD_SECOND);
    while (out.length > 0);
}

static void ask(struct conn *conn)
{
    struct outcome *outcome = conn->host_data;
    const struct message request = {
        .method = outcome->head_request ? SPAN_LITERAL("HEAD") : SPAN_LITERAL("POST"),
        .scheme = SPAN_LITERAL("http"),
        .authority = SPAN_LITERAL("a"),
        .path = SPAN_LITERAL("/"),
        .protocol = SPAN_LITERAL("x"),
        .content_length = CONTENT_LENGTH_UNKNOWN,
    };
    struct exchange *exchange =
        exchange_new_request(&request, &limits_default, &client_events, outcome);

    if (exchange == NULL)
        return;
    if (conn->ops->request(conn, exchange, HERALD_SECOND) < 0) {
        exchange_release(exchange);
        return;
    }
    (void)exchange_finish(exchange, NULL, 0);
    pull_all(conn);
}

static void nothing(struct conn *conn)
{
    (void)conn;
}

static const struct conn_host_ops host = {.dispatch = dispatch, .wake = nothing, .ready = ask};

static bool run(struct span raw, size_t piece, bool response, bool eof, struct outcome *outcome)
{
    const struct conn_config config = {.role = response ? CONN_CLIENT : CONN_SERVER,
                                       .host = &host,
                                       .host_data = outcome,
                                       .limits = &limits_default};
    struct conn *conn = h1_engine.create(&config, HERALD_SECOND);

    if (conn == NULL)
        return false;
    outcome->conn = conn;
    if (response)
        ask(conn);
    for (size_t at = 0; at < raw.length; at += piece) {
        const struct conn_in in = {.data = span_slice(raw, at, piece)};

        (void)conn->ops->recv(conn, &in, HERALD_SECOND);
        pull_all(conn);
    }
    if (eof)
        (void)conn->ops->eof(conn, HERALD_SECOND);
    conn->ops->destroy(conn);
    return true;
}

/* ---- vectors ---- */

static size_t decode_base64(const char *text, uint8_t *bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t length = 0;
    uint32_t value = 0;
    unsigned bits = 0;

    for (; *text != '\0' && *text != '='; text++) {
        value = value << 6 | (uint32_t)(strchr(digits, *text) - digits);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            if (length < RAW_MAXIMUM)
                bytes[length++] = (uint8_t)(value >> bits);
        }
    }
    return length;
}

/* Most vectors leave out Host, which we insist on (RFC 9112 section 3.2). */
static void add_host(struct span raw, struct buf *whole)
{
    static const char end[] = "HTTP/1.1\r\n";
    bool present = false;

    for (size_t i = 0; i + 6 < raw.length; i++)
        present = present ||
                  span_equals_ignoring_case(span_make(raw.data + i, 6), SPAN_LITERAL("\nHost:"));
    for (size_t i = 0; i < raw.length; i++) {
        (void)buf_append_byte(whole, raw.data[i]);
        if (!present && i + 1 >= sizeof(end) - 1 &&
            memcmp(raw.data + i + 2 - sizeof(end), end, sizeof(end) - 1) == 0)
            (void)buf_append_text(whole, "Host: a\r\n");
    }
}

static const char *exception_for(const char *file, long line)
{
    for (size_t i = 0; i < sizeof(exceptions) / sizeof(exceptions[0]); i++) {
        if (strcmp(exceptions[i].file, file) == 0 && exceptions[i].line == line)
            return exceptions[i].reason;
    }
    return NULL;
}

static bool is_true(const json_t *vector, const char *key)
{
    const json_t *meta = json_object_get(vector, "meta");

    return json_is_true(json_object_get(meta, key)) || json_object_get(meta, key) != NULL;
}

/* 1: as expected; 0: differs. */
static int run_vector(const json_t *vector, struct span raw, bool response, bool finish)
{
    const char *file = json_string_value(json_object_get(vector, "file"));
    long line = (long)json_integer_value(json_object_get(vector, "line"));
    struct outcome expected = {0};
    const char *reason = exception_for(file, line);
    int same = 1;

    buf_init(&expected.lines, TEXT_MAXIMUM, NULL);
    expected_outcome(json_object_get(vector, "log"), &expected);
    for (size_t piece = 1; piece <= raw.length; piece += raw.length - 1 + (raw.length == 1)) {
        struct outcome ours = {.head_request = is_true(vector, "skipBody")};

        buf_init(&ours.lines, TEXT_MAXIMUM, NULL);
        if (!run(raw, piece, response, finish, &ours) ||
            !span_equals(buf_span(&ours.lines), buf_span(&expected.lines))) {
            if (same == 1 && reason == NULL)
                printf("%s:%ld (%s): ours\n%.*stheirs\n%.*s", file, line,
                       json_string_value(json_object_get(vector, "name")),
                       SPAN_ARGUMENTS(buf_span(&ours.lines)),
                       SPAN_ARGUMENTS(buf_span(&expected.lines)));
            same = 0;
        }
        buf_free(&ours.lines);
    }
    buf_free(&expected.lines);
    if (same && reason != NULL)
        printf("%s:%ld is listed as an exception and is none\n", file, line);
    return same == (reason == NULL);
}

int main(int argc, char **argv)
{
    static uint8_t bytes[RAW_MAXIMUM];
    char path[4096];
    json_error_t error;
    json_t *vectors, *vector;
    size_t index;
    unsigned ran = 0, failed = 0;

    (void)snprintf(path, sizeof(path), "%s/vectors.json", argc > 1 ? argv[1] : ".");
    vectors = json_load_file(path, 0, &error);
    if (vectors == NULL) {
        printf("no vectors at %s: %s\n", path, error.text);
        return SKIPPED;
    }
    json_array_foreach(vectors, index, vector)
    {
        const char *type = json_string_value(json_object_get(vector, "type"));
        bool response = strncmp(type, "response", 8) == 0;
        struct buf raw;

        /* Lenient modes we have none of; pausing is llhttp's API; "url" is no message. */
        if (strstr(type, "lenient") != NULL || strcmp(type, "url") == 0 ||
            is_true(vector, "pause") || (!response && is_true(vector, "skipBody")))
            continue;
        buf_init(&raw, 2 * RAW_MAXIMUM, NULL);
        struct span text = span_make(
            bytes, decode_base64(json_string_value(json_object_get(vector, "raw_b64")), bytes));
        if (response)
            (void)buf_append_span(&raw, text);
        else
            add_host(text, &raw);
        ran++;
        failed += !run_vector(vector, buf_span(&raw), response, strstr(type, "finish") != NULL);
        buf_free(&raw);
    }
    json_decref(vectors);
    printf("%u vectors, %u failed, %zu differ by intent\n", ran, failed,
           sizeof(exceptions) / sizeof(exceptions[0]));
    return failed == 0 && ran > 100 ? 0 : 1;
}
