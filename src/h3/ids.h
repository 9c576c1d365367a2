/* Which connection a connection ID belongs to: a hash table with a secret key, since the first ID
 * of a connection is the peer's choice. */
#ifndef H3_IDS_H
#define H3_IDS_H

#include "base/list.h"
#include "base/span.h"

#define H3_ID_MAXIMUM 20

struct h3_id {
    struct h3_id *next;   /* in its bucket */
    struct list of_owner; /* the owner's list of its IDs */
    void *owner;
    uint8_t length;
    uint8_t bytes[H3_ID_MAXIMUM];
};

struct h3_ids {
    struct h3_id **buckets;
    size_t capacity; /* a power of two, or 0 */
    size_t count;
    uint64_t key[2];
};

void h3_ids_init(struct h3_ids *ids, const uint64_t key[2]);

/* Every ID has been removed before. */
void h3_ids_free(struct h3_ids *ids);

/* The owner, or NULL. */
void *h3_ids_find(const struct h3_ids *ids, struct span id);

/* Appends to `of_owner`. Returns 0, HERALD_ERROR_NOMEM, HERALD_ERROR_INVALID for more than 20
 * bytes, or HERALD_ERROR_STATE when the ID is taken. */
int h3_ids_add(struct h3_ids *ids, struct span id, void *owner, struct list *of_owner);

/* Unknown IDs are ignored. */
void h3_ids_remove(struct h3_ids *ids, struct span id);
void h3_ids_remove_all(struct h3_ids *ids, struct list *of_owner);

#endif
