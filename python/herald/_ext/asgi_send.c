/* The messages an application sends, by type; order, repetition and types as the ASGI HTTP
 * specification says. */
#include "asgi.h"

#include "asgi_push.h"
#include "base/log.h"
#include "server/folder.h"
#include "server/push_policy.h"

/* Bytes objects from this size on are handed over by reference rather than copied. */
#define REFERENCE_MINIMUM 4096

int asgi_raise(AsgiExchange *self, int code, const char *doing)
{
    if (code == HERALD_ERROR_CLOSED || code == HERALD_ERROR_CANCELLED) {
        self->disconnect_raised = true;
        PyErr_SetString(ext_client_disconnected, "the client has disconnected");
    } else if (code == HERALD_ERROR_NOMEM) {
        PyErr_NoMemory();
    } else {
        PyErr_Format(PyExc_RuntimeError, "%s: %s", doing, herald_error_text(code));
    }
    return -1;
}

static int wrong_order(const char *what)
{
    PyErr_SetString(PyExc_RuntimeError, what);
    return -1;
}

/* A borrowed member of `message`, or NULL (with an exception only on an error). */
static PyObject *member(PyObject *message, PyObject *name)
{
    return PyDict_GetItemWithError(message, name);
}

/* 1 true, 0 false or absent, -1 error. */
static int flag(PyObject *message, PyObject *name)
{
    PyObject *value = member(message, name);
    if (value == NULL)
        return PyErr_Occurred() ? -1 : 0;
    return PyObject_IsTrue(value);
}

static int status_of(PyObject *message, long *status)
{
    PyObject *value = member(message, ext_names.status);
    if (value == NULL) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_KeyError, "status");
        return -1;
    }
    *status = PyLong_AsLong(value);
    if (*status == -1 && PyErr_Occurred())
        return -1;
    if (*status < 100 || *status > 999) {
        PyErr_Format(PyExc_ValueError, "status must be 100 to 999, not %ld", *status);
        return -1;
    }
    return 0;
}

static int send_informational(AsgiExchange *self, long status, PyObject *headers)
{
    struct asgi_fields fields;
    if (self->head_sent)
        return wrong_order("an informational response after the final one has begun");
    if (asgi_fields_parse(&fields, headers) < 0)
        return -1;
    int code = exchange_inform(self->exchange, (unsigned)status, fields.items, fields.count);
    asgi_fields_free(&fields);
    /* A peer that cannot take it (HTTP/1.0), or a flood of them: the final response matters more.
     */
    if (code < 0 && code != HERALD_ERROR_UNSUPPORTED && code != HERALD_ERROR_LIMIT)
        return asgi_raise(self, code, "sending an informational response");
    return 0;
}

static int send_start(AsgiExchange *self, PyObject *message)
{
    long status;
    if (self->head_sent || self->deferred_start != NULL)
        return wrong_order("http.response.start was sent before");
    if (status_of(message, &status) < 0)
        return -1;
    PyObject *headers = member(message, ext_names.headers);
    if (headers == NULL && PyErr_Occurred())
        return -1;
    if (status < 200)
        return send_informational(self, status, headers);
    int trailers = flag(message, ext_names.trailers);
    if (trailers < 0)
        return -1;
    /* Checked now, so that the application learns of a mistake where it made it. */
    struct asgi_fields fields;
    if (asgi_fields_parse(&fields, headers) < 0)
        return -1;
    asgi_fields_free(&fields);
    self->trailers_promised = trailers != 0;
    self->deferred_start = Py_NewRef(message);
    return 0;
}

/* The head goes out with the first body message. `length` is the body's when it is known by now. */
static int send_head(AsgiExchange *self, uint64_t length)
{
    long status;
    PyObject *message = self->deferred_start;
    if (self->head_sent)
        return 0;
    if (message == NULL)
        return wrong_order("http.response.start must come first");
    struct asgi_fields fields;
    if (status_of(message, &status) < 0 ||
        asgi_fields_parse(&fields, member(message, ext_names.headers)) < 0)
        return -1;
    for (size_t i = 0; i < fields.count; i++) {
        /* Given by the application: a response to HEAD may name a length that its body does not
         * have. */
        if (span_equals_ignoring_case(fields.items[i].name, SPAN_LITERAL("content-length")))
            length = CONTENT_LENGTH_UNKNOWN;
    }
    (void)push_policy_response(self->exchange, (unsigned)status, fields.items, fields.count);
    int code =
        exchange_respond(self->exchange, (unsigned)status, fields.items, fields.count, length);
    asgi_fields_free(&fields);
    if (code < 0)
        return asgi_raise(self, code, "starting the response");
    self->head_sent = true;
    Py_CLEAR(self->deferred_start);
    return 0;
}

static int send_finish(AsgiExchange *self, const struct asgi_fields *trailers)
{
    self->body_ended = true;
    self->finished = true;
    int code = exchange_finish(self->exchange, trailers == NULL ? NULL : trailers->items,
                               trailers == NULL ? 0 : trailers->count);
    if (code == HERALD_ERROR_INVALID)
        return wrong_order("the response body is shorter than its Content-Length");
    return code < 0 ? asgi_raise(self, code, "ending the response") : 0;
}

static void release_bytes(void *owner)
{
    Py_DECREF((PyObject *)owner);
}

static int write_body(AsgiExchange *self, PyObject *body)
{
    Py_buffer view;
    int code;
    if (PyBytes_CheckExact(body) && PyBytes_GET_SIZE(body) >= REFERENCE_MINIMUM) {
        struct span data = span_make(PyBytes_AS_STRING(body), (size_t)PyBytes_GET_SIZE(body));
        code = exchange_write_reference(self->exchange, data, release_bytes, Py_NewRef(body));
    } else {
        if (PyObject_GetBuffer(body, &view, PyBUF_SIMPLE) < 0)
            return -1;
        code = exchange_write(self->exchange, span_make(view.buf, (size_t)view.len));
        PyBuffer_Release(&view);
    }
    if (code == HERALD_ERROR_LIMIT) {
        static struct log_limit limit;
        log_limited(&limit, LOG_ERROR,
                    "the application sent more than its Content-Length; cut (%.*s)",
                    SPAN_ARGUMENTS(self->exchange->incoming.path));
        return 0;
    }
    return code < 0 ? asgi_raise(self, code, "sending the response body") : 0;
}

static int send_body(AsgiExchange *self, PyObject *message)
{
    if (self->body_ended)
        return wrong_order("http.response.body after the end of the body");
    int more = flag(message, ext_names.more_body);
    if (more < 0)
        return -1;
    PyObject *body = member(message, ext_names.body);
    if (body == NULL && PyErr_Occurred())
        return -1;
    if (body != NULL && !PyBytes_Check(body) && !PyByteArray_Check(body) &&
        !PyMemoryView_Check(body)) {
        PyErr_Format(PyExc_TypeError, "body must be bytes, not %s", Py_TYPE(body)->tp_name);
        return -1;
    }
    uint64_t length = CONTENT_LENGTH_UNKNOWN;
    if (!more && !self->trailers_promised) {
        Py_ssize_t size = body == NULL ? 0 : PyObject_Length(body);
        if (PyMemoryView_Check(body == NULL ? Py_None : body))
            size = PyMemoryView_GET_BUFFER(body)->len;
        length = (uint64_t)size;
    }
    if (send_head(self, length) < 0 || (body != NULL && write_body(self, body) < 0))
        return -1;
    if (more)
        return 0;
    self->body_ended = true;
    return self->trailers_promised ? 0 : send_finish(self, NULL);
}

static int send_trailers(AsgiExchange *self, PyObject *message)
{
    struct asgi_fields fields;
    if (!self->trailers_promised || !self->body_ended || self->finished)
        return wrong_order("http.response.trailers needs \"trailers\": True in the start message "
                           "and comes after the body");
    int more = flag(message, ext_names.more_trailers);
    if (more < 0)
        return -1;
    PyObject *headers = member(message, ext_names.headers);
    PyObject *all = headers;
    if (self->trailer_list != NULL && headers != NULL)
        all = PySequence_InPlaceConcat(self->trailer_list, headers);
    else if (headers != NULL)
        all = PySequence_List(headers);
    else
        all = Py_XNewRef(self->trailer_list);
    if (all == NULL && PyErr_Occurred())
        return -1;
    Py_XSETREF(self->trailer_list, all);
    if (more)
        return 0;
    if (asgi_fields_parse(&fields, self->trailer_list) < 0)
        return -1;
    int result = send_finish(self, &fields);
    asgi_fields_free(&fields);
    return result;
}

static int send_path(AsgiExchange *self, PyObject *message)
{
    PyObject *encoded = NULL;
    if (self->body_ended)
        return wrong_order("http.response.pathsend after the end of the body");
    PyObject *path = member(message, ext_names.path);
    if (path == NULL || !PyUnicode_FSConverter(path, &encoded)) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_KeyError, "path");
        return -1;
    }
    int result = -1;
    if (send_head(self, CONTENT_LENGTH_UNKNOWN) == 0) {
        int code = folder_send_path(self->exchange, PyBytes_AS_STRING(encoded));
        if (code == HERALD_ERROR_NOT_FOUND || code == HERALD_ERROR_IO) {
            PyErr_SetFromErrnoWithFilenameObject(PyExc_OSError, path);
        } else if (code < 0) {
            (void)asgi_raise(self, code, "sending a file");
        } else {
            self->body_ended = self->finished = true;
            result = 0;
        }
    }
    Py_DECREF(encoded);
    return result;
}

/* http.response.early_hint: {"links": [b"</style.css>; rel=preload; as=style", ...]} */
static int send_early_hint(AsgiExchange *self, PyObject *message)
{
    PyObject *links = member(message, ext_names.links);
    if (links == NULL) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_KeyError, "links");
        return -1;
    }
    PyObject *iterator = PyObject_GetIter(links);
    PyObject *headers = PyList_New(0);
    PyObject *link = NULL;
    int result = -1;
    if (iterator == NULL || headers == NULL)
        goto out;
    while ((link = PyIter_Next(iterator)) != NULL) {
        PyObject *pair = Py_BuildValue("(yO)", "link", link);
        Py_DECREF(link);
        int appended = pair == NULL ? -1 : PyList_Append(headers, pair);
        Py_XDECREF(pair);
        if (appended < 0)
            goto out;
    }
    if (!PyErr_Occurred())
        result = send_informational(self, 103, headers);
out:
    Py_XDECREF(iterator);
    Py_XDECREF(headers);
    return result;
}

static int send_by_type(AsgiExchange *self, PyObject *message, PyObject *type)
{
    static const struct {
        PyObject **name;
        int (*send)(AsgiExchange *self, PyObject *message);
    } kinds[] = {
        {&ext_names.http_response_start, send_start},
        {&ext_names.http_response_body, send_body},
        {&ext_names.http_response_push, asgi_push},
        {&ext_names.http_response_early_hint, send_early_hint},
        {&ext_names.http_response_trailers, send_trailers},
        {&ext_names.http_response_pathsend, send_path},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        int equal = type == *kinds[i].name ? 1 : PyUnicode_Compare(type, *kinds[i].name) == 0;
        if (equal)
            return kinds[i].send(self, message);
    }
    if (PyUnicode_Compare(type, ext_names.http_response_informational) == 0) {
        long status;
        if (status_of(message, &status) < 0)
            return -1;
        return send_informational(self, status, member(message, ext_names.headers));
    }
    PyErr_Format(PyExc_ValueError, "unknown message type %R", type);
    return -1;
}

int asgi_send_now(AsgiExchange *self, PyObject *message, bool push)
{
    if (!PyDict_Check(message)) {
        PyErr_Format(PyExc_TypeError, "a message must be a dict, not %s",
                     Py_TYPE(message)->tp_name);
        return -1;
    }
    if (self->exchange == NULL || (self->disconnected && !self->finished))
        return asgi_raise(self, HERALD_ERROR_CLOSED, "sending");
    if (self->finished)
        return wrong_order("the response is complete");
    if (push)
        return asgi_push(self, message);
    PyObject *type = member(message, ext_names.type);
    if (type == NULL || !PyUnicode_Check(type)) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_KeyError, "type");
        return -1;
    }
    return send_by_type(self, message, type);
}

bool asgi_send_must_wait(const AsgiExchange *self)
{
    return self->exchange != NULL && !self->disconnected && !self->finished && self->head_sent &&
           !exchange_can_write(self->exchange);
}
