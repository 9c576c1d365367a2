#include "asgi.h"

#include "base/log.h"

PyTypeObject *asgi_exchange_type;

static void exchange_wake_waiters(AsgiExchange *self)
{
    PyObject *waiters = self->waiters;
    if (waiters == NULL)
        return;
    self->waiters = NULL;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(waiters); i++) {
        PyObject *future = PyList_GET_ITEM(waiters, i);
        PyObject *done = PyObject_CallMethodNoArgs(future, ext_names.done);
        if (done == Py_False)
            Py_XDECREF(PyObject_CallMethodOneArg(future, ext_names.set_result, Py_None));
        Py_XDECREF(done);
        if (PyErr_Occurred())
            ext_report_exception("waking an application");
    }
    Py_DECREF(waiters);
}

PyObject *asgi_waiter_new(AsgiExchange *self)
{
    if (self->application == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "the exchange has ended");
        return NULL;
    }
    PyObject *future = PyObject_CallMethodNoArgs(self->application->loop, ext_names.create_future);
    if (future == NULL)
        return NULL;
    if (self->waiters == NULL)
        self->waiters = PyList_New(0);
    if (self->waiters == NULL || PyList_Append(self->waiters, future) < 0)
        Py_CLEAR(future);
    return future;
}

static void event_progress(struct exchange *exchange)
{
    exchange_wake_waiters(exchange->user);
}

static void event_closed(struct exchange *exchange, int reason)
{
    AsgiExchange *self = exchange->user;
    self->disconnected = true;
    if (reason == 0)
        self->finished = true;
    exchange_wake_waiters(self);
}

static const struct exchange_events asgi_events = {
    .readable = event_progress,
    .writable = event_progress,
    .closed = event_closed,
};

static void respond_with_error(AsgiExchange *self)
{
    static const struct field fields[] = {
        FIELD_INITIALIZER("content-type", "text/plain; charset=utf-8")};
    struct span text = SPAN_LITERAL("Internal Server Error\n");
    if (exchange_respond(self->exchange, 500, fields, 1, text.length) == 0 &&
        exchange_write(self->exchange, text) == 0)
        (void)exchange_finish(self->exchange, NULL, 0);
}

/* The task has ended, well or badly: what it left undone is settled here, and the stream's slot
 * becomes free. */
static void exchange_end(AsgiExchange *self, bool failed)
{
    struct exchange *exchange = self->exchange;
    struct asgi_application *application = self->application;
    if (exchange == NULL)
        return;
    if (!self->finished && !self->disconnected) {
        if (!failed)
            log_write(LOG_ERROR, "the application returned without %s (%.*s)",
                      self->head_sent ? "completing its response" : "a response",
                      SPAN_ARGUMENTS(exchange->incoming.path));
        if (!self->head_sent)
            respond_with_error(self);
        else
            exchange_cancel(exchange, HERALD_ERROR_INTERNAL);
    }
    self->exchange = NULL;
    self->application = NULL;
    self->disconnected = true;
    exchange->user = NULL;
    exchange_wake_waiters(self);
    application->running--;
    exchange_release(exchange);
    Py_DECREF(self);
}

static PyObject *exchange_task_done(AsgiExchange *self, PyObject *task)
{
    bool failed = false;
    PyObject *cancelled = PyObject_CallMethodNoArgs(task, ext_names.cancelled);
    if (cancelled == Py_True) {
        failed = true;
    } else if (cancelled != NULL) {
        PyObject *exception = PyObject_CallMethodNoArgs(task, ext_names.exception);
        failed = exception != Py_None;
        if (exception != NULL && exception != Py_None && !self->disconnect_raised) {
            PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
            ext_report_exception("running the application");
        }
        Py_XDECREF(exception);
    }
    Py_XDECREF(cancelled);
    if (PyErr_Occurred())
        ext_report_exception("ending an application's task");
    exchange_end(self, failed);
    Py_RETURN_NONE;
}

static PyObject *task_new(struct asgi_application *application, PyObject *coroutine)
{
    if (application->task_arguments == NULL)
        return PyObject_CallMethodOneArg(application->loop, ext_names.create_task, coroutine);
    PyObject *arguments[] = {coroutine, application->loop, Py_True};
    return PyObject_Vectorcall(application->task_factory, arguments, 1,
                               application->task_arguments);
}

/* Calls the application and lets its coroutine run. Returns 0, or -1 with an exception. */
static int exchange_run(AsgiExchange *self)
{
    struct asgi_application *application = self->application;
    PyObject *coroutine = NULL, *task = NULL, *done = NULL, *callback = NULL;
    int result = -1;
    PyObject *scope = asgi_scope_new(self);
    PyObject *receive = PyObject_GetAttr((PyObject *)self, ext_names.receive);
    PyObject *send = PyObject_GetAttr((PyObject *)self, ext_names.send);
    if (scope == NULL || receive == NULL || send == NULL)
        goto out;
    coroutine = PyObject_CallFunctionObjArgs(application->callable, scope, receive, send, NULL);
    if (coroutine == NULL)
        goto out;
    task = task_new(application, coroutine);
    if (task == NULL)
        goto out;
    done = PyObject_CallMethodNoArgs(task, ext_names.done);
    if (done == NULL)
        goto out;
    if (done == Py_True) {
        Py_XDECREF(exchange_task_done(self, task));
        result = 0;
        goto out;
    }
    callback = PyObject_GetAttrString((PyObject *)self, "_task_done");
    if (callback == NULL)
        goto out;
    PyObject *added = PyObject_CallMethodOneArg(task, ext_names.add_done_callback, callback);
    if (added == NULL)
        goto out;
    Py_DECREF(added);
    result = 0;
out:
    Py_XDECREF(scope);
    Py_XDECREF(receive);
    Py_XDECREF(send);
    Py_XDECREF(coroutine);
    Py_XDECREF(task);
    Py_XDECREF(done);
    Py_XDECREF(callback);
    return result;
}

void asgi_start(struct handler *handler, struct exchange *exchange)
{
    struct asgi_application *application = CONTAINER_OF(handler, struct asgi_application, handler);
    AsgiExchange *self = (AsgiExchange *)asgi_exchange_type->tp_alloc(asgi_exchange_type, 0);
    if (self == NULL) {
        PyErr_Clear();
        exchange_cancel(exchange, HERALD_ERROR_REFUSED);
        exchange_release(exchange);
        return;
    }
    self->application = application;
    self->exchange = exchange;
    exchange->user = self;
    exchange->events = &asgi_events;
    application->running++;
    /* The exchange's reference is given back in exchange_end, which may come before exchange_run
     * returns. */
    Py_INCREF(self);
    if (exchange_run(self) < 0) {
        ext_report_exception("starting the application");
        exchange_end(self, true);
    }
    Py_DECREF(self);
}

static PyObject *exchange_receive(AsgiExchange *self, PyObject *unused)
{
    (void)unused;
    return asgi_step_new(self, NULL, false);
}

static PyObject *exchange_send(AsgiExchange *self, PyObject *message)
{
    return asgi_step_new(self, message, false);
}

static PyObject *exchange_method_push(AsgiExchange *self, PyObject *message)
{
    return asgi_step_new(self, message, true);
}

static PyMethodDef exchange_methods[] = {
    {"receive", (PyCFunction)exchange_receive, METH_NOARGS, "Await the next event."},
    {"send", (PyCFunction)exchange_send, METH_O, "Send a message; awaitable."},
    {"push", (PyCFunction)exchange_method_push, METH_O, "Promise a path; awaitable."},
    {"_task_done", (PyCFunction)exchange_task_done, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static int exchange_traverse(AsgiExchange *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->waiters);
    Py_VISIT(self->deferred_start);
    Py_VISIT(self->trailer_list);
    return 0;
}

static int exchange_clear(AsgiExchange *self)
{
    Py_CLEAR(self->waiters);
    Py_CLEAR(self->deferred_start);
    Py_CLEAR(self->trailer_list);
    return 0;
}

static void exchange_dealloc(AsgiExchange *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    (void)exchange_clear(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyType_Slot exchange_slots[] = {
    {Py_tp_dealloc, exchange_dealloc},
    {Py_tp_traverse, exchange_traverse},
    {Py_tp_clear, exchange_clear},
    {Py_tp_methods, exchange_methods},
    {0, NULL},
};

static PyType_Spec exchange_spec = {
    .name = "herald._ext.Exchange",
    .basicsize = sizeof(AsgiExchange),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = exchange_slots,
};

int asgi_exchange_init(PyObject *module)
{
    asgi_exchange_type = (PyTypeObject *)PyType_FromSpec(&exchange_spec);
    if (asgi_exchange_type == NULL)
        return -1;
    return PyModule_AddObjectRef(module, "Exchange", (PyObject *)asgi_exchange_type);
}
