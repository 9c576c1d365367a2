/* The wire's vocabulary: frame types, flags, error codes, settings, and how a frame header is read
 * and written (RFC 9113 sections 4, 6, 7). */
#ifndef H2_FRAME_H
#define H2_FRAME_H

#include "base/span.h"

#define H2_FRAME_HEADER       9
#define H2_FRAME_SIZE_DEFAULT 16384
#define H2_FRAME_SIZE_MAXIMUM 16777215
#define H2_WINDOW_DEFAULT     65535
#define H2_WINDOW_MAXIMUM     INT64_C(0x7fffffff)
#define H2_ID_MAXIMUM         UINT32_C(0x7fffffff)

enum h2_frame_type {
    H2_DATA = 0x0,
    H2_HEADERS = 0x1,
    H2_PRIORITY = 0x2,
    H2_RST_STREAM = 0x3,
    H2_SETTINGS = 0x4,
    H2_PUSH_PROMISE = 0x5,
    H2_PING = 0x6,
    H2_GOAWAY = 0x7,
    H2_WINDOW_UPDATE = 0x8,
    H2_CONTINUATION = 0x9,
    H2_ALTSVC = 0xa,           /* RFC 7838 */
    H2_ORIGIN = 0xc,           /* RFC 8336 */
    H2_PRIORITY_UPDATE = 0x10, /* RFC 9218 */
    H2_FRAME_TYPES = 0x11
};

enum h2_flag {
    H2_FLAG_ACK = 0x1,
    H2_FLAG_END_STREAM = 0x1,
    H2_FLAG_END_HEADERS = 0x4,
    H2_FLAG_PADDED = 0x8,
    H2_FLAG_PRIORITY = 0x20
};

enum h2_error {
    H2_NO_ERROR = 0x0,
    H2_PROTOCOL_ERROR = 0x1,
    H2_INTERNAL_ERROR = 0x2,
    H2_FLOW_CONTROL_ERROR = 0x3,
    H2_SETTINGS_TIMEOUT = 0x4,
    H2_STREAM_CLOSED = 0x5,
    H2_FRAME_SIZE_ERROR = 0x6,
    H2_REFUSED_STREAM = 0x7,
    H2_CANCEL = 0x8,
    H2_COMPRESSION_ERROR = 0x9,
    H2_CONNECT_ERROR = 0xa,
    H2_ENHANCE_YOUR_CALM = 0xb,
    H2_INADEQUATE_SECURITY = 0xc,
    H2_HTTP_1_1_REQUIRED = 0xd
};

enum h2_setting {
    H2_SETTING_HEADER_TABLE_SIZE = 0x1,
    H2_SETTING_ENABLE_PUSH = 0x2,
    H2_SETTING_MAX_CONCURRENT_STREAMS = 0x3,
    H2_SETTING_INITIAL_WINDOW_SIZE = 0x4,
    H2_SETTING_MAX_FRAME_SIZE = 0x5,
    H2_SETTING_MAX_HEADER_LIST_SIZE = 0x6,
    H2_SETTING_ENABLE_CONNECT_PROTOCOL = 0x8, /* RFC 8441 */
    H2_SETTING_NO_RFC7540_PRIORITIES = 0x9    /* RFC 9218 */
};

struct h2_frame {
    uint32_t length; /* of the payload */
    uint32_t stream_id;
    uint8_t type;
    uint8_t flags;
};

static inline uint16_t h2_get16(const uint8_t *bytes)
{
    return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static inline uint32_t h2_get32(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* Stream identifiers, increments: the reserved top bit is ignored on receipt. */
static inline uint32_t h2_get31(const uint8_t *bytes)
{
    return h2_get32(bytes) & H2_ID_MAXIMUM;
}

static inline void h2_put16(uint8_t *bytes, uint16_t value)
{
    bytes[0] = (uint8_t)(value >> 8);
    bytes[1] = (uint8_t)value;
}

static inline void h2_put32(uint8_t *bytes, uint32_t value)
{
    bytes[0] = (uint8_t)(value >> 24);
    bytes[1] = (uint8_t)(value >> 16);
    bytes[2] = (uint8_t)(value >> 8);
    bytes[3] = (uint8_t)value;
}

static inline struct h2_frame h2_frame_read(const uint8_t header[H2_FRAME_HEADER])
{
    return (struct h2_frame){
        .length = (uint32_t)header[0] << 16 | (uint32_t)header[1] << 8 | header[2],
        .type = header[3],
        .flags = header[4],
        .stream_id = h2_get31(header + 5),
    };
}

static inline void h2_frame_write(uint8_t header[H2_FRAME_HEADER], struct h2_frame frame)
{
    header[0] = (uint8_t)(frame.length >> 16);
    header[1] = (uint8_t)(frame.length >> 8);
    header[2] = (uint8_t)frame.length;
    header[3] = frame.type;
    header[4] = frame.flags;
    h2_put32(header + 5, frame.stream_id);
}

#endif
