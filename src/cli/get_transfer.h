/* One URL on its way: what the parts of `herald get` that deal with it share. get_transfer.c (life
 * and events), get_request.c (what is asked), get_redirect.c (where else to ask). */
#ifndef CLI_GET_TRANSFER_H
#define CLI_GET_TRANSFER_H

#include "cli/get.h"
#include "cli/get_upload.h"

#define TRANSFER_MEMORY 1048576

struct transfer {
    struct list node;
    struct get *get;
    struct client_request *request; /* NULL before the start and after the end */
    struct get_upload *upload;
    struct arena arena;
    struct url url, origin; /* now, and as given: whose credentials they are */
    struct url next;        /* where a redirect leads */
    struct get_sink sink;
    struct span method;
    bool with_body, pushed, redirecting, ended;
    unsigned redirects, status;
    uint64_t received;
    uint64_t connection;
    herald_time deadline; /* 0: none */
};

/* "https://host/path" for messages; cut to fit. */
const char *get_transfer_name(const struct transfer *transfer, char text[1024]);

/* Ends it with an exit code; the second reports why. Harmless when repeated. */
void get_transfer_end(struct transfer *transfer, int code);
void get_transfer_fail(struct transfer *transfer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Gives the request back; what is unfinished is aborted. */
void get_transfer_release_request(struct transfer *transfer);

/* Sends the request for transfer->url. Returns 0 or an exit code; reported. */
int get_request_begin(struct transfer *transfer, const struct client_events *events);

/* Looks at a response's head. True when a redirect will be followed, or when it cannot be and the
 * transfer has failed. */
bool get_redirect_plan(struct transfer *transfer, const struct message *response);

/* Sends the next request of a redirect. */
void get_redirect_follow(struct transfer *transfer);

/* The events of every transfer's request. */
extern const struct client_events get_transfer_events;

#endif
