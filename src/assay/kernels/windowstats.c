/* Mean and central moments of 16×16 windows, every 4 pixels, of magnitudes of complex numbers: nothing is subtracted from sums
 * of powers, so float32 keeps its digits. Moments of four equal groups are merged into those of their union, four times over:
 * four rows, four columns (a block of 4×4), four blocks across, four blocks down. */
#include <math.h>
#include <stddef.h>

#include "kernels.h"

#if defined(__GNUC__)
#define INLINE static inline __attribute__((always_inline))
#else
#define INLINE static inline
#endif

enum { STEP = 4, SIDE = 16, MOMENTS = 4, TILE = 64, COLUMNS = STEP * (TILE + STEP - 1) };

typedef struct {
    _Alignas(64) float m[MOMENTS][COLUMNS]; /* mean, and mean 2nd, 3rd, 4th powers of what differs from it */
} Groups;

/* The moments of four groups at once: group k of union i is number step·i + k of `in`. */
INLINE void merge_across(Groups *restrict out, const Groups *restrict in, int n, const int step) {
    const float *restrict u = in->m[0], *restrict p = in->m[1], *restrict q = in->m[2], *restrict r = in->m[3];
    for (int i = 0; i < n; i++) {
        int a = step * i;
        float mean = 0.25f * (u[a] + u[a + 1] + (u[a + 2] + u[a + 3])), m2 = 0, m3 = 0, m4 = 0;
        for (int k = 0; k < 4; k++) {
            float d = u[a + k] - mean, dd = d * d, v = p[a + k], s = q[a + k];
            m2 += dd + v;
            m3 += d * (dd + 3 * v) + s;
            m4 += dd * (dd + 6 * v) + 4 * d * s + r[a + k];
        }
        out->m[0][i] = mean, out->m[1][i] = 0.25f * m2, out->m[2][i] = 0.25f * m3, out->m[3][i] = 0.25f * m4;
    }
}

/* The same for group i of each of four rows. */
INLINE void merge_down(Groups *restrict out, const Groups *restrict g0, const Groups *restrict g1, const Groups *restrict g2,
                       const Groups *restrict g3, int n) {
    const Groups *g[4] = {g0, g1, g2, g3};
    for (int i = 0; i < n; i++) {
        float mean = 0.25f * (g0->m[0][i] + g1->m[0][i] + (g2->m[0][i] + g3->m[0][i])), m2 = 0, m3 = 0, m4 = 0;
        for (int k = 0; k < 4; k++) {
            float d = g[k]->m[0][i] - mean, dd = d * d, v = g[k]->m[1][i], s = g[k]->m[2][i];
            m2 += dd + v;
            m3 += d * (dd + 3 * v) + s;
            m4 += dd * (dd + 6 * v) + 4 * d * s + g[k]->m[3][i];
        }
        out->m[0][i] = mean, out->m[1][i] = 0.25f * m2, out->m[2][i] = 0.25f * m3, out->m[3][i] = 0.25f * m4;
    }
}

/* Four rows of n complex numbers, real and imaginary parts in turn: the moments of each column's four magnitudes. */
INLINE void columns(Groups *restrict out, const float *restrict from, ptrdiff_t row, int n) {
    for (int i = 0; i < n; i++) {
        float v[STEP], mean = 0, m2 = 0, m3 = 0, m4 = 0;
        for (int k = 0; k < STEP; k++) {
            float a = from[k * row + 2 * i], b = from[k * row + 2 * i + 1];
            v[k] = sqrtf(a * a + b * b);
            mean += v[k];
        }
        mean *= 0.25f;
        for (int k = 0; k < STEP; k++) {
            float d = v[k] - mean, dd = d * d;
            m2 += dd, m3 += d * dd, m4 += dd * dd;
        }
        out->m[0][i] = mean, out->m[1][i] = 0.25f * m2, out->m[2][i] = 0.25f * m3, out->m[3][i] = 0.25f * m4;
    }
}

/* For windows start..stop, what deviation, skew and kurtosis differ by: |d| + 2|s| + |k|. old, new: MOMENTS planes of `count` windows. Windows that vary by no more than `flat` have neither skew nor kurtosis. */
EXPORT WIDE void moment_changes(const float *old, const float *new, ptrdiff_t count, float flat, ptrdiff_t start,
                                ptrdiff_t stop, float *restrict change) {
    const float *restrict a2 = old + count, *restrict a3 = a2 + count, *restrict a4 = a3 + count;
    const float *restrict b2 = new + count, *restrict b3 = b2 + count, *restrict b4 = b3 + count;
    for (ptrdiff_t i = start; i < stop; i++) {
        const float some_a = a2[i] > flat ? a2[i] : 1, some_b = b2[i] > flat ? b2[i] : 1;
        const float there_a = a2[i] > flat ? 1.f : 0.f, there_b = b2[i] > flat ? 1.f : 0.f;
        const float d = sqrtf(a2[i] * (256.f / 255)) - sqrtf(b2[i] * (256.f / 255));
        const float s = there_a * a3[i] / (some_a * sqrtf(some_a)) - there_b * b3[i] / (some_b * sqrtf(some_b));
        const float k = there_a * a4[i] / (some_a * some_a) - there_b * b4[i] / (some_b * some_b);
        change[i] = fabsf(d) + 2 * fabsf(s) + fabsf(k);
    }
}

/* Rows start..stop of windows of all planes. from: planes of height×width complex numbers; to: four planes of windows for
 * each of them: mean, then the mean 2nd, 3rd and 4th powers of the differences from it. */
EXPORT WIDE void window_moments(const float *from, ptrdiff_t width, ptrdiff_t height, ptrdiff_t start, ptrdiff_t stop, float *to) {
    ptrdiff_t h = (height - SIDE) / STEP + 1, w = (width - SIDE) / STEP + 1, blocks = height / STEP;
    Groups lines, each, ring[STEP], all;
    for (ptrdiff_t from_row = start, until; from_row < stop; from_row = until) {
        ptrdiff_t plane = from_row / h;
        until = (plane + 1) * h < stop ? (plane + 1) * h : stop;
        for (ptrdiff_t left = 0; left < w; left += TILE) {
            int n = w - left < TILE ? (int)(w - left) : TILE;
            for (ptrdiff_t row = from_row % h; row < from_row % h + (until - from_row) + STEP - 1 && row < blocks; row++) {
                columns(&lines, from + 2 * ((plane * height + STEP * row) * width + STEP * left), 2 * width, STEP * (n + STEP - 1));
                merge_across(&each, &lines, n + STEP - 1, STEP);
                merge_across(&ring[row % STEP], &each, n, 1);
                ptrdiff_t out = row - (STEP - 1);
                if (out < from_row % h) continue;
                merge_down(&all, &ring[out % STEP], &ring[(out + 1) % STEP], &ring[(out + 2) % STEP], &ring[(out + 3) % STEP], n);
                for (int m = 0; m < MOMENTS; m++)
                    for (int i = 0; i < n; i++) to[((plane * MOMENTS + m) * h + out) * w + left + i] = all.m[m][i];
            }
        }
    }
}
