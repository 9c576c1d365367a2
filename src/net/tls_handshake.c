#include "net/tls_session_private.h"

#include "base/err.h"
#include "net/address.h"
#include <arpa/inet.h>
#include <gnutls/x509.h>

#define WARNINGS_MAXIMUM 8

/* Lower case, without the trailing dot some clients send. */
static void read_name(struct tls_session *session)
{
    char name[TLS_NAME_SIZE];
    size_t length = sizeof(name);
    unsigned type;

    session->name[0] = '\0';
    if (gnutls_server_name_get(session->session, name, &length, &type, 0) != 0 ||
        type != GNUTLS_NAME_DNS)
        return;
    length = strnlen(name, length < sizeof(name) ? length : sizeof(name) - 1);
    if (length > 0 && name[length - 1] == '.')
        length--;
    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)name[i] <= ' ' || (unsigned char)name[i] >= 0x7f)
            return;
        session->name[i] = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] | 0x20 : name[i]);
    }
    session->name[length] = '\0';
}

int tls_on_client_hello(gnutls_session_t handle)
{
    struct tls_session *session = gnutls_session_get_ptr(handle);

    read_name(session);
    if (session->name[0] == '\0')
        return 0;
    const struct tls_identity *identity = tls_identities_find(session->identities, session->name);
    if (identity == NULL) {
        session->refused_name = session->context->refuse_unknown_name;
        return session->refused_name ? GNUTLS_E_UNRECOGNIZED_NAME : 0;
    }
    return gnutls_credentials_set(handle, GNUTLS_CRD_CERTIFICATE, identity->credentials);
}

int tls_on_verify_client(gnutls_session_t handle)
{
    struct tls_session *session = gnutls_session_get_ptr(handle);
    unsigned count = 0;
    gnutls_typed_vdata_st purpose = {.type = GNUTLS_DT_KEY_PURPOSE_OID,
                                     .data = (unsigned char *)GNUTLS_KP_TLS_WWW_CLIENT};

    if (gnutls_certificate_get_peers(handle, &count) == NULL || count == 0)
        return session->context->verify == TLS_VERIFY_REQUIRED ? GNUTLS_E_CERTIFICATE_REQUIRED : 0;
    int code = gnutls_certificate_verify_peers(handle, &purpose, 1, &session->verification);
    if (code != 0)
        return code;
    session->verification_failed = session->verification != 0;
    return session->verification_failed ? GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR : 0;
}

int tls_on_verify_server(gnutls_session_t handle)
{
    struct tls_session *session = gnutls_session_get_ptr(handle);
    gnutls_typed_vdata_st data[] = {
        {.type = address_is_numeric(session->name) ? GNUTLS_DT_IP_ADDRESS : GNUTLS_DT_DNS_HOSTNAME,
         .data = (unsigned char *)session->name},
        {.type = GNUTLS_DT_KEY_PURPOSE_OID, .data = (unsigned char *)GNUTLS_KP_TLS_WWW_SERVER},
    };
    struct in6_addr address;

    if (data[0].type == GNUTLS_DT_IP_ADDRESS) {
        bool is_ipv4 = inet_pton(AF_INET, session->name, &address) == 1;
        if (!is_ipv4)
            inet_pton(AF_INET6, session->name, &address);
        data[0].data = (unsigned char *)&address;
        data[0].size = is_ipv4 ? 4 : 16;
    }
    int code = gnutls_certificate_verify_peers(handle, data, 2, &session->verification);
    if (code != 0)
        return code;
    session->verification_failed = session->verification != 0;
    return session->verification_failed ? GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR : 0;
}

int tls_on_ticket(gnutls_session_t handle, unsigned type, unsigned when, unsigned incoming,
                  const gnutls_datum_t *message)
{
    struct tls_session *session = gnutls_session_get_ptr(handle);

    (void)type, (void)when, (void)message;
    if (incoming)
        session->ticket_came = true;
    return 0;
}

static const char *verification_text(unsigned status, bool of_client)
{
    if (status & GNUTLS_CERT_REVOKED)
        return "has been revoked";
    if (status & GNUTLS_CERT_EXPIRED)
        return "has expired";
    if (status & GNUTLS_CERT_NOT_ACTIVATED)
        return "is not valid yet";
    if (status & GNUTLS_CERT_PURPOSE_MISMATCH)
        return of_client ? "is not for a client" : "is not for a server";
    if (status & (GNUTLS_CERT_SIGNER_NOT_FOUND | GNUTLS_CERT_SIGNER_NOT_CA))
        return "is not signed by a trusted CA";
    if (status & GNUTLS_CERT_INSECURE_ALGORITHM)
        return "uses an insecure algorithm";
    return "could not be verified";
}

static int verification_error(struct tls_session *session)
{
    const char *whose = session->is_server ? "client " : "";
    unsigned other =
        session->verification & ~(unsigned)(GNUTLS_CERT_INVALID | GNUTLS_CERT_UNEXPECTED_OWNER);

    if (other == 0 && (session->verification & GNUTLS_CERT_UNEXPECTED_OWNER))
        return tls_session_fail(session, HERALD_ERROR_TLS, "the certificate is not valid for '%s'",
                                session->name);
    return tls_session_fail(session, HERALD_ERROR_TLS, "the %scertificate %s", whose,
                            verification_text(session->verification, session->is_server));
}

int tls_session_failure(struct tls_session *session, int code)
{
    gnutls_session_t handle = session->session;

    if (session->verification_failed)
        return verification_error(session);
    switch (code) {
    case GNUTLS_E_MEMORY_ERROR:
        return tls_session_fail(session, HERALD_ERROR_NOMEM, "out of memory");
    case GNUTLS_E_FATAL_ALERT_RECEIVED: {
        const char *name = gnutls_alert_get_name(gnutls_alert_get(handle));
        return tls_session_fail(session, HERALD_ERROR_TLS, "the peer sent the TLS alert '%s'",
                                name != NULL ? name : "unknown");
    }
    case GNUTLS_E_NO_APPLICATION_PROTOCOL:
        return tls_session_fail(session, HERALD_ERROR_TLS, "no protocol in common (ALPN)");
    case GNUTLS_E_UNRECOGNIZED_NAME:
        return tls_session_fail(session, HERALD_ERROR_TLS, "no certificate for the name '%s'",
                                session->name);
    case GNUTLS_E_CERTIFICATE_REQUIRED:
    case GNUTLS_E_NO_CERTIFICATE_FOUND:
        return tls_session_fail(session, HERALD_ERROR_TLS, "the peer sent no certificate");
    case GNUTLS_E_UNEXPECTED_PACKET_LENGTH:
    case GNUTLS_E_UNSUPPORTED_VERSION_PACKET:
        return tls_session_fail(session, HERALD_ERROR_TLS,
                                session->established ? "TLS: %s" : "no TLS: %s",
                                gnutls_strerror(code));
    default:
        return tls_session_fail(session, HERALD_ERROR_TLS, "TLS: %s", gnutls_strerror(code));
    }
}

int tls_session_fatal(struct tls_session *session, int code)
{
    if (code != GNUTLS_E_FATAL_ALERT_RECEIVED && code != GNUTLS_E_PREMATURE_TERMINATION) {
        int alert_level, alert = gnutls_error_to_alert(code, &alert_level);
        if (code == GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR)
            alert = session->verification & GNUTLS_CERT_EXPIRED ? GNUTLS_A_CERTIFICATE_EXPIRED
                    : session->verification & GNUTLS_CERT_SIGNER_NOT_FOUND
                        ? GNUTLS_A_UNKNOWN_CA
                        : GNUTLS_A_BAD_CERTIFICATE;
        gnutls_alert_send(session->session, GNUTLS_AL_FATAL, (gnutls_alert_description_t)alert);
    }
    return tls_session_failure(session, code);
}

int tls_session_count_warning(struct tls_session *session)
{
    if (++session->warnings <= WARNINGS_MAXIMUM)
        return 0;
    gnutls_alert_send(session->session, GNUTLS_AL_FATAL, GNUTLS_A_UNEXPECTED_MESSAGE);
    return tls_session_fail(session, HERALD_ERROR_LIMIT, "too many TLS warning alerts");
}

static void establish(struct tls_session *session)
{
    session->established = true;
    if (!session->is_server)
        return;
    read_name(session);
    /* GnuTLS would send it with the first response only. Sent now it also acknowledges the client's
     * last flight, behind which the kernel of a client without TCP_NODELAY holds its request back
     * for 40 ms. A client that takes no tickets gets none; that is no error. */
    if (gnutls_protocol_get_version(session->session) == GNUTLS_TLS1_3)
        gnutls_session_ticket_send(session->session, 1, 0);
}

int tls_session_handshake(struct tls_session *session)
{
    for (;;) {
        size_t before = session->input.length;
        int code = gnutls_handshake(session->session);
        if (code == GNUTLS_E_SUCCESS) {
            establish(session);
            return 0;
        }
        if (code == GNUTLS_E_AGAIN || code == GNUTLS_E_INTERRUPTED) {
            /* GnuTLS also stops here between the pieces of a fragmented message. */
            if (session->input.length > 0 && session->input.length < before)
                continue;
            if (session->handshake_left > 0)
                return HERALD_ERROR_AGAIN;
            gnutls_alert_send(session->session, GNUTLS_AL_FATAL, GNUTLS_A_RECORD_OVERFLOW);
            return tls_session_fail(session, HERALD_ERROR_TLS, "the TLS handshake is too long");
        }
        if (gnutls_error_is_fatal(code))
            return tls_session_fatal(session, code);
        if (tls_session_count_warning(session) != 0)
            return HERALD_ERROR_TLS;
    }
}
