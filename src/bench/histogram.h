/* A log-linear histogram of durations in nanoseconds: bounded memory, no allocation, one increment
 * a value.
 *
 * With P = HISTOGRAM_PRECISION, values below 2^(P+1) have a counter each; every octave
 * [2^e, 2^(e+1)) above it has 2^P counters of equal width 2^(e-P). For the true value v of a given
 * rank, what histogram_quantile reports is r with
 *
 *     v <= r < v * (1 + 2^-P)          that is, never too low and less than 0.4 % too high,
 *
 * for v up to HISTOGRAM_MAXIMUM (about 73 minutes); larger values count as that maximum and are
 * told by histogram.clipped. */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_PRECISION 8
#define HISTOGRAM_OCTAVES   42 /* values of up to 42 bits */
#define HISTOGRAM_MAXIMUM   ((UINT64_C(1) << HISTOGRAM_OCTAVES) - 1)
#define HISTOGRAM_COUNTERS  ((HISTOGRAM_OCTAVES - HISTOGRAM_PRECISION + 1) << HISTOGRAM_PRECISION)

/* Zero-initialise. */
struct histogram {
    uint64_t count, clipped;
    uint64_t minimum, maximum; /* exact, up to HISTOGRAM_MAXIMUM; 0 without values */
    double sum, squares;
    uint64_t counters[HISTOGRAM_COUNTERS];
};

void histogram_record(struct histogram *histogram, uint64_t value);

/* Adds all values of `other`. */
void histogram_merge(struct histogram *histogram, const struct histogram *other);

/* The value of rank ceil(quantile * count), at least the first; within the bound above, and never
 * over `maximum`. 0 without values. `quantile` from 0 to 1. */
uint64_t histogram_quantile(const struct histogram *histogram, double quantile);

/* Of the exact values, in nanoseconds; 0 without values. */
double histogram_mean(const struct histogram *histogram);
double histogram_deviation(const struct histogram *histogram);

#endif
