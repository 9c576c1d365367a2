/* Some schedules of the simulation in every test run; HERALD_SCHEDULES and HERALD_SEED for more. */
#include "simulation.h"
#include "support/check.h"
#include "support/failmalloc.h"

static uint64_t setting(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text == NULL ? otherwise : strtoull(text, NULL, 10);
}

static void no_schedule_breaks_an_invariant(void **state)
{
    (void)state;
    uint64_t first = setting("HERALD_SEED", 1);
    uint64_t count = setting("HERALD_SCHEDULES", 300);
    struct simulation_result sum = {0};
    for (uint64_t seed = first; seed < first + count; seed++) {
        struct simulation_result result;
        size_t live = failmalloc_live();
        const char *what = simulate(seed, &result);
        if (what != NULL)
            fail_msg("seed %llu: %s", (unsigned long long)seed, what);
        if (failmalloc_live() != live)
            fail_msg("seed %llu: a leak", (unsigned long long)seed);
        sum.requests += result.requests;
        sum.completed += result.completed;
        sum.cancelled += result.cancelled;
        sum.pushes += result.pushes;
        sum.informed += result.informed;
        sum.bytes += result.bytes;
    }
    print_message("%llu schedules: %u requests, %u completed, %u cancelled, %u pushes, %u interim, "
                  "%llu bytes\n",
                  (unsigned long long)count, sum.requests, sum.completed, sum.cancelled, sum.pushes,
                  sum.informed, (unsigned long long)sum.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_schedule_breaks_an_invariant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
