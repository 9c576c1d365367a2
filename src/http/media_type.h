/* Content types by file name. */
#ifndef HTTP_MEDIA_TYPE_H
#define HTTP_MEDIA_TYPE_H

#include "base/span.h"

/* The Content-Type value for a path, by its last extension in any case: "text/html; charset=utf-8".
 * "application/octet-stream" when unknown. Static lifetime. */
struct span media_type_of_path(struct span path);

/* True when it is worth compressing. Looks at the type before any ";". */
bool media_type_is_compressible(struct span content_type);

/* The `as` value of a preload for a path (RFC 8288, HTML): "style", "script", "font", "image", ...;
 * empty when unknown. */
struct span media_type_preload_as(struct span path);

#endif
