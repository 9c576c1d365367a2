#include "base/err.h"
#include "http/body.h"
#include "support/check.h"
#include "support/failmalloc.h"

static struct account account;
static struct body body;

static int prepare(void **state)
{
    (void)state;
    account = (struct account){0};
    body_init(&body, 100, &account);
    return 0;
}

static int clean(void **state)
{
    (void)state;
    body_free(&body);
    assert_int_equal(account.live, 0);
    return 0;
}

static void bytes_come_out_in_order(void **state)
{
    uint64_t random = 3;
    uint8_t next_in = 0, next_out = 0, piece[3000];
    size_t inside = 0;
    bool end;
    (void)state;

    for (int i = 0; i < 5000; i++) {
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
        size_t length = (random >> 40) % (random >> 63 ? 3000 : 30);
        if ((random >> 30) & 1 && inside < 100000) {
            for (size_t j = 0; j < length; j++)
                piece[j] = next_in++;
            assert_int_equal(body_append(&body, span_make(piece, length)), 0);
            inside += length;
        } else {
            int64_t count = body_read(&body, piece, length, &end);
            assert_false(end);
            assert_int_equal(count, length < inside ? length : inside);
            for (int64_t j = 0; j < count; j++)
                assert_int_equal(piece[j], next_out++);
            inside -= (size_t)count;
        }
        assert_int_equal(body.queued, inside);
        assert_int_equal(body_has_room(&body), inside < 100);
        assert_int_equal(body_is_ready(&body), inside != 0);
        assert_true(account.live >= inside && account.live <= inside * 3 + 40000);
    }
    body.ended = true;
    assert_int_equal(body_append(&body, SPAN_LITERAL("x")), HERALD_ERROR_STATE);
    body_consume(&body, SIZE_MAX);
    assert_true(body_is_done(&body));
}

static void small_appends_share_chunks(void **state)
{
    (void)state;
    for (int i = 0; i < 500; i++)
        assert_int_equal(body_append(&body, SPAN_LITERAL("x")), 0);
    assert_int_equal(body_peek(&body).length, 500);
    size_t before = failmalloc_live();
    body_free(&body);
    assert_int_equal(before - failmalloc_live(), 1);
}

static void an_account_bounds_it(void **state)
{
    static const uint8_t bytes[5000];
    (void)state;

    account.maximum = 4000;
    assert_int_equal(body_append(&body, SPAN_LITERAL("abc")), 0);
    assert_int_equal(body_append(&body, span_make(bytes, sizeof(bytes))), HERALD_ERROR_LIMIT);
    assert_int_equal(body.queued, 3);
    assert_true(span_equals(body_peek(&body), SPAN_LITERAL("abc")));

    struct account other = {0};
    size_t held = account.live;
    body_move_account(&body, &other);
    assert_int_equal(account.live, 0);
    assert_int_equal(other.live, held);
    other.maximum = 10;
    body_move_account(&body, NULL);
    body_move_account(&body, &other);
    assert_int_equal(other.live, 0);
    assert_null(body.account);
}

static void count_release(void *owner)
{
    ++*(int *)owner;
}

static void references_are_mixed_with_copies(void **state)
{
    int released = 0;
    uint8_t text[16];
    bool end;
    (void)state;

    body_append(&body, SPAN_LITERAL("a"));
    assert_int_equal(body_append_reference(&body, SPAN_LITERAL("bc"), count_release, &released), 0);
    body_append(&body, SPAN_LITERAL("d"));
    assert_int_equal(body_append_reference(&body, SPAN_LITERAL("e"), NULL, NULL), 0);
    assert_int_equal(released, 0);
    assert_int_equal(body_read(&body, text, sizeof(text), &end), 5);
    assert_memory_equal(text, "abcde", 5);
    assert_int_equal(released, 1);
    body.ended = true;
    assert_int_equal(body_append_reference(&body, SPAN_LITERAL("f"), count_release, &released),
                     HERALD_ERROR_STATE);
    assert_int_equal(released, 2);
}

static void lent_memory_holds_a_small_body(void **state)
{
    static _Alignas(16) uint8_t memory[BODY_LENT_SIZE];
    static const uint8_t bytes[BODY_LENT_SIZE];
    size_t before = failmalloc_live();
    (void)state;

    body_lend(&body, memory);
    for (int round = 0; round < 3; round++) {
        assert_int_equal(body_append(&body, SPAN_LITERAL("small")), 0);
        assert_int_equal(body_append(&body, SPAN_LITERAL(" body")), 0);
        assert_int_equal(account.live, 0);
        assert_int_equal(failmalloc_live(), before);
        assert_true(span_equals(body_peek(&body), SPAN_LITERAL("small body")));
        body_consume(&body, 10);
    }
    /* It is used once at a time; what does not fit goes elsewhere. */
    assert_int_equal(body_append(&body, SPAN_LITERAL("x")), 0);
    assert_int_equal(body_append(&body, span_make(bytes, sizeof(bytes))), 0);
    assert_true(account.live > 0);
    struct account other = {0};
    size_t held = account.live;
    body_move_account(&body, &other);
    assert_int_equal(other.live, held);
    body_free(&body);
    assert_int_equal(other.live, 0);
    assert_int_equal(failmalloc_live(), before);
}

static bool without_memory(void *user)
{
    static const uint8_t bytes[600];
    int released = 0, calls = 0;
    size_t taken = 0;
    int error = 0;

    prepare(user);
    for (int i = 0; i < 4 && error == 0; i++) {
        error = body_append(&body, span_make(bytes, sizeof(bytes)));
        taken += error == 0 ? sizeof(bytes) : 0;
        if (error == 0) {
            calls++;
            error = body_append_reference(&body, SPAN_LITERAL("r"), count_release, &released);
            taken += error == 0;
        }
    }
    bool good = body.queued == taken && (error == 0 || failmalloc_fired());
    body_free(&body);
    return good && released == calls && account.live == 0;
}

static void memory_may_run_out(void **state)
{
    assert_int_not_equal(failmalloc_each(without_memory, state, 50), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, prepare, clean)
    const struct CMUnitTest tests[] = {
        TEST(bytes_come_out_in_order),        TEST(small_appends_share_chunks),
        TEST(an_account_bounds_it),           TEST(references_are_mixed_with_copies),
        TEST(lent_memory_holds_a_small_body), TEST(memory_may_run_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
