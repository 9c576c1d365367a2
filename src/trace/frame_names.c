#include "trace/frame_names.h"

static const char *const frame_names[] = {
    [FRAME_DATA] = "DATA",
    [FRAME_HEADERS] = "HEADERS",
    [FRAME_PRIORITY] = "PRIORITY",
    [FRAME_RST_STREAM] = "RST_STREAM",
    [FRAME_SETTINGS] = "SETTINGS",
    [FRAME_PUSH_PROMISE] = "PUSH_PROMISE",
    [FRAME_PING] = "PING",
    [FRAME_GOAWAY] = "GOAWAY",
    [FRAME_WINDOW_UPDATE] = "WINDOW_UPDATE",
    [FRAME_CONTINUATION] = "CONTINUATION",
    [FRAME_ALTSVC] = "ALTSVC",
    [FRAME_ORIGIN] = "ORIGIN",
    [FRAME_PRIORITY_UPDATE] = "PRIORITY_UPDATE",
    [FRAME_CACHE_DIGEST] = "CACHE_DIGEST",
    [FRAME_PREFACE] = "PREFACE",
    [FRAME_UNKNOWN] = "UNKNOWN",
    [FRAME_H1_HEAD] = "HEAD",
    [FRAME_H1_BODY] = "BODY",
    [FRAME_H1_TRAILERS] = "TRAILERS",
};

enum { END_STREAM = 0x1, ACK = 0x1, END_HEADERS = 0x4, PADDED = 0x8, PRIORITY = 0x20 };

struct numbered_name {
    uint64_t number;
    const char *name;
};

static const struct numbered_name http2_settings[] = {
    {0x1, "HEADER_TABLE_SIZE"},      {0x2, "ENABLE_PUSH"},
    {0x3, "MAX_CONCURRENT_STREAMS"}, {0x4, "INITIAL_WINDOW_SIZE"},
    {0x5, "MAX_FRAME_SIZE"},         {0x6, "MAX_HEADER_LIST_SIZE"},
    {0x7, "ACCEPT_CACHE_DIGEST"},    {0x8, "ENABLE_CONNECT_PROTOCOL"},
    {0x9, "NO_RFC7540_PRIORITIES"},  {0, NULL},
};

static const struct numbered_name http3_settings[] = {
    {0x1, "QPACK_MAX_TABLE_CAPACITY"},
    {0x6, "MAX_FIELD_SECTION_SIZE"},
    {0x7, "QPACK_BLOCKED_STREAMS"},
    {0x8, "ENABLE_CONNECT_PROTOCOL"},
    {0x33, "H3_DATAGRAM"},
    {0, NULL},
};

static const char *const http2_errors[] = {
    "NO_ERROR",
    "PROTOCOL_ERROR",
    "INTERNAL_ERROR",
    "FLOW_CONTROL_ERROR",
    "SETTINGS_TIMEOUT",
    "STREAM_CLOSED",
    "FRAME_SIZE_ERROR",
    "REFUSED_STREAM",
    "CANCEL",
    "COMPRESSION_ERROR",
    "CONNECT_ERROR",
    "ENHANCE_YOUR_CALM",
    "INADEQUATE_SECURITY",
    "HTTP_1_1_REQUIRED",
};

static const struct numbered_name http3_errors[] = {
    {0x100, "H3_NO_ERROR"},
    {0x101, "H3_GENERAL_PROTOCOL_ERROR"},
    {0x102, "H3_INTERNAL_ERROR"},
    {0x103, "H3_STREAM_CREATION_ERROR"},
    {0x104, "H3_CLOSED_CRITICAL_STREAM"},
    {0x105, "H3_FRAME_UNEXPECTED"},
    {0x106, "H3_FRAME_ERROR"},
    {0x107, "H3_EXCESSIVE_LOAD"},
    {0x108, "H3_ID_ERROR"},
    {0x109, "H3_SETTINGS_ERROR"},
    {0x10a, "H3_MISSING_SETTINGS"},
    {0x10b, "H3_REQUEST_REJECTED"},
    {0x10c, "H3_REQUEST_CANCELLED"},
    {0x10d, "H3_REQUEST_INCOMPLETE"},
    {0x10e, "H3_MESSAGE_ERROR"},
    {0x10f, "H3_CONNECT_ERROR"},
    {0x110, "H3_VERSION_FALLBACK"},
    {0x200, "QPACK_DECOMPRESSION_FAILED"},
    {0x201, "QPACK_ENCODER_STREAM_ERROR"},
    {0x202, "QPACK_DECODER_STREAM_ERROR"},
    {0, NULL},
};

static const char *find_name(const struct numbered_name *names, uint64_t number)
{
    for (; names->name != NULL; names++)
        if (names->number == number)
            return names->name;
    return NULL;
}

const char *frame_name(enum frame_kind kind)
{
    size_t count = sizeof(frame_names) / sizeof(frame_names[0]);

    return (size_t)kind < count ? frame_names[kind] : "UNKNOWN";
}

static const char *header_flag_name(enum frame_kind kind, uint8_t flag)
{
    if (flag == END_HEADERS)
        return "END_HEADERS";
    if (kind == FRAME_CONTINUATION)
        return NULL;
    if (flag == PADDED)
        return "PADDED";
    if (kind == FRAME_PUSH_PROMISE)
        return NULL;
    if (flag == END_STREAM)
        return "END_STREAM";
    return flag == PRIORITY ? "PRIORITY" : NULL;
}

const char *frame_flag_name(enum frame_kind kind, uint8_t flag)
{
    switch (kind) {
    case FRAME_DATA:
        if (flag == END_STREAM)
            return "END_STREAM";
        return flag == PADDED ? "PADDED" : NULL;
    case FRAME_HEADERS:
    case FRAME_PUSH_PROMISE:
    case FRAME_CONTINUATION:
        return header_flag_name(kind, flag);
    case FRAME_SETTINGS:
    case FRAME_PING:
        return flag == ACK ? "ACK" : NULL;
    case FRAME_CACHE_DIGEST:
        if (flag == 0x1)
            return "RESET";
        return flag == 0x2 ? "COMPLETE" : NULL;
    default:
        return NULL;
    }
}

const char *frame_setting_name(enum http_version version, uint32_t id)
{
    return find_name(version == HTTP_3 ? http3_settings : http2_settings, id);
}

const char *frame_error_name(enum http_version version, uint64_t code)
{
    if (version == HTTP_3)
        return find_name(http3_errors, code);
    if (code < sizeof(http2_errors) / sizeof(http2_errors[0]))
        return http2_errors[code];
    return NULL;
}

const char *frame_version_name(enum http_version version)
{
    switch (version) {
    case HTTP_1_0:
        return "HTTP/1.0";
    case HTTP_1_1:
        return "HTTP/1.1";
    case HTTP_2:
        return "HTTP/2";
    case HTTP_3:
        return "HTTP/3";
    }
    return "HTTP";
}
