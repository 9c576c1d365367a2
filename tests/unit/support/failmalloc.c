#include "support/failmalloc.h"
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *pointer, size_t size);
void __real_free(void *pointer);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *pointer, size_t size);
void __wrap_free(void *pointer);

struct record {
    uintptr_t address; /* 0: free */
    size_t size;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static enum failmalloc_mode mode;
static size_t nth, calls;
static bool fired;
static struct record *records;
static size_t record_count, record_capacity, live_bytes;

/* Pointers are recorded so that memory that crosses the border (allocated by a library, freed here)
 * does not disturb the count. The table never shrinks; it is found by leak checkers through its
 * static pointer. */

static size_t home_of(uintptr_t address, size_t capacity)
{
    return (size_t)((address >> 4) * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (capacity - 1);
}

static size_t slot_of(const struct record *table, size_t capacity, uintptr_t address)
{
    size_t slot = home_of(address, capacity);

    while (table[slot].address != 0 && table[slot].address != address)
        slot = (slot + 1) & (capacity - 1);
    return slot;
}

static void grow(void)
{
    size_t capacity = record_capacity == 0 ? 1024 : record_capacity * 2;
    struct record *table = __real_calloc(capacity, sizeof(*table));

    if (table == NULL) {
        fputs("failmalloc: really out of memory\n", stderr);
        abort();
    }
    for (size_t i = 0; i < record_capacity; i++) {
        if (records[i].address != 0)
            table[slot_of(table, capacity, records[i].address)] = records[i];
    }
    __real_free(records);
    records = table;
    record_capacity = capacity;
}

static void record_add(uintptr_t address, size_t size)
{
    if (record_count >= record_capacity / 2)
        grow();
    records[slot_of(records, record_capacity, address)] = (struct record){address, size};
    record_count++;
    live_bytes += size;
}

static void record_remove(uintptr_t address)
{
    if (record_capacity == 0)
        return;
    size_t mask = record_capacity - 1;
    size_t hole = slot_of(records, record_capacity, address);
    if (records[hole].address == 0)
        return;
    record_count--;
    live_bytes -= records[hole].size;
    for (size_t slot = (hole + 1) & mask; records[slot].address != 0; slot = (slot + 1) & mask) {
        size_t home = home_of(records[slot].address, record_capacity);
        if (((slot - home) & mask) >= ((slot - hole) & mask)) {
            records[hole] = records[slot];
            hole = slot;
        }
    }
    records[hole].address = 0;
}

static bool refuse(void)
{
    calls++;
    if (mode == FAILMALLOC_OFF || calls < nth || (mode == FAILMALLOC_ONCE && calls > nth))
        return false;
    fired = true;
    return true;
}

void *__wrap_malloc(size_t size)
{
    void *result = NULL;

    pthread_mutex_lock(&lock);
    if (!refuse() && (result = __real_malloc(size)) != NULL)
        record_add((uintptr_t)result, size);
    pthread_mutex_unlock(&lock);
    return result;
}

void *__wrap_calloc(size_t count, size_t size)
{
    void *result = NULL;

    pthread_mutex_lock(&lock);
    if (!refuse() && (result = __real_calloc(count, size)) != NULL)
        record_add((uintptr_t)result, count * size);
    pthread_mutex_unlock(&lock);
    return result;
}

void *__wrap_realloc(void *pointer, size_t size)
{
    uintptr_t before = (uintptr_t)pointer;
    void *result = NULL;

    pthread_mutex_lock(&lock);
    if (!refuse() && (result = __real_realloc(pointer, size)) != NULL) {
        if (before != 0)
            record_remove(before);
        record_add((uintptr_t)result, size);
    }
    pthread_mutex_unlock(&lock);
    return result;
}

void __wrap_free(void *pointer)
{
    if (pointer == NULL)
        return;
    pthread_mutex_lock(&lock);
    record_remove((uintptr_t)pointer);
    __real_free(pointer);
    pthread_mutex_unlock(&lock);
}

void failmalloc_arm(enum failmalloc_mode new_mode, size_t new_nth)
{
    pthread_mutex_lock(&lock);
    mode = new_mode;
    nth = new_nth;
    calls = 0;
    fired = false;
    pthread_mutex_unlock(&lock);
}

void failmalloc_disarm(void)
{
    pthread_mutex_lock(&lock);
    mode = FAILMALLOC_OFF;
    pthread_mutex_unlock(&lock);
}

bool failmalloc_fired(void)
{
    return fired;
}

size_t failmalloc_calls(void)
{
    return calls;
}

size_t failmalloc_live(void)
{
    return record_count;
}

size_t failmalloc_live_bytes(void)
{
    return live_bytes;
}

static size_t each_in_mode(enum failmalloc_mode each_mode, bool (*scenario)(void *user), void *user,
                           size_t most)
{
    const char *name = each_mode == FAILMALLOC_ONCE ? "once" : "from";

    for (size_t n = 1; n <= most; n++) {
        size_t live = failmalloc_live();
        failmalloc_arm(each_mode, n);
        bool good = scenario(user);
        failmalloc_disarm();
        if (!good || failmalloc_live() != live) {
            fprintf(stderr, "failmalloc: %s, allocation %zu: %s (%zu live before, %zu after)\n",
                    name, n, good ? "leak" : "scenario failed", live, failmalloc_live());
            return 0;
        }
        if (!failmalloc_fired())
            return n;
    }
    fprintf(stderr, "failmalloc: %s: more than %zu allocations\n", name, most);
    return 0;
}

size_t failmalloc_each(bool (*scenario)(void *user), void *user, size_t most)
{
    size_t once = each_in_mode(FAILMALLOC_ONCE, scenario, user, most);
    size_t from = once == 0 ? 0 : each_in_mode(FAILMALLOC_FROM, scenario, user, most);

    return from == 0 ? 0 : once + from;
}
