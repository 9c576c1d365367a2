/* The client engine against a hostile server: a list of steps behind a few requests and the
 * server's SETTINGS. */
#include "fuzz_h2.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

static void ask(struct fuzz *fuzz, bool upload)
{
    struct message request = {.version = HTTP_2,
                              .method = upload ? SPAN_LITERAL("POST") : SPAN_LITERAL("GET"),
                              .scheme = SPAN_LITERAL("https"),
                              .authority = SPAN_LITERAL("a.example"),
                              .path = SPAN_LITERAL("/"),
                              .content_length = CONTENT_LENGTH_UNKNOWN};
    struct exchange *exchange = exchange_new_request(&request, &fuzz->limits, &owner_events, NULL);
    if (exchange == NULL)
        return;
    hold(fuzz, exchange);
    if (!upload)
        (void)exchange_finish(exchange, NULL, 0);
    must(fuzz->conn->ops->request(fuzz->conn, exchange, fuzz->now) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
    static struct fuzz fuzz;
    if (!start(&fuzz, CONN_CLIENT, data, length))
        return 0;
    for (int i = 0; i < 4; i++)
        ask(&fuzz, i == 1);
    pull(&fuzz);
    give(&fuzz, SPAN_LITERAL("\0\0\0\4\0\0\0\0\0"));
    while (fuzz.input.length > 0)
        step(&fuzz);
    finish(&fuzz);
    return 0;
}
