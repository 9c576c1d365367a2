#include "asgi_push.h"

#include "server/push_policy.h"

/* HTTP/1.1 clients that cannot take an interim response are still about (RFC 8297 section 3), so
 * the fallback is offered only from HTTP/2 on. */
bool asgi_push_offered(const AsgiExchange *self)
{
    const struct exchange *exchange = self->exchange;
    if (exchange_can_push(exchange))
        return true;
    return self->application->push_falls_back && exchange->incoming.version >= HTTP_2 &&
           !exchange->is_pushed;
}

/* The path of a push message as UTF-8 text that lives as long as the message, or empty with an
 * exception. */
static struct span path_of(PyObject *message)
{
    Py_ssize_t length;
    if (!PyDict_Check(message)) {
        PyErr_SetString(PyExc_TypeError, "push takes a dict with \"path\" and \"headers\"");
        return SPAN_EMPTY;
    }
    PyObject *path = PyDict_GetItemWithError(message, ext_names.path);
    if (path == NULL || !PyUnicode_Check(path)) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_TypeError, "push needs \"path\", a str");
        return SPAN_EMPTY;
    }
    const char *text = PyUnicode_AsUTF8AndSize(path, &length);
    if (text != NULL && length == 0)
        PyErr_SetString(PyExc_ValueError, "push needs a \"path\" that is not empty");
    return text == NULL || length == 0 ? SPAN_EMPTY : span_make(text, (size_t)length);
}

int asgi_push(AsgiExchange *self, PyObject *message)
{
    struct asgi_fields fields;
    struct span path = path_of(message);
    if (path.length == 0)
        return -1;
    PyObject *headers = PyDict_GetItemWithError(message, ext_names.headers);
    if (asgi_fields_parse(&fields, headers) < 0)
        return -1;
    int code = push_policy_push(self->exchange, path, fields.items, fields.count);
    asgi_fields_free(&fields);
    if (code == HERALD_ERROR_INVALID) {
        PyErr_SetString(PyExc_ValueError, "that cannot be promised: the path must be ASCII, start "
                                          "with one / and be percent-encoded");
        return -1;
    }
    /* Too late for a push and for a hint: it was an optimisation only. */
    if (code < 0 && code != HERALD_ERROR_STATE)
        return asgi_raise(self, code, "pushing");
    return 0;
}
