#include "h1/head.h"

#include "http/field_syntax.h"

/* "HTTP/1.1 200 " and a reason phrase of reasonable length. */
#define STATUS_LINE_SIZE 1024
#define VERSION_LENGTH   8

static int refuse(int code, unsigned *status, unsigned answer)
{
    *status = answer;
    return code;
}

static size_t first_line_maximum(enum h1_section section, const struct limits *limits)
{
    switch (section) {
    case H1_REQUEST_HEAD:
        return limits->request_line_size;
    case H1_RESPONSE_HEAD:
        return STATUS_LINE_SIZE;
    default:
        return 0;
    }
}

size_t h1_section_maximum(enum h1_section section, const struct limits *limits)
{
    if (section == H1_TRAILER_SECTION)
        return (size_t)limits->trailer_size + 2;
    return first_line_maximum(section, limits) + limits->field_list_size + 4;
}

/* The method's bytes, as far as they are there: tells a TLS hello or other nonsense at once. */
static int check_request_start(struct span input, const struct limits *limits, unsigned *status)
{
    for (size_t i = 0; i < input.length; i++) {
        if (input.data[i] == ' ' && i > 0)
            return 0;
        if (!field_byte_is(input.data[i], FIELD_BYTE_TOKEN))
            return refuse(HERALD_ERROR_MALFORMED, status, 400);
        if (i >= limits->method_size)
            return refuse(HERALD_ERROR_UNSUPPORTED, status, 501);
    }
    return 0;
}

static int check_response_start(struct span input, unsigned *status)
{
    static const char start[] = "HTTP/";
    size_t length = input.length < sizeof(start) - 1 ? input.length : sizeof(start) - 1;

    if (memcmp(input.data, start, length) != 0)
        return refuse(HERALD_ERROR_MALFORMED, status, 400);
    return 0;
}

/* "HTTP/1.0" or "HTTP/1.1", case-sensitive (RFC 9112 section 2.3). */
static int read_version(const uint8_t *text, enum http_version *version, unsigned *status)
{
    if (memcmp(text, "HTTP/", 5) != 0 || text[5] < '0' || text[5] > '9' || text[6] != '.' ||
        text[7] < '0' || text[7] > '9')
        return refuse(HERALD_ERROR_MALFORMED, status, 400);
    if (text[5] != '1' || text[7] > '1')
        return refuse(HERALD_ERROR_UNSUPPORTED, status, 505);
    *version = text[7] == '1' ? HTTP_1_1 : HTTP_1_0;
    return 0;
}

static int split_method(const uint8_t **cursor, const uint8_t *end, const struct limits *limits,
                        struct span *method, unsigned *status)
{
    const uint8_t *start = *cursor, *byte = start;

    while (byte < end && field_byte_is(*byte, FIELD_BYTE_TOKEN))
        byte++;
    if (byte == start || byte == end || *byte != ' ')
        return refuse(HERALD_ERROR_MALFORMED, status, 400);
    if ((size_t)(byte - start) > limits->method_size)
        return refuse(HERALD_ERROR_UNSUPPORTED, status, 501);
    *method = span_make(start, (size_t)(byte - start));
    *cursor = byte + 1;
    return 0;
}

/* The line's end: the LF is known to follow a CR (h1_scan_section). */
static const uint8_t *line_end(struct span text)
{
    const uint8_t *newline = text.length == 0 ? NULL : memchr(text.data, '\n', text.length);

    return newline == NULL || newline == text.data ? NULL : newline - 1;
}

int h1_split_request_line(struct span head, const struct limits *limits,
                          struct h1_request_line *line, struct span *rest, unsigned *status)
{
    const uint8_t *cursor = head.data, *end = line_end(head), *target;
    int result;

    if (end == NULL)
        return refuse(HERALD_ERROR_MALFORMED, status, 400);
    result = split_method(&cursor, end, limits, &line->method, status);
    if (result < 0)
        return result;
    target = cursor;
    while (cursor<end && * cursor> ' ' && *cursor < 0x7f)
        cursor++;
    line->target = span_make(target, (size_t)(cursor - target));
    if (cursor == target || end - cursor != VERSION_LENGTH + 1 || *cursor != ' ')
        return refuse(HERALD_ERROR_MALFORMED, status, 400);
    *rest = span_make(end + 2, head.length - (size_t)(end + 2 - head.data));
    return read_version(cursor + 1, &line->version, status);
}

int h1_split_status_line(struct span head, struct h1_status_line *line, struct span *rest,
                         unsigned *status)
{
    const uint8_t *text = head.data, *end = line_end(head);
    size_t length;
    int result;

    if (end == NULL || end - text < VERSION_LENGTH + 4)
        return refuse(HERALD_ERROR_MALFORMED, status, 400);
    length = (size_t)(end - text);
    result = read_version(text, &line->version, status);
    if (result < 0)
        return result;
    text += VERSION_LENGTH;
    for (int i = 1; i <= 3; i++) {
        if (text[i] < '0' || text[i] > '9')
            return refuse(HERALD_ERROR_MALFORMED, status, 400);
    }
    line->code = (uint16_t)((text[1] - '0') * 100 + (text[2] - '0') * 10 + (text[3] - '0'));
    /* The SP before an empty reason phrase is often left out; nothing else may follow the code. */
    if (text[0] != ' ' || line->code < 100 || (length > VERSION_LENGTH + 4 && text[4] != ' '))
        return refuse(HERALD_ERROR_MALFORMED, status, 400);
    line->reason =
        length > VERSION_LENGTH + 5 ? span_make(text + 5, length - VERSION_LENGTH - 5) : SPAN_EMPTY;
    for (size_t i = 0; i < line->reason.length; i++) {
        if (!field_byte_is(line->reason.data[i], FIELD_BYTE_VALUE))
            return refuse(HERALD_ERROR_MALFORMED, status, 400);
    }
    *rest = span_make(end + 2, head.length - (size_t)(end + 2 - head.data));
    return 0;
}

/* What the bytes of an unfinished section already tell. */
static int check_start(struct h1_scan *scan, struct span input, enum h1_section section,
                       const struct limits *limits, unsigned *status)
{
    struct h1_request_line request;
    struct h1_status_line response;
    struct span rest;

    if (scan->lines == 0)
        return section == H1_REQUEST_HEAD ? check_request_start(input, limits, status)
                                          : check_response_start(input, status);
    if (scan->start_checked)
        return 0;
    scan->start_checked = true;
    return section == H1_REQUEST_HEAD
               ? h1_split_request_line(input, limits, &request, &rest, status)
               : h1_split_status_line(input, &response, &rest, status);
}

/* Called when no LF is left in the input. */
static int check_unfinished(struct h1_scan *scan, struct span input, enum h1_section section,
                            const struct limits *limits, unsigned *status)
{
    bool trailers = section == H1_TRAILER_SECTION;

    if (scan->lines == 0 && !trailers && input.length > first_line_maximum(section, limits) + 1)
        return refuse(HERALD_ERROR_LIMIT, status, 414);
    if (input.length > h1_section_maximum(section, limits))
        return refuse(HERALD_ERROR_LIMIT, status, 431);
    return trailers || input.length == 0 ? 0 : check_start(scan, input, section, limits, status);
}

int h1_scan_section(struct h1_scan *scan, struct span input, enum h1_section section,
                    const struct limits *limits, unsigned *status)
{
    bool trailers = section == H1_TRAILER_SECTION;
    uint32_t line_limit = trailers ? limits->trailer_count : limits->field_count + 1;

    while (scan->position < input.length) {
        const uint8_t *from = input.data + scan->position;
        const uint8_t *newline = memchr(from, '\n', input.length - scan->position);
        size_t line_length;

        if (newline == NULL) {
            scan->position = input.length;
            break;
        }
        scan->position = (size_t)(newline - input.data) + 1;
        line_length = scan->position - scan->line_start;
        if (line_length < 2 || newline[-1] != '\r')
            return refuse(HERALD_ERROR_MALFORMED, status, 400);
        if (!trailers && scan->lines == 0 && line_length - 2 > first_line_maximum(section, limits))
            return refuse(HERALD_ERROR_LIMIT, status, 414);
        if (scan->position > h1_section_maximum(section, limits))
            return refuse(HERALD_ERROR_LIMIT, status, 431);
        if (line_length == 2 && (trailers || scan->lines > 0))
            return 1;
        scan->line_start = scan->position;
        if (++scan->lines > line_limit)
            return refuse(HERALD_ERROR_LIMIT, status, 431);
    }
    return check_unfinished(scan, input, section, limits, status);
}

int h1_next_field(struct span *rest, struct span *name, struct span *value)
{
    const uint8_t *byte = rest->data, *start = byte, *end = byte + rest->length;

    if (rest->length == 2 && byte[0] == '\r' && byte[1] == '\n')
        return 0;
    while (byte < end && field_byte_is(*byte, FIELD_BYTE_TOKEN))
        byte++;
    if (byte == start || byte == end || *byte != ':')
        return HERALD_ERROR_MALFORMED;
    *name = span_make(start, (size_t)(byte - start));
    byte++;
    while (byte < end && (*byte == ' ' || *byte == '\t'))
        byte++;
    start = byte;
    while (byte < end && field_byte_is(*byte, FIELD_BYTE_VALUE))
        byte++;
    if (end - byte < 2 || byte[0] != '\r' || byte[1] != '\n')
        return HERALD_ERROR_MALFORMED;
    *rest = span_make(byte + 2, (size_t)(end - byte) - 2);
    while (byte > start && (byte[-1] == ' ' || byte[-1] == '\t'))
        byte--;
    *value = span_make(start, (size_t)(byte - start));
    return 1;
}
