#include "net/tls_session_private.h"

#include "base/err.h"
#include "net/address.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define HELLO_MAXIMUM (64 * 1024) /* one handshake message */
#define HANDSHAKE_MAXIMUM                                                                          \
    (512 * 1024) /* bytes fed before the handshake is done, framing included */

int tls_session_fail(struct tls_session *session, int code, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(session->error, sizeof(session->error), format, arguments);
    va_end(arguments);
    return code;
}

static void count_records(struct tls_session *session, struct span data)
{
    while (data.length > 0) {
        size_t step;
        if (session->record_left > 0) {
            step = data.length < session->record_left ? data.length : session->record_left;
            session->record_left -= step;
        } else {
            step = 1;
            session->header[session->header_length++] = data.data[0];
            if (session->header_length == TLS_RECORD_HEADER) {
                session->record_left = (size_t)session->header[3] << 8 | (size_t)session->header[4];
                session->header_length = 0;
                session->empty_records++;
            }
        }
        data = span_slice(data, step, data.length);
    }
}

static ssize_t on_pull(gnutls_transport_ptr_t pointer, void *data, size_t size)
{
    struct tls_session *session = pointer;
    size_t length = session->input.length < size ? session->input.length : size;

    if (length == 0) {
        gnutls_transport_set_errno(session->session, EAGAIN);
        return -1;
    }
    memcpy(data, session->input.data, length);
    if (session->established)
        count_records(session, span_slice(session->input, 0, length));
    session->input = span_slice(session->input, length, session->input.length);
    return (ssize_t)length;
}

static int on_pull_timeout(gnutls_transport_ptr_t pointer, unsigned milliseconds)
{
    const struct tls_session *session = pointer;

    (void)milliseconds;
    return session->input.length > 0 ? 1 : 0;
}

static ssize_t on_push(gnutls_transport_ptr_t pointer, const void *data, size_t size)
{
    struct tls_session *session = pointer;
    struct tls_sink *sink = session->sink;
    size_t room = sink == NULL ? 0 : sink->capacity - sink->length;

    if (room == 0) {
        gnutls_transport_set_errno(session->session, EAGAIN);
        return -1;
    }
    size_t length = size < room ? size : room;
    memcpy(sink->data + sink->length, data, length);
    sink->length += length;
    return (ssize_t)length;
}

void tls_session_bind(struct tls_session *session, struct span data, struct tls_sink *sink)
{
    session->input = data;
    session->sink = sink;
    if (!session->established)
        session->handshake_left -=
            data.length < session->handshake_left ? data.length : session->handshake_left;
}

size_t tls_session_fed(const struct tls_session *session)
{
    return session->input.length;
}

static int create(struct tls_session **result, struct tls_context *context, unsigned flags)
{
    struct tls_session *session = calloc(1, sizeof(*session));

    if (session == NULL)
        return HERALD_ERROR_NOMEM;
    if (gnutls_init(&session->session, flags | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL) != 0) {
        free(session);
        return HERALD_ERROR_NOMEM;
    }
    session->context = tls_context_retain(context);
    session->is_server = (flags & GNUTLS_SERVER) != 0;
    session->handshake_left = HANDSHAKE_MAXIMUM;
    gnutls_session_set_ptr(session->session, session);
    gnutls_transport_set_ptr(session->session, session);
    gnutls_transport_set_pull_function(session->session, on_pull);
    gnutls_transport_set_pull_timeout_function(session->session, on_pull_timeout);
    gnutls_transport_set_push_function(session->session, on_push);
    gnutls_handshake_set_max_packet_length(session->session, HELLO_MAXIMUM);
    if (gnutls_priority_set(session->session, context->priorities) != 0) {
        tls_session_destroy(session);
        return HERALD_ERROR_NOMEM;
    }
    *result = session;
    return 0;
}

int tls_session_create_server(struct tls_session **result, struct tls_context *context)
{
    struct tls_session *session;
    int code = create(&session, context, GNUTLS_SERVER | GNUTLS_NO_AUTO_SEND_TICKET);

    if (code != 0)
        return code;
    session->identities = context->identities;
    session->identities->references++;
    gnutls_handshake_set_post_client_hello_function(session->session, tls_on_client_hello);
    if (gnutls_credentials_set(session->session, GNUTLS_CRD_CERTIFICATE,
                               session->identities->items[0].credentials) != 0 ||
        gnutls_session_ticket_enable_server(session->session, &context->ticket_key) != 0 ||
        (context->alpn_count > 0 &&
         gnutls_alpn_set_protocols(session->session, context->alpn, context->alpn_count,
                                   GNUTLS_ALPN_MANDATORY | GNUTLS_ALPN_SERVER_PRECEDENCE) != 0)) {
        tls_session_destroy(session);
        return HERALD_ERROR_NOMEM;
    }
    if (context->verify != TLS_VERIFY_NONE) {
        gnutls_certificate_server_set_request(
            session->session,
            context->verify == TLS_VERIFY_REQUIRED ? GNUTLS_CERT_REQUIRE : GNUTLS_CERT_REQUEST);
        gnutls_session_set_verify_function(session->session, tls_on_verify_client);
    }
    *result = session;
    return 0;
}

static int set_client_names(struct tls_session *session, const char *host, uint16_t port,
                            const char *const *alpn, size_t alpn_count)
{
    gnutls_datum_t protocols[TLS_ALPN_MAXIMUM];

    if (strlen(host) >= sizeof(session->name) || alpn_count > TLS_ALPN_MAXIMUM)
        return HERALD_ERROR_INVALID;
    memcpy(session->name, host, strlen(host) + 1);
    /* A fully qualified name's dot is neither in SNI nor in certificates. */
    size_t length = strlen(host);
    if (length > 1 && host[length - 1] == '.')
        session->name[length - 1] = '\0';
    snprintf(session->key, sizeof(session->key), "%s:%u", session->name, port);
    if (!address_is_numeric(session->name) &&
        gnutls_server_name_set(session->session, GNUTLS_NAME_DNS, session->name,
                               strlen(session->name)) != 0)
        return HERALD_ERROR_INVALID;
    for (size_t i = 0; i < alpn_count; i++)
        protocols[i] = (gnutls_datum_t){(unsigned char *)alpn[i], (unsigned)strlen(alpn[i])};
    if (alpn_count > 0 &&
        gnutls_alpn_set_protocols(session->session, protocols, (unsigned)alpn_count, 0) != 0)
        return HERALD_ERROR_NOMEM;
    return 0;
}

int tls_session_create_client(struct tls_session **result, struct tls_context *context,
                              const char *host, uint16_t port, const char *const *alpn,
                              size_t alpn_count)
{
    gnutls_certificate_credentials_t credentials;
    struct tls_session *session;
    int code = create(&session, context, GNUTLS_CLIENT);

    if (code != 0)
        return code;
    code = set_client_names(session, host, port, alpn, alpn_count);
    if (code == 0)
        code = tls_client_credentials(context, session->name, &credentials, NULL);
    if (code == 0 &&
        gnutls_credentials_set(session->session, GNUTLS_CRD_CERTIFICATE, credentials) != 0)
        code = HERALD_ERROR_NOMEM;
    if (code != 0) {
        tls_session_destroy(session);
        return code;
    }
    if (!context->insecure)
        gnutls_session_set_verify_function(session->session, tls_on_verify_server);
    if (!context->no_resumption) {
        const gnutls_datum_t *saved = tls_client_recall(context, session->key);
        gnutls_handshake_set_hook_function(session->session, GNUTLS_HANDSHAKE_NEW_SESSION_TICKET,
                                           GNUTLS_HOOK_POST, tls_on_ticket);
        /* A session that cannot be used only costs the full handshake. */
        if (saved != NULL)
            gnutls_session_set_data(session->session, saved->data, saved->size);
    }
    *result = session;
    return 0;
}

void tls_session_destroy(struct tls_session *session)
{
    if (session == NULL)
        return;
    gnutls_deinit(session->session);
    if (session->identities != NULL)
        tls_identities_release(session->identities);
    tls_context_release(session->context);
    free(session);
}

struct span tls_session_alpn(const struct tls_session *session)
{
    gnutls_datum_t protocol;

    if (gnutls_alpn_get_selected_protocol(session->session, &protocol) != 0)
        return SPAN_EMPTY;
    return span_make(protocol.data, protocol.size);
}

const char *tls_session_name(const struct tls_session *session)
{
    return session->name;
}

const char *tls_session_version(const struct tls_session *session, uint16_t *number)
{
    gnutls_protocol_t version = gnutls_protocol_get_version(session->session);
    const char *name = gnutls_protocol_get_name(version);

    *number = version == GNUTLS_TLS1_3 ? 0x0304 : version == GNUTLS_TLS1_2 ? 0x0303 : 0;
    return name != NULL ? name : "";
}

/* The suites our priorities allow, by IANA's registry. */
static const struct {
    const char *name;
    uint16_t number;
} suites[] = {
    {"TLS_AES_128_GCM_SHA256", 0x1301},
    {"TLS_AES_256_GCM_SHA384", 0x1302},
    {"TLS_CHACHA20_POLY1305_SHA256", 0x1303},
    {"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", 0xc02b},
    {"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", 0xc02c},
    {"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", 0xc02f},
    {"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", 0xc030},
    {"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", 0xcca8},
    {"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", 0xcca9},
};

const char *tls_session_cipher(const struct tls_session *session, uint16_t *number)
{
    const char *name = gnutls_ciphersuite_get(session->session);

    *number = 0;
    if (name == NULL)
        return "";
    for (size_t i = 0; i < sizeof(suites) / sizeof(suites[0]); i++) {
        if (strcmp(suites[i].name, name) == 0) {
            *number = suites[i].number;
            return suites[i].name;
        }
    }
    return name;
}

struct span tls_session_peer_certificate(const struct tls_session *session)
{
    unsigned count = 0;
    const gnutls_datum_t *chain = gnutls_certificate_get_peers(session->session, &count);

    return chain == NULL || count == 0 ? SPAN_EMPTY : span_make(chain[0].data, chain[0].size);
}

bool tls_session_resumed(const struct tls_session *session)
{
    return gnutls_session_is_resumed(session->session) != 0;
}

const char *tls_session_error(const struct tls_session *session)
{
    return session->error;
}
