#include "base/err.h"
#include "http/cache_digest.h"
#include "http/sha256.h"
#include "support/check.h"
#include "support/failmalloc.h"
#include <jansson.h>
#include <stdio.h>

static struct account account;
static struct cache_digest digest;

static int prepare(void **state)
{
    (void)state;
    account = (struct account){0};
    cache_digest_init(&digest, &account);
    return 0;
}

static int clean(void **state)
{
    (void)state;
    cache_digest_free(&digest);
    assert_int_equal(account.live, 0);
    return 0;
}

static int load(const char *text)
{
    return cache_digest_load(&digest, span_from_text(text));
}

static enum cache_digest_state query(const char *url)
{
    return cache_digest_query(&digest, span_from_text(url), SPAN_EMPTY);
}

static void assert_hash(const char *first, const char *second, const char *expected)
{
    uint8_t bytes[SHA256_LENGTH];
    char text[2 * SHA256_LENGTH + 1];

    sha256(span_from_text(first), span_from_text(second), bytes);
    for (size_t i = 0; i < SHA256_LENGTH; i++)
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    assert_string_equal(text, expected);
}

static void sha256_of_the_standard(void **state)
{
    (void)state;
    assert_hash("", "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_hash("a", "bc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_hash("abcdbcdecdefdefgefghfghighijhijk", "ijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

/* The vectors of another implementation, where they are at hand. */
static json_t *vectors(void)
{
    char path[4096];
    const char *root = getenv("HERALD_CORPORA");
    const char *source = getenv("HERALD_SOURCE_ROOT");

    if (root != NULL)
        snprintf(path, sizeof(path), "%s/cache-digest/h2o-unit.json", root);
    else
        snprintf(path, sizeof(path), "%s/../shared/corpora/cache-digest/h2o-unit.json",
                 source == NULL ? "." : source);
    json_t *result = json_load_file(path, 0, NULL);
    if (result == NULL)
        print_message("skipped: no cache-digest vectors at %s (set HERALD_CORPORA)\n", path);
    return result;
}

static const char *text_of(json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

static void others_vectors(void **state)
{
    static const char *const names[] = {
        [CACHE_DIGEST_UNKNOWN] = "unknown",
        [CACHE_DIGEST_FRESH] = "fresh",
        [CACHE_DIGEST_STALE] = "stale",
        [CACHE_DIGEST_NOT_CACHED] = "not-cached",
    };
    json_t *all = vectors(), *item, *lookup;
    size_t i, j;
    (void)state;

    if (all == NULL)
        skip();
    json_array_foreach(json_object_get(all, "calc_hash"), i, item)
    {
        char text[17];
        snprintf(text, sizeof(text), "%016llx",
                 (unsigned long long)cache_digest_hash(span_from_text(text_of(item, "url")),
                                                       span_from_text(text_of(item, "etag")), 64));
        assert_string_equal(text, text_of(item, "hash64"));
    }
    json_array_foreach(json_object_get(all, "header_sequence"), i, item)
    {
        assert_int_equal(load(text_of(item, "load")), 0);
        assert_int_equal(digest.complete_fresh, json_is_true(json_object_get(
                                                    json_object_get(item, "expect"), "complete")));
        json_array_foreach(json_object_get(item, "lookup"), j, lookup)
            assert_string_equal(names[query(text_of(lookup, "url"))], text_of(lookup, "state"));
    }
    json_decref(all);
}

static void the_drafts_example(void **state)
{
    struct span url = SPAN_LITERAL("https://example.com/style.css");
    struct buf out;
    (void)state;

    buf_init(&out, 100, NULL);
    assert_int_equal(cache_digest_encode(&out, &url, 1, 128), 0);
    assert_true(span_equals(buf_span(&out), SPAN_LITERAL("AfdA")));
    buf_free(&out);
    assert_int_equal(load("AfdA; complete"), 0);
    assert_int_equal(query("https://example.com/style.css"), CACHE_DIGEST_FRESH);
    assert_int_equal(query("https://example.com/other.css"), CACHE_DIGEST_NOT_CACHED);
}

static void what_is_written_is_read(void **state)
{
    static const size_t counts[] = {1, 2, 3, 5, 6, 100, 1000, CACHE_DIGEST_ENTRIES};
    static char text[CACHE_DIGEST_ENTRIES][40];
    static struct span urls[CACHE_DIGEST_ENTRIES];
    (void)state;

    for (size_t i = 0; i < CACHE_DIGEST_ENTRIES; i++) {
        snprintf(text[i], sizeof(text[i]), "https://a.test/%zu.css", i);
        urls[i] = span_from_text(text[i]);
    }
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        for (uint32_t probability = 1; probability <= 1 << 20; probability *= 32) {
            struct buf out;
            size_t wrong = 0;

            buf_init(&out, 1 << 20, NULL);
            assert_int_equal(cache_digest_encode(&out, urls, counts[i], probability), 0);
            assert_int_equal(buf_append_text(&out, "; reset"), 0);
            assert_int_equal(cache_digest_load(&digest, buf_span(&out)), 0);
            for (size_t j = 0; j < counts[i]; j++)
                assert_int_equal(query(text[j]), CACHE_DIGEST_FRESH);
            for (size_t j = counts[i]; j < counts[i] + 200 && j < CACHE_DIGEST_ENTRIES; j++)
                wrong += query(text[j]) != CACHE_DIGEST_UNKNOWN;
            if (probability >= 1024)
                assert_true(wrong < 5);
            buf_free(&out);
        }
    }
    struct buf out;
    buf_init(&out, 1 << 20, NULL);
    assert_int_equal(cache_digest_encode(&out, urls, 1, 100), HERALD_ERROR_INVALID);
    assert_int_equal(cache_digest_encode(&out, urls, 0, 128), HERALD_ERROR_INVALID);
    buf_init(&out, 4, NULL);
    assert_int_equal(cache_digest_encode(&out, urls, 100, 128), HERALD_ERROR_LIMIT);
    buf_free(&out);
}

static void limits_and_faults(void **state)
{
    (void)state;
    assert_int_equal(load("A"), HERALD_ERROR_INVALID);
    assert_int_equal(load("A!==; stale"), HERALD_ERROR_INVALID);
    assert_int_equal(load("__8"), 0); /* a key cut short counts as padding */
    cache_digest_free(&digest);
    assert_int_equal(load("AACA"), HERALD_ERROR_INVALID); /* a key beyond its one-value range */
    for (int i = 0; i < CACHE_DIGEST_SETS; i++)
        assert_int_equal(load("AfdA;stale"), 0);
    assert_int_equal(load("AfdA"), HERALD_ERROR_LIMIT);
    assert_int_equal(query("https://example.com/style.css"), CACHE_DIGEST_STALE);
    assert_int_equal(load("AfdA;reset"), 0);
    assert_int_equal(query("https://example.com/style.css"), CACHE_DIGEST_FRESH);
    account.maximum = account.live;
    assert_int_equal(load("AfdA"), HERALD_ERROR_LIMIT);
}

static bool without_memory(void *user)
{
    prepare(user);
    int error = load("AfdA;stale, AeLA;validators;complete");
    cache_digest_free(&digest);
    return account.live == 0 && (error == 0 || failmalloc_fired());
}

static void memory_may_run_out(void **state)
{
    assert_int_not_equal(failmalloc_each(without_memory, state, 50), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, prepare, clean)
    const struct CMUnitTest tests[] = {
        TEST(sha256_of_the_standard),  TEST(others_vectors),    TEST(the_drafts_example),
        TEST(what_is_written_is_read), TEST(limits_and_faults), TEST(memory_may_run_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
