#include "h2/budgets.h"

void h2_bucket_init(struct h2_bucket *bucket, uint32_t burst, uint32_t rate, herald_time now)
{
    *bucket = (struct h2_bucket){burst, rate, burst, now};
}

static void refill(struct h2_bucket *bucket, herald_time now)
{
    if (bucket->rate == 0 || bucket->tokens == bucket->burst) {
        bucket->refilled = now;
        return;
    }
    herald_time elapsed = now > bucket->refilled ? now - bucket->refilled : 0;
    herald_time whole = (herald_time)(bucket->burst / bucket->rate + 1) * HERALD_SECOND;
    if (elapsed >= whole) {
        bucket->tokens = bucket->burst;
        bucket->refilled = now;
        return;
    }
    /* Only the time that made whole tokens is used up, so frequent calls lose nothing. */
    uint64_t gained = elapsed * bucket->rate / HERALD_SECOND;
    bucket->refilled += gained * HERALD_SECOND / bucket->rate;
    bucket->tokens = gained >= bucket->burst - bucket->tokens ? bucket->burst
                                                              : bucket->tokens + (uint32_t)gained;
}

bool h2_bucket_take(struct h2_bucket *bucket, uint32_t amount, herald_time now)
{
    refill(bucket, now);
    if (bucket->tokens < amount) {
        bucket->tokens = 0;
        return false;
    }
    bucket->tokens -= amount;
    return true;
}

void h2_budgets_init(struct h2_budgets *budgets, const struct limits *limits, herald_time now)
{
    *budgets = (struct h2_budgets){.limits = limits};
    h2_bucket_init(&budgets->resets, limits->reset_burst, limits->reset_rate, now);
    h2_bucket_init(&budgets->glitches, limits->glitch_burst, limits->glitch_rate, now);
}

bool h2_budget_overhead(const struct h2_budgets *budgets)
{
    const struct limits *limits = budgets->limits;
    return limits->overhead_ratio == 0 ||
           budgets->bytes / limits->overhead_ratio <= budgets->payload + limits->overhead_free;
}

bool h2_budget_window_update(struct h2_budgets *budgets)
{
    budgets->window_updates++;
    return budgets->window_updates <=
           budgets->limits->window_update_burst + 2 * (budgets->streams + 10 * budgets->data_sent);
}

bool h2_budget_priority(struct h2_budgets *budgets)
{
    budgets->priorities++;
    return budgets->priorities <= budgets->limits->priority_burst * (1 + budgets->streams);
}
