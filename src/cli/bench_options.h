/* The options of `herald bench`, and what follows from them. */
#ifndef CLI_BENCH_OPTIONS_H
#define CLI_BENCH_OPTIONS_H

#include "bench/bench.h"
#include "bench/link_model.h"
#include "cli/get_options.h"
#include "client/url.h"

#define BENCH_COMPARED_MAXIMUM 2

enum bench_output { BENCH_OUTPUT_TEXT, BENCH_OUTPUT_JSON, BENCH_OUTPUT_CSV };

struct bench_options {
    /* as given; `request` has method, header, data, protocol and connection options */
    struct get_options request;
    uint64_t requests, rate, seed;
    herald_time duration, drain;
    unsigned connections, streams, threads, check_status, http1_connections;
    enum bench_push push;
    const char *sha256_text, *compare_text, *link_text;
    bool json, csv, no_progress, allow_remote;

    /* worked out by bench_options_finish */
    uint8_t sha256[BENCH_SHA256_SIZE];
    struct link_model link; /* of link_text */
    enum bench_output output;
    const struct engine *engines[BENCH_COMPARED_MAXIMUM]; /* offered, or with --compare compared */
    size_t engine_count;
    struct url url; /* in request.arena */
    struct message message;
    struct tls_client_config tls;
};

extern const struct option_table bench_option_table;

void bench_options_init(struct bench_options *options);
void bench_options_free(struct bench_options *options);

/* Checks what was given and fills the second part. Returns 0 or an exit code; the error has been
 * reported. */
int bench_options_finish(struct bench_options *options, const char *const *operands, size_t count);

/* The configuration of one run; points into `options`. */
void bench_options_config(const struct bench_options *options, struct bench_config *config);

#endif
