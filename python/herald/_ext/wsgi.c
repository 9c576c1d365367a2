/* The Job object: what herald._wsgi drives from its threads. Blocking calls let the GIL go. */
#include "wsgi.h"

#include "asgi.h"
#include "http/conn.h"

typedef struct {
    PyObject_HEAD struct gateway_job *job; /* NULL once done */
} WsgiJob;

static PyTypeObject *wsgi_job_type;

static struct gateway_job *job_of(WsgiJob *self)
{
    if (self->job == NULL)
        PyErr_SetString(PyExc_RuntimeError, "the request has ended");
    return self->job;
}

static PyObject *result_of(int code, const char *doing)
{
    if (code == HERALD_ERROR_NOMEM)
        return PyErr_NoMemory();
    if (code == HERALD_ERROR_CLOSED)
        PyErr_SetString(ext_client_disconnected, "the client has disconnected");
    else if (code < 0)
        PyErr_Format(PyExc_RuntimeError, "%s: %s", doing, herald_error_text(code));
    else
        Py_RETURN_NONE;
    return NULL;
}

PyObject *wsgi_take(struct gateway *gateway)
{
    struct gateway_job *job;
    Py_BEGIN_ALLOW_THREADS job = gateway_take(gateway);
    Py_END_ALLOW_THREADS if (job == NULL) Py_RETURN_NONE;
    WsgiJob *self = PyObject_New(WsgiJob, wsgi_job_type);
    if (self == NULL) {
        (void)gateway_job_finish(job, HERALD_ERROR_INTERNAL);
        gateway_job_done(job);
        return NULL;
    }
    self->job = job;
    return (PyObject *)self;
}

static PyObject *text_of(struct span span)
{
    return PyUnicode_DecodeLatin1((const char *)span.data, (Py_ssize_t)span.length, NULL);
}

static PyObject *field_list(const struct fields *fields)
{
    PyObject *list = PyList_New((Py_ssize_t)fields->count);
    for (size_t i = 0; list != NULL && i < fields->count; i++) {
        PyObject *pair =
            Py_BuildValue("(NN)", text_of(fields->items[i].name), text_of(fields->items[i].value));
        if (pair == NULL)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, (Py_ssize_t)i, pair);
    }
    return list;
}

static const char *protocol_name(enum http_version version)
{
    switch (version) {
    case HTTP_1_0:
        return "HTTP/1.0";
    case HTTP_2:
        return "HTTP/2";
    case HTTP_3:
        return "HTTP/3";
    default:
        return "HTTP/1.1";
    }
}

static PyObject *job_request(WsgiJob *self, PyObject *unused)
{
    (void)unused;
    struct gateway_job *job = job_of(self);
    if (job == NULL)
        return NULL;
    const struct exchange *exchange = gateway_job_exchange(job);
    const struct message *request = &exchange->incoming;
    PyObject *headers = field_list(&request->fields);
    if (headers == NULL)
        return NULL;
    return Py_BuildValue("(NNNNsN)", text_of(request->method), text_of(request->scheme),
                         text_of(request->authority), text_of(request->path),
                         protocol_name(request->version), headers);
}

static PyObject *job_readinto(WsgiJob *self, PyObject *target)
{
    Py_buffer view;
    struct gateway_job *job = job_of(self);
    if (job == NULL || PyObject_GetBuffer(target, &view, PyBUF_WRITABLE) < 0)
        return NULL;
    int64_t count;
    Py_BEGIN_ALLOW_THREADS count = gateway_job_read(job, view.buf, (size_t)view.len);
    Py_END_ALLOW_THREADS PyBuffer_Release(&view);
    if (count < 0)
        return result_of((int)count, "reading the request body");
    return PyLong_FromLongLong(count);
}

static PyObject *send_head(WsgiJob *self, PyObject *arguments, bool final)
{
    unsigned status;
    PyObject *headers;
    long long length = -1;
    struct asgi_fields fields;
    struct gateway_job *job = job_of(self);
    if (job == NULL || !PyArg_ParseTuple(arguments, "IO|L", &status, &headers, &length))
        return NULL;
    if (asgi_fields_parse(&fields, headers) < 0)
        return NULL;
    int code;
    if (final)
        code = gateway_job_respond(job, status, fields.items, fields.count,
                                   length < 0 ? CONTENT_LENGTH_UNKNOWN : (uint64_t)length);
    else
        code = gateway_job_inform(job, status, fields.items, fields.count);
    asgi_fields_free(&fields);
    return result_of(code, "sending a response head");
}

static PyObject *job_respond(WsgiJob *self, PyObject *arguments)
{
    return send_head(self, arguments, true);
}

static PyObject *job_inform(WsgiJob *self, PyObject *arguments)
{
    return send_head(self, arguments, false);
}

static PyObject *job_write(WsgiJob *self, PyObject *data)
{
    Py_buffer view;
    struct gateway_job *job = job_of(self);
    if (job == NULL || PyObject_GetBuffer(data, &view, PyBUF_SIMPLE) < 0)
        return NULL;
    int code;
    Py_BEGIN_ALLOW_THREADS code = gateway_job_write(job, span_make(view.buf, (size_t)view.len));
    Py_END_ALLOW_THREADS PyBuffer_Release(&view);
    return result_of(code, "sending the response body");
}

static PyObject *job_finish(WsgiJob *self, PyObject *unused)
{
    (void)unused;
    struct gateway_job *job = job_of(self);
    return job == NULL ? NULL : result_of(gateway_job_finish(job, 0), "ending the response");
}

static PyObject *job_abort(WsgiJob *self, PyObject *unused)
{
    (void)unused;
    struct gateway_job *job = job_of(self);
    return job == NULL ? NULL
                       : result_of(gateway_job_finish(job, HERALD_ERROR_INTERNAL), "aborting");
}

static PyObject *job_done(WsgiJob *self, PyObject *unused)
{
    (void)unused;
    if (self->job != NULL)
        gateway_job_done(self->job);
    self->job = NULL;
    Py_RETURN_NONE;
}

static PyObject *job_endpoints(WsgiJob *self, PyObject *unused)
{
    (void)unused;
    struct gateway_job *job = job_of(self);
    if (job == NULL)
        return NULL;
    /* The connection belongs to the loop's thread; its addresses were copied into the exchange's
     * arena when the job was made. */
    const struct gateway_endpoints *ends = gateway_job_endpoints(job);
    return Py_BuildValue("(sIsI)", ends->peer_address, ends->peer_port, ends->local_address,
                         ends->local_port);
}

static PyMethodDef job_methods[] = {
    {"request", (PyCFunction)job_request, METH_NOARGS,
     "(method, scheme, authority, path, protocol, [(name, value), ...]), all text as Latin-1."},
    {"endpoints", (PyCFunction)job_endpoints, METH_NOARGS,
     "(peer address, peer port, local address, local port)."},
    {"readinto", (PyCFunction)job_readinto, METH_O, "Block for request bytes; 0 at the end."},
    {"inform", (PyCFunction)job_inform, METH_VARARGS, "Send an interim response."},
    {"respond", (PyCFunction)job_respond, METH_VARARGS, "Send the head of the response."},
    {"write", (PyCFunction)job_write, METH_O, "Send body bytes; blocks while the peer is slow."},
    {"finish", (PyCFunction)job_finish, METH_NOARGS, "End the response."},
    {"abort", (PyCFunction)job_abort, METH_NOARGS, "Break the response off, visibly."},
    {"done", (PyCFunction)job_done, METH_NOARGS, "The thread is through with it."},
    {NULL, NULL, 0, NULL},
};

static void job_dealloc(WsgiJob *self)
{
    PyTypeObject *type = Py_TYPE(self);
    if (self->job != NULL)
        gateway_job_done(self->job);
    PyObject_Free(self);
    Py_DECREF(type);
}

static PyType_Slot job_slots[] = {
    {Py_tp_dealloc, job_dealloc},
    {Py_tp_methods, job_methods},
    {0, NULL},
};

static PyType_Spec job_spec = {
    .name = "herald._ext.Job",
    .basicsize = sizeof(WsgiJob),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = job_slots,
};

int wsgi_job_init(PyObject *module)
{
    wsgi_job_type = (PyTypeObject *)PyType_FromSpec(&job_spec);
    if (wsgi_job_type == NULL)
        return -1;
    return PyModule_AddObjectRef(module, "Job", (PyObject *)wsgi_job_type);
}
