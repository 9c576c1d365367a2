/* TLS 1.3 inside QUIC (RFC 9001), by GnuTLS. The hooks are ours rather than those of ngtcp2's
 * helper because a TLS KeyUpdate message, which QUIC forbids (section 6), makes GnuTLS derive the
 * application secrets a second time, and ngtcp2 takes it for a failure of the program when a key is
 * installed twice. Here it closes the connection. */
#include "h3/internal.h"
#include <ngtcp2/ngtcp2_crypto.h>
#include <ngtcp2/ngtcp2_crypto_gnutls.h>

#define ALERT_UNEXPECTED_MESSAGE 10
#define ALERT_MISSING_EXTENSION  109
#define PARAMETERS_MOST          512

static struct h3_conn *conn_of(gnutls_session_t session)
{
    return gnutls_transport_get_ptr(session);
}

static int refuse(struct h3_conn *conn, uint8_t alert)
{
    if (conn->quic != NULL)
        ngtcp2_conn_set_tls_alert(conn->quic, alert);
    return GNUTLS_E_UNEXPECTED_HANDSHAKE_PACKET;
}

/* False when there has been one for this level and direction. */
static bool is_first(struct h3_conn *conn, ngtcp2_encryption_level level, bool outgoing)
{
    unsigned bit = 1u << ((unsigned)level * 2 + outgoing);
    if (conn->installed & bit)
        return false;
    conn->installed |= bit;
    return true;
}

static int on_secret(gnutls_session_t session, gnutls_record_encryption_level_t record_level,
                     const void *incoming, const void *outgoing, size_t length)
{
    struct h3_conn *conn = conn_of(session);
    ngtcp2_encryption_level level =
        ngtcp2_crypto_gnutls_from_gnutls_record_encryption_level(record_level);
    if (level == NGTCP2_ENCRYPTION_LEVEL_0RTT)
        return 0;
    /* A client sees the server's parameters only after the handshake secrets. */
    if (!conn->has_parameters && (!h3_is_client(conn) || level == NGTCP2_ENCRYPTION_LEVEL_1RTT))
        return refuse(conn, ALERT_MISSING_EXTENSION);
    if (incoming != NULL && (!is_first(conn, level, false) ||
                             ngtcp2_crypto_derive_and_install_rx_key(conn->quic, NULL, NULL, NULL,
                                                                     level, incoming, length) != 0))
        return refuse(conn, ALERT_UNEXPECTED_MESSAGE);
    if (outgoing != NULL && (!is_first(conn, level, true) ||
                             ngtcp2_crypto_derive_and_install_tx_key(conn->quic, NULL, NULL, NULL,
                                                                     level, outgoing, length) != 0))
        return refuse(conn, ALERT_UNEXPECTED_MESSAGE);
    return 0;
}

static int on_message(gnutls_session_t session, gnutls_record_encryption_level_t record_level,
                      gnutls_handshake_description_t type, const void *data, size_t length)
{
    struct h3_conn *conn = conn_of(session);
    if (type == GNUTLS_HANDSHAKE_CHANGE_CIPHER_SPEC)
        return 0;
    if (type == GNUTLS_HANDSHAKE_KEY_UPDATE)
        return refuse(conn, ALERT_UNEXPECTED_MESSAGE);
    ngtcp2_encryption_level level =
        ngtcp2_crypto_gnutls_from_gnutls_record_encryption_level(record_level);
    return ngtcp2_conn_submit_crypto_data(conn->quic, level, data, length) == 0
               ? 0
               : GNUTLS_E_MEMORY_ERROR;
}

static int on_alert(gnutls_session_t session, gnutls_record_encryption_level_t level,
                    gnutls_alert_level_t severity, gnutls_alert_description_t alert)
{
    struct h3_conn *conn = conn_of(session);
    (void)level, (void)severity;
    /* The reason given by one of our hooks says more than what GnuTLS makes of its failure. */
    if (ngtcp2_conn_get_tls_alert(conn->quic) == 0)
        ngtcp2_conn_set_tls_alert(conn->quic, (uint8_t)alert);
    return 0;
}

static int on_peer_parameters(gnutls_session_t session, const unsigned char *data, size_t length)
{
    struct h3_conn *conn = conn_of(session);
    if (conn->has_parameters)
        return refuse(conn, ALERT_UNEXPECTED_MESSAGE);
    int error = ngtcp2_conn_decode_and_set_remote_transport_params(conn->quic, data, length);
    if (error != 0) {
        ngtcp2_conn_set_tls_error(conn->quic, error);
        return GNUTLS_E_UNEXPECTED_EXTENSIONS_LENGTH;
    }
    conn->has_parameters = true;
    return 0;
}

static int on_own_parameters(gnutls_session_t session, gnutls_buffer_t extension)
{
    uint8_t data[PARAMETERS_MOST];
    ngtcp2_ssize length =
        ngtcp2_conn_encode_local_transport_params(conn_of(session)->quic, data, sizeof(data));
    if (length < 0)
        return GNUTLS_E_INTERNAL_ERROR;
    return gnutls_buffer_append_data(extension, data, (size_t)length);
}

int h3_crypto_attach(struct h3_conn *conn)
{
    gnutls_session_t session = conn->peer->tls;
    gnutls_transport_set_ptr(session, conn);
    gnutls_handshake_set_secret_function(session, on_secret);
    gnutls_handshake_set_read_function(session, on_message);
    gnutls_alert_set_read_function(session, on_alert);
    ngtcp2_conn_set_tls_native_handle(conn->quic, session);
    return gnutls_session_ext_register(
               session, "QUIC transport parameters", NGTCP2_TLSEXT_QUIC_TRANSPORT_PARAMETERS_V1,
               GNUTLS_EXT_TLS, on_peer_parameters, on_own_parameters, NULL, NULL, NULL,
               GNUTLS_EXT_FLAG_TLS | GNUTLS_EXT_FLAG_CLIENT_HELLO | GNUTLS_EXT_FLAG_EE) == 0
               ? 0
               : HERALD_ERROR_TLS;
}

int h3_crypto_receive(ngtcp2_conn *quic, ngtcp2_encryption_level level, uint64_t offset,
                      const uint8_t *data, size_t length, void *user)
{
    struct h3_conn *conn = user;
    (void)offset;
    /* After the handshake nothing may come to a server: no KeyUpdate, no late authentication. */
    if (!h3_is_client(conn) && level == NGTCP2_ENCRYPTION_LEVEL_1RTT && length > 0) {
        refuse(conn, ALERT_UNEXPECTED_MESSAGE);
        return NGTCP2_ERR_CRYPTO;
    }
    if (ngtcp2_crypto_read_write_crypto_data(quic, level, data, length) == 0)
        return 0;
    int error = ngtcp2_conn_get_tls_error(quic);
    return error != 0 ? error : NGTCP2_ERR_CRYPTO;
}

void h3_crypto_completed(struct h3_conn *conn)
{
    if (!h3_is_client(conn))
        (void)gnutls_session_ticket_send(conn->peer->tls, 1, 0);
}
