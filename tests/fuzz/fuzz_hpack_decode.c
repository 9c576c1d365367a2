/* Field blocks for the decoder, whole and in fragments.
 *
 * Input: a byte for the fragment size, a byte for the string maximum, then blocks, each behind two
 * bytes of length; a length with the top bit set is a new table maximum instead.
 *
 * Holds always: a block gives the same fields and verdict however it is cut; the table keeps its
 * maximum; every byte of memory is accounted for and given back. */
#include "hpack/hpack.h"
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
            __builtin_trap();                                                                      \
        }                                                                                          \
    } while (0)

struct outcome {
    uint64_t digest;
    size_t fields;
    size_t string_maximum;
};

static void digest_bytes(struct outcome *outcome, struct span bytes)
{
    REQUIRE(bytes.length <= outcome->string_maximum || bytes.length <= 32);
    outcome->digest = (outcome->digest ^ bytes.length) * UINT64_C(0x100000001b3);
    for (size_t at = 0; at < bytes.length; at++)
        outcome->digest = (outcome->digest ^ bytes.data[at]) * UINT64_C(0x100000001b3);
}

static int digest_field(void *user, const struct hpack_field *field)
{
    struct outcome *outcome = user;
    REQUIRE(field->static_index <= 61);
    digest_bytes(outcome, field->name);
    digest_bytes(outcome, field->value);
    outcome->digest += field->never_indexed;
    outcome->fields++;
    return 0;
}

static int decode(struct hpack_decoder *decoder, const uint8_t *block, size_t length,
                  size_t fragment, struct outcome *outcome)
{
    size_t from = 0, to = 0;
    for (;;) {
        to = length - to > fragment ? to + fragment : length;
        size_t consumed;
        int result = hpack_decode(decoder, block + from, to - from, to == length, &consumed,
                                  digest_field, outcome);
        REQUIRE(consumed <= to - from);
        from += consumed;
        REQUIRE(decoder->table.size <= decoder->table.maximum);
        if (result != 0 || to == length) {
            REQUIRE(result != 0 || from == length);
            return result;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    size_t fragment = data[0] + 1u, string_maximum = data[1] * 16u;
    struct account account = {.maximum = 0};
    struct hpack_decoder whole, cut;
    struct outcome one = {.string_maximum = string_maximum}, other = one;
    hpack_decoder_init(&whole, HPACK_TABLE_DEFAULT, &account);
    hpack_decoder_init(&cut, HPACK_TABLE_DEFAULT, &account);
    hpack_decoder_set_string_maximum(&whole, string_maximum);
    hpack_decoder_set_string_maximum(&cut, string_maximum);
    int result = 0;
    for (data += 2, size -= 2; result == 0 && size >= 2;) {
        size_t length = (size_t)data[0] << 8 | data[1];
        data += 2;
        size -= 2;
        if ((length & 0x8000) != 0) {
            hpack_decoder_set_maximum(&whole, length & 0x7fff);
            hpack_decoder_set_maximum(&cut, length & 0x7fff);
            continue;
        }
        if (length > size)
            length = size;
        result = decode(&whole, data, length, SIZE_MAX, &one);
        REQUIRE(decode(&cut, data, length, fragment, &other) == result);
        REQUIRE(one.digest == other.digest && one.fields == other.fields);
        REQUIRE(whole.table.size == cut.table.size);
        data += length;
        size -= length;
    }
    hpack_decoder_free(&whole);
    hpack_decoder_free(&cut);
    REQUIRE(account.live == 0);
    return 0;
}
