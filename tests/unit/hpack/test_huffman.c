#include "hpack/huffman.h"
#include "support/check.h"
#include "support/random.h"

#define LENGTH_MOST 4096

static uint8_t plain[LENGTH_MOST], encoded[4 * LENGTH_MOST],
    decoded[LENGTH_MOST * 8 + HPACK_HUFFMAN_SLACK];

static size_t encode(size_t length)
{
    size_t expected = hpack_huffman_encoded_length(plain, length);
    size_t actual = (size_t)(hpack_huffman_encode(plain, length, encoded) - encoded);
    assert_int_equal(actual, expected);
    return actual;
}

static void check_round_trip(size_t length)
{
    size_t result, size = encode(length);
    assert_int_equal(hpack_huffman_decode(encoded, size, decoded, length, &result), 0);
    assert_int_equal(result, length);
    assert_memory_equal(decoded, plain, length);
    assert_in_range(length, hpack_huffman_decoded_least(size), hpack_huffman_decoded_most(size));
    if (length > 0)
        assert_int_equal(hpack_huffman_decode(encoded, size, decoded, length - 1, &result),
                         HERALD_ERROR_LIMIT);
}

static void every_byte_in_every_place(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        for (size_t length = 0; length < 40; length++) {
            memset(plain, (int)byte, length);
            check_round_trip(length);
            memset(plain, 'a', length);
            for (size_t at = 0; at < length; at++) {
                plain[at] = (uint8_t)byte;
                check_round_trip(length);
                plain[at] = 'a';
            }
        }
    }
}

static void random_strings(void **state)
{
    (void)state;
    uint64_t random = 5;
    for (unsigned round = 0; round < 20000; round++) {
        size_t length = random_below(&random, 200);
        unsigned spread = (unsigned)random_below(&random, 3);
        for (size_t at = 0; at < length; at++) {
            uint8_t byte = (uint8_t)random_next(&random);
            plain[at] = spread == 0 ? byte : spread == 1 ? byte % 95 + 32 : byte % 26 + 'a';
        }
        check_round_trip(length);
    }
}

static int decode_hex_bytes(const char *bytes, size_t length, size_t *result)
{
    return hpack_huffman_decode((const uint8_t *)bytes, length, decoded, LENGTH_MOST, result);
}

static void padding_is_judged(void **state)
{
    (void)state;
    size_t result;
    /* One '0' (00000) and three bits: only ones will do. */
    for (unsigned bits = 0; bits < 8; bits++) {
        char byte = (char)bits;
        assert_int_equal(decode_hex_bytes(&byte, 1, &result),
                         bits == 7 ? 0 : HERALD_ERROR_COMPRESSION);
    }
    for (unsigned zeros = 0; zeros < 20; zeros++) {
        /* Whole symbols ('0' times eight is five bytes), then a byte of padding too many. */
        char bytes[128] = {0};
        bytes[zeros * 5] = (char)0xff;
        assert_int_equal(decode_hex_bytes(bytes, zeros * 5 + 1, &result), HERALD_ERROR_COMPRESSION);
        assert_int_equal(decode_hex_bytes(bytes, zeros * 5, &result), 0);
        assert_int_equal(result, zeros * 8);
    }
}

static void the_end_symbol_is_an_error(void **state)
{
    (void)state;
    size_t result;
    for (size_t zeros = 0; zeros < 12; zeros++) {
        for (size_t behind = 4; behind < 20; behind++) {
            char bytes[128] = {0};
            memset(bytes + zeros * 5, 0xff, 4);
            if (behind > 4)
                bytes[zeros * 5 + behind - 1] = 7;
            assert_int_equal(decode_hex_bytes(bytes, zeros * 5 + behind, &result),
                             HERALD_ERROR_COMPRESSION);
        }
    }
}

/* All strings of up to three bytes: what decodes encodes to the same bytes, so no string has two
 * forms. */
static void nothing_but_the_one_encoding_is_accepted(void **state)
{
    (void)state;
    for (size_t length = 1; length <= 3; length++) {
        for (uint32_t value = 0; value < 1u << (8 * length); value++) {
            uint8_t bytes[3] = {(uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16)};
            size_t result;
            int error = hpack_huffman_decode(bytes, length, decoded, 16, &result);
            if (error == HERALD_ERROR_COMPRESSION)
                continue;
            assert_int_equal(error, 0);
            assert_int_equal(hpack_huffman_encoded_length(decoded, result), length);
            hpack_huffman_encode(decoded, result, encoded);
            if (memcmp(encoded, bytes, length) != 0)
                fail();
        }
    }
}

static void the_output_stays_within_its_room(void **state)
{
    (void)state;
    uint64_t random = 9;
    for (unsigned round = 0; round < 20000; round++) {
        size_t length = random_below(&random, 64), maximum = random_below(&random, 40), result;
        size_t most = hpack_huffman_decoded_most(length);
        size_t room = (maximum < most ? maximum : most) + HPACK_HUFFMAN_SLACK;
        uint8_t *out = malloc(room + 1);
        uint8_t *in = malloc(length + 1);
        for (size_t at = 0; at < length; at++)
            in[at] = random_below(&random, 3) == 0 ? 0 : (uint8_t)random_next(&random);
        out[room] = 0xa5;
        int error = hpack_huffman_decode(in, length, out, maximum, &result);
        if (error == 0)
            assert_true(result <= maximum && result <= most);
        assert_int_equal(out[room], 0xa5);
        free(in);
        free(out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_in_every_place),
        cmocka_unit_test(random_strings),
        cmocka_unit_test(padding_is_judged),
        cmocka_unit_test(the_end_symbol_is_an_error),
        cmocka_unit_test(nothing_but_the_one_encoding_is_accepted),
        cmocka_unit_test(the_output_stays_within_its_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
