#include "blocks.h"
#include "rfc7541_examples.h"
#include "support/failmalloc.h"
#include "support/random.h"

static struct field_text fields;

static struct hpack_field field_of(const char *name, const char *value)
{
    return (struct hpack_field){.name = span_from_text(name), .value = span_from_text(value)};
}

/* Encodes one field and returns it in hexadecimal. */
static const char *encode(struct hpack_encoder *encoder, const char *name, const char *value)
{
    static char hex[2 * BLOCK_MOST];
    uint8_t block[BLOCK_MOST];
    struct hpack_field field = field_of(name, value);
    int length = hpack_encode_field(encoder, &field, block, sizeof(block));
    assert_true(length > 0);
    for (int at = 0; at < length; at++)
        snprintf(hex + (size_t)at * 2, 3, "%02x", block[at]);
    return hex;
}

static void encode_lines(struct hpack_encoder *encoder, const char *lines, char *hex)
{
    char text[1024];
    snprintf(text, sizeof(text), "%s", lines);
    for (char *line = text, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        *end = '\0';
        char *value = strstr(line + 1, ": ");
        *value = '\0';
        strncat(hex, encode(encoder, line, value + 2), BLOCK_MOST);
    }
}

/* Appendix C.4: what we choose to do there is what the RFC shows. */
static void requests_of_the_rfc(void **state)
{
    (void)state;
    static char hex[2 * BLOCK_MOST];
    static uint8_t expected[BLOCK_MOST], block[BLOCK_MOST];
    struct hpack_encoder encoder;
    hpack_encoder_init(&encoder, HPACK_TABLE_DEFAULT, NULL);
    for (size_t at = 0; at < RFC7541_EXAMPLES; at++) {
        const struct rfc7541_example *example = &rfc7541_examples[at];
        if (strncmp(example->section, "C.4", 3) != 0)
            continue;
        hex[0] = '\0';
        encode_lines(&encoder, example->fields, hex);
        size_t length = block_from_hex(example->hex, expected);
        assert_int_equal(block_from_hex(hex, block), length);
        assert_memory_equal(block, expected, length);
        assert_int_equal(encoder.table.size, example->table_size);
    }
    hpack_encoder_free(&encoder);
}

static void static_fields_are_one_byte(void **state)
{
    (void)state;
    struct hpack_encoder encoder;
    hpack_encoder_init(&encoder, HPACK_TABLE_DEFAULT, NULL);
    assert_string_equal(encode(&encoder, ":method", "GET"), "82");
    assert_string_equal(encode(&encoder, ":method", "POST"), "83");
    assert_string_equal(encode(&encoder, ":path", "/index.html"), "85");
    assert_string_equal(encode(&encoder, ":status", "500"), "8e");
    assert_string_equal(encode(&encoder, "accept-encoding", "gzip, deflate"), "90");
    assert_string_equal(encode(&encoder, "vary", ""), "bb");
    assert_string_equal(encode(&encoder, "www-authenticate", ""), "bd");
    assert_int_equal(failmalloc_live(), 0);
    hpack_encoder_free(&encoder);
}

static void repeated_fields_are_indexed(void **state)
{
    (void)state;
    struct hpack_encoder encoder;
    hpack_encoder_init(&encoder, HPACK_TABLE_DEFAULT, NULL);
    assert_string_equal(encode(&encoder, "x", "1"), "4001780131");
    assert_string_equal(encode(&encoder, "x", "1"), "be");
    assert_string_equal(encode(&encoder, "server", "h"), "760168");
    assert_string_equal(encode(&encoder, "x", "1"), "bf");
    assert_string_equal(encode(&encoder, "server", "h"), "be");
    /* A name of the dynamic table. */
    assert_string_equal(encode(&encoder, "x", "2"), "7f000132");
    assert_string_equal(encode(&encoder, "x", "2"), "be");
    assert_string_equal(encode(&encoder, "x", "1"), "c0");
    hpack_encoder_free(&encoder);
}

static void a_hint_spares_the_look_up(void **state)
{
    (void)state;
    uint8_t with[64], without[64];
    struct hpack_encoder one, other;
    hpack_encoder_init(&one, HPACK_TABLE_DEFAULT, NULL);
    hpack_encoder_init(&other, HPACK_TABLE_DEFAULT, NULL);
    struct hpack_field field = field_of("content-type", "text/html");
    for (unsigned round = 0; round < 2; round++) {
        field.static_index = HPACK_NAME_NONE;
        int length = hpack_encode_field(&one, &field, without, sizeof(without));
        field.static_index = HPACK_NAME_CONTENT_TYPE;
        assert_int_equal(hpack_encode_field(&other, &field, with, sizeof(with)), length);
        assert_memory_equal(with, without, (size_t)length);
    }
    hpack_encoder_free(&one);
    hpack_encoder_free(&other);
}

static void sensitive_fields_are_never_indexed(void **state)
{
    (void)state;
    struct hpack_encoder encoder;
    hpack_encoder_init(&encoder, HPACK_TABLE_DEFAULT, NULL);
    for (unsigned round = 0; round < 4; round++) {
        assert_string_equal(encode(&encoder, "authorization", "a"), "1f080161");
        assert_string_equal(encode(&encoder, "proxy-authorization", "a"), "1f220161");
        assert_string_equal(encode(&encoder, "cookie", "a"), "1f110161");
        uint8_t block[64];
        struct hpack_field flagged = field_of("q", "z");
        flagged.never_indexed = true;
        assert_int_equal(hpack_encode_field(&encoder, &flagged, block, sizeof(block)), 5);
        assert_memory_equal(block, "\x10\x01q\x01z", 5);
        /* Even where the static table has it all. */
        flagged = field_of(":method", "GET");
        flagged.never_indexed = true;
        assert_true(hpack_encode_field(&encoder, &flagged, block, sizeof(block)) > 1);
        assert_int_equal(block[0] & 0xf0, 0x10);
    }
    assert_int_equal(encoder.table.count, 0);
    /* A long cookie is no secret that sizes could tell. */
    encode(&encoder, "cookie", "session=0123456789abcdef");
    assert_int_equal(encoder.table.count, 1);
    hpack_encoder_free(&encoder);
}

static void values_that_seldom_repeat_are_indexed_when_they_do(void **state)
{
    (void)state;
    struct hpack_encoder encoder;
    hpack_encoder_init(&encoder, HPACK_TABLE_DEFAULT, NULL);
    assert_string_equal(encode(&encoder, "content-length", "9"), "0f0d0139");
    assert_int_equal(encoder.table.count, 0);
    assert_string_equal(encode(&encoder, "content-length", "9"), "5c0139");
    assert_string_equal(encode(&encoder, "content-length", "9"), "be");
    assert_string_equal(encode(&encoder, "set-cookie", "a"), "0f280161");
    assert_string_equal(encode(&encoder, ":path", "/x"), "04022f78");
    hpack_encoder_free(&encoder);
}

static void large_fields_stay_out_of_the_table(void **state)
{
    (void)state;
    static char value[4096];
    struct hpack_encoder encoder;
    hpack_encoder_init(&encoder, HPACK_TABLE_DEFAULT, NULL);
    memset(value, 'v', sizeof(value) - 1);
    for (unsigned round = 0; round < 3; round++)
        encode(&encoder, "x", value);
    assert_int_equal(encoder.table.count, 0);
    hpack_encoder_free(&encoder);
}

static void a_change_of_maximum_is_announced(void **state)
{
    (void)state;
    struct hpack_encoder encoder;
    hpack_encoder_init(&encoder, HPACK_TABLE_DEFAULT, NULL);
    encode(&encoder, "x", "1");
    uint32_t generation = hpack_encoder_generation(&encoder);
    hpack_encoder_set_maximum(&encoder, HPACK_TABLE_DEFAULT);
    hpack_encoder_set_maximum(&encoder, 65536); /* more than we want */
    assert_int_equal(hpack_encoder_generation(&encoder), generation);
    assert_string_equal(encode(&encoder, "x", "1"), "be");
    /* Down and up again between two blocks: both must be said (section 4.2). */
    hpack_encoder_set_maximum(&encoder, 0);
    hpack_encoder_set_maximum(&encoder, 1024);
    assert_int_not_equal(hpack_encoder_generation(&encoder), generation);
    generation = hpack_encoder_generation(&encoder);
    assert_string_equal(encode(&encoder, ":method", "GET"), "203fe10782");
    assert_int_not_equal(hpack_encoder_generation(&encoder), generation);
    assert_string_equal(encode(&encoder, "x", "1"), "4001780131");
    hpack_encoder_set_maximum(&encoder, 0);
    assert_string_equal(encode(&encoder, ":method", "GET"), "2082");
    assert_string_equal(encode(&encoder, "x", "1"), "0001780131");
    hpack_encoder_free(&encoder);
}

static void a_smaller_table_of_our_own_is_announced(void **state)
{
    (void)state;
    struct hpack_encoder encoder;
    hpack_encoder_init(&encoder, 0, NULL);
    assert_string_equal(encode(&encoder, "x", "1"), "200001780131");
    assert_int_equal(encoder.table.maximum, 0);
    hpack_encoder_free(&encoder);
}

static void the_bound_is_asked_for(void **state)
{
    (void)state;
    uint8_t block[64];
    struct hpack_encoder encoder;
    hpack_encoder_init(&encoder, HPACK_TABLE_DEFAULT, NULL);
    struct hpack_field field = field_of("x", "1");
    size_t bound = hpack_field_bound(&field);
    assert_int_equal(hpack_encode_field(&encoder, &field, block, bound - 1), HERALD_ERROR_LIMIT);
    assert_int_equal(encoder.table.count, 0);
    assert_int_equal(hpack_encode_field(&encoder, &field, block, bound), 5);
    hpack_encoder_free(&encoder);
}

/* Fields as a long connection sees them: few names, some values that repeat, tables that overflow.
 */
static struct hpack_field random_field(uint64_t *random, uint8_t *bytes)
{
    static const char *const names[] = {
        ":status", "x-a",           "x-b",    "content-length", "content-type",
        "etag",    "authorization", "cookie", "date",           "x-a-rather-long-name-of-a-field"};
    const char *name = names[random_below(random, sizeof(names) / sizeof(names[0]))];
    size_t length =
        random_below(random, 10) == 0 ? random_below(random, 3500) : random_below(random, 24);
    uint8_t letter = (uint8_t)random_next(random);
    for (size_t at = 0; at < length; at++)
        bytes[at] = random_below(random, 20) == 0 ? (uint8_t)random_next(random) : letter % 4 + 'a';
    return (struct hpack_field){
        .name = span_from_text(name),
        .value = span_make(bytes, length),
        .never_indexed = random_below(random, 50) == 0,
    };
}

static bool same_tables(const struct hpack_table *one, const struct hpack_table *other)
{
    if (one->size != other->size || one->count != other->count)
        return false;
    for (uint32_t position = 0; position < one->count; position++) {
        const struct hpack_entry *left = hpack_table_entry(one, position);
        const struct hpack_entry *right = hpack_table_entry(other, position);
        if (left->static_index != right->static_index ||
            !span_equals(hpack_entry_name(one, left), hpack_entry_name(other, right)) ||
            !span_equals(hpack_entry_value(one, left), hpack_entry_value(other, right)))
            return false;
    }
    return true;
}

static void what_is_encoded_decodes_and_tables_agree(void **state)
{
    (void)state;
    static uint8_t value[4096], block[2 * BLOCK_MOST];
    struct account account = {.maximum = 0};
    uint64_t random = 7;
    for (unsigned connection = 0; connection < 40; connection++) {
        struct hpack_encoder encoder;
        struct hpack_decoder decoder;
        uint32_t limit = (uint32_t)random_below(&random, 20000);
        hpack_encoder_init(&encoder, limit, &account);
        hpack_decoder_init(&decoder, HPACK_TABLE_DEFAULT, &account);
        for (unsigned round = 0; round < 1000; round++) {
            if (random_below(&random, 100) == 0) {
                uint32_t maximum = (uint32_t)random_below(&random, 20000);
                hpack_decoder_set_maximum(&decoder, maximum);
                hpack_encoder_set_maximum(&encoder, maximum);
            }
            struct hpack_field field = random_field(&random, value);
            int length = hpack_encode_field(&encoder, &field, block, sizeof(block));
            assert_in_range(length, 1, hpack_field_bound(&field));
            field_text_clear(&fields);
            assert_int_equal(
                decode_in_fragments(&decoder, block, (size_t)length, BLOCK_MOST, &fields), 0);
            assert_int_equal(fields.fields, 1);
            size_t start = fields.length - field.value.length - 1;
            assert_memory_equal(fields.text + start, value, field.value.length);
            assert_true(same_tables(&encoder.table, &decoder.table));
        }
        hpack_encoder_free(&encoder);
        hpack_decoder_free(&decoder);
        assert_int_equal(account.live, 0);
    }
}

/* Without memory for the table fields are sent without indexing, and the peer never notices. */
static bool encode_short_of_memory(void *user)
{
    (void)user;
    static uint8_t value[4096], block[2 * BLOCK_MOST];
    struct account account = {.maximum = 0};
    struct hpack_encoder encoder;
    struct hpack_decoder decoder;
    uint64_t random = 3;
    bool good = true;
    hpack_encoder_init(&encoder, HPACK_TABLE_DEFAULT, &account);
    hpack_decoder_init(&decoder, HPACK_TABLE_DEFAULT, &account);
    for (unsigned round = 0; round < 300 && good; round++) {
        struct hpack_field field = random_field(&random, value);
        int length = hpack_encode_field(&encoder, &field, block, sizeof(block));
        field_text_clear(&fields);
        int result = decode_in_fragments(&decoder, block, (size_t)length, BLOCK_MOST, &fields);
        if (result == HERALD_ERROR_NOMEM)
            break;
        good = result == 0 && same_tables(&encoder.table, &decoder.table);
    }
    hpack_encoder_free(&encoder);
    hpack_decoder_free(&decoder);
    return good && account.live == 0;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    assert_true(failmalloc_each(encode_short_of_memory, NULL, 1000) > 10);
}

static void a_full_account_only_stops_indexing(void **state)
{
    (void)state;
    for (size_t maximum = 1; maximum < 3000; maximum += 100) {
        struct account account = {.maximum = maximum};
        struct hpack_encoder encoder;
        hpack_encoder_init(&encoder, HPACK_TABLE_DEFAULT, &account);
        for (unsigned at = 0; at < 100; at++) {
            char value[16];
            snprintf(value, sizeof(value), "value %u", at);
            encode(&encoder, "x", value);
        }
        assert_true(account.live <= maximum);
        hpack_encoder_free(&encoder);
        assert_int_equal(account.live, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_of_the_rfc),
        cmocka_unit_test(static_fields_are_one_byte),
        cmocka_unit_test(repeated_fields_are_indexed),
        cmocka_unit_test(a_hint_spares_the_look_up),
        cmocka_unit_test(sensitive_fields_are_never_indexed),
        cmocka_unit_test(values_that_seldom_repeat_are_indexed_when_they_do),
        cmocka_unit_test(large_fields_stay_out_of_the_table),
        cmocka_unit_test(a_change_of_maximum_is_announced),
        cmocka_unit_test(a_smaller_table_of_our_own_is_announced),
        cmocka_unit_test(the_bound_is_asked_for),
        cmocka_unit_test(what_is_encoded_decodes_and_tables_agree),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(a_full_account_only_stops_indexing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
