#include "cli/nearest.h"

#include <string.h>

static char fold(char letter)
{
    if (letter >= 'A' && letter <= 'Z')
        return (char)(letter - 'A' + 'a');
    return letter == '_' ? '-' : letter;
}

static size_t smaller(size_t left, size_t right)
{
    return left < right ? left : right;
}

size_t nearest_distance(const char *left, const char *right)
{
    size_t left_length = strlen(left), right_length = strlen(right);
    if (left_length > NEAREST_WORD_MAXIMUM || right_length > NEAREST_WORD_MAXIMUM)
        return left_length > right_length ? left_length : right_length;

    /* Three rows of the usual matrix: a swap looks two rows back. */
    size_t rows[3][NEAREST_WORD_MAXIMUM + 1];
    for (size_t column = 0; column <= right_length; column++)
        rows[0][column] = column;
    for (size_t row = 1; row <= left_length; row++) {
        size_t *present = rows[row % 3];
        const size_t *above = rows[(row - 1) % 3];
        present[0] = row;
        for (size_t column = 1; column <= right_length; column++) {
            char a = fold(left[row - 1]), b = fold(right[column - 1]);
            size_t best = above[column - 1] + (a != b);
            best = smaller(best, above[column] + 1);
            best = smaller(best, present[column - 1] + 1);
            if (row > 1 && column > 1 && a == fold(right[column - 2]) && b == fold(left[row - 2]))
                best = smaller(best, rows[(row - 2) % 3][column - 2] + 1);
            present[column] = best;
        }
    }
    return rows[left_length % 3][right_length];
}

void nearest_consider(struct nearest *nearest, const char *candidate)
{
    size_t allowed = strlen(nearest->wanted) / 3;
    allowed = allowed < 1 ? 1 : smaller(allowed, 3);
    size_t distance = nearest_distance(nearest->wanted, candidate);
    if (distance > allowed || (nearest->word != NULL && distance >= nearest->distance))
        return;
    nearest->word = candidate;
    nearest->distance = distance;
}
