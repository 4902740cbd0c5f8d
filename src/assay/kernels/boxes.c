/* Metrics of 8×8 windows of whole numbers, whose sums are exact: running sums lose nothing.
 * The definitions are quality/scc.py and quality/uqi.py. */
#include <math.h>
#include <string.h>

#include "kernels.h"

#if defined(__GNUC__)
#define INLINE static inline __attribute__((always_inline))
#else
#define INLINE static inline
#endif

enum { SIDE = 8, BEFORE = 4, SUMS = 5 }; /* sums of a, b, a², b², ab */

/* Adds a row to the sums of each column, or takes it away. column: SUMS rows of `width`. */
INLINE void add(int32_t *column, const int16_t *restrict a, const int16_t *restrict b, ptrdiff_t width, int32_t sign) {
    int32_t *restrict sa = column, *restrict sb = sa + width, *restrict aa = sb + width, *restrict bb = aa + width, *restrict ab = bb + width;
    for (ptrdiff_t i = 0; i < width; i++) {
        const int32_t p = a[i], q = b[i];
        sa[i] += sign * p, sb[i] += sign * q, aa[i] += sign * p * p, bb[i] += sign * q * q, ab[i] += sign * p * q;
    }
}

/* Sums over eight neighbours, in place; the last seven are left as they are. */
INLINE void across(int32_t *restrict row, int32_t *restrict out, ptrdiff_t n) {
    for (ptrdiff_t i = 0; i < n; i++)
        out[i] = row[i] + row[i + 1] + row[i + 2] + row[i + 3] + (row[i + 4] + row[i + 5] + row[i + 6] + row[i + 7]);
}

/* The Laplacian 9c - Σ3×3 of a row, the border repeated, with BEFORE zeros in front and SIDE behind; zeros outside the picture. */
INLINE void laplacian(const uint8_t *plane, ptrdiff_t height, ptrdiff_t width, ptrdiff_t y, int16_t *restrict out) {
    memset(out, 0, sizeof(int16_t) * (size_t)(width + BEFORE + SIDE));
    if (y < 0 || y >= height) return;
    const uint8_t *restrict b = plane + y * width, *restrict a = y > 0 ? b - width : b, *restrict c = y + 1 < height ? b + width : b;
    out += BEFORE;
    for (ptrdiff_t i = 1; i + 1 < width; i++)
        out[i] = (int16_t)(8 * b[i] - (a[i - 1] + a[i] + a[i + 1] + b[i - 1] + b[i + 1] + c[i - 1] + c[i] + c[i + 1]));
    for (int end = 0; end < 2; end++) {
        const ptrdiff_t i = end ? width - 1 : 0, p = i > 0 ? i - 1 : 0, q = i + 1 < width ? i + 1 : i;
        out[i] = (int16_t)(8 * b[i] - (a[p] + a[i] + a[q] + b[p] + b[q] + c[p] + c[i] + c[q]));
    }
}

/* Rows start..stop of all planes: the sum of the correlations of the windows around each pixel. Windows flat in both count
 * `flat`. room: 10 rows of width + 16 numbers of 32 bits. */
EXPORT WIDE void correlation_rows(const uint8_t *x, const uint8_t *y, ptrdiff_t height, ptrdiff_t width, float flat, ptrdiff_t start,
                                  ptrdiff_t stop, int32_t *room, double *sums) {
    const ptrdiff_t wide = width + BEFORE + SIDE, w = wide - SIDE + 1;
    int32_t *column = room, *box = column + SUMS * wide;
    int16_t *a = (int16_t *)(box + SUMS * wide), *b = a + wide;
    for (ptrdiff_t at = start; at < stop; at++) {
        const ptrdiff_t row = at % height;
        const uint8_t *p = x + at / height * height * width, *q = y + at / height * height * width;
        const int fresh = at == start || row == 0;
        if (fresh) memset(column, 0, sizeof(int32_t) * SUMS * (size_t)wide);
        for (ptrdiff_t r = fresh ? row - BEFORE : row + SIDE - BEFORE - 1; r < row + SIDE - BEFORE; r++) {
            laplacian(p, height, width, r, a), laplacian(q, height, width, r, b);
            add(column, a, b, wide, 1);
        }
        for (int k = 0; k < SUMS; k++) across(column + k * wide, box + k * wide, w);
        const int32_t *restrict sa = box, *restrict sb = sa + wide, *restrict aa = sb + wide, *restrict bb = aa + wide, *restrict ab = bb + wide;
        double total = 0;
        for (ptrdiff_t i = 0; i < width; i++) {
            const double u = sa[i], v = sb[i], area = SIDE * SIDE;
            const double va = area * aa[i] - u * u, vb = area * bb[i] - v * v, both = area * ab[i] - u * v;
            const int some = va > 0 && vb > 0;
            total += some ? both / sqrt(va * vb) : va > 0 || vb > 0 ? 0 : flat;
        }
        sums[at] = total;
        laplacian(p, height, width, row - BEFORE, a), laplacian(q, height, width, row - BEFORE, b);
        add(column, a, b, wide, -1);
    }
}

INLINE void widened(const uint8_t *restrict from, int16_t *restrict to, ptrdiff_t n) {
    for (ptrdiff_t i = 0; i < n; i++) to[i] = from[i];
}

/* Rows start..stop of the windows of all planes: the sum of the universal quality indices. room as above. */
EXPORT WIDE void universal_rows(const uint8_t *x, const uint8_t *y, ptrdiff_t height, ptrdiff_t width, ptrdiff_t start, ptrdiff_t stop,
                                int32_t *room, double *sums) {
    const ptrdiff_t w = width - SIDE + 1, h = height - SIDE + 1;
    int32_t *column = room, *box = column + SUMS * width;
    int16_t *a = (int16_t *)(box + SUMS * width), *b = a + width;
    for (ptrdiff_t at = start; at < stop; at++) {
        const ptrdiff_t row = at % h, top = at / h * height + row;
        const int fresh = at == start || row == 0;
        if (fresh) memset(column, 0, sizeof(int32_t) * SUMS * (size_t)width);
        for (ptrdiff_t r = fresh ? 0 : SIDE - 1; r < SIDE; r++) {
            widened(x + (top + r) * width, a, width), widened(y + (top + r) * width, b, width);
            add(column, a, b, width, 1);
        }
        for (int k = 0; k < SUMS; k++) across(column + k * width, box + k * width, w);
        const int32_t *restrict sa = box, *restrict sb = sa + width, *restrict aa = sb + width, *restrict bb = aa + width, *restrict ab = bb + width;
        double total = 0;
        for (ptrdiff_t i = 0; i < w; i++) {
            const double u = sa[i], v = sb[i], area = SIDE * SIDE, product = u * v, energy = u * u + v * v;
            const double both = area * ab[i] - product, variance = area * ((double)aa[i] + bb[i]) - energy;
            /* flat in both: only brightness can differ; black in both: equal */
            const double full = 4 * both * product, plain = 2 * product, dark = energy > 0 ? energy : 1;
            total += energy > 0 ? (variance > 0 ? full / (variance * dark) : plain / dark) : 1;
        }
        sums[at] = total;
        widened(x + top * width, a, width), widened(y + top * width, b, width);
        add(column, a, b, width, -1);
    }
}
