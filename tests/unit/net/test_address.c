#include "net/address.h"

#include "base/err.h"
#include "support/check.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <sys/un.h>

static void good_forms(void **state)
{
    static const struct {
        const char *text;
        enum address_kind kind;
        const char *host; /* or path */
        unsigned port;    /* or descriptor */
    } cases[] = {
        {"127.0.0.1:8443", ADDRESS_INET, "127.0.0.1", 8443},
        {"127.0.0.1", ADDRESS_INET, "127.0.0.1", 8000},
        {"localhost:0", ADDRESS_INET, "localhost", 0},
        {":443", ADDRESS_INET, "", 443},
        {"[::1]:65535", ADDRESS_INET, "::1", 65535},
        {"[::]", ADDRESS_INET, "::", 8000},
        {"::1", ADDRESS_INET, "::1", 8000},
        {"unix:/run/herald.sock", ADDRESS_UNIX, "/run/herald.sock", 0},
        {"unix:@abstract", ADDRESS_UNIX, "@abstract", 0},
        {"fd://3", ADDRESS_DESCRIPTOR, "", 3},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct address address;
        assert_int_equal(address_parse(cases[i].text, 8000, &address), 0);
        assert_int_equal(address.kind, cases[i].kind);
        switch (address.kind) {
        case ADDRESS_INET:
            assert_string_equal(address.host, cases[i].host);
            assert_int_equal(address.port, cases[i].port);
            break;
        case ADDRESS_UNIX:
            assert_string_equal(address.path, cases[i].host);
            break;
        case ADDRESS_DESCRIPTOR:
            assert_int_equal(address.descriptor, cases[i].port);
            break;
        }
    }
}

static void bad_forms(void **state)
{
    static const char *const cases[] = {
        "",
        "127.0.0.1:",
        "127.0.0.1:65536",
        "host:http",
        "host:80x",
        "host:-1",
        "[::1",
        "[::1]80",
        "[::1]:",
        "[localhost]:80",
        "a:b:80",
        "::zz",
        "unix:",
        "fd://",
        "fd://x",
        "fd://-1",
        "ho st:80",
        "http://a:80",
        "host:+80",
        "[]:80",
        "host:99999999999999999999",
    };
    char long_path[256] = "unix:/";
    char long_host[400];
    struct address address;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(address_parse(cases[i], 8000, &address), HERALD_ERROR_INVALID);
    memset(long_path + 6, 'x', 120);
    assert_int_equal(address_parse(long_path, 8000, &address), HERALD_ERROR_INVALID);
    memset(long_host, 'x', sizeof(long_host));
    memcpy(long_host + 300, ":80", 4);
    assert_int_equal(address_parse(long_host, 8000, &address), HERALD_ERROR_INVALID);
}

static void resolved_and_printed(void **state)
{
    static const struct {
        const char *text, *printed;
    } cases[] = {
        {"127.0.0.1:80", "127.0.0.1:80"},
        {"[::1]:443", "[::1]:443"},
        {"[::ffff:192.0.2.1]:5", "192.0.2.1:5"},
        {"unix:/tmp/x", "unix:/tmp/x"},
        {"unix:@name", "unix:@name"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct address address;
        struct socket_address resolved[4];
        char text[128];
        assert_int_equal(address_parse(cases[i].text, 8000, &address), 0);
        assert_int_equal(address_resolve(&address, resolved, 4), 1);
        address_print((struct sockaddr *)&resolved[0].storage, resolved[0].length, text,
                      sizeof(text));
        assert_string_equal(text, cases[i].printed);
    }
}

static void every_address_is_one_socket(void **state)
{
    struct address address;
    struct socket_address resolved[4];

    (void)state;
    assert_int_equal(address_parse(":8443", 0, &address), 0);
    assert_int_equal(address_resolve(&address, resolved, 4), 1);
    assert_true(resolved[0].storage.ss_family == AF_INET6 ||
                resolved[0].storage.ss_family == AF_INET);
}

static void names_resolve_without_repetition(void **state)
{
    struct address address;
    struct socket_address resolved[8];

    (void)state;
    assert_int_equal(address_parse("localhost:1", 0, &address), 0);
    int count = address_resolve(&address, resolved, 8);
    assert_in_range(count, 1, 2);
    assert_int_equal(address_resolve(&address, resolved, 1), 1);
    assert_int_equal(address_parse("no-such-host.invalid:1", 0, &address), 0);
    assert_int_equal(address_resolve(&address, resolved, 8), HERALD_ERROR_RESOLVE);
    assert_int_equal(address_parse("fd://5", 0, &address), 0);
    assert_int_equal(address_resolve(&address, resolved, 8), HERALD_ERROR_INVALID);
}

static void loopback(void **state)
{
    static const char *const yes[] = {"127.0.0.1",       "127.9.9.9", "::1",
                                      "localhost",       "LOCALHOST", "app.localhost",
                                      "::ffff:127.0.0.1"};
    static const char *const no[] = {
        "128.0.0.1", "::", "localhost.example.org", "notlocalhost", "example.org", "", "10.0.0.1"};

    (void)state;
    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
        assert_true(address_is_loopback(yes[i]));
    for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
        assert_false(address_is_loopback(no[i]));
}

static void long_texts_are_cut(void **state)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(80)};
    char text[8];

    (void)state;
    address_print((struct sockaddr *)&in, sizeof(in), text, sizeof(text));
    assert_string_equal(text, "0.0.0.0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_forms),
        cmocka_unit_test(bad_forms),
        cmocka_unit_test(resolved_and_printed),
        cmocka_unit_test(every_address_is_one_socket),
        cmocka_unit_test(names_resolve_without_repetition),
        cmocka_unit_test(loopback),
        cmocka_unit_test(long_texts_are_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
