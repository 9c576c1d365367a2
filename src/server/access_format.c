#include "server/access_format.h"

#include "http/reason.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const struct {
    const char *name;
    enum access_atom atom;
} atoms[] = {
    {"h", ATOM_CLIENT},  {"l", ATOM_DASH},           {"u", ATOM_DASH},
    {"t", ATOM_TIME},    {"r", ATOM_REQUEST_LINE},   {"R", ATOM_REQUEST_LINE_QUERY},
    {"s", ATOM_STATUS},  {"st", ATOM_STATUS_PHRASE}, {"S", ATOM_SCHEME},
    {"m", ATOM_METHOD},  {"U", ATOM_PATH},           {"Uq", ATOM_PATH_QUERY},
    {"q", ATOM_QUERY},   {"H", ATOM_VERSION},        {"b", ATOM_BYTES},
    {"B", ATOM_BYTES},   {"f", ATOM_REFERER},        {"a", ATOM_USER_AGENT},
    {"T", ATOM_SECONDS}, {"D", ATOM_MICROSECONDS},   {"L", ATOM_SECONDS_DECIMAL},
    {"p", ATOM_PROCESS},
};

static int add_piece(struct access_format *format, enum access_atom atom, struct span text)
{
    if (atom == ATOM_TEXT && text.length == 0)
        return 0;
    if (format->count == ACCESS_FORMAT_PIECES_MAXIMUM)
        return HERALD_ERROR_LIMIT;
    format->pieces[format->count++] = (struct access_piece){atom, text};
    return 0;
}

/* Field names are lower case everywhere in the program. */
static void lower_case(char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (text[i] >= 'A' && text[i] <= 'Z')
            text[i] = (char)(text[i] - 'A' + 'a');
}

/* "{name}i", "{name}o", "{NAME}e" */
static int add_braced(struct access_format *format, char *name, size_t length)
{
    if (length < 4 || name[length - 2] != '}')
        return HERALD_ERROR_INVALID;
    struct span inner = span_make(name + 1, length - 3);
    switch (name[length - 1]) {
    case 'i':
        lower_case(name + 1, inner.length);
        return add_piece(format, ATOM_REQUEST_FIELD, inner);
    case 'o':
        lower_case(name + 1, inner.length);
        return add_piece(format, ATOM_RESPONSE_FIELD, inner);
    case 'e':
        name[1 + inner.length] = '\0';
        return add_piece(format, ATOM_ENVIRONMENT, inner);
    default:
        return HERALD_ERROR_INVALID;
    }
}

static int add_atom(struct access_format *format, char *name, size_t length)
{
    if (length > 0 && name[0] == '{')
        return add_braced(format, name, length);
    for (size_t i = 0; i < sizeof(atoms) / sizeof(atoms[0]); i++)
        if (span_equals(span_make(name, length), span_from_text(atoms[i].name)))
            return add_piece(format, atoms[i].atom, SPAN_EMPTY);
    return HERALD_ERROR_INVALID;
}

/* `at` is at a percent sign. Returns where to go on, or NULL with `*result` set. */
static char *compile_percent(struct access_format *format, char *at, int *result)
{
    if (at[1] == '%') {
        *result = add_piece(format, ATOM_TEXT, span_make(at, 1));
        return *result < 0 ? NULL : at + 2;
    }
    char *end = at[1] == '(' ? strchr(at, ')') : NULL;
    if (end == NULL || (end[1] != 's' && end[1] != 'd')) {
        *result = HERALD_ERROR_INVALID;
        return NULL;
    }
    *result = add_atom(format, at + 2, (size_t)(end - at - 2));
    return *result < 0 ? NULL : end + 2;
}

int access_format_compile(struct access_format *format, const char *text, const char **bad)
{
    memset(format, 0, sizeof(*format));
    *bad = text;
    format->text = strdup(text);
    if (format->text == NULL)
        return HERALD_ERROR_NOMEM;
    int result = 0;
    char *at = format->text;
    while (*at != '\0') {
        size_t literal = strcspn(at, "%");
        result = add_piece(format, ATOM_TEXT, span_make(at, literal));
        at += literal;
        if (result < 0 || *at == '\0')
            break;
        *bad = text + (at - format->text);
        at = compile_percent(format, at, &result);
        if (at == NULL)
            break;
    }
    if (result < 0)
        access_format_free(format);
    return result;
}

void access_format_free(struct access_format *format)
{
    free(format->text);
    format->text = NULL;
    format->count = 0;
}

/* As buf_append; of what is too long, what fits. */
static int append_cut(struct buf *line, const uint8_t *data, size_t length)
{
    size_t room = line->maximum - buf_length(line);
    if (length <= room)
        return buf_append(line, data, length);
    int result = buf_append(line, data, room);
    return result < 0 ? result : HERALD_ERROR_LIMIT;
}

static int write_escaped(struct buf *line, struct span value)
{
    static const char digits[] = "0123456789abcdef";
    if (value.length == 0)
        return buf_append_byte(line, '-');
    int result = 0;
    size_t plain = 0;
    for (size_t i = 0; i < value.length && result == 0; i++) {
        uint8_t byte = value.data[i];
        if (byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\')
            continue;
        char escape[4] = {'\\', 'x', digits[byte >> 4], digits[byte & 15]};
        result = append_cut(line, value.data + plain, i - plain);
        if (result == 0)
            result = buf_append(line, escape, sizeof(escape));
        plain = i + 1;
    }
    if (result == 0)
        result = append_cut(line, value.data + plain, value.length - plain);
    return result;
}

static struct span path_of(const struct exchange *exchange)
{
    struct span path = exchange->incoming.path;
    const uint8_t *query = path.length == 0 ? NULL : memchr(path.data, '?', path.length);
    return query == NULL ? path : span_make(path.data, (size_t)(query - path.data));
}

static struct span query_of(const struct exchange *exchange)
{
    struct span path = exchange->incoming.path;
    size_t skip = path_of(exchange).length;
    return skip < path.length ? span_slice(path, skip + 1, path.length) : SPAN_EMPTY;
}

static const char *version_text(const struct exchange *exchange)
{
    switch (exchange->incoming.version) {
    case HTTP_1_0:
        return "1.0";
    case HTTP_1_1:
        return "1.1";
    case HTTP_2:
        return "2";
    case HTTP_3:
        return "3";
    }
    return "-";
}

static int write_request_line(struct buf *line, const struct exchange *exchange, bool query)
{
    int result = write_escaped(line, exchange->incoming.method);
    if (result == 0)
        result = buf_append_byte(line, ' ');
    if (result == 0)
        result = write_escaped(line, query ? exchange->incoming.path : path_of(exchange));
    if (result == 0)
        result = buf_printf(line, " %s", version_text(exchange));
    return result;
}

static struct span response_field(const struct exchange *exchange, struct span name)
{
    const struct field *field = fields_find_name(&exchange->outgoing.fields, name);
    if (field == NULL && exchange->defaults != NULL)
        field = fields_find_name(exchange->defaults, name);
    return field == NULL ? SPAN_EMPTY : field->value;
}

static struct span request_field(const struct exchange *exchange, struct span name)
{
    const struct field *field = fields_find_name(&exchange->incoming.fields, name);
    return field == NULL ? SPAN_EMPTY : field->value;
}

static int write_client(struct buf *line, const struct exchange *exchange)
{
    const struct conn_info *info = exchange->conn == NULL ? NULL : exchange->conn->info;
    if (info == NULL || info->peer_address[0] == '\0')
        return buf_append_byte(line, '-');
    return buf_printf(line, "%s:%u", info->peer_address, info->peer_port);
}

static herald_time duration_of(const struct exchange *exchange)
{
    const struct exchange_timing *timing = &exchange->timing;
    return timing->ended > timing->started ? timing->ended - timing->started : 0;
}

static int write_number(struct buf *line, const struct exchange *exchange, enum access_atom atom)
{
    herald_time duration = duration_of(exchange);
    switch (atom) {
    case ATOM_STATUS:
        if (exchange->outgoing.status == 0)
            return buf_append_byte(line, '-');
        return buf_printf(line, "%u", exchange->outgoing.status);
    case ATOM_BYTES:
        if (exchange->body_bytes_out == 0)
            return buf_append_byte(line, '-');
        return buf_printf(line, "%llu", (unsigned long long)exchange->body_bytes_out);
    case ATOM_SECONDS:
        return buf_printf(line, "%llu", (unsigned long long)(duration / HERALD_SECOND));
    case ATOM_MICROSECONDS:
        return buf_printf(line, "%llu", (unsigned long long)(duration / HERALD_MICROSECOND));
    case ATOM_SECONDS_DECIMAL:
        return buf_printf(line, "%.6f", (double)duration / 1e9);
    case ATOM_PROCESS:
        return buf_printf(line, "<%d>", (int)getpid());
    default:
        return 0;
    }
}

static int write_piece(struct buf *line, const struct access_piece *piece,
                       const struct exchange *exchange, struct span time)
{
    switch (piece->atom) {
    case ATOM_TEXT:
        return buf_append_span(line, piece->text);
    case ATOM_CLIENT:
        return write_client(line, exchange);
    case ATOM_DASH:
        return buf_append_byte(line, '-');
    case ATOM_TIME:
        return buf_append_span(line, time);
    case ATOM_REQUEST_LINE:
    case ATOM_REQUEST_LINE_QUERY:
        return write_request_line(line, exchange, piece->atom == ATOM_REQUEST_LINE_QUERY);
    case ATOM_STATUS_PHRASE:
        return buf_printf(line, "%u %.*s", exchange->outgoing.status,
                          SPAN_ARGUMENTS(reason_phrase(exchange->outgoing.status)));
    case ATOM_SCHEME:
        return write_escaped(line, exchange->incoming.scheme);
    case ATOM_METHOD:
        return write_escaped(line, exchange->incoming.method);
    case ATOM_PATH:
        return write_escaped(line, path_of(exchange));
    case ATOM_PATH_QUERY:
        return write_escaped(line, exchange->incoming.path);
    case ATOM_QUERY:
        return write_escaped(line, query_of(exchange));
    case ATOM_VERSION:
        return buf_append_text(line, version_text(exchange));
    case ATOM_REFERER:
        return write_escaped(line, request_field(exchange, SPAN_LITERAL("referer")));
    case ATOM_USER_AGENT:
        return write_escaped(line, request_field(exchange, SPAN_LITERAL("user-agent")));
    case ATOM_REQUEST_FIELD:
        return write_escaped(line, request_field(exchange, piece->text));
    case ATOM_RESPONSE_FIELD:
        return write_escaped(line, response_field(exchange, piece->text));
    case ATOM_ENVIRONMENT: {
        const char *value = getenv((const char *)piece->text.data);
        return write_escaped(line, value == NULL ? SPAN_EMPTY : span_from_text(value));
    }
    default:
        return write_number(line, exchange, piece->atom);
    }
}

int access_format_write(const struct access_format *format, const struct exchange *exchange,
                        struct span time, struct buf *line)
{
    int result = 0;
    for (size_t i = 0; i < format->count && result == 0; i++)
        result = write_piece(line, &format->pieces[i], exchange, time);
    return result;
}
