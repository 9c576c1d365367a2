/* Range fields against a plain model: a set of bytes, one bit each. First byte: the length of the
 * representation. */
#include "http/range.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            __builtin_trap();                                                                      \
    } while (0)

/* The bytes that `text`, known to be good, asks for. */
static void model(const uint8_t *at, const uint8_t *end, uint64_t length, bool wanted[256])
{
    while (at < end) {
        uint64_t numbers[2] = {0, 0};
        bool has[2] = {false, false};
        unsigned which = 0;

        for (; at < end && *at != ','; at++) {
            if (*at == '-')
                which = 1;
            if (*at < '0' || *at > '9')
                continue;
            has[which] = true;
            if (numbers[which] < 1000000)
                numbers[which] = numbers[which] * 10 + (*at - '0');
        }
        at++;
        uint64_t first = has[0] ? numbers[0] : numbers[1] >= length ? 0 : length - numbers[1];
        uint64_t last = has[0] && has[1] ? numbers[1] : length - 1;
        for (uint64_t byte = first; (has[0] || has[1]) && byte <= last && byte < length; byte++)
            wanted[byte] = true;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bool wanted[256] = {false}, given[256] = {false};
    struct range ranges[RANGE_MAXIMUM], content;
    size_t count;
    uint64_t length, total;

    if (size == 0)
        return 0;
    length = *data++;
    size--;
    struct span text = span_make(data, size);
    range_parse_content(text, &content, &total);
    enum range_result result = range_parse(text, length, ranges, &count);
    CHECK(count <= RANGE_MAXIMUM && (count != 0) == (result == RANGE_PARTIAL));
    if (result == RANGE_IGNORE)
        return 0;
    for (size_t i = 0; i < count; i++) {
        CHECK(ranges[i].first <= ranges[i].last && ranges[i].last < length);
        for (uint64_t byte = ranges[i].first; byte <= ranges[i].last; byte++)
            given[byte] = true;
    }
    if (length != 0)
        model(data + 6, data + size, length, wanted);
    CHECK(memcmp(given, wanted, sizeof(given)) == 0);
    return 0;
}
