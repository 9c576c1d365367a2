#include "asgi.h"

#include "http/rules.h"

/* Names are lowered in place of a copy; most applications give lower case already. */
static int lower_name(struct asgi_fields *fields, struct span *name)
{
    size_t i = 0;
    while (i < name->length && !(name->data[i] >= 'A' && name->data[i] <= 'Z'))
        i++;
    if (i == name->length)
        return 0;
    struct span copy;
    if (arena_copy(&fields->arena, *name, &copy) < 0) {
        PyErr_NoMemory();
        return -1;
    }
    uint8_t *bytes = (uint8_t *)copy.data;
    for (; i < copy.length; i++) {
        if (bytes[i] >= 'A' && bytes[i] <= 'Z')
            bytes[i] |= 0x20;
    }
    *name = copy;
    return 0;
}

static int parse_pair(struct asgi_fields *fields, PyObject *pair, struct field *field)
{
    PyObject *name = NULL, *value = NULL;
    if (PyTuple_CheckExact(pair) && PyTuple_GET_SIZE(pair) == 2) {
        name = PyTuple_GET_ITEM(pair, 0);
        value = PyTuple_GET_ITEM(pair, 1);
    } else if (PyList_CheckExact(pair) && PyList_GET_SIZE(pair) == 2) {
        name = PyList_GET_ITEM(pair, 0);
        value = PyList_GET_ITEM(pair, 1);
    }
    if (name == NULL || !PyBytes_Check(name) || !PyBytes_Check(value)) {
        PyErr_Format(PyExc_TypeError, "headers must be pairs of bytes, not %R", pair);
        return -1;
    }
    field->name = span_make(PyBytes_AS_STRING(name), (size_t)PyBytes_GET_SIZE(name));
    field->value = span_trim(span_make(PyBytes_AS_STRING(value), (size_t)PyBytes_GET_SIZE(value)));
    field->known = KNOWN_NONE;
    field->flags = 0;
    if (lower_name(fields, &field->name) < 0)
        return -1;
    if (!field_name_is_valid(field->name) || !field_value_is_valid(field->value)) {
        PyErr_Format(PyExc_ValueError, "not a valid header: %R", pair);
        return -1;
    }
    return 0;
}

int asgi_fields_parse(struct asgi_fields *fields, PyObject *list)
{
    memset(fields, 0, sizeof *fields);
    arena_init(&fields->arena, 0, NULL);
    if (list == NULL || list == Py_None)
        return 0;
    /* A copy, always: the pairs must outlive whatever the application does with its list meanwhile.
     */
    fields->sequence = PySequence_Tuple(list);
    if (fields->sequence == NULL)
        return -1;
    size_t count = (size_t)PyTuple_GET_SIZE(fields->sequence);
    if (count == 0)
        return 0;
    fields->items = PyMem_New(struct field, count);
    if (fields->items == NULL) {
        PyErr_NoMemory();
        goto failed;
    }
    for (; fields->count < count; fields->count++) {
        PyObject *pair = PyTuple_GET_ITEM(fields->sequence, (Py_ssize_t)fields->count);
        if (parse_pair(fields, pair, &fields->items[fields->count]) < 0)
            goto failed;
    }
    return 0;
failed:
    asgi_fields_free(fields);
    return -1;
}

void asgi_fields_free(struct asgi_fields *fields)
{
    PyMem_Free(fields->items);
    Py_CLEAR(fields->sequence);
    arena_free(&fields->arena);
    fields->items = NULL;
    fields->count = 0;
}
