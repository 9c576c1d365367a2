#include "bench/histogram.h"
#include <math.h>

#define HALF (1u << HISTOGRAM_PRECISION)

static unsigned counter_of(uint64_t value)
{
    if (value < 2 * HALF)
        return (unsigned)value;
    unsigned shift = 63u - (unsigned)__builtin_clzll(value) - HISTOGRAM_PRECISION;
    /* The leading bit of (value >> shift) is always set: octave `shift` starts at
     * (shift + 1) * HALF. */
    return shift * HALF + (unsigned)(value >> shift);
}

static uint64_t highest_of(unsigned counter)
{
    if (counter < 2 * HALF)
        return counter;
    unsigned shift = counter / HALF - 1;
    uint64_t lowest = (uint64_t)(counter - shift * HALF) << shift;
    return lowest + (UINT64_C(1) << shift) - 1;
}

void histogram_record(struct histogram *histogram, uint64_t value)
{
    if (value > HISTOGRAM_MAXIMUM) {
        value = HISTOGRAM_MAXIMUM;
        histogram->clipped++;
    }
    if (histogram->count == 0 || value < histogram->minimum)
        histogram->minimum = value;
    if (value > histogram->maximum)
        histogram->maximum = value;
    histogram->count++;
    histogram->sum += (double)value;
    histogram->squares += (double)value * (double)value;
    histogram->counters[counter_of(value)]++;
}

void histogram_merge(struct histogram *histogram, const struct histogram *other)
{
    if (other->count == 0)
        return;
    if (histogram->count == 0 || other->minimum < histogram->minimum)
        histogram->minimum = other->minimum;
    if (other->maximum > histogram->maximum)
        histogram->maximum = other->maximum;
    histogram->count += other->count;
    histogram->clipped += other->clipped;
    histogram->sum += other->sum;
    histogram->squares += other->squares;
    for (unsigned i = 0; i < HISTOGRAM_COUNTERS; i++)
        histogram->counters[i] += other->counters[i];
}

uint64_t histogram_quantile(const struct histogram *histogram, double quantile)
{
    /* 0.9999 * 10000 is a little more than 9999 in binary; that must not become rank 10000. */
    double exact = quantile * (double)histogram->count;
    uint64_t rank = (uint64_t)ceil(exact - exact * 1e-12);
    uint64_t seen = 0;

    if (rank == 0)
        rank = 1;
    for (unsigned i = 0; i < HISTOGRAM_COUNTERS; i++) {
        seen += histogram->counters[i];
        if (seen >= rank) {
            uint64_t value = highest_of(i);
            return value < histogram->maximum ? value : histogram->maximum;
        }
    }
    return histogram->maximum;
}

double histogram_mean(const struct histogram *histogram)
{
    return histogram->count == 0 ? 0 : histogram->sum / (double)histogram->count;
}

double histogram_deviation(const struct histogram *histogram)
{
    double mean = histogram_mean(histogram);

    if (histogram->count == 0)
        return 0;
    double variance = histogram->squares / (double)histogram->count - mean * mean;
    return variance > 0 ? sqrt(variance) : 0;
}
