/* The static table (RFC 7541 appendix A), ready to be emitted. */
#ifndef HPACK_STATIC_TABLE_H
#define HPACK_STATIC_TABLE_H

#include "hpack/hpack.h"

#define HPACK_STATIC_COUNT 61

/* By index; 0 is not a field. */
extern const struct hpack_field hpack_static_fields[HPACK_STATIC_COUNT + 1];

/* The index of the first entry with that name, or 0: one probe and one comparison. */
uint8_t hpack_static_name(struct span name);

#endif
