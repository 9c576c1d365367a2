#include "blocks.h"
#include "hpack/static_table.h"
#include "rfc7541_examples.h"
#include "support/failmalloc.h"

static struct field_text fields;

static void decode_examples(size_t fragment)
{
    static uint8_t block[BLOCK_MOST];
    struct hpack_decoder decoder;
    hpack_decoder_init(&decoder, HPACK_TABLE_DEFAULT, NULL);
    for (size_t at = 0; at < RFC7541_EXAMPLES; at++) {
        const struct rfc7541_example *example = &rfc7541_examples[at];
        if (example->table_maximum != 0) {
            hpack_decoder_free(&decoder);
            hpack_decoder_init(&decoder, example->table_maximum, NULL);
        }
        size_t length = block_from_hex(example->hex, block);
        field_text_clear(&fields);
        assert_int_equal(decode_in_fragments(&decoder, block, length, fragment, &fields), 0);
        assert_string_equal(fields.text, example->fields);
        assert_int_equal(decoder.table.size, example->table_size);
    }
    hpack_decoder_free(&decoder);
}

static void examples_of_the_rfc(void **state)
{
    (void)state;
    decode_examples(BLOCK_MOST);
}

static void examples_in_fragments_of_every_size(void **state)
{
    (void)state;
    for (size_t size = 1; size <= 100; size++)
        decode_examples(size);
}

static void whole_static_table(void **state)
{
    (void)state;
    struct hpack_decoder decoder;
    hpack_decoder_init(&decoder, HPACK_TABLE_DEFAULT, NULL);
    for (uint8_t index = 1; index <= HPACK_STATIC_COUNT; index++) {
        uint8_t block = 0x80 | index;
        field_text_clear(&fields);
        assert_int_equal(decode_in_fragments(&decoder, &block, 1, 1, &fields), 0);
        struct field_text expected = {.length = 0};
        field_text_emit(&expected, &hpack_static_fields[index]);
        assert_string_equal(fields.text, expected.text);
    }
    assert_int_equal(failmalloc_live(), 0);
    hpack_decoder_free(&decoder);
}

static int remember_index(void *user, const struct hpack_field *field)
{
    *(uint8_t *)user = field->static_index;
    return 0;
}

/* However the name came: indexed, by index, spelled out, from the dynamic table. */
static void names_of_the_static_table_are_told(void **state)
{
    (void)state;
    static const struct {
        const char *hex;
        uint8_t index;
    } cases[] = {
        {"83", HPACK_NAME_METHOD},
        {"480130", HPACK_NAME_STATUS},
        {"40 04 6574 6167 01 61", HPACK_NAME_ETAG},
        {"be", HPACK_NAME_ETAG},
        {"7e 01 62", HPACK_NAME_ETAG},
        {"bf", HPACK_NAME_ETAG},
        {"40 02 7878 01 61", HPACK_NAME_NONE},
        {"be", HPACK_NAME_NONE},
    };
    struct hpack_decoder decoder;
    hpack_decoder_init(&decoder, HPACK_TABLE_DEFAULT, NULL);
    for (size_t at = 0; at < sizeof(cases) / sizeof(cases[0]); at++) {
        uint8_t block[16], index = 255;
        size_t consumed, length = block_from_hex(cases[at].hex, block);
        assert_int_equal(
            hpack_decode(&decoder, block, length, true, &consumed, remember_index, &index), 0);
        assert_int_equal(index, cases[at].index);
    }
    hpack_decoder_free(&decoder);
}

static void breaches_are_compression_errors(void **state)
{
    (void)state;
    static const char *const blocks[] = {
        "80",                    /* index 0 */
        "be",                    /* beyond both tables */
        "ff ff ff ff ff 0f",     /* an index of more than 32 bits */
        "ff 80 80 80 80 80 00",  /* an integer that never ends */
        "7f 00 01 61",           /* a name beyond both tables */
        "0f 2f 01 61",           /* the same without indexing: 15 + 47 = 62 */
        "1f 2f 01 61",           /* and never indexed */
        "40",                    /* the block ends before the name */
        "40 01",                 /* inside it */
        "40 01 61",              /* before the value */
        "40 01 61 02 62",        /* inside it */
        "ff",                    /* inside an index */
        "3f",                    /* inside a size */
        "00 85 ffff ffff ff 00", /* EOS inside a string */
        "00 82 1fff 00",         /* '0' in Huffman code and more than seven bits of padding */
        "00 81 00 00",           /* padding of zeros */
        "00 81 ff 00",           /* eight bits of padding and no symbol */
        "3f e2 1f",              /* a table of 4097 */
        "20 20 20",              /* three size updates */
        "82 20",                 /* a size update behind a field */
        "20 82 20",              /* the same, though the block began with one */
    };
    for (size_t at = 0; at < sizeof(blocks) / sizeof(blocks[0]); at++) {
        for (size_t size = 1; size < 4; size++) {
            static uint8_t block[BLOCK_MOST];
            size_t length = block_from_hex(blocks[at], block);
            struct hpack_decoder decoder;
            hpack_decoder_init(&decoder, HPACK_TABLE_DEFAULT, NULL);
            field_text_clear(&fields);
            assert_int_equal(decode_in_fragments(&decoder, block, length, size, &fields),
                             HERALD_ERROR_COMPRESSION);
            /* And so for ever. */
            assert_int_equal(decode_hex(&decoder, "82", &fields), HERALD_ERROR_COMPRESSION);
            hpack_decoder_free(&decoder);
        }
    }
}

static void integers_may_be_longer_than_needed(void **state)
{
    (void)state;
    static uint8_t block[BLOCK_MOST];
    struct hpack_decoder decoder;
    hpack_decoder_init(&decoder, HPACK_TABLE_DEFAULT, NULL);
    field_text_clear(&fields);
    /* A name of 128 bytes and a value of 127. */
    size_t length = block_from_hex("00 7f 81 80 80 00", block);
    memset(block + length, 'a', 128);
    length += 128;
    length += block_from_hex("7f 80 00", block + length);
    memset(block + length, 'b', 127);
    assert_int_equal(decode_in_fragments(&decoder, block, length + 127, 50, &fields), 0);
    assert_int_equal(fields.length, 128 + 2 + 127 + 1);
    hpack_decoder_free(&decoder);
}

static void size_updates_evict(void **state)
{
    (void)state;
    struct hpack_decoder decoder;
    hpack_decoder_init(&decoder, HPACK_TABLE_DEFAULT, NULL);
    field_text_clear(&fields);
    /* Three entries of 34 bytes: a: 1, b: 2, c: 3. */
    assert_int_equal(decode_hex(&decoder, "4001 6101 31 4001 6201 32 4001 6301 33", &fields), 0);
    assert_int_equal(decoder.table.size, 3 * 34);
    field_text_clear(&fields);
    assert_int_equal(decode_hex(&decoder, "3f25 be bf", &fields), 0); /* 68 */
    assert_string_equal(fields.text, "c: 3\nb: 2\n");
    assert_int_equal(decoder.table.size, 2 * 34);
    /* Down to nothing and up again in one block: the table is empty. */
    field_text_clear(&fields);
    assert_int_equal(decode_hex(&decoder, "20 3fe11f 4001 6401 34 be", &fields), 0);
    assert_string_equal(fields.text, "d: 4\nd: 4\n");
    assert_int_equal(decoder.table.size, 34);
    assert_int_equal(decoder.table.maximum, 4096);
    /* An entry larger than the table empties it and is no error. */
    field_text_clear(&fields);
    assert_int_equal(decode_hex(&decoder, "3f04 4001 6502 3535", &fields), 0); /* 35 */
    assert_string_equal(fields.text, "e: 55\n");
    assert_int_equal(decoder.table.size, 35);
    assert_int_equal(decode_hex(&decoder, "4001 6603 363636", &fields), 0);
    assert_int_equal(decoder.table.size, 0);
    hpack_decoder_free(&decoder);
}

static void a_lower_maximum_demands_an_update(void **state)
{
    (void)state;
    static const struct {
        const char *hex;
        int result;
    } cases[] = {
        {"82", HERALD_ERROR_COMPRESSION},
        {"3f46 82", HERALD_ERROR_COMPRESSION}, /* 101 */
        {"3f45 82", 0},                        /* 100 */
        {"20 3f45 82", 0},
        {"20 3f46 82", 0}, /* the smaller of the two was due, then up to 200 are allowed */
        {"20 3faa01 82", HERALD_ERROR_COMPRESSION}, /* 201 */
    };
    for (size_t at = 0; at < sizeof(cases) / sizeof(cases[0]); at++) {
        struct hpack_decoder decoder;
        hpack_decoder_init(&decoder, HPACK_TABLE_DEFAULT, NULL);
        hpack_decoder_set_maximum(&decoder, 100);
        hpack_decoder_set_maximum(&decoder, 200);
        field_text_clear(&fields);
        assert_int_equal(decode_hex(&decoder, cases[at].hex, &fields), cases[at].result);
        if (cases[at].result == 0)
            assert_int_equal(decode_hex(&decoder, "82", &fields), 0);
        hpack_decoder_free(&decoder);
    }
}

static void a_higher_maximum_may_be_used(void **state)
{
    (void)state;
    struct hpack_decoder decoder;
    hpack_decoder_init(&decoder, HPACK_TABLE_DEFAULT, NULL);
    hpack_decoder_set_maximum(&decoder, UINT32_MAX);
    field_text_clear(&fields);
    assert_int_equal(decode_hex(&decoder, "82", &fields), 0);
    assert_int_equal(decoder.table.maximum, HPACK_TABLE_DEFAULT);
    assert_int_equal(decode_hex(&decoder, "3fe1ff03 82", &fields), 0); /* 65536 */
    assert_int_equal(decoder.table.maximum, HPACK_TABLE_MAXIMUM);
    assert_int_equal(decode_hex(&decoder, "3fe2ff03 82", &fields), HERALD_ERROR_COMPRESSION);
    hpack_decoder_free(&decoder);
}

static void two_updates_count_in_one_block_only(void **state)
{
    (void)state;
    struct hpack_decoder decoder;
    hpack_decoder_init(&decoder, HPACK_TABLE_DEFAULT, NULL);
    field_text_clear(&fields);
    for (unsigned block = 0; block < 10; block++)
        assert_int_equal(decode_hex(&decoder, "20 3f45 82", &fields), 0);
    assert_int_equal(fields.fields, 10);
    hpack_decoder_free(&decoder);
}

/* RFC 7541 section 4.4: the entry that gives the name may be the one evicted. */
static void a_name_outlives_its_entry(void **state)
{
    (void)state;
    struct hpack_decoder decoder;
    hpack_decoder_init(&decoder, 80, NULL);
    field_text_clear(&fields);
    static uint8_t block[BLOCK_MOST];
    size_t length = block_from_hex("400a 6375 7374 6f6d 2d6b 6579 04 61616161", block);
    for (unsigned round = 0; round < 200; round++) {
        static const uint8_t again[] = {0x7e, 4, 'b', 'b', 'b', 'b'};
        memcpy(block + length, again, sizeof(again));
        length += sizeof(again);
    }
    assert_int_equal(decode_in_fragments(&decoder, block, length, 1000, &fields), 0);
    assert_int_equal(fields.fields, 201);
    assert_string_equal(fields.text + fields.length - 17, "custom-key: bbbb\n");
    assert_int_equal(decoder.table.count, 1);
    hpack_decoder_free(&decoder);
}

static void emit_can_stop_and_the_block_go_on(void **state)
{
    (void)state;
    static uint8_t block[BLOCK_MOST];
    size_t length = block_from_hex("82 4001 6101 31 be 0001 6201 32 be", block);
    for (size_t stop = 1; stop <= 5; stop++) {
        struct hpack_decoder decoder;
        size_t consumed, rest;
        hpack_decoder_init(&decoder, HPACK_TABLE_DEFAULT, NULL);
        field_text_clear(&fields);
        fields.stop_at = stop;
        assert_int_equal(
            hpack_decode(&decoder, block, length, true, &consumed, field_text_emit, &fields), 77);
        assert_int_equal(fields.fields, stop);
        assert_int_equal(hpack_decode(&decoder, block + consumed, length - consumed, true, &rest,
                                      field_text_emit, &fields),
                         0);
        assert_int_equal(consumed + rest, length);
        assert_string_equal(fields.text, ":method: GET\na: 1\na: 1\nb: 2\na: 1\n");
        /* The block is over: the next may begin with a size update. */
        assert_int_equal(decode_hex(&decoder, "20 82", &fields), 0);
        hpack_decoder_free(&decoder);
    }
}

static void strings_have_a_maximum(void **state)
{
    (void)state;
    static const struct {
        const char *hex;
        int result;
    } cases[] = {
        {"00 0461616161 0462626262", 0},
        {"00 056161616161 00", HERALD_ERROR_LIMIT},
        {"00 00 056161616161", HERALD_ERROR_LIMIT},
        {"00 05", HERALD_ERROR_LIMIT}, /* known before the bytes are there */
        {"00 7f ffff0f", HERALD_ERROR_LIMIT},
        {"00 83 0000 0f 00", 0},                    /* '0' * 4 and four bits of padding */
        {"00 84 0000 007f 00", HERALD_ERROR_LIMIT}, /* '0' * 5 */
        {"00 9f", HERALD_ERROR_LIMIT},              /* 31 encoded bytes are at least 8 */
    };
    for (size_t at = 0; at < sizeof(cases) / sizeof(cases[0]); at++) {
        struct hpack_decoder decoder;
        hpack_decoder_init(&decoder, HPACK_TABLE_DEFAULT, NULL);
        hpack_decoder_set_string_maximum(&decoder, 4);
        field_text_clear(&fields);
        static uint8_t block[BLOCK_MOST];
        size_t consumed, length = block_from_hex(cases[at].hex, block);
        bool complete = cases[at].result == 0;
        int result =
            hpack_decode(&decoder, block, length, complete, &consumed, field_text_emit, &fields);
        assert_int_equal(result, cases[at].result);
        hpack_decoder_free(&decoder);
    }
}

static void memory_is_counted_and_given_back(void **state)
{
    (void)state;
    static uint8_t block[BLOCK_MOST];
    struct account account = {.maximum = 0};
    struct hpack_decoder decoder;
    hpack_decoder_init(&decoder, HPACK_TABLE_DEFAULT, &account);
    assert_int_equal(account.live, 0);
    for (unsigned round = 0; round < 20000; round++) {
        size_t at = 0;
        unsigned length = round * 7 % 200;
        block[at++] = 0x40;
        block[at++] = 2;
        block[at++] = (uint8_t)round;
        block[at++] = (uint8_t)(round >> 8);
        block[at++] = 0x7f;
        block[at++] = (uint8_t)(length | 0x80);
        block[at++] = (uint8_t)(length >> 7);
        memset(block + at, 'x', length + 127);
        field_text_clear(&fields);
        assert_int_equal(
            decode_in_fragments(&decoder, block, at + length + 127, BLOCK_MOST, &fields), 0);
        assert_int_equal(account.live, failmalloc_live_bytes());
    }
    /* At most twice the table's bytes and its entries. */
    assert_in_range(account.peak, 4096, 2 * 4096 + 128 * sizeof(struct hpack_entry));
    hpack_decoder_free(&decoder);
    assert_int_equal(account.live, 0);
}

static void a_large_scratch_is_not_kept(void **state)
{
    (void)state;
    static uint8_t block[BLOCK_MOST];
    struct account account = {.maximum = 0};
    struct hpack_decoder decoder;
    hpack_decoder_init(&decoder, HPACK_TABLE_DEFAULT, &account);
    size_t at =
        block_from_hex("00 00 ff 99 26", block); /* 5016 encoded bytes: 25 + 127 + 38 * 128 */
    memset(block + at, 0, 5016);
    block[at + 5015] = 0x07; /* ends in ones */
    field_text_clear(&fields);
    assert_int_equal(decode_in_fragments(&decoder, block, at + 5016, BLOCK_MOST, &fields), 0);
    assert_in_range(fields.length, 8000, 8100);
    assert_in_range(account.peak, 8000, 20000);
    assert_int_equal(account.live, 0);
    hpack_decoder_free(&decoder);
}

static void a_full_account_is_a_limit(void **state)
{
    (void)state;
    for (size_t maximum = 1; maximum < 2000; maximum += 50) {
        struct account account = {.maximum = maximum};
        struct hpack_decoder decoder;
        hpack_decoder_init(&decoder, HPACK_TABLE_DEFAULT, &account);
        field_text_clear(&fields);
        int result = decode_hex(&decoder, rfc7541_examples[7].hex, &fields);
        assert_true(result == 0 || result == HERALD_ERROR_LIMIT);
        assert_true(account.live <= maximum);
        if (result != 0)
            assert_int_equal(decode_hex(&decoder, "82", &fields), HERALD_ERROR_LIMIT);
        hpack_decoder_free(&decoder);
        assert_int_equal(account.live, 0);
    }
}

static bool decode_short_of_memory(void *user)
{
    (void)user;
    struct account account = {.maximum = 0};
    struct hpack_decoder decoder;
    hpack_decoder_init(&decoder, HPACK_TABLE_DEFAULT, &account);
    int result = 0;
    for (unsigned at = 0; at < 60 && result == 0; at++) {
        static uint8_t block[BLOCK_MOST];
        size_t length = block_from_hex("4085 f2b1 0649 cf 88 25a8 49e9 5ba9 7d7f", block);
        field_text_clear(&fields);
        result = decode_in_fragments(&decoder, block, length, 3, &fields);
    }
    hpack_decoder_free(&decoder);
    return (result == 0 || result == HERALD_ERROR_NOMEM) && account.live == 0;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    assert_true(failmalloc_each(decode_short_of_memory, NULL, 100) > 4);
}

static void the_generation_tells_a_changed_table(void **state)
{
    (void)state;
    struct hpack_decoder decoder;
    hpack_decoder_init(&decoder, HPACK_TABLE_DEFAULT, NULL);
    field_text_clear(&fields);
    uint32_t before = hpack_decoder_generation(&decoder);
    assert_int_equal(decode_hex(&decoder, "82 0001 6101 31", &fields), 0);
    assert_int_equal(hpack_decoder_generation(&decoder), before);
    assert_int_equal(decode_hex(&decoder, "4001 6101 31", &fields), 0);
    uint32_t inserted = hpack_decoder_generation(&decoder);
    assert_int_not_equal(inserted, before);
    assert_int_equal(decode_hex(&decoder, "be", &fields), 0);
    assert_int_equal(hpack_decoder_generation(&decoder), inserted);
    assert_int_equal(decode_hex(&decoder, "20 82", &fields), 0);
    assert_int_not_equal(hpack_decoder_generation(&decoder), inserted);
    hpack_decoder_free(&decoder);
}

static void an_empty_block_is_nothing(void **state)
{
    (void)state;
    struct hpack_decoder decoder;
    size_t consumed = 9;
    hpack_decoder_init(&decoder, HPACK_TABLE_DEFAULT, NULL);
    assert_int_equal(hpack_decode(&decoder, NULL, 0, true, &consumed, field_text_emit, &fields), 0);
    assert_int_equal(consumed, 0);
    hpack_decoder_free(&decoder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(examples_of_the_rfc),
        cmocka_unit_test(examples_in_fragments_of_every_size),
        cmocka_unit_test(whole_static_table),
        cmocka_unit_test(names_of_the_static_table_are_told),
        cmocka_unit_test(breaches_are_compression_errors),
        cmocka_unit_test(integers_may_be_longer_than_needed),
        cmocka_unit_test(size_updates_evict),
        cmocka_unit_test(a_lower_maximum_demands_an_update),
        cmocka_unit_test(a_higher_maximum_may_be_used),
        cmocka_unit_test(two_updates_count_in_one_block_only),
        cmocka_unit_test(a_name_outlives_its_entry),
        cmocka_unit_test(emit_can_stop_and_the_block_go_on),
        cmocka_unit_test(strings_have_a_maximum),
        cmocka_unit_test(memory_is_counted_and_given_back),
        cmocka_unit_test(a_large_scratch_is_not_kept),
        cmocka_unit_test(a_full_account_is_a_limit),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(the_generation_tells_a_changed_table),
        cmocka_unit_test(an_empty_block_is_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
