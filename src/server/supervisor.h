/* Several workers behind one address: the master opens one SO_REUSEPORT socket an address and
 * worker (unix sockets and inherited descriptors are shared), starts the workers by executing the
 * same command line again, replaces those that die and passes signals on. It serves nothing itself.
 *
 * In a worker's environment: HERALD_WORKER (its number, from 1), HERALD_LISTEN_FDS (one
 * "tls=descriptor" or "cleartext=descriptor" a socket, separated by spaces), HERALD_READY_FD (a
 * pipe; a byte says that it accepts, another that it leaves), HERALD_TICKET_FD (the key of session
 * tickets) and HERALD_MASTER (its process id). SIGTERM or SIGINT: workers finish what runs within
 * graceful_timeout; a second one ends them at once. SIGHUP: passed on (certificates are read
 * again). A worker that dies is replaced at once, one that dies again and again after a doubling
 * pause of 100 ms to 10 s. A worker that fails before any worker was ready ends the master with its
 * exit code. */
#ifndef SERVER_SUPERVISOR_H
#define SERVER_SUPERVISOR_H

#include "server/config.h"

struct supervisor_options {
    const struct serve_config *config;
    char **arguments;           /* of the program, without its name; NULL-terminated */
    const char *const *command; /* as in struct application_runner */
    /* Every worker accepts; `addresses` are as server_address gives them. May be NULL. */
    void (*started)(void *user, const char *const *addresses, size_t count);
    void *user;
};

/* Runs until stopped. Returns the exit code for the process: 0 after a stop, 1, or 2. */
int supervisor_run(const struct supervisor_options *options);

/* In a worker: fills config->worker, inherited and ticket_key from the environment, asks the kernel
 * to send SIGTERM when the master dies, ignores SIGINT (a terminal sends it to the whole group; the
 * master passes it on as SIGTERM), and hides the variables from children. Returns 1 in a worker, 0
 * elsewhere, HERALD_ERROR_STATE when the master is gone already, HERALD_ERROR_NOMEM. */
int worker_adopt(struct serve_config *config);

/* What a worker says to its master, a byte each. */
#define WORKER_READY   'r'
#define WORKER_LEAVING 'l'

/* In a worker: tells the master that connections are accepted. Does nothing elsewhere. */
void worker_ready(void);

/* In a worker, after worker_ready: it accepts no more and ends when what runs has finished; the
 * master starts its successor now. Does nothing elsewhere. */
void worker_leaving(void);

#endif
