#include "base/err.h"
#include "base/heap.h"
#include "support/check.h"
#include "support/failmalloc.h"
#include "support/random.h"

enum { NODES = 200 };

static void is_a_heap(const struct heap *heap)
{
    for (size_t i = 0; i < heap->count; i++) {
        assert_int_equal(heap->nodes[i]->position, i + 1);
        if (i != 0)
            assert_true(heap->nodes[(i - 1) / 2]->due <= heap->nodes[i]->due);
    }
}

static void first_is_the_earliest(void **state)
{
    (void)state;
    struct heap heap;
    struct heap_node nodes[3] = {0};
    heap_init(&heap);
    assert_null(heap_first(&heap));
    assert_int_equal(heap_set(&heap, &nodes[0], 30), 0);
    assert_int_equal(heap_set(&heap, &nodes[1], 10), 0);
    assert_int_equal(heap_set(&heap, &nodes[2], 20), 0);
    assert_ptr_equal(heap_first(&heap), &nodes[1]);
    assert_int_equal(heap_set(&heap, &nodes[1], 40), 0);
    assert_ptr_equal(heap_first(&heap), &nodes[2]);
    assert_int_equal(heap_set(&heap, &nodes[2], HERALD_NEVER), 0);
    assert_int_equal(nodes[2].position, 0);
    assert_ptr_equal(heap_first(&heap), &nodes[0]);
    heap_remove(&heap, &nodes[2]);
    heap_remove(&heap, &nodes[0]);
    assert_ptr_equal(heap_first(&heap), &nodes[1]);
    heap_free(&heap);
    assert_int_equal(nodes[1].position, 0);
    assert_null(heap_first(&heap));
}

static void behaves_as_a_plain_list(void **state)
{
    (void)state;
    struct heap heap;
    struct heap_node nodes[NODES] = {0};
    uint64_t random = 5;
    heap_init(&heap);
    for (unsigned step = 0; step < 100000; step++) {
        struct heap_node *node = &nodes[random_below(&random, NODES)];
        switch (random_below(&random, 4)) {
        case 0:
            heap_remove(&heap, node);
            assert_int_equal(node->position, 0);
            break;
        case 1:
            assert_int_equal(heap_set(&heap, node, HERALD_NEVER), 0);
            assert_int_equal(node->position, 0);
            break;
        default:
            assert_int_equal(heap_set(&heap, node, random_below(&random, 1000)), 0);
            assert_true(node->position != 0);
            break;
        }
        if (step % 16 == 0)
            is_a_heap(&heap);
        herald_time earliest = HERALD_NEVER;
        for (size_t i = 0; i < NODES; i++) {
            if (nodes[i].position != 0 && nodes[i].due < earliest)
                earliest = nodes[i].due;
        }
        assert_true(heap_first(&heap) == NULL ? earliest == HERALD_NEVER
                                              : heap_first(&heap)->due == earliest);
    }
    heap_free(&heap);
}

static bool fill(void *user)
{
    (void)user;
    struct heap heap;
    struct heap_node nodes[NODES] = {0};
    bool good = true;
    heap_init(&heap);
    for (size_t i = 0; i < NODES && good; i++) {
        size_t count = heap.count;
        int error = heap_set(&heap, &nodes[i], NODES - i);
        good = error == 0
                   ? heap.count == count + 1 && nodes[i].position != 0
                   : error == HERALD_ERROR_NOMEM && heap.count == count && nodes[i].position == 0;
    }
    heap_free(&heap);
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
        cmocka_unit_test(first_is_the_earliest),
        cmocka_unit_test(behaves_as_a_plain_list),
        cmocka_unit_test(allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
