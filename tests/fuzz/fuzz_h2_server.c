/* The server engine against a hostile client. An input that begins with the connection preface is
 * a recorded session; any other is a list of steps behind a preface and SETTINGS. */
#include "fuzz_h2.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
    static struct fuzz fuzz;
    if (!start(&fuzz, CONN_SERVER, data, length))
        return 0;
    if (length >= 4 && memcmp(data, "PRI ", 4) == 0) {
        while (fuzz.input.length > 0) {
            give(&fuzz, take_span(&fuzz.input, 301));
            pull(&fuzz);
            check_windows(&fuzz);
        }
    } else {
        give(&fuzz, SPAN_LITERAL(H2_PREFACE "\0\0\0\4\0\0\0\0\0"));
        while (fuzz.input.length > 0)
            step(&fuzz);
    }
    finish(&fuzz);
    return 0;
}
