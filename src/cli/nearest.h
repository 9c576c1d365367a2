/* Which known word a misspelt one was meant to be. */
#ifndef CLI_NEAREST_H
#define CLI_NEAREST_H

#include <stddef.h>

#define NEAREST_WORD_MAXIMUM 64

/* Damerau-Levenshtein distance (optimal string alignment): insertions, deletions, substitutions
 * and swaps of neighbours, `_` and `-` taken as equal, ASCII case ignored. Words longer than
 * NEAREST_WORD_MAXIMUM give their length. */
size_t nearest_distance(const char *left, const char *right);

struct nearest {
    const char *wanted;
    const char *word; /* the best so far; NULL: none */
    size_t distance;
};

/* Considers `candidate`; keeps it when it is nearer than what was seen, and near enough to be a
 * slip: a third of the wanted word's length, at least 1 and at most 3. */
void nearest_consider(struct nearest *nearest, const char *candidate);

#endif
