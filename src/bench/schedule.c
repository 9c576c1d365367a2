#include "bench/schedule.h"

void schedule_init(struct schedule *schedule, herald_time start, double rate, unsigned part,
                   unsigned parts, uint64_t limit)
{
    double distance = (double)HERALD_SECOND / rate;

    *schedule = (struct schedule){
        .start = start,
        .interval = distance * parts,
        .offset = distance * part,
        .limit = limit,
    };
}

herald_time schedule_due(const struct schedule *schedule, uint64_t index)
{
    return schedule->start + (uint64_t)(schedule->offset + (double)index * schedule->interval);
}

bool schedule_is_due(const struct schedule *schedule, herald_time now, herald_time *due)
{
    herald_time next = schedule_next(schedule);

    if (next > now || next == HERALD_NEVER)
        return false;
    *due = next;
    return true;
}

void schedule_take(struct schedule *schedule)
{
    schedule->next++;
}

herald_time schedule_next(const struct schedule *schedule)
{
    return schedule->next < schedule->limit ? schedule_due(schedule, schedule->next) : HERALD_NEVER;
}

uint64_t schedule_count_due(const struct schedule *schedule, herald_time now)
{
    double passed = now < schedule->start ? -1 : (double)(now - schedule->start);

    if (passed < schedule->offset)
        return 0;
    uint64_t count = (uint64_t)((passed - schedule->offset) / schedule->interval) + 1;
    return count < schedule->limit ? count : schedule->limit;
}
