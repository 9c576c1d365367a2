/* TLS contexts: what all connections of a listener, or of a client, share. Certificates, trust,
 * protocol names, ticket keys. GnuTLS, TLS 1.2 (ECDHE with AEAD only, RFC 9113 section 9.2)
 * and 1.3, no renegotiation, no compression. */
#ifndef NET_TLS_H
#define NET_TLS_H

#include "base/span.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TLS_TICKET_KEY_SIZE 64

struct tls_context;

/* One line for the user: which file or value, and what was wrong with it. */
struct tls_error {
    char text[512];
};

enum tls_verify { TLS_VERIFY_NONE, TLS_VERIFY_OPTIONAL, TLS_VERIFY_REQUIRED };

struct tls_certificate_files {
    const char *certificate; /* PEM, the leaf first, then its chain */
    const char *key;         /* PEM; NULL: in the same file */
    const char *password;    /* of the key, or NULL */
};

struct tls_server_config {
    /* The first is used for unknown or absent names; others by SNI: the names of the certificate,
     * exact before wildcard. At least one. */
    const struct tls_certificate_files *certificates;
    size_t certificate_count;
    const char *const *alpn; /* in our order of preference: "h2", "http/1.1" */
    size_t alpn_count;
    enum tls_verify verify;
    const char *ca_file;      /* PEM; who signs client certificates */
    bool refuse_unknown_name; /* unrecognized_name instead of the first certificate */
    const char *priorities;   /* GnuTLS priority string, or NULL for ours */
};

struct tls_client_config {
    bool insecure;                 /* no verification at all */
    const char *ca_file;           /* trusted beside the system's, or NULL */
    bool no_system_trust;          /* ca_file alone */
    bool no_development_trust;     /* do not trust Herald's development CA for loopback hosts */
    const char *certificate, *key; /* client certificate, PEM files, or NULL */
    const char *password;
    const char *priorities; /* as above */
    bool no_resumption;
};

/* Contexts are counted: create gives one reference, each link holds one. The files are read here;
 * nothing of `config` is kept by pointer. Return 0; HERALD_ERROR_TLS or HERALD_ERROR_IO with
 * `error` filled; HERALD_ERROR_NOMEM. */
int tls_context_create_server(struct tls_context **context, const struct tls_server_config *config,
                              struct tls_error *error);
int tls_context_create_client(struct tls_context **context, const struct tls_client_config *config,
                              struct tls_error *error);
struct tls_context *tls_context_retain(struct tls_context *context);
void tls_context_release(struct tls_context *context); /* NULL is allowed */

/* Reads the server's certificate and CA files again. Handshakes from now on use the new ones,
 * running connections keep theirs. On any error the old ones stay, `error` says why and a line is
 * logged. Returns as create. */
int tls_context_reload(struct tls_context *context, struct tls_error *error);

/* Session tickets of a server: the same key in all workers lets them resume each other's sessions.
 * Without this call a random key is made. The keys in use are derived from it and rotate by time;
 * they also depend on the client-verification policy, so a session never moves to a context with
 * another one. */
void tls_context_set_ticket_key(struct tls_context *context,
                                const uint8_t key[TLS_TICKET_KEY_SIZE]);

/* 0 or HERALD_ERROR_IO. */
int tls_random_ticket_key(uint8_t key[TLS_TICKET_KEY_SIZE]);

/* When the default certificate ends, seconds since 1970; for warnings. 0 for a client. */
int64_t tls_context_expiry(const struct tls_context *context);

#endif
