/* The filters of a steerable pyramid on planes whose borders were reflected before. Their symmetry halves the work twice. */
#include "kernels.h"

#if defined(__GNUC__)
#define INLINE static inline __attribute__((always_inline))
#else
#define INLINE static inline
#endif

enum { TILE = 128, BAND = 7, FIRST = 5, LOW = 9, SPAN = 2 * TILE + LOW };

/* Both orientations of 7×7 taps, rows start..stop of all planes. w: 3×4, the upper left of the filter for level edges, whose
 * rows are symmetric and whose columns change sign around the middle; the filter for upright edges is its transpose.
 * from: planes of (height + 6)×(width + 6); to: of each plane first upright, then level, height×width. */
EXPORT WIDE void spyr_edges(const float *from, ptrdiff_t width, ptrdiff_t height, ptrdiff_t start, ptrdiff_t stop,
                            const float *w, float *to) {
    ptrdiff_t wide = width + BAND - 1;
    const float a0 = w[0], a1 = w[1], a2 = w[2], a3 = w[3], b0 = w[4], b1 = w[5], b2 = w[6], b3 = w[7], c0 = w[8], c1 = w[9],
                c2 = w[10], c3 = w[11];
    for (ptrdiff_t row = start; row < stop; row++) {
        ptrdiff_t plane = row / height, at = plane * (height + BAND - 1) + row % height;
        for (ptrdiff_t left = 0; left < width; left += TILE) {
            int n = width - left < TILE ? (int)(width - left) : TILE;
            const float *restrict p0 = from + at * wide + left, *restrict p1 = p0 + wide, *restrict p2 = p1 + wide,
                        *restrict p3 = p2 + wide, *restrict p4 = p3 + wide, *restrict p5 = p4 + wide, *restrict p6 = p5 + wide;
            float *restrict upright = to + (plane * 2 * height + row % height) * width + left;
            float *restrict level = upright + height * width;
            _Alignas(64) float da[TILE + 8], db[TILE + 8], dc[TILE + 8], s0[TILE + 8], s1[TILE + 8], s2[TILE + 8];
            for (int i = 0; i < n + BAND - 1; i++) {
                da[i] = p0[i] - p6[i], db[i] = p1[i] - p5[i], dc[i] = p2[i] - p4[i];
                s0[i] = p0[i] + p6[i], s1[i] = p1[i] + p5[i], s2[i] = p2[i] + p4[i];
            }
            for (int i = 0; i < n; i++)
                level[i] = a0 * (da[i] + da[i + 6]) + a1 * (da[i + 1] + da[i + 5]) + a2 * (da[i + 2] + da[i + 4]) + a3 * da[i + 3] +
                           (b0 * (db[i] + db[i + 6]) + b1 * (db[i + 1] + db[i + 5]) + b2 * (db[i + 2] + db[i + 4]) + b3 * db[i + 3]) +
                           (c0 * (dc[i] + dc[i + 6]) + c1 * (dc[i + 1] + dc[i + 5]) + c2 * (dc[i + 2] + dc[i + 4]) + c3 * dc[i + 3]);
            for (int i = 0; i < n; i++)
                upright[i] = a0 * (s0[i] - s0[i + 6]) + a1 * (s1[i] - s1[i + 6]) + a2 * (s2[i] - s2[i + 6]) + a3 * (p3[i] - p3[i + 6]) +
                             (b0 * (s0[i + 1] - s0[i + 5]) + b1 * (s1[i + 1] - s1[i + 5]) + b2 * (s2[i + 1] - s2[i + 5]) +
                              b3 * (p3[i + 1] - p3[i + 5])) +
                             (c0 * (s0[i + 2] - s0[i + 4]) + c1 * (s1[i + 2] - s1[i + 4]) + c2 * (s2[i + 2] - s2[i + 4]) +
                              c3 * (p3[i + 2] - p3[i + 4]));
        }
    }
}

/* One row of a filter symmetric both ways, size×size, every `step`-th pixel. w: its upper left quarter, row by row. */
INLINE void low_row(const float *from, ptrdiff_t wide, float *restrict to, ptrdiff_t count, const float *w, const int size,
                    const int step) {
    const int m = size / 2;
    for (ptrdiff_t left = 0; left < count; left += TILE) {
        int n = count - left < TILE ? (int)(count - left) : TILE;
        _Alignas(64) float sum[TILE] = {0}, pair[SPAN];
        for (int r = 0; r <= m; r++) {
            const float *restrict p = from + r * wide + step * left, *restrict q = from + (size - 1 - r) * wide + step * left;
            if (r == m)
                for (int i = 0; i < step * (n - 1) + size; i++) pair[i] = p[i];
            else
                for (int i = 0; i < step * (n - 1) + size; i++) pair[i] = p[i] + q[i];
            for (int k = 0; k < m; k++) {
                const float v = w[r * (m + 1) + k];
                for (int i = 0; i < n; i++) sum[i] += v * (pair[step * i + k] + pair[step * i + size - 1 - k]);
            }
            const float v = w[r * (m + 1) + m];
            for (int i = 0; i < n; i++) sum[i] += v * pair[step * i + m];
        }
        for (int i = 0; i < n; i++) to[left + i] = sum[i];
    }
}

/* Rows start..stop of all planes: size 5 keeps every pixel, size 9 every second. from: planes with size/2 more on each side. */
EXPORT WIDE void spyr_low(const float *from, ptrdiff_t width, ptrdiff_t height, ptrdiff_t start, ptrdiff_t stop, const float *w,
                          int size, float *to) {
    ptrdiff_t step = size == LOW ? 2 : 1, wide = width + size - 1, h = (height + step - 1) / step, n = (width + step - 1) / step;
    for (ptrdiff_t row = start; row < stop; row++) {
        const float *p = from + (row / h * (height + size - 1) + row % h * step) * wide;
        if (size == FIRST) low_row(p, wide, to + row * n, n, w, FIRST, 1);
        if (size == LOW) low_row(p, wide, to + row * n, n, w, LOW, 2);
    }
}
