/* One WSGI request in the hands of a thread. */
#ifndef HERALD_EXT_WSGI_H
#define HERALD_EXT_WSGI_H

#include "ext.h"
#include "gateway/gateway.h"

/* Blocks without the GIL until there is a job. A new Job object; None once the gateway is closed;
 * NULL with an exception. */
PyObject *wsgi_take(struct gateway *gateway);

#endif
