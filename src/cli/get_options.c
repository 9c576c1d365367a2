#include "cli/get_options.h"
#include "base/buf.h"
#include "cli/cli.h"
#include "http/field_syntax.h"
#include "http/message.h"
#include "net/address.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define BODY_MAXIMUM  (64 * 1024 * 1024)
#define BODY_READ     65536
#define ARENA_MAXIMUM (BODY_MAXIMUM + 1024 * 1024)

void get_options_init(struct get_options *get)
{
    *get = (struct get_options){.maximum_redirects = 10, .parallel = 100};
    arena_init(&get->arena, ARENA_MAXIMUM, NULL);
}

void get_options_free(struct get_options *get)
{
    arena_free(&get->arena);
}

/* ---- fields ---- */

static bool is_given(const struct get_options *get, struct span name, bool *removed)
{
    bool found = false;

    for (size_t i = 0; i < get->headers.count; i++) {
        struct span text = span_from_text(get->headers.items[i]);
        struct span given = span_slice(text, 0, strcspn(get->headers.items[i], ":;"));
        if (!span_equals_ignoring_case(span_trim(given), name))
            continue;
        found = true;
        *removed = given.length + 1 >= text.length && text.data[given.length] == ':';
    }
    return found;
}

static int add_default(struct get_options *get, struct field field)
{
    bool removed;

    return is_given(get, field.name, &removed) ? 0 : fields_add(&get->fields, &get->arena, field);
}

static int add_given(struct get_options *get, const char *text)
{
    size_t length = strcspn(text, ":;");
    struct span name = span_trim(span_make(text, length));
    struct span value = SPAN_EMPTY;

    if (text[length] == 0 || !field_is_token(name))
        return cli_usage_error("--header: '%s' is not 'NAME: VALUE'", text);
    if (text[length] == ':')
        value = span_trim(span_from_text(text + length + 1));
    else if (text[length + 1] != 0)
        return cli_usage_error("--header: nothing may follow the semicolon in '%s'", text);
    if (!field_value_bytes_are_valid(value))
        return cli_usage_error("--header: the value of '%.*s' contains a control character",
                               SPAN_ARGUMENTS(name));
    if (text[length] == ':' && value.length == 0)
        return 0;
    if (span_equals_ignoring_case(name, SPAN_LITERAL("host"))) {
        get->authority = value;
        return 0;
    }
    if (fields_add_copy(&get->fields, &get->arena, (struct field){name, value, KNOWN_NONE, 0}) != 0)
        return cli_failure("out of memory");
    return 0;
}

static int build_fields(struct get_options *get)
{
    int code = 0;

    if (add_default(get, FIELD("accept", "*/*")) != 0 ||
        add_default(get, FIELD("user-agent", "herald/" HERALD_VERSION)) != 0)
        return cli_failure("out of memory");
    if (get->data.count > 0 &&
        add_default(get, FIELD("content-type", "application/x-www-form-urlencoded")) != 0)
        return cli_failure("out of memory");
    for (size_t i = 0; i < get->headers.count && code == 0; i++)
        code = add_given(get, get->headers.items[i]);
    return code;
}

static int build_priority(struct get_options *get)
{
    char text[16];
    struct span value;

    if (get->priority_text == NULL)
        return 0;
    get->priority = PRIORITY_DEFAULT;
    if (priority_parse(span_from_text(get->priority_text), &get->priority) != 0)
        return cli_usage_error("--priority: '%s' is not like 'u=1' or 'u=5, i'",
                               get->priority_text);
    get->has_priority = true;
    value = span_make(text, priority_format(get->priority, text));
    if (value.length > 0 &&
        fields_add_copy(&get->fields, &get->arena,
                        (struct field){SPAN_LITERAL("priority"), value, KNOWN_NONE, 0}) != 0)
        return cli_failure("out of memory");
    return 0;
}

/* ---- body ---- */

static int read_descriptor(int descriptor, const char *name, struct buf *body)
{
    for (;;) {
        int error;
        uint8_t *room = buf_reserve(body, BODY_READ, &error);
        if (room == NULL)
            return cli_failure("--data: %s: %s", name,
                               error == HERALD_ERROR_LIMIT ? "over 64 MiB; use --upload-file"
                                                           : herald_error_text(error));
        ssize_t count = read(descriptor, room, BODY_READ);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return cli_failure("--data: %s: %s", name, strerror(errno));
        if (count == 0)
            return 0;
        buf_commit(body, (size_t)count);
    }
}

static int append_data(const char *text, struct buf *body)
{
    int descriptor, code;

    if (text[0] != '@')
        return buf_append_text(body, text) == 0 ? 0 : cli_failure("--data: too long");
    if (strcmp(text, "@-") == 0)
        return read_descriptor(STDIN_FILENO, "standard input", body);
    descriptor = open(text + 1, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return cli_usage_error("--data: %s: %s", text + 1, strerror(errno));
    code = read_descriptor(descriptor, text + 1, body);
    close(descriptor);
    return code;
}

static int build_body(struct get_options *get)
{
    struct buf body;
    int code = 0;

    if (get->data.count == 0)
        return 0;
    buf_init(&body, BODY_MAXIMUM, NULL);
    for (size_t i = 0; i < get->data.count && code == 0; i++) {
        if (i > 0 && buf_append_byte(&body, '&') != 0)
            code = cli_failure("--data: too long");
        else
            code = append_data(get->data.items[i], &body);
    }
    if (code == 0 && arena_copy(&get->arena, buf_span(&body), &get->body) != 0)
        code = cli_failure("--data: out of memory");
    get->has_body = true;
    buf_free(&body);
    return code;
}

/* ---- where to ---- */

static int build_connect_to(struct get_options *get)
{
    struct address address;
    struct span host;

    if (get->connect_to == NULL)
        return 0;
    if (address_parse(get->connect_to, 0, &address) != 0 || address.kind != ADDRESS_INET ||
        address.host[0] == 0)
        return cli_usage_error("--connect-to: '%s' is not HOST:PORT", get->connect_to);
    if (arena_copy(&get->arena, span_from_text(address.host), &host) != 0)
        return cli_failure("out of memory");
    get->connect_host = (const char *)host.data;
    get->connect_port = address.port;
    return 0;
}

/* "HOST:PORT:ADDRESS": the host has no colon, the address may. */
static bool read_resolve(const char *text, struct span *host, uint16_t *port, struct span *address)
{
    size_t first = strcspn(text, ":");
    size_t second = text[first] == 0 ? 0 : strcspn(text + first + 1, ":");
    uint64_t number;

    if (first == 0 || text[first] == 0 || text[first + 1 + second] == 0)
        return false;
    *host = span_make(text, first);
    if (span_to_unsigned(span_make(text + first + 1, second), UINT16_MAX, &number) != 0)
        return false;
    *port = (uint16_t)number;
    *address = span_from_text(text + first + second + 2);
    if (address->length > 2 && address->data[0] == '[')
        *address = span_slice(*address, 1, address->length - 2);
    return address->length > 0 && address->length < 256;
}

static bool copy_address(struct span address, char text[256])
{
    memcpy(text, address.data, address.length);
    text[address.length] = 0;
    return address_is_numeric(text);
}

static int check_resolve(const struct get_options *get)
{
    for (size_t i = 0; i < get->resolve.count; i++) {
        struct span host, address;
        uint16_t port;
        char text[256];
        if (!read_resolve(get->resolve.items[i], &host, &port, &address) ||
            !copy_address(address, text))
            return cli_usage_error(
                "--resolve: '%s' is not HOST:PORT:ADDRESS with a numeric address",
                get->resolve.items[i]);
    }
    return 0;
}

const char *get_options_resolve(const struct get_options *get, const char *host, uint16_t port,
                                char text[256])
{
    for (size_t i = 0; i < get->resolve.count; i++) {
        struct span given, address;
        uint16_t given_port;
        if (read_resolve(get->resolve.items[i], &given, &given_port, &address) &&
            given_port == port && span_equals_ignoring_case(given, span_from_text(host)) &&
            copy_address(address, text))
            return text;
    }
    return NULL;
}

/* ---- the whole ---- */

static int check_outputs(const struct get_options *get, size_t urls)
{
    if (get->output != NULL && (get->remote_name || get->output_dir != NULL))
        return cli_usage_error("get: --output excludes --remote-name and --output-dir");
    if (get->output != NULL && urls > 1)
        return cli_usage_error("get: --output takes one URL; use --output-dir for several");
    struct stat status;
    if (get->output_dir != NULL && stat(get->output_dir, &status) < 0)
        return cli_usage_error("--output-dir '%s': %s", get->output_dir,
                               errno == ENOENT ? "no such folder" : strerror(errno));
    if (get->output_dir != NULL && !S_ISDIR(status.st_mode))
        return cli_usage_error("--output-dir '%s': not a folder", get->output_dir);
    return 0;
}

static int check_combinations(const struct get_options *get, size_t urls)
{
    if (urls == 0)
        return cli_usage_error("get: a URL is missing; see herald get --help");
    if (get->http1 && (get->http2 || get->prior_knowledge))
        return cli_usage_error("get: --http1.1 and HTTP/2 exclude each other");
    if (get->upload != NULL && get->data.count > 0)
        return cli_usage_error("get: --data and --upload-file exclude each other");
    if (get->upload != NULL && urls > 1)
        return cli_usage_error("get: --upload-file takes one URL");
    if (get->head_only && (get->upload != NULL || get->data.count > 0))
        return cli_usage_error("get: --head has no body to send");
    if (get->key != NULL && get->certificate == NULL)
        return cli_usage_error("get: --key needs --cert");
    if (get->method != NULL && !field_is_token(span_from_text(get->method)))
        return cli_usage_error("--method: '%s' is not a method", get->method);
    return check_outputs(get, urls);
}

int get_options_finish(struct get_options *get, size_t urls)
{
    int code = check_combinations(get, urls);

    if (code == 0)
        code = check_resolve(get);
    if (code == 0)
        code = build_fields(get);
    if (code == 0)
        code = build_priority(get);
    if (code == 0)
        code = build_connect_to(get);
    if (code == 0)
        code = build_body(get);
    if (get->trace == GET_TRACE_OFF && (get->verbose || get->trace_file != NULL))
        get->trace = GET_TRACE_TEXT;
    if (get->method == NULL)
        get->method = get->head_only        ? "HEAD"
                      : get->upload != NULL ? "PUT"
                      : get->has_body       ? "POST"
                                            : "GET";
    return code;
}
