/* What phase congruency does between the Fourier transforms. The definition is ops/phase.py. Complex numbers are pairs of floats. */
#include <math.h>
#include <string.h>

#include "kernels.h"

enum { SCALES = 4, BINS = 4096, CHUNK = 256 };

/* out = spectrum · radial · angular. */
EXPORT WIDE void phase_filter(const float *restrict spectrum, const float *restrict radial, const float *restrict angular, ptrdiff_t n,
                              float *restrict out) {
    for (ptrdiff_t i = 0; i < n; i++) {
        const float f = radial[i] * angular[i];
        out[2 * i] = f * spectrum[2 * i];
        out[2 * i + 1] = f * spectrum[2 * i + 1];
    }
}

static inline uint32_t power(const float *wave, ptrdiff_t i) {
    const float p = wave[2 * i] * wave[2 * i] + wave[2 * i + 1] * wave[2 * i + 1];
    uint32_t bits;
    memcpy(&bits, &p, sizeof bits); /* of numbers that are not negative, the bits have the same order */
    return bits;
}

/* The value of rank `rank` (from 0), by its leading bits first: three rounds of counting, each within the bin of the last. */
static double ranked(const float *wave, ptrdiff_t n, ptrdiff_t rank) {
    static const int shifts[3] = {20, 8, 0};
    static const uint32_t masks[3] = {0xfff, 0xfff, 0xff};
    uint32_t found = 0;
    for (int round = 0; round < 3; round++) {
        uint32_t count[BINS] = {0};
        const uint32_t known = round ? ~(uint32_t)0 << shifts[round - 1] : 0;
        for (ptrdiff_t i = 0; i < n; i++) {
            const uint32_t bits = power(wave, i);
            if ((bits & known) == found) count[bits >> shifts[round] & masks[round]]++;
        }
        uint32_t bin = 0;
        while (rank >= (ptrdiff_t)count[bin]) rank -= count[bin++];
        found |= bin << shifts[round];
    }
    float value;
    memcpy(&value, &found, sizeof value);
    return value;
}

/* The median of the squared moduli of n complex numbers: the mean of the two in the middle. */
EXPORT double phase_median(const float *wave, ptrdiff_t n) {
    const double upper = ranked(wave, n, n / 2);
    return n % 2 ? upper : (upper + ranked(wave, n, n / 2 - 1)) / 2;
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
