#include "base/err.h"
#include "base/map.h"
#include "support/check.h"
#include "support/failmalloc.h"
#include "support/random.h"

static int values[64];

static void put_get_replace_remove(void **state)
{
    (void)state;
    struct map map;
    map_init(&map);
    assert_null(map_get(&map, 0));
    assert_null(map_remove(&map, 0));
    assert_int_equal(map_put(&map, 0, &values[0]), 0);
    assert_int_equal(map_put(&map, UINT64_MAX, &values[1]), 0);
    assert_ptr_equal(map_get(&map, 0), &values[0]);
    assert_ptr_equal(map_get(&map, UINT64_MAX), &values[1]);
    assert_int_equal(map_put(&map, 0, &values[2]), 0);
    assert_int_equal(map.count, 2);
    assert_ptr_equal(map_get(&map, 0), &values[2]);
    assert_ptr_equal(map_remove(&map, 0), &values[2]);
    assert_null(map_get(&map, 0));
    assert_null(map_remove(&map, 0));
    assert_int_equal(map.count, 1);
    map_free(&map);
    assert_null(map_get(&map, UINT64_MAX));
}

static void behaves_as_a_plain_table(void **state)
{
    (void)state;
    enum { KEYS = 300 };
    void *model[KEYS] = {0};
    size_t count = 0;
    uint64_t random = 11;
    struct map map;
    map_init(&map);
    for (unsigned step = 0; step < 200000; step++) {
        size_t key = random_below(&random, KEYS);
        /* Phases of growth and of decline, so that full and nearly empty tables both occur. */
        if (random_below(&random, 100) < (step / 5000 % 2 == 0 ? 70u : 30u)) {
            void *value = &values[random_below(&random, 64)];
            count += model[key] == NULL;
            model[key] = value;
            assert_int_equal(map_put(&map, key * 2 + 1, value), 0);
        } else {
            count -= model[key] != NULL;
            assert_ptr_equal(map_remove(&map, key * 2 + 1), model[key]);
            model[key] = NULL;
        }
        assert_int_equal(map.count, count);
        size_t probe = random_below(&random, KEYS);
        assert_ptr_equal(map_get(&map, probe * 2 + 1), model[probe]);
    }
    for (size_t key = 0; key < KEYS; key++) {
        assert_ptr_equal(map_get(&map, key * 2 + 1), model[key]);
        assert_null(map_get(&map, key * 2));
    }
    assert_true(map.capacity <= 1024);
    map_free(&map);
}

static void churn_of_ever_new_keys_does_not_grow(void **state)
{
    (void)state;
    struct map map;
    map_init(&map);
    for (uint64_t id = 1; id < 400000; id += 2) {
        assert_int_equal(map_put(&map, id, &values[0]), 0);
        if (id > 200)
            assert_non_null(map_remove(&map, id - 200));
    }
    assert_true(map.capacity <= 256);
    map_free(&map);
}

static void add_key(void *user, uint64_t key, void *value)
{
    uint64_t *sum = user;
    sum[0] += key;
    sum[1] += (uint64_t)((int *)value - values);
}

static void each_visits_all_once(void **state)
{
    (void)state;
    struct map map;
    uint64_t sums[2] = {0, 0};
    map_init(&map);
    map_each(&map, add_key, sums);
    assert_int_equal(sums[0], 0);
    for (uint64_t key = 0; key < 64; key++)
        assert_int_equal(map_put(&map, key * 1000, &values[key]), 0);
    map_each(&map, add_key, sums);
    assert_int_equal(sums[0], 2016000);
    assert_int_equal(sums[1], 2016);
    map_free(&map);
}

static bool fill(void *user)
{
    (void)user;
    struct map map;
    size_t stored = 0;
    bool good = true;
    map_init(&map);
    for (uint64_t key = 0; key < 100 && good; key++) {
        int error = map_put(&map, key, &values[key % 64]);
        if (error == 0)
            stored++;
        good = (map_get(&map, key) != NULL) == (error == 0) &&
               (error == 0 || error == HERALD_ERROR_NOMEM) && map.count == stored;
    }
    map_free(&map);
    return good;
}

static void allocation_failures(void **state)
{
    (void)state;
    assert_true(failmalloc_each(fill, NULL, 1000) > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(put_get_replace_remove),
        cmocka_unit_test(behaves_as_a_plain_table),
        cmocka_unit_test(churn_of_ever_new_keys_does_not_grow),
        cmocka_unit_test(each_visits_all_once),
        cmocka_unit_test(allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
