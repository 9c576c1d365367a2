/* Responses that servers pushed and nobody has asked for yet, by URL: a request for one of them
 * takes it instead of going out. */
#ifndef CLIENT_PUSH_STORE_H
#define CLIENT_PUSH_STORE_H

#include "base/list.h"
#include "client/client.h"

#define PUSH_STORE_MAXIMUM 256

struct push_store {
    struct list entries;
    size_t count;
};

void push_store_init(struct push_store *store);

/* Forgets the entries; their owners are the caller's business. */
void push_store_free(struct push_store *store);

/* `owner` is what the caller gets back (its object for the pushed response). The key is scheme,
 * authority and path of `request`, of method GET. Returns 0; HERALD_ERROR_STATE when there is an
 * entry for that URL; HERALD_ERROR_LIMIT; HERALD_ERROR_INVALID for another method;
 * HERALD_ERROR_NOMEM. */
int push_store_add(struct push_store *store, const struct message *request, void *owner);

/* Removes the entry for `request` and returns its owner, or NULL. */
void *push_store_take(struct push_store *store, const struct message *request);

/* Removes the entry of an owner, if there is one. */
void push_store_forget(struct push_store *store, const void *owner);

#endif
