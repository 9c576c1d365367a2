#include "net/tls_private.h"

#include "base/err.h"
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>

#define NAMES_MAXIMUM 1024 /* of one certificate */

static void free_identity(struct tls_identity *identity)
{
    for (size_t i = 0; i < identity->name_count; i++)
        free(identity->names[i]);
    free(identity->names);
    if (identity->credentials != NULL)
        gnutls_certificate_free_credentials(identity->credentials);
}

void tls_identities_release(struct tls_identities *identities)
{
    if (--identities->references > 0)
        return;
    for (size_t i = 0; i < identities->count; i++)
        free_identity(&identities->items[i]);
    free(identities);
}

static int add_name(struct tls_identity *identity, const char *name, size_t length)
{
    if (identity->name_count >= NAMES_MAXIMUM || length >= TLS_NAME_SIZE)
        return 0;
    char **names = realloc(identity->names, (identity->name_count + 1) * sizeof(char *));
    if (names == NULL)
        return HERALD_ERROR_NOMEM;
    identity->names = names;
    char *copy = malloc(length + 1);
    if (copy == NULL)
        return HERALD_ERROR_NOMEM;
    for (size_t i = 0; i < length; i++)
        copy[i] = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] | 0x20 : name[i]);
    copy[length] = '\0';
    names[identity->name_count++] = copy;
    return 0;
}

static int collect_names(struct tls_identity *identity, gnutls_x509_crt_t leaf)
{
    char name[TLS_NAME_SIZE];

    for (unsigned i = 0; i < NAMES_MAXIMUM; i++) {
        size_t length = sizeof(name);
        int type = gnutls_x509_crt_get_subject_alt_name(leaf, i, name, &length, NULL);
        if (type == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
            break;
        if (type == GNUTLS_SAN_DNSNAME && add_name(identity, name, length) != 0)
            return HERALD_ERROR_NOMEM;
    }
    if (identity->name_count > 0)
        return 0;
    size_t length = sizeof(name);
    if (gnutls_x509_crt_get_dn_by_oid(leaf, GNUTLS_OID_X520_COMMON_NAME, 0, 0, name, &length) == 0)
        return add_name(identity, name, length);
    return 0;
}

static int inspect_leaf(struct tls_identity *identity)
{
    gnutls_x509_crt_t *chain = NULL;
    unsigned count = 0;

    if (gnutls_certificate_get_x509_crt(identity->credentials, 0, &chain, &count) != 0)
        return HERALD_ERROR_NOMEM;
    int code = 0;
    if (count > 0) {
        identity->expiry = gnutls_x509_crt_get_expiration_time(chain[0]);
        code = collect_names(identity, chain[0]);
    }
    for (unsigned i = 0; i < count; i++)
        gnutls_x509_crt_deinit(chain[i]);
    gnutls_free(chain);
    return code;
}

static bool holds(const gnutls_datum_t *file, const char *words)
{
    return memmem(file->data, file->size, words, strlen(words)) != NULL;
}

static int refuse_pair(const struct tls_certificate_files *files, const gnutls_datum_t *certificate,
                       const gnutls_datum_t *key, int status, struct tls_error *error)
{
    if (!holds(certificate, "-----BEGIN CERTIFICATE-----"))
        return tls_fail(error, HERALD_ERROR_TLS, "there is no certificate (PEM) in '%s'",
                        files->certificate);
    if (!holds(key, "PRIVATE KEY-----"))
        return tls_fail(error, HERALD_ERROR_TLS, "there is no private key (PEM) in '%s'",
                        files->key);
    return tls_fail(error, HERALD_ERROR_TLS,
                    "cannot use the certificate in '%s' with the key in '%s': %s",
                    files->certificate, files->key, gnutls_strerror(status));
}

static int load_pair(struct tls_identity *identity, const struct tls_certificate_files *files,
                     struct tls_error *error)
{
    gnutls_datum_t certificate = {0}, key = {0};
    int code = tls_read_file(files->certificate, "certificate file", &certificate, error);

    if (code == 0)
        code = tls_read_file(files->key, "key file", &key, error);
    if (code != 0)
        goto out;
    int status = gnutls_certificate_set_x509_key_mem2(identity->credentials, &certificate, &key,
                                                      GNUTLS_X509_FMT_PEM, files->password, 0);
    if (status == GNUTLS_E_CERTIFICATE_KEY_MISMATCH)
        code = tls_fail(error, HERALD_ERROR_TLS,
                        "the key in '%s' does not belong to the certificate in '%s'", files->key,
                        files->certificate);
    else if (status == GNUTLS_E_DECRYPTION_FAILED)
        code = tls_fail(error, HERALD_ERROR_TLS, "the key in '%s' needs %s password", files->key,
                        files->password == NULL ? "a" : "another");
    else if (status < 0)
        code = refuse_pair(files, &certificate, &key, status, error);
out:
    gnutls_free(certificate.data);
    if (key.data != NULL)
        gnutls_memset(key.data, 0, key.size);
    gnutls_free(key.data);
    return code;
}

static int load_identity(const struct tls_context *context, struct tls_identity *identity,
                         const struct tls_certificate_files *files, const gnutls_datum_t *ca,
                         struct tls_error *error)
{
    if (gnutls_certificate_allocate_credentials(&identity->credentials) != 0)
        return HERALD_ERROR_NOMEM;
    int code = load_pair(identity, files, error);
    if (code != 0)
        return code;
    if (ca->data != NULL) {
        int count =
            gnutls_certificate_set_x509_trust_mem(identity->credentials, ca, GNUTLS_X509_FMT_PEM);
        if (count <= 0)
            return tls_fail(error, HERALD_ERROR_TLS, "no CA certificate was found in '%s'",
                            context->ca_file);
    }
    return inspect_leaf(identity);
}

int tls_identities_load(const struct tls_context *context, struct tls_identities **result,
                        struct tls_error *error)
{
    gnutls_datum_t ca = {0};
    struct tls_identities *identities =
        calloc(1, sizeof(*identities) + context->file_count * sizeof(struct tls_identity));

    if (identities == NULL)
        return HERALD_ERROR_NOMEM;
    identities->references = 1;
    int code = 0;
    if (context->ca_file != NULL)
        code = tls_read_file(context->ca_file, "CA file", &ca, error);
    for (size_t i = 0; code == 0 && i < context->file_count; i++) {
        identities->count++;
        code = load_identity(context, &identities->items[i], &context->files[i], &ca, error);
    }
    gnutls_free(ca.data);
    if (code != 0) {
        tls_identities_release(identities);
        return code;
    }
    *result = identities;
    return 0;
}

/* A wildcard stands for exactly one label (RFC 6125 section 6.4.3). */
static bool matches_wildcard(const char *pattern, const char *name)
{
    const char *dot = strchr(name, '.');

    return pattern[0] == '*' && pattern[1] == '.' && dot != NULL && dot != name &&
           strcmp(pattern + 1, dot) == 0;
}

static bool identity_has(const struct tls_identity *identity, const char *name, bool wildcard)
{
    for (size_t i = 0; i < identity->name_count; i++) {
        if (wildcard ? matches_wildcard(identity->names[i], name)
                     : strcmp(identity->names[i], name) == 0)
            return true;
    }
    return false;
}

const struct tls_identity *tls_identities_find(const struct tls_identities *identities,
                                               const char *name)
{
    for (int wildcard = 0; wildcard <= 1; wildcard++) {
        for (size_t i = 0; i < identities->count; i++) {
            if (identity_has(&identities->items[i], name, wildcard != 0))
                return &identities->items[i];
        }
    }
    return NULL;
}
