/* Cache digests (draft-ietf-httpbis-cache-digest-02, Golomb-coded sets): what a client already has,
 * so that it need not be pushed. */
#ifndef HTTP_CACHE_DIGEST_H
#define HTTP_CACHE_DIGEST_H

#include "base/buf.h"

enum cache_digest_state {
    CACHE_DIGEST_UNKNOWN,   /* nothing is known about this URL */
    CACHE_DIGEST_FRESH,     /* in the cache and fresh */
    CACHE_DIGEST_STALE,     /* in the cache, to be revalidated */
    CACHE_DIGEST_NOT_CACHED /* the digest is complete and does not have it */
};

struct cache_digest_set;

/* Sets, up to CACHE_DIGEST_SETS of them; all bytes are charged to `account`. */
struct cache_digest {
    struct cache_digest_set *sets;
    size_t count;
    struct account *account;
    bool complete_fresh, complete_stale;
};

#define CACHE_DIGEST_SETS    8
#define CACHE_DIGEST_ENTRIES 4096 /* in one set */

void cache_digest_init(struct cache_digest *digest, struct account *account);
void cache_digest_free(struct cache_digest *digest);

/* Adds what a Cache-Digest field value says: base64url sets with the flags stale, validators,
 * complete and reset. Returns 0; HERALD_ERROR_INVALID (what came before the fault stays);
 * HERALD_ERROR_LIMIT past CACHE_DIGEST_SETS or CACHE_DIGEST_ENTRIES; HERALD_ERROR_NOMEM. */
int cache_digest_load(struct cache_digest *digest, struct span value);

/* What the digest says about `url` (absolute). `etag` may be empty; without it only sets made of
 * URLs alone are asked. */
enum cache_digest_state cache_digest_query(const struct cache_digest *digest, struct span url,
                                           struct span etag);

/* The first `bits` (1 to 64) of SHA-256 over the URL, which the caller has escaped as it goes over
 * the wire, and, when not empty, the ETag: the draft's key. */
uint64_t cache_digest_hash(struct span url, struct span etag, unsigned bits);

/* Appends the base64url form of the set of `count` URLs with a false-positive rate of 1/probability
 * (a power of two). Returns 0, HERALD_ERROR_INVALID, or as buf_append. */
int cache_digest_encode(struct buf *out, const struct span *urls, size_t count,
                        uint32_t probability);

#endif
