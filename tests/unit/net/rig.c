#include "rig.h"

#include <dirent.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define WAIT_LIMIT   (10 * HERALD_SECOND)
#define ECHO_MAXIMUM (128 * 1024)

static int fake_recv(struct conn *conn, const struct conn_in *in, herald_time now)
{
    struct fake_conn *fake = (struct fake_conn *)conn;

    (void)now;
    assert_true(conn->wants_read);
    fake->recv_calls++;
    fake->received += in->data.length;
    if (fake->collect)
        assert_int_equal(buf_append_span(&fake->in, in->data), 0);
    if (fake->echo) {
        assert_int_equal(buf_append_span(&fake->out, in->data), 0);
        if (buf_length(&fake->out) > fake->high_water)
            fake->high_water = buf_length(&fake->out);
        conn->wants_read = buf_length(&fake->out) < ECHO_MAXIMUM;
    }
    return fake->recv_result;
}

static uint8_t pattern(uint64_t position)
{
    return (uint8_t)(position * 31 + (position >> 8));
}

static int fake_pull(struct conn *conn, struct conn_out *out, herald_time now)
{
    struct fake_conn *fake = (struct fake_conn *)conn;
    struct span span = buf_span(&fake->out);

    (void)now;
    assert_true(out->capacity >= 4096);
    fake->pull_calls++;
    out->length = span.length < out->capacity ? span.length : out->capacity;
    if (out->length > 0)
        memcpy(out->data, span.data, out->length);
    buf_consume(&fake->out, out->length);
    if (fake->echo)
        conn->wants_read = buf_length(&fake->out) < ECHO_MAXIMUM;
    while (out->length < out->capacity && fake->generate > 0) {
        out->data[out->length++] = pattern(fake->generated++);
        if (--fake->generate == 0)
            conn->finished = conn->role == CONN_SERVER;
    }
    if (fake->got_eof && fake->finish_at_eof && buf_length(&fake->out) == 0)
        conn->finished = true;
    return 0;
}

static herald_time fake_deadline(const struct conn *conn)
{
    return ((const struct fake_conn *)conn)->deadline;
}

static int fake_expire(struct conn *conn, herald_time now)
{
    struct fake_conn *fake = (struct fake_conn *)conn;

    assert_true(now >= fake->deadline);
    fake->expirations++;
    fake->deadline = HERALD_NEVER;
    return 0;
}

static int fake_eof(struct conn *conn, herald_time now)
{
    struct fake_conn *fake = (struct fake_conn *)conn;

    (void)now;
    assert_false(fake->got_eof);
    fake->got_eof = true;
    return 0;
}

static void fake_shutdown(struct conn *conn, herald_time now)
{
    (void)now;
    conn->finished = true;
}

static void fake_destroy(struct conn *conn)
{
    struct fake_conn *fake = (struct fake_conn *)conn;

    if (conn->role == CONN_SERVER) {
        struct rig *rig = conn->host_data;
        rig->seen_received = fake->received;
        if (rig->accepted == fake)
            rig->accepted = NULL;
    } else {
        struct rig_client *client = conn->host_data;
        client->in = fake->in;
        client->received = fake->received;
        client->conn = NULL;
        buf_init(&fake->in, SIZE_MAX, NULL);
    }
    buf_free(&fake->out);
    buf_free(&fake->in);
    free(fake);
}

static const struct conn_ops fake_ops = {
    .recv = fake_recv,
    .pull = fake_pull,
    .deadline = fake_deadline,
    .expire = fake_expire,
    .eof = fake_eof,
    .shutdown = fake_shutdown,
    .destroy = fake_destroy,
};

struct fake_conn *fake_conn_new(struct link *link, const struct conn_info *info,
                                enum conn_role role)
{
    struct fake_conn *fake = calloc(1, sizeof(*fake));

    assert_non_null(fake);
    fake->conn.ops = &fake_ops;
    fake->conn.info = info;
    fake->conn.role = role;
    fake->conn.wants_read = true;
    fake->link = link;
    fake->deadline = HERALD_NEVER;
    fake->finish_at_eof = true;
    buf_init(&fake->out, SIZE_MAX, NULL);
    buf_init(&fake->in, SIZE_MAX, NULL);
    return fake;
}

void fake_conn_send(struct fake_conn *fake, const char *text)
{
    assert_int_equal(buf_append_text(&fake->out, text), 0);
    link_wake(fake->link);
}

static void copy_span(char *target, size_t capacity, struct span span)
{
    assert_true(span.length < capacity);
    memcpy(target, span.data, span.length);
    target[span.length] = '\0';
}

static struct conn *server_open(struct link *link, const struct conn_info *info, struct span alpn)
{
    struct rig *rig = link_user(link);

    rig->opened++;
    copy_span(rig->server_alpn, sizeof(rig->server_alpn), alpn);
    rig->seen = *info;
    snprintf(rig->seen_name, sizeof(rig->seen_name), "%s", info->server_name);
    snprintf(rig->seen_version, sizeof(rig->seen_version), "%s", info->tls_version);
    snprintf(rig->seen_cipher, sizeof(rig->seen_cipher), "%s", info->tls_cipher);
    snprintf(rig->seen_peer, sizeof(rig->seen_peer), "%s", info->peer_address);
    rig->seen_certificate = info->client_certificate.length;
    if (rig->options.refuse_open)
        return NULL;
    struct fake_conn *fake = fake_conn_new(link, info, CONN_SERVER);
    fake->conn.host_data = rig;
    fake->generate = rig->options.generate;
    fake->echo = rig->options.generate == 0;
    rig->accepted = fake;
    return &fake->conn;
}

static void server_closed(struct link *link, int reason)
{
    struct rig *rig = link_user(link);

    assert_null(link_conn(link));
    rig->closed++;
    rig->server_reason = reason;
}

static void server_failed(struct link *link, int reason)
{
    struct rig *rig = link_user(link);

    rig->failed++;
    rig->server_reason = reason;
}

static const struct link_ops server_ops = {
    .open = server_open,
    .closed = server_closed,
    .failed = server_failed,
};

int rig_start(struct rig *rig, const struct rig_options *options)
{
    static const char *const alpn[] = {"h2", "http/1.1"};
    struct tls_error tls_error = {{0}};
    struct listener_error error = {{0}};
    struct address address;

    *rig = (struct rig){0};
    if (options != NULL)
        rig->options = *options;
    rig_make_directory(rig->directory);
    assert_int_equal(loop_create(&rig->loop), 0);
    link_server_init(&rig->server, rig->loop, &server_ops, rig);
    rig->server.http1_only = rig->options.http1_only;
    rig->server.http2_only = rig->options.http2_only;
    rig->server.handshake_timeout = rig->options.handshake_timeout;
    rig->server.linger_timeout = rig->options.linger_timeout;
    rig->server.maximum_links = rig->options.maximum_links;
    if (rig->options.tls) {
        char certificate[128], key[128];
        struct tls_certificate_files files = {certificate, key, NULL};
        struct tls_server_config config = {&files, 1, alpn, 2, TLS_VERIFY_NONE, NULL, false, NULL};
        struct certificate_pair ca;
        rig_make_certificates(rig->directory, &ca);
        certificate_pair_free(&ca);
        snprintf(certificate, sizeof(certificate), "%s/server.pem", rig->directory);
        snprintf(key, sizeof(key), "%s/server-key.pem", rig->directory);
        int code = tls_context_create_server(
            &rig->tls, rig->options.tls_config != NULL ? rig->options.tls_config : &config,
            &tls_error);
        if (code != 0)
            fail_msg("%s", tls_error.text);
        rig->server.tls = rig->tls;
    }
    assert_int_equal(
        address_parse(rig->options.bind != NULL ? rig->options.bind : "127.0.0.1:0", 0, &address),
        0);
    int count = listener_open(&rig->listener, 1, &address, &rig->server, NULL, &error);
    if (count != 1)
        fail_msg("%s", error.text);
    return listener_start(rig->listener);
}

static void close_link(struct link *link, void *user)
{
    (void)user;
    link_close(link, HERALD_ERROR_CANCELLED);
}

void rig_stop(struct rig *rig)
{
    listener_close(rig->listener);
    link_server_each(&rig->server, close_link, NULL);
    loop_turn(rig->loop);
    assert_int_equal(rig->server.link_count, 0);
    loop_destroy(rig->loop);
    tls_context_release(rig->tls);
    rig_remove_directory(rig->directory);
}

herald_time rig_deadline(void)
{
    return uv_hrtime() + WAIT_LIMIT;
}

bool rig_turn(struct rig *rig, herald_time limit, const char *what)
{
    struct pollfd poll_one = {.fd = loop_backend_fd(rig->loop), .events = POLLIN};
    int timeout = loop_backend_timeout(rig->loop);

    if (uv_hrtime() > limit)
        fail_msg("waited too long for: %s", what);
    poll(&poll_one, 1, timeout < 0 || timeout > 50 ? 50 : timeout);
    loop_turn(rig->loop);
    return true;
}

static struct conn *client_open(struct link *link, const struct conn_info *info, struct span alpn)
{
    struct rig_client *client = link_user(link);

    client->opened++;
    copy_span(client->alpn, sizeof(client->alpn), alpn);
    client->resumed = link_is_resumed(link);
    snprintf(client->version, sizeof(client->version), "%s", info->tls_version);
    snprintf(client->cipher, sizeof(client->cipher), "%s", info->tls_cipher);
    client->conn = fake_conn_new(link, info, CONN_CLIENT);
    client->conn->conn.host_data = client;
    client->conn->collect = true;
    client->conn->generate = client->generate;
    return &client->conn->conn;
}

static void client_closed(struct link *link, int reason)
{
    struct rig_client *client = link_user(link);

    client->closed++;
    client->reason = reason;
    client->link = NULL;
    snprintf(client->error, sizeof(client->error), "%s", link_error_text(link));
}

static const struct link_ops client_ops = {.open = client_open, .closed = client_closed};

struct link_target rig_target(const struct rig *rig, struct tls_context *tls)
{
    static const char *const alpn[] = {"h2", "http/1.1"};

    return (struct link_target){
        .host = "127.0.0.1",
        .port = listener_port(rig->listener),
        .tls = tls,
        .alpn = alpn,
        .alpn_count = 2,
    };
}

void rig_connect(struct rig_client *client, struct rig *rig, const struct link_target *target)
{
    uint64_t generate = client->generate;

    *client = (struct rig_client){.rig = rig, .generate = generate};
    buf_init(&client->in, SIZE_MAX, NULL);
    assert_int_equal(link_connect(rig->loop, target, &client_ops, client, &client->link), 0);
    assert_int_equal(client->opened + client->closed, 0);
}

void rig_client_free(struct rig_client *client)
{
    if (client->link != NULL) {
        link_close(client->link, HERALD_ERROR_CANCELLED);
        loop_turn(client->rig->loop);
    }
    assert_int_equal(client->closed, 1);
    buf_free(&client->in);
}

int rig_raw_socket(const struct rig *rig)
{
    struct sockaddr_in in = {
        .sin_family = AF_INET,
        .sin_port = htons(listener_port(rig->listener)),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    struct timeval limit = {.tv_sec = 10};
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

    assert_true(descriptor >= 0);
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    assert_int_equal(connect(descriptor, (struct sockaddr *)&in, sizeof(in)), 0);
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    return descriptor;
}

void rig_make_directory(char directory[64])
{
    const char *base = getenv("TMPDIR");

    snprintf(directory, 64, "%s/herald-net-XXXXXX",
             base != NULL && strlen(base) < 40 ? base : "/tmp");
    assert_non_null(mkdtemp(directory));
}

void rig_remove_directory(const char *directory)
{
    DIR *list = opendir(directory);
    struct dirent *entry;

    assert_non_null(list);
    while ((entry = readdir(list)) != NULL) {
        char path[512];
        snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
        unlink(path);
    }
    closedir(list);
    rmdir(directory);
}

const char *rig_path(const char *directory, const char *file)
{
    static char path[256];

    snprintf(path, sizeof(path), "%s/%s", directory, file);
    return path;
}

static void write_pem(const char *directory, const char *name, const char *suffix,
                      gnutls_datum_t *pem)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/%s%s", directory, name, suffix);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(pem->data, 1, pem->size, file), pem->size);
    fclose(file);
    gnutls_free(pem->data);
}

void rig_write_pair(const char *directory, const char *name, struct certificate_pair *pair,
                    const struct certificate_spec *spec, const struct certificate_pair *issuer)
{
    gnutls_datum_t pem;

    assert_int_equal(certificate_make(pair, spec, issuer, NULL), 0);
    assert_int_equal(certificate_export(pair->certificate, &pem), 0);
    write_pem(directory, name, ".pem", &pem);
    assert_int_equal(certificate_export_key(pair->key, &pem), 0);
    write_pem(directory, name, "-key.pem", &pem);
}

void rig_make_certificates(const char *directory, struct certificate_pair *ca)
{
    static const char *const hosts[] = {"localhost", "127.0.0.1"};
    int64_t now = time(NULL);
    struct certificate_spec spec = {
        .kind = CERTIFICATE_CA, .common_name = "Test CA", .from = now - 60, .until = now + 3600};
    struct certificate_pair leaf;

    rig_write_pair(directory, "ca", ca, &spec, NULL);
    spec.kind = CERTIFICATE_SERVER;
    spec.common_name = "localhost";
    spec.hosts = hosts;
    spec.host_count = 2;
    rig_write_pair(directory, "server", &leaf, &spec, ca);
    certificate_pair_free(&leaf);
}

struct tls_context *rig_client_context(const char *directory)
{
    struct tls_client_config config = {
        .ca_file = rig_path(directory, "ca.pem"),
        .no_system_trust = true,
        .no_development_trust = true,
    };
    struct tls_context *context = NULL;
    struct tls_error error;

    if (tls_context_create_client(&context, &config, &error) != 0)
        fail_msg("%s", error.text);
    return context;
}
