#include "client/push_store.h"
#include "support/check.h"
#include "support/failmalloc.h"
#include <stdio.h>

static struct message request_for(const char *method, const char *authority, const char *path)
{
    return (struct message){.method = span_from_text(method),
                            .scheme = SPAN_LITERAL("https"),
                            .authority = span_from_text(authority),
                            .path = span_from_text(path)};
}

static void found_once_by_its_url(void **state)
{
    struct push_store store;
    struct message style = request_for("GET", "Example.org", "/s.css");
    struct message other = request_for("GET", "example.org", "/S.css");
    struct message head = request_for("HEAD", "example.org", "/s.css");
    int first, second;

    (void)state;
    push_store_init(&store);
    assert_int_equal(push_store_add(&store, &style, &first), 0);
    assert_int_equal(push_store_add(&store, &style, &second), HERALD_ERROR_STATE);
    assert_int_equal(push_store_add(&store, &head, &second), HERALD_ERROR_INVALID);
    assert_null(push_store_take(&store, &other));
    assert_null(push_store_take(&store, &head));
    style.authority = SPAN_LITERAL("example.ORG");
    assert_ptr_equal(push_store_take(&store, &style), &first);
    assert_null(push_store_take(&store, &style));
    assert_int_equal(push_store_add(&store, &style, &second), 0);
    push_store_forget(&store, &first);
    assert_int_equal(store.count, 1);
    push_store_forget(&store, &second);
    assert_int_equal(store.count, 0);
    push_store_free(&store);
}

static void bounded(void **state)
{
    struct push_store store;
    int owner;

    (void)state;
    push_store_init(&store);
    for (unsigned i = 0; i <= PUSH_STORE_MAXIMUM; i++) {
        char path[32];
        snprintf(path, sizeof(path), "/%u", i);
        struct message request = request_for("GET", "h", path);
        assert_int_equal(push_store_add(&store, &request, &owner),
                         i < PUSH_STORE_MAXIMUM ? 0 : HERALD_ERROR_LIMIT);
    }
    push_store_free(&store);
    assert_int_equal(store.count, 0);
}

static bool add_one(void *user)
{
    struct push_store store;
    struct message request = request_for("GET", "h", "/");
    int owner, result;

    (void)user;
    push_store_init(&store);
    result = push_store_add(&store, &request, &owner);
    push_store_free(&store);
    return result == 0 || result == HERALD_ERROR_NOMEM;
}

static void survives_every_allocation_failure(void **state)
{
    (void)state;
    assert_true(failmalloc_each(add_one, NULL, 100) > 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(found_once_by_its_url),
        cmocka_unit_test(bounded),
        cmocka_unit_test(survives_every_allocation_failure),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
