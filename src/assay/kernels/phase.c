/* What phase congruency does between the Fourier transforms. The definition is ops/phase.py. Complex numbers are pairs of floats. */
#include <math.h>
#include <string.h>

#include "kernels.h"

enum { SCALES = 4, BINS = 4096, CHUNK = 256 };

/* The value of rank `rank` (from 0) of n numbers that are not negative, by its leading bits first: their bits have the same order.
 * What lies in the bin of a round is moved to the front, and counted in the next. */
static float ranked(uint32_t *bits, ptrdiff_t n, ptrdiff_t rank) {
    static const int shifts[3] = {20, 8, 0};
    uint32_t found = 0;
    for (int round = 0; round < 3; round++) {
        uint32_t count[BINS] = {0}, bin = 0;
        const uint32_t mask = round == 2 ? 0xff : BINS - 1;
        for (ptrdiff_t i = 0; i < n; i++) count[bits[i] >> shifts[round] & mask]++;
        while (rank >= (ptrdiff_t)count[bin]) rank -= count[bin++];
        found |= bin << shifts[round];
        ptrdiff_t left = 0;
        for (ptrdiff_t i = 0; i < n; i++) {
            const uint32_t b = bits[i];
            bits[left] = b;
            left += (b >> shifts[round] & mask) == bin;
        }
        n = left;
    }
    float value;
    memcpy(&value, &found, sizeof value);
    return value;
}

static WIDE void powers(const float *restrict wave, ptrdiff_t n, float *restrict to) {
    for (ptrdiff_t i = 0; i < n; i++) to[i] = wave[2 * i] * wave[2 * i] + wave[2 * i + 1] * wave[2 * i + 1];
}

/* How many are not above `value`, and the least of the others. */
static WIDE ptrdiff_t up_to(const float *restrict given, ptrdiff_t n, float value, float *next) {
    ptrdiff_t count = 0;
    float least = INFINITY;
    for (ptrdiff_t i = 0; i < n; i++) {
        const int above = given[i] > value;
        count += !above;
        least = above && given[i] < least ? given[i] : least;
    }
    *next = least;
    return count;
}

/* The median of the squared moduli of n complex numbers: the mean of the two in the middle. memory: 2n floats. */
EXPORT double phase_median(const float *wave, ptrdiff_t n, float *memory) {
    powers(wave, n, memory);
    memcpy(memory + n, memory, (size_t)n * sizeof *memory);
    const float lower = ranked((uint32_t *)(memory + n), n, (n - 1) / 2);
    float upper = lower;
    if (n % 2 == 0 && up_to(memory, n, lower, &upper) > n / 2) upper = lower;
    return ((double)lower + upper) / 2;
}

/* For places start..stop, with the waves of the four scales of one orientation: add the energy beyond the threshold, and the
 * sum of the amplitudes. The energy of a wave is its part along the sum of all, less its part across. */
EXPORT WIDE void phase_energy(const float *w0, const float *w1, const float *w2, const float *w3, float *restrict energies,
                              float *restrict amplitudes, float threshold, float epsilon, ptrdiff_t start, ptrdiff_t stop) {
    const float *const waves[SCALES] = {w0, w1, w2, w3};
    for (ptrdiff_t from = start; from < stop; from += CHUNK) {
        const int n = stop - from < CHUNK ? (int)(stop - from) : CHUNK;
        _Alignas(64) float e[SCALES][CHUNK], o[SCALES][CHUNK];
        for (int s = 0; s < SCALES; s++) {
            const float *restrict w = waves[s] + 2 * from;
            for (int i = 0; i < n; i++) e[s][i] = w[2 * i], o[s][i] = w[2 * i + 1];
        }
        for (int i = 0; i < n; i++) {
            const float se = e[0][i] + e[1][i] + e[2][i] + e[3][i], so = o[0][i] + o[1][i] + o[2][i] + o[3][i];
            float across = 0, amplitude = 0;
            for (int s = 0; s < SCALES; s++) {
                across += fabsf(e[s][i] * so - o[s][i] * se);
                amplitude += sqrtf(e[s][i] * e[s][i] + o[s][i] * o[s][i]);
            }
            const float along = se * se + so * so, energy = (along - across) / (sqrtf(along) + epsilon) - threshold;
            energies[from + i] += energy > 0 ? energy : 0;
            amplitudes[from + i] += amplitude;
        }
    }
}
