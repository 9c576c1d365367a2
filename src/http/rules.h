/* The message rules that stand once for every protocol (RFC 9110; RFC 9112 in so far as it is about
 * fields; RFC 9113 section 8; RFC 9114 section 4): from fields as they come out of a decoder to a
 * checked struct message or a trailer section.
 *
 * An engine feeds (name, value) pairs one at a time and asks for the result at the end of the
 * block. A fault does not stop the feeding: a field compressor has to go on so that its table stays
 * in step. Nothing is copied any more from the first fault on.
 *
 *     struct head_builder builder;
 *     head_builder_init(&builder, HEAD_REQUEST, &exchange->arena, limits);
 *     hpack_decode(..., emit = head_builder_add(builder, name, value, known, flags) ...);
 *     enum head_verdict verdict = head_builder_finish(&builder, &exchange->incoming);
 */
#ifndef HTTP_RULES_H
#define HTTP_RULES_H

#include "http/limits.h"
#include "http/message.h"

enum head_kind {
    HEAD_REQUEST,
    HEAD_RESPONSE,
    HEAD_PROMISED_REQUEST, /* RFC 9113 section 8.4: GET or HEAD, no content */
    HEAD_TRAILERS          /* no pseudo-fields; forbidden names are dropped (SM-08) */
};

enum head_verdict {
    HEAD_OK = 0,
    HEAD_MALFORMED,          /* RFC 9113 section 8.1.1: 400, or a stream error PROTOCOL_ERROR */
    HEAD_TOO_LARGE,          /* over field_list_size or field_count (trailers: trailer_*): 431 */
    HEAD_FAR_TOO_LARGE,      /* over HEAD_FAR_FACTOR times a limit: close the connection */
    HEAD_TARGET_TOO_LONG,    /* the path is over request_line_size: 414 */
    HEAD_METHOD_TOO_LONG,    /* over method_size: 501 */
    HEAD_EXPECTATION_FAILED, /* an Expect other than 100-continue: 417 */
    HEAD_NO_MEMORY           /* arena or account is full, or malloc failed */
};

#define HEAD_FAR_FACTOR 4

/* Cookie crumbs on their way into one field (RFC 9113 section 8.2.3). */
struct cookie_join {
    uint8_t *bytes; /* NULL while there is one crumb */
    size_t capacity;
    size_t position; /* of the field in the list */
};

struct head_builder {
    struct arena *arena;
    const struct limits *limits;
    enum head_kind kind;
    bool is_http1;         /* names may be upper case, Host is a field, no pseudo-fields */
    bool extended_connect; /* SETTINGS_ENABLE_CONNECT_PROTOCOL was sent: :protocol is allowed */
    enum head_verdict verdict;
    const char *reason; /* static text about the first fault, for logs and debug data; or NULL */

    struct message message; /* as understood so far */

    /* private */
    struct span host;     /* of a Host field */
    uint32_t seen;        /* enum in rules.c: pseudo-fields and single fields that have come */
    uint64_t size, count; /* as counted against the limits, dropped fields included */
    struct cookie_join cookie;
    uint8_t *block; /* the piece of the arena that names and values go to */
    size_t block_left;
};

/* For HTTP/2 and HTTP/3 (which sets builder->message.version). Memory comes from `arena`, which
 * outlives the result. */
void head_builder_init(struct head_builder *builder, enum head_kind kind, struct arena *arena,
                       const struct limits *limits);

/* For HTTP/1.x, whose engine has read the start line: it fills method, path, scheme and authority
 * (of an absolute-form target), status and reason, version, upgrade and protocol of
 * builder->message itself and gives the fields, in any case and with the blanks around values
 * removed, to head_builder_add. Connection-specific fields are kept for the engine to look at and
 * to remove. Method, target and Content-Length are judged here as for every version;
 * Transfer-Encoding is the engine's. */
void head_builder_init_http1(struct head_builder *builder, enum head_kind kind, struct arena *arena,
                             const struct limits *limits);

/* Takes the next field; name and value are copied. `known`: what the caller knows about the name
 * (an enum known_name; RFC 7541's static index from 15 on), KNOWN_NONE to look it up. `flags`:
 * FIELD_SENSITIVE or 0. Returns the verdict so far; a caller that keeps no decoder in step may stop
 * when it is not HEAD_OK, and every caller may close when it is HEAD_FAR_TOO_LARGE. */
enum head_verdict head_builder_add(struct head_builder *builder, struct span name,
                                   struct span value, enum known_name known, uint8_t flags);

/* The block has ended: judges what can only be judged as a whole and gives the message (not for
 * trailers). When the verdict is not HEAD_OK `message` holds what was understood so far, good
 * enough for a log or an error response and for nothing else.
 *
 * After HEAD_OK on a request: method, path ('/' or '*' first; empty for a plain CONNECT), scheme
 * and authority are set and checked (the authority is empty only in HTTP/1.0 or when an http1
 * client sent an empty Host); the field list has neither Host nor pseudo-fields and at most one
 * Cookie; content_length is set from Content-Length, which stays in the list. On a response: status
 * is 100 to 999 (not 101 but in HTTP/1.1). */
enum head_verdict head_builder_finish(struct head_builder *builder, struct message *message);

/* As head_builder_finish for HEAD_TRAILERS. */
enum head_verdict head_builder_finish_trailers(struct head_builder *builder,
                                               struct fields *trailers);

/* True when `authority` is a host with an optional port (RFC 3986 section 3.2 without userinfo): a
 * registered name, an IPv4 address or an IP literal in brackets. */
bool authority_is_valid(struct span authority);

/* As authority_is_valid, with a port that is not empty: the target of a CONNECT. */
bool authority_has_port(struct span authority);

/* True for an absolute path with optional query, as it may stand in a request: '/' first, no blank,
 * control byte, DEL or '#'. Bytes from 0x80 on pass: clients send them unescaped. */
bool request_path_is_valid(struct span path);

#endif
