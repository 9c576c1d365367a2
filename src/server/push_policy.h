/* When a response's wishes become a PUSH_PROMISE, when an early hint (103), and when nothing.
 *
 * Handlers call push_policy_response before exchange_respond, and push_policy_push where an
 * application asks for a push by itself. A promised request is dispatched like any other.
 *
 * Pushed is what is of the same origin, was not pushed before on this connection and was not asked
 * for by the client since the first push (the diary); `nopush` (Preload) leaves the hint but not
 * the push. Hinted is what could not be pushed, once a response; HTTP/1.1 clients get hints only
 * when they are browsers (Sec-Fetch-Mode), because simple ones take any 1xx for the answer. */
#ifndef SERVER_PUSH_POLICY_H
#define SERVER_PUSH_POLICY_H

#include "http/exchange.h"
#include "server/config.h"

/* Resources remembered a connection; the oldest are forgotten (and may be pushed again). */
#define PUSH_DIARY_MAXIMUM 256

/* Links of one response that are looked at. */
#define PUSH_LINKS_MAXIMUM 16

struct push_diary {
    uint64_t seen[PUSH_DIARY_MAXIMUM]; /* hashes of authority and path */
    unsigned count, next;
};

/* True when the resource was noted before. */
bool push_diary_has(const struct push_diary *diary, struct span authority, struct span path);
void push_diary_note(struct push_diary *diary, struct span authority, struct span path);

enum push_outcome { PUSH_SKIPPED = 0, PUSH_PUSHED = 1, PUSH_HINTED = 2 };

/* Turns the preload links among the fields of a final response into pushes or one early hint, as
 * configured, and remembers them for the next visitor of the path (`push_learn`; not from responses
 * that are private, set a cookie or answer an authorised request). Harmless where it does not
 * apply. Returns how many links were acted on, or a negative code (NOMEM, CLOSED) that the caller
 * may ignore. */
int push_policy_response(struct exchange *exchange, unsigned status, const struct field *fields,
                         size_t count);

/* An application's own push: a GET of `path` (origin form) with `fields`. Where the client takes no
 * pushes it becomes `Link: <path>; rel=preload` in a 103 if `push_fallback` says so. Returns enum
 * push_outcome, or HERALD_ERROR_INVALID for a path that cannot be promised, HERALD_ERROR_STATE
 * after the response, NOMEM, CLOSED. */
int push_policy_push(struct exchange *exchange, struct span path, const struct field *fields,
                     size_t count);

/* At dispatch: pushes or hints what is remembered for this request's path, if anything. */
void push_policy_request(struct exchange *exchange);

#endif
