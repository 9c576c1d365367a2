/* Time as an argument: nanoseconds on a monotonic clock, taken once a loop turn by whoever owns the
 * loop. Engines never ask a clock. */
#ifndef BASE_TIME_H
#define BASE_TIME_H

#include <stdint.h>

typedef uint64_t herald_time; /* nanoseconds; only differences mean anything */

#define HERALD_NEVER       UINT64_MAX /* a deadline that does not exist */
#define HERALD_MICROSECOND UINT64_C(1000)
#define HERALD_MILLISECOND UINT64_C(1000000)
#define HERALD_SECOND      UINT64_C(1000000000)

static inline herald_time herald_time_earlier(herald_time left, herald_time right)
{
    return left < right ? left : right;
}

#endif
