#include "base/err.h"
#include "hpack/dynamic_table.h"
#include "support/check.h"
#include "support/failmalloc.h"
#include "support/random.h"

#define MODEL_MOST 3000

/* The table as the RFC describes it: a list, newest first. */
struct model {
    struct {
        uint32_t seed, name_length, value_length;
    } entries[MODEL_MOST];
    uint32_t count, size, maximum;
};

static uint32_t entry_size(const struct model *model, uint32_t position)
{
    return model->entries[position].name_length + model->entries[position].value_length +
           HPACK_ENTRY_OVERHEAD;
}

static void model_evict(struct model *model, uint32_t size)
{
    while (model->size > size)
        model->size -= entry_size(model, --model->count);
}

static void model_insert(struct model *model, uint32_t seed, uint32_t name_length,
                         uint32_t value_length)
{
    uint32_t size = name_length + value_length + HPACK_ENTRY_OVERHEAD;
    model_evict(model, size > model->maximum ? 0 : model->maximum - size);
    if (size > model->maximum)
        return;
    memmove(model->entries + 1, model->entries, model->count * sizeof(model->entries[0]));
    model->entries[0].seed = seed;
    model->entries[0].name_length = name_length;
    model->entries[0].value_length = value_length;
    model->count++;
    model->size += size;
}

static void fill(uint8_t *bytes, uint32_t seed, uint32_t length)
{
    for (uint32_t at = 0; at < length; at++)
        bytes[at] = (uint8_t)(seed * 31 + at);
}

static void compare(const struct hpack_table *table, const struct model *model)
{
    static uint8_t expected[8192];
    assert_int_equal(table->count, model->count);
    assert_int_equal(table->size, model->size);
    for (uint32_t position = 0; position < model->count; position++) {
        const struct hpack_entry *entry = hpack_table_entry(table, position);
        struct span name = hpack_entry_name(table, entry), value = hpack_entry_value(table, entry);
        uint32_t seed = model->entries[position].seed;
        assert_int_equal(entry->static_index, (uint8_t)seed);
        assert_int_equal(name.length, model->entries[position].name_length);
        assert_int_equal(value.length, model->entries[position].value_length);
        fill(expected, seed, (uint32_t)name.length);
        assert_memory_equal(name.data, expected, name.length);
        fill(expected, seed + 1, (uint32_t)value.length);
        assert_memory_equal(value.data, expected, value.length);
    }
}

static void behaves_as_the_rfc_describes(void **state)
{
    (void)state;
    static struct model model;
    static uint8_t name[8192], value[8192];
    uint64_t random = 17;
    struct account account = {.maximum = 0};
    struct hpack_table table;
    hpack_table_init(&table, 4096, &account);
    model = (struct model){.maximum = 4096};
    for (uint32_t step = 0; step < 20000; step++) {
        if (random_below(&random, 200) == 0) {
            model.maximum = (uint32_t)random_below(&random, 8000);
            hpack_table_set_maximum(&table, model.maximum);
            model_evict(&model, model.maximum);
        }
        uint32_t most = random_below(&random, 50) == 0 ? 3000 : 40;
        uint32_t name_length = (uint32_t)random_below(&random, most);
        uint32_t value_length = (uint32_t)random_below(&random, most);
        fill(name, step, name_length);
        fill(value, step + 1, value_length);
        uint32_t generation = table.generation;
        int result = hpack_table_insert(&table, span_make(name, name_length),
                                        span_make(value, value_length), (uint8_t)step);
        model_insert(&model, step, name_length, value_length);
        assert_int_equal(result, model.count > 0 && model.entries[0].seed == step);
        assert_true(result == 0 || table.generation != generation);
        compare(&table, &model);
    }
    assert_in_range(account.peak, 1, 2 * 8192 + 256 * sizeof(struct hpack_entry));
    hpack_table_free(&table);
    assert_int_equal(account.live, 0);
}

static void empty_strings_are_entries(void **state)
{
    (void)state;
    struct hpack_table table;
    hpack_table_init(&table, 100, NULL);
    for (unsigned times = 0; times < 10; times++)
        assert_int_equal(hpack_table_insert(&table, SPAN_EMPTY, SPAN_EMPTY, 0), 1);
    assert_int_equal(table.count, 3);
    assert_int_equal(table.size, 96);
    hpack_table_free(&table);
}

static void the_maximum_has_a_maximum(void **state)
{
    (void)state;
    struct hpack_table table;
    hpack_table_init(&table, UINT32_MAX, NULL);
    assert_int_equal(table.maximum, HPACK_TABLE_MAXIMUM);
    hpack_table_set_maximum(&table, UINT32_MAX);
    assert_int_equal(table.maximum, HPACK_TABLE_MAXIMUM);
    hpack_table_free(&table);
}

/* An insertion that fails has evicted nothing: an encoder's peer still has those entries. */
static bool insert_short_of_memory(void *user)
{
    (void)user;
    static const char text[300];
    struct account account = {.maximum = 0};
    struct hpack_table table;
    bool good = true;
    hpack_table_init(&table, 2048, &account);
    for (unsigned step = 0; step < 100 && good; step++) {
        uint32_t count = table.count, size = table.size, generation = table.generation;
        int result =
            hpack_table_insert(&table, SPAN_LITERAL("name"), span_make(text, step * 7 % 300), 0);
        good = result == 1 || (result == HERALD_ERROR_NOMEM && table.count == count &&
                               table.size == size && table.generation == generation);
    }
    hpack_table_free(&table);
    return good && account.live == 0;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    assert_true(failmalloc_each(insert_short_of_memory, NULL, 300) > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(behaves_as_the_rfc_describes),
        cmocka_unit_test(empty_strings_are_entries),
        cmocka_unit_test(the_maximum_has_a_maximum),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
