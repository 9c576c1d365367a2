#include "base/arena.h"
#include "base/err.h"
#include "support/check.h"
#include "support/failmalloc.h"
#include "support/random.h"

static void allocations_are_aligned_and_apart(void **state)
{
    (void)state;
    enum { COUNT = 400 };
    struct arena arena;
    struct account account = {0};
    uint8_t *pieces[COUNT];
    size_t sizes[COUNT];
    uint64_t random = 3;
    arena_init(&arena, 0, &account);
    for (size_t i = 0; i < COUNT; i++) {
        sizes[i] = random_below(&random, i % 50 == 0 ? 20000 : 100);
        pieces[i] = arena_alloc(&arena, sizes[i]);
        assert_non_null(pieces[i]);
        assert_int_equal((uintptr_t)pieces[i] % 16, 0);
        memset(pieces[i], (int)i, sizes[i]);
    }
    for (size_t i = 0; i < COUNT; i++) {
        for (size_t j = 0; j < sizes[i]; j++)
            assert_int_equal(pieces[i][j], (uint8_t)i);
    }
    assert_int_equal(account.live, arena.total);
    arena_free(&arena);
    assert_int_equal(account.live, 0);
    assert_int_equal(arena.total, 0);
}

static void lent_memory_comes_first(void **state)
{
    (void)state;
    struct arena arena;
    struct account account = {0};
    uint8_t *memory = aligned_alloc(16, 512);
    arena_init(&arena, 0, &account);
    arena_lend(&arena, memory, 512);
    uint8_t *first = arena_alloc(&arena, 300);
    assert_true(first > memory && first + 300 <= memory + 512);
    assert_int_equal(account.live, 0);
    uint8_t *second = arena_alloc(&arena, 300);
    assert_true(second < memory || second >= memory + 512);
    assert_int_equal(account.live, arena.total);
    arena_free(&arena);
    assert_int_equal(account.live, 0);
    memset(memory, 1, 512);
    free(memory);
}

static void few_blocks_for_many_small_pieces(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 0, NULL);
    failmalloc_arm(FAILMALLOC_OFF, 0);
    for (size_t i = 0; i < 10000; i++)
        assert_non_null(arena_alloc(&arena, 16));
    assert_true(failmalloc_calls() <= 9);
    arena_free(&arena);
}

static void zeroed_and_copied(void **state)
{
    (void)state;
    struct arena arena;
    struct span copy;
    arena_init(&arena, 0, NULL);
    memset(arena_alloc(&arena, 64), 0xff, 64);
    arena_free(&arena);
    uint8_t *zero = arena_zalloc(&arena, 64);
    for (size_t i = 0; i < 64; i++)
        assert_int_equal(zero[i], 0);
    assert_int_equal(arena_copy(&arena, SPAN_LITERAL("0123456789abcdef"), &copy), 0);
    assert_string_equal((const char *)copy.data, "0123456789abcdef");
    assert_int_equal(copy.length, 16);
    assert_int_equal(arena_copy(&arena, SPAN_EMPTY, &copy), 0);
    assert_int_equal(copy.length, 0);
    assert_int_equal(copy.data[0], 0);
    arena_free(&arena);
}

static void the_maximum_is_used_up_but_not_passed(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 4000, NULL);
    size_t got = 0;
    while (arena_alloc(&arena, 100) != NULL)
        got += 100;
    assert_true(got > 2500);
    assert_true(arena.total <= 4000);
    assert_null(arena_alloc(&arena, SIZE_MAX));
    assert_null(arena_alloc(&arena, SIZE_MAX - 64));
    arena_free(&arena);
    assert_non_null(arena_alloc(&arena, 3900));
    assert_null(arena_alloc(&arena, 200));
    arena_free(&arena);
}

static void the_account_is_not_passed(void **state)
{
    (void)state;
    struct account account = {.maximum = 2500, .live = 100};
    struct arena arena;
    arena_init(&arena, 0, &account);
    while (arena_alloc(&arena, 40) != NULL)
        assert_true(account.live <= 2500);
    struct span copy;
    assert_int_equal(
        arena_copy(&arena, SPAN_LITERAL("a long enough piece of text to not fit in"), &copy),
        HERALD_ERROR_NOMEM);
    arena_free(&arena);
    assert_int_equal(account.live, 100);
}

static bool allocate_much(void *user)
{
    struct account *account = user;
    struct arena arena;
    arena_init(&arena, 100000, account);
    for (size_t i = 0; i < 100; i++) {
        struct span copy;
        uint8_t *piece = arena_zalloc(&arena, i * 10);
        if (piece != NULL && i != 0)
            piece[i * 10 - 1] = 1;
        (void)arena_copy(&arena, SPAN_LITERAL("text"), &copy);
    }
    bool good = account->live == arena.total;
    arena_free(&arena);
    return good && account->live == 0;
}

static void allocation_failures(void **state)
{
    (void)state;
    struct account account = {0};
    assert_true(failmalloc_each(allocate_much, &account, 1000) > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocations_are_aligned_and_apart),
        cmocka_unit_test(lent_memory_comes_first),
        cmocka_unit_test(few_blocks_for_many_small_pieces),
        cmocka_unit_test(zeroed_and_copied),
        cmocka_unit_test(the_maximum_is_used_up_but_not_passed),
        cmocka_unit_test(the_account_is_not_passed),
        cmocka_unit_test(allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
