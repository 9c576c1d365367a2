/* Whatever allocation fails, the connection or the stream ends, and nothing is lost or used after.
 */
#include "harness.h"

#include "support/failmalloc.h"

static void answer(struct rig *rig, struct exchange *exchange)
{
    const struct field hints[] = {FIELD("link", "</a.css>; rel=preload")};
    const struct field trailers[] = {FIELD("x-sum", "abc")};
    (void)rig;
    (void)exchange_inform(exchange, 103, hints, 1);
    if (exchange_respond(exchange, 200, NULL, 0, CONTENT_LENGTH_UNKNOWN) == 0) {
        (void)exchange_write(exchange, SPAN_LITERAL("body"));
        (void)exchange_finish(exchange, trailers, 1);
    }
    exchange_release(exchange);
}

static void session(enum failmalloc_mode mode, size_t nth, bool *failed)
{
    struct rig *rig = rig_create(100);
    struct result result = {0};
    rig->answer = answer;
    rig_connect(rig);
    failmalloc_arm(mode, nth);
    if (rig_run_until(rig, &rig->client_peer.secured, 15 * HERALD_SECOND)) {
        rig_run(rig, 50 * HERALD_MILLISECOND);
        if (rig_try_request(rig, &result, "/"))
            (void)rig_run_until(rig, &result.closed, 100 * HERALD_SECOND);
    }
    failmalloc_disarm();
    *failed = failmalloc_fired();
    if (!*failed) {
        assert_true(result.closed);
        assert_int_equal(result.reason, 0);
        assert_int_equal(result.status, 200);
    }
    rig_destroy(rig);
    if (result.exchange != NULL)
        fail_msg("an exchange was forgotten");
}

static void every_failure_is_survived(void **state)
{
    static const enum failmalloc_mode modes[] = {FAILMALLOC_ONCE, FAILMALLOC_FROM};
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        size_t before = failmalloc_live(), nth = 1;
        for (bool failed = true; failed; nth++) {
            session(modes[i], nth, &failed);
            assert_int_equal(failmalloc_live(), before);
        }
        assert_true(nth > 50);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_failure_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
