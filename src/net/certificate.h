/* The development CA and the leaf it signs: ECDSA P-256, in a folder of the user's, so that `serve`
 * works over TLS without any preparation and browsers need to trust one file once. */
#ifndef NET_CERTIFICATE_H
#define NET_CERTIFICATE_H

#include "net/tls.h"
#include <stdbool.h>
#include <stddef.h>

#define CERTIFICATE_PATH_SIZE 4096

struct certificate_paths {
    char directory[CERTIFICATE_PATH_SIZE];
    char ca_certificate[CERTIFICATE_PATH_SIZE];   /* ca.pem */
    char ca_key[CERTIFICATE_PATH_SIZE];           /* ca-key.pem, mode 0600 */
    char leaf_certificate[CERTIFICATE_PATH_SIZE]; /* cert.pem: the leaf, then the CA */
    char leaf_key[CERTIFICATE_PATH_SIZE];         /* key.pem, mode 0600 */
};

struct certificate_request {
    const char *directory;    /* NULL: $XDG_DATA_HOME/herald, else ~/.local/share/herald */
    const char *const *hosts; /* names and addresses beside localhost, 127.0.0.1 and ::1 */
    size_t host_count;
    bool force; /* new files even where valid ones are there */
};

/* Which of the files certificate_ensure made. */
struct certificate_result {
    struct certificate_paths paths;
    bool made_ca, made_leaf;
    int64_t leaf_expires, ca_expires; /* seconds since 1970 */
};

/* The paths without touching the disk. 0; HERALD_ERROR_NOT_FOUND when there is no home folder;
 * HERALD_ERROR_LIMIT when a path is too long. `directory` may be NULL. */
int certificate_find(const char *directory, struct certificate_paths *paths);

/* Makes what is missing, expired (a leaf: within 7 days), not signed by our CA, or does not name
 * all of the hosts. The CA lives 10 years and may sign end entities only, the leaf 397 days. Files
 * are written to a temporary name and renamed. Returns 0; HERALD_ERROR_IO, _TLS, _INVALID (a host
 * that is neither name nor address) with `error` filled; HERALD_ERROR_NOMEM. */
int certificate_ensure(const struct certificate_request *request, struct certificate_result *result,
                       struct tls_error *error);

#endif
