#include "base/err.h"
#include "hpack/encoder_index.h"
#include "support/check.h"
#include "support/failmalloc.h"
#include "support/random.h"

static struct hpack_table table;
static struct hpack_index encoder_index;

static struct hpack_key key_of(const char *name, const char *value, uint8_t static_index)
{
    struct hpack_key key = {
        .name = span_from_text(name),
        .value = span_from_text(value),
        .static_index = static_index,
    };
    hpack_key_hash(&key);
    return key;
}

static void insert(const struct hpack_key *key)
{
    assert_int_equal(hpack_index_reserve(&encoder_index, &table), 0);
    assert_int_equal(hpack_table_insert(&table, key->name, key->value, key->static_index), 1);
    hpack_index_add(&encoder_index, &table, key);
}

/* By looking at each entry, newest first. */
static uint32_t scan(const struct hpack_key *key, bool by_name)
{
    for (uint32_t position = 0; position < table.count; position++) {
        const struct hpack_entry *entry = hpack_table_entry(&table, position);
        if (span_equals(hpack_entry_name(&table, entry), key->name) &&
            (by_name || span_equals(hpack_entry_value(&table, entry), key->value)))
            return position;
    }
    return HPACK_NOT_FOUND;
}

static void finds_what_a_scan_finds(void **state)
{
    (void)state;
    uint64_t random = 13;
    struct account account = {.maximum = 0};
    hpack_table_init(&table, 4096, &account);
    encoder_index = (struct hpack_index){.slots = 0};
    for (unsigned step = 0; step < 100000; step++) {
        char name[16], value[16];
        unsigned kind = (unsigned)random_below(&random, 30);
        snprintf(name, sizeof(name), "name-%u", kind);
        snprintf(value, sizeof(value), "%u", (unsigned)random_below(&random, 20));
        struct hpack_key key = key_of(name, value, kind < 10 ? (uint8_t)(kind + 1) : 0);
        uint32_t expected = scan(&key, false);
        assert_int_equal(hpack_index_find_field(&encoder_index, &table, &key), expected);
        if (key.static_index == 0)
            assert_int_equal(hpack_index_find_name(&encoder_index, &table, &key), scan(&key, true));
        if (expected == HPACK_NOT_FOUND)
            insert(&key);
        if (random_below(&random, 500) == 0)
            hpack_table_set_maximum(&table, 100 + (uint32_t)random_below(&random, 4000));
    }
    hpack_index_free(&encoder_index, &table);
    hpack_table_free(&table);
    assert_int_equal(account.live, 0);
}

static void an_empty_index_finds_nothing(void **state)
{
    (void)state;
    hpack_table_init(&table, 4096, NULL);
    encoder_index = (struct hpack_index){.slots = 0};
    struct hpack_key key = key_of("name", "value", 0);
    assert_int_equal(hpack_index_find_field(&encoder_index, &table, &key), HPACK_NOT_FOUND);
    assert_int_equal(hpack_index_find_name(&encoder_index, &table, &key), HPACK_NOT_FOUND);
    assert_int_equal(hpack_index_reserve(&encoder_index, &table), 0);
    assert_int_equal(hpack_index_find_field(&encoder_index, &table, &key), HPACK_NOT_FOUND);
    hpack_index_free(&encoder_index, &table);
    hpack_table_free(&table);
}

static void hashes_differ_where_fields_do(void **state)
{
    (void)state;
    struct hpack_key keys[] = {
        key_of("a", "", 0),         key_of("", "a", 0),          key_of("a", "a", 0),
        key_of("aa", "", 0),        key_of("a", "12345678", 0),  key_of("a", "123456789", 0),
        key_of("a", "12345679", 0), key_of("b", "12345678", 0),  key_of("a", "1234", 0),
        key_of("a", "12345", 0),    key_of("a", "aaaaaaaa", 0),  key_of("a", "aaaaaaaaa", 0),
        key_of("a", "1234", 7),     key_of("a", "1234", 8),      key_of("a", "12x45", 0),
        key_of("a", "123", 0),      key_of("a", "1234x6789", 0), key_of("a", "113", 0),
    };
    size_t count = sizeof(keys) / sizeof(keys[0]);
    for (size_t one = 0; one < count; one++) {
        for (size_t other = one + 1; other < count; other++)
            assert_int_not_equal(keys[one].field_hash, keys[other].field_hash);
    }
}

/* Every field in one chain: a search gives up after its budget and what it misses is only sent
 * longer. */
static void a_long_chain_has_a_budget(void **state)
{
    (void)state;
    hpack_table_init(&table, 65536, NULL);
    encoder_index = (struct hpack_index){.slots = 0};
    struct hpack_key oldest = key_of("name", "oldest", 0);
    oldest.field_hash = oldest.name_hash = 5;
    insert(&oldest);
    assert_int_equal(hpack_index_find_field(&encoder_index, &table, &oldest), 0);
    for (unsigned step = 0; step < 1000; step++) {
        char value[16];
        snprintf(value, sizeof(value), "%u", step);
        struct hpack_key key = key_of("name", value, 0);
        key.field_hash = key.name_hash = 5;
        insert(&key);
        assert_int_equal(hpack_index_find_field(&encoder_index, &table, &key), 0);
    }
    assert_int_equal(hpack_index_find_field(&encoder_index, &table, &oldest), HPACK_NOT_FOUND);
    hpack_index_free(&encoder_index, &table);
    hpack_table_free(&table);
}

static void growth_may_fail_and_changes_nothing(void **state)
{
    (void)state;
    hpack_table_init(&table, 4096, NULL);
    encoder_index = (struct hpack_index){.slots = 0};
    failmalloc_arm(FAILMALLOC_FROM, 1);
    assert_int_equal(hpack_index_reserve(&encoder_index, &table), HERALD_ERROR_NOMEM);
    failmalloc_disarm();
    assert_int_equal(encoder_index.slots, 0);
    struct hpack_key first = key_of("first", "1", 0);
    insert(&first);
    while (table.count < encoder_index.slots) {
        struct hpack_key key = key_of("more", "2", 0);
        insert(&key);
    }
    uint32_t position = table.count - 1;
    failmalloc_arm(FAILMALLOC_FROM, 1);
    assert_int_equal(hpack_index_reserve(&encoder_index, &table), HERALD_ERROR_NOMEM);
    failmalloc_disarm();
    assert_int_equal(hpack_index_find_field(&encoder_index, &table, &first), position);
    hpack_index_free(&encoder_index, &table);
    hpack_table_free(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_what_a_scan_finds),
        cmocka_unit_test(an_empty_index_finds_nothing),
        cmocka_unit_test(hashes_differ_where_fields_do),
        cmocka_unit_test(a_long_chain_has_a_budget),
        cmocka_unit_test(growth_may_fail_and_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
