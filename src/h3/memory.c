/* The libraries' allocations go through malloc by way of this program, so that the allocation
 * failure tests reach them. */
#include "h3/internal.h"
#include <stdlib.h>

static void *allocate(size_t size, void *user)
{
    (void)user;
    return malloc(size);
}

static void release(void *pointer, void *user)
{
    (void)user;
    free(pointer);
}

static void *allocate_zeroed(size_t count, size_t size, void *user)
{
    (void)user;
    return calloc(count, size);
}

static void *resize(void *pointer, size_t size, void *user)
{
    (void)user;
    return realloc(pointer, size);
}

const ngtcp2_mem h3_quic_memory = {NULL, allocate, release, allocate_zeroed, resize};
const nghttp3_mem h3_http_memory = {NULL, allocate, release, allocate_zeroed, resize};
