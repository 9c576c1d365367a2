#include "base/list.h"
#include "support/check.h"

struct item {
    int number;
    struct list node;
};

static int number_of(struct list *node)
{
    return CONTAINER_OF(node, struct item, node)->number;
}

static void keeps_order(void **state)
{
    (void)state;
    struct list head;
    struct item items[3] = {{.number = 0}, {.number = 1}, {.number = 2}};
    list_init(&head);
    assert_true(list_is_empty(&head));
    assert_null(list_first(&head));
    list_append(&head, &items[0].node);
    list_append(&head, &items[2].node);
    list_insert_before(&items[2].node, &items[1].node);
    int expected = 0;
    LIST_FOR_EACH_SAFE(node, following, &head)
    {
        assert_int_equal(number_of(node), expected++);
    }
    assert_int_equal(expected, 3);
    assert_ptr_equal(list_first(&head), &items[0].node);
}

static void removal_in_a_walk_and_twice(void **state)
{
    (void)state;
    struct list head;
    struct item items[4] = {{.number = 0}, {.number = 1}, {.number = 2}, {.number = 3}};
    list_init(&head);
    for (size_t i = 0; i < 4; i++)
        list_append(&head, &items[i].node);
    LIST_FOR_EACH_SAFE(node, following, &head)
    {
        if (number_of(node) % 2 == 0) {
            list_remove(node);
            list_remove(node);
        }
    }
    assert_true(list_is_empty(&items[0].node));
    assert_ptr_equal(list_first(&head), &items[1].node);
    list_remove(&items[1].node);
    assert_ptr_equal(list_first(&head), &items[3].node);
    list_remove(&items[3].node);
    assert_true(list_is_empty(&head));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_order),
        cmocka_unit_test(removal_in_a_walk_and_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
