#include "cli/bench_options.h"
#include "cli/cli.h"
#include "h1/h1.h"
#include "h2/h2.h"
#include "http/field_syntax.h"
#include "net/address.h"

#define DEFAULT_DURATION (10 * HERALD_SECOND)
#define DEFAULT_COMPARED 20

void bench_options_init(struct bench_options *options)
{
    *options = (struct bench_options){
        .drain = 5 * HERALD_SECOND,
        .http1_connections = 6,
        .seed = 1,
    };
    get_options_init(&options->request);
    options->request.connect_timeout = 10 * HERALD_SECOND;
}

void bench_options_free(struct bench_options *options)
{
    get_options_free(&options->request);
}

/* ---- checks ---- */

static int digit_of(char character)
{
    static const char digits[] = "0123456789abcdef";
    const char *found = character == 0 ? NULL : strchr(digits, character | 0x20);

    return found == NULL ? -1 : (int)(found - digits);
}

static int read_sha256(struct bench_options *options)
{
    const char *text = options->sha256_text;

    if (text == NULL)
        return 0;
    bool valid = strlen(text) == 2 * sizeof(options->sha256);
    for (size_t i = 0; valid && i < sizeof(options->sha256); i++) {
        int high = digit_of(text[2 * i]), low = digit_of(text[2 * i + 1]);
        valid = high >= 0 && low >= 0;
        options->sha256[i] = (uint8_t)(high * 16 + low);
    }
    return valid ? 0 : cli_usage_error("--check-sha256: '%s' is not 64 hexadecimal digits", text);
}

static int read_link(struct bench_options *options)
{
    if (options->link_text == NULL)
        return 0;
    if (options->request.unix_socket != NULL)
        return cli_usage_error("bench: --link and --unix-socket exclude each other");
    options->link.seed = options->seed;
    if (link_model_parse(&options->link, span_from_text(options->link_text)) != 0)
        return cli_usage_error("--link: '%s' is not like '50ms,1%%,20mbit': a round trip up to "
                               "60s, a loss up to 50%%, a bandwidth",
                               options->link_text);
    return 0;
}

static const struct engine *engine_by_name(struct span name)
{
    if (span_equals(name, SPAN_LITERAL("h1")) || span_equals(name, SPAN_LITERAL("http/1.1")))
        return &h1_engine;
    return span_equals(name, SPAN_LITERAL("h2")) ? &h2_engine : NULL;
}

static int read_compared(struct bench_options *options)
{
    struct span left = span_from_text(options->compare_text);

    while (left.length > 0) {
        const uint8_t *comma = memchr(left.data, ',', left.length);
        size_t length = comma == NULL ? left.length : (size_t)(comma - left.data);
        struct span name = span_slice(left, 0, length);
        const struct engine *engine = engine_by_name(name);
        if (engine == NULL)
            return cli_usage_error("--compare: '%.*s' is not h1 or h2", SPAN_ARGUMENTS(name));
        for (size_t i = 0; i < options->engine_count; i++)
            if (options->engines[i] == engine)
                return cli_usage_error("--compare: '%.*s' is named twice", SPAN_ARGUMENTS(name));
        options->engines[options->engine_count++] = engine;
        left = span_slice(left, length + 1, left.length);
    }
    if (options->engine_count < 2)
        return cli_usage_error("--compare: two protocols are needed, as in h1,h2");
    return 0;
}

static int choose_engines(struct bench_options *options)
{
    const struct get_options *request = &options->request;
    bool http2 = request->http2 || request->prior_knowledge;

    if (options->compare_text != NULL)
        return read_compared(options);
    if (!request->http1 && (http2 || strcmp(options->url.scheme, "https") == 0))
        options->engines[options->engine_count++] = &h2_engine;
    if (!http2)
        options->engines[options->engine_count++] = &h1_engine;
    return 0;
}

static int check_output(const struct bench_options *options)
{
    return options->json && options->csv
               ? cli_usage_error("bench: --json and --csv exclude each other")
               : 0;
}

static int check_combinations(const struct bench_options *options, size_t operands)
{
    const struct get_options *request = &options->request;

    if (operands != 1)
        return cli_usage_error(operands == 0 ? "bench: a URL is missing; see herald bench --help"
                                             : "bench: takes one URL");
    if (request->http1 && (request->http2 || request->prior_knowledge))
        return cli_usage_error("bench: --http1.1 and HTTP/2 exclude each other");
    if (options->threads > (options->connections != 0 ? options->connections : 1))
        return cli_usage_error("--threads: %u are more than the connections", options->threads);
    if (options->compare_text == NULL)
        return check_output(options);
    if (options->rate != 0 || options->duration != 0)
        return cli_usage_error("bench: --compare excludes --rate and --duration");
    if (options->connections != 0 || options->threads != 0)
        return cli_usage_error("bench: --compare excludes --connections and --threads");
    if (request->http1 || request->http2 || request->prior_knowledge)
        return cli_usage_error("bench: --compare names the protocols; leave out --http1.1 and "
                               "--http2");
    return check_output(options);
}

/* Load on others' machines only when it is asked for. */
static int check_remote(const struct bench_options *options)
{
    const struct get_options *request = &options->request;
    const char *host = request->connect_host != NULL ? request->connect_host : options->url.host;

    if (options->allow_remote || request->unix_socket != NULL || address_is_loopback(host))
        return 0;
    return cli_usage_error("bench: '%s' is not this machine; --allow-remote puts load on others",
                           host);
}

static int read_url(struct bench_options *options, const char *text)
{
    const char *why;
    int result = url_parse(&options->request.arena, span_from_text(text), &options->url, &why);

    if (result == HERALD_ERROR_NOMEM)
        return cli_failure("out of memory");
    return result == 0 ? 0 : cli_usage_error("bench: '%s' is not a URL: %s", text, why);
}

/* ---- what follows ---- */

static void set_defaults(struct bench_options *options)
{
    if (options->compare_text != NULL && options->requests == 0)
        options->requests = DEFAULT_COMPARED;
    if (options->requests == 0 && options->duration == 0)
        options->duration = DEFAULT_DURATION;
    if (options->connections == 0)
        options->connections = 1;
    if (options->threads == 0)
        options->threads = 1;
    if (options->streams == 0)
        options->streams = options->compare_text == NULL               ? 1
                           : options->requests < BENCH_STREAMS_MAXIMUM ? (unsigned)options->requests
                                                                       : BENCH_STREAMS_MAXIMUM;
    options->output = options->json  ? BENCH_OUTPUT_JSON
                      : options->csv ? BENCH_OUTPUT_CSV
                                     : BENCH_OUTPUT_TEXT;
}

static void fill_message(struct bench_options *options)
{
    struct get_options *request = &options->request;

    options->message = (struct message){
        .method = span_from_text(request->method),
        .scheme = span_from_text(options->url.scheme),
        .authority = request->authority.length > 0 ? request->authority : options->url.authority,
        .path = options->url.path,
        .fields = request->fields,
        .content_length = request->has_body ? request->body.length : CONTENT_LENGTH_UNKNOWN,
    };
    options->tls = (struct tls_client_config){
        .insecure = request->insecure,
        .ca_file = request->cacert,
        .no_system_trust = request->cacert != NULL,
        .no_development_trust = request->cacert != NULL,
        .no_resumption = true,
    };
}

/* A file that cannot be used is a mistake in the command, not of a run. */
static int check_tls(const struct bench_options *options)
{
    struct tls_context *context;
    struct tls_error error = {""};
    int result = tls_context_create_client(&context, &options->tls, &error);

    if (result == 0) {
        tls_context_release(context);
        return 0;
    }
    return error.text[0] != 0 ? cli_usage_error("bench: %s", error.text)
                              : cli_failure("bench: %s", herald_error_text(result));
}

int bench_options_finish(struct bench_options *options, const char *const *operands, size_t count)
{
    int code = check_combinations(options, count);

    if (code == 0)
        code = read_url(options, operands[0]);
    if (code == 0)
        code = get_options_finish(&options->request, 1);
    if (code == 0)
        code = check_remote(options);
    if (code == 0)
        code = choose_engines(options);
    if (code == 0)
        code = read_sha256(options);
    if (code == 0)
        code = read_link(options);
    if (code != 0)
        return code;
    set_defaults(options);
    fill_message(options);
    return strcmp(options->url.scheme, "https") == 0 ? check_tls(options) : 0;
}

void bench_options_config(const struct bench_options *options, struct bench_config *config)
{
    const struct get_options *request = &options->request;

    *config = (struct bench_config){
        .engines = options->engines,
        .engine_count = options->engine_count,
        .host = request->connect_host != NULL ? request->connect_host : options->url.host,
        .port = request->connect_port != 0 ? request->connect_port : options->url.port,
        .unix_path = request->unix_socket,
        .server_name = options->url.host,
        .tls = strcmp(options->url.scheme, "https") == 0 ? &options->tls : NULL,
        .request = &options->message,
        .body = request->body,
        .connections = options->connections,
        .streams = options->streams,
        .threads = options->threads,
        .requests = options->requests,
        .duration = options->duration,
        .rate = (double)options->rate,
        .drain = options->drain,
        .connect_timeout = request->connect_timeout,
        .push = options->push,
        .check_status = options->check_status,
        .check_sha256 = options->sha256_text != NULL ? options->sha256 : NULL,
        .seed = options->seed,
    };
}
