/* A client's and a server's endpoint in one process, a clock of their own, and between them a link
 * that can lose and reorder datagrams. */
#ifndef TEST_H3_HARNESS_H
#define TEST_H3_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "h3/h3.h"
#include "http/exchange.h"
#include <cmocka.h>
#include <gnutls/gnutls.h>
#include <netinet/in.h>

#define RIG_PACKETS 4096
#define RIG_TEXT    (64 * 1024)

struct packet {
    herald_time due;
    bool to_server;
    uint8_t ecn;
    size_t length;
    uint8_t data[2048];
    struct sockaddr_in source, destination;
};

struct rig_peer {
    struct endpoint_peer peer;
    struct rig_peer *next;
    bool secured, closed;
    int reason;
};

/* What a client's exchange has seen. */
struct result {
    struct exchange *exchange;
    unsigned status, informational, informational_status;
    char link[256];
    uint64_t length;
    uint32_t sum; /* of the body */
    char trailer[64];
    bool ended, closed, hold; /* hold: do not read the body */
    int reason;
};

struct rig {
    struct endpoint *server, *client;
    struct rig_peer client_peer;
    struct rig_peer *accepted;
    struct limits limits;
    herald_time now, delay;
    unsigned loss;    /* per mille, each way */
    unsigned reorder; /* per mille get four times the delay */
    bool mute_server; /* all that the server sends is lost */
    uint64_t random;
    struct packet *packets;
    size_t packet_count;
    uint64_t bytes_to_server, bytes_to_client;
    unsigned dispatched, completed, ready, going_away;
    void (*answer)(struct rig *rig, struct exchange *exchange);
    struct sockaddr_in client_address, server_address;
    gnutls_certificate_credentials_t server_credentials, client_credentials;
    uint64_t served; /* request body bytes the server has read */
    uint32_t served_sum;
    char served_trailer[64];
    int served_reason;
    bool served_closed;
    uint16_t moved_to; /* the client's port, as the server's host was told */
};

struct rig *rig_create(unsigned retry_above);
void rig_destroy(struct rig *rig);

/* Starts the handshake. */
void rig_connect(struct rig *rig);

/* Runs until `*flag`, for at most `most` of the rig's time. False when it has not come true. */
bool rig_run_until(struct rig *rig, const bool *flag, herald_time most);
void rig_run(struct rig *rig, herald_time time);

/* A request; NULL body and no finish when `open`. */
struct exchange *rig_request(struct rig *rig, struct result *result, const char *method,
                             const char *path, bool open);

/* A GET that may fail for want of memory: false. */
bool rig_try_request(struct rig *rig, struct result *result, const char *path);

/* A datagram to the server from elsewhere. */
void rig_inject(struct rig *rig, const void *data, size_t length);
/* The same from the client's address. */
void rig_inject_from_client(struct rig *rig, const void *data, size_t length);

/* A body of `length` bytes whose bytes follow from their place. */
struct body_source *rig_source(uint64_t length);
uint32_t rig_sum(uint64_t length);

#endif
