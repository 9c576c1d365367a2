/* What the tests of this module share: a conn that echoes, sends or collects; a server and client
 * links on one loop; certificates in a folder of their own. */
#ifndef TESTS_NET_RIG_H
#define TESTS_NET_RIG_H

#include "base/buf.h"
#include "net/certificate_make.h"
#include "net/link.h"
#include "net/listener.h"
#include "net/tls.h"
#include "support/check.h"

/* A conn without a protocol. */
struct fake_conn {
    struct conn conn;
    struct link *link;
    struct buf out;    /* to be pulled */
    struct buf in;     /* what came, when `collect` */
    uint64_t received; /* bytes */
    uint64_t generate; /* bytes still to be made up and pulled */
    uint64_t generated;
    size_t high_water; /* most bytes pulled and not echoed */
    bool echo, collect;
    bool got_eof, finish_at_eof;
    unsigned expirations, recv_calls, pull_calls;
    int recv_result; /* given once data has come */
    herald_time deadline;
};

struct rig_options {
    bool tls;
    bool http1_only, http2_only;
    const struct tls_server_config
        *tls_config;  /* NULL: the rig's one certificate, h2 and http/1.1 */
    const char *bind; /* NULL: "127.0.0.1:0" */
    herald_time handshake_timeout, linger_timeout;
    size_t maximum_links;
    bool refuse_open;
    uint64_t generate; /* the server's conns send this much and finish */
};

struct rig {
    struct rig_options options;
    struct loop *loop;
    struct link_server server;
    struct listener *listener;
    struct tls_context *tls;
    char directory[64];

    struct fake_conn *accepted; /* the last one opened, while it lives */
    unsigned opened, closed, failed;
    int server_reason; /* of the last closed or failed */
    char server_alpn[16];
    struct conn_info seen; /* of the last opened */
    char seen_name[256], seen_version[16], seen_cipher[64], seen_peer[64];
    size_t seen_certificate; /* length of the client's DER */
    uint64_t seen_received;  /* of the last closed */
};

struct rig_client {
    struct rig *rig;
    struct link *link; /* NULL after closed */
    struct fake_conn *conn;
    struct buf in; /* handed over by the conn when it ends */
    unsigned opened, closed;
    int reason;
    char error[256];
    char alpn[16];
    bool resumed;
    bool finish_at_eof;
    uint64_t received, generate;
    char version[16], cipher[64];
};

int rig_start(struct rig *rig, const struct rig_options *options);
void rig_stop(struct rig *rig);

/* Turns the loop until `expression` holds; fails the test after 10 s. */
#define RIG_WAIT(rig, expression)                                                                  \
    for (herald_time rig_limit = rig_deadline();                                                   \
         !(expression) && rig_turn((rig), rig_limit, #expression);)                                \
        ;
herald_time rig_deadline(void);
bool rig_turn(struct rig *rig, herald_time limit, const char *what);

struct fake_conn *fake_conn_new(struct link *link, const struct conn_info *info,
                                enum conn_role role);
void fake_conn_send(struct fake_conn *fake, const char *text);

/* The target of the rig's own listener. */
struct link_target rig_target(const struct rig *rig, struct tls_context *tls);
void rig_connect(struct rig_client *client, struct rig *rig, const struct link_target *target);
void rig_client_free(struct rig_client *client);

/* A blocking socket with a receive timeout of 10 s, connected to the rig's listener. */
int rig_raw_socket(const struct rig *rig);

/* A folder under the temporary one, removed with all files in it. */
void rig_make_directory(char directory[64]);
void rig_remove_directory(const char *directory);

/* <directory>/<name>.pem and <name>-key.pem. `issuer` may be NULL. The pair stays with the caller.
 */
void rig_write_pair(const char *directory, const char *name, struct certificate_pair *pair,
                    const struct certificate_spec *spec, const struct certificate_pair *issuer);

/* A CA ("ca") and a server certificate ("server") for localhost and 127.0.0.1. */
void rig_make_certificates(const char *directory, struct certificate_pair *ca);

/* In a static buffer. */
const char *rig_path(const char *directory, const char *file);

/* A client context that trusts <directory>/ca.pem alone. */
struct tls_context *rig_client_context(const char *directory);

#endif
