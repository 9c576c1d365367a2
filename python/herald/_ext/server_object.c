#include "server_object.h"

#include "cli/serve.h"
#include "server/push_policy.h"
#include "server/supervisor.h"
#include "trace/trace.h"
#include "wsgi.h"

static PyTypeObject *server_object_type;

static uint64_t milliseconds_now(void)
{
    return uv_hrtime() / HERALD_MILLISECOND;
}

/* Asks asyncio to call turn again when the loop's next deadline comes. A handle that fires early
 * only costs an empty turn, so it is replaced for an earlier deadline alone. */
static int server_arm_timer(ServerObject *self)
{
    int timeout = loop_backend_timeout(self->loop);
    if (timeout < 0)
        return 0;
    uint64_t due = milliseconds_now() + (uint64_t)timeout;
    if (self->timer != NULL && self->timer_due <= due)
        return 0;
    if (self->timer != NULL)
        Py_XDECREF(PyObject_CallMethod(self->timer, "cancel", NULL));
    Py_CLEAR(self->timer);
    if (PyErr_Occurred())
        return -1;
    PyObject *delay = PyFloat_FromDouble(timeout / 1000.0);
    if (delay == NULL)
        return -1;
    self->timer = PyObject_CallFunctionObjArgs(self->call_later, delay, self->turn, NULL);
    self->timer_due = due;
    Py_DECREF(delay);
    return self->timer == NULL ? -1 : 0;
}

static PyObject *server_turn(ServerObject *self, PyObject *unused)
{
    (void)unused;
    if (self->loop == NULL)
        Py_RETURN_NONE;
    if (self->timer != NULL && milliseconds_now() >= self->timer_due)
        Py_CLEAR(self->timer);
    loop_turn(self->loop);
    if (self->loop != NULL && server_arm_timer(self) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static void server_attention(struct loop *loop, void *user)
{
    (void)loop;
    ServerObject *self = user;
    PyObject *handle = PyObject_CallOneArg(self->call_soon, self->turn);
    if (handle == NULL)
        ext_report_exception("scheduling a turn of the event loop");
    Py_XDECREF(handle);
}

static void server_stopped(struct server *server, void *user)
{
    (void)server;
    ServerObject *self = user;
    PyObject *result = PyObject_CallNoArgs(self->on_stopped);
    if (result == NULL)
        ext_report_exception("stopping");
    Py_XDECREF(result);
}

static void server_worn_out(struct server *server, void *user)
{
    ServerObject *self = user;
    server_shutdown(server, self->config->graceful_timeout);
}

static void run_gateway(struct loop_task *task)
{
    ServerObject *self = CONTAINER_OF(task, ServerObject, gateway_task);
    gateway_turn(self->gateway);
}

static void act_on_links(struct exchange *exchange, unsigned status, const struct field *fields,
                         size_t count)
{
    (void)push_policy_response(exchange, status, fields, count);
}

static void wake_gateway(void *user)
{
    ServerObject *self = user;
    loop_post(self->loop, &self->gateway_task);
}

/* Returns 0, or a negative code that has been logged. */
static int server_make(ServerObject *self, struct handler *handler)
{
    self->trace = serve_trace_create(self->config);
    struct server_options options = {
        .loop = self->loop,
        .config = self->config,
        .handler = handler,
        .engines = serve_engines,
        .engine_count = serve_engine_count,
        .datagrams = serve_datagram_engine,
        .trace = self->trace,
        .stopped = server_stopped,
        .worn_out = server_worn_out,
        .user = self,
    };
    return server_create(&options, &self->server);
}

static int bind_methods(ServerObject *self, PyObject *asyncio_loop)
{
    self->asyncio_loop = Py_NewRef(asyncio_loop);
    self->call_later = PyObject_GetAttrString(asyncio_loop, "call_later");
    self->call_soon = PyObject_GetAttrString(asyncio_loop, "call_soon");
    self->turn = PyObject_GetAttrString((PyObject *)self, "turn");
    return self->call_later == NULL || self->call_soon == NULL || self->turn == NULL ? -1 : 0;
}

/* prepare(asyncio_loop, on_stopped, application or None for WSGI, state, push_extension, eager):
 * loads certificates and makes the server; no socket yet. Returns 0 or the negative code that was
 * logged. */
static PyObject *server_prepare(ServerObject *self, PyObject *arguments)
{
    PyObject *asyncio_loop, *on_stopped, *callable, *state, *push_extension, *task_factory;
    struct handler *handler;
    if (!PyArg_ParseTuple(arguments, "OOOOOO", &asyncio_loop, &on_stopped, &callable, &state,
                          &push_extension, &task_factory))
        return NULL;
    if (bind_methods(self, asyncio_loop) < 0)
        return NULL;
    self->on_stopped = Py_NewRef(on_stopped);
    int code = loop_create(&self->loop);
    if (code < 0)
        return PyLong_FromLong(code);
    loop_set_attention(self->loop, server_attention, self);
    if (callable == Py_None) {
        struct gateway_options options = {
            .queue_maximum = 1024,
            .buffer_maximum = self->config->limits.body_in_buffer,
            .body_maximum = self->config->wsgi_max_body_size,
            .wake = wake_gateway,
            .responding = act_on_links,
            .user = self,
        };
        self->gateway_task.run = run_gateway;
        code = gateway_create(&options, &self->gateway);
        if (code < 0)
            return PyLong_FromLong(code);
        handler = gateway_handler(self->gateway);
    } else {
        code = asgi_application_init(&self->application, callable, asyncio_loop, state,
                                     push_extension, task_factory, self->config);
        if (code < 0)
            return NULL;
        handler = &self->application.handler;
    }
    return PyLong_FromLong(server_make(self, handler));
}

/* start(): opens the sockets and accepts. Returns 0 or the negative code that was logged. */
static PyObject *server_start_method(ServerObject *self, PyObject *unused)
{
    (void)unused;
    int code = server_start(self->server);
    if (code == 0) {
        worker_ready();
        serve_announce_server(self->config, self->server);
        loop_turn(self->loop);
        if (server_arm_timer(self) < 0)
            return NULL;
    }
    return PyLong_FromLong(code);
}

static PyObject *server_shutdown_method(ServerObject *self, PyObject *arguments)
{
    int at_once = 0;
    if (!PyArg_ParseTuple(arguments, "|p", &at_once))
        return NULL;
    if (self->server != NULL)
        server_shutdown(self->server, at_once ? 0 : self->config->graceful_timeout);
    Py_RETURN_NONE;
}

static PyObject *server_reload(ServerObject *self, PyObject *unused)
{
    (void)unused;
    if (self->server != NULL)
        (void)server_reload_certificates(self->server);
    Py_RETURN_NONE;
}

static PyObject *server_take_job(ServerObject *self, PyObject *unused)
{
    (void)unused;
    return wsgi_take(self->gateway);
}

static PyObject *server_close_gateway(ServerObject *self, PyObject *unused)
{
    (void)unused;
    if (self->gateway != NULL)
        gateway_close(self->gateway);
    Py_RETURN_NONE;
}

/* close(): after everything has stopped; frees the server and its loop. */
static PyObject *server_close(ServerObject *self, PyObject *unused)
{
    (void)unused;
    struct server *server = self->server;
    struct loop *loop = self->loop;
    self->server = NULL;
    if (self->timer != NULL)
        Py_XDECREF(PyObject_CallMethod(self->timer, "cancel", NULL));
    Py_CLEAR(self->timer);
    if (server != NULL)
        server_destroy(server);
    if (self->gateway != NULL)
        gateway_turn(self->gateway);
    self->loop = NULL;
    loop_destroy(loop);
    gateway_destroy(self->gateway);
    self->gateway = NULL;
    if (self->trace != NULL)
        trace_destroy(self->trace);
    self->trace = NULL;
    if (PyErr_Occurred())
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *server_descriptor(ServerObject *self, void *unused)
{
    (void)unused;
    return PyLong_FromLong(loop_backend_fd(self->loop));
}

static const char *text_or_empty(const char *text)
{
    return text == NULL ? "" : text;
}

/* What herald._serve needs of the configuration. Times are seconds. */
static PyObject *server_options_get(ServerObject *self, void *unused)
{
    (void)unused;
    const struct serve_config *config = self->config;
    static const char *const interfaces[] = {"auto", "asgi", "wsgi"};
    static const char *const classes[] = {"auto", "asyncio", "uvloop"};
    return Py_BuildValue("{ss ss ss ss ss si sd sd sI sO}", "target", text_or_empty(config->target),
                         "interface", interfaces[config->interface], "worker_class",
                         classes[config->worker_class], "app_dir", text_or_empty(config->app_dir),
                         "root_path", text_or_empty(config->root_path), "wsgi_threads",
                         (int)config->wsgi_threads, "startup_timeout",
                         (double)config->startup_timeout / HERALD_SECOND, "shutdown_timeout",
                         (double)config->shutdown_timeout / HERALD_SECOND, "worker", config->worker,
                         "debug", config->debug ? Py_True : Py_False);
}

static PyMethodDef server_methods[] = {
    {"prepare", (PyCFunction)server_prepare, METH_VARARGS, "Make the server; no socket yet."},
    {"start", (PyCFunction)server_start_method, METH_NOARGS, "Open the sockets and accept."},
    {"turn", (PyCFunction)server_turn, METH_NOARGS, "Do what is due, without blocking."},
    {"shutdown", (PyCFunction)server_shutdown_method, METH_VARARGS, "Stop gracefully, or at once."},
    {"reload", (PyCFunction)server_reload, METH_NOARGS, "Read the certificates again."},
    {"take_job", (PyCFunction)server_take_job, METH_NOARGS, "Block for a WSGI request."},
    {"close_gateway", (PyCFunction)server_close_gateway, METH_NOARGS, "No more WSGI requests."},
    {"close", (PyCFunction)server_close, METH_NOARGS, "Free everything."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef server_members[] = {
    {"descriptor", (getter)server_descriptor, NULL, "Readable when turn has work.", NULL},
    {"options", (getter)server_options_get, NULL, "The configuration, as a dict.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static int server_traverse(ServerObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->asyncio_loop);
    Py_VISIT(self->call_later);
    Py_VISIT(self->call_soon);
    Py_VISIT(self->turn);
    Py_VISIT(self->timer);
    Py_VISIT(self->on_stopped);
    return asgi_application_traverse(&self->application, visit, arg);
}

static int server_clear(ServerObject *self)
{
    Py_CLEAR(self->asyncio_loop);
    Py_CLEAR(self->call_later);
    Py_CLEAR(self->call_soon);
    Py_CLEAR(self->turn);
    Py_CLEAR(self->timer);
    Py_CLEAR(self->on_stopped);
    asgi_application_clear(&self->application);
    return 0;
}

static void server_dealloc(ServerObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (self->loop != NULL) {
        Py_XDECREF(server_close(self, NULL));
        PyErr_Clear();
    }
    (void)server_clear(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyType_Slot server_slots[] = {
    {Py_tp_dealloc, server_dealloc}, {Py_tp_traverse, server_traverse}, {Py_tp_clear, server_clear},
    {Py_tp_methods, server_methods}, {Py_tp_getset, server_members},    {0, NULL},
};

static PyType_Spec server_spec = {
    .name = "herald._ext.Server",
    .basicsize = sizeof(ServerObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = server_slots,
};

PyObject *server_object_new(const struct serve_config *config)
{
    ServerObject *self = (ServerObject *)server_object_type->tp_alloc(server_object_type, 0);
    if (self != NULL)
        self->config = config;
    return (PyObject *)self;
}

int server_object_init(PyObject *module)
{
    server_object_type = (PyTypeObject *)PyType_FromSpec(&server_spec);
    if (server_object_type == NULL)
        return -1;
    return PyModule_AddObjectRef(module, "Server", (PyObject *)server_object_type);
}
