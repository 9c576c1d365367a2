#include "base/err.h"
#include "http/link.h"
#include "support/check.h"

static struct link_header link;

static void assert_span(struct span span, const char *text)
{
    assert_int_equal(span.length, strlen(text));
    assert_memory_equal(span.data == NULL ? (const uint8_t *)"" : span.data, text, span.length);
}

static void several_links_in_one_value(void **state)
{
    struct span rest = SPAN_LITERAL(
        "</style.css>; rel=preload; as=style, <https://a.test/f.woff2;x,y>; REL=\"preload next\";"
        "as=\"font\" ; crossorigin;type=font/woff2; nopush ,, </page?a=b> ;rel = "
        "prev;title=\"a\\\"b\""
        ";rel=next");
    (void)state;

    assert_int_equal(link_next(&rest, &link), 1);
    assert_span(link.target, "/style.css");
    assert_span(link.rel, "preload");
    assert_span(link.as, "style");
    assert_false(link.nopush || link.has_crossorigin);
    assert_int_equal(link_next(&rest, &link), 1);
    assert_span(link.target, "https://a.test/f.woff2;x,y");
    assert_true(link_has_relation(&link, SPAN_LITERAL("PRELOAD")));
    assert_true(link_has_relation(&link, SPAN_LITERAL("next")));
    assert_false(link_has_relation(&link, SPAN_LITERAL("pre")));
    assert_span(link.type, "font/woff2");
    assert_true(link.has_crossorigin && link.nopush && !link.push_only);
    assert_int_equal(link_next(&rest, &link), 1);
    assert_span(link.rel, "prev");
    assert_span(link.title, "a\\\"b");
    assert_int_equal(link_next(&rest, &link), 0);
    assert_int_equal(link_next(&rest, &link), 0);
}

static void odd_but_clear_values_are_taken(void **state)
{
    static const char *const texts[] = {
        "<a>",    "<a>;", "<a>; ;rel=b", "<>;rel=\"\"", " \t<a>\t;\trel=b\t", "<a>;x*=UTF-8''b",
        "<a>;rel"};
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct span rest = span_from_text(texts[i]);
        assert_int_equal(link_next(&rest, &link), 1);
        assert_int_equal(link_next(&rest, &link), 0);
    }
}

static void other_text_is_refused(void **state)
{
    static const char *const texts[] = {"a",      "<a",           "<a b>",       "<a>;rel=\"b",
                                        "<a> b",  "<a>;rel=b c",  "<a>;rel=b\"", "<a<b>",
                                        "<a>;=b", "<a>;rel=\"b\\"};
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct span rest = span_from_text(texts[i]);
        assert_int_equal(link_next(&rest, &link), HERALD_ERROR_INVALID);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(several_links_in_one_value),
        cmocka_unit_test(odd_but_clear_values_are_taken),
        cmocka_unit_test(other_text_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
