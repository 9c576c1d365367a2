#include "bench/verdict.h"

static double seconds(herald_time time)
{
    return (double)time / (double)HERALD_SECOND;
}

static void judge_schedule(struct verdict *verdict, const struct bench_tally *tally, double rate)
{
    double planned = tally->due > 1 ? (double)(tally->due - 1) / rate : 0;
    double lost = (double)(tally->failed + tally->unfinished);

    if (planned > 0)
        verdict->lag = (seconds(tally->sending) - planned) / planned;
    if (verdict->lag < 0)
        verdict->lag = 0;
    if (tally->sending > 0)
        verdict->sent_rate =
            (double)(tally->sent > 1 ? tally->sent - 1 : tally->sent) / seconds(tally->sending);
    if (tally->latency.sum > 0)
        verdict->own_delay = tally->lag.sum / tally->latency.sum;
    verdict->delayed = verdict->own_delay > VERDICT_OWN_DELAY;
    verdict->rate_met = tally->sent == tally->due && verdict->lag <= VERDICT_LAG &&
                        lost <= VERDICT_LAG * (double)tally->due && !verdict->cpu_bound;
}

struct verdict verdict_of(const struct bench_tally *tally, double rate)
{
    struct verdict verdict = {
        .cpu_bound = tally->busiest > VERDICT_BUSY,
        .open_loop = rate > 0,
    };

    if (verdict.open_loop)
        judge_schedule(&verdict, tally, rate);
    return verdict;
}
