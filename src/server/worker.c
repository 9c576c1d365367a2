#include "server/supervisor.h"

#include "base/err.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

static int ready_descriptor = -1;

static bool number_from(const char *name, uint64_t *number)
{
    const char *text = getenv(name);
    return text != NULL && span_to_unsigned(span_from_text(text), INT32_MAX, number) == 0;
}

static void read_ticket_key(struct serve_config *config, int descriptor)
{
    /* pread: the description, and with it the position, is shared by all workers. */
    ssize_t length = pread(descriptor, config->ticket_key, sizeof(config->ticket_key), 0);
    config->has_ticket_key = length == (ssize_t)sizeof(config->ticket_key);
    close(descriptor);
}

static void hide_variables(void)
{
    static const char *const names[] = {"HERALD_WORKER", "HERALD_LISTEN_FDS", "HERALD_READY_FD",
                                        "HERALD_TICKET_FD", "HERALD_MASTER"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        unsetenv(names[i]);
}

int worker_adopt(struct serve_config *config)
{
    uint64_t worker, master, descriptor;
    const char *sockets = getenv("HERALD_LISTEN_FDS");
    if (sockets == NULL || !number_from("HERALD_WORKER", &worker) || worker == 0 ||
        !number_from("HERALD_MASTER", &master))
        return 0;
    /* Started as /proc/self/exe, it would be listed as "exe". */
    prctl(PR_SET_NAME, "herald");
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if ((uint64_t)getppid() != master)
        return HERALD_ERROR_STATE;
    signal(SIGINT, SIG_IGN);
    config->worker = (unsigned)worker;
    config->inherited = serve_config_text(config, span_from_text(sockets));
    if (number_from("HERALD_TICKET_FD", &descriptor))
        read_ticket_key(config, (int)descriptor);
    if (number_from("HERALD_READY_FD", &descriptor)) {
        ready_descriptor = (int)descriptor;
        fcntl(ready_descriptor, F_SETFD, FD_CLOEXEC);
    }
    hide_variables();
    return config->inherited == NULL ? HERALD_ERROR_NOMEM : 1;
}

static void say(char byte)
{
    if (ready_descriptor < 0)
        return;
    /* The master is gone when this fails; its death signal is on the way. */
    ssize_t written = write(ready_descriptor, &byte, 1);
    (void)written;
}

void worker_ready(void)
{
    say(WORKER_READY);
}

void worker_leaving(void)
{
    say(WORKER_LEAVING);
}
