/* A tally of live bytes with a maximum: one a connection, charged by every buffer that a peer can
 * make grow. */
#ifndef BASE_ACCOUNT_H
#define BASE_ACCOUNT_H

#include "base/err.h"
#include <stddef.h>

struct account {
    size_t live;
    size_t peak;
    size_t maximum; /* 0: no maximum */
};

/* Adds `amount` to the tally. Returns 0, or HERALD_ERROR_LIMIT with the tally unchanged. `account`
 * may be NULL. */
static inline int account_charge(struct account *account, size_t amount)
{
    if (account == NULL)
        return 0;
    if (account->maximum != 0 &&
        (account->live > account->maximum || amount > account->maximum - account->live))
        return HERALD_ERROR_LIMIT;
    account->live += amount;
    if (account->live > account->peak)
        account->peak = account->live;
    return 0;
}

static inline void account_refund(struct account *account, size_t amount)
{
    if (account != NULL)
        account->live -= amount;
}

#endif
