/* One TLS connection between two memory buffers: ciphertext is fed in, plaintext is read; plaintext
 * is written, ciphertext goes to a sink. No sockets. */
#ifndef NET_TLS_SESSION_H
#define NET_TLS_SESSION_H

#include "base/time.h"
#include "net/tls.h"

/* Where ciphertext is appended during a call. Room for one record must be left before each write;
 * handshake messages that find none wait inside the session for the next call. */
struct tls_sink {
    uint8_t *data;
    size_t length, capacity;
};

#define TLS_RECORD_PAYLOAD  16384
#define TLS_RECORD_OVERHEAD 256

struct tls_session;

/* Hold a reference to the context. Return 0, HERALD_ERROR_NOMEM, or HERALD_ERROR_TLS. `host` is
 * what is verified and, when a name, sent as SNI; `port` only tells saved sessions apart. */
int tls_session_create_server(struct tls_session **session, struct tls_context *context);
int tls_session_create_client(struct tls_session **session, struct tls_context *context,
                              const char *host, uint16_t port, const char *const *alpn,
                              size_t alpn_count);

/* A server's session for QUIC: TLS 1.3, `alpn` alone. It is driven through its handle (a
 * gnutls_session_t), neither bound nor read; what is asked after the handshake can be asked.
 * HERALD_ERROR_UNSUPPORTED when the context's priorities exclude TLS 1.3. */
int tls_session_create_quic_server(struct tls_session **session, struct tls_context *context,
                                   const char *alpn);
void *tls_session_handle(struct tls_session *session);

void tls_session_destroy(struct tls_session *session);

/* For the calls that follow: `data` (borrowed) is read until they return HERALD_ERROR_AGAIN, `sink`
 * takes what they send. tls_session_fed tells how much of `data` is left. */
void tls_session_bind(struct tls_session *session, struct span data, struct tls_sink *sink);
size_t tls_session_fed(const struct tls_session *session);

/* Returns 0 when done; HERALD_ERROR_AGAIN: needs more input, or a sink with room; HERALD_ERROR_TLS,
 * HERALD_ERROR_NOMEM: failed, an alert is in the sink, see tls_session_error. */
int tls_session_handshake(struct tls_session *session);

/* Decrypts into `plain`. Returns bytes; HERALD_ERROR_AGAIN when the input is used up;
 * HERALD_ERROR_CLOSED after close_notify; HERALD_ERROR_TLS, HERALD_ERROR_LIMIT (records without
 * content), HERALD_ERROR_NOMEM: failed, an alert is in the sink. */
int64_t tls_session_read(struct tls_session *session, uint8_t *plain, size_t capacity);

/* Encrypts all of `data` in records of at most `record` bytes. Returns 0; HERALD_ERROR_LIMIT when
 * the sink was too small; HERALD_ERROR_TLS, NOMEM. */
int tls_session_write(struct tls_session *session, struct span data, size_t record);

/* A close_notify into the sink. */
void tls_session_goodbye(struct tls_session *session);

/* After the handshake; text lives as long as the session. */
struct span tls_session_alpn(const struct tls_session *session); /* empty: none */
const char *tls_session_name(const struct tls_session *session); /* SNI, lower case, or "" */
const char *tls_session_version(const struct tls_session *session, uint16_t *number);
const char *tls_session_cipher(const struct tls_session *session, uint16_t *number);
struct span tls_session_peer_certificate(const struct tls_session *session); /* DER, or empty */
bool tls_session_resumed(const struct tls_session *session);

/* Why the last call failed; "" when none did. */
const char *tls_session_error(const struct tls_session *session);

#endif
