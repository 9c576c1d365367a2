#include "http/cache_digest.h"
#include "base/err.h"
#include "http/base64.h"
#include "http/sha256.h"
#include <stdlib.h>

#define CAPACITY_BITS_MAXIMUM 62

struct cache_digest_set {
    uint64_t *keys; /* ascending */
    size_t count;
    uint8_t bits; /* of a key */
    bool stale, validators;
};

void cache_digest_init(struct cache_digest *digest, struct account *account)
{
    *digest = (struct cache_digest){.account = account};
}

static void drop_sets(struct cache_digest *digest)
{
    for (size_t i = 0; i < digest->count; i++) {
        account_refund(digest->account, digest->sets[i].count * sizeof(uint64_t));
        free(digest->sets[i].keys);
    }
    digest->count = 0;
    digest->complete_fresh = digest->complete_stale = false;
}

void cache_digest_free(struct cache_digest *digest)
{
    drop_sets(digest);
    free(digest->sets);
    if (digest->sets != NULL)
        account_refund(digest->account, CACHE_DIGEST_SETS * sizeof(*digest->sets));
    digest->sets = NULL;
}

uint64_t cache_digest_hash(struct span url, struct span etag, unsigned bits)
{
    uint8_t full[SHA256_LENGTH];
    uint64_t hash = 0;

    sha256(url, etag, full);
    for (size_t i = 0; i < 8; i++)
        hash = hash << 8 | full[i];
    return bits == 0 ? 0 : hash >> (64 - bits);
}

/* ---- bits ---- */

struct bit_reader {
    const uint8_t *bytes;
    size_t position, end; /* in bits */
};

static bool read_bits(struct bit_reader *reader, unsigned count, uint64_t *value)
{
    if (reader->end - reader->position < count)
        return false;
    for (*value = 0; count != 0; count--, reader->position++)
        *value =
            *value << 1 | (reader->bytes[reader->position / 8] >> (7 - reader->position % 8) & 1);
    return true;
}

/* Zeros up to a one. False when no one is left: the rest is padding. */
static bool read_unary(struct bit_reader *reader, uint64_t *count)
{
    uint64_t bit = 0;

    for (*count = 0; read_bits(reader, 1, &bit); ++*count) {
        if (bit != 0)
            return true;
    }
    return false;
}

/* Reads the keys of a set; with `keys` NULL only counts. Returns the count, or
 * HERALD_ERROR_INVALID. */
static int64_t read_keys(struct span bytes, uint8_t *key_bits, uint64_t *keys)
{
    struct bit_reader reader = {bytes.data, 0, bytes.length * 8};
    uint64_t log_count, log_probability, quotient, rest, next = 0;
    int64_t count = 0;

    if (!read_bits(&reader, 5, &log_count) || !read_bits(&reader, 5, &log_probability) ||
        log_count + log_probability > CAPACITY_BITS_MAXIMUM)
        return HERALD_ERROR_INVALID;
    *key_bits = (uint8_t)(log_count + log_probability);
    uint64_t end = UINT64_C(1) << *key_bits;
    while (read_unary(&reader, &quotient) && read_bits(&reader, (unsigned)log_probability, &rest)) {
        if (quotient >= end >> log_probability)
            return HERALD_ERROR_INVALID;
        uint64_t distance = (quotient << log_probability) + rest;
        if (distance >= end - next)
            return HERALD_ERROR_INVALID;
        next += distance;
        if (keys != NULL)
            keys[count] = next;
        count++;
        next++;
        if (next == end)
            break;
    }
    return count;
}

/* ---- the field ---- */

struct entry {
    struct span text; /* base64url */
    bool stale, validators, complete, reset;
};

static bool take(struct span *text, uint8_t byte)
{
    if (text->length == 0 || text->data[0] != byte)
        return false;
    *text = span_slice(*text, 1, text->length);
    return true;
}

/* Up to the next ',' or ';', without blanks around. */
static struct span take_word(struct span *text)
{
    size_t length = 0;

    while (length < text->length && text->data[length] != ',' && text->data[length] != ';')
        length++;
    struct span word = span_trim(span_slice(*text, 0, length));
    *text = span_slice(*text, length, text->length);
    return word;
}

static void take_entry(struct span *rest, struct entry *entry)
{
    *entry = (struct entry){.text = take_word(rest)};
    while (take(rest, ';')) {
        struct span flag = take_word(rest);
        entry->stale |= span_equals_ignoring_case(flag, SPAN_LITERAL("stale"));
        entry->validators |= span_equals_ignoring_case(flag, SPAN_LITERAL("validators"));
        entry->complete |= span_equals_ignoring_case(flag, SPAN_LITERAL("complete"));
        entry->reset |= span_equals_ignoring_case(flag, SPAN_LITERAL("reset"));
    }
    take(rest, ',');
}

static int reserve_set(struct cache_digest *digest)
{
    size_t size = CACHE_DIGEST_SETS * sizeof(*digest->sets);

    if (digest->count == CACHE_DIGEST_SETS)
        return HERALD_ERROR_LIMIT;
    if (digest->sets != NULL)
        return 0;
    int error = account_charge(digest->account, size);
    if (error != 0)
        return error;
    digest->sets = malloc(size);
    if (digest->sets == NULL) {
        account_refund(digest->account, size);
        return HERALD_ERROR_NOMEM;
    }
    return 0;
}

static int add_set(struct cache_digest *digest, const struct entry *entry, struct span bytes)
{
    struct cache_digest_set set = {.stale = entry->stale, .validators = entry->validators};
    int64_t count = read_keys(bytes, &set.bits, NULL);

    if (count < 0)
        return (int)count;
    int error = count > CACHE_DIGEST_ENTRIES ? HERALD_ERROR_LIMIT : reserve_set(digest);
    if (error != 0)
        return error;
    size_t size = (size_t)count * sizeof(uint64_t);
    error = account_charge(digest->account, size);
    if (error != 0)
        return error;
    if (count != 0) {
        set.keys = malloc(size);
        if (set.keys == NULL) {
            account_refund(digest->account, size);
            return HERALD_ERROR_NOMEM;
        }
        read_keys(bytes, &set.bits, set.keys);
    }
    set.count = (size_t)count;
    digest->sets[digest->count++] = set;
    return 0;
}

static int add_entry(struct cache_digest *digest, const struct entry *entry)
{
    if (entry->reset)
        drop_sets(digest);
    uint8_t *bytes = malloc(entry->text.length / 4 * 3 + 3);
    if (bytes == NULL)
        return HERALD_ERROR_NOMEM;
    int64_t length = base64_decode(entry->text, true, bytes);
    int error = length < 0 ? (int)length : add_set(digest, entry, span_make(bytes, (size_t)length));
    free(bytes);
    if (error == 0 && entry->complete) {
        digest->complete_fresh |= !entry->stale;
        digest->complete_stale |= entry->stale;
    }
    return error;
}

int cache_digest_load(struct cache_digest *digest, struct span value)
{
    struct entry entry;
    int error = 0;

    while (value.length != 0 && error == 0) {
        take_entry(&value, &entry);
        if (entry.text.length != 0)
            error = add_entry(digest, &entry);
    }
    return error;
}

/* ---- asking ---- */

static bool has_key(const struct cache_digest_set *set, uint64_t key)
{
    size_t low = 0, high = set->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (set->keys[middle] == key)
            return true;
        if (set->keys[middle] < key)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

static bool is_in(const struct cache_digest *digest, bool stale, struct span url, struct span etag)
{
    for (size_t i = 0; i < digest->count; i++) {
        const struct cache_digest_set *set = &digest->sets[i];

        if (set->stale != stale || (set->validators && etag.length == 0))
            continue;
        if (has_key(set, cache_digest_hash(url, set->validators ? etag : SPAN_EMPTY, set->bits)))
            return true;
    }
    return false;
}

enum cache_digest_state cache_digest_query(const struct cache_digest *digest, struct span url,
                                           struct span etag)
{
    if (is_in(digest, false, url, etag))
        return CACHE_DIGEST_FRESH;
    if (is_in(digest, true, url, etag))
        return CACHE_DIGEST_STALE;
    return digest->complete_fresh ? CACHE_DIGEST_NOT_CACHED : CACHE_DIGEST_UNKNOWN;
}
