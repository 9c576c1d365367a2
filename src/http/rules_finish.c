#include "http/field_syntax.h"
#include "http/rules_internal.h"

static enum head_verdict malformed(struct head_builder *builder, const char *reason)
{
    return head_builder_fault(builder, HEAD_MALFORMED, reason);
}

/* ALPHA *( ALPHA / DIGIT / "+" / "-" / "." ), RFC 3986 section 3.1. */
static bool is_scheme(struct span scheme)
{
    for (size_t i = 0; i < scheme.length; i++) {
        uint8_t lower = scheme.data[i] | 0x20;
        bool letter = lower >= 'a' && lower <= 'z';
        bool other = scheme.data[i] == '+' || scheme.data[i] == '-' || scheme.data[i] == '.' ||
                     (scheme.data[i] >= '0' && scheme.data[i] <= '9');
        if (!letter && (i == 0 || !other))
            return false;
    }
    return scheme.length != 0;
}

static bool is_web_scheme(struct span scheme)
{
    return span_equals_ignoring_case(scheme, SPAN_LITERAL("https")) ||
           span_equals_ignoring_case(scheme, SPAN_LITERAL("http"));
}

/* Which pseudo-fields a request has to have (RFC 9113 sections 8.3.1 and 8.5, RFC 8441 section 4).
 */
static enum head_verdict check_presence(struct head_builder *builder, bool connect)
{
    uint32_t seen = builder->seen;

    if (!(seen & SEEN_METHOD))
        return malformed(builder, "no :method");
    if (connect && !(seen & SEEN_PROTOCOL)) {
        if (seen & (SEEN_SCHEME | SEEN_PATH))
            return malformed(builder, "CONNECT with :scheme or :path");
        return HEAD_OK;
    }
    if ((seen & SEEN_PROTOCOL) && !connect)
        return malformed(builder, ":protocol without CONNECT");
    if (!(seen & SEEN_SCHEME))
        return malformed(builder, "no :scheme");
    if (!(seen & SEEN_PATH))
        return malformed(builder, "no :path");
    return HEAD_OK;
}

static enum head_verdict check_method(struct head_builder *builder)
{
    const struct message *message = &builder->message;

    if (!field_is_token(message->method))
        return malformed(builder, "bad method");
    if (message->method.length > builder->limits->method_size)
        return head_builder_fault(builder, HEAD_METHOD_TOO_LONG, "method too long");
    if (message->protocol.length != 0 && !builder->is_http1 && !field_is_token(message->protocol))
        return malformed(builder, "bad :protocol");
    return HEAD_OK;
}

static enum head_verdict check_path(struct head_builder *builder, bool plain_connect)
{
    const struct message *message = &builder->message;

    if (plain_connect)
        return message->path.length == 0 ? HEAD_OK : malformed(builder, "CONNECT with a path");
    if (message->path.length > builder->limits->request_line_size)
        return head_builder_fault(builder, HEAD_TARGET_TOO_LONG, "path too long");
    if (span_equals(message->path, SPAN_LITERAL("*")))
        return span_equals(message->method, SPAN_LITERAL("OPTIONS"))
                   ? HEAD_OK
                   : malformed(builder, "* without OPTIONS");
    if (!request_path_is_valid(message->path))
        return malformed(builder, "bad path");
    return HEAD_OK;
}

/* The authority of an HTTP/1.x request: a target in absolute or authority form is what counts. */
static enum head_verdict choose_http1_authority(struct head_builder *builder, bool plain_connect)
{
    struct message *message = &builder->message;

    if ((builder->seen & SEEN_HOST) == 0 && message->version != HTTP_1_0)
        return malformed(builder, "no Host");
    if (message->authority.length == 0)
        message->authority = builder->host;
    if (message->authority.length == 0 && plain_connect)
        return malformed(builder, "CONNECT without a host");
    return HEAD_OK;
}

static enum head_verdict choose_authority(struct head_builder *builder)
{
    struct message *message = &builder->message;

    if ((builder->seen & SEEN_AUTHORITY) == 0)
        message->authority = builder->host;
    else if ((builder->seen & SEEN_HOST) != 0 &&
             !span_equals_ignoring_case(message->authority, builder->host))
        return malformed(builder, "Host differs from :authority");
    return HEAD_OK;
}

/* Whether the request may do without an authority. */
static bool authority_may_be_empty(const struct head_builder *builder, bool plain_connect)
{
    if (plain_connect)
        return false;
    return builder->is_http1 ||
           ((builder->seen & SEEN_AUTHORITY) == 0 && !is_web_scheme(builder->message.scheme));
}

/* What has been checked as Host is not checked again. */
static bool authority_is_right(const struct head_builder *builder)
{
    struct span authority = builder->message.authority;

    return (authority.length != 0 && authority.data == builder->host.data) ||
           authority_is_valid(authority);
}

/* Makes Host and the target's authority one (RFC 9113 section 8.3.1, RFC 9112 section 3.2). */
static enum head_verdict settle_authority(struct head_builder *builder, bool plain_connect)
{
    struct message *message = &builder->message;

    if (builder->host.length != 0 && !authority_is_valid(builder->host))
        return malformed(builder, "bad Host");
    enum head_verdict verdict = builder->is_http1 ? choose_http1_authority(builder, plain_connect)
                                                  : choose_authority(builder);
    if (verdict != HEAD_OK)
        return verdict;
    if (message->authority.length == 0 && authority_may_be_empty(builder, plain_connect))
        return HEAD_OK;
    if (!authority_is_right(builder))
        return malformed(builder, "bad authority");
    if (plain_connect && !authority_has_port(message->authority))
        return malformed(builder, "CONNECT without a port");
    return HEAD_OK;
}

static enum head_verdict check_promise(struct head_builder *builder)
{
    const struct message *message = &builder->message;

    if (!span_equals(message->method, SPAN_LITERAL("GET")) &&
        !span_equals(message->method, SPAN_LITERAL("HEAD")))
        return malformed(builder, "promised method is neither GET nor HEAD");
    if (message->content_length != CONTENT_LENGTH_UNKNOWN && message->content_length != 0)
        return malformed(builder, "promised request with content");
    if (!(builder->seen & SEEN_AUTHORITY))
        return malformed(builder, "promise without :authority");
    return HEAD_OK;
}

static void judge_request(struct head_builder *builder)
{
    const struct message *message = &builder->message;
    bool connect = span_equals(message->method, SPAN_LITERAL("CONNECT"));
    bool plain_connect = connect && (builder->is_http1 || !(builder->seen & SEEN_PROTOCOL));

    if (!builder->is_http1 && check_presence(builder, connect) != HEAD_OK)
        return;
    if (check_method(builder) != HEAD_OK || check_path(builder, plain_connect) != HEAD_OK)
        return;
    if (!plain_connect && message->scheme.length != 0 && !is_scheme(message->scheme)) {
        malformed(builder, "bad scheme");
        return;
    }
    if (!builder->is_http1 && !plain_connect && message->scheme.length == 0) {
        malformed(builder, "empty :scheme");
        return;
    }
    if (settle_authority(builder, plain_connect) == HEAD_OK &&
        builder->kind == HEAD_PROMISED_REQUEST)
        check_promise(builder);
}

static void judge_response(struct head_builder *builder)
{
    struct message *message = &builder->message;

    if (message->status < 100 || message->status > 999)
        malformed(builder, "no status");
    else if (message->status == 101 && !builder->is_http1)
        malformed(builder, "101 does not exist here");
    if (message->status < 200)
        message->content_length = CONTENT_LENGTH_UNKNOWN;
}

enum head_verdict head_builder_finish(struct head_builder *builder, struct message *message)
{
    if (builder->verdict == HEAD_OK) {
        if (builder->kind == HEAD_RESPONSE)
            judge_response(builder);
        else
            judge_request(builder);
    }
    *message = builder->message;
    return builder->verdict;
}

enum head_verdict head_builder_finish_trailers(struct head_builder *builder,
                                               struct fields *trailers)
{
    *trailers = builder->verdict == HEAD_OK ? builder->message.fields : (struct fields){0};
    return builder->verdict;
}
