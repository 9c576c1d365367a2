/* What `receive()` and `send(message)` return: a coroutine-like object that mostly ends at its
 * first step, without suspending the task. It suspends on a future of the running loop only when
 * the peer is slow or silent. */
#include "asgi.h"

typedef struct {
    PyObject_HEAD AsgiExchange *exchange;
    PyObject *message; /* NULL: receive */
    PyObject *waiting; /* iterator of the awaited future, or NULL */
    bool push;
    bool sent; /* the message is out; only the wait for room is left */
    bool ended;
} AsgiStep;

static PyTypeObject *asgi_step_type;

/* Steps live for a moment each, so a few are kept for reuse. */
#define FREE_STEPS 64
static AsgiStep *free_steps[FREE_STEPS];
static int free_step_count;

PyObject *asgi_step_new(AsgiExchange *exchange, PyObject *message, bool push)
{
    AsgiStep *self;
    if (free_step_count > 0) {
        self = free_steps[--free_step_count];
        (void)PyObject_Init((PyObject *)self, asgi_step_type);
    } else {
        self = PyObject_New(AsgiStep, asgi_step_type);
        if (self == NULL)
            return NULL;
    }
    self->exchange = (AsgiExchange *)Py_NewRef((PyObject *)exchange);
    self->message = Py_XNewRef(message);
    self->waiting = NULL;
    self->push = push;
    self->sent = false;
    self->ended = false;
    return (PyObject *)self;
}

static void step_dealloc(AsgiStep *self)
{
    Py_CLEAR(self->exchange);
    Py_CLEAR(self->message);
    Py_CLEAR(self->waiting);
    PyTypeObject *type = Py_TYPE(self);
    if (free_step_count < FREE_STEPS)
        free_steps[free_step_count++] = self;
    else
        PyObject_Free(self);
    Py_DECREF(type);
}

/* One attempt without waiting. Returns PYGEN_RETURN or PYGEN_ERROR with `*result`, or PYGEN_NEXT
 * when it must wait. */
static PySendResult step_try(AsgiStep *self, PyObject **result)
{
    if (self->message == NULL) {
        *result = asgi_receive_now(self->exchange);
        if (*result != NULL)
            return PYGEN_RETURN;
        return PyErr_Occurred() ? PYGEN_ERROR : PYGEN_NEXT;
    }
    if (!self->sent) {
        if (asgi_send_now(self->exchange, self->message, self->push) < 0)
            return PYGEN_ERROR;
        self->sent = true;
    }
    if (asgi_send_must_wait(self->exchange))
        return PYGEN_NEXT;
    *result = Py_NewRef(Py_None);
    return PYGEN_RETURN;
}

static int step_wait(AsgiStep *self)
{
    PyObject *future = asgi_waiter_new(self->exchange);
    if (future == NULL)
        return -1;
    self->waiting = PyObject_CallMethodNoArgs(future, ext_names.await_method);
    Py_DECREF(future);
    return self->waiting == NULL ? -1 : 0;
}

static PySendResult step_send(PyObject *object, PyObject *value, PyObject **result)
{
    AsgiStep *self = (AsgiStep *)object;
    *result = NULL;
    if (self->ended) {
        PyErr_SetString(PyExc_RuntimeError, "cannot reuse an already awaited receive() or send()");
        return PYGEN_ERROR;
    }
    for (;;) {
        PySendResult outcome;
        if (self->waiting != NULL) {
            outcome = PyIter_Send(self->waiting, value, result);
            if (outcome == PYGEN_NEXT)
                return PYGEN_NEXT;
            Py_CLEAR(self->waiting);
            if (outcome == PYGEN_ERROR)
                break;
            Py_CLEAR(*result);
        }
        outcome = step_try(self, result);
        if (outcome != PYGEN_NEXT) {
            self->ended = true;
            return outcome;
        }
        if (step_wait(self) < 0)
            break;
        value = Py_None;
    }
    self->ended = true;
    return PYGEN_ERROR;
}

static PyObject *step_result(PySendResult outcome, PyObject *result)
{
    if (outcome != PYGEN_RETURN)
        return result; /* the yielded future, or NULL with the exception set */
    if (result == Py_None) {
        PyErr_SetNone(PyExc_StopIteration);
    } else {
        PyObject *stop = PyObject_CallOneArg(PyExc_StopIteration, result);
        if (stop != NULL) {
            PyErr_SetObject(PyExc_StopIteration, stop);
            Py_DECREF(stop);
        }
    }
    Py_DECREF(result);
    return NULL;
}

static PyObject *step_iternext(PyObject *self)
{
    PyObject *result;
    PySendResult outcome = step_send(self, Py_None, &result);
    return step_result(outcome, result);
}

static PyObject *step_method_send(PyObject *self, PyObject *value)
{
    PyObject *result;
    PySendResult outcome = step_send(self, value, &result);
    return step_result(outcome, result);
}

static PyObject *step_throw(PyObject *object, PyObject *const *arguments, Py_ssize_t count)
{
    AsgiStep *self = (AsgiStep *)object;
    if (count < 1 || count > 3) {
        PyErr_SetString(PyExc_TypeError, "throw() takes 1 to 3 arguments");
        return NULL;
    }
    self->ended = true;
    Py_CLEAR(self->waiting);
    PyObject *type = arguments[0];
    PyObject *value = count > 1 ? arguments[1] : Py_None;
    if (PyExceptionInstance_Check(type))
        PyErr_SetObject(PyExceptionInstance_Class(type), type);
    else if (PyExceptionClass_Check(type))
        PyErr_SetObject(type, value == Py_None ? NULL : value);
    else
        PyErr_SetString(PyExc_TypeError, "exceptions must derive from BaseException");
    return NULL;
}

static PyObject *step_close(PyObject *object, PyObject *unused)
{
    (void)unused;
    AsgiStep *self = (AsgiStep *)object;
    self->ended = true;
    Py_CLEAR(self->waiting);
    Py_RETURN_NONE;
}

static PyMethodDef step_methods[] = {
    {"send", step_method_send, METH_O, "Resume with a value."},
    {"throw", (PyCFunction)(void (*)(void))step_throw, METH_FASTCALL, "Resume with an exception."},
    {"close", step_close, METH_NOARGS, "Give up."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot step_slots[] = {
    {Py_tp_dealloc, step_dealloc},
    {Py_tp_methods, step_methods},
    {Py_tp_iter, PyObject_SelfIter},
    {Py_tp_iternext, step_iternext},
    {Py_am_await, PyObject_SelfIter},
    {Py_am_send, step_send},
    {0, NULL},
};

static PyType_Spec step_spec = {
    .name = "herald._ext.Step",
    .basicsize = sizeof(AsgiStep),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = step_slots,
};

int asgi_step_init(PyObject *module)
{
    asgi_step_type = (PyTypeObject *)PyType_FromSpec(&step_spec);
    if (asgi_step_type == NULL)
        return -1;
    return PyModule_AddObjectRef(module, "Step", (PyObject *)asgi_step_type);
}
