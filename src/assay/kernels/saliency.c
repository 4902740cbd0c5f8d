/* Weighted sums of rows and of columns (resizing by a table) and sRGB to Lab. The definitions are ops/imresize.py and ops/saliency.py. */
#include <math.h>
#include <string.h>

#include "kernels.h"

#if defined(__GNUC__)
#define INLINE static inline __attribute__((always_inline)) /* so that it is compiled once for each machine of WIDE */
#else
#define INLINE static inline
#endif

enum { CHUNK = 1024, PIECE = 128, LANES = 32, TAPS = 32 };

/* Result rows start..stop of all planes together: Σ weights[i][k] · row places[i][k] of the plane. */
#define WEIGHTED_ROWS(NAME, PIXEL)                                                                                          \
    EXPORT WIDE void NAME(const PIXEL *x, ptrdiff_t height, ptrdiff_t width, const int64_t *places, const float *weights,   \
                          ptrdiff_t taps, ptrdiff_t rows, ptrdiff_t start, ptrdiff_t stop, float *out) {                    \
        _Alignas(64) float sum[CHUNK];                                                                                      \
        for (ptrdiff_t r = start; r < stop; r++) {                                                                          \
            const PIXEL *plane = x + r / rows * height * width;                                                             \
            const int64_t *at = places + r % rows * taps;                                                                   \
            const float *by = weights + r % rows * taps;                                                                    \
            for (ptrdiff_t left = 0; left < width; left += CHUNK) {                                                         \
                const int n = width - left < CHUNK ? (int)(width - left) : CHUNK;                                           \
                memset(sum, 0, sizeof sum);                                                                                 \
                for (ptrdiff_t k = 0; k < taps; k += 4) { /* by fours, so that the sums are loaded and stored less often */ \
                    const PIXEL *p[4];                                                                                      \
                    float w[4];                                                                                             \
                    for (int j = 0; j < 4; j++) {                                                                           \
                        w[j] = k + j < taps ? by[k + j] : 0;                                                                \
                        p[j] = plane + (k + j < taps ? at[k + j] : at[k]) * width + left;                                   \
                    }                                                                                                       \
                    for (int i = 0; i < n; i++)                                                                             \
                        sum[i] += (w[0] * p[0][i] + w[1] * p[1][i]) + (w[2] * p[2][i] + w[3] * p[3][i]);                    \
                }                                                                                                           \
                memcpy(out + r * width + left, sum, sizeof(float) * (size_t)n);                                             \
            }                                                                                                               \
        }                                                                                                                   \
    }

WEIGHTED_ROWS(weighted_rows_u8, uint8_t)
WEIGHTED_ROWS(weighted_rows_f32, float)

/* Rows start..stop of width pixels to rows of `out` results: Σ weights[k][j] · pixel places[k][j], tables tap by tap. */
EXPORT WIDE void weighted_columns(const float *x, ptrdiff_t width, const int32_t *places, const float *weights, ptrdiff_t taps,
                                  ptrdiff_t columns, ptrdiff_t start, ptrdiff_t stop, float *out) {
    for (ptrdiff_t left = 0; left < columns; left += PIECE) {
        const int n = columns - left < PIECE ? (int)(columns - left) : PIECE, middle = n / 2;
        int from[TAPS], until[TAPS], step[TAPS]; /* where a tap takes every pixel, or every second: plain loads instead of a gather */
        for (ptrdiff_t k = 0; k < taps && k < TAPS; k++) {
            const int32_t *at = places + k * columns + left;
            step[k] = middle > 0 ? at[middle] - at[middle - 1] : 0;
            from[k] = until[k] = middle;
            if (step[k] != 1 && step[k] != 2) continue;
            while (from[k] > 0 && at[from[k] - 1] == at[from[k]] - step[k]) from[k]--;
            for (until[k]++; until[k] < n && at[until[k]] == at[until[k] - 1] + step[k];) until[k]++;
        }
        for (ptrdiff_t r = start; r < stop; r++) {
            const float *restrict row = x + r * width;
            float sum[PIECE] = {0};
            for (ptrdiff_t k = 0; k < taps; k++) {
                const int32_t *restrict at = places + k * columns + left;
                const float *restrict by = weights + k * columns + left;
                const int a = k < TAPS ? from[k] : n, b = k < TAPS ? until[k] : n;
                for (int i = 0; i < a; i++) sum[i] += by[i] * row[at[i]];
                if (a < b && step[k] == 1)
                    for (int i = a; i < b; i++) sum[i] += by[i] * row[at[a] + (i - a)];
                else
                    for (int i = a; i < b; i++) sum[i] += by[i] * row[at[a] + 2 * (i - a)];
                for (int i = b; i < n; i++) sum[i] += by[i] * row[at[i]];
            }
            memcpy(out + r * columns + left, sum, sizeof *sum * (size_t)n);
        }
    }
}

/* The n-th root of a > 0: a first guess by dividing the exponent's bits, 6 % off, then Halley; the error cubes at each of 2 steps. */
INLINE float nth_root(float a, int n) {
    union {
        float value;
        int32_t bits;
    } u = {a};
    u.bits = 0x3f800000 / n * (n - 1) + u.bits / n;
    float y = u.value;
    for (int i = 0; i < 2; i++) {
        const float p = n == 3 ? y * y * y : (y * y) * (y * y) * y;
        y *= ((float)(n - 1) * p + (float)(n + 1) * a) / ((float)(n + 1) * p + (float)(n - 1) * a);
    }
    return y;
}

INLINE float linear(float v) { /* IEC 61966-2-1; t^2.4 = t²·(t²)^(1/5) */
    const float t = (v + 0.055f) * (1 / 1.055f), s = t * t;
    return v <= 0.04045f ? v * (1 / 12.92f) : s * nth_root(s, 5);
}

INLINE float lightness(float t) {
    const float c = nth_root(t > 0.008856f ? t : 1, 3);
    return t > 0.008856f ? c : (903.3f * t + 16) / 116;
}

/* n pixels of planes R, G, B in [0, 1] to L, a, b. m: nine weights to X, Y, Z, divided by the white point. */
EXPORT WIDE void srgb_to_lab(const float *restrict r, const float *restrict g, const float *restrict b, const float *m, ptrdiff_t n,
                             float *restrict l, float *restrict a, float *restrict c) {
    for (ptrdiff_t i = 0; i < n; i++) {
        const float u = linear(r[i]), v = linear(g[i]), w = linear(b[i]);
        const float fx = lightness(m[0] * u + m[1] * v + m[2] * w), fy = lightness(m[3] * u + m[4] * v + m[5] * w);
        const float fz = lightness(m[6] * u + m[7] * v + m[8] * w);
        l[i] = 116 * fy - 16;
        a[i] = 500 * (fx - fy);
        c[i] = 200 * (fy - fz);
    }
}

/* 1 - e^-t for t ≥ 0: 2^i by the exponent's bits, 2^f on [-1/2, 1/2] by its Taylor series; from 80 on it is 1 in float. */
INLINE float one_less_exp(float t) {
    const float v = -1.44269504f * (t < 80 ? t : 80), whole = nearbyintf(v), f = 0.69314718f * (v - whole);
    const float less = f * (1 + f * (0.5f + f * (1.f / 6 + f * (1.f / 24 + f * (1.f / 120 + f * (1.f / 720)))))); /* e^f - 1 */
    union {
        int32_t bits;
        float value;
    } power = {((int32_t)whole + 127) * (1 << 23)};
    return (1 - power.value) - power.value * less;
}

/* SDSP of n places: how far L, a, b stand out of their surroundings (three planes `band`), near the centre, times warmth:
 * a and b (`colours`: two planes), spread to 0..1. */
EXPORT WIDE void sdsp_join(const float *restrict band, const float *restrict colours, const float *restrict centre, float sigma,
                           ptrdiff_t n, float *restrict out) {
    float low[2], by[2];
    for (int c = 0; c < 2; c++) {
        const float *restrict p = colours + c * n;
        float least = p[0], most = p[0], lows[LANES], highs[LANES];
        for (int j = 0; j < LANES; j++) lows[j] = highs[j] = p[0];
        ptrdiff_t i = 0;
        for (; i + LANES <= n; i += LANES) /* in lanes, since the compiler does not turn one chain of comparisons into many */
            for (int j = 0; j < LANES; j++) {
                lows[j] = p[i + j] < lows[j] ? p[i + j] : lows[j];
                highs[j] = p[i + j] > highs[j] ? p[i + j] : highs[j];
            }
        for (; i < n; i++) least = p[i] < least ? p[i] : least, most = p[i] > most ? p[i] : most;
        for (int j = 0; j < LANES; j++) least = lows[j] < least ? lows[j] : least, most = highs[j] > most ? highs[j] : most;
        low[c] = least, by[c] = most > least ? 1 / (most - least) / sigma : 0;
    }
    for (ptrdiff_t i = 0; i < n; i++) {
        const float a = (colours[i] - low[0]) * by[0], b = (colours[n + i] - low[1]) * by[1];
        const float stands = sqrtf(band[i] * band[i] + band[n + i] * band[n + i] + band[2 * n + i] * band[2 * n + i]);
        out[i] = stands * centre[i] * one_less_exp(a * a + b * b);
    }
}
