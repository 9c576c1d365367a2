/* What tls_context.c, tls_identity.c, tls_client.c and tls_session.c share. */
#ifndef NET_TLS_PRIVATE_H
#define NET_TLS_PRIVATE_H

#include "net/tls.h"
#include <gnutls/gnutls.h>

#define TLS_ALPN_MAXIMUM   8
#define TLS_NAME_SIZE      256
#define TLS_CACHE_SESSIONS 64

/* One certificate with its key, chain and the trust for client certificates. */
struct tls_identity {
    gnutls_certificate_credentials_t credentials;
    char **names; /* lower case; may begin with "*." */
    size_t name_count;
    int64_t expiry;
};

/* All identities of a server as read at one moment. A handshake holds the set it began with, so
 * that a reload never mixes chain and key. */
struct tls_identities {
    unsigned references;
    size_t count;
    struct tls_identity items[];
};

/* A client's sessions to resume, by "name:port"; the oldest is replaced. */
struct tls_saved_session {
    char *key;
    gnutls_datum_t data;
};

struct tls_context {
    unsigned references;
    bool is_server;
    gnutls_priority_t priorities;
    gnutls_priority_t quic_priorities; /* server: TLS 1.3 alone; NULL where ours exclude it */

    /* server */
    struct tls_identities *identities;
    struct tls_certificate_files *files; /* copies */
    size_t file_count;
    char *ca_file;
    enum tls_verify verify;
    bool refuse_unknown_name;
    gnutls_datum_t alpn[TLS_ALPN_MAXIMUM];
    unsigned alpn_count;
    uint8_t ticket_secret[TLS_TICKET_KEY_SIZE]; /* as given */
    gnutls_datum_t ticket_key;                  /* bound to the verification policy */

    /* client */
    bool insecure, no_system_trust, no_resumption;
    gnutls_datum_t ca; /* the CA file's text */
    char *development_ca;
    char *client_certificate, *client_key, *client_password;
    gnutls_certificate_credentials_t remote, loopback; /* made when first needed */
    struct tls_saved_session saved[TLS_CACHE_SESSIONS];
    size_t saved_next;
};

/* Formats into `error` (may be NULL) and returns `code`. */
int tls_fail(struct tls_error *error, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Reads a whole file; the text says which one and why not. Free with gnutls_free. */
int tls_read_file(const char *path, const char *what, gnutls_datum_t *data,
                  struct tls_error *error);

/* NULL `text` gives our priorities. */
int tls_priorities(const char *text, gnutls_priority_t *priorities, struct tls_error *error);

int tls_identities_load(const struct tls_context *context, struct tls_identities **result,
                        struct tls_error *error);
void tls_identities_release(struct tls_identities *identities);

/* The identity for a lower-case name, or NULL when none has it. */
const struct tls_identity *tls_identities_find(const struct tls_identities *identities,
                                               const char *name);

/* The credentials for a host, made when first needed. */
int tls_client_credentials(struct tls_context *context, const char *host,
                           gnutls_certificate_credentials_t *credentials, struct tls_error *error);
void tls_client_free(struct tls_context *context);

/* A saved session for `key`, or NULL. */
const gnutls_datum_t *tls_client_recall(const struct tls_context *context, const char *key);
/* Takes `data`. */
void tls_client_remember(struct tls_context *context, const char *key, gnutls_datum_t data);

#endif
