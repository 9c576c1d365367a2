/* Fields that our side is about to send: checked, cleaned and copied (RFC 9110 section 5.5, RFC
 * 9113 section 8.2.2). */
#ifndef HTTP_OUTGOING_FIELDS_H
#define HTTP_OUTGOING_FIELDS_H

#include "http/message.h"

enum outgoing_kind { OUTGOING_REQUEST, OUTGOING_RESPONSE, OUTGOING_TRAILERS };

/* Copies `fields` into `copy` (emptied first): names in lower case, blanks at the ends of values
 * removed, two allocations in all and room for `spare` more fields. Left out are
 * connection-specific fields, Content-Length (see outgoing_content_length), in requests also Host
 * and TE other than "trailers", in trailers whatever section 6.5.1 of RFC 9110 forbids there.
 * Returns 0, HERALD_ERROR_INVALID for a name that is no token or a value with CR, LF, NUL or
 * another control byte, HERALD_ERROR_NOMEM. */
int outgoing_fields_copy(struct arena *arena, enum outgoing_kind kind, const struct field *fields,
                         size_t count, size_t spare, struct fields *copy);

/* The number of the Content-Length fields among `fields`, CONTENT_LENGTH_UNKNOWN without one.
 * Returns 0, or HERALD_ERROR_INVALID when it is no number or two differ. */
int outgoing_content_length(const struct field *fields, size_t count, uint64_t *length);

/* Appends a Content-Length field. Returns 0 or HERALD_ERROR_NOMEM. */
int outgoing_add_content_length(struct fields *fields, struct arena *arena, uint64_t length);

/* Appends copies of the fields in `defaults`, which are trusted, but of those that `fields` has
 * already. Returns 0 or HERALD_ERROR_NOMEM. */
int outgoing_add_defaults(struct fields *fields, struct arena *arena,
                          const struct fields *defaults);

/* True for the fields of RFC 9113 section 8.2.2: Connection, Keep-Alive, Proxy-Connection,
 * Transfer-Encoding, Upgrade. */
bool field_is_connection_specific(enum known_name known);

/* True for fields that must not be taken from a trailer section: framing, routing, authentication,
 * request modifiers and content description (RFC 9110 section 6.5.1). */
bool field_is_forbidden_in_trailers(enum known_name known);

#endif
