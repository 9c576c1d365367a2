#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "h3/ids.h"
#include <cmocka.h>

#define MANY 2000

static struct span id_of(uint8_t bytes[H3_ID_MAXIMUM], unsigned number, size_t length)
{
    memset(bytes, 0, H3_ID_MAXIMUM);
    bytes[0] = (uint8_t)number;
    bytes[1] = (uint8_t)(number >> 8);
    return span_make(bytes, length);
}

static void ids_are_found_until_removed(void **state)
{
    const uint64_t key[2] = {1, 2};
    struct h3_ids ids;
    struct list first, second;
    uint8_t bytes[H3_ID_MAXIMUM];
    int owners[2];
    (void)state;
    h3_ids_init(&ids, key);
    list_init(&first);
    list_init(&second);
    assert_null(h3_ids_find(&ids, id_of(bytes, 1, 8)));
    for (unsigned i = 0; i < MANY; i++)
        assert_int_equal(h3_ids_add(&ids, id_of(bytes, i, 8 + i % 13), &owners[i % 2],
                                    i % 2 == 0 ? &first : &second),
                         0);
    for (unsigned i = 0; i < MANY; i++)
        assert_ptr_equal(h3_ids_find(&ids, id_of(bytes, i, 8 + i % 13)), &owners[i % 2]);
    /* The length belongs to the ID. */
    assert_null(h3_ids_find(&ids, id_of(bytes, 3, 8)));
    assert_int_equal(h3_ids_add(&ids, id_of(bytes, 0, 8), &owners[1], &second), HERALD_ERROR_STATE);
    h3_ids_remove(&ids, id_of(bytes, 5, 8 + 5));
    assert_null(h3_ids_find(&ids, id_of(bytes, 5, 8 + 5)));
    h3_ids_remove_all(&ids, &first);
    assert_true(list_is_empty(&first));
    assert_int_equal(ids.count, MANY / 2 - 1);
    assert_ptr_equal(h3_ids_find(&ids, id_of(bytes, 7, 8 + 7)), &owners[1]);
    h3_ids_remove_all(&ids, &second);
    assert_int_equal(ids.count, 0);
    h3_ids_free(&ids);
}

static void bytes_beyond_twenty_are_refused(void **state)
{
    const uint64_t key[2] = {1, 2};
    struct h3_ids ids;
    struct list owned;
    uint8_t bytes[H3_ID_MAXIMUM + 1] = {0};
    (void)state;
    h3_ids_init(&ids, key);
    list_init(&owned);
    assert_int_equal(h3_ids_add(&ids, span_make(bytes, sizeof(bytes)), &ids, &owned),
                     HERALD_ERROR_INVALID);
    assert_int_equal(h3_ids_add(&ids, span_make(bytes, H3_ID_MAXIMUM), &ids, &owned), 0);
    assert_int_equal(h3_ids_add(&ids, SPAN_EMPTY, &owned, &owned), 0);
    assert_ptr_equal(h3_ids_find(&ids, SPAN_EMPTY), &owned);
    h3_ids_remove_all(&ids, &owned);
    h3_ids_free(&ids);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_found_until_removed),
        cmocka_unit_test(bytes_beyond_twenty_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
