/* One ASGI exchange: the object behind scope, receive and send of one call of the application. */
#ifndef HERALD_EXT_ASGI_H
#define HERALD_EXT_ASGI_H

#include "ext.h"
#include "http/handler.h"

/* What all exchanges of one server share. Owned by the Server object. */
struct asgi_application {
    struct handler handler; /* first: the engines see only this */
    PyObject *callable;     /* the application */
    PyObject *loop;         /* the asyncio loop */
    PyObject
        *task_factory; /* asyncio.Task where it takes eager_start (3.12), else loop.create_task */
    PyObject *task_arguments; /* names of its keyword arguments, or NULL */
    PyObject *state;          /* lifespan state, a dict; copied for each scope */
    PyObject *root_path;      /* str */
    PyObject *push_extension; /* class: a mapping that can be called */
    PyObject *asgi_versions;  /* {"version": "3.0", "spec_version": "2.5"} */
    PyObject *scope_template; /* dict with every key of a scope in its order, or NULL before use */
    bool push_falls_back;     /* offer push to a client that takes none and send an early hint */
    unsigned running;         /* exchanges whose task has not ended */
};

typedef struct {
    PyObject_HEAD struct asgi_application *application; /* NULL once the task has ended */
    struct exchange *exchange;                          /* NULL once released */
    PyObject *waiters;        /* list of futures of suspended steps, or NULL */
    PyObject *deferred_start; /* http.response.start until the first body, as the specification
                                 asks, or NULL */
    PyObject *trailer_list;   /* fields of http.response.trailers messages so far, or NULL */
    bool request_delivered;   /* the last http.request event has been handed out */
    bool head_sent;           /* the exchange has been given the head */
    bool
        disconnect_raised; /* send() has raised ClientDisconnected: the task's failure is no news */
    bool trailers_promised;
    bool body_ended; /* the last body message has come; trailers may follow */
    bool finished;   /* response complete as far as the application is concerned */
    bool disconnected;
} AsgiExchange;

extern PyTypeObject *asgi_exchange_type;

struct serve_config;

/* Fills all of `application` (zeroed before). `state` and `task_factory` may be None. Returns 0, or
 * -1 with an exception; asgi_application_clear is due in both cases. */
int asgi_application_init(struct asgi_application *application, PyObject *callable, PyObject *loop,
                          PyObject *state, PyObject *push_extension, PyObject *task_factory,
                          const struct serve_config *config);
int asgi_application_traverse(struct asgi_application *application, visitproc visit, void *arg);
void asgi_application_clear(struct asgi_application *application);

/* handler->start: builds the scope and starts the application's task. */
void asgi_start(struct handler *handler, struct exchange *exchange);

/* A new scope for `self`, or NULL with an exception. */
PyObject *asgi_scope_new(AsgiExchange *self);

/* Awaitables. `message` NULL makes a receive; `push` makes a send of kind http.response.push
 * whatever its type says. */
PyObject *asgi_step_new(AsgiExchange *self, PyObject *message, bool push);

/* One try at receiving: a new message; or NULL without an exception when it has to wait; or NULL
 * with one. */
PyObject *asgi_receive_now(AsgiExchange *self);

/* Carries a message out. Returns 0, or -1 with an exception. */
int asgi_send_now(AsgiExchange *self, PyObject *message, bool push);

/* True when a send has to wait for the peer to read. */
bool asgi_send_must_wait(const AsgiExchange *self);

/* A future that will be done at the next event of the exchange, or NULL with an exception. */
PyObject *asgi_waiter_new(AsgiExchange *self);

/* Field lists. `list` is a sequence of (name, value) bytes pairs. The array borrows the bytes
 * objects' memory and is freed by asgi_fields_free.
 * Return -1 with an exception. */
struct asgi_fields {
    struct field *items;
    size_t count;
    PyObject *sequence; /* keeps the pairs alive */
};
int asgi_fields_parse(struct asgi_fields *fields, PyObject *list);
void asgi_fields_free(struct asgi_fields *fields);

/* Turns a negative code of an exchange_* call into an exception. Returns -1. */
int asgi_raise(AsgiExchange *self, int code, const char *doing);

#endif
