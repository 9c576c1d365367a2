/* What tls_session.c, tls_handshake.c and tls_records.c share. */
#ifndef NET_TLS_SESSION_PRIVATE_H
#define NET_TLS_SESSION_PRIVATE_H

#include "net/tls_private.h"
#include "net/tls_session.h"

#define TLS_RECORD_HEADER    5
#define TLS_SESSION_KEY_SIZE (TLS_NAME_SIZE + 8)

struct tls_session {
    gnutls_session_t session;
    struct tls_context *context;
    struct tls_identities *identities; /* server: the set at the beginning */
    struct span input;
    struct tls_sink *sink;

    /* Record headers are counted as they pass, because GnuTLS takes records without content in
     * silence. */
    size_t record_left; /* of the record whose header has been seen */
    uint8_t header[TLS_RECORD_HEADER];
    unsigned header_length;
    unsigned empty_records, warnings;
    uint64_t content;      /* bytes since an empty record was last forgiven */
    size_t handshake_left; /* bytes that may still be fed before the handshake is done */

    bool is_server, established, refused_name, ticket_came, verification_failed;
    unsigned verification;
    char name[TLS_NAME_SIZE]; /* SNI; client: the host */
    char key[TLS_SESSION_KEY_SIZE];
    char error[256];
};

/* Keeps the text for tls_session_error and returns `code`. */
int tls_session_fail(struct tls_session *session, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* tls_session_fail with the words for a GnuTLS code; tls_session_fatal sends the alert too. */
int tls_session_failure(struct tls_session *session, int code);
int tls_session_fatal(struct tls_session *session, int code);

/* 0, or HERALD_ERROR_LIMIT when there have been too many. */
int tls_session_count_warning(struct tls_session *session);

/* What GnuTLS calls during the handshake. */
int tls_on_client_hello(gnutls_session_t handle);
int tls_on_verify_client(gnutls_session_t handle);
int tls_on_verify_server(gnutls_session_t handle);
int tls_on_ticket(gnutls_session_t handle, unsigned type, unsigned when, unsigned incoming,
                  const gnutls_datum_t *message);

#endif
