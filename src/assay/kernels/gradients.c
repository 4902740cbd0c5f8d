/* Block means straight from the pixels, and the similarity of two pictures' gradients. The definitions are ops/gradients.py.
 *
 * Both work on tiles of columns that stay in the nearest cache. A row of sums is added up in fixed lanes, tiles from left to
 * right, so that a result does not depend on how rows were shared among threads. */
#include <math.h>
#include <string.h>

#include "kernels.h"

#if defined(__GNUC__)
#define INLINE static inline __attribute__((always_inline)) /* so that it is compiled once for each machine of WIDE */
#else
#define INLINE static inline
#endif

enum { SPAN = 2048, TILE = 256, LANES = 16, MIXES = 3 };

/* Sums of `step` neighbours; a constant `step` lets the compiler unroll. Blocks may begin before the row or end after it. */
#define ACROSS(NAME, SUM)                                                                                                 \
    INLINE void NAME##_by(const SUM *restrict column, ptrdiff_t n, int step, float *restrict out) {                       \
        for (ptrdiff_t i = 0; i < n; i++) {                                                                               \
            SUM s0 = 0, s1 = 0;                                                                                           \
            int k = 0;                                                                                                    \
            for (; k + 1 < step; k += 2) s0 += column[i * step + k], s1 += column[i * step + k + 1];                      \
            if (k < step) s0 += column[i * step + k];                                                                     \
            out[i] = (float)(s0 + s1);                                                                                    \
        }                                                                                                                 \
    }                                                                                                                     \
    INLINE void NAME(const SUM *restrict column, ptrdiff_t n, int step, float *restrict out) {                            \
        switch (step) {                                                                                                   \
        case 1: NAME##_by(column, n, 1, out); break;                                                                      \
        case 2: NAME##_by(column, n, 2, out); break;                                                                      \
        case 3: NAME##_by(column, n, 3, out); break;                                                                      \
        case 4: NAME##_by(column, n, 4, out); break;                                                                      \
        case 8: NAME##_by(column, n, 8, out); break;                                                                      \
        default: NAME##_by(column, n, step, out);                                                                         \
        }                                                                                                                 \
    }

ACROSS(across_whole, uint32_t)
ACROSS(across_float, float)

/* Rows start..stop of the results of all pictures together: out[k] = Σ mix[k][c] · (sum over the block of channel c), for
 * k < planes ≤ 3 and c < channels ≤ 3. Blocks are step×step, the first begins (step-1)/2 before the picture, and what lies
 * outside is zero. 8-bit columns are added in 16 bits: step ≤ 257. */
#define BLOCK_MEANS(NAME, PIXEL, COLUMN, SUM, ACROSS_)                                                                     \
    EXPORT WIDE void NAME(const PIXEL *x, ptrdiff_t channels, ptrdiff_t height, ptrdiff_t width, ptrdiff_t step,           \
                          const float *mix, ptrdiff_t planes, ptrdiff_t start, ptrdiff_t stop, float *out) {               \
        const ptrdiff_t h = (height + step - 1) / step, w = (width + step - 1) / step, before = (step - 1) / 2;            \
        const ptrdiff_t most = SPAN / step; /* results a tile */                                                           \
        _Alignas(64) COLUMN column[SPAN];                                                                                  \
        _Alignas(64) SUM wide[SPAN];                                                                                       \
        _Alignas(64) float sums[MIXES][SPAN];                                                                              \
        for (ptrdiff_t row = start; row < stop; row++) {                                                                   \
            const ptrdiff_t picture = row / h, r = row % h;                                                                \
            const ptrdiff_t first = r * step - before, top = first < 0 ? 0 : first;                                        \
            const ptrdiff_t bottom = first + step < height ? first + step : height;                                        \
            for (ptrdiff_t left = 0; left < w; left += most) {                                                             \
                const ptrdiff_t n = w - left < most ? w - left : most, begin = left * step - before;                       \
                const ptrdiff_t a = begin < 0 ? -begin : 0, b = begin + n * step > width ? width - begin : n * step;       \
                for (ptrdiff_t c = 0; c < channels; c++) {                                                                 \
                    const PIXEL *p = x + ((picture * channels + c) * height + top) * width + begin;                        \
                    memset(column, 0, sizeof column);                                                                      \
                    for (ptrdiff_t y = top; y < bottom; y++, p += width)                                                   \
                        for (ptrdiff_t i = a; i < b; i++) column[i] = (COLUMN)(column[i] + p[i]);                          \
                    for (ptrdiff_t i = 0; i < n * step; i++) wide[i] = column[i];                                          \
                    ACROSS_(wide, n, (int)step, sums[c]);                                                                  \
                }                                                                                                          \
                for (ptrdiff_t k = 0; k < planes; k++) {                                                                   \
                    float *o = out + ((picture * planes + k) * h + r) * w + left;                                          \
                    const float *m = mix + k * channels;                                                                   \
                    if (channels == 1)                                                                                     \
                        for (ptrdiff_t i = 0; i < n; i++) o[i] = m[0] * sums[0][i];                                        \
                    else                                                                                                   \
                        for (ptrdiff_t i = 0; i < n; i++) o[i] = m[0] * sums[0][i] + m[1] * sums[1][i] + m[2] * sums[2][i]; \
                }                                                                                                          \
            }                                                                                                              \
        }                                                                                                                  \
    }

BLOCK_MEANS(block_means_u8, uint8_t, uint16_t, uint32_t, across_whole)
BLOCK_MEANS(block_means_f32, float, float, float, across_float)

typedef struct {
    _Alignas(64) float p[TILE + LANES]; /* one row of a tile, from the column left of it; zero outside the picture */
} Row;

INLINE void load(Row *row, const float *plane, ptrdiff_t height, ptrdiff_t width, ptrdiff_t y, ptrdiff_t left) {
    memset(row, 0, sizeof *row);
    if (y < 0 || y >= height) return;
    const ptrdiff_t a = left > 0 ? left - 1 : 0, b = left + TILE + 1 < width ? left + TILE + 1 : width;
    memcpy(row->p + (a - left + 1), plane + y * width + a, sizeof(float) * (size_t)(b - a));
}

/* Derivatives of one row of a tile, across and down, from the three rows around it. */
INLINE void slope(const Row *restrict u, const Row *restrict m, const Row *restrict d, float side, float mid, float *restrict gx,
                  float *restrict gy) {
    _Alignas(64) float down[TILE + LANES], diff[TILE + LANES];
    for (int i = 0; i < TILE + LANES; i++) {
        down[i] = side * (u->p[i] + d->p[i]) + mid * m->p[i];
        diff[i] = d->p[i] - u->p[i];
    }
    for (int i = 0; i < TILE; i++) {
        gx[i] = down[i + 2] - down[i];
        gy[i] = side * (diff[i] + diff[i + 2]) + mid * diff[i + 1];
    }
}

/* Rows start..stop of all N planes together. sums: two doubles a row, zeroed by the caller: Σ(1-s) and Σ(1-s)² of the
 * similarities s; map: the similarities themselves, or NULL. side, mid: weights of the derivative's smoothing. */
EXPORT WIDE void gradient_similarity(const float *x, const float *y, ptrdiff_t height, ptrdiff_t width, float side, float mid,
                                     float constant, float mask, ptrdiff_t start, ptrdiff_t stop, double *sums, float *map) {
    Row rows[2][3];
    _Alignas(64) float ax[TILE], ay[TILE], bx[TILE], by[TILE], s[TILE];
    for (ptrdiff_t from = start, to; from < stop; from = to) {
        const ptrdiff_t plane = from / height, top = from % height;
        to = (plane + 1) * height < stop ? (plane + 1) * height : stop;
        const float *p = x + plane * height * width, *q = y + plane * height * width;
        for (ptrdiff_t left = 0; left < width; left += TILE) {
            const int n = width - left < TILE ? (int)(width - left) : TILE;
            for (ptrdiff_t r = top - 1; r <= top + (to - from); r++) {
                const ptrdiff_t i = r + 3; /* never negative */
                load(&rows[0][i % 3], p, height, width, r, left);
                load(&rows[1][i % 3], q, height, width, r, left);
                if (r < top + 1) continue;
                slope(&rows[0][(i - 2) % 3], &rows[0][(i - 1) % 3], &rows[0][i % 3], side, mid, ax, ay);
                slope(&rows[1][(i - 2) % 3], &rows[1][(i - 1) % 3], &rows[1][i % 3], side, mid, bx, by);
                for (int k = 0; k < TILE; k++) {
                    const float a = ax[k] * ax[k] + ay[k] * ay[k], b = bx[k] * bx[k] + by[k] * by[k], ab = sqrtf(a * b);
                    s[k] = (a + b - 2 * ab) / (a + b - mask * ab + constant); /* 1 - similarity, without the cancellation */
                }
                for (int k = n; k < TILE; k++) s[k] = 0;
                const ptrdiff_t row = plane * height + r - 1;
                if (map)
                    for (int k = 0; k < n; k++) map[row * width + left + k] = 1 - s[k];
                _Alignas(64) float one[LANES] = {0}, two[LANES] = {0};
                for (int k = 0; k < TILE; k += LANES)
                    for (int j = 0; j < LANES; j++) one[j] += s[k + j], two[j] += s[k + j] * s[k + j];
                for (int j = 0; j < LANES; j++) sums[2 * row] += one[j], sums[2 * row + 1] += two[j];
            }
        }
    }
}

/* Rows start..stop of all N pictures together, of 3 planes each: L, then two of hue. edges: unlikeness of the Prewitt
 * gradients of the two pictures, plus that of x with their mean, less that of y with it; hues: unlikeness of the hues. */
EXPORT WIDE void edges_and_hues(const float *x, const float *y, ptrdiff_t height, ptrdiff_t width, float c1, float c2, float c3,
                                ptrdiff_t start, ptrdiff_t stop, float *edges, float *hues) {
    const ptrdiff_t area = height * width;
    const float third = 1.0f / 3;
    Row rows[2][3];
    _Alignas(64) float ax[TILE], ay[TILE], bx[TILE], by[TILE], s[TILE];
    for (ptrdiff_t from = start, to; from < stop; from = to) {
        const ptrdiff_t picture = from / height, top = from % height;
        to = (picture + 1) * height < stop ? (picture + 1) * height : stop;
        const float *p = x + 3 * picture * area, *q = y + 3 * picture * area;
        for (ptrdiff_t left = 0; left < width; left += TILE) {
            const int n = width - left < TILE ? (int)(width - left) : TILE;
            for (ptrdiff_t r = top - 1; r <= top + (to - from); r++) {
                const ptrdiff_t i = r + 3; /* never negative */
                load(&rows[0][i % 3], p, height, width, r, left);
                load(&rows[1][i % 3], q, height, width, r, left);
                if (r < top + 1) continue;
                slope(&rows[0][(i - 2) % 3], &rows[0][(i - 1) % 3], &rows[0][i % 3], third, third, ax, ay);
                slope(&rows[1][(i - 2) % 3], &rows[1][(i - 1) % 3], &rows[1][i % 3], third, third, bx, by);
                for (int k = 0; k < TILE; k++) {
                    const float fx = (ax[k] + bx[k]) / 2, fy = (ay[k] + by[k]) / 2;
                    const float a = ax[k] * ax[k] + ay[k] * ay[k], b = bx[k] * bx[k] + by[k] * by[k], f = fx * fx + fy * fy;
                    const float g = sqrtf(a), h = sqrtf(b), m = sqrtf(f);
                    s[k] = (g - h) * (g - h) / (a + b + c1) + (g - m) * (g - m) / (a + f + c2) - (h - m) * (h - m) / (b + f + c2);
                }
                const ptrdiff_t at = (r - 1) * width + left;
                memcpy(edges + picture * area + at, s, sizeof(float) * (size_t)n);
                const float *restrict h1 = p + area + at, *restrict m1 = h1 + area, *restrict h2 = q + area + at, *restrict m2 = h2 + area;
                float *restrict o = hues + picture * area + at;
                for (int k = 0; k < n; k++)
                    o[k] = ((h1[k] - h2[k]) * (h1[k] - h2[k]) + (m1[k] - m2[k]) * (m1[k] - m2[k])) /
                           (h1[k] * h1[k] + h2[k] * h2[k] + m1[k] * m1[k] + m2[k] * m2[k] + c3);
            }
        }
    }
}
