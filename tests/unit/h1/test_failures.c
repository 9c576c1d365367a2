/* Every allocation of whole sessions fails once, and from some point on: nothing leaks, the account
 * ends at zero, no event follows `closed`. */
#include "h1/harness.h"
#include "support/failmalloc.h"

static bool session(void *user)
{
    const enum handler_kind *kind = user;
    struct harness harness;
    bool sound = true;

    harness_init(&harness, *kind);
    harness_open(&harness);
    harness_open_client(&harness);
    if (harness.server != NULL && harness.client != NULL) {
        for (unsigned i = 0; i < 3; i++) {
            if (harness.asked != NULL || harness.client->finished)
                break;
            (void)harness_ask(&harness, i == 0 ? "GET" : "POST", "/path", i == 0 ? NULL : "body",
                              i == 2);
            harness_run(&harness, i == 1 ? 3 : 65536);
        }
        /* A half head and pipelined requests, in split pieces. */
        if (!harness.server->finished) {
            harness_feed(&harness, SPAN_LITERAL("GET / HTTP/1.1\r\nHost: a\r\nA: b\r\nC"));
            harness_feed(&harness, SPAN_LITERAL(": d\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\nGET"));
            harness_pull(&harness);
        }
        if (harness.asked != NULL)
            exchange_cancel(harness.asked, HERALD_ERROR_CANCELLED);
        if (harness.server->running != 0 && harness.held == NULL && harness.server->finished)
            sound = false;
        sound = sound && harness.completed <= harness.dispatched;
    }
    harness_close(&harness);
    return sound;
}

static void test_sessions(void **state)
{
    static enum handler_kind kinds[] = {HANDLER_ECHO, HANDLER_STREAM, HANDLER_HINTS, HANDLER_EARLY,
                                        HANDLER_EMPTY};

    (void)state;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        assert_true(failmalloc_each(session, &kinds[i], 2000) > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sessions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
