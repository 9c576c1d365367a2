#include "base/buf.h"
#include "base/err.h"
#include "support/check.h"
#include "support/failmalloc.h"
#include "support/random.h"

static void is_lazy_and_reusable(void **state)
{
    (void)state;
    struct account account = {0};
    struct buf buf;
    buf_init(&buf, 100, &account);
    assert_null(buf.data);
    assert_int_equal(buf_length(&buf), 0);
    assert_null(buf_span(&buf).data);
    assert_int_equal(buf_append(&buf, NULL, 0), 0);
    assert_int_equal(buf_append_span(&buf, SPAN_EMPTY), 0);
    assert_null(buf.data);
    assert_int_equal(buf_append_text(&buf, "abc"), 0);
    assert_int_equal(account.live, buf.capacity);
    buf_free(&buf);
    assert_int_equal(account.live, 0);
    assert_null(buf.data);
    assert_int_equal(buf_append_byte(&buf, 'x'), 0);
    assert_true(span_equals(buf_span(&buf), SPAN_LITERAL("x")));
    buf_free(&buf);
}

static void stops_at_the_maximum(void **state)
{
    (void)state;
    struct buf buf;
    int error = 1;
    buf_init(&buf, 10, NULL);
    assert_int_equal(buf_append_text(&buf, "0123456789"), 0);
    assert_int_equal(buf.capacity, 10);
    assert_int_equal(buf_append_byte(&buf, 'x'), HERALD_ERROR_LIMIT);
    assert_null(buf_reserve(&buf, 1, &error));
    assert_int_equal(error, HERALD_ERROR_LIMIT);
    assert_null(buf_reserve(&buf, SIZE_MAX, NULL));
    buf_consume(&buf, 4);
    assert_int_equal(buf_append_text(&buf, "abcd"), 0);
    assert_true(span_equals(buf_span(&buf), SPAN_LITERAL("456789abcd")));
    assert_int_equal(buf.capacity, 10);
    buf_consume(&buf, 100);
    assert_int_equal(buf_length(&buf), 0);
    buf_free(&buf);
}

static void stops_at_the_account(void **state)
{
    (void)state;
    struct account account = {.maximum = 300};
    struct buf buf;
    buf_init(&buf, 100000, &account);
    assert_int_equal(buf_append_text(&buf, "abc"), 0);
    uint8_t large[400] = {0};
    assert_int_equal(buf_append(&buf, large, sizeof(large)), HERALD_ERROR_LIMIT);
    assert_true(span_equals(buf_span(&buf), SPAN_LITERAL("abc")));
    /* What fits after moving the bytes is taken even though the account allows no growth. */
    assert_int_equal(buf_append(&buf, large, 253), 0);
    buf_consume(&buf, 20);
    assert_int_equal(buf_append(&buf, large, 15), 0);
    assert_int_equal(buf_length(&buf), 251);
    assert_int_equal(account.live, buf.capacity);
    buf_free(&buf);
    assert_int_equal(account.live, 0);
}

static void reserve_and_commit(void **state)
{
    (void)state;
    struct buf buf;
    int error = 1;
    buf_init(&buf, 5000, NULL);
    uint8_t *to = buf_reserve(&buf, 1000, &error);
    assert_non_null(to);
    assert_int_equal(error, 0);
    memset(to, 'y', 1000);
    buf_commit(&buf, 3);
    assert_true(span_equals(buf_span(&buf), SPAN_LITERAL("yyy")));
    assert_non_null(buf_reserve(&buf, 0, NULL));
    buf_clear(&buf);
    assert_int_equal(buf_length(&buf), 0);
    assert_non_null(buf.data);
    buf_free(&buf);
}

static void printf_up_to_the_last_byte(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 8, NULL);
    assert_int_equal(buf_printf(&buf, "%s%d", "ab", 12), 0);
    assert_int_equal(buf_printf(&buf, "%s", "cdefg"), HERALD_ERROR_LIMIT);
    assert_int_equal(buf_printf(&buf, "%s", "cdef"), 0);
    assert_true(span_equals(buf_span(&buf), SPAN_LITERAL("ab12cdef")));
    assert_int_equal(buf_printf(&buf, "%s", ""), 0);
    assert_int_equal(buf_printf(&buf, "x"), HERALD_ERROR_LIMIT);
    buf_free(&buf);
}

static void a_nearly_full_queue_seldom_moves_its_bytes(void **state)
{
    (void)state;
    struct buf buf;
    uint8_t piece[100] = {0};
    /* A queue that is nearly full all the time: each step consumes a little and appends as much. */
    buf_init(&buf, 1 << 20, NULL);
    for (size_t i = 0; i < 5000; i++)
        assert_int_equal(buf_append(&buf, piece, sizeof(piece)), 0);
    size_t moves = 0;
    for (size_t i = 0; i < 200000; i++) {
        size_t start = buf.start;
        buf_consume(&buf, sizeof(piece));
        assert_int_equal(buf_append(&buf, piece, sizeof(piece)), 0);
        moves += buf.start < start;
    }
    assert_true(moves < 200000 * 100 / 400000);
    buf_free(&buf);
}

static void behaves_as_a_plain_queue(void **state)
{
    (void)state;
    enum { MAXIMUM = 3000 };
    uint64_t random = 7;
    for (unsigned round = 0; round < 200; round++) {
        struct account account = {.maximum = 1 + random_below(&random, 6000)};
        uint8_t model[MAXIMUM];
        size_t length = 0;
        uint8_t next = 0;
        struct buf buf;
        buf_init(&buf, 1 + random_below(&random, MAXIMUM), &account);
        for (unsigned step = 0; step < 300; step++) {
            uint8_t piece[700];
            size_t size = random_below(&random, sizeof(piece));
            for (size_t i = 0; i < size; i++)
                piece[i] = next++;
            if (random_below(&random, 3) == 0) {
                buf_consume(&buf, size);
                size = size < length ? size : length;
                memmove(model, model + size, length - size);
                length -= size;
            } else if (buf_append(&buf, piece, size) == 0) {
                memcpy(model + length, piece, size);
                length += size;
            }
            assert_true(span_equals(buf_span(&buf), span_make(model, length)));
            assert_true(length <= buf.maximum && buf.capacity <= buf.maximum);
            assert_int_equal(account.live, buf.capacity);
        }
        buf_free(&buf);
        assert_int_equal(account.live, 0);
    }
}

static bool fill_and_drain(void *user)
{
    struct account *account = user;
    struct buf buf;
    bool good = true;
    buf_init(&buf, 20000, account);
    for (unsigned i = 0; i < 40 && good; i++) {
        struct span before = buf_span(&buf);
        size_t length = before.length;
        char text[500] = "";
        memset(text, 'a' + (int)i % 26, sizeof(text) - 1);
        int error = i % 2 == 0 ? buf_append_text(&buf, text) : buf_printf(&buf, "%s", text);
        good = error == 0 ? buf_length(&buf) == length + 499
                          : error == HERALD_ERROR_NOMEM && buf_length(&buf) == length;
        if (i % 5 == 4)
            buf_consume(&buf, 700);
    }
    good = good && account->live == buf.capacity;
    buf_free(&buf);
    return good && account->live == 0;
}

static bool print_to_the_last_byte(void *user)
{
    (void)user;
    struct buf buf;
    buf_init(&buf, 3, NULL);
    int error = buf_printf(&buf, "%d", 123);
    bool good =
        error == 0 ? buf_length(&buf) == 3 : error == HERALD_ERROR_NOMEM && buf_length(&buf) == 0;
    buf_free(&buf);
    return good;
}

static void allocation_failures(void **state)
{
    (void)state;
    struct account account = {0};
    assert_true(failmalloc_each(fill_and_drain, &account, 100) > 10);
    assert_true(failmalloc_each(print_to_the_last_byte, NULL, 10) > 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_lazy_and_reusable),
        cmocka_unit_test(stops_at_the_maximum),
        cmocka_unit_test(stops_at_the_account),
        cmocka_unit_test(reserve_and_commit),
        cmocka_unit_test(printf_up_to_the_last_byte),
        cmocka_unit_test(a_nearly_full_queue_seldom_moves_its_bytes),
        cmocka_unit_test(behaves_as_a_plain_queue),
        cmocka_unit_test(allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
