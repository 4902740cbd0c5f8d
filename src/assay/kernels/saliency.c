/* Weighted sums of rows (resizing by a table) and sRGB to Lab. The definitions are ops/imresize.py and ops/saliency.py. */
#include <math.h>
#include <string.h>

#include "kernels.h"

#if defined(__GNUC__)
#define INLINE static inline __attribute__((always_inline)) /* so that it is compiled once for each machine of WIDE */
#else
#define INLINE static inline
#endif

enum { CHUNK = 1024 };

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
                for (ptrdiff_t k = 0; k < taps; k++) {                                                                      \
                    const PIXEL *restrict p = plane + at[k] * width + left;                                                 \
                    const float w = by[k];                                                                                  \
                    if (w == 0) continue;                                                                                   \
                    for (int i = 0; i < n; i++) sum[i] += w * p[i];                                                         \
                }                                                                                                           \
                memcpy(out + r * width + left, sum, sizeof(float) * (size_t)n);                                             \
            }                                                                                                               \
        }                                                                                                                   \
    }

WEIGHTED_ROWS(weighted_rows_u8, uint8_t)
WEIGHTED_ROWS(weighted_rows_f32, float)

/* The n-th root of a > 0: a first guess by dividing the exponent's bits, then Newton; the error squares at each of 4 steps. */
INLINE float nth_root(float a, int n) {
    union {
        float value;
        int32_t bits;
    } u = {a};
    u.bits = 0x3f800000 / n * (n - 1) + u.bits / n;
    float y = u.value;
    for (int i = 0; i < 4; i++) {
        const float p = n == 3 ? y * y : (y * y) * (y * y);
        y = ((float)(n - 1) * y + a / p) / (float)n;
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

/* n pixels of N planes R, G, B in [0, 1] to L, a, b. m: nine weights to X, Y, Z, divided by the white point. */
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
