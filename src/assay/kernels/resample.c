/* Pictures made smaller, and looked at askew. The definitions are in ops/resize.py and ops/align.py. */
#include <math.h>

#include "floats.h"

/* Rows start..stop of all planes of the smaller picture, times `scale`: sums of `down_taps` rows from first_down on, then of
 * `across_taps` columns; weights are given tap by tap, and those beyond the picture are 0. room: width floats. */
#define REDUCED(NAME, TYPE)                                                                                                            \
    EXPORT WIDE void NAME(const TYPE *from, ptrdiff_t height, ptrdiff_t width, ptrdiff_t h, ptrdiff_t w, const int32_t *first_down,     \
                          const float *down, ptrdiff_t down_taps, const int32_t *first_across, const float *across, ptrdiff_t across_taps, \
                          float scale, ptrdiff_t start, ptrdiff_t stop, float *restrict room, float *to) {                              \
        for (ptrdiff_t at = start; at < stop; at++) {                                                                                  \
            const ptrdiff_t y = at % h;                                                                                                \
            float *restrict out = to + at * w;                                                                                         \
            memset(room, 0, sizeof(float) * (size_t)width);                                                                            \
            for (ptrdiff_t k = 0; k < down_taps; k++) {                                                                                \
                const float much = scale * down[k * h + y];                                                                            \
                if (much == 0) continue;                                                                                               \
                const TYPE *restrict row = from + (at / h * height + first_down[y] + k) * width;                                       \
                for (ptrdiff_t x = 0; x < width; x++) room[x] += much * (float)row[x];                                                 \
            }                                                                                                                          \
            memset(out, 0, sizeof(float) * (size_t)w);                                                                                 \
            for (ptrdiff_t k = 0; k < across_taps; k++) {                                                                              \
                const float *restrict much = across + k * w;                                                                           \
                for (ptrdiff_t x = 0; x < w; x++) {                                                                                    \
                    const int32_t place = first_across[x] + (int32_t)k, last = (int32_t)width - 1;                                     \
                    out[x] += much[x] * room[place < last ? place : last];                                                             \
                }                                                                                                                      \
            }                                                                                                                          \
        }                                                                                                                              \
    }

REDUCED(reduced_u8, uint8_t)
REDUCED(reduced_f32, float)

/* The mean of a shrink×shrink block of a part of a plane (fewer at its end), 0 beyond it. */
#define BLOCK_MEAN(NAME, TYPE)                                                                                                         \
    INLINE float NAME(const TYPE *part, ptrdiff_t stride, ptrdiff_t height, ptrdiff_t width, ptrdiff_t shrink, ptrdiff_t y, ptrdiff_t x) { \
        y *= shrink, x *= shrink;                                                                                                      \
        if (y < 0 || x < 0 || y >= height || x >= width) return 0;                                                                     \
        const ptrdiff_t n = height - y < shrink ? height - y : shrink, m = width - x < shrink ? width - x : shrink;                    \
        float total = 0;                                                                                                               \
        for (ptrdiff_t i = 0; i < n; i++)                                                                                              \
            for (ptrdiff_t j = 0; j < m; j++) total += (float)part[(y + i) * stride + x + j];                                          \
        return total / (float)(n * m);                                                                                                 \
    }

BLOCK_MEAN(mean_u8, uint8_t)
BLOCK_MEAN(mean_f32, float)

/* `channels` planes of a part of a picture, height×width pixels of rows `stride` and planes `size` apart, seen at h×w places between
 * their means over shrink×shrink: place (x, y) lies at turn·(x, y, 1), in units of those means; times `scale`. */
#define ASKEW(NAME, TYPE, MEAN)                                                                                                        \
    EXPORT WIDE void NAME(const TYPE *from, ptrdiff_t channels, ptrdiff_t size, ptrdiff_t stride, ptrdiff_t height, ptrdiff_t width,    \
                          ptrdiff_t shrink, const double *turn, float scale, ptrdiff_t h, ptrdiff_t w, float *to) {                    \
        for (ptrdiff_t y = 0; y < h; y++)                                                                                              \
            for (ptrdiff_t x = 0; x < w; x++) {                                                                                        \
                const double u = turn[0] * (double)x + turn[1] * (double)y + turn[2], v = turn[3] * (double)x + turn[4] * (double)y + turn[5]; \
                const double left = floor(u), top = floor(v);                                                                          \
                const float a = (float)(u - left), b = (float)(v - top);                                                               \
                const ptrdiff_t i = (ptrdiff_t)left, j = (ptrdiff_t)top;                                                               \
                for (ptrdiff_t c = 0; c < channels; c++) {                                                                             \
                    const TYPE *p = from + c * size;                                                                                   \
                    to[(c * h + y) * w + x] =                                                                                          \
                        scale * ((1 - b) * ((1 - a) * MEAN(p, stride, height, width, shrink, j, i) + a * MEAN(p, stride, height, width, shrink, j, i + 1)) + \
                                 b * ((1 - a) * MEAN(p, stride, height, width, shrink, j + 1, i) + a * MEAN(p, stride, height, width, shrink, j + 1, i + 1))); \
                }                                                                                                                      \
            }                                                                                                                          \
    }

ASKEW(askew_u8, uint8_t, mean_u8)
ASKEW(askew_f32, float, mean_f32)
