#include "net/tls_session.h"

#include "base/err.h"
#include "net/address.h"
#include "net/tls_private.h"
#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/x509.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define HELLO_MAXIMUM (64 * 1024) /* one handshake message */
#define HANDSHAKE_MAXIMUM                                                                          \
    (512 * 1024) /* bytes fed before the handshake is done, framing included */
#define RECORD_HEADER     5
#define EMPTY_MAXIMUM     64   /* records without content; one is forgiven for each ... */
#define EMPTY_FORGIVENESS 4096 /* ... bytes of content */
#define WARNINGS_MAXIMUM  8
#define SESSION_KEY_SIZE  (TLS_NAME_SIZE + 8)

struct tls_session {
    gnutls_session_t session;
    struct tls_context *context;
    struct tls_identities *identities; /* server: the set at the beginning */
    struct span input;
    struct tls_sink *sink;

    /* Record headers are counted as they pass, because GnuTLS takes records without content in
     * silence. */
    size_t record_left; /* of the record whose header has been seen */
    uint8_t header[RECORD_HEADER];
    unsigned header_length;
    unsigned empty_records, warnings;
    uint64_t content;      /* bytes since an empty record was last forgiven */
    size_t handshake_left; /* bytes that may still be fed before the handshake is done */

    bool is_server, established, refused_name, ticket_came, verification_failed;
    unsigned verification;
    char name[TLS_NAME_SIZE]; /* SNI; client: the host */
    char key[SESSION_KEY_SIZE];
    char error[256];
};

static int fail(struct tls_session *session, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static int fail(struct tls_session *session, int code, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(session->error, sizeof(session->error), format, arguments);
    va_end(arguments);
    return code;
}

/* ---- transport ---- */

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
            if (session->header_length == RECORD_HEADER) {
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

/* ---- callbacks of the handshake ---- */

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

static int on_client_hello(gnutls_session_t handle)
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

static int on_verify_client(gnutls_session_t handle)
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

static int on_verify_server(gnutls_session_t handle)
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

static int on_ticket(gnutls_session_t handle, unsigned type, unsigned when, unsigned incoming,
                     const gnutls_datum_t *message)
{
    struct tls_session *session = gnutls_session_get_ptr(handle);

    (void)type, (void)when, (void)message;
    if (incoming)
        session->ticket_came = true;
    return 0;
}

/* ---- life ---- */

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
    gnutls_handshake_set_post_client_hello_function(session->session, on_client_hello);
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
        gnutls_session_set_verify_function(session->session, on_verify_client);
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
        gnutls_session_set_verify_function(session->session, on_verify_server);
    if (!context->no_resumption) {
        const gnutls_datum_t *saved = tls_client_recall(context, session->key);
        gnutls_handshake_set_hook_function(session->session, GNUTLS_HANDSHAKE_NEW_SESSION_TICKET,
                                           GNUTLS_HOOK_POST, on_ticket);
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

/* ---- handshake ---- */

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
        return fail(session, HERALD_ERROR_TLS, "the certificate is not valid for '%s'",
                    session->name);
    return fail(session, HERALD_ERROR_TLS, "the %scertificate %s", whose,
                verification_text(session->verification, session->is_server));
}

static int failure(struct tls_session *session, int code)
{
    gnutls_session_t handle = session->session;

    if (session->verification_failed)
        return verification_error(session);
    switch (code) {
    case GNUTLS_E_MEMORY_ERROR:
        return fail(session, HERALD_ERROR_NOMEM, "out of memory");
    case GNUTLS_E_FATAL_ALERT_RECEIVED: {
        const char *name = gnutls_alert_get_name(gnutls_alert_get(handle));
        return fail(session, HERALD_ERROR_TLS, "the peer sent the TLS alert '%s'",
                    name != NULL ? name : "unknown");
    }
    case GNUTLS_E_NO_APPLICATION_PROTOCOL:
        return fail(session, HERALD_ERROR_TLS, "no protocol in common (ALPN)");
    case GNUTLS_E_UNRECOGNIZED_NAME:
        return fail(session, HERALD_ERROR_TLS, "no certificate for the name '%s'", session->name);
    case GNUTLS_E_CERTIFICATE_REQUIRED:
    case GNUTLS_E_NO_CERTIFICATE_FOUND:
        return fail(session, HERALD_ERROR_TLS, "the peer sent no certificate");
    case GNUTLS_E_UNEXPECTED_PACKET_LENGTH:
    case GNUTLS_E_UNSUPPORTED_VERSION_PACKET:
        return fail(session, HERALD_ERROR_TLS, session->established ? "TLS: %s" : "no TLS: %s",
                    gnutls_strerror(code));
    default:
        return fail(session, HERALD_ERROR_TLS, "TLS: %s", gnutls_strerror(code));
    }
}

static int fatal(struct tls_session *session, int code)
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
    return failure(session, code);
}

static int count_warning(struct tls_session *session)
{
    if (++session->warnings <= WARNINGS_MAXIMUM)
        return 0;
    gnutls_alert_send(session->session, GNUTLS_AL_FATAL, GNUTLS_A_UNEXPECTED_MESSAGE);
    return fail(session, HERALD_ERROR_LIMIT, "too many TLS warning alerts");
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
            return fail(session, HERALD_ERROR_TLS, "the TLS handshake is too long");
        }
        if (gnutls_error_is_fatal(code))
            return fatal(session, code);
        if (count_warning(session) != 0)
            return HERALD_ERROR_TLS;
    }
}

/* ---- records ---- */

static void save_session(struct tls_session *session)
{
    gnutls_datum_t data = {0};

    session->ticket_came = false;
    if (!session->context->no_resumption && gnutls_session_get_data2(session->session, &data) == 0)
        tls_client_remember(session->context, session->key, data);
}

static void count_content(struct tls_session *session, size_t length)
{
    session->empty_records -= session->empty_records > 0;
    session->content += length;
    uint64_t forgiven = session->content / EMPTY_FORGIVENESS;
    session->content %= EMPTY_FORGIVENESS;
    session->empty_records -=
        forgiven < session->empty_records ? (unsigned)forgiven : session->empty_records;
}

int64_t tls_session_read(struct tls_session *session, uint8_t *plain, size_t capacity)
{
    for (;;) {
        size_t before = session->input.length;
        ssize_t count = gnutls_record_recv(session->session, plain, capacity);
        if (session->ticket_came)
            save_session(session);
        if (count > 0) {
            count_content(session, (size_t)count);
            return count;
        }
        if (count == 0)
            return HERALD_ERROR_CLOSED;
        if (count == GNUTLS_E_AGAIN || count == GNUTLS_E_INTERRUPTED) {
            /* GnuTLS also stops here after a record without content. */
            if (session->empty_records <= EMPTY_MAXIMUM) {
                if (session->input.length > 0 && session->input.length < before)
                    continue;
                return HERALD_ERROR_AGAIN;
            }
            gnutls_alert_send(session->session, GNUTLS_AL_FATAL, GNUTLS_A_UNEXPECTED_MESSAGE);
            return fail(session, HERALD_ERROR_LIMIT, "too many TLS records without content");
        }
        if (count == GNUTLS_E_REHANDSHAKE) {
            gnutls_alert_send(session->session, GNUTLS_AL_WARNING, GNUTLS_A_NO_RENEGOTIATION);
            return fail(session, HERALD_ERROR_TLS, "the peer asked for renegotiation");
        }
        if (gnutls_error_is_fatal((int)count))
            return fatal(session, (int)count);
        int code = count_warning(session);
        if (code != 0)
            return code;
    }
}

int tls_session_write(struct tls_session *session, struct span data, size_t record)
{
    while (data.length > 0) {
        size_t length = data.length < record ? data.length : record;
        if (session->sink->capacity - session->sink->length < length + TLS_RECORD_OVERHEAD)
            return fail(session, HERALD_ERROR_LIMIT, "TLS: no room for a record");
        ssize_t count = gnutls_record_send(session->session, data.data, length);
        if (count <= 0)
            return count == GNUTLS_E_AGAIN
                       ? fail(session, HERALD_ERROR_LIMIT, "TLS: no room for a record")
                       : failure(session, (int)count);
        data = span_slice(data, (size_t)count, data.length);
    }
    return 0;
}

void tls_session_goodbye(struct tls_session *session)
{
    gnutls_bye(session->session, GNUTLS_SHUT_WR);
}

/* ---- what has been agreed ---- */

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
