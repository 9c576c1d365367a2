/* One X.509 certificate with a new ECDSA P-256 key. */
#ifndef NET_CERTIFICATE_MAKE_H
#define NET_CERTIFICATE_MAKE_H

#include "net/tls.h"
#include <gnutls/x509.h>

enum certificate_kind { CERTIFICATE_CA, CERTIFICATE_SERVER, CERTIFICATE_CLIENT };

struct certificate_spec {
    enum certificate_kind kind;
    const char *common_name;
    const char *const *hosts; /* names (also "*.example.org") and addresses */
    size_t host_count;
    int64_t from, until; /* seconds since 1970 */
};

struct certificate_pair {
    gnutls_x509_crt_t certificate;
    gnutls_x509_privkey_t key;
};

/* Signed by `issuer`, or by itself when NULL. Returns 0; HERALD_ERROR_INVALID for a host that is
 * neither a name nor an address, HERALD_ERROR_TLS, NOMEM. After an error `pair` is empty. */
int certificate_make(struct certificate_pair *pair, const struct certificate_spec *spec,
                     const struct certificate_pair *issuer, struct tls_error *error);
void certificate_pair_free(struct certificate_pair *pair);

/* PEM, to be freed with gnutls_free. 0 or negative. */
int certificate_export(gnutls_x509_crt_t certificate, gnutls_datum_t *pem);
int certificate_export_key(gnutls_x509_privkey_t key, gnutls_datum_t *pem);

/* A host name as a certificate may hold it: letters, digits, '-', '_', dots, at most one "*." in
 * front. */
bool certificate_is_name(const char *host);

#endif
