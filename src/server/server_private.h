/* The parts of a server share this: server.c (life), server_listen.c (sockets), server_connection.c
 * (what happens on connections), server_fields.c (fields of every response). */
#ifndef SERVER_SERVER_PRIVATE_H
#define SERVER_SERVER_PRIVATE_H

#include "net/datagram.h"
#include "net/link.h"
#include "net/listener.h"
#include "net/loop.h"
#include "server/access_log.h"
#include "server/push_memory.h"
#include "server/push_policy.h"
#include "server/server.h"

#define SERVER_LISTENERS_MAXIMUM 128
#define SERVER_QUIC_MAXIMUM      16
#define SERVER_ADDRESS_SIZE      192

/* Connections take turns in these, so that they do not all reach their age at once. */
#define SERVER_AGES 16

struct server_fields {
    struct fields list;        /* points into `items` and the texts below */
    struct fields advertising; /* the same with our Alt-Svc, for HTTP/1.1 and HTTP/2 over TLS */
    struct field *items;
    char date[32];       /* NUL-terminated */
    herald_time checked; /* when the wall clock was read */
    int64_t second;      /* since 1970, of `date` */
    char alt_svc[40];    /* "": no HTTP/3 */
};

struct server {
    struct server_options options;
    struct loop *loop;
    const struct serve_config *config;
    struct server_counters counters;
    struct link_server secure, cleartext;
    struct tls_context *tls;
    struct listener *listeners[SERVER_LISTENERS_MAXIMUM];
    char addresses[SERVER_LISTENERS_MAXIMUM][SERVER_ADDRESS_SIZE];
    size_t listener_count;
    struct datagram_server quic;
    struct datagram_listener *quic_listeners[SERVER_QUIC_MAXIMUM];
    size_t quic_count;
    struct access_log *access_log;
    struct push_memory *push_memory;
    struct server_fields fields;
    struct limits limits[SERVER_AGES];
    struct loop_work turn_end;
    struct loop_timer log_timer, shutdown_timer, fresh_timer;
    uint64_t seed, requests_maximum, connection_number;
    bool bound, started, stopping, stopped, worn_out;
    bool shut_due; /* stopping: a connection has had its first request */
    bool fresh_over;
};

struct connection {
    struct server *server;
    struct link *link;               /* TCP */
    struct datagram_link *datagrams; /* or QUIC */
    struct conn *conn;
    struct push_diary *diary; /* made at first use */
    bool used;                /* a request has come */
    bool shut;                /* conn->shutdown has been called */
};

/* server_connection.c */
extern const struct link_ops server_link_ops;
void server_check_stopped(struct server *server);

/* The engine for an ALPN name, NULL when there is none; "http/1.0" is HTTP/1.1's. */
const struct engine *server_find_engine(const struct server *server, struct span alpn);
struct connection *connection_of(const struct exchange *exchange);
/* Fills all but role and info. */
void server_fill_conn_config(struct connection *connection, struct conn_config *config);

/* server_listen.c: as server_bind; closes all. */
int server_open_listeners(struct server *server);
void server_close_listeners(struct server *server);

/* server_quic.c: nothing happens in a build without QUIC. Bind returns as server_bind; shut as
 * server_shutdown does for each connection whose time has come. */
int server_quic_bind(struct server *server);
int server_quic_start(struct server *server);
void server_quic_refuse(struct server *server);
void server_quic_shut(struct server *server);
void server_quic_cut(struct server *server);
void server_quic_close(struct server *server);

/* server_fields.c */
int server_fields_init(struct server_fields *fields, const struct serve_config *config);
/* After `alt_svc` has been filled. */
void server_fields_advertise(struct server_fields *fields, const struct serve_config *config);
void server_fields_free(struct server_fields *fields);
/* Keeps the date right to a second; called at each dispatch. */
void server_fields_refresh(struct server_fields *fields, herald_time now);

/* A fresh number that peers cannot guess, as far as the seed allows. */
uint64_t server_random(struct server *server);

#endif
