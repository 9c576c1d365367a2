/* The Server object: one server on one of our loops, run inside an asyncio loop. herald._serve
 * drives it. */
#ifndef HERALD_EXT_SERVER_OBJECT_H
#define HERALD_EXT_SERVER_OBJECT_H

#include "asgi.h"
#include "gateway/gateway.h"
#include "net/loop.h"
#include "server/server.h"

typedef struct {
    PyObject_HEAD const struct serve_config *config; /* lives as long as the command line's run */
    struct loop *loop;
    struct server *server;
    struct frame_trace *trace;
    struct asgi_application application;
    struct gateway *gateway; /* WSGI, else NULL */
    struct loop_task
        gateway_task; /* posted by application threads; guarded by the gateway's `woken` */
    PyObject *asyncio_loop;
    PyObject *call_later, *call_soon; /* bound methods of asyncio_loop */
    PyObject *turn;                   /* bound method of self */
    PyObject *timer;                  /* the pending handle, or NULL */
    uint64_t timer_due;               /* milliseconds on the monotonic clock */
    PyObject *on_stopped;             /* called once when the last connection has gone */
} ServerObject;

/* A new Server for one run, or NULL with an exception. */
PyObject *server_object_new(const struct serve_config *config);

#endif
