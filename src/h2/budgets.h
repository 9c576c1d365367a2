/* Limits on what is legal but hostile: how much of it a connection takes before it is closed with
 * ENHANCE_YOUR_CALM (RFC 9113 section 10.5). */
#ifndef H2_BUDGETS_H
#define H2_BUDGETS_H

#include "http/limits.h"
#include <stdbool.h>

/* A token bucket: holds at most `burst`, gains `rate` a second. */
struct h2_bucket {
    uint32_t burst, rate;
    uint32_t tokens;
    herald_time refilled;
};

void h2_bucket_init(struct h2_bucket *bucket, uint32_t burst, uint32_t rate, herald_time now);

/* Takes `amount`; false when there is less (what there was is gone). */
bool h2_bucket_take(struct h2_bucket *bucket, uint32_t amount, herald_time now);

struct h2_budgets {
    const struct limits *limits;
    struct h2_bucket resets;   /* streams reset by the peer or because of it */
    struct h2_bucket glitches; /* frames that a sane peer sends seldom */
    uint64_t bytes, payload;   /* received: all of it, and what carried DATA or fields */
    uint64_t window_updates;   /* received */
    uint64_t priorities;       /* received PRIORITY and PRIORITY_UPDATE frames */
    uint64_t streams;          /* opened so far, by either side */
    uint64_t data_sent;        /* DATA frames */
    uint32_t empty_data;       /* empty DATA frames in a row */
    uint32_t small_data;       /* framing debt of unread small DATA frames, bytes */
};

/* `limits` outlives the budgets. */
void h2_budgets_init(struct h2_budgets *budgets, const struct limits *limits, herald_time now);

/* Each returns true while the peer is within its budget. */
bool h2_budget_overhead(const struct h2_budgets *budgets);
bool h2_budget_window_update(struct h2_budgets *budgets);
bool h2_budget_priority(struct h2_budgets *budgets);

#define H2_SMALL_DATA                                                                              \
    256 /* a DATA frame with less content owes the difference until it is read                     \
         */

#endif
