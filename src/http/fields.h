/* Fields (RFC 9110 section 5): names, values, and the names this program knows. */
#ifndef HTTP_FIELDS_H
#define HTTP_FIELDS_H

#include "base/arena.h"
#include "http/known_names.h"

enum {
    FIELD_SENSITIVE = 1 << 0 /* never indexed by a field compressor (RFC 7541 section 7.1.3) */
};

/* `name` is lower case everywhere inside the program; HTTP/1.1 lowers it on the way in.
 * Pseudo-fields never appear in a field list: they are members of struct message. */
struct field {
    struct span name;
    struct span value;
    uint16_t known; /* enum known_name, KNOWN_NONE when not in the table */
    uint8_t flags;
};

/* An ordered list, storage in an arena. */
struct fields {
    struct field *items;
    size_t count;
    size_t capacity;
};

/* For calls: FIELD("content-type", "text/html"); in the initialiser of a static table:
 * FIELD_INITIALIZER. `known` is looked up when the field is added. */
#define FIELD_INITIALIZER(name_text, value_text)                                                   \
    {                                                                                              \
        {(const uint8_t *)(name_text), sizeof(name_text) - 1},                                     \
            {(const uint8_t *)(value_text), sizeof(value_text) - 1}, KNOWN_NONE, 0                 \
    }
#define FIELD(name_text, value_text) ((struct field)FIELD_INITIALIZER(name_text, value_text))

#define FIELD_OVERHEAD 32 /* counted for each field by limits (RFC 9113 section 6.5.2) */

/* Makes room for `extra` more fields. Returns 0 or HERALD_ERROR_NOMEM. */
int fields_reserve(struct fields *fields, struct arena *arena, size_t extra);

/* Appends a field without copying its bytes: the caller guarantees that they live as long as the
 * arena. Looks up `known` when it is KNOWN_NONE. Returns 0 or HERALD_ERROR_NOMEM. */
int fields_add(struct fields *fields, struct arena *arena, struct field field);

/* As fields_add with name and value copied into the arena. */
int fields_add_copy(struct fields *fields, struct arena *arena, struct field field);

/* The first field of that name, or NULL. */
const struct field *fields_find(const struct fields *fields, enum known_name known);
const struct field *fields_find_name(const struct fields *fields, struct span lower_case_name);

/* How many fields have that name. */
size_t fields_count(const struct fields *fields, enum known_name known);

/* Value of the first field of that name, or an empty span. */
struct span fields_value(const struct fields *fields, enum known_name known);

/* Removes every field of that name; returns how many. */
size_t fields_remove(struct fields *fields, enum known_name known);

/* RFC 9113 section 6.5.2: sum of name and value lengths plus 32 for each field. */
size_t fields_size(const struct fields *fields);

#endif
