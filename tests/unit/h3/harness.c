#include "harness.h"

#include <arpa/inet.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char priorities[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:%DISABLE_TLS13_COMPAT_MODE";
static struct rig *current; /* the random source has no user pointer */

static uint64_t next_random(struct rig *rig)
{
    uint64_t value = rig->random += UINT64_C(0x9e3779b97f4a7c15);
    value = (value ^ (value >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ (value >> 27)) * UINT64_C(0x94d049bb133111eb);
    return value ^ (value >> 31);
}

static void fill_random(void *destination, size_t length)
{
    for (size_t i = 0; i < length; i++)
        ((uint8_t *)destination)[i] = (uint8_t)next_random(current);
}

/* ---- bodies ---- */

struct pattern {
    struct body_source source;
    uint64_t position, length;
};

static uint8_t pattern_byte(uint64_t position)
{
    return (uint8_t)(position * 31 + (position >> 8));
}

static uint32_t add_to_sum(uint32_t sum, const uint8_t *data, size_t length)
{
    for (size_t i = 0; i < length; i++)
        sum = (sum ^ data[i]) * 16777619u;
    return sum;
}

static int64_t pattern_read(struct body_source *source, uint8_t *destination, size_t capacity,
                            bool *end)
{
    struct pattern *pattern = (struct pattern *)source;
    size_t count = 0;
    while (count < capacity && pattern->position < pattern->length)
        destination[count++] = pattern_byte(pattern->position++);
    *end = pattern->position == pattern->length;
    return (int64_t)count;
}

static void pattern_release(struct body_source *source)
{
    free(source);
}

struct body_source *rig_source(uint64_t length)
{
    static const struct body_source_ops ops = {pattern_read, pattern_release};
    struct pattern *pattern = calloc(1, sizeof(*pattern));
    assert_non_null(pattern);
    pattern->source.ops = &ops;
    pattern->length = length;
    return &pattern->source;
}

uint32_t rig_sum(uint64_t length)
{
    uint32_t sum = 0;
    for (uint64_t i = 0; i < length; i++) {
        uint8_t byte = pattern_byte(i);
        sum = add_to_sum(sum, &byte, 1);
    }
    return sum;
}

/* ---- hosts ---- */

static void dispatch(struct conn *conn, struct exchange *exchange)
{
    struct rig *rig = conn->host_data;
    rig->dispatched++;
    rig->answer(rig, exchange);
}

static void completed(struct conn *conn, struct exchange *exchange)
{
    (void)exchange;
    ((struct rig *)conn->host_data)->completed++;
}

static void wake_server(struct conn *conn)
{
    struct rig *rig = conn->host_data;
    rig->server->ops->wake(rig->server, conn);
}

static void wake_client(struct conn *conn)
{
    struct rig *rig = conn->host_data;
    rig->client->ops->wake(rig->client, conn);
}

static void client_ready(struct conn *conn)
{
    ((struct rig *)conn->host_data)->ready++;
}

static void client_going_away(struct conn *conn)
{
    ((struct rig *)conn->host_data)->going_away++;
}

static const struct conn_host_ops server_conn_ops = {
    .dispatch = dispatch, .completed = completed, .wake = wake_server};
static const struct conn_host_ops client_conn_ops = {
    .wake = wake_client, .ready = client_ready, .going_away = client_going_away};

static gnutls_session_t new_session(struct rig *rig, unsigned role)
{
    static const gnutls_datum_t alpn = {(unsigned char *)"h3", 2};
    gnutls_session_t session;
    assert_int_equal(gnutls_init(&session, role | GNUTLS_NO_AUTO_SEND_TICKET), 0);
    assert_int_equal(gnutls_priority_set_direct(session, priorities, NULL), 0);
    assert_int_equal(gnutls_alpn_set_protocols(session, &alpn, 1, GNUTLS_ALPN_MANDATORY), 0);
    assert_int_equal(gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE,
                                            role & GNUTLS_SERVER ? rig->server_credentials
                                                                 : rig->client_credentials),
                     0);
    return session;
}

static struct endpoint_peer *accept_peer(struct endpoint *endpoint, const struct conn_path *path)
{
    struct rig *rig = endpoint->host_data;
    struct rig_peer *peer = calloc(1, sizeof(*peer));
    (void)path;
    if (peer == NULL)
        return NULL;
    peer->peer.tls = new_session(rig, GNUTLS_SERVER);
    peer->peer.config = (struct conn_config){
        .role = CONN_SERVER, .host = &server_conn_ops, .host_data = rig, .limits = &rig->limits};
    peer->next = rig->accepted;
    rig->accepted = peer;
    return &peer->peer;
}

static int secured(struct endpoint *endpoint, struct endpoint_peer *peer)
{
    (void)endpoint;
    ((struct rig_peer *)peer)->secured = true;
    return 0;
}

static void moved(struct endpoint *endpoint, struct endpoint_peer *peer,
                  const struct conn_path *path)
{
    struct rig *rig = endpoint->host_data;
    if (peer != &rig->client_peer.peer)
        rig->moved_to = ntohs(((const struct sockaddr_in *)path->peer)->sin_port);
}

static void closed(struct endpoint *endpoint, struct endpoint_peer *peer, int reason)
{
    struct rig_peer *rig_peer = (struct rig_peer *)peer;
    (void)endpoint;
    assert_false(rig_peer->closed);
    rig_peer->closed = true;
    rig_peer->reason = reason;
    gnutls_deinit(peer->tls);
}

static void wake(struct endpoint *endpoint)
{
    (void)endpoint;
}

static const struct endpoint_host_ops host_ops = {
    .accept = accept_peer, .secured = secured, .moved = moved, .closed = closed, .wake = wake};

static void make_certificate(struct rig *rig)
{
    gnutls_x509_privkey_t key;
    gnutls_x509_crt_t certificate;
    uint8_t serial = 1;
    time_t now = time(NULL);
    assert_int_equal(gnutls_x509_privkey_init(&key), 0);
    assert_int_equal(gnutls_x509_crt_init(&certificate), 0);
    assert_int_equal(gnutls_x509_privkey_generate(
                         key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0),
                     0);
    gnutls_x509_crt_set_version(certificate, 3);
    gnutls_x509_crt_set_serial(certificate, &serial, 1);
    gnutls_x509_crt_set_activation_time(certificate, now - 3600);
    gnutls_x509_crt_set_expiration_time(certificate, now + 3600);
    gnutls_x509_crt_set_key(certificate, key);
    assert_int_equal(gnutls_x509_crt_sign2(certificate, certificate, key, GNUTLS_DIG_SHA256, 0), 0);
    gnutls_certificate_allocate_credentials(&rig->server_credentials);
    gnutls_certificate_allocate_credentials(&rig->client_credentials);
    assert_int_equal(gnutls_certificate_set_x509_key(rig->server_credentials, &certificate, 1, key),
                     0);
    gnutls_x509_crt_deinit(certificate);
    gnutls_x509_privkey_deinit(key);
}

static void set_address(struct sockaddr_in *address, uint16_t port)
{
    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
}

struct rig *rig_create(unsigned retry_above)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    assert_non_null(rig);
    rig->packets = malloc(RIG_PACKETS * sizeof(*rig->packets));
    assert_non_null(rig->packets);
    current = rig;
    rig->now = 1000 * HERALD_SECOND;
    rig->delay = 10 * HERALD_MILLISECOND;
    rig->random = 7;
    rig->limits = limits_default;
    make_certificate(rig);
    set_address(&rig->client_address, 40000);
    set_address(&rig->server_address, 443);
    struct endpoint_config config = {.host = &host_ops,
                                     .host_data = rig,
                                     .random = fill_random,
                                     .worker = 3,
                                     .retry_above = retry_above,
                                     .is_server = true};
    rig->server = h3_engine.create(&config, rig->now);
    config.is_server = false;
    rig->client = h3_engine.create(&config, rig->now);
    assert_non_null(rig->server);
    assert_non_null(rig->client);
    return rig;
}

void rig_destroy(struct rig *rig)
{
    rig->client->ops->destroy(rig->client);
    rig->server->ops->destroy(rig->server);
    struct rig_peer *next;
    for (struct rig_peer *peer = rig->accepted; peer != NULL; peer = next) {
        next = peer->next;
        assert_true(peer->closed);
        free(peer);
    }
    gnutls_certificate_free_credentials(rig->server_credentials);
    gnutls_certificate_free_credentials(rig->client_credentials);
    free(rig->packets);
    free(rig);
}

void rig_connect(struct rig *rig)
{
    struct rig_peer *peer = &rig->client_peer;
    peer->peer.tls = new_session(rig, GNUTLS_CLIENT);
    peer->peer.config = (struct conn_config){
        .role = CONN_CLIENT, .host = &client_conn_ops, .host_data = rig, .limits = &rig->limits};
    const struct conn_path path = {&rig->client_address, &rig->server_address,
                                   sizeof(rig->client_address), sizeof(rig->server_address)};
    assert_int_equal(rig->client->ops->connect(rig->client, &peer->peer, &path, rig->now), 0);
}

/* ---- the link ---- */

static void send_one(struct rig *rig, bool to_server, const uint8_t *data, size_t length,
                     const struct conn_out *out)
{
    *(to_server ? &rig->bytes_to_server : &rig->bytes_to_client) += length;
    if (next_random(rig) % 1000 < rig->loss || (rig->mute_server && !to_server))
        return;
    assert_true(rig->packet_count < RIG_PACKETS);
    assert_true(length <= sizeof(rig->packets->data));
    struct packet *packet = &rig->packets[rig->packet_count++];
    packet->to_server = to_server;
    packet->ecn = out->ecn;
    packet->length = length;
    packet->due = rig->now + rig->delay;
    if (next_random(rig) % 1000 < rig->reorder)
        packet->due += 3 * rig->delay;
    memcpy(packet->data, data, length);
    memcpy(&packet->source, out->path.local, sizeof(packet->source));
    memcpy(&packet->destination, out->path.peer, sizeof(packet->destination));
}

static void flush(struct rig *rig, struct endpoint *endpoint, bool to_server)
{
    static uint8_t buffer[64 * 1024];
    for (;;) {
        struct conn_out out = {.data = buffer, .capacity = sizeof(buffer)};
        endpoint->ops->pull(endpoint, &out, rig->now);
        if (out.length == 0)
            return;
        assert_true(out.segment > 0 && out.length <= sizeof(buffer));
        for (size_t done = 0; done < out.length; done += out.segment) {
            size_t length = out.length - done < out.segment ? out.length - done : out.segment;
            send_one(rig, to_server, buffer + done, length, &out);
        }
    }
}

static void deliver(struct rig *rig)
{
    for (size_t i = 0; i < rig->packet_count;) {
        if (rig->packets[i].due > rig->now) {
            i++;
            continue;
        }
        struct packet packet = rig->packets[i];
        memmove(&rig->packets[i], &rig->packets[i + 1],
                (rig->packet_count - i - 1) * sizeof(packet));
        rig->packet_count--;
        struct endpoint *endpoint = packet.to_server ? rig->server : rig->client;
        const struct conn_in in = {
            .data = {packet.data, packet.length},
            .path = {&packet.destination, &packet.source, sizeof(packet.destination),
                     sizeof(packet.source)},
            .ecn = packet.ecn,
        };
        endpoint->ops->receive(endpoint, &in, rig->now);
    }
}

static herald_time next_event(const struct rig *rig)
{
    herald_time next = herald_time_earlier(rig->server->ops->deadline(rig->server),
                                           rig->client->ops->deadline(rig->client));
    for (size_t i = 0; i < rig->packet_count; i++)
        next = herald_time_earlier(next, rig->packets[i].due);
    return next;
}

bool rig_run_until(struct rig *rig, const bool *flag, herald_time most)
{
    herald_time end = rig->now + most;
    unsigned idle = 0;
    for (;;) {
        flush(rig, rig->client, true);
        flush(rig, rig->server, false);
        if (flag != NULL && *flag)
            return true;
        herald_time next = next_event(rig);
        if (next > end) {
            rig->now = end;
            return false;
        }
        /* An event that is always due would be a busy loop. */
        idle = next <= rig->now ? idle + 1 : 0;
        assert_true(idle < 1000);
        if (next > rig->now)
            rig->now = next;
        deliver(rig);
        rig->server->ops->expire(rig->server, rig->now);
        rig->client->ops->expire(rig->client, rig->now);
    }
}

void rig_run(struct rig *rig, herald_time time)
{
    (void)rig_run_until(rig, NULL, time);
}

static void inject(struct rig *rig, const void *data, size_t length,
                   const struct sockaddr_in *source)
{
    const struct conn_in in = {
        .data = {data, length},
        .path = {&rig->server_address, source, sizeof(*source), sizeof(*source)},
    };
    rig->server->ops->receive(rig->server, &in, rig->now);
}

void rig_inject(struct rig *rig, const void *data, size_t length)
{
    struct sockaddr_in stranger;
    set_address(&stranger, 50000);
    inject(rig, data, length, &stranger);
}

void rig_inject_from_client(struct rig *rig, const void *data, size_t length)
{
    inject(rig, data, length, &rig->client_address);
}

/* ---- requests ---- */

static void on_head(struct exchange *exchange)
{
    struct result *result = exchange->user;
    result->status = exchange->incoming.status;
}

static void on_informational(struct exchange *exchange, const struct message *message)
{
    struct result *result = exchange->user;
    struct span link = fields_value(&message->fields, KNOWN_LINK);
    result->informational++;
    result->informational_status = message->status;
    if (link.length < sizeof(result->link) && link.length > 0)
        memcpy(result->link, link.data, link.length);
}

static void on_readable(struct exchange *exchange)
{
    struct result *result = exchange->user;
    uint8_t buffer[4096];
    size_t count;
    while (!result->hold && (count = exchange_read(exchange, buffer, sizeof(buffer))) > 0) {
        result->length += count;
        result->sum = add_to_sum(result->sum, buffer, count);
    }
    if (exchange_at_end(exchange)) {
        result->ended = true;
        if (exchange->trailers.count > 0)
            memcpy(result->trailer, exchange->trailers.items[0].value.data,
                   exchange->trailers.items[0].value.length);
    }
}

static void on_closed(struct exchange *exchange, int reason)
{
    struct result *result = exchange->user;
    result->closed = true;
    result->reason = reason;
    result->exchange = NULL;
    exchange_release(exchange);
}

static const struct exchange_events events = {.head = on_head,
                                              .informational = on_informational,
                                              .readable = on_readable,
                                              .closed = on_closed};

static struct message request_for(const char *method, const char *path)
{
    return (struct message){
        .version = HTTP_3,
        .method = span_from_text(method),
        .scheme = SPAN_LITERAL("https"),
        .authority = SPAN_LITERAL("example.org"),
        .path = span_from_text(path),
        .content_length = CONTENT_LENGTH_UNKNOWN,
    };
}

bool rig_try_request(struct rig *rig, struct result *result, const char *path)
{
    const struct message message = request_for("GET", path);
    struct conn *conn = rig->client_peer.peer.conn;
    struct exchange *exchange = exchange_new_request(&message, &rig->limits, &events, result);
    if (exchange == NULL || conn == NULL) {
        if (exchange != NULL)
            exchange_release(exchange);
        return false;
    }
    (void)exchange_finish(exchange, NULL, 0);
    if (conn->ops->request(conn, exchange, rig->now) != 0) {
        exchange_release(exchange);
        return false;
    }
    result->exchange = exchange;
    return true;
}

struct exchange *rig_request(struct rig *rig, struct result *result, const char *method,
                             const char *path, bool open)
{
    const struct message message = request_for(method, path);
    bool hold = result->hold;
    *result = (struct result){.hold = hold};
    struct exchange *exchange = exchange_new_request(&message, &rig->limits, &events, result);
    assert_non_null(exchange);
    if (!open)
        assert_int_equal(exchange_finish(exchange, NULL, 0), 0);
    struct conn *conn = rig->client_peer.peer.conn;
    assert_non_null(conn);
    assert_int_equal(conn->ops->request(conn, exchange, rig->now), 0);
    result->exchange = exchange;
    return exchange;
}
