/* An emulated link on loopback: a listener whose connections are carried on to a server, each byte
 * held as long as the model says. One thread of its own, one loop; timers of a millisecond. */
#ifndef BENCH_RELAY_H
#define BENCH_RELAY_H

#include "bench/link_model.h"

struct relay;

/* Starts it; `host` is resolved here. `*port` on 127.0.0.1 is where to connect. Returns 0,
 * HERALD_ERROR_NOMEM, _IO, _RESOLVE. */
int relay_start(struct relay **relay, const struct link_model *model, const char *host,
                uint16_t target, uint16_t *port);

/* Closes all and ends the thread. NULL is allowed. */
void relay_stop(struct relay *relay);

#endif
