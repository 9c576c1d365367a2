/* Random field blocks, right and wrong, decoded here and by libnghttp2: the same fields in the same
 * order, or both refuse. The one difference by intent: a block with more than two size updates is
 * refused here (RFC 7541 section 4.2 has no use for a third) and such blocks are left out.
 *
 *     hpack_differential BLOCKS SEED
 */
#include "hpack/hpack.h"
#include "hpack/huffman.h"
#include "hpack/integer.h"
#include "support/random.h"
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>

#define BLOCK_MOST          4096
#define STRING_MOST         40
#define BLOCKS_A_CONNECTION 30

/* What a decoder said of a block: a digest of the fields and how it ended. */
struct outcome {
    uint64_t digest;
    unsigned fields;
    bool refused;
};

struct block {
    uint8_t bytes[BLOCK_MOST];
    size_t length;
};

static void digest_bytes(struct outcome *outcome, struct span bytes)
{
    outcome->digest = (outcome->digest ^ bytes.length) * UINT64_C(0x100000001b3);
    for (size_t at = 0; at < bytes.length; at++)
        outcome->digest = (outcome->digest ^ bytes.data[at]) * UINT64_C(0x100000001b3);
}

static int digest_field(void *user, const struct hpack_field *field)
{
    struct outcome *outcome = user;
    digest_bytes(outcome, field->name);
    digest_bytes(outcome, field->value);
    outcome->digest += field->never_indexed;
    outcome->fields++;
    return 0;
}

static struct outcome decode(struct hpack_decoder *decoder, const struct block *block)
{
    struct outcome outcome = {0};
    size_t consumed;
    outcome.refused = hpack_decode(decoder, block->bytes, block->length, true, &consumed,
                                   digest_field, &outcome) != 0;
    return outcome;
}

static struct outcome inflate(nghttp2_hd_inflater *inflater, const struct block *block)
{
    struct outcome outcome = {0};
    const uint8_t *at = block->bytes, *end = at + block->length;
    for (;;) {
        nghttp2_nv nv;
        int flags = 0;
        ssize_t used = nghttp2_hd_inflate_hd2(inflater, &nv, &flags, at, (size_t)(end - at), 1);
        if (used < 0) {
            outcome.refused = true;
            break;
        }
        at += used;
        if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0) {
            struct hpack_field field = {
                .name = span_make(nv.name, nv.namelen),
                .value = span_make(nv.value, nv.valuelen),
                .never_indexed = (nv.flags & NGHTTP2_NV_FLAG_NO_INDEX) != 0,
            };
            digest_field(&outcome, &field);
        }
        if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0) {
            nghttp2_hd_inflate_end_headers(inflater);
            break;
        }
    }
    return outcome;
}

static void add_integer(struct block *block, uint8_t pattern, unsigned prefix, uint32_t value)
{
    uint8_t *end = hpack_write_integer(block->bytes + block->length, pattern, prefix, value);
    block->length = (size_t)(end - block->bytes);
}

static void add_string(struct block *block, uint64_t *random)
{
    uint8_t bytes[STRING_MOST];
    size_t length = random_below(random, STRING_MOST);
    bool text = random_below(random, 4) != 0;
    for (size_t at = 0; at < length; at++)
        bytes[at] = text ? (uint8_t)(random_below(random, 26) + 'a') : (uint8_t)random_next(random);
    size_t shorter = hpack_huffman_encoded_length(bytes, length);
    if (random_below(random, 2) == 0) {
        add_integer(block, 0x80, 7, (uint32_t)shorter);
        hpack_huffman_encode(bytes, length, block->bytes + block->length);
        block->length += shorter;
    } else {
        add_integer(block, 0x00, 7, (uint32_t)length);
        memcpy(block->bytes + block->length, bytes, length);
        block->length += length;
    }
}

/* Mostly within the tables, sometimes just outside. */
static uint32_t random_index(uint64_t *random, uint32_t entries)
{
    return (uint32_t)random_below(random, 61 + entries + (random_below(random, 20) == 0 ? 4 : 1));
}

static void add_representation(struct block *block, uint64_t *random, uint32_t entries)
{
    static const struct {
        uint8_t pattern;
        unsigned prefix;
    } literals[] = {{0x40, 6}, {0x40, 6}, {0x00, 4}, {0x10, 4}};
    size_t kind = random_below(random, 8);
    if (kind >= 4) {
        add_integer(block, 0x80, 7, random_index(random, entries));
        return;
    }
    uint32_t name = random_below(random, 2) == 0 ? 0 : random_index(random, entries);
    add_integer(block, literals[kind].pattern, literals[kind].prefix, name);
    if (name == 0)
        add_string(block, random);
    add_string(block, random);
}

static void make_block(struct block *block, uint64_t *random, uint32_t entries)
{
    block->length = 0;
    for (size_t updates = random_below(random, 8); updates > 5; updates--)
        add_integer(block, 0x20, 5, (uint32_t)random_below(random, 4200));
    for (size_t left = random_below(random, 12); left > 0; left--)
        add_representation(block, random, entries);
    /* A third of the blocks is damaged: a bit, a byte, the end, or all of it. */
    size_t damage = random_below(random, 12);
    if (damage == 0 && block->length > 0)
        block->bytes[random_below(random, block->length)] ^=
            (uint8_t)(1u << random_below(random, 8));
    else if (damage == 1 && block->length > 0)
        block->bytes[random_below(random, block->length)] = (uint8_t)random_next(random);
    else if (damage == 2 && block->length > 0)
        block->length = random_below(random, block->length);
    else if (damage == 3)
        for (size_t at = block->length = random_below(random, 60); at-- > 0;)
            block->bytes[at] = (uint8_t)random_next(random);
}

static bool begins_with_three_updates(const struct block *block)
{
    const uint8_t *at = block->bytes, *end = at + block->length;
    unsigned updates = 0;
    uint32_t value;
    while (at < end && (*at & 0xe0) == 0x20) {
        updates++;
        if (hpack_read_integer(&at, end, 5, &value) != HPACK_COMPLETE)
            break;
    }
    return updates > 2;
}

static void print_block(const struct block *block, struct outcome ours, struct outcome theirs)
{
    fprintf(stderr, "ours: %u fields%s; libnghttp2: %u fields%s; block:", ours.fields,
            ours.refused ? ", refused" : "", theirs.fields, theirs.refused ? ", refused" : "");
    for (size_t at = 0; at < block->length; at++)
        fprintf(stderr, " %02x", block->bytes[at]);
    fprintf(stderr, "\n");
}

struct tally {
    unsigned long blocks, refused, fields;
};

/* One pair of decoders until a block is refused. Returns false at the first disagreement. */
static bool run_connection(uint64_t *random, struct tally *tally)
{
    static struct block block;
    struct hpack_decoder decoder;
    nghttp2_hd_inflater *inflater;
    bool agree = nghttp2_hd_inflate_new(&inflater) == 0, open = agree;
    hpack_decoder_init(&decoder, HPACK_TABLE_DEFAULT, NULL);
    for (unsigned count = 0; open && count < BLOCKS_A_CONNECTION; count++) {
        make_block(&block, random, decoder.table.count);
        if (begins_with_three_updates(&block))
            continue;
        struct outcome ours = decode(&decoder, &block), theirs = inflate(inflater, &block);
        agree = ours.refused == theirs.refused && ours.fields == theirs.fields &&
                ours.digest == theirs.digest;
        if (!agree)
            print_block(&block, ours, theirs);
        open = agree && !ours.refused;
        tally->blocks++;
        tally->refused += ours.refused;
        tally->fields += ours.fields;
    }
    hpack_decoder_free(&decoder);
    nghttp2_hd_inflate_del(inflater);
    return agree;
}

int main(int count, char **arguments)
{
    if (count != 3) {
        fprintf(stderr, "usage: hpack_differential BLOCKS SEED\n");
        return 2;
    }
    unsigned long blocks = strtoul(arguments[1], NULL, 10);
    uint64_t random = strtoul(arguments[2], NULL, 10) | 1;
    struct tally tally = {0};
    bool agree = true;
    while (agree && tally.blocks < blocks)
        agree = run_connection(&random, &tally);
    printf("%lu blocks, %lu of them refused, %lu fields: %s\n", tally.blocks, tally.refused,
           tally.fields, agree ? "no difference" : "DIFFERENT");
    return agree ? 0 : 1;
}
