#include "base/err.h"
#include "http/base64.h"
#include "http/cache_digest.h"
#include <stdlib.h>

/* log2 of the nearest power of two, by the ratio: 3 gives 4, 5 gives 4, 6 gives 8. */
static unsigned round_log(size_t count)
{
    unsigned log = 0;

    while (count >> (log + 1) != 0)
        log++;
    uint64_t power = UINT64_C(1) << log;
    return log + ((uint64_t)count * count > 2 * power * power);
}

static int compare_keys(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

    return (a > b) - (a < b);
}

struct bit_writer {
    uint8_t *bytes;
    size_t position; /* in bits */
};

static void write_bits(struct bit_writer *writer, uint64_t value, unsigned count)
{
    while (count-- != 0) {
        if (value >> count & 1)
            writer->bytes[writer->position / 8] |= (uint8_t)(0x80 >> writer->position % 8);
        writer->position++;
    }
}

static void write_keys(struct bit_writer *writer, const uint64_t *keys, size_t count,
                       unsigned log_probability)
{
    uint64_t next = 0;

    for (size_t i = 0; i < count; i++) {
        if (i != 0 && keys[i] == keys[i - 1])
            continue;
        uint64_t distance = keys[i] - next;
        writer->position += distance >> log_probability; /* zeros */
        write_bits(writer, 1, 1);
        write_bits(writer, distance & ((UINT64_C(1) << log_probability) - 1), log_probability);
        next = keys[i] + 1;
    }
}

int cache_digest_encode(struct buf *out, const struct span *urls, size_t count,
                        uint32_t probability)
{
    int error = HERALD_ERROR_NOMEM;

    if (count == 0 || count > CACHE_DIGEST_ENTRIES || probability == 0 ||
        (probability & (probability - 1)) != 0)
        return HERALD_ERROR_INVALID;
    unsigned log_count = round_log(count), log_probability = round_log(probability);
    unsigned bits = log_count + log_probability;

    /* The quotients sum up to less than the number of the keys' range in steps of `probability`. */
    size_t size = (10 + count * (1 + (size_t)log_probability) + ((size_t)1 << log_count)) / 8 + 1;
    uint64_t *keys = malloc(count * sizeof(*keys));
    uint8_t *bytes = calloc(size, 1);
    uint8_t *room = buf_reserve(out, (size + 2) / 3 * 4, &error);
    if (keys == NULL || bytes == NULL || room == NULL)
        goto out;

    for (size_t i = 0; i < count; i++)
        keys[i] = cache_digest_hash(urls[i], SPAN_EMPTY, bits);
    qsort(keys, count, sizeof(*keys), compare_keys);
    struct bit_writer writer = {bytes, 0};
    write_bits(&writer, log_count, 5);
    write_bits(&writer, log_probability, 5);
    write_keys(&writer, keys, count, log_probability);
    buf_commit(out, base64_encode(span_make(bytes, (writer.position + 7) / 8), true, (char *)room));
    error = 0;
out:
    free(keys);
    free(bytes);
    return error;
}
