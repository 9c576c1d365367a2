#include "bench/tally.h"
#include <stdio.h>

void bench_tally_note(struct bench_tally *tally, const char *text)
{
    if (tally->error[0] == 0)
        snprintf(tally->error, sizeof(tally->error), "%s", text);
}

static void merge_counts(struct bench_tally *tally, const struct bench_tally *other)
{
    tally->sent += other->sent;
    tally->completed += other->completed;
    tally->failed += other->failed;
    tally->unfinished += other->unfinished;
    tally->repeated += other->repeated;
    for (size_t i = 0; i < BENCH_STATUSES; i++)
        tally->status[i] += other->status[i];
    tally->status_wrong += other->status_wrong;
    tally->body_wrong += other->body_wrong;
    tally->informational += other->informational;
    tally->hints += other->hints;
    tally->promises += other->promises;
    tally->pushes += other->pushes;
    tally->push_failures += other->push_failures;
    tally->push_bytes += other->push_bytes;
    tally->body_bytes += other->body_bytes;
    tally->wire_in += other->wire_in;
    tally->wire_out += other->wire_out;
    tally->connections += other->connections;
    tally->connections_http1 += other->connections_http1;
    tally->connections_http2 += other->connections_http2;
    tally->connect_failures += other->connect_failures;
    tally->connections_lost += other->connections_lost;
    tally->due += other->due;
    tally->cpu += other->cpu;
}

void bench_tally_merge(struct bench_tally *tally, const struct bench_tally *other)
{
    histogram_merge(&tally->latency, &other->latency);
    histogram_merge(&tally->first_byte, &other->first_byte);
    histogram_merge(&tally->hint, &other->hint);
    histogram_merge(&tally->push, &other->push);
    histogram_merge(&tally->connect, &other->connect);
    histogram_merge(&tally->lag, &other->lag);
    merge_counts(tally, other);
    if (other->start != 0 && (tally->start == 0 || other->start < tally->start))
        tally->start = other->start;
    if (other->end > tally->end)
        tally->end = other->end;
    if (other->sending > tally->sending)
        tally->sending = other->sending;
    if (other->busiest > tally->busiest)
        tally->busiest = other->busiest;
    bench_tally_note(tally, other->error);
}

double bench_tally_seconds(const struct bench_tally *tally)
{
    herald_time passed = tally->end > tally->start ? tally->end - tally->start : 1;

    return (double)passed / (double)HERALD_SECOND;
}
