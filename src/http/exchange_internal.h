/* What the parts of an exchange share: exchange.c (lifetime, bodies), exchange_heads.c (what the
 * handler says), exchange_engine.c (what the engine says). */
#ifndef HTTP_EXCHANGE_INTERNAL_H
#define HTTP_EXCHANGE_INTERNAL_H

#include "base/err.h"
#include "http/conn.h"
#include "http/exchange_engine.h"

/* Allocates with no hold, no connection and empty bodies. */
struct exchange *exchange_create(const struct limits *limits, struct account *account);

/* What it has charged to an account, bodies excepted. */
size_t exchange_charge(const struct exchange *exchange);

void exchange_enter_conn(struct exchange *exchange, struct conn *conn);

/* The connection goes first: takes back what was charged to it. */
void exchange_leave_conn(struct exchange *exchange);

/* Takes the owner's hold. */
void exchange_give_to_owner(struct exchange *exchange);

void exchange_hold(struct exchange *exchange);

/* Tells the engine, when there is one, that something can be sent. */
void exchange_wake(struct exchange *exchange);

/* Appends an item. NULL when memory is out. */
struct exchange_item *exchange_add_item(struct exchange *exchange, enum exchange_item_kind kind);

/* Forgets what has not been written; a promise that was never written ends here. */
void exchange_drop_items(struct exchange *exchange);

/* Takes what the owner has not read, asking for credit, and drops it. */
void exchange_drop_input(struct exchange *exchange);

bool exchange_has_room(const struct exchange *exchange);

#endif
