#include "net/tls_private.h"

#include "base/err.h"
#include "base/log.h"
#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAXIMUM (4 * 1024 * 1024) /* certificate and CA files */

/* TLS 1.2 with ephemeral keys and AEAD only leaves nothing of RFC 9113 appendix A. AES-128-GCM
 * first: it is the cheapest where the processor helps. */
static const char default_priorities[] =
    "NONE:+VERS-TLS1.3:+VERS-TLS1.2:+ECDHE-ECDSA:+ECDHE-RSA:"
    "+AES-128-GCM:+CHACHA20-POLY1305:+AES-256-GCM:+AEAD:"
    "+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1:+GROUP-SECP521R1:"
    "+SIGN-ECDSA-SECP256R1-SHA256:+SIGN-ECDSA-SHA256:+SIGN-ECDSA-SECP384R1-SHA384:"
    "+SIGN-ECDSA-SHA384:+SIGN-ECDSA-SECP521R1-SHA512:+SIGN-ECDSA-SHA512:+SIGN-EDDSA-ED25519:"
    "+SIGN-RSA-PSS-RSAE-SHA256:+SIGN-RSA-PSS-RSAE-SHA384:+SIGN-RSA-PSS-RSAE-SHA512:"
    "+SIGN-RSA-PSS-SHA256:+SIGN-RSA-PSS-SHA384:+SIGN-RSA-PSS-SHA512:"
    "+SIGN-RSA-SHA256:+SIGN-RSA-SHA384:+SIGN-RSA-SHA512:"
    "+COMP-NULL:+CTYPE-X509:%SERVER_PRECEDENCE";

int tls_fail(struct tls_error *error, int code, const char *format, ...)
{
    va_list arguments;

    if (error == NULL)
        return code;
    va_start(arguments, format);
    vsnprintf(error->text, sizeof(error->text), format, arguments);
    va_end(arguments);
    return code;
}

static int read_descriptor(int descriptor, size_t size, gnutls_datum_t *data)
{
    size_t length = 0;

    data->data = gnutls_malloc(size + 1);
    if (data->data == NULL)
        return ENOMEM;
    while (length < size) {
        ssize_t count = read(descriptor, data->data + length, size - length);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0) {
            int reason = errno;
            gnutls_free(data->data);
            data->data = NULL;
            return reason;
        }
        if (count == 0)
            break;
        length += (size_t)count;
    }
    data->data[length] = '\0';
    data->size = (unsigned)length;
    return 0;
}

int tls_read_file(const char *path, const char *what, gnutls_datum_t *data, struct tls_error *error)
{
    struct stat status;
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (descriptor < 0)
        return tls_fail(error, HERALD_ERROR_IO, "cannot read the %s '%s': %s", what, path,
                        strerror(errno));
    int reason = fstat(descriptor, &status) != 0 ? errno : 0;
    if (reason == 0 && (!S_ISREG(status.st_mode) || status.st_size > FILE_MAXIMUM)) {
        close(descriptor);
        return tls_fail(error, HERALD_ERROR_IO, "cannot read the %s '%s': %s", what, path,
                        S_ISREG(status.st_mode) ? "it is larger than 4 MiB"
                                                : "it is not a regular file");
    }
    if (reason == 0)
        reason = read_descriptor(descriptor, (size_t)status.st_size, data);
    close(descriptor);
    if (reason != 0)
        return tls_fail(error, reason == ENOMEM ? HERALD_ERROR_NOMEM : HERALD_ERROR_IO,
                        "cannot read the %s '%s': %s", what, path, strerror(reason));
    return 0;
}

int tls_priorities(const char *text, gnutls_priority_t *priorities, struct tls_error *error)
{
    const char *position = NULL;
    int code =
        gnutls_priority_init(priorities, text != NULL ? text : default_priorities, &position);

    if (code == GNUTLS_E_MEMORY_ERROR)
        return HERALD_ERROR_NOMEM;
    if (code != 0)
        return tls_fail(error, HERALD_ERROR_TLS, "bad TLS priorities at '%s'",
                        position != NULL ? position : "");
    return 0;
}

/* RFC 9001: TLS 1.3, and none of what makes it look like TLS 1.2 to middleboxes. */
static void quic_priorities(const char *text, gnutls_priority_t *priorities)
{
    char quic[2048];
    int length = snprintf(quic, sizeof(quic), "%s:-VERS-TLS1.2:%%DISABLE_TLS13_COMPAT_MODE",
                          text != NULL ? text : default_priorities);
    if (length < 0 || (size_t)length >= sizeof(quic) ||
        gnutls_priority_init(priorities, quic, NULL) != 0)
        *priorities = NULL;
}

static char *copy_text(const char *text, bool *failed)
{
    if (text == NULL)
        return NULL;
    char *copy = strdup(text);
    if (copy == NULL)
        *failed = true;
    return copy;
}

static int copy_config(struct tls_context *context, const struct tls_server_config *config,
                       struct tls_error *error)
{
    bool failed = false;

    if (config->certificate_count == 0 || config->alpn_count > TLS_ALPN_MAXIMUM)
        return tls_fail(error, HERALD_ERROR_INVALID, "no certificate was given");
    if (config->verify != TLS_VERIFY_NONE && config->ca_file == NULL)
        return tls_fail(error, HERALD_ERROR_INVALID,
                        "verifying client certificates needs a CA file");
    context->files = calloc(config->certificate_count, sizeof(*context->files));
    if (context->files == NULL)
        return HERALD_ERROR_NOMEM;
    context->file_count = config->certificate_count;
    for (size_t i = 0; i < config->certificate_count; i++) {
        const struct tls_certificate_files *files = &config->certificates[i];
        context->files[i].certificate = copy_text(files->certificate, &failed);
        context->files[i].key =
            copy_text(files->key != NULL ? files->key : files->certificate, &failed);
        context->files[i].password = copy_text(files->password, &failed);
    }
    context->ca_file = copy_text(config->ca_file, &failed);
    context->verify = config->verify;
    context->refuse_unknown_name = config->refuse_unknown_name;
    for (size_t i = 0; i < config->alpn_count; i++) {
        char *name = copy_text(config->alpn[i], &failed);
        context->alpn[i].data = (unsigned char *)name;
        context->alpn[i].size = name == NULL ? 0 : (unsigned)strlen(name);
        context->alpn_count++;
    }
    return failed ? HERALD_ERROR_NOMEM : 0;
}

int tls_random_ticket_key(uint8_t key[TLS_TICKET_KEY_SIZE])
{
    return gnutls_rnd(GNUTLS_RND_KEY, key, TLS_TICKET_KEY_SIZE) == 0 ? 0 : HERALD_ERROR_IO;
}

/* A ticket also vouches for the client's certificate, so it must not open under another policy
 * (SNI and Host fronting across differently protected listeners). */
static int bind_ticket_key(struct tls_context *context)
{
    gnutls_hmac_hd_t hmac;
    gnutls_datum_t ca = {0};
    uint8_t verify = (uint8_t)context->verify;

    if (gnutls_hmac_init(&hmac, GNUTLS_MAC_SHA512, context->ticket_secret, TLS_TICKET_KEY_SIZE) !=
        0)
        return HERALD_ERROR_NOMEM;
    gnutls_hmac(hmac, &verify, 1);
    if (context->ca_file != NULL && tls_read_file(context->ca_file, "CA file", &ca, NULL) == 0) {
        gnutls_hmac(hmac, ca.data, ca.size);
        gnutls_free(ca.data);
    }
    gnutls_hmac_deinit(hmac, context->ticket_key.data);
    return 0;
}

void tls_context_set_ticket_key(struct tls_context *context, const uint8_t key[TLS_TICKET_KEY_SIZE])
{
    memcpy(context->ticket_secret, key, TLS_TICKET_KEY_SIZE);
    if (bind_ticket_key(context) != 0)
        gnutls_rnd(GNUTLS_RND_KEY, context->ticket_key.data, context->ticket_key.size);
}

static int make_ticket_key(struct tls_context *context)
{
    uint8_t key[TLS_TICKET_KEY_SIZE];

    context->ticket_key.data = gnutls_malloc(TLS_TICKET_KEY_SIZE);
    if (context->ticket_key.data == NULL)
        return HERALD_ERROR_NOMEM;
    context->ticket_key.size = TLS_TICKET_KEY_SIZE;
    int error = tls_random_ticket_key(key);
    if (error == 0)
        tls_context_set_ticket_key(context, key);
    gnutls_memset(key, 0, sizeof(key));
    return error;
}

int tls_context_create_server(struct tls_context **result, const struct tls_server_config *config,
                              struct tls_error *error)
{
    struct tls_context *context = calloc(1, sizeof(*context));

    if (context == NULL)
        return HERALD_ERROR_NOMEM;
    context->references = 1;
    context->is_server = true;
    int code = copy_config(context, config, error);
    if (code == 0)
        code = tls_priorities(config->priorities, &context->priorities, error);
    if (code == 0)
        quic_priorities(config->priorities, &context->quic_priorities);
    if (code == 0)
        code = tls_identities_load(context, &context->identities, error);
    if (code == 0)
        code = make_ticket_key(context);
    if (code != 0) {
        if (code == HERALD_ERROR_NOMEM)
            tls_fail(error, code, "out of memory");
        tls_context_release(context);
        return code;
    }
    *result = context;
    return 0;
}

int tls_context_reload(struct tls_context *context, struct tls_error *error)
{
    struct tls_identities *fresh = NULL;
    struct tls_error local = {{0}};

    if (!context->is_server)
        return HERALD_ERROR_STATE;
    int code = tls_identities_load(context, &fresh, &local);
    if (code != 0) {
        log_write(LOG_ERROR, "certificates were not reloaded, the old ones stay: %s",
                  code == HERALD_ERROR_NOMEM ? "out of memory" : local.text);
        if (error != NULL)
            *error = local;
        return code;
    }
    tls_identities_release(context->identities);
    context->identities = fresh;
    /* Another CA is another policy: sessions made under the old one end here. */
    return bind_ticket_key(context);
}

struct tls_context *tls_context_retain(struct tls_context *context)
{
    context->references++;
    return context;
}

void tls_context_release(struct tls_context *context)
{
    if (context == NULL || --context->references > 0)
        return;
    if (context->identities != NULL)
        tls_identities_release(context->identities);
    for (size_t i = 0; i < context->file_count; i++) {
        free((char *)context->files[i].certificate);
        free((char *)context->files[i].key);
        free((char *)context->files[i].password);
    }
    free(context->files);
    free(context->ca_file);
    for (unsigned i = 0; i < context->alpn_count; i++)
        free(context->alpn[i].data);
    gnutls_memset(context->ticket_secret, 0, sizeof(context->ticket_secret));
    if (context->ticket_key.data != NULL)
        gnutls_memset(context->ticket_key.data, 0, context->ticket_key.size);
    gnutls_free(context->ticket_key.data);
    tls_client_free(context);
    if (context->priorities != NULL)
        gnutls_priority_deinit(context->priorities);
    if (context->quic_priorities != NULL)
        gnutls_priority_deinit(context->quic_priorities);
    free(context);
}

int64_t tls_context_expiry(const struct tls_context *context)
{
    return context->identities == NULL ? 0 : context->identities->items[0].expiry;
}
