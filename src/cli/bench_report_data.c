#include "cli/bench_report.h"
#include "cli/cli.h"
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

/* One list for both formats: counts, in the order of the columns. */
struct count {
    const char *name;
    size_t offset;
};

#define COUNT(member)                                                                              \
    {                                                                                              \
#member, offsetof(struct bench_tally, member)                                              \
    }

static const struct count counts[] = {
    COUNT(sent),
    COUNT(completed),
    COUNT(failed),
    COUNT(unfinished),
    COUNT(repeated),
    COUNT(status_wrong),
    COUNT(body_wrong),
    COUNT(informational),
    COUNT(hints),
    COUNT(promises),
    COUNT(pushes),
    COUNT(push_failures),
    COUNT(push_bytes),
    COUNT(body_bytes),
    COUNT(wire_in),
    COUNT(wire_out),
    COUNT(connections),
    COUNT(connections_http1),
    COUNT(connections_http2),
    COUNT(connect_failures),
    COUNT(connections_lost),
    COUNT(due),
};

static const struct count histograms[] = {
    COUNT(latency), COUNT(first_byte), COUNT(hint), COUNT(push), COUNT(connect), COUNT(lag),
};

#define COUNTS     (sizeof(counts) / sizeof(counts[0]))
#define HISTOGRAMS (sizeof(histograms) / sizeof(histograms[0]))

static uint64_t count_at(const struct bench_tally *tally, const struct count *count)
{
    return *(const uint64_t *)((const char *)tally + count->offset);
}

static const struct histogram *histogram_at(const struct bench_tally *tally,
                                            const struct count *count)
{
    return (const struct histogram *)((const char *)tally + count->offset);
}

static double seconds(double nanoseconds)
{
    return nanoseconds / (double)HERALD_SECOND;
}

static json_t *histogram_object(const struct histogram *histogram)
{
    json_t *object = json_object();

    json_object_set_new(object, "count", json_integer((json_int_t)histogram->count));
    json_object_set_new(object, "mean", json_real(seconds(histogram_mean(histogram))));
    json_object_set_new(object, "deviation", json_real(seconds(histogram_deviation(histogram))));
    json_object_set_new(object, "min", json_real(seconds((double)histogram->minimum)));
    for (size_t i = 0; i < BENCH_QUANTILES; i++) {
        double value = (double)histogram_quantile(histogram, bench_quantiles[i].quantile);
        json_object_set_new(object, bench_quantiles[i].text, json_real(seconds(value)));
    }
    json_object_set_new(object, "max", json_real(seconds((double)histogram->maximum)));
    return object;
}

static json_t *status_object(const struct bench_tally *tally)
{
    json_t *object = json_object();

    for (unsigned status = 0; status < BENCH_STATUSES; status++) {
        char name[16];
        if (tally->status[status] == 0)
            continue;
        snprintf(name, sizeof(name), "%u", status);
        json_object_set_new(object, name, json_integer((json_int_t)tally->status[status]));
    }
    return object;
}

static void add_verdict(json_t *object, const struct bench_report *report)
{
    const struct verdict *verdict = &report->verdict;

    json_object_set_new(object, "generator_is_limit", json_boolean(verdict->cpu_bound));
    if (!verdict->open_loop)
        return;
    json_object_set_new(object, "rate", json_real(report->config->rate));
    json_object_set_new(object, "rate_sent", json_real(verdict->sent_rate));
    json_object_set_new(object, "schedule_lag", json_real(verdict->lag));
    json_object_set_new(object, "own_delay", json_real(verdict->own_delay));
    json_object_set_new(object, "rate_met", json_boolean(verdict->rate_met));
}

static json_t *report_object(const struct bench_options *options, const struct bench_report *report)
{
    const struct bench_tally *tally = report->tally;
    const struct bench_config *config = report->config;
    double time = bench_tally_seconds(tally);
    json_t *object = json_object();

    json_object_set_new(object, "url",
                        json_sprintf("%s://%.*s%.*s", options->url.scheme,
                                     SPAN_ARGUMENTS(options->url.authority),
                                     SPAN_ARGUMENTS(options->url.path)));
    json_object_set_new(object, "protocol", json_string(bench_report_protocol(report)));
    json_object_set_new(object, "streams", json_integer(config->streams));
    json_object_set_new(object, "threads", json_integer(config->threads));
    json_object_set_new(object, "seconds", json_real(time));
    json_object_set_new(object, "requests_per_second", json_real((double)tally->completed / time));
    json_object_set_new(object, "cpu_seconds", json_real(seconds((double)tally->cpu)));
    json_object_set_new(object, "cpu_busiest_thread", json_real(tally->busiest));
    for (size_t i = 0; i < COUNTS; i++)
        json_object_set_new(object, counts[i].name,
                            json_integer((json_int_t)count_at(tally, &counts[i])));
    json_object_set_new(object, "status", status_object(tally));
    for (size_t i = 0; i < HISTOGRAMS; i++)
        json_object_set_new(object, histograms[i].name,
                            histogram_object(histogram_at(tally, &histograms[i])));
    add_verdict(object, report);
    return object;
}

int bench_report_json(const struct bench_options *options, const struct bench_report *reports,
                      size_t count)
{
    json_t *whole = count == 1 ? report_object(options, &reports[0]) : json_array();

    for (size_t i = 0; i < count && count > 1; i++)
        json_array_append_new(whole, report_object(options, &reports[i]));
    int result = json_dumpf(whole, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    putchar('\n');
    json_decref(whole);
    return result == 0 ? EXIT_CODE_OK : cli_failure("bench: the result cannot be written");
}

static void print_names(void)
{
    printf("protocol,streams,threads,rate,seconds,requests_per_second,cpu_seconds,"
           "cpu_busiest_thread,generator_is_limit,rate_met");
    for (size_t i = 0; i < COUNTS; i++)
        printf(",%s", counts[i].name);
    for (size_t i = 0; i < HISTOGRAMS; i++) {
        printf(",%s_mean", histograms[i].name);
        for (size_t j = 0; j < BENCH_QUANTILES; j++)
            printf(",%s_%s", histograms[i].name, bench_quantiles[j].text);
        printf(",%s_max", histograms[i].name);
    }
    putchar('\n');
}

static void print_values(const struct bench_report *report)
{
    const struct bench_tally *tally = report->tally;
    const struct verdict *verdict = &report->verdict;
    double time = bench_tally_seconds(tally);

    printf("%s,%u,%u,%.0f,%.9f,%.3f,%.6f,%.4f,%d,", bench_report_protocol(report),
           report->config->streams, report->config->threads, report->config->rate, time,
           (double)tally->completed / time, seconds((double)tally->cpu), tally->busiest,
           verdict->cpu_bound);
    if (verdict->open_loop)
        printf("%d", verdict->rate_met);
    for (size_t i = 0; i < COUNTS; i++)
        printf(",%" PRIu64, count_at(tally, &counts[i]));
    for (size_t i = 0; i < HISTOGRAMS; i++) {
        const struct histogram *histogram = histogram_at(tally, &histograms[i]);
        printf(",%.9f", seconds(histogram_mean(histogram)));
        for (size_t j = 0; j < BENCH_QUANTILES; j++)
            printf(",%.9f",
                   seconds((double)histogram_quantile(histogram, bench_quantiles[j].quantile)));
        printf(",%.9f", seconds((double)histogram->maximum));
    }
    putchar('\n');
}

void bench_report_csv(const struct bench_report *reports, size_t count)
{
    print_names();
    for (size_t i = 0; i < count; i++)
        print_values(&reports[i]);
}
