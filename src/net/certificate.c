#include "net/certificate.h"

#include "base/err.h"
#include "net/address.h"
#include "net/certificate_make.h"
#include "net/tls_private.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define DAY           INT64_C(86400)
#define CA_LIFE       (3650 * DAY)
#define LEAF_LIFE     (397 * DAY) /* what browsers accept at most is 398 days */
#define LEAF_RENEWAL  (7 * DAY)
#define CLOCK_SLACK   DAY /* other machines' clocks may be behind */
#define HOSTS_MAXIMUM 128

static const char *const own_hosts[] = {"localhost", "127.0.0.1", "::1"};
#define OWN_HOSTS (sizeof(own_hosts) / sizeof(own_hosts[0]))

static int join(char target[CERTIFICATE_PATH_SIZE], const char *directory, const char *name)
{
    int length = snprintf(target, CERTIFICATE_PATH_SIZE, "%s/%s", directory, name);

    return length >= 0 && length < CERTIFICATE_PATH_SIZE ? 0 : HERALD_ERROR_LIMIT;
}

static int find_directory(const char *directory, char target[CERTIFICATE_PATH_SIZE])
{
    const char *data = getenv("XDG_DATA_HOME");
    const char *home = getenv("HOME");

    if (directory != NULL) {
        int length = snprintf(target, CERTIFICATE_PATH_SIZE, "%s", directory);
        return length < CERTIFICATE_PATH_SIZE ? 0 : HERALD_ERROR_LIMIT;
    }
    /* The base directory specification: a relative path is to be ignored. */
    if (data != NULL && data[0] == '/')
        return join(target, data, "herald");
    if (home == NULL || home[0] != '/')
        return HERALD_ERROR_NOT_FOUND;
    return join(target, home, ".local/share/herald");
}

int certificate_find(const char *directory, struct certificate_paths *paths)
{
    int code = find_directory(directory, paths->directory);

    if (code == 0)
        code = join(paths->ca_certificate, paths->directory, "ca.pem");
    if (code == 0)
        code = join(paths->ca_key, paths->directory, "ca-key.pem");
    if (code == 0)
        code = join(paths->leaf_certificate, paths->directory, "cert.pem");
    if (code == 0)
        code = join(paths->leaf_key, paths->directory, "key.pem");
    return code;
}

static int make_directories(const char *path, struct tls_error *error)
{
    char partial[CERTIFICATE_PATH_SIZE];
    size_t length = strlen(path);

    for (size_t i = 1; i <= length; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        memcpy(partial, path, i);
        partial[i] = '\0';
        if (mkdir(partial, 0700) != 0 && errno != EEXIST)
            return tls_fail(error, HERALD_ERROR_IO, "cannot make the folder '%s': %s", partial,
                            strerror(errno));
    }
    return 0;
}

static int write_all(int descriptor, const void *data, size_t length)
{
    const char *at = data;

    while (length > 0) {
        ssize_t count = write(descriptor, at, length);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return -1;
        at += count;
        length -= (size_t)count;
    }
    return 0;
}

/* A reader sees the old file or the new one, never half of it. */
static int write_file(const char *path, mode_t mode, const gnutls_datum_t *parts, size_t count,
                      struct tls_error *error)
{
    char temporary[CERTIFICATE_PATH_SIZE + 16];
    int failed = 0;

    snprintf(temporary, sizeof(temporary), "%s.XXXXXX", path);
    int descriptor = mkostemp(temporary, O_CLOEXEC);
    if (descriptor < 0)
        return tls_fail(error, HERALD_ERROR_IO, "cannot write '%s': %s", path, strerror(errno));
    for (size_t i = 0; i < count && failed == 0; i++)
        failed = write_all(descriptor, parts[i].data, parts[i].size);
    if (failed == 0)
        failed = fchmod(descriptor, mode);
    if (failed == 0)
        failed = fsync(descriptor);
    int number = errno;
    if (close(descriptor) != 0 && failed == 0) {
        failed = -1;
        number = errno;
    }
    if (failed == 0 && rename(temporary, path) != 0) {
        failed = -1;
        number = errno;
    }
    if (failed == 0)
        return 0;
    unlink(temporary);
    return tls_fail(error, HERALD_ERROR_IO, "cannot write '%s': %s", path, strerror(number));
}

static int save(const struct certificate_pair *pair, const struct certificate_pair *issuer,
                const char *certificate_path, const char *key_path, struct tls_error *error)
{
    gnutls_datum_t chain[2] = {{0}}, key = {0};
    size_t count = issuer == NULL ? 1 : 2;
    int code = certificate_export(pair->certificate, &chain[0]);

    if (code == 0 && issuer != NULL)
        code = certificate_export(issuer->certificate, &chain[1]);
    if (code == 0)
        code = certificate_export_key(pair->key, &key);
    if (code == 0)
        code = write_file(key_path, 0600, &key, 1, error);
    if (code == 0)
        code = write_file(certificate_path, 0644, chain, count, error);
    gnutls_free(chain[0].data);
    gnutls_free(chain[1].data);
    if (key.data != NULL)
        gnutls_memset(key.data, 0, key.size);
    gnutls_free(key.data);
    return code;
}

/* Both files there and belonging together; anything else counts as absent. */
static bool load(struct certificate_pair *pair, const char *certificate_path, const char *key_path)
{
    gnutls_datum_t certificate = {0}, key = {0};
    uint8_t ids[2][64];
    size_t lengths[2] = {sizeof(ids[0]), sizeof(ids[1])};
    bool loaded = false;

    *pair = (struct certificate_pair){0};
    if (tls_read_file(certificate_path, "certificate", &certificate, NULL) != 0 ||
        tls_read_file(key_path, "key", &key, NULL) != 0)
        goto out;
    if (gnutls_x509_crt_init(&pair->certificate) != 0 ||
        gnutls_x509_privkey_init(&pair->key) != 0 ||
        gnutls_x509_crt_import(pair->certificate, &certificate, GNUTLS_X509_FMT_PEM) != 0 ||
        gnutls_x509_privkey_import(pair->key, &key, GNUTLS_X509_FMT_PEM) != 0)
        goto out;
    loaded = gnutls_x509_crt_get_key_id(pair->certificate, 0, ids[0], &lengths[0]) == 0 &&
             gnutls_x509_privkey_get_key_id(pair->key, 0, ids[1], &lengths[1]) == 0 &&
             lengths[0] == lengths[1] && memcmp(ids[0], ids[1], lengths[0]) == 0;
out:
    if (!loaded)
        certificate_pair_free(pair);
    gnutls_free(certificate.data);
    if (key.data != NULL)
        gnutls_memset(key.data, 0, key.size);
    gnutls_free(key.data);
    return loaded;
}

static bool lives(gnutls_x509_crt_t certificate, int64_t now, int64_t reserve)
{
    return gnutls_x509_crt_get_activation_time(certificate) <= now &&
           gnutls_x509_crt_get_expiration_time(certificate) > now + reserve;
}

static bool leaf_fits(const struct certificate_pair *leaf, const struct certificate_pair *ca,
                      const char *const *hosts, size_t count, int64_t now)
{
    unsigned status = 0;

    if (!lives(leaf->certificate, now, LEAF_RENEWAL) ||
        gnutls_x509_crt_verify(leaf->certificate, &ca->certificate, 1, 0, &status) != 0 ||
        status != 0)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!gnutls_x509_crt_check_hostname(leaf->certificate, hosts[i]))
            return false;
    }
    return true;
}

static int ensure_ca(const struct certificate_request *request, struct certificate_result *result,
                     struct certificate_pair *ca, int64_t now, struct tls_error *error)
{
    const struct certificate_paths *paths = &result->paths;
    char name[96] = "Herald development CA";

    if (!request->force && load(ca, paths->ca_certificate, paths->ca_key)) {
        if (lives(ca->certificate, now, LEAF_LIFE))
            return 0;
        certificate_pair_free(ca);
    }
    /* Told apart in a browser's list by the machine. */
    char machine[64] = "";
    if (gethostname(machine, sizeof(machine) - 1) == 0 && machine[0] != '\0')
        snprintf(name, sizeof(name), "Herald development CA (%.40s)", machine);
    struct certificate_spec spec = {
        .kind = CERTIFICATE_CA,
        .common_name = name,
        .from = now - CLOCK_SLACK,
        .until = now + CA_LIFE,
    };
    int code = certificate_make(ca, &spec, NULL, error);
    if (code == 0)
        code = save(ca, NULL, paths->ca_certificate, paths->ca_key, error);
    result->made_ca = code == 0;
    return code;
}

static int ensure_leaf(const struct certificate_request *request, struct certificate_result *result,
                       const struct certificate_pair *ca, int64_t now, struct tls_error *error)
{
    const struct certificate_paths *paths = &result->paths;
    struct certificate_pair leaf;
    const char *hosts[HOSTS_MAXIMUM];
    size_t count = 0;

    if (request->host_count > HOSTS_MAXIMUM - OWN_HOSTS)
        return tls_fail(error, HERALD_ERROR_INVALID, "more than %zu hosts",
                        HOSTS_MAXIMUM - OWN_HOSTS);
    for (size_t i = 0; i < OWN_HOSTS; i++)
        hosts[count++] = own_hosts[i];
    for (size_t i = 0; i < request->host_count; i++)
        hosts[count++] = request->hosts[i];
    if (!request->force && !result->made_ca &&
        load(&leaf, paths->leaf_certificate, paths->leaf_key)) {
        bool fits = leaf_fits(&leaf, ca, hosts, count, now);
        result->leaf_expires = gnutls_x509_crt_get_expiration_time(leaf.certificate);
        certificate_pair_free(&leaf);
        if (fits)
            return 0;
    }
    struct certificate_spec spec = {
        .kind = CERTIFICATE_SERVER,
        .common_name = "localhost",
        .hosts = hosts,
        .host_count = count,
        .from = now - CLOCK_SLACK,
        .until = now - CLOCK_SLACK + LEAF_LIFE,
    };
    int code = certificate_make(&leaf, &spec, ca, error);
    if (code == 0)
        code = save(&leaf, ca, paths->leaf_certificate, paths->leaf_key, error);
    certificate_pair_free(&leaf);
    result->made_leaf = code == 0;
    result->leaf_expires = spec.until;
    return code;
}

static int check_hosts(const struct certificate_request *request, struct tls_error *error)
{
    for (size_t i = 0; i < request->host_count; i++) {
        if (!address_is_numeric(request->hosts[i]) && !certificate_is_name(request->hosts[i]))
            return tls_fail(error, HERALD_ERROR_INVALID,
                            "'%s' is neither a host name nor an IP address", request->hosts[i]);
    }
    return 0;
}

/* Two processes may start at once: the second one finds what the first has made. */
static int lock_directory(const char *directory)
{
    int descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (descriptor >= 0)
        flock(descriptor, LOCK_EX);
    return descriptor;
}

int certificate_ensure(const struct certificate_request *request, struct certificate_result *result,
                       struct tls_error *error)
{
    struct certificate_pair ca = {0};
    int64_t now = time(NULL);

    *result = (struct certificate_result){0};
    int code = check_hosts(request, error);
    if (code != 0)
        return code;
    code = certificate_find(request->directory, &result->paths);
    if (code != 0)
        return tls_fail(error, code,
                        code == HERALD_ERROR_LIMIT
                            ? "the path of the certificate folder is too long"
                            : "there is no home folder for certificates: set HOME or "
                              "XDG_DATA_HOME, or name a folder");
    code = make_directories(result->paths.directory, error);
    if (code != 0)
        return code;
    int lock = lock_directory(result->paths.directory);
    code = ensure_ca(request, result, &ca, now, error);
    if (code == 0) {
        result->ca_expires = gnutls_x509_crt_get_expiration_time(ca.certificate);
        code = ensure_leaf(request, result, &ca, now, error);
    }
    certificate_pair_free(&ca);
    if (lock >= 0)
        close(lock);
    return code;
}
