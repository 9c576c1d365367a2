/* Base64 in both alphabets (RFC 4648 sections 4 and 5). */
#ifndef HTTP_BASE64_H
#define HTTP_BASE64_H

#include "base/span.h"

/* Decodes either alphabet; padding may be missing and its bits may be anything, but must be right
 * in number where it stands. `destination` has room for text.length / 4 * 3 + 3 bytes. Returns the
 * length, or HERALD_ERROR_INVALID. */
int64_t base64_decode(struct span text, bool url_alphabet, uint8_t *destination);

/* Writes with padding (url_alphabet: without). `destination` has room for (length + 2) / 3 * 4
 * bytes. Returns the length. */
size_t base64_encode(struct span bytes, bool url_alphabet, char *destination);

#endif
