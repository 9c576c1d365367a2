#include "net/certificate_make.h"

#include "base/err.h"
#include "net/address.h"
#include "net/tls_private.h"
#include <arpa/inet.h>
#include <gnutls/crypto.h>
#include <string.h>

#define SERIAL_SIZE 16
#define KEY_ID_SIZE 20

bool certificate_is_name(const char *host)
{
    size_t label = 0;

    if (host[0] == '*' && host[1] == '.')
        host += 2;
    if (strlen(host) > 253)
        return false;
    for (const char *at = host; *at != '\0'; at++) {
        char c = *at;
        if (c == '.') {
            if (label == 0)
                return false;
            label = 0;
            continue;
        }
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '-' || c == '_') ||
            ++label > 63)
            return false;
    }
    return label > 0;
}

static int add_host(gnutls_x509_crt_t certificate, const char *host, struct tls_error *error)
{
    uint8_t address[16];
    int status;

    if (inet_pton(AF_INET, host, address) == 1)
        status = gnutls_x509_crt_set_subject_alt_name(certificate, GNUTLS_SAN_IPADDRESS, address, 4,
                                                      GNUTLS_FSAN_APPEND);
    else if (inet_pton(AF_INET6, host, address) == 1)
        status = gnutls_x509_crt_set_subject_alt_name(certificate, GNUTLS_SAN_IPADDRESS, address,
                                                      16, GNUTLS_FSAN_APPEND);
    else if (certificate_is_name(host))
        status = gnutls_x509_crt_set_subject_alt_name(certificate, GNUTLS_SAN_DNSNAME, host,
                                                      (unsigned)strlen(host), GNUTLS_FSAN_APPEND);
    else
        return tls_fail(error, HERALD_ERROR_INVALID,
                        "'%s' is neither a host name nor an IP address", host);
    return status == 0 ? 0 : HERALD_ERROR_NOMEM;
}

static int set_identity(gnutls_x509_crt_t certificate, const struct certificate_spec *spec,
                        struct tls_error *error)
{
    uint8_t serial[SERIAL_SIZE];

    if (gnutls_rnd(GNUTLS_RND_NONCE, serial, sizeof(serial)) != 0)
        return HERALD_ERROR_IO;
    serial[0] = (serial[0] & 0x7f) | 0x40; /* positive and of constant length */
    if (gnutls_x509_crt_set_version(certificate, 3) != 0 ||
        gnutls_x509_crt_set_serial(certificate, serial, sizeof(serial)) != 0 ||
        gnutls_x509_crt_set_activation_time(certificate, (time_t)spec->from) != 0 ||
        gnutls_x509_crt_set_expiration_time(certificate, (time_t)spec->until) != 0 ||
        gnutls_x509_crt_set_dn_by_oid(certificate, GNUTLS_OID_X520_ORGANIZATION_NAME, 0,
                                      "Herald development", strlen("Herald development")) != 0 ||
        gnutls_x509_crt_set_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME, 0,
                                      spec->common_name, (unsigned)strlen(spec->common_name)) != 0)
        return HERALD_ERROR_NOMEM;
    for (size_t i = 0; i < spec->host_count; i++) {
        int code = add_host(certificate, spec->hosts[i], error);
        if (code != 0)
            return code;
    }
    return 0;
}

static int set_purpose(gnutls_x509_crt_t certificate, enum certificate_kind kind)
{
    const char *purpose =
        kind == CERTIFICATE_CLIENT ? GNUTLS_KP_TLS_WWW_CLIENT : GNUTLS_KP_TLS_WWW_SERVER;
    int status;

    if (kind == CERTIFICATE_CA) {
        status = gnutls_x509_crt_set_basic_constraints(certificate, 1, 0);
        if (status == 0)
            status = gnutls_x509_crt_set_key_usage(certificate,
                                                   GNUTLS_KEY_KEY_CERT_SIGN | GNUTLS_KEY_CRL_SIGN);
    } else {
        status = gnutls_x509_crt_set_basic_constraints(certificate, 0, -1);
        if (status == 0)
            status = gnutls_x509_crt_set_key_usage(certificate, GNUTLS_KEY_DIGITAL_SIGNATURE);
        if (status == 0)
            status = gnutls_x509_crt_set_key_purpose_oid(certificate, purpose, 0);
    }
    return status == 0 ? 0 : HERALD_ERROR_NOMEM;
}

static int set_key_ids(gnutls_x509_crt_t certificate, gnutls_x509_crt_t issuer)
{
    uint8_t id[KEY_ID_SIZE];
    size_t length = sizeof(id);

    if (gnutls_x509_crt_get_key_id(certificate, 0, id, &length) != 0 ||
        gnutls_x509_crt_set_subject_key_id(certificate, id, length) != 0)
        return HERALD_ERROR_TLS;
    if (issuer == NULL)
        return 0;
    length = sizeof(id);
    if (gnutls_x509_crt_get_subject_key_id(issuer, id, &length, NULL) != 0)
        return 0;
    return gnutls_x509_crt_set_authority_key_id(certificate, id, length) == 0 ? 0
                                                                              : HERALD_ERROR_TLS;
}

static int make_key(struct certificate_pair *pair)
{
    if (gnutls_x509_privkey_init(&pair->key) != 0)
        return HERALD_ERROR_NOMEM;
    if (gnutls_x509_privkey_generate(pair->key, GNUTLS_PK_ECDSA,
                                     GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0) != 0)
        return HERALD_ERROR_TLS;
    return 0;
}

int certificate_make(struct certificate_pair *pair, const struct certificate_spec *spec,
                     const struct certificate_pair *issuer, struct tls_error *error)
{
    *pair = (struct certificate_pair){0};
    int code = make_key(pair);
    if (code != 0)
        goto failed;
    code = HERALD_ERROR_NOMEM;
    if (gnutls_x509_crt_init(&pair->certificate) != 0 ||
        gnutls_x509_crt_set_key(pair->certificate, pair->key) != 0)
        goto failed;
    code = set_identity(pair->certificate, spec, error);
    if (code == 0)
        code = set_purpose(pair->certificate, spec->kind);
    if (code == 0)
        code = set_key_ids(pair->certificate, issuer == NULL ? NULL : issuer->certificate);
    if (code != 0)
        goto failed;
    if (issuer == NULL)
        issuer = pair;
    if (gnutls_x509_crt_sign2(pair->certificate, issuer->certificate, issuer->key,
                              GNUTLS_DIG_SHA256, 0) == 0)
        return 0;
    code = tls_fail(error, HERALD_ERROR_TLS, "cannot sign the certificate");
failed:
    certificate_pair_free(pair);
    return code;
}

void certificate_pair_free(struct certificate_pair *pair)
{
    if (pair->certificate != NULL)
        gnutls_x509_crt_deinit(pair->certificate);
    if (pair->key != NULL)
        gnutls_x509_privkey_deinit(pair->key);
    *pair = (struct certificate_pair){0};
}

int certificate_export(gnutls_x509_crt_t certificate, gnutls_datum_t *pem)
{
    return gnutls_x509_crt_export2(certificate, GNUTLS_X509_FMT_PEM, pem) == 0 ? 0
                                                                               : HERALD_ERROR_NOMEM;
}

int certificate_export_key(gnutls_x509_privkey_t key, gnutls_datum_t *pem)
{
    return gnutls_x509_privkey_export2_pkcs8(key, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN,
                                             pem) == 0
               ? 0
               : HERALD_ERROR_NOMEM;
}
