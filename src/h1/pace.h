/* A minimum rate as a moving deadline: it starts `grace` ahead and every byte pushes it by 1/rate
 * seconds, but never further than `grace` ahead of now. So a peer that keeps the rate is never
 * late, and a burst buys no more than the grace. */
#ifndef H1_PACE_H
#define H1_PACE_H

#include "base/time.h"
#include <stddef.h>

struct h1_pace {
    herald_time due;  /* HERALD_NEVER: not running */
    herald_time left; /* while paused: what was left, else 0 */
};

static inline void h1_pace_stop(struct h1_pace *pace)
{
    pace->due = HERALD_NEVER;
    pace->left = 0;
}

static inline void h1_pace_start(struct h1_pace *pace, herald_time now, herald_time grace)
{
    pace->due = now + grace;
    pace->left = 0;
}

static inline void h1_pace_credit(struct h1_pace *pace, size_t bytes, uint32_t rate,
                                  herald_time now, herald_time grace)
{
    if (pace->due == HERALD_NEVER || rate == 0)
        return;
    if (bytes > UINT32_MAX)
        bytes = UINT32_MAX;
    pace->due += (herald_time)bytes * HERALD_SECOND / rate;
    if (pace->due > now + grace)
        pace->due = now + grace;
}

/* The wait is ours, not the peer's. */
static inline void h1_pace_pause(struct h1_pace *pace, herald_time now)
{
    if (pace->due == HERALD_NEVER)
        return;
    pace->left = pace->due > now ? pace->due - now : 1;
    pace->due = HERALD_NEVER;
}

static inline void h1_pace_resume(struct h1_pace *pace, herald_time now)
{
    if (pace->left == 0)
        return;
    pace->due = now + pace->left;
    pace->left = 0;
}

#endif
