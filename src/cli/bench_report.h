/* What `herald bench` prints: for people, as JSON, as CSV. */
#ifndef CLI_BENCH_REPORT_H
#define CLI_BENCH_REPORT_H

#include "bench/verdict.h"
#include "cli/bench_options.h"

/* One run. */
struct bench_report {
    const char *name; /* of the protocol, or "" when it was left to the server */
    const struct bench_config *config;
    const struct bench_tally *tally;
    struct verdict verdict;
};

/* The percentiles that are printed, in order. */
#define BENCH_QUANTILES 6
extern const struct bench_quantile {
    double quantile;
    const char *text;
} bench_quantiles[BENCH_QUANTILES];

/* "HTTP/2", "HTTP/1.1" or both, as the connections turned out. */
const char *bench_report_protocol(const struct bench_report *report);

/* To standard output. JSON is an object for one report, an array for several. 0 or an exit code. */
void bench_report_text(const struct bench_options *options, const struct bench_report *report);
int bench_report_json(const struct bench_options *options, const struct bench_report *reports,
                      size_t count);
void bench_report_csv(const struct bench_report *reports, size_t count);

/* Warnings on standard error: what the figures cannot be used for. */
void bench_report_warnings(const struct bench_report *report);

/* The exit code that follows from the counts. */
int bench_report_code(const struct bench_report *report);

/* The seed's lines ("HTTP/1.1: 0.123s", ..., "Speedup: 2.7x": the first over the last) and a
 * table. */
void bench_report_compared(const struct bench_report *reports, size_t count);

#endif
