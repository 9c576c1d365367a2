#include "rig.h"

#include "net/tls_session.h"
#include "support/random.h"
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

struct tls_rig {
    struct rig rig;
    struct tls_context *client;
};

static void start(struct tls_rig *t, const struct rig_options *options)
{
    struct rig_options with_tls = options != NULL ? *options : (struct rig_options){0};

    with_tls.tls = true;
    rig_start(&t->rig, &with_tls);
    t->client = rig_client_context(t->rig.directory);
}

static void stop(struct tls_rig *t)
{
    tls_context_release(t->client);
    rig_stop(&t->rig);
}

static void settle(struct rig *rig, struct rig_client *client)
{
    RIG_WAIT(rig, client->opened + client->closed > 0);
}

static void handshake_and_echo(void **state)
{
    struct tls_rig t;
    struct rig_client client = {0};

    (void)state;
    start(&t, NULL);
    struct link_target target = rig_target(&t.rig, t.client);
    target.host = "localhost";
    rig_connect(&client, &t.rig, &target);
    settle(&t.rig, &client);
    assert_string_equal(client.error, "");
    assert_string_equal(client.alpn, "h2");
    assert_string_equal(client.version, "TLS1.3");
    assert_string_equal(client.cipher, "TLS_AES_128_GCM_SHA256");
    fake_conn_send(client.conn, "hello");
    RIG_WAIT(&t.rig, client.conn->received == 5);
    assert_string_equal(t.rig.server_alpn, "h2");
    assert_string_equal(t.rig.seen_name, "localhost");
    assert_string_equal(t.rig.seen_version, "TLS1.3");
    assert_int_equal(t.rig.seen.tls_version_number, 0x0304);
    assert_int_equal(t.rig.seen.tls_cipher_number, 0x1301);
    assert_string_equal(t.rig.seen.scheme, "https");
    link_shutdown(client.link);
    RIG_WAIT(&t.rig, client.closed == 1 && t.rig.closed == 1);
    assert_int_equal(client.reason, 0);
    assert_int_equal(t.rig.server_reason, 0);
    rig_client_free(&client);
    stop(&t);
}

static struct tls_context *client_with(const struct tls_rig *t, const char *priorities)
{
    char ca[128];
    struct tls_client_config config = {
        .ca_file = ca,
        .no_system_trust = true,
        .no_development_trust = true,
        .priorities = priorities,
    };
    struct tls_context *context = NULL;

    snprintf(ca, sizeof(ca), "%s/ca.pem", t->rig.directory);
    assert_int_equal(tls_context_create_client(&context, &config, NULL), 0);
    return context;
}

static void tls12_needs_ephemeral_keys_and_aead(void **state)
{
    static const struct {
        const char *priorities;
        const char *cipher; /* NULL: refused */
        uint16_t number;
    } cases[] = {
        {"NORMAL:-VERS-ALL:+VERS-TLS1.2", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", 0xc02b},
        {"NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+CHACHA20-POLY1305",
         "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", 0xcca9},
        {"NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+AES-128-CBC", NULL, 0},
        {"NORMAL:-VERS-ALL:+VERS-TLS1.1", NULL, 0},
        {"NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+DHE-RSA", NULL, 0},
        {"NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+AES-256-GCM", "TLS_AES_256_GCM_SHA384",
         0x1302},
    };
    struct tls_rig t;

    (void)state;
    start(&t, NULL);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct rig_client client = {0};
        struct tls_context *context = client_with(&t, cases[i].priorities);
        struct link_target target = rig_target(&t.rig, context);
        unsigned failed = t.rig.failed;
        rig_connect(&client, &t.rig, &target);
        settle(&t.rig, &client);
        if (cases[i].cipher != NULL) {
            assert_string_equal(client.cipher, cases[i].cipher);
            RIG_WAIT(&t.rig, t.rig.accepted != NULL);
            assert_int_equal(t.rig.seen.tls_cipher_number, cases[i].number);
        } else {
            assert_int_equal(client.opened, 0);
            assert_int_equal(client.reason, HERALD_ERROR_TLS);
            RIG_WAIT(&t.rig, t.rig.failed == failed + 1);
        }
        rig_client_free(&client);
        RIG_WAIT(&t.rig, t.rig.server.link_count == 0);
        tls_context_release(context);
    }
    stop(&t);
}

static void alpn(void **state)
{
    static const char *const both[] = {"http/1.1", "h2"};
    static const char *const old[] = {"http/1.1"};
    static const char *const foreign[] = {"smtp", "imap"};
    static const struct {
        const char *const *offered;
        size_t count;
        const char *chosen; /* NULL: the handshake fails */
    } cases[] = {{both, 2, "h2"}, {old, 1, "http/1.1"}, {NULL, 0, "http/1.1"}, {foreign, 2, NULL}};
    struct tls_rig t;

    (void)state;
    start(&t, NULL);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct rig_client client = {0};
        struct link_target target = rig_target(&t.rig, t.client);
        target.alpn = cases[i].offered;
        target.alpn_count = cases[i].count;
        unsigned opened = t.rig.opened;
        rig_connect(&client, &t.rig, &target);
        settle(&t.rig, &client);
        if (cases[i].chosen != NULL) {
            RIG_WAIT(&t.rig, t.rig.opened == opened + 1);
            assert_string_equal(client.alpn, cases[i].chosen);
            assert_string_equal(t.rig.server_alpn, cases[i].chosen);
        } else {
            assert_int_equal(client.opened, 0);
            assert_string_equal(client.error,
                                "the peer sent the TLS alert 'No supported application "
                                "protocol could be negotiated'");
            RIG_WAIT(&t.rig, t.rig.failed == 1);
            assert_int_equal(t.rig.opened, opened);
        }
        rig_client_free(&client);
        RIG_WAIT(&t.rig, t.rig.server.link_count == 0);
    }
    stop(&t);
}

struct pairs {
    struct certificate_pair ca;
    char directory[64];
    char paths[3][2][128];
    struct tls_certificate_files files[3];
};

static void make_named(struct pairs *pairs, unsigned index, const char *name,
                       const char *const *hosts, size_t count, int64_t from, int64_t until)
{
    struct certificate_spec spec = {
        .kind = CERTIFICATE_SERVER,
        .common_name = name,
        .hosts = hosts,
        .host_count = count,
        .from = from,
        .until = until,
    };
    struct certificate_pair pair;

    rig_write_pair(pairs->directory, name, &pair, &spec, &pairs->ca);
    certificate_pair_free(&pair);
    char directory[64];
    memcpy(directory, pairs->directory, sizeof(directory));
    snprintf(pairs->paths[index][0], 128, "%s/%s.pem", directory, name);
    snprintf(pairs->paths[index][1], 128, "%s/%s-key.pem", directory, name);
    pairs->files[index] =
        (struct tls_certificate_files){pairs->paths[index][0], pairs->paths[index][1], NULL};
}

static void make_pairs(struct pairs *pairs)
{
    static const char *const first[] = {"localhost", "127.0.0.1"};
    static const char *const second[] = {"exact.example.org"};
    static const char *const third[] = {"*.example.org", "OTHER.example.com"};
    int64_t now = time(NULL);

    rig_make_directory(pairs->directory);
    rig_make_certificates(pairs->directory, &pairs->ca);
    make_named(pairs, 0, "first", first, 2, now - 60, now + 3600);
    make_named(pairs, 1, "second", second, 1, now - 60, now + 3600);
    make_named(pairs, 2, "third", third, 2, now - 60, now + 3600);
}

static void free_pairs(struct pairs *pairs)
{
    certificate_pair_free(&pairs->ca);
    rig_remove_directory(pairs->directory);
}

static const char *const both_protocols[] = {"h2", "http/1.1"};

static void expect_name(struct rig *rig, struct tls_context *context, const char *name, bool valid)
{
    struct rig_client client = {0};
    struct link_target target = rig_target(rig, context);

    target.server_name = name;
    rig_connect(&client, rig, &target);
    settle(rig, &client);
    if (valid)
        assert_string_equal(client.error, "");
    else
        assert_true(client.opened == 0 && client.reason == HERALD_ERROR_TLS);
    rig_client_free(&client);
    RIG_WAIT(rig, rig->server.link_count == 0);
}

static void certificates_are_chosen_by_name(void **state)
{
    struct pairs pairs;
    struct tls_rig t;

    (void)state;
    make_pairs(&pairs);
    struct tls_server_config config = {.certificates = pairs.files,
                                       .certificate_count = 3,
                                       .alpn = both_protocols,
                                       .alpn_count = 2};
    struct rig_options options = {.tls_config = &config};
    start(&t, &options);
    struct tls_context *context = rig_client_context(pairs.directory);
    expect_name(&t.rig, context, "localhost", true);
    assert_string_equal(t.rig.seen_name, "localhost");
    expect_name(&t.rig, context, "127.0.0.1", true);
    assert_string_equal(t.rig.seen_name, "");
    expect_name(&t.rig, context, "exact.example.org", true);
    expect_name(&t.rig, context, "EXACT.example.org.", true);
    assert_string_equal(t.rig.seen_name, "exact.example.org");
    expect_name(&t.rig, context, "any.example.org", true);
    expect_name(&t.rig, context, "other.example.com", true);
    /* One label only, and the first certificate for the unknown. */
    expect_name(&t.rig, context, "deep.any.example.org", false);
    expect_name(&t.rig, context, "unknown.example.net", false);
    tls_context_release(context);
    stop(&t);
    free_pairs(&pairs);
}

static void unknown_names_can_be_refused(void **state)
{
    struct pairs pairs;
    struct tls_rig t;
    struct rig_client client = {0};

    (void)state;
    make_pairs(&pairs);
    struct tls_server_config config = {.certificates = pairs.files,
                                       .certificate_count = 3,
                                       .alpn = both_protocols,
                                       .alpn_count = 2,
                                       .refuse_unknown_name = true};
    struct rig_options options = {.tls_config = &config};
    start(&t, &options);
    struct tls_context *context = rig_client_context(pairs.directory);
    struct link_target target = rig_target(&t.rig, context);
    target.server_name = "unknown.example.net";
    rig_connect(&client, &t.rig, &target);
    settle(&t.rig, &client);
    assert_string_equal(client.error,
                        "the peer sent the TLS alert 'The server name sent was not recognized'");
    rig_client_free(&client);
    RIG_WAIT(&t.rig, t.rig.failed == 1);
    expect_name(&t.rig, context, "exact.example.org", true);
    expect_name(&t.rig, context, "127.0.0.1", true);
    tls_context_release(context);
    stop(&t);
    free_pairs(&pairs);
}

static void bad_certificate_files_are_named(void **state)
{
    struct pairs pairs;
    struct tls_context *context = NULL;
    struct tls_error error;

    (void)state;
    make_pairs(&pairs);
    struct tls_certificate_files mixed = {pairs.paths[0][0], pairs.paths[1][1], NULL};
    struct tls_certificate_files absent = {"/nonexistent/cert.pem", pairs.paths[1][1], NULL};
    struct tls_certificate_files no_key = {pairs.paths[0][0], NULL, NULL};
    struct tls_server_config config = {.certificates = &mixed, .certificate_count = 1};
    assert_int_equal(tls_context_create_server(&context, &config, &error), HERALD_ERROR_TLS);
    assert_non_null(strstr(error.text, "does not belong to"));
    config.certificates = &absent;
    assert_int_equal(tls_context_create_server(&context, &config, &error), HERALD_ERROR_IO);
    assert_non_null(strstr(error.text, "'/nonexistent/cert.pem': No such file"));
    config.certificates = &no_key;
    assert_int_equal(tls_context_create_server(&context, &config, &error), HERALD_ERROR_TLS);
    config.certificates = pairs.files;
    config.verify = TLS_VERIFY_REQUIRED;
    assert_int_equal(tls_context_create_server(&context, &config, &error), HERALD_ERROR_INVALID);
    config.ca_file = pairs.paths[0][1];
    assert_int_equal(tls_context_create_server(&context, &config, &error), HERALD_ERROR_TLS);
    assert_non_null(strstr(error.text, "no CA certificate"));
    assert_null(context);
    free_pairs(&pairs);
}

static void reload_swaps_certificates_and_keeps_good_ones(void **state)
{
    static const char *const hosts[] = {"localhost", "127.0.0.1"};
    static const char *const moved[] = {"moved.example.org"};
    struct pairs pairs;
    struct tls_rig t;
    struct tls_error error;
    struct rig_client old = {0};
    int64_t now = time(NULL);

    (void)state;
    make_pairs(&pairs);
    struct tls_server_config config = {.certificates = pairs.files,
                                       .certificate_count = 1,
                                       .alpn = both_protocols,
                                       .alpn_count = 2};
    struct rig_options options = {.tls_config = &config};
    start(&t, &options);
    struct tls_context *context = rig_client_context(pairs.directory);
    struct link_target target = rig_target(&t.rig, context);
    rig_connect(&old, &t.rig, &target);
    settle(&t.rig, &old);
    assert_int_equal(tls_context_expiry(t.rig.tls), now + 3600);

    FILE *file = fopen(pairs.paths[0][1], "w");
    fclose(file);
    assert_int_equal(tls_context_reload(t.rig.tls, &error), HERALD_ERROR_TLS);
    struct rig_client during = {0};
    rig_connect(&during, &t.rig, &target);
    settle(&t.rig, &during);
    assert_int_equal(during.opened, 1);
    rig_client_free(&during);

    make_named(&pairs, 0, "first", moved, 1, now - 60, now + 7200);
    assert_int_equal(tls_context_reload(t.rig.tls, &error), 0);
    assert_int_equal(tls_context_expiry(t.rig.tls), now + 7200);
    tls_context_release(context);
    context = rig_client_context(pairs.directory);
    RIG_WAIT(&t.rig, t.rig.server.link_count == 1);
    struct rig_client after = {0};
    target = rig_target(&t.rig, context);
    target.server_name = "moved.example.org";
    rig_connect(&after, &t.rig, &target);
    settle(&t.rig, &after);
    assert_int_equal(after.opened, 1);
    rig_client_free(&after);

    fake_conn_send(old.conn, "still there");
    RIG_WAIT(&t.rig, old.conn->received == 11);
    rig_client_free(&old);
    make_named(&pairs, 0, "first", hosts, 2, now - 60, now + 3600);
    tls_context_release(context);
    stop(&t);
    free_pairs(&pairs);
}

static bool resumes(struct rig *rig, struct tls_context *context, bool tls12)
{
    struct rig_client client = {0};
    struct link_target target = rig_target(rig, context);

    rig_connect(&client, rig, &target);
    settle(rig, &client);
    assert_int_equal(client.opened, 1);
    assert_string_equal(client.version, tls12 ? "TLS1.2" : "TLS1.3");
    fake_conn_send(client.conn, "x");
    RIG_WAIT(rig, client.conn->received == 1);
    bool resumed = client.resumed;
    rig_client_free(&client);
    RIG_WAIT(rig, rig->server.link_count == 0);
    return resumed;
}

static void sessions_are_resumed_by_tickets(void **state)
{
    (void)state;
    for (int tls12 = 0; tls12 <= 1; tls12++) {
        static uint8_t key[TLS_TICKET_KEY_SIZE] = {7};
        struct tls_rig t;
        start(&t, NULL);
        struct tls_context *context =
            client_with(&t, tls12 ? "NORMAL:-VERS-ALL:+VERS-TLS1.2" : NULL);
        tls_context_set_ticket_key(t.rig.tls, key);
        assert_false(resumes(&t.rig, context, tls12));
        assert_true(resumes(&t.rig, context, tls12));
        assert_true(resumes(&t.rig, context, tls12));
        /* Another worker with the same key would go on; another key is a stranger. */
        assert_int_equal(tls_context_reload(t.rig.tls, NULL), 0);
        assert_true(resumes(&t.rig, context, tls12));
        key[0]++;
        tls_context_set_ticket_key(t.rig.tls, key);
        assert_false(resumes(&t.rig, context, tls12));
        tls_context_release(context);
        stop(&t);
    }
}

struct mutual {
    struct pairs pairs;
    char ca[128], certificate[128], key[128];
};

static void make_mutual(struct mutual *mutual, int64_t until)
{
    int64_t now = time(NULL);
    struct certificate_spec spec = {
        .kind = CERTIFICATE_CLIENT, .common_name = "me", .from = now - 7200, .until = until};
    struct certificate_pair pair;

    make_pairs(&mutual->pairs);
    rig_write_pair(mutual->pairs.directory, "me", &pair, &spec, &mutual->pairs.ca);
    certificate_pair_free(&pair);
    snprintf(mutual->ca, sizeof(mutual->ca), "%s/ca.pem", mutual->pairs.directory);
    snprintf(mutual->certificate, sizeof(mutual->certificate), "%s/me.pem",
             mutual->pairs.directory);
    snprintf(mutual->key, sizeof(mutual->key), "%s/me-key.pem", mutual->pairs.directory);
}

static struct tls_context *mutual_client(const struct mutual *mutual, bool own)
{
    struct tls_client_config config = {
        .ca_file = mutual->ca,
        .no_system_trust = true,
        .no_development_trust = true,
        .certificate = own ? mutual->certificate : NULL,
        .key = own ? mutual->key : NULL,
    };
    struct tls_context *context = NULL;

    assert_int_equal(tls_context_create_client(&context, &config, NULL), 0);
    return context;
}

/* In TLS 1.3 a client is done before the server has judged its certificate. */
static bool is_let_in(struct rig *rig, struct tls_context *context)
{
    struct rig_client client = {0};
    struct link_target target = rig_target(rig, context);
    unsigned opened = rig->opened, failed = rig->failed;

    rig_connect(&client, rig, &target);
    RIG_WAIT(rig, rig->opened + rig->failed > opened + failed);
    bool in = rig->opened > opened;
    if (in) {
        RIG_WAIT(rig, client.conn != NULL);
        fake_conn_send(client.conn, "x");
        RIG_WAIT(rig, client.conn->received == 1);
    } else {
        RIG_WAIT(rig, client.closed == 1);
        assert_int_equal(client.reason, HERALD_ERROR_TLS);
    }
    rig_client_free(&client);
    RIG_WAIT(rig, rig->server.link_count == 0);
    return in;
}

static void client_certificates(void **state)
{
    struct mutual mutual, other;
    struct tls_rig t;
    int64_t now = time(NULL);

    (void)state;
    make_mutual(&mutual, now + 3600);
    make_mutual(&other, now + 3600);
    for (int required = 0; required <= 1; required++) {
        struct tls_server_config config = {
            .certificates = mutual.pairs.files,
            .certificate_count = 1,
            .alpn = both_protocols,
            .alpn_count = 2,
            .verify = required ? TLS_VERIFY_REQUIRED : TLS_VERIFY_OPTIONAL,
            .ca_file = mutual.ca,
        };
        struct rig_options options = {.tls_config = &config};
        start(&t, &options);
        struct tls_context *known = mutual_client(&mutual, true);
        struct tls_context *unknown = mutual_client(&mutual, false);
        struct mutual mixed = other;
        memcpy(mixed.ca, mutual.ca, sizeof(mixed.ca));
        struct tls_context *stranger = mutual_client(&mixed, true);
        assert_true(is_let_in(&t.rig, known));
        assert_true(t.rig.seen_certificate > 100);
        /* A resumed session knows its client still. */
        assert_true(is_let_in(&t.rig, known));
        assert_true(t.rig.seen_certificate > 100);
        assert_int_equal(is_let_in(&t.rig, unknown), !required);
        if (!required)
            assert_int_equal(t.rig.seen_certificate, 0);
        assert_false(is_let_in(&t.rig, stranger));
        tls_context_release(known);
        tls_context_release(unknown);
        tls_context_release(stranger);
        stop(&t);
    }
    free_pairs(&mutual.pairs);
    free_pairs(&other.pairs);
}

static void an_expired_client_certificate_is_refused(void **state)
{
    struct mutual mutual;
    struct tls_rig t;

    (void)state;
    make_mutual(&mutual, time(NULL) - 3600);
    struct tls_server_config config = {
        .certificates = mutual.pairs.files,
        .certificate_count = 1,
        .verify = TLS_VERIFY_REQUIRED,
        .ca_file = mutual.ca,
    };
    struct rig_options options = {.tls_config = &config};
    start(&t, &options);
    struct tls_context *context = mutual_client(&mutual, true);
    assert_false(is_let_in(&t.rig, context));
    tls_context_release(context);
    stop(&t);
    free_pairs(&mutual.pairs);
}

static void expect_refusal(struct pairs *pairs, unsigned index, struct tls_context *context,
                           const char *name, const char *text)
{
    struct tls_server_config config = {.certificates = &pairs->files[index],
                                       .certificate_count = 1};
    struct rig_options options = {.tls_config = &config};
    struct tls_rig t;
    struct rig_client client = {0};

    start(&t, &options);
    struct link_target target = rig_target(&t.rig, context);
    target.server_name = name;
    rig_connect(&client, &t.rig, &target);
    RIG_WAIT(&t.rig, client.closed == 1);
    assert_int_equal(client.opened, 0);
    assert_int_equal(client.reason, HERALD_ERROR_TLS);
    assert_string_equal(client.error, text);
    RIG_WAIT(&t.rig, t.rig.server.link_count == 0);
    rig_client_free(&client);
    stop(&t);
}

static void bad_servers_are_refused_in_words(void **state)
{
    static const char *const hosts[] = {"localhost", "127.0.0.1"};
    struct pairs pairs, others;
    int64_t now = time(NULL);

    (void)state;
    make_pairs(&pairs);
    make_pairs(&others);
    make_named(&pairs, 1, "expired", hosts, 2, now - 7200, now - 3600);
    make_named(&pairs, 2, "early", hosts, 2, now + 3600, now + 7200);
    struct tls_context *context = rig_client_context(pairs.directory);
    expect_refusal(&pairs, 0, context, "wrong.example.org",
                   "the certificate is not valid for 'wrong.example.org'");
    expect_refusal(&pairs, 0, context, "127.0.0.2", "the certificate is not valid for '127.0.0.2'");
    expect_refusal(&pairs, 1, context, "localhost", "the certificate has expired");
    expect_refusal(&pairs, 2, context, "localhost", "the certificate is not valid yet");
    expect_refusal(&others, 0, context, "localhost",
                   "the certificate is not signed by a trusted CA");
    tls_context_release(context);
    free_pairs(&pairs);
    free_pairs(&others);
}

static void insecure_takes_any_server(void **state)
{
    struct tls_rig t;
    struct tls_client_config config = {.insecure = true};
    struct tls_context *context = NULL;

    (void)state;
    start(&t, NULL);
    assert_int_equal(tls_context_create_client(&context, &config, NULL), 0);
    expect_name(&t.rig, context, "wrong.example.org", true);
    tls_context_release(context);
    stop(&t);
}

static uint8_t wire[LOOP_SEALED_SIZE];

struct manual {
    struct tls_rig t;
    struct tls_session *session;
    struct tls_sink sink;
    int raw;
};

static void manual_start(struct manual *manual, const struct rig_options *options,
                         const char *priorities)
{
    start(&manual->t, options);
    struct tls_context *context = client_with(&manual->t, priorities);
    assert_int_equal(
        tls_session_create_client(&manual->session, context, "localhost", 1, both_protocols, 2), 0);
    tls_context_release(context);
    manual->raw = rig_raw_socket(&manual->t.rig);
    manual->sink = (struct tls_sink){.data = wire, .capacity = sizeof(wire)};
}

static void manual_stop(struct manual *manual)
{
    tls_session_destroy(manual->session);
    close(manual->raw);
    RIG_WAIT(&manual->t.rig, manual->t.rig.server.link_count == 0);
    stop(&manual->t);
}

/* Sends what the session has to say in pieces of `piece` bytes, each a turn of the loop when that
 * is small. */
static void manual_send(struct manual *manual, size_t piece)
{
    for (size_t at = 0; at < manual->sink.length; at += piece) {
        size_t length = manual->sink.length - at < piece ? manual->sink.length - at : piece;
        if (send(manual->raw, wire + at, length, MSG_NOSIGNAL) < 0)
            break;
        loop_turn(manual->t.rig.loop);
    }
    manual->sink.length = 0;
}

static int manual_handshake(struct manual *manual, size_t piece)
{
    static uint8_t input[65536];
    int code = HERALD_ERROR_AGAIN;
    struct span data = SPAN_EMPTY;

    for (unsigned step = 0; step < 1000 && code == HERALD_ERROR_AGAIN; step++) {
        tls_session_bind(manual->session, data, &manual->sink);
        code = tls_session_handshake(manual->session);
        manual_send(manual, piece);
        for (unsigned turn = 0; turn < 20; turn++)
            loop_turn(manual->t.rig.loop);
        ssize_t count = recv(manual->raw, input, sizeof(input), MSG_DONTWAIT);
        data = span_make(input, count > 0 ? (size_t)count : 0);
    }
    return code;
}

static void a_hello_may_come_byte_by_byte(void **state)
{
    struct manual manual;

    (void)state;
    manual_start(&manual, NULL, NULL);
    assert_int_equal(manual_handshake(&manual, 1), 0);
    RIG_WAIT(&manual.t.rig, manual.t.rig.opened == 1);
    assert_string_equal(manual.t.rig.server_alpn, "h2");
    manual_stop(&manual);
}

/* One record is cut into many of one byte each. */
static size_t fragment(const uint8_t *record, size_t length, uint8_t *target)
{
    size_t used = 0;

    for (size_t i = 5; i < length; i++) {
        memcpy(target + used, record, 3);
        target[used + 3] = 0;
        target[used + 4] = 1;
        target[used + 5] = record[i];
        used += 6;
    }
    return used;
}

static void a_hello_may_come_in_records_of_one_byte(void **state)
{
    static uint8_t fragments[16384];
    struct manual manual;
    char reply[6];

    (void)state;
    manual_start(&manual, NULL, NULL);
    tls_session_bind(manual.session, SPAN_EMPTY, &manual.sink);
    assert_int_equal(tls_session_handshake(manual.session), HERALD_ERROR_AGAIN);
    assert_true(manual.sink.length > 200 && manual.sink.length * 6 < sizeof(fragments));
    size_t length = fragment(wire, manual.sink.length, fragments);
    assert_int_equal(send(manual.raw, fragments, length, 0), length);
    for (unsigned turn = 0; turn < 20; turn++)
        loop_turn(manual.t.rig.loop);
    assert_int_equal(recv(manual.raw, reply, sizeof(reply), 0), sizeof(reply));
    assert_int_equal(reply[0], 0x16);
    assert_int_equal(reply[5], 2); /* ServerHello */
    manual_stop(&manual);
}

static void an_endless_hello_is_refused(void **state)
{
    static uint8_t record[5 + 16384] = {0x16, 3, 1, 0x40, 0, 1, 0x02, 0, 0};
    struct manual manual;
    char reply[7];

    (void)state;
    manual_start(&manual, NULL, NULL);
    for (unsigned i = 0; i < 10 && manual.t.rig.failed == 0; i++) {
        send(manual.raw, record, sizeof(record), MSG_NOSIGNAL);
        for (unsigned turn = 0; turn < 5; turn++)
            loop_turn(manual.t.rig.loop);
        memset(record + 5, 0, 4);
    }
    assert_int_equal(recv(manual.raw, reply, sizeof(reply), 0), sizeof(reply));
    assert_int_equal(reply[0], 0x15);
    manual_stop(&manual);
}

/* A hello with one byte changed, and plain noise: whatever happens, the link ends and nothing else
 * does. */
static void damaged_hellos_end_their_link_only(void **state)
{
    struct manual manual;
    uint64_t random = 4711;
    uint8_t hello[4096];

    (void)state;
    manual_start(&manual, NULL, NULL);
    struct rig *rig = &manual.t.rig;
    tls_session_bind(manual.session, SPAN_EMPTY, &manual.sink);
    assert_int_equal(tls_session_handshake(manual.session), HERALD_ERROR_AGAIN);
    size_t length = manual.sink.length;
    assert_true(length <= sizeof(hello));
    for (unsigned round = 0; round < 400; round++) {
        int raw = rig_raw_socket(rig);
        memcpy(hello, wire, length);
        if (round % 4 == 0) {
            for (size_t i = 1; i < length; i++)
                hello[i] = (uint8_t)random_next(&random);
        } else {
            hello[random_next(&random) % length] ^= (uint8_t)(1 + random_next(&random) % 255);
        }
        (void)send(raw, hello, length, MSG_NOSIGNAL);
        RIG_WAIT(rig, rig->server.link_count >= 1);
        for (unsigned turn = 0; turn < 3; turn++)
            loop_turn(rig->loop);
        close(raw);
    }
    close(manual.raw);
    expect_name(rig, manual.t.client, "localhost", true);
    manual.raw = rig_raw_socket(rig);
    manual_stop(&manual);
}

static void what_is_not_tls_is_closed(void **state)
{
    struct tls_rig t;
    uint8_t byte;

    (void)state;
    start(&t, NULL);
    int raw = rig_raw_socket(&t.rig);
    assert_int_equal(send(raw, "GET / HTTP/1.1\r\n\r\n", 18, 0), 18);
    RIG_WAIT(&t.rig, t.rig.failed == 1);
    assert_true(recv(raw, &byte, 1, 0) <= 0);
    close(raw);
    stop(&t);
}

static void a_stalled_handshake_ends_in_time(void **state)
{
    struct rig_options options = {.handshake_timeout = 60 * HERALD_MILLISECOND};
    struct tls_rig t;

    (void)state;
    start(&t, &options);
    static const uint8_t hello[128] = {0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3};
    herald_time before = uv_hrtime();
    int raw = rig_raw_socket(&t.rig);
    for (size_t at = 0; t.rig.failed == 0 && at < sizeof(hello); at++) {
        send(raw, hello + at, 1, MSG_NOSIGNAL);
        loop_turn(t.rig.loop);
        usleep(5000);
    }
    assert_int_equal(t.rig.failed, 1);
    assert_int_equal(t.rig.server_reason, HERALD_ERROR_TIMEOUT);
    assert_true(uv_hrtime() - before < HERALD_SECOND);
    close(raw);
    stop(&t);
}

static void a_silent_handshake_ends_in_time(void **state)
{
    struct rig_options options = {.handshake_timeout = 60 * HERALD_MILLISECOND};
    struct tls_rig t;

    (void)state;
    start(&t, &options);
    int raw = rig_raw_socket(&t.rig);
    assert_int_equal(send(raw, "\x16\x03\x01\x02\x00\x01", 6, 0), 6);
    RIG_WAIT(&t.rig, t.rig.failed == 1);
    assert_int_equal(t.rig.server_reason, HERALD_ERROR_TIMEOUT);
    close(raw);
    stop(&t);
}

/* A client with all of GnuTLS at hand. */
struct attacker {
    struct tls_rig t;
    gnutls_session_t session;
    gnutls_certificate_credentials_t credentials;
    int raw;
};

static void attacker_handshake(struct attacker *attacker)
{
    int code;

    do {
        code = gnutls_handshake(attacker->session);
        loop_turn(attacker->t.rig.loop);
    } while (code == GNUTLS_E_AGAIN);
    assert_int_equal(code, 0);
    RIG_WAIT(&attacker->t.rig, attacker->t.rig.opened == 1);
}

static void attacker_start(struct attacker *attacker, const char *priorities)
{
    start(&attacker->t, NULL);
    attacker->raw = rig_raw_socket(&attacker->t.rig);
    fcntl(attacker->raw, F_SETFL, O_NONBLOCK);
    gnutls_certificate_allocate_credentials(&attacker->credentials);
    gnutls_init(&attacker->session, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL);
    assert_int_equal(gnutls_priority_set_direct(attacker->session, priorities, NULL), 0);
    gnutls_credentials_set(attacker->session, GNUTLS_CRD_CERTIFICATE, attacker->credentials);
    gnutls_transport_set_int(attacker->session, attacker->raw);
    attacker_handshake(attacker);
}

static void attacker_stop(struct attacker *attacker)
{
    close(attacker->raw);
    RIG_WAIT(&attacker->t.rig, attacker->t.rig.closed == 1);
    gnutls_deinit(attacker->session);
    gnutls_certificate_free_credentials(attacker->credentials);
    stop(&attacker->t);
}

/* Returns how many were sent until the server gave up. */
static unsigned attacker_repeat(struct attacker *attacker, int (*act)(gnutls_session_t))
{
    unsigned sent = 0;

    while (attacker->t.rig.accepted != NULL && sent < 1000) {
        if (act(attacker->session) < 0)
            break;
        sent++;
        for (unsigned turn = 0; turn < 3; turn++)
            loop_turn(attacker->t.rig.loop);
    }
    return sent;
}

static int send_key_update(gnutls_session_t session)
{
    int code = gnutls_session_key_update(session, 0);

    return code < 0 ? code : (int)gnutls_record_send(session, "x", 1);
}

static int send_warning(gnutls_session_t session)
{
    return gnutls_alert_send(session, GNUTLS_AL_WARNING, GNUTLS_A_USER_CANCELED);
}

static void empty_messages_have_a_budget(void **state)
{
    static const struct {
        const char *priorities;
        int (*act)(gnutls_session_t);
    } cases[] = {
        {"NORMAL:-VERS-ALL:+VERS-TLS1.3", send_key_update},
        {"NORMAL:-VERS-ALL:+VERS-TLS1.3", send_warning},
        {"NORMAL:-VERS-ALL:+VERS-TLS1.2", send_warning},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct attacker attacker;
        attacker_start(&attacker, cases[i].priorities);
        assert_in_range(attacker_repeat(&attacker, cases[i].act), 1, 100);
        assert_null(attacker.t.rig.accepted);
        attacker_stop(&attacker);
        assert_int_equal(attacker.t.rig.server_reason, HERALD_ERROR_TLS);
    }
}

static void renegotiation_is_refused(void **state)
{
    struct attacker attacker;
    int code;

    (void)state;
    attacker_start(&attacker, "NORMAL:-VERS-ALL:+VERS-TLS1.2");
    do {
        code = gnutls_handshake(attacker.session);
        loop_turn(attacker.t.rig.loop);
    } while (code == GNUTLS_E_AGAIN && attacker.t.rig.accepted != NULL);
    assert_null(attacker.t.rig.accepted);
    attacker_stop(&attacker);
    assert_int_equal(attacker.t.rig.server_reason, HERALD_ERROR_TLS);
}

static void many_small_records_are_no_offence(void **state)
{
    struct manual manual;

    (void)state;
    manual_start(&manual, NULL, NULL);
    assert_int_equal(manual_handshake(&manual, 65536), 0);
    for (unsigned i = 0; i < 1000; i++) {
        tls_session_bind(manual.session, SPAN_EMPTY, &manual.sink);
        assert_int_equal(tls_session_write(manual.session, SPAN_LITERAL("x"), 16384), 0);
        manual_send(&manual, 65536);
    }
    RIG_WAIT(&manual.t.rig, manual.t.rig.accepted->received == 1000);
    manual_stop(&manual);
}

static void a_cut_connection_is_no_orderly_end_for_a_client(void **state)
{
    struct tls_rig t;
    struct rig_client client = {0};

    (void)state;
    start(&t, NULL);
    struct link_target target = rig_target(&t.rig, t.client);
    rig_connect(&client, &t.rig, &target);
    RIG_WAIT(&t.rig, client.conn != NULL && t.rig.accepted != NULL);
    /* The server's descriptor is shut under the link, as a middlebox would. */
    int server_side = -1;
    for (int descriptor = 3; descriptor < 64 && server_side < 0; descriptor++) {
        struct sockaddr_in in;
        socklen_t length = sizeof(in);
        if (getsockname(descriptor, (struct sockaddr *)&in, &length) == 0 &&
            in.sin_family == AF_INET && ntohs(in.sin_port) == listener_port(t.rig.listener) &&
            descriptor != listener_descriptor(t.rig.listener))
            server_side = descriptor;
    }
    assert_true(server_side >= 0);
    shutdown(server_side, SHUT_WR);
    RIG_WAIT(&t.rig, client.closed == 1);
    assert_int_equal(client.reason, HERALD_ERROR_CLOSED);
    rig_client_free(&client);
    stop(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(handshake_and_echo),
        cmocka_unit_test(tls12_needs_ephemeral_keys_and_aead),
        cmocka_unit_test(alpn),
        cmocka_unit_test(certificates_are_chosen_by_name),
        cmocka_unit_test(unknown_names_can_be_refused),
        cmocka_unit_test(bad_certificate_files_are_named),
        cmocka_unit_test(reload_swaps_certificates_and_keeps_good_ones),
        cmocka_unit_test(sessions_are_resumed_by_tickets),
        cmocka_unit_test(client_certificates),
        cmocka_unit_test(an_expired_client_certificate_is_refused),
        cmocka_unit_test(bad_servers_are_refused_in_words),
        cmocka_unit_test(insecure_takes_any_server),
        cmocka_unit_test(a_hello_may_come_byte_by_byte),
        cmocka_unit_test(a_hello_may_come_in_records_of_one_byte),
        cmocka_unit_test(an_endless_hello_is_refused),
        cmocka_unit_test(damaged_hellos_end_their_link_only),
        cmocka_unit_test(what_is_not_tls_is_closed),
        cmocka_unit_test(a_stalled_handshake_ends_in_time),
        cmocka_unit_test(a_silent_handshake_ends_in_time),
        cmocka_unit_test(empty_messages_have_a_budget),
        cmocka_unit_test(renegotiation_is_refused),
        cmocka_unit_test(many_small_records_are_no_offence),
        cmocka_unit_test(a_cut_connection_is_no_orderly_end_for_a_client),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
