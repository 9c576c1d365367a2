/* The master's listening sockets: one an address and worker. */
#ifndef SERVER_SUPERVISOR_SOCKETS_H
#define SERVER_SUPERVISOR_SOCKETS_H

#include "net/listener.h"
#include "server/config.h"

#define SUPERVISOR_ADDRESSES_MAXIMUM 32
#define SUPERVISOR_WORKERS_MAXIMUM   256

struct supervisor_socket {
    bool secure;
    bool shared;           /* one descriptor for all workers */
    char unlink_path[108]; /* unix socket to remove at the end, or "" */
    char name[192];        /* as server_address */
    int descriptors[SUPERVISOR_WORKERS_MAXIMUM];
};

struct supervisor_sockets {
    struct supervisor_socket items[SUPERVISOR_ADDRESSES_MAXIMUM];
    size_t count;
    unsigned workers;
};

/* All or none. Returns 0, or HERALD_ERROR_IO / HERALD_ERROR_CONFIG with one line logged. */
int supervisor_sockets_open(struct supervisor_sockets *sockets, const struct serve_config *config);
void supervisor_sockets_close(struct supervisor_sockets *sockets);

#endif
