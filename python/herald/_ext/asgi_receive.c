#include "asgi.h"

static PyObject *disconnect_message(void)
{
    PyObject *message = PyDict_New();
    if (message != NULL && PyDict_SetItem(message, ext_names.type, ext_names.http_disconnect) < 0)
        Py_CLEAR(message);
    return message;
}

/* Everything that is queued becomes one bytes object: the queue is bounded by
 * limits->body_in_buffer. */
static PyObject *take_body(struct exchange *exchange)
{
    size_t length = exchange->in.queued;
    PyObject *body = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)length);
    if (body != NULL)
        (void)exchange_read(exchange, (uint8_t *)PyBytes_AS_STRING(body), length);
    return body;
}

static PyObject *request_message(AsgiExchange *self)
{
    struct exchange *exchange = self->exchange;
    PyObject *message = PyDict_New();
    PyObject *body = take_body(exchange);
    bool end = exchange_at_end(exchange);
    if (message == NULL || body == NULL ||
        PyDict_SetItem(message, ext_names.type, ext_names.http_request) < 0 ||
        PyDict_SetItem(message, ext_names.body, body) < 0 ||
        PyDict_SetItem(message, ext_names.more_body, end ? Py_False : Py_True) < 0)
        Py_CLEAR(message);
    Py_XDECREF(body);
    if (end)
        self->request_delivered = true;
    return message;
}

PyObject *asgi_receive_now(AsgiExchange *self)
{
    if (self->exchange == NULL || self->disconnected || self->finished)
        return disconnect_message();
    struct exchange *exchange = self->exchange;
    if (!self->request_delivered && (exchange->in.queued > 0 || exchange_at_end(exchange)))
        return request_message(self);
    return NULL;
}
