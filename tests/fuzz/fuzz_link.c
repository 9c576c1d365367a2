/* Link and Alt-Svc values: every step takes something or ends, and parts lie inside the text. */
#include "http/alt_svc.h"
#include "http/link.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            __builtin_trap();                                                                      \
    } while (0)

static void check_inside(struct span part, struct span whole)
{
    CHECK(part.length == 0 ||
          (part.data >= whole.data && part.data + part.length <= whole.data + whole.length));
}

static void walk_links(struct span whole)
{
    struct span rest = whole;
    struct link_header link;
    size_t before = rest.length;

    while (link_next(&rest, &link) > 0) {
        CHECK(rest.length < before);
        before = rest.length;
        check_inside(link.target, whole);
        check_inside(link.rel, whole);
        check_inside(link.as, whole);
        check_inside(link.title, whole);
        CHECK(memchr(link.target.data, '>', link.target.length) == NULL);
        link_has_relation(&link, SPAN_LITERAL("preload"));
    }
}

static void walk_services(struct span whole)
{
    struct span rest = whole;
    struct alt_svc service, again;
    char text[600];
    int state;

    while ((state = alt_svc_next(&rest, &service)) == 1) {
        check_inside(service.host, whole);
        CHECK(service.port != 0);
        size_t length = alt_svc_format(&service, text, sizeof(text));
        if (service.protocol[0] == 0 || length == 0)
            continue;
        struct span written = span_make(text, length);
        CHECK(alt_svc_next(&written, &again) == 1);
        CHECK(again.port == service.port && again.max_age == service.max_age);
        CHECK(strcmp(again.protocol, service.protocol) == 0);
        CHECK(span_equals(again.host, service.host));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 4096)
        return 0;
    walk_links(span_make(data, size));
    walk_services(span_make(data, size));
    return 0;
}
