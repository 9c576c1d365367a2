#include "cli/bench_report.h"
#include "cli/cli.h"
#include "cli/get_progress.h"
#include <inttypes.h>
#include <stdio.h>

const struct bench_quantile bench_quantiles[BENCH_QUANTILES] = {
    {0.5, "50%"}, {0.75, "75%"}, {0.9, "90%"}, {0.99, "99%"}, {0.999, "99.9%"}, {0.9999, "99.99%"},
};

static double milliseconds(double nanoseconds)
{
    return nanoseconds / (double)HERALD_MILLISECOND;
}

const char *bench_report_protocol(const struct bench_report *report)
{
    const struct bench_tally *tally = report->tally;

    if (tally->connections_http1 > 0 && tally->connections_http2 > 0)
        return "HTTP/2 and HTTP/1.1";
    if (tally->connections_http1 > 0)
        return "HTTP/1.1";
    return tally->connections_http2 > 0 ? "HTTP/2" : "no connection";
}

static const char *plural(uint64_t count)
{
    return count == 1 ? "" : "s";
}

/* ---- parts of the text ---- */

static void print_load(const struct bench_options *options, const struct bench_report *report)
{
    const struct bench_config *config = report->config;
    bool multiplexed = report->tally->connections_http2 > 0;

    printf("%s://%.*s%.*s\n", options->url.scheme, SPAN_ARGUMENTS(options->url.authority),
           SPAN_ARGUMENTS(options->url.path));
    printf("%s, %u connection%s", bench_report_protocol(report), config->connections,
           plural(config->connections));
    if (multiplexed)
        printf(" x %u stream%s", config->streams, plural(config->streams));
    printf(", %u thread%s, ", config->threads, plural(config->threads));
    if (config->rate > 0)
        printf("open loop at %.0f requests/s\n\n", config->rate);
    else
        printf("closed loop\n\n");
}

static void print_statuses(const struct bench_tally *tally)
{
    const char *separator = "";

    printf("%-14s", "status");
    for (unsigned status = 0; status < BENCH_STATUSES; status++) {
        if (tally->status[status] == 0)
            continue;
        printf("%s%u: %" PRIu64, separator, status, tally->status[status]);
        separator = ", ";
    }
    printf("%s\n", tally->completed == 0 ? "none" : "");
}

static void print_size(const char *label, uint64_t bytes, double seconds)
{
    char total[32], speed[32];

    get_progress_size(bytes, total);
    get_progress_size((uint64_t)((double)bytes / seconds), speed);
    printf("%-14s%s, %s/s\n", label, total, speed);
}

static void print_counts(const struct bench_report *report)
{
    const struct bench_tally *tally = report->tally;
    double seconds = bench_tally_seconds(tally);

    printf("%-14s%" PRIu64 " complete, %" PRIu64 " failed, %" PRIu64 " unfinished", "requests",
           tally->completed, tally->failed, tally->unfinished);
    if (tally->repeated > 0)
        printf(", %" PRIu64 " repeated", tally->repeated);
    printf("\n%-14s%.3f s, %.1f requests/s\n", "time", seconds, (double)tally->completed / seconds);
    print_statuses(tally);
    if (report->config->check_status != 0)
        printf("%-14s%" PRIu64 " response%s without status %u\n", "check", tally->status_wrong,
               plural(tally->status_wrong), report->config->check_status);
    if (report->config->check_sha256 != NULL)
        printf("%-14s%" PRIu64 " response%s with another body\n", "check", tally->body_wrong,
               plural(tally->body_wrong));
    print_size("content", tally->body_bytes, seconds);
    print_size("wire in", tally->wire_in, seconds);
    print_size("wire out", tally->wire_out, seconds);
    if (tally->connect_failures > 0 || tally->connections_lost > 0)
        printf("%-14s%" PRIu64 " could not be made, %" PRIu64 " ended by the server\n",
               "connections", tally->connect_failures, tally->connections_lost);
}

static void print_row(const char *label, const struct histogram *histogram)
{
    if (histogram->count == 0)
        return;
    printf("%-14s%10.3f", label, milliseconds(histogram_mean(histogram)));
    for (size_t i = 0; i < BENCH_QUANTILES; i++)
        printf("%10.3f",
               milliseconds((double)histogram_quantile(histogram, bench_quantiles[i].quantile)));
    printf("%10.3f\n", milliseconds((double)histogram->maximum));
}

static void print_times(const struct bench_report *report)
{
    const struct bench_tally *tally = report->tally;

    printf("\n%-14s%10s", "milliseconds", "mean");
    for (size_t i = 0; i < BENCH_QUANTILES; i++)
        printf("%10s", bench_quantiles[i].text);
    printf("%10s\n", "max");
    print_row("latency", &tally->latency);
    print_row("first byte", &tally->first_byte);
    print_row("early hint", &tally->hint);
    print_row("push", &tally->push);
    print_row("connect", &tally->connect);
    print_row("own delay", &tally->lag);
}

static void print_extras(const struct bench_tally *tally)
{
    if (tally->informational > 0)
        printf("%-14s%" PRIu64 " interim responses, %" PRIu64 " of them 103\n", "early hints",
               tally->informational, tally->hints);
    if (tally->promises > 0) {
        char size[32];
        get_progress_size(tally->push_bytes, size);
        printf("%-14s%" PRIu64 " promised, %" PRIu64 " complete, %" PRIu64 " failed, %s\n",
               "pushes", tally->promises, tally->pushes, tally->push_failures, size);
    }
}

static void print_self(const struct bench_report *report)
{
    const struct bench_tally *tally = report->tally;
    const struct verdict *verdict = &report->verdict;

    printf("\n%-14s%.1f %% of a core in the busiest thread", "own CPU", tally->busiest * 100);
    if (tally->completed > 0)
        printf(", %.2f us a request",
               (double)tally->cpu / (double)tally->completed / (double)HERALD_MICROSECOND);
    putchar('\n');
    if (verdict->open_loop)
        printf("%-14s%.1f requests/s wanted, %.1f sent, schedule behind by %.2f %%: %s\n", "rate",
               report->config->rate, verdict->sent_rate, verdict->lag * 100,
               verdict->rate_met ? "met" : "NOT met");
}

void bench_report_text(const struct bench_options *options, const struct bench_report *report)
{
    print_load(options, report);
    print_counts(report);
    print_extras(report->tally);
    print_times(report);
    print_self(report);
}

/* ---- warnings, exit code ---- */

void bench_report_warnings(const struct bench_report *report)
{
    const struct bench_tally *tally = report->tally;
    const struct verdict *verdict = &report->verdict;

    if (verdict->cpu_bound)
        cli_warning("bench: a thread of the load generator used %.0f %% of a core: it may be the "
                    "limit, not the server; try more --threads",
                    tally->busiest * 100);
    if (verdict->delayed)
        cli_warning("bench: %.0f %% of the latencies is the load generator's own delay",
                    verdict->own_delay * 100);
    if (verdict->open_loop && !verdict->rate_met)
        cli_warning("bench: the rate of %.0f requests/s was not met", report->config->rate);
    if (tally->latency.clipped > 0)
        cli_warning("bench: %" PRIu64 " latencies were over an hour and count as the largest "
                    "value there is",
                    tally->latency.clipped);
    if (tally->error[0] != 0)
        cli_warning("bench: %s", tally->error);
}

int bench_report_code(const struct bench_report *report)
{
    const struct bench_tally *tally = report->tally;

    return tally->completed == 0 || tally->failed > 0 || tally->unfinished > 0 ||
                   tally->status_wrong > 0 || tally->body_wrong > 0
               ? EXIT_CODE_FAILURE
               : EXIT_CODE_OK;
}

/* ---- comparison ---- */

void bench_report_compared(const struct bench_report *reports, size_t count)
{
    for (size_t i = 0; i < count; i++)
        printf("%s: %.3fs\n", reports[i].name, bench_tally_seconds(reports[i].tally));
    printf("Speedup: %.1fx\n\n",
           bench_tally_seconds(reports[0].tally) / bench_tally_seconds(reports[count - 1].tally));
    printf("%-10s%12s%10s%10s%12s%12s%12s%12s\n", "", "connections", "requests", "failed",
           "time ms", "50% ms", "99% ms", "connect ms");
    for (size_t i = 0; i < count; i++) {
        const struct bench_tally *tally = reports[i].tally;
        printf("%-10s%12" PRIu64 "%10" PRIu64 "%10" PRIu64 "%12.3f%12.3f%12.3f%12.3f\n",
               reports[i].name, tally->connections, tally->completed,
               tally->failed + tally->unfinished, bench_tally_seconds(tally) * 1e3,
               milliseconds((double)histogram_quantile(&tally->latency, 0.5)),
               milliseconds((double)histogram_quantile(&tally->latency, 0.99)),
               milliseconds(histogram_mean(&tally->connect)));
    }
}
