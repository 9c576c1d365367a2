#include "asgi.h"

#include "http/field_syntax.h"

static int parse_pair(PyObject *pair, struct field *field)
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
    if (!field_is_token(field->name) || !field_value_bytes_are_valid(field->value)) {
        PyErr_Format(PyExc_ValueError, "not a valid header: %R", pair);
        return -1;
    }
    return 0;
}

int asgi_fields_parse(struct asgi_fields *fields, PyObject *list)
{
    memset(fields, 0, sizeof *fields);
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
        if (parse_pair(pair, &fields->items[fields->count]) < 0)
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
    fields->items = NULL;
    fields->count = 0;
}
