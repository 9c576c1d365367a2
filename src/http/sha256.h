/* SHA-256 (FIPS 180-4), for keys of cache digests: short inputs, no secrets. */
#ifndef HTTP_SHA256_H
#define HTTP_SHA256_H

#include "base/span.h"

#define SHA256_LENGTH 32

/* The digest of `first` followed by `second`. */
void sha256(struct span first, struct span second, uint8_t digest[SHA256_LENGTH]);

#endif
