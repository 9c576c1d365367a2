#include "hpack/integer.h"
#include "support/check.h"
#include "support/random.h"

/* Appendix C.1. */
static void examples_of_the_rfc(void **state)
{
    (void)state;
    uint8_t bytes[HPACK_INTEGER_BYTES];
    assert_ptr_equal(hpack_write_integer(bytes, 0, 5, 10), bytes + 1);
    assert_memory_equal(bytes, "\x0a", 1);
    assert_ptr_equal(hpack_write_integer(bytes, 0, 5, 1337), bytes + 3);
    assert_memory_equal(bytes, "\x1f\x9a\x0a", 3);
    assert_ptr_equal(hpack_write_integer(bytes, 0, 8, 42), bytes + 1);
    assert_memory_equal(bytes, "\x2a", 1);
}

static void check(unsigned prefix, uint32_t value)
{
    uint8_t bytes[HPACK_INTEGER_BYTES];
    uint8_t pattern = (uint8_t)(0xffu << prefix);
    size_t length = (size_t)(hpack_write_integer(bytes, pattern, prefix, value) - bytes);
    assert_in_range(length, 1, HPACK_INTEGER_BYTES);
    assert_int_equal(bytes[0] & pattern, pattern);
    const uint8_t *at = bytes;
    uint32_t read = ~value;
    assert_int_equal(hpack_read_integer(&at, bytes + length, prefix, &read), HPACK_COMPLETE);
    assert_ptr_equal(at, bytes + length);
    assert_int_equal(read, value);
    for (size_t cut = 1; cut < length; cut++) {
        at = bytes;
        assert_int_equal(hpack_read_integer(&at, bytes + cut, prefix, &read), HPACK_INCOMPLETE);
    }
}

static void what_is_written_is_read(void **state)
{
    (void)state;
    uint64_t random = 1;
    for (unsigned prefix = 1; prefix <= 8; prefix++) {
        for (uint32_t value = 0; value < 70000; value++)
            check(prefix, value);
        for (unsigned round = 0; round < 20000; round++)
            check(prefix, (uint32_t)(random_next(&random) >> random_below(&random, 64)));
        check(prefix, UINT32_MAX);
    }
}

static void more_than_32_bits_is_an_error(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "\xff\x81\xfe\xff\xff\x0f",     /* 2^32: one too many */
        "\xff\xff\xff\xff\xff\x7f",     /* 35 bits */
        "\xff\x80\x80\x80\x80\x80\x00", /* zeros behind zeros */
    };
    for (size_t which = 0; which < sizeof(texts) / sizeof(texts[0]); which++) {
        const uint8_t *at = (const uint8_t *)texts[which];
        uint32_t value;
        assert_int_equal(hpack_read_integer(&at, at + 7, 8, &value), HERALD_ERROR_COMPRESSION);
    }
    const uint8_t *at = (const uint8_t *)"\xff\x80\xfe\xff\xff\x0f";
    uint32_t value;
    assert_int_equal(hpack_read_integer(&at, at + 6, 8, &value), HPACK_COMPLETE);
    assert_int_equal(value, UINT32_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(examples_of_the_rfc),
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(more_than_32_bits_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
