/* Names of frames, flags, settings and error codes (RFC 9113, 9114, 9204, 8441, 9218, 7838, 8336
 * and the cache digest draft). */
#ifndef TRACE_FRAME_NAMES_H
#define TRACE_FRAME_NAMES_H

#include "http/trace.h"

/* "HEADERS"; "UNKNOWN" for FRAME_UNKNOWN and out of range. Never NULL. */
const char *frame_name(enum frame_kind kind);

/* NULL for bits without a meaning in that frame. `flag` is one bit. */
const char *frame_flag_name(enum frame_kind kind, uint8_t flag);

/* NULL for unknown ones. */
const char *frame_setting_name(enum http_version version, uint32_t id);
const char *frame_error_name(enum http_version version, uint64_t code);

/* "HTTP/1.1", "HTTP/2"; "HTTP" for what is not known. */
const char *frame_version_name(enum http_version version);

#endif
