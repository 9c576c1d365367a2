/* TLS sessions for QUIC, which carries the handshake messages itself: the same certificates, names
 * and tickets as over TCP, TLS 1.3 only, and no records. */
#include "net/tls_session_private.h"

#include "base/err.h"
#include <errno.h>
#include <stdlib.h>

static ssize_t refuse_pull(gnutls_transport_ptr_t pointer, void *data, size_t size)
{
    (void)pointer, (void)data, (void)size;
    errno = EAGAIN;
    return -1;
}

static ssize_t refuse_push(gnutls_transport_ptr_t pointer, const void *data, size_t size)
{
    (void)pointer, (void)data, (void)size;
    errno = EAGAIN;
    return -1;
}

static int configure(struct tls_session *session, struct tls_context *context, const char *alpn)
{
    gnutls_session_t handle = session->session;
    const gnutls_datum_t protocol = {(unsigned char *)alpn, (unsigned)strlen(alpn)};
    gnutls_session_set_ptr(handle, session);
    gnutls_transport_set_pull_function(handle, refuse_pull);
    gnutls_transport_set_push_function(handle, refuse_push);
    gnutls_handshake_set_post_client_hello_function(handle, tls_on_client_hello);
    if (gnutls_priority_set(handle, context->quic_priorities) != 0 ||
        gnutls_credentials_set(handle, GNUTLS_CRD_CERTIFICATE,
                               session->identities->items[0].credentials) != 0 ||
        gnutls_session_ticket_enable_server(handle, &context->ticket_key) != 0 ||
        gnutls_alpn_set_protocols(handle, &protocol, 1, GNUTLS_ALPN_MANDATORY) != 0)
        return HERALD_ERROR_NOMEM;
    if (context->verify != TLS_VERIFY_NONE) {
        gnutls_certificate_server_set_request(handle, context->verify == TLS_VERIFY_REQUIRED
                                                          ? GNUTLS_CERT_REQUIRE
                                                          : GNUTLS_CERT_REQUEST);
        gnutls_session_set_verify_function(handle, tls_on_verify_client);
    }
    return 0;
}

int tls_session_create_quic_server(struct tls_session **result, struct tls_context *context,
                                   const char *alpn)
{
    if (context->quic_priorities == NULL)
        return HERALD_ERROR_UNSUPPORTED;
    struct tls_session *session = calloc(1, sizeof(*session));
    if (session == NULL)
        return HERALD_ERROR_NOMEM;
    if (gnutls_init(&session->session, GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL |
                                           GNUTLS_NO_AUTO_SEND_TICKET) != 0) {
        free(session);
        return HERALD_ERROR_NOMEM;
    }
    session->context = tls_context_retain(context);
    session->is_server = true;
    session->identities = context->identities;
    session->identities->references++;
    int code = configure(session, context, alpn);
    if (code != 0) {
        tls_session_destroy(session);
        return code;
    }
    *result = session;
    return 0;
}

void *tls_session_handle(struct tls_session *session)
{
    return session->session;
}
