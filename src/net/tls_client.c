#include "net/tls_private.h"

#include "base/err.h"
#include "net/address.h"
#include "net/certificate.h"
#include <stdlib.h>
#include <unistd.h>

static int check_ca(struct tls_context *context, const char *path, struct tls_error *error)
{
    gnutls_certificate_credentials_t credentials;
    int code = tls_read_file(path, "CA file", &context->ca, error);

    if (code != 0)
        return code;
    if (gnutls_certificate_allocate_credentials(&credentials) != 0)
        return HERALD_ERROR_NOMEM;
    int count =
        gnutls_certificate_set_x509_trust_mem(credentials, &context->ca, GNUTLS_X509_FMT_PEM);
    gnutls_certificate_free_credentials(credentials);
    if (count <= 0)
        return tls_fail(error, HERALD_ERROR_TLS, "no CA certificate was found in '%s'", path);
    return 0;
}

/* The CA of the development certificate, when this user has one. Absence is no error. */
static char *find_development_ca(void)
{
    struct certificate_paths *paths = malloc(sizeof(*paths));
    char *path = NULL;

    if (paths != NULL && certificate_find(NULL, paths) == 0 &&
        access(paths->ca_certificate, R_OK) == 0)
        path = strdup(paths->ca_certificate);
    free(paths);
    return path;
}

static char *copy_text(const char *text, int *code)
{
    if (text == NULL)
        return NULL;
    char *copy = strdup(text);
    if (copy == NULL)
        *code = HERALD_ERROR_NOMEM;
    return copy;
}

int tls_context_create_client(struct tls_context **result, const struct tls_client_config *config,
                              struct tls_error *error)
{
    gnutls_certificate_credentials_t credentials;
    struct tls_context *context = calloc(1, sizeof(*context));

    if (context == NULL)
        return HERALD_ERROR_NOMEM;
    context->references = 1;
    context->insecure = config->insecure;
    context->no_system_trust = config->no_system_trust;
    context->no_resumption = config->no_resumption;
    int code = tls_priorities(config->priorities, &context->priorities, error);
    if (code == 0 && config->ca_file != NULL)
        code = check_ca(context, config->ca_file, error);
    if (code == 0) {
        context->client_certificate = copy_text(config->certificate, &code);
        context->client_key =
            copy_text(config->key != NULL ? config->key : config->certificate, &code);
        context->client_password = copy_text(config->password, &code);
    }
    if (code == 0 && !config->no_development_trust && !config->insecure)
        context->development_ca = find_development_ca();
    /* A client certificate that cannot be used is told now, not at the first connection. */
    if (code == 0 && config->certificate != NULL)
        code = tls_client_credentials(context, "localhost", &credentials, error);
    if (code != 0) {
        if (code == HERALD_ERROR_NOMEM)
            tls_fail(error, code, "out of memory");
        tls_context_release(context);
        return code;
    }
    *result = context;
    return 0;
}

static int add_own_certificate(const struct tls_context *context,
                               gnutls_certificate_credentials_t credentials,
                               struct tls_error *error)
{
    gnutls_datum_t certificate = {0}, key = {0};

    if (context->client_certificate == NULL)
        return 0;
    int code =
        tls_read_file(context->client_certificate, "client certificate", &certificate, error);
    if (code == 0)
        code = tls_read_file(context->client_key, "client key", &key, error);
    if (code == 0) {
        int status = gnutls_certificate_set_x509_key_mem2(
            credentials, &certificate, &key, GNUTLS_X509_FMT_PEM, context->client_password, 0);
        if (status < 0)
            code =
                tls_fail(error, HERALD_ERROR_TLS,
                         "cannot use the client certificate in '%s' with the key in '%s': %s",
                         context->client_certificate, context->client_key, gnutls_strerror(status));
    }
    gnutls_free(certificate.data);
    if (key.data != NULL)
        gnutls_memset(key.data, 0, key.size);
    gnutls_free(key.data);
    return code;
}

/* Reading the system's store takes longer than a whole request to this machine, so a loopback host
 * with a CA of its own goes without. */
static void add_trust(const struct tls_context *context,
                      gnutls_certificate_credentials_t credentials, bool loopback)
{
    int own = 0;

    if (context->insecure)
        return;
    if (context->ca.data != NULL)
        own +=
            gnutls_certificate_set_x509_trust_mem(credentials, &context->ca, GNUTLS_X509_FMT_PEM);
    if (loopback && context->development_ca != NULL) {
        int count = gnutls_certificate_set_x509_trust_file(credentials, context->development_ca,
                                                           GNUTLS_X509_FMT_PEM);
        own += count > 0 ? count : 0;
    }
    if (!context->no_system_trust && !(loopback && own > 0))
        gnutls_certificate_set_x509_system_trust(credentials);
}

int tls_client_credentials(struct tls_context *context, const char *host,
                           gnutls_certificate_credentials_t *result, struct tls_error *error)
{
    bool loopback = address_is_loopback(host);
    gnutls_certificate_credentials_t *slot = loopback ? &context->loopback : &context->remote;

    if (*slot == NULL) {
        gnutls_certificate_credentials_t credentials;
        if (gnutls_certificate_allocate_credentials(&credentials) != 0)
            return HERALD_ERROR_NOMEM;
        int code = add_own_certificate(context, credentials, error);
        if (code != 0) {
            gnutls_certificate_free_credentials(credentials);
            return code;
        }
        add_trust(context, credentials, loopback);
        *slot = credentials;
    }
    *result = *slot;
    return 0;
}

static struct tls_saved_session *find_saved(const struct tls_context *context, const char *key)
{
    for (size_t i = 0; i < TLS_CACHE_SESSIONS; i++) {
        if (context->saved[i].key != NULL && strcmp(context->saved[i].key, key) == 0)
            return (struct tls_saved_session *)&context->saved[i];
    }
    return NULL;
}

const gnutls_datum_t *tls_client_recall(const struct tls_context *context, const char *key)
{
    const struct tls_saved_session *saved = find_saved(context, key);

    return saved == NULL ? NULL : &saved->data;
}

static void forget(struct tls_saved_session *saved)
{
    if (saved->data.data != NULL)
        gnutls_memset(saved->data.data, 0, saved->data.size);
    gnutls_free(saved->data.data);
    free(saved->key);
    *saved = (struct tls_saved_session){0};
}

void tls_client_remember(struct tls_context *context, const char *key, gnutls_datum_t data)
{
    struct tls_saved_session *saved = find_saved(context, key);

    if (saved == NULL) {
        saved = &context->saved[context->saved_next];
        context->saved_next = (context->saved_next + 1) % TLS_CACHE_SESSIONS;
    }
    forget(saved);
    saved->key = strdup(key);
    saved->data = data;
    if (saved->key == NULL)
        forget(saved);
}

void tls_client_free(struct tls_context *context)
{
    for (size_t i = 0; i < TLS_CACHE_SESSIONS; i++)
        forget(&context->saved[i]);
    if (context->remote != NULL)
        gnutls_certificate_free_credentials(context->remote);
    if (context->loopback != NULL)
        gnutls_certificate_free_credentials(context->loopback);
    gnutls_free(context->ca.data);
    free(context->development_ca);
    free(context->client_certificate);
    free(context->client_key);
    free(context->client_password);
}
