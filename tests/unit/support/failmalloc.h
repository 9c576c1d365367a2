/* Allocation failure on demand, for code linked into a test program (not for shared libraries:
 * cmocka, GnuTLS and the C library itself allocate as always; strdup and friends count as theirs).
 *
 * A scenario is a function that may fail with HERALD_ERROR_NOMEM but must leak nothing and stay
 * consistent. The usual loop: for each N from 1 on, arm, run, disarm, check failmalloc_live() == 0;
 * stop when failmalloc_fired() is false.
 */
#ifndef SUPPORT_FAILMALLOC_H
#define SUPPORT_FAILMALLOC_H

#include <stdbool.h>
#include <stddef.h>

enum failmalloc_mode {
    FAILMALLOC_OFF,
    FAILMALLOC_ONCE, /* only the Nth allocation fails */
    FAILMALLOC_FROM, /* the Nth and every later one fail */
};

/* Counts allocations from 1 again. `nth` is not 0 unless the mode is FAILMALLOC_OFF. */
void failmalloc_arm(enum failmalloc_mode mode, size_t nth);

/* Back to FAILMALLOC_OFF; failmalloc_fired() and failmalloc_calls() keep their values until the
 * next arm. */
void failmalloc_disarm(void);

/* Whether an allocation was refused since the last arm. */
bool failmalloc_fired(void);

/* Allocation calls (malloc, calloc, growing or first realloc) since the last arm. */
size_t failmalloc_calls(void);

/* Allocations made by wrapped calls and not freed by wrapped calls, and their bytes as requested.
 */
size_t failmalloc_live(void);
size_t failmalloc_live_bytes(void);

/* Runs `scenario` with the Nth allocation failing, for N = 1, 2, ... until a run has no failure;
 * first in ONCE mode, then in FROM mode. After each run the live count must be what it was before.
 * Returns the number of runs, or 0 with the failing run printed to standard error when a run leaked
 * or `scenario` returned false, or when N exceeds `most`.
 */
size_t failmalloc_each(bool (*scenario)(void *user), void *user, size_t most);

#endif
