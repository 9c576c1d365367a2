#include "http/fields.h"
#include "base/err.h"

#define FIRST_CAPACITY 8

int fields_reserve(struct fields *fields, struct arena *arena, size_t extra)
{
    if (extra <= fields->capacity - fields->count)
        return 0;
    size_t capacity = fields->capacity == 0 ? FIRST_CAPACITY : fields->capacity * 2;
    if (capacity < fields->count + extra)
        capacity = fields->count + extra;
    struct field *items = arena_alloc(arena, capacity * sizeof(*items));
    if (items == NULL)
        return HERALD_ERROR_NOMEM;
    if (fields->count != 0)
        memcpy(items, fields->items, fields->count * sizeof(*items));
    fields->items = items;
    fields->capacity = capacity;
    return 0;
}

int fields_add(struct fields *fields, struct arena *arena, struct field field)
{
    int error = fields_reserve(fields, arena, 1);

    if (error != 0)
        return error;
    if (field.known == KNOWN_NONE)
        field.known = (uint16_t)known_name_find(field.name);
    fields->items[fields->count++] = field;
    return 0;
}

int fields_add_copy(struct fields *fields, struct arena *arena, struct field field)
{
    size_t size = field.name.length + field.value.length;
    uint8_t *bytes = arena_alloc(arena, size + 1);

    if (bytes == NULL)
        return HERALD_ERROR_NOMEM;
    if (field.name.length != 0)
        memcpy(bytes, field.name.data, field.name.length);
    if (field.value.length != 0)
        memcpy(bytes + field.name.length, field.value.data, field.value.length);
    bytes[size] = 0;
    field.name.data = bytes;
    field.value.data = bytes + field.name.length;
    return fields_add(fields, arena, field);
}

const struct field *fields_find(const struct fields *fields, enum known_name known)
{
    for (size_t i = 0; i < fields->count; i++) {
        if (fields->items[i].known == known && known != KNOWN_NONE)
            return &fields->items[i];
    }
    return NULL;
}

const struct field *fields_find_name(const struct fields *fields, struct span lower_case_name)
{
    for (size_t i = 0; i < fields->count; i++) {
        if (span_equals(fields->items[i].name, lower_case_name))
            return &fields->items[i];
    }
    return NULL;
}

size_t fields_count(const struct fields *fields, enum known_name known)
{
    size_t count = 0;

    for (size_t i = 0; i < fields->count; i++)
        count += fields->items[i].known == known;
    return count;
}

struct span fields_value(const struct fields *fields, enum known_name known)
{
    const struct field *field = fields_find(fields, known);

    return field == NULL ? SPAN_EMPTY : field->value;
}

size_t fields_remove(struct fields *fields, enum known_name known)
{
    size_t kept = 0;

    for (size_t i = 0; i < fields->count; i++) {
        if (fields->items[i].known != known)
            fields->items[kept++] = fields->items[i];
    }
    size_t removed = fields->count - kept;
    fields->count = kept;
    return removed;
}

size_t fields_size(const struct fields *fields)
{
    size_t size = 0;

    for (size_t i = 0; i < fields->count; i++)
        size += fields->items[i].name.length + fields->items[i].value.length + FIELD_OVERHEAD;
    return size;
}
