/* When a response's wishes become a PUSH_PROMISE, when an early hint (103), and when nothing.
 *
 * Handlers call push_policy_response before exchange_respond, push_policy_push where an application
 * asks for a push by itself. Rules: same origin only; `nopush` (Preload, section 3.3) leaves the
 * hint but not the push; nothing is pushed twice on a connection (the diary); what is pushed or
 * hinted has no answer of its own here: the promised request is dispatched like any other. */
#ifndef SERVER_PUSH_POLICY_H
#define SERVER_PUSH_POLICY_H

#include "http/exchange.h"
#include "server/config.h"

/* Resources remembered a connection; the oldest are forgotten (and may be pushed again). */
#define PUSH_DIARY_MAXIMUM 256

/* Preload links of one response that are looked at. */
#define PUSH_LINKS_MAXIMUM 16

/* Paths whose hints are remembered for the next visitor, and bytes of one path's Link values. */
#define PUSH_MEMORY_MAXIMUM    512
#define PUSH_MEMORY_LINK_BYTES 2048

struct push_diary {
    uint64_t seen[PUSH_DIARY_MAXIMUM]; /* hashes of authority and path */
    unsigned count, next;
};

struct push_memory; /* hints by path, a server */

struct push_policy {
    enum push_mode mode;
    bool fallback;
    struct push_diary *diary;   /* of the connection; made at first use */
    struct push_memory *memory; /* NULL: nothing is remembered */
};

enum push_outcome { PUSH_SKIPPED = 0, PUSH_PUSHED = 1, PUSH_HINTED = 2 };

/* True the first time a resource is named; notes it. */
bool push_diary_note(struct push_diary *diary, struct span authority, struct span path);

/* Turns the preload links among `fields` into pushes or one early hint, as configured. Call it
 * before exchange_respond; harmless where it does not apply. Returns how many links were acted on,
 * or a negative code (NOMEM, CLOSED) that the caller may ignore. */
int push_policy_response(struct exchange *exchange, const struct field *fields, size_t count);

/* An application's own push: a GET of `path` (origin form) with `fields`. Where the client takes no
 * pushes it becomes `Link: <path>; rel=preload` in a 103 if `push_fallback` says so. Returns enum
 * push_outcome, or HERALD_ERROR_INVALID for a path that cannot be promised, HERALD_ERROR_STATE
 * after the response, NOMEM, CLOSED. */
int push_policy_push(struct exchange *exchange, struct span path, const struct field *fields,
                     size_t count);

/* At dispatch: sends the hints remembered for this request's path, if any. */
void push_policy_request(struct exchange *exchange);

/* NULL when memory is out. */
struct push_memory *push_memory_create(void);
void push_memory_destroy(struct push_memory *memory);

#endif
