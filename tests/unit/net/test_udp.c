#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "net/udp.h"
#include <arpa/inet.h>
#include <cmocka.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define SEGMENT 1200
#define COUNT   20

static void open_loopback(struct udp_socket *udp, int family)
{
    struct listener_error error;
    struct socket_address address = {.length = sizeof(struct sockaddr_in)};
    struct sockaddr_in *in = (struct sockaddr_in *)&address.storage;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&address.storage;
    if (family == AF_INET) {
        *in = (struct sockaddr_in){.sin_family = AF_INET};
        in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    } else {
        *in6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
        address.length = sizeof(*in6);
    }
    int result = udp_open(udp, &address, false, &error);
    if (result < 0 && family == AF_INET6)
        skip(); /* this machine has no IPv6 */
    assert_int_equal(result, 0);
    assert_int_not_equal(udp->port, 0);
}

static struct conn_path path_between(const struct udp_socket *from, const struct udp_socket *to)
{
    return (struct conn_path){&from->bound.storage, &to->bound.storage, from->bound.length,
                              to->bound.length};
}

static unsigned receive_all(struct udp_socket *udp, uint8_t *bytes, size_t expected, uint8_t ecn)
{
    static uint8_t buffer[UDP_BATCH * UDP_DATAGRAM_SIZE];
    struct udp_datagram datagrams[UDP_BATCH];
    unsigned received = 0;
    size_t length = 0;
    while (length < expected) {
        struct pollfd ready = {.fd = udp->descriptor, .events = POLLIN};
        assert_int_equal(poll(&ready, 1, 5000), 1);
        int count = udp_receive(udp, buffer, datagrams);
        assert_true(count > 0);
        for (int i = 0; i < count; i++) {
            const struct conn_in *in = &datagrams[i].in;
            assert_int_equal(in->ecn, ecn);
            assert_memory_equal(in->path.local, &udp->bound.storage, udp->bound.length);
            memcpy(bytes + length, in->data.data, in->data.length);
            length += in->data.length;
            received++;
        }
    }
    assert_int_equal(length, expected);
    assert_int_equal(udp_receive(udp, buffer, datagrams), 0);
    return received;
}

static void exchange_runs(int family, bool no_segments, uint8_t ecn)
{
    struct udp_socket first, second;
    static uint8_t sent[SEGMENT * COUNT + 100], received[sizeof(sent)];
    size_t done = 0;
    open_loopback(&first, family);
    open_loopback(&second, family);
    first.no_segments = no_segments;
    for (size_t i = 0; i < sizeof(sent); i++)
        sent[i] = (uint8_t)(i * 7);
    const struct conn_out out = {
        .data = sent,
        .length = sizeof(sent),
        .segment = SEGMENT,
        .path = path_between(&first, &second),
        .ecn = ecn,
    };
    assert_int_equal(udp_send(&first, &out, &done), 0);
    assert_int_equal(done, sizeof(sent));
    assert_int_equal(receive_all(&second, received, sizeof(sent), ecn), COUNT + 1);
    assert_memory_equal(received, sent, sizeof(sent));
    udp_close(&first);
    udp_close(&second);
}

static void runs_arrive_as_datagrams(void **state)
{
    (void)state;
    exchange_runs(AF_INET, false, 0);
}

static void runs_arrive_without_segmentation(void **state)
{
    (void)state;
    exchange_runs(AF_INET, true, 0);
}

static void ecn_bits_arrive(void **state)
{
    (void)state;
    exchange_runs(AF_INET, false, 2);
}

static void runs_and_ecn_arrive_over_ipv6(void **state)
{
    (void)state;
    exchange_runs(AF_INET6, false, 2);
}

static void datagrams_that_are_too_long_are_emptied(void **state)
{
    struct udp_socket first, second;
    static uint8_t sent[UDP_DATAGRAM_SIZE + 1], buffer[UDP_BATCH * UDP_DATAGRAM_SIZE];
    struct udp_datagram datagrams[UDP_BATCH];
    size_t done = 0;
    (void)state;
    open_loopback(&first, AF_INET);
    open_loopback(&second, AF_INET);
    const struct conn_out out = {.data = sent,
                                 .length = sizeof(sent),
                                 .segment = sizeof(sent),
                                 .path = path_between(&first, &second)};
    assert_int_equal(udp_send(&first, &out, &done), 0);
    struct pollfd ready = {.fd = second.descriptor, .events = POLLIN};
    assert_int_equal(poll(&ready, 1, 5000), 1);
    assert_int_equal(udp_receive(&second, buffer, datagrams), 1);
    assert_int_equal(datagrams[0].in.data.length, 0);
    udp_close(&first);
    udp_close(&second);
}

static void what_cannot_be_sent_counts_as_lost(void **state)
{
    struct udp_socket udp;
    static uint8_t sent[3000];
    size_t done = 0;
    (void)state;
    open_loopback(&udp, AF_INET);
    struct sockaddr_in nowhere = {.sin_family = AF_INET, .sin_port = htons(9)};
    nowhere.sin_addr.s_addr = htonl(INADDR_BROADCAST);
    const struct conn_out out = {
        .data = sent,
        .length = sizeof(sent),
        .segment = 1000,
        .path = {&udp.bound.storage, &nowhere, udp.bound.length, sizeof(nowhere)},
    };
    assert_int_equal(udp_send(&udp, &out, &done), 0);
    assert_int_equal(done, sizeof(sent));
    udp_close(&udp);
}

static void taken_address_is_told(void **state)
{
    struct udp_socket first, second;
    struct listener_error error = {""};
    (void)state;
    open_loopback(&first, AF_INET);
    assert_int_equal(udp_open(&second, &first.bound, false, &error), HERALD_ERROR_IO);
    assert_non_null(strstr(error.text, "cannot take UDP on 127.0.0.1:"));
    assert_int_equal(second.descriptor, -1);
    udp_close(&first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_arrive_as_datagrams),
        cmocka_unit_test(runs_arrive_without_segmentation),
        cmocka_unit_test(ecn_bits_arrive),
        cmocka_unit_test(runs_and_ecn_arrive_over_ipv6),
        cmocka_unit_test(datagrams_that_are_too_long_are_emptied),
        cmocka_unit_test(what_cannot_be_sent_counts_as_lost),
        cmocka_unit_test(taken_address_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
