#include "rig.h"

#include "net/certificate.h"
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void make(const char *directory, const char *const *hosts, size_t count, bool force,
                 struct certificate_result *result)
{
    struct certificate_request request = {
        .directory = directory, .hosts = hosts, .host_count = count, .force = force};
    struct tls_error error = {{0}};

    if (certificate_ensure(&request, result, &error) != 0)
        fail_msg("%s", error.text);
}

static mode_t mode_of(const char *path)
{
    struct stat status;

    assert_int_equal(stat(path, &status), 0);
    return status.st_mode & 0777;
}

static gnutls_x509_crt_t read_certificate(const char *path)
{
    gnutls_x509_crt_t certificate;
    gnutls_datum_t pem;

    assert_int_equal(gnutls_load_file(path, &pem), 0);
    gnutls_x509_crt_init(&certificate);
    assert_int_equal(gnutls_x509_crt_import(certificate, &pem, GNUTLS_X509_FMT_PEM), 0);
    gnutls_free(pem.data);
    return certificate;
}

static void made_once_and_kept(void **state)
{
    struct certificate_result first, second;
    char directory[64];

    (void)state;
    rig_make_directory(directory);
    make(directory, NULL, 0, false, &first);
    assert_true(first.made_ca && first.made_leaf);
    assert_int_equal(mode_of(first.paths.ca_key), 0600);
    assert_int_equal(mode_of(first.paths.leaf_key), 0600);
    make(directory, NULL, 0, false, &second);
    assert_false(second.made_ca || second.made_leaf);
    assert_int_equal(first.leaf_expires, second.leaf_expires);
    assert_int_equal(first.ca_expires, second.ca_expires);
    make(directory, NULL, 0, true, &second);
    assert_true(second.made_ca && second.made_leaf);
    rig_remove_directory(directory);
}

static void the_leaf_is_what_browsers_take(void **state)
{
    struct certificate_result result;
    char directory[64];
    unsigned status, critical, usage, is_ca;
    char purpose[64];
    size_t length = sizeof(purpose);
    int path_length;

    (void)state;
    rig_make_directory(directory);
    make(directory, NULL, 0, false, &result);
    gnutls_x509_crt_t leaf = read_certificate(result.paths.leaf_certificate);
    gnutls_x509_crt_t ca = read_certificate(result.paths.ca_certificate);
    assert_int_equal(gnutls_x509_crt_verify(leaf, &ca, 1, 0, &status), 0);
    assert_int_equal(status, 0);
    assert_true(gnutls_x509_crt_check_hostname(leaf, "localhost"));
    assert_true(gnutls_x509_crt_check_hostname(leaf, "127.0.0.1"));
    assert_true(gnutls_x509_crt_check_hostname(leaf, "::1"));
    assert_false(gnutls_x509_crt_check_hostname(leaf, "example.org"));
    time_t life =
        gnutls_x509_crt_get_expiration_time(leaf) - gnutls_x509_crt_get_activation_time(leaf);
    assert_int_equal(life, 397 * 86400);
    assert_in_range(gnutls_x509_crt_get_expiration_time(ca) - time(NULL), 3649 * 86400,
                    3651 * 86400);
    assert_int_equal(gnutls_x509_crt_get_basic_constraints(ca, &critical, &is_ca, &path_length), 1);
    assert_int_equal(path_length, 0);
    assert_int_equal(gnutls_x509_crt_get_key_usage(leaf, &usage, &critical), 0);
    assert_int_equal(usage, GNUTLS_KEY_DIGITAL_SIGNATURE);
    assert_int_equal(gnutls_x509_crt_get_key_purpose_oid(leaf, 0, purpose, &length, &critical), 0);
    assert_string_equal(purpose, GNUTLS_KP_TLS_WWW_SERVER);
    assert_int_equal(gnutls_x509_crt_get_signature_algorithm(leaf), GNUTLS_SIGN_ECDSA_SHA256);
    gnutls_x509_crt_deinit(leaf);
    gnutls_x509_crt_deinit(ca);
    rig_remove_directory(directory);
}

static void more_hosts_make_a_new_leaf_from_the_same_ca(void **state)
{
    static const char *const hosts[] = {"dev.example.org", "*.dev.example.org", "192.0.2.7",
                                        "2001:db8::7"};
    static const char *const bad[] = {"not a host", "-", "a..b", "http://x", "", "*"};
    struct certificate_result result;
    struct tls_error error;
    char directory[64];

    (void)state;
    rig_make_directory(directory);
    make(directory, NULL, 0, false, &result);
    make(directory, hosts, 4, false, &result);
    assert_true(!result.made_ca && result.made_leaf);
    gnutls_x509_crt_t leaf = read_certificate(result.paths.leaf_certificate);
    assert_true(gnutls_x509_crt_check_hostname(leaf, "any.dev.example.org"));
    assert_true(gnutls_x509_crt_check_hostname(leaf, "192.0.2.7"));
    gnutls_x509_crt_deinit(leaf);
    make(directory, hosts, 4, false, &result);
    assert_false(result.made_leaf);
    make(directory, NULL, 0, false, &result);
    assert_false(result.made_leaf);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct certificate_request request = {
            .directory = directory, .hosts = &bad[i], .host_count = 1};
        if (strcmp(bad[i], "-") == 0)
            continue;
        assert_int_equal(certificate_ensure(&request, &result, &error), HERALD_ERROR_INVALID);
        assert_non_null(strstr(error.text, "neither a host name nor an IP address"));
    }
    rig_remove_directory(directory);
}

static void damaged_files_are_replaced(void **state)
{
    struct certificate_result result;
    char directory[64];

    (void)state;
    rig_make_directory(directory);
    make(directory, NULL, 0, false, &result);
    assert_int_equal(truncate(result.paths.leaf_certificate, 100), 0);
    make(directory, NULL, 0, false, &result);
    assert_true(!result.made_ca && result.made_leaf);
    assert_int_equal(unlink(result.paths.ca_key), 0);
    make(directory, NULL, 0, false, &result);
    assert_true(result.made_ca && result.made_leaf);
    rig_remove_directory(directory);
}

static void a_leaf_near_its_end_is_renewed(void **state)
{
    static const char *const hosts[] = {"localhost", "127.0.0.1", "::1"};
    struct certificate_result result;
    struct certificate_pair ca, leaf;
    char directory[64];
    int64_t now = time(NULL);
    struct certificate_spec spec = {
        .kind = CERTIFICATE_CA, .common_name = "CA", .from = now - 60, .until = now + 1000 * 86400};

    (void)state;
    rig_make_directory(directory);
    rig_write_pair(directory, "ca", &ca, &spec, NULL);
    spec.kind = CERTIFICATE_SERVER;
    spec.hosts = hosts;
    spec.host_count = 3;
    spec.until = now + 6 * 86400;
    rig_write_pair(directory, "cert", &leaf, &spec, &ca);
    char from[128];
    snprintf(from, sizeof(from), "%s/cert-key.pem", directory);
    assert_int_equal(rename(from, rig_path(directory, "key.pem")), 0);
    make(directory, NULL, 0, false, &result);
    assert_true(!result.made_ca && result.made_leaf);
    certificate_pair_free(&ca);
    certificate_pair_free(&leaf);
    rig_remove_directory(directory);
}

static void folders(void **state)
{
    struct certificate_paths paths;
    struct certificate_result result;
    struct tls_error error;
    char home[4096], data[4096];

    (void)state;
    snprintf(home, sizeof(home), "%s", getenv("HOME") != NULL ? getenv("HOME") : "");
    snprintf(data, sizeof(data), "%s",
             getenv("XDG_DATA_HOME") != NULL ? getenv("XDG_DATA_HOME") : "");
    setenv("HOME", "/home/somebody", 1);
    setenv("XDG_DATA_HOME", "relative", 1);
    assert_int_equal(certificate_find(NULL, &paths), 0);
    assert_string_equal(paths.ca_certificate, "/home/somebody/.local/share/herald/ca.pem");
    setenv("XDG_DATA_HOME", "/data", 1);
    assert_int_equal(certificate_find(NULL, &paths), 0);
    assert_string_equal(paths.leaf_key, "/data/herald/key.pem");
    assert_int_equal(certificate_find("/x", &paths), 0);
    assert_string_equal(paths.leaf_certificate, "/x/cert.pem");
    unsetenv("XDG_DATA_HOME");
    unsetenv("HOME");
    assert_int_equal(certificate_find(NULL, &paths), HERALD_ERROR_NOT_FOUND);
    struct certificate_request request = {.directory = "/proc/nothing/here"};
    assert_int_equal(certificate_ensure(&request, &result, &error), HERALD_ERROR_IO);
    assert_non_null(strstr(error.text, "cannot make the folder '/proc/nothing'"));
    if (home[0] != '\0')
        setenv("HOME", home, 1);
    if (data[0] != '\0')
        setenv("XDG_DATA_HOME", data, 1);
}

static void missing_folders_are_made(void **state)
{
    struct certificate_result result;
    char directory[64], nested[128], middle[96];

    (void)state;
    rig_make_directory(directory);
    snprintf(middle, sizeof(middle), "%s/a", directory);
    snprintf(nested, sizeof(nested), "%s/b", middle);
    make(nested, NULL, 0, false, &result);
    assert_int_equal(mode_of(nested), 0700);
    rig_remove_directory(nested);
    rig_remove_directory(middle);
    rig_remove_directory(directory);
}

/* The pair serves a client that trusts the CA through the user's folder alone. */
static void loopback_clients_trust_the_development_ca(void **state)
{
    struct certificate_result result;
    char directory[64], data[128];
    struct tls_client_config trusting = {.no_system_trust = true};
    struct tls_client_config wary = {.no_system_trust = true, .no_development_trust = true};
    struct tls_context *contexts[2];

    (void)state;
    rig_make_directory(directory);
    snprintf(data, sizeof(data), "%s/herald", directory);
    setenv("XDG_DATA_HOME", directory, 1);
    make(NULL, NULL, 0, false, &result);
    assert_int_equal(tls_context_create_client(&contexts[0], &trusting, NULL), 0);
    assert_int_equal(tls_context_create_client(&contexts[1], &wary, NULL), 0);
    struct tls_certificate_files files = {result.paths.leaf_certificate, result.paths.leaf_key,
                                          NULL};
    struct tls_server_config config = {.certificates = &files, .certificate_count = 1};
    struct rig_options options = {.tls = true, .tls_config = &config};
    struct rig rig;
    rig_start(&rig, &options);
    for (unsigned i = 0; i < 2; i++) {
        struct rig_client client = {0};
        struct link_target target = rig_target(&rig, contexts[i]);
        target.host = "localhost";
        rig_connect(&client, &rig, &target);
        RIG_WAIT(&rig, client.opened + client.closed > 0);
        assert_int_equal(client.opened, i == 0);
        rig_client_free(&client);
    }
    rig_stop(&rig);
    tls_context_release(contexts[0]);
    tls_context_release(contexts[1]);
    rig_remove_directory(data);
    rig_remove_directory(directory);
    unsetenv("XDG_DATA_HOME");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(made_once_and_kept),
        cmocka_unit_test(the_leaf_is_what_browsers_take),
        cmocka_unit_test(more_hosts_make_a_new_leaf_from_the_same_ca),
        cmocka_unit_test(damaged_files_are_replaced),
        cmocka_unit_test(a_leaf_near_its_end_is_renewed),
        cmocka_unit_test(folders),
        cmocka_unit_test(missing_folders_are_made),
        cmocka_unit_test(loopback_clients_trust_the_development_ca),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
