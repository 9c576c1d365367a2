#include "base/err.h"
#include "http/alt_svc.h"
#include "support/check.h"

static struct alt_svc service;

static void services_are_read(void **state)
{
    struct span rest =
        SPAN_LITERAL("h3=\":8443\"; ma=3600; persist=1, h2=\"alt.test:443\",w%3Dx%3Ay%23z="
                     "\"[::1]:1\";v=\"a\";ma=99999999999");
    (void)state;

    assert_int_equal(alt_svc_next(&rest, &service), 1);
    assert_string_equal(service.protocol, "h3");
    assert_int_equal(service.host.length, 0);
    assert_int_equal(service.port, 8443);
    assert_int_equal(service.max_age, 3600);
    assert_true(service.persist);
    assert_int_equal(alt_svc_next(&rest, &service), 1);
    assert_true(span_equals(service.host, SPAN_LITERAL("alt.test")));
    assert_int_equal(service.max_age, ALT_SVC_MAX_AGE_DEFAULT);
    assert_int_equal(alt_svc_next(&rest, &service), 1);
    assert_string_equal(service.protocol, "w=x:y#z");
    assert_true(span_equals(service.host, SPAN_LITERAL("::1")));
    assert_int_equal(service.max_age, UINT32_MAX);
    assert_int_equal(alt_svc_next(&rest, &service), 0);
    rest = SPAN_LITERAL(" clear ");
    assert_int_equal(alt_svc_next(&rest, &service), 2);
    rest = SPAN_LITERAL("");
    assert_int_equal(alt_svc_next(&rest, &service), 0);
}

static void other_text_is_refused(void **state)
{
    static const char *const texts[] = {
        "h3",          "h3=",          "h3=\":0\"",      "h3=\":99999\"",
        "h3=\":1",     "h3=\"a\"",     "=\":1\"",        "h3=\":1\" x",
        "h3=\":1\";m", "h3=\":1\";ma", "h3=\":1\";ma=x", "%zz=\":1\"",
        "h3=\"a b:1\""};
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct span rest = span_from_text(texts[i]);
        assert_int_equal(alt_svc_next(&rest, &service), HERALD_ERROR_INVALID);
    }
}

static void what_is_written_is_read(void **state)
{
    struct alt_svc out = {"w=x%", SPAN_LITERAL("::1"), 8443, 60, true};
    char text[64];
    (void)state;

    struct span rest = span_make(text, alt_svc_format(&out, text, sizeof(text)));
    assert_int_equal(alt_svc_next(&rest, &service), 1);
    assert_string_equal(service.protocol, "w=x%");
    assert_true(span_equals(service.host, out.host));
    assert_int_equal(service.port, 8443);
    assert_int_equal(service.max_age, 60);
    assert_true(service.persist);
    out = (struct alt_svc){"h3", SPAN_EMPTY, 443, 86400, false};
    assert_int_equal(alt_svc_format(&out, text, sizeof(text)), strlen("h3=\":443\"; ma=86400"));
    assert_string_equal(text, "h3=\":443\"; ma=86400");
    assert_int_equal(alt_svc_format(&out, text, 10), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(services_are_read),
        cmocka_unit_test(other_text_is_refused),
        cmocka_unit_test(what_is_written_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
