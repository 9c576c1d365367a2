/* What surrounds the requests: new connections, address validation, stateless answers, the end. */
#include "harness.h"

#include "h3/internal.h"
#include <stdlib.h>
#include <string.h>

static void answer_nothing(struct rig *rig, struct exchange *exchange)
{
    (void)rig;
    (void)exchange_respond(exchange, 204, NULL, 0, 0);
    (void)exchange_finish(exchange, NULL, 0);
    exchange_release(exchange);
}

static struct rig *connected(unsigned retry_above)
{
    struct rig *rig = rig_create(retry_above);
    rig->answer = answer_nothing;
    rig_connect(rig);
    assert_true(rig_run_until(rig, &rig->client_peer.secured, 5 * HERALD_SECOND));
    return rig;
}

static void expect_answer(struct rig *rig)
{
    struct result result = {0};
    rig_request(rig, &result, "GET", "/", false);
    assert_true(rig_run_until(rig, &result.closed, HERALD_SECOND));
    assert_int_equal(result.status, 204);
}

static void retry_is_asked_for_and_answered(void **state)
{
    struct rig *rig = connected(0);
    struct h3_conn *conn = h3_conn_of(rig->client_peer.peer.conn);
    (void)state;
    assert_true(ngtcp2_conn_after_retry(conn->quic));
    assert_null(rig->accepted->next);
    expect_answer(rig);
    rig_destroy(rig);
}

static void no_retry_while_there_is_room(void **state)
{
    struct rig *rig = connected(1);
    struct h3_conn *conn = h3_conn_of(rig->client_peer.peer.conn);
    (void)state;
    assert_false(ngtcp2_conn_after_retry(conn->quic));
    rig_destroy(rig);
}

static size_t pull_one(struct rig *rig, uint8_t *data, size_t capacity)
{
    struct conn_out out = {.data = data, .capacity = capacity};
    rig->server->ops->pull(rig->server, &out, rig->now);
    return out.length;
}

static void unknown_version_is_answered_with_ours(void **state)
{
    struct rig *rig = rig_create(100);
    uint8_t packet[1200] = {0xc0, 0x1a, 0x2a, 0x3a, 0x4a, 8, 1, 2, 3, 4, 5, 6, 7, 8, 4, 9, 9, 9, 9};
    uint8_t answer[4096];
    static const uint8_t version_1[] = {0, 0, 0, 1};
    (void)state;
    rig_inject(rig, packet, sizeof(packet));
    size_t length = pull_one(rig, answer, sizeof(answer));
    assert_true(length > 0 && length < sizeof(packet));
    assert_memory_equal(answer + 1, "\0\0\0\0", 4);
    assert_memory_equal(answer + 5, "\4\x9\x9\x9\x9\x8\1\2\3\4\5\6\7\x8", 14);
    assert_memory_equal(answer + 19, version_1, 4);
    /* A short one gets nothing, nor does one that is itself a negotiation. */
    rig_inject(rig, packet, 1199);
    assert_int_equal(pull_one(rig, answer, sizeof(answer)), 0);
    memset(packet + 1, 0, 4);
    rig_inject(rig, packet, sizeof(packet));
    assert_int_equal(pull_one(rig, answer, sizeof(answer)), 0);
    rig_destroy(rig);
}

static void negotiations_are_limited_in_rate(void **state)
{
    struct rig *rig = rig_create(100);
    uint8_t packet[1200] = {0xc0, 0x1a, 0x2a, 0x3a, 0x4a, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0};
    uint8_t answer[4096];
    unsigned answers = 0;
    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        rig_inject(rig, packet, sizeof(packet));
        answers += pull_one(rig, answer, sizeof(answer)) > 0;
    }
    assert_int_equal(answers, 100);
    rig_destroy(rig);
}

static void stateless_reset_is_shorter_and_only_for_our_ids(void **state)
{
    struct rig *rig = rig_create(100);
    uint8_t packet[100] = {0x40, 3};
    uint8_t answer[4096];
    (void)state;
    rig_inject(rig, packet, sizeof(packet));
    size_t length = pull_one(rig, answer, sizeof(answer));
    assert_true(length >= 21 && length < sizeof(packet));
    rig_inject(rig, packet, 30);
    length = pull_one(rig, answer, sizeof(answer));
    assert_true(length >= 21 && length < 30);
    rig_inject(rig, packet, 21);
    assert_int_equal(pull_one(rig, answer, sizeof(answer)), 0);
    packet[1] = 4; /* another worker's */
    rig_inject(rig, packet, sizeof(packet));
    assert_int_equal(pull_one(rig, answer, sizeof(answer)), 0);
    rig_destroy(rig);
}

static void junk_is_dropped(void **state)
{
    struct rig *rig = connected(100);
    uint8_t packet[1500];
    uint64_t random = 1;
    (void)state;
    for (unsigned i = 0; i < 5000; i++) {
        for (size_t k = 0; k < sizeof(packet); k += 8) {
            random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            memcpy(packet + k, &random, sizeof(packet) - k < 8 ? sizeof(packet) - k : 8);
        }
        packet[0] = (uint8_t)(i % 4 == 0 ? 0xc0 : packet[0]);
        if (i % 8 == 0)
            memcpy(packet + 1, "\0\0\0\1\x8", 5);
        rig_inject(rig, packet, random % sizeof(packet));
    }
    rig_run(rig, 100 * HERALD_MILLISECOND);
    expect_answer(rig);
    rig_destroy(rig);
}

static void silent_client_gets_three_times_what_it_sent(void **state)
{
    struct rig *rig = rig_create(100);
    (void)state;
    rig_connect(rig);
    rig->mute_server = true;
    /* The first datagram alone: whatever the client repeats also counts. */
    rig_run(rig, 15 * HERALD_SECOND);
    assert_true(rig->bytes_to_client > 0);
    assert_true(rig->bytes_to_client <= 3 * rig->bytes_to_server);
    assert_true(rig->client_peer.closed);
    assert_int_equal(rig->client_peer.reason, HERALD_ERROR_TIMEOUT);
    assert_true(rig->accepted->closed);
    rig_destroy(rig);
}

/* RFC 9001 section 6: a TLS KeyUpdate is a connection error of type 0x010a. */
static void key_update_message_closes_its_connection(void **state)
{
    static const uint8_t key_update[] = {24, 0, 0, 1, 0};
    struct rig *rig = connected(100);
    struct h3_conn *client = h3_conn_of(rig->client_peer.peer.conn);
    (void)state;
    assert_int_equal(ngtcp2_conn_submit_crypto_data(client->quic, NGTCP2_ENCRYPTION_LEVEL_1RTT,
                                                    key_update, sizeof(key_update)),
                     0);
    h3_mark_ready(client);
    assert_true(rig_run_until(rig, &rig->accepted->closed, HERALD_SECOND));
    assert_int_equal(rig->accepted->reason, HERALD_ERROR_TLS);
    assert_true(rig_run_until(rig, &rig->client_peer.closed, HERALD_SECOND));
    /* The endpoint serves others. */
    rig->client_peer = (struct rig_peer){0};
    rig_connect(rig);
    assert_true(rig_run_until(rig, &rig->client_peer.secured, 5 * HERALD_SECOND));
    expect_answer(rig);
    rig_destroy(rig);
}

static void key_update_message_from_a_server_closes_the_client(void **state)
{
    static const uint8_t key_update[] = {24, 0, 0, 1, 1};
    struct rig *rig = connected(100);
    (void)state;
    rig_run(rig, 100 * HERALD_MILLISECOND);
    struct h3_conn *server = h3_conn_of(rig->accepted->peer.conn);
    assert_int_equal(ngtcp2_conn_submit_crypto_data(server->quic, NGTCP2_ENCRYPTION_LEVEL_1RTT,
                                                    key_update, sizeof(key_update)),
                     0);
    h3_mark_ready(server);
    assert_true(rig_run_until(rig, &rig->client_peer.closed, HERALD_SECOND));
    assert_int_equal(rig->client_peer.reason, HERALD_ERROR_TLS);
    rig_destroy(rig);
}

static void keys_are_updated_as_quic_does(void **state)
{
    struct rig *rig = connected(100);
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        rig_run(rig, 5 * HERALD_SECOND);
        expect_answer(rig);
        struct h3_conn *client = h3_conn_of(rig->client_peer.peer.conn);
        assert_int_equal(ngtcp2_conn_initiate_key_update(client->quic, rig->now), 0);
    }
    expect_answer(rig);
    rig_destroy(rig);
}

static void closed_connection_answers_late_packets_ever_less(void **state)
{
    struct rig *rig = connected(100);
    uint8_t packet[64] = {0x40}, answer[4096];
    ngtcp2_cid ids[16];
    unsigned answers = 0;
    (void)state;
    rig_run(rig, 100 * HERALD_MILLISECOND);
    struct conn *conn = rig->accepted->peer.conn;
    assert_true(ngtcp2_conn_get_scid(h3_conn_of(conn)->quic, NULL) <= 16);
    (void)ngtcp2_conn_get_scid(h3_conn_of(conn)->quic, ids);
    memcpy(packet + 1, ids[0].data, ids[0].datalen);
    rig->server->ops->close(rig->server, conn, HERALD_ERROR_CLOSED, rig->now);
    assert_true(rig->accepted->closed);
    assert_true(pull_one(rig, answer, sizeof(answer)) > 0);
    for (unsigned i = 0; i < 1000; i++) {
        rig_inject(rig, packet, sizeof(packet));
        answers += pull_one(rig, answer, sizeof(answer)) > 0;
    }
    assert_int_equal(answers, 10); /* 1, 2, 4, ... 512 */
    rig_destroy(rig);
}

static void client_moves_to_another_port(void **state)
{
    struct rig *rig = connected(100);
    (void)state;
    rig_run(rig, 100 * HERALD_MILLISECOND);
    for (uint16_t port = 41000; port < 41005; port++) {
        struct sockaddr_in before = rig->client_address;
        rig->client_address.sin_port = htons(port);
        ngtcp2_path path = {
            .local = {(struct sockaddr *)&rig->client_address, sizeof(before)},
            .remote = {(struct sockaddr *)&rig->server_address, sizeof(before)},
        };
        struct h3_conn *client = h3_conn_of(rig->client_peer.peer.conn);
        assert_int_equal(ngtcp2_conn_initiate_immediate_migration(client->quic, &path, rig->now),
                         0);
        h3_mark_ready(client);
        expect_answer(rig);
        rig_run(rig, HERALD_SECOND);
        assert_int_equal(rig->moved_to, port);
    }
    rig_destroy(rig);
}

static void idle_connection_ends_in_silence(void **state)
{
    struct rig *rig = rig_create(100);
    (void)state;
    rig->limits.idle_timeout = 5 * HERALD_SECOND;
    rig->answer = answer_nothing;
    rig_connect(rig);
    assert_true(rig_run_until(rig, &rig->client_peer.secured, 5 * HERALD_SECOND));
    rig_run(rig, 6 * HERALD_SECOND);
    assert_true(rig->client_peer.closed);
    assert_true(rig->accepted->closed);
    assert_int_equal(rig->accepted->reason, 0);
    rig_run(rig, 10 * HERALD_SECOND);
    assert_int_equal(rig->server->ops->deadline(rig->server), HERALD_NEVER);
    rig_destroy(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(retry_is_asked_for_and_answered),
        cmocka_unit_test(no_retry_while_there_is_room),
        cmocka_unit_test(unknown_version_is_answered_with_ours),
        cmocka_unit_test(negotiations_are_limited_in_rate),
        cmocka_unit_test(stateless_reset_is_shorter_and_only_for_our_ids),
        cmocka_unit_test(junk_is_dropped),
        cmocka_unit_test(silent_client_gets_three_times_what_it_sent),
        cmocka_unit_test(key_update_message_closes_its_connection),
        cmocka_unit_test(key_update_message_from_a_server_closes_the_client),
        cmocka_unit_test(keys_are_updated_as_quic_does),
        cmocka_unit_test(closed_connection_answers_late_packets_ever_less),
        cmocka_unit_test(client_moves_to_another_port),
        cmocka_unit_test(idle_connection_ends_in_silence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
