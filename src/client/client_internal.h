/* What the parts of the client share: client.c (life), origin.c (which connection serves which
 * request), connection.c (one connection), request.c (one request). */
#ifndef CLIENT_CLIENT_INTERNAL_H
#define CLIENT_CLIENT_INTERNAL_H

#include "client/client.h"
#include "net/link.h"

#define CLIENT_ENGINES_MAXIMUM 4
#define CLIENT_ERROR_SIZE      512

/* Connections in a row that end without having served anything before waiting requests fail. */
#define ORIGIN_FAILURES_MAXIMUM 3

struct client {
    struct client_config config; /* defaults filled in */
    struct list origins;
    struct list requests; /* of struct request by client_node: held and not closed */
    struct loop_work pump;
    size_t connection_count;
    uint64_t connection_number; /* of the newest */
    bool shutting_down, destroyed, pumping;
};

/* A target with its connections and the requests that wait for one. */
struct origin {
    struct client *client;
    struct list node;
    struct client_target target; /* text owned, inside `key` */
    char *key;
    size_t key_length;
    struct list waiting;     /* of struct request by queue_node, oldest first */
    struct list connections; /* of struct connection */
    size_t waiting_count;
    size_t requests; /* that point here */
    unsigned failures;
    enum http_version version; /* of the last connection that opened; 0: not known */
};

struct connection {
    struct client *client;
    struct origin *origin;
    struct list node;
    struct link *link;
    struct loop_timer idle;
    uint64_t number;
    uint64_t served; /* requests ended with a complete response */
    unsigned active; /* requests and pushes that have not ended */
    bool was_open;
    bool closing; /* takes no more requests */
    bool retired; /* the link has been told */
    int failure;  /* why `open` refused it, or 0 */
};

struct request {
    struct client_request base; /* first */
    struct client *client;      /* NULL once the client is destroyed */
    struct origin *origin;
    struct connection *connection;
    struct list client_node, queue_node;
    struct span body;
    enum client_body body_kind;
    struct priority priority;
    bool has_priority;
    bool never_retry;
    bool shown;     /* an event has been called: no repetition any more */
    bool on_reused; /* the connection had served others before */
    struct loop_timer timer;
    herald_time connect_due, first_byte_due, total_due;
    herald_time first_byte_timeout;
    char error[CLIENT_ERROR_SIZE];
};

/* origin.c */

/* Finds or makes it. NULL when memory is out. */
struct origin *origin_find(struct client *client, const struct client_target *target);

/* Puts a request at the end, or at the front, of the waiting ones and asks for a pump. */
void origin_enqueue(struct origin *origin, struct request *request, bool at_front);
void origin_dequeue(struct request *request);

/* Hands waiting requests to connections, opening what is needed. Calls events. */
void origin_pump(struct origin *origin, herald_time now);

/* A connection is gone without ever having been open, or has served nothing. */
void origin_connection_failed(struct origin *origin, int reason, const char *text);

/* True when nothing points to it; origins are freed by the client's pump alone. */
bool origin_is_unused(const struct origin *origin);
void origin_free(struct origin *origin);

/* connection.c */

/* Starts one; 0 or what link_connect returns, or HERALD_ERROR_NOMEM. */
int connection_open(struct origin *origin);

/* The conn when requests may be offered to it, else NULL. */
struct conn *connection_usable(const struct connection *connection);

/* A request or push has come or gone. */
void connection_add(struct connection *connection);
void connection_remove(struct connection *connection, bool served);

/* Ends it when nothing runs on it. Not from within the engine: the pump calls it for connections
 * that are closing. */
void connection_retire(struct connection *connection);

/* request.c */

/* Makes request->base.exchange. 0, HERALD_ERROR_NOMEM or HERALD_ERROR_INVALID. */
int request_build(struct request *request, const struct message *message);

/* It has been handed to `connection`. */
void request_assigned(struct request *request, struct connection *connection, herald_time now);

/* Ends a request that no engine has, or that has been taken from it; calls `closed`. `text` may be
 * NULL. */
void request_fail(struct request *request, int reason, const char *text);

/* Cuts all that leads from and to a client that goes. */
void request_orphan(struct request *request);

/* Without an exchange yet, in the client's list. NULL when memory is out. */
struct request *request_create(struct client *client, struct origin *origin);

/* Nothing of the client leads to the request any more. */
void request_detach(struct request *request);
void request_set_deadline(struct request *request);

/* What the engine says about the exchange of a request (its user). */
extern const struct exchange_events request_exchange_events;

/* pushed.c */

/* A promise: becomes a request of its own, or is refused. */
void request_pushed(struct exchange *exchange, struct exchange *promised);

/* client.c */

void client_schedule(struct client *client);
void client_note(struct client *client, uint64_t connection, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* One connection less; frees a destroyed client with the last one. */
void client_connection_ended(struct client *client);

#endif
