/* Weighted means over windows, one direction after the other, and means of 2×2 pixels. The definitions are in ops/filters.py. */
#include "kernels.h"

#if defined(__GNUC__)
#define INLINE static inline __attribute__((always_inline)) /* so that it is compiled once for each machine of WIDE */
#else
#define INLINE static inline
#endif

enum { TILE = 1024 };

/* Rows start..stop of all planes: `down` and `across` weigh the windows, which begin at every `step`-th row and column and lie
 * inside the height×width planes. line: room for TILE·step + across numbers. */
#define SEPARABLE(NAME, REAL)                                                                                                        \
    EXPORT WIDE void NAME(const REAL *from, ptrdiff_t height, ptrdiff_t width, const REAL *down, ptrdiff_t n_down, const REAL *across, \
                          ptrdiff_t n_across, ptrdiff_t step, ptrdiff_t start, ptrdiff_t stop, REAL *line, REAL *to) {                \
        const ptrdiff_t h = (height - n_down) / step + 1, w = (width - n_across) / step + 1;                                        \
        for (ptrdiff_t row = start; row < stop; row++) {                                                                             \
            const REAL *top = from + (row / h * height + row % h * step) * width;                                                    \
            for (ptrdiff_t left = 0; left < w; left += TILE) {                                                                       \
                const int n = w - left < TILE ? (int)(w - left) : TILE;                                                              \
                const int wide = (int)((n - 1) * step + n_across);                                                                   \
                REAL *restrict sums = line, *restrict out = to + row * w + left;                                                     \
                const REAL *restrict in = top + left * step;                                                                         \
                ptrdiff_t k = 1;                                                                                                     \
                for (int i = 0; i < wide; i++) sums[i] = down[0] * in[i];                                                            \
                for (; k + 1 < n_down; k += 2) {                                                                                     \
                    const REAL *restrict a = in + k * width, *restrict b = a + width;                                                \
                    const REAL p = down[k], q = down[k + 1];                                                                         \
                    for (int i = 0; i < wide; i++) sums[i] += p * a[i] + q * b[i];                                                   \
                }                                                                                                                    \
                if (k < n_down)                                                                                                      \
                    for (int i = 0; i < wide; i++) sums[i] += down[k] * in[k * width + i];                                           \
                if (step == 1) {                                                                                                     \
                    for (int i = 0; i < n; i++) out[i] = across[0] * sums[i];                                                        \
                    for (k = 1; k + 1 < n_across; k += 2) {                                                                          \
                        const REAL p = across[k], q = across[k + 1];                                                                 \
                        for (int i = 0; i < n; i++) out[i] += p * sums[i + k] + q * sums[i + k + 1];                                 \
                    }                                                                                                                \
                    if (k < n_across)                                                                                                \
                        for (int i = 0; i < n; i++) out[i] += across[k] * sums[i + k];                                               \
                } else                                                                                                               \
                    for (int i = 0; i < n; i++) {                                                                                    \
                        REAL total = 0;                                                                                              \
                        for (k = 0; k < n_across; k++) total += across[k] * sums[i * step + k];                                      \
                        out[i] = total;                                                                                              \
                    }                                                                                                                \
            }                                                                                                                        \
        }                                                                                                                            \
    }

SEPARABLE(separable_f32, float)
SEPARABLE(separable_f64, double)

/* Rows start..stop of all planes: means of 2×2 pixels times `scale`; the last row or column of an odd size counts twice. */
#define HALVED(NAME, TYPE)                                                                                                           \
    EXPORT WIDE void NAME(const TYPE *from, ptrdiff_t height, ptrdiff_t width, float scale, ptrdiff_t start, ptrdiff_t stop, float *to) { \
        const ptrdiff_t h = (height + 1) / 2, w = (width + 1) / 2;                                                                   \
        const float quarter = scale / 4;                                                                                             \
        for (ptrdiff_t row = start; row < stop; row++) {                                                                             \
            const ptrdiff_t y = row % h * 2;                                                                                         \
            const TYPE *restrict a = from + (row / h * height + y) * width, *restrict b = y + 1 < height ? a + width : a;            \
            float *restrict out = to + row * w;                                                                                      \
            for (ptrdiff_t i = 0; i < width / 2; i++)                                                                                \
                out[i] = quarter * (float)(a[2 * i] + a[2 * i + 1] + b[2 * i] + b[2 * i + 1]);                                       \
            if (width % 2) out[w - 1] = 2 * quarter * (float)(a[width - 1] + b[width - 1]);                                          \
        }                                                                                                                            \
    }

HALVED(halved_u8, uint8_t)
HALVED(halved_f32, float)
