#include "base/account.h"
#include "support/check.h"

static void charges_up_to_the_maximum(void **state)
{
    (void)state;
    struct account account = {.maximum = 100};
    assert_int_equal(account_charge(&account, 60), 0);
    assert_int_equal(account_charge(&account, 41), HERALD_ERROR_LIMIT);
    assert_int_equal(account_charge(&account, SIZE_MAX), HERALD_ERROR_LIMIT);
    assert_int_equal(account.live, 60);
    assert_int_equal(account_charge(&account, 40), 0);
    assert_int_equal(account.live, 100);
    account_refund(&account, 70);
    assert_int_equal(account.live, 30);
    assert_int_equal(account.peak, 100);
}

static void nothing_is_refused_without_a_maximum(void **state)
{
    (void)state;
    struct account account = {0};
    assert_int_equal(account_charge(&account, SIZE_MAX / 2), 0);
    assert_int_equal(account_charge(NULL, SIZE_MAX), 0);
    account_refund(NULL, 1);
    account_refund(&account, SIZE_MAX / 2);
    assert_int_equal(account.live, 0);
}

static void a_maximum_lowered_below_the_live_bytes_refuses(void **state)
{
    (void)state;
    struct account account = {.live = 100, .maximum = 50};
    assert_int_equal(account_charge(&account, 1), HERALD_ERROR_LIMIT);
    assert_int_equal(account.live, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(charges_up_to_the_maximum),
        cmocka_unit_test(nothing_is_refused_without_a_maximum),
        cmocka_unit_test(a_maximum_lowered_below_the_live_bytes_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
