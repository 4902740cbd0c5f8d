/* Structural similarity of planes in one pass over the pixels: no full-size temporaries.
 *
 * Wang's formula needs five windowed means (x, y, x², y², xy). With s = x+y and d = x−y four are enough:
 *   2·μx·μy = (μs² − μd²)/2,  μx² + μy² = (μs² + μd²)/2,  and the same for the covariance and the variances.
 * Columns are cut into tiles, so that all rows under a window stay in the nearest cache. A row of results is summed
 * in fixed lanes, its tiles from left to right: the sums do not depend on how rows were shared among threads.
 */
#include <string.h>

#include "kernels.h"

#if defined(__GNUC__)
#define INLINE static inline __attribute__((always_inline))
#else
#define INLINE static inline
#endif

enum { TILE = 128, LANES = 16, SPAN = TILE + LANES, PLANES = 4, GAUSS = 11, RING = GAUSS + 1, BOX = 7, BAND = 256 };

/* (K·L)² with K1 = .01, K2 = .03, L = 255 (Wang 2004, section III-B). */
#define C1 6.5025f
#define C2 58.5225f

/* Gaussian of 11 taps, σ = 1.5, sum 1 (Wang 2004): exp(−k²/4.5) for k = 0..5. */
#define G0 0.26601172486f
#define G1 0.21300553771f
#define G2 0.10936068951f
#define G3 0.03600077213f
#define G4 0.00759875814f
#define G5 0.00102838008f

typedef struct {
    _Alignas(64) float p[PLANES][SPAN]; /* s, d, s², d² of one row of a tile, with the rest of its last windows */
} Row;

typedef struct {
    _Alignas(64) float p[PLANES][SPAN]; /* windowed means of s, d, s², d²; TILE would put the ring's rows 2 KiB apart, in each other's way */
} Means;

typedef struct {
    const void *x, *y;
    int bytes;       /* 8-bit pixels, or floats in [0, 1] */
    ptrdiff_t width; /* of a plane */
} Pair;

/* One row of a tile. s is centred on mid-grey: squares stay small, so float32 keeps its digits (and 8 bits stay exact). */
INLINE void mix(Row *restrict row, const void *restrict x, const void *restrict y, int bytes) {
    float *restrict s = row->p[0], *restrict d = row->p[1], *restrict ss = row->p[2], *restrict dd = row->p[3];
    if (bytes) {
        const uint8_t *restrict a = x, *restrict b = y;
        for (int i = 0; i < SPAN; i++) {
            float u = a[i], v = b[i], p = u + v - 255, q = u - v;
            s[i] = p, d[i] = q, ss[i] = p * p, dd[i] = q * q;
        }
    } else {
        const float *restrict a = x, *restrict b = y;
        for (int i = 0; i < SPAN; i++) {
            float p = 255 * ((a[i] - 0.5f) + (b[i] - 0.5f)), q = 255 * (a[i] - b[i]);
            s[i] = p, d[i] = q, ss[i] = p * p, dd[i] = q * q;
        }
    }
}

/* The row that starts at pixel `at`; what lies beyond the tile's own columns is never summed, only kept inside `end`. */
INLINE void read_row(Row *restrict row, const Pair *in, ptrdiff_t at, ptrdiff_t end) {
    size_t size = in->bytes ? sizeof(uint8_t) : sizeof(float);
    const char *x = (const char *)in->x + (size_t)at * size, *y = (const char *)in->y + (size_t)at * size;
    _Alignas(64) float rest[2][SPAN];
    if (end - at < SPAN) {
        memset(rest, 0, sizeof rest);
        x = memcpy(rest[0], x, (size_t)(end - at) * size);
        y = memcpy(rest[1], y, (size_t)(end - at) * size);
    }
    mix(row, x, y, in->bytes);
}

/* The sum over a row of n windows of l·cs, or of cs alone (`structure`). `c2` is 2·C2, times (n−1)/n for sample covariance. */
INLINE double similarity(const Means *restrict m, float c2, int structure, int n, float *restrict map) {
    _Alignas(64) float all[TILE];
    const float *restrict s = m->p[0], *restrict d = m->p[1], *restrict ss = m->p[2], *restrict dd = m->p[3];
    if (structure)
        for (int i = 0; i < TILE; i++) {
            float vs = ss[i] - s[i] * s[i] + c2, vd = dd[i] - d[i] * d[i];
            all[i] = (vs - vd) / (vs + vd);
        }
    else
        for (int i = 0; i < TILE; i++) {
            float vs = ss[i] - s[i] * s[i] + c2, vd = dd[i] - d[i] * d[i];
            float ms = (s[i] + 255) * (s[i] + 255) + 2 * C1, md = d[i] * d[i];
            all[i] = ((ms - md) * (vs - vd)) / ((ms + md) * (vs + vd)); /* one division, and exactly 1 for equal pictures */
        }
    for (int i = n; i < TILE; i++) all[i] = 0;
    _Alignas(64) float lanes[LANES] = {0};
    for (int i = 0; i < TILE; i += LANES)
        for (int k = 0; k < LANES; k++) lanes[k] += all[i + k];
    double sum = 0;
    for (int k = 0; k < LANES; k++) sum += lanes[k];
    if (map) memcpy(map, all, sizeof(float) * (size_t)n);
    return sum;
}

INLINE void gauss_across(Means *restrict out, const Row *restrict in) {
    for (int v = 0; v < PLANES; v++) {
        const float *restrict p = in->p[v];
        float *restrict o = out->p[v];
        for (int i = 0; i < TILE; i++)
            o[i] = G0 * p[i + 5] + G1 * (p[i + 4] + p[i + 6]) + G2 * (p[i + 3] + p[i + 7]) + G3 * (p[i + 2] + p[i + 8]) +
                   G4 * (p[i + 1] + p[i + 9]) + G5 * (p[i] + p[i + 10]);
    }
}

/* Two rows of results from the twelve rows of the ring, the oldest at `first`: each is loaded once for both. */
INLINE void gauss_down(Means *restrict out, const Means *restrict ring, int first) {
    for (int v = 0; v < PLANES; v++) {
        const float *r[RING];
        for (int k = 0; k < RING; k++) r[k] = ring[(first + k) % RING].p[v];
        const float *restrict r0 = r[0], *restrict r1 = r[1], *restrict r2 = r[2], *restrict r3 = r[3], *restrict r4 = r[4],
                    *restrict r5 = r[5], *restrict r6 = r[6], *restrict r7 = r[7], *restrict r8 = r[8], *restrict r9 = r[9],
                    *restrict ra = r[10], *restrict rb = r[11];
        float *restrict o = out[0].p[v], *restrict q = out[1].p[v];
        for (int i = 0; i < TILE; i++) {
            o[i] = G0 * r5[i] + G1 * (r4[i] + r6[i]) + G2 * (r3[i] + r7[i]) + G3 * (r2[i] + r8[i]) + G4 * (r1[i] + r9[i]) +
                   G5 * (r0[i] + ra[i]);
            q[i] = G0 * r6[i] + G1 * (r5[i] + r7[i]) + G2 * (r4[i] + r8[i]) + G3 * (r3[i] + r9[i]) + G4 * (r2[i] + ra[i]) +
                   G5 * (r1[i] + rb[i]);
        }
    }
}

/* Rows start..stop of the results of all planes together, 11×11 Gaussian windows that lie inside the picture.
 * sums: one double a row, zeroed by the caller; map: the results themselves, or NULL. */
EXPORT WIDE void ssim_gaussian(const void *x, const void *y, int bytes, ptrdiff_t width, ptrdiff_t height, ptrdiff_t start,
                               ptrdiff_t stop, int structure, double *sums, float *map) {
    Pair in = {x, y, bytes, width};
    ptrdiff_t w = width - GAUSS + 1, h = height - GAUSS + 1;
    Row row;
    Means ring[RING] = {0}, means[2];
    for (ptrdiff_t from = start, to; from < stop; from = to) {
        ptrdiff_t plane = from / h, top = plane * height + from % h, end = (plane + 1) * height * width;
        to = from + BAND < stop ? from + BAND : stop;
        if (to > (plane + 1) * h) to = (plane + 1) * h;
        int rows = (int)(to - from) + GAUSS - 1;
        for (ptrdiff_t left = 0; left < w; left += TILE) {
            int n = w - left < TILE ? (int)(w - left) : TILE;
            for (int r = 0; r < rows; r++) {
                read_row(&row, &in, (top + r) * width + left, end);
                gauss_across(&ring[r % RING], &row);
                if (r < GAUSS - 1 || (r % 2 == 0 && r + 1 < rows)) continue;
                int pair = r % 2 ? 2 : 1; /* an odd last row comes alone: its partner is computed and dropped */
                int first = r - GAUSS + 2 - pair;
                gauss_down(means, ring, first % RING);
                for (int k = 0; k < pair; k++) {
                    ptrdiff_t out = from + first + k;
                    sums[out] += similarity(&means[k], 2 * C2, structure, n, map ? map + out * w + left : NULL);
                }
            }
        }
    }
}

/* Sums over seven rows. Sums of 8-bit pixels are whole numbers under 2²⁴, so adding the new row and taking the old one
 * away is exact; sums of floats would drift, so their seven rows are added afresh. */
INLINE void box_down(Row *restrict sum, Row *restrict ring, const Row *restrict next, int r, int exact) {
    for (int v = 0; v < PLANES; v++) {
        float *restrict total = sum->p[v], *restrict last = ring[r % BOX].p[v];
        const float *restrict new = next->p[v];
        if (exact) {
            for (int i = 0; i < SPAN; i++) total[i] += new[i] - last[i], last[i] = new[i];
            continue;
        }
        memcpy(last, new, sizeof(float) * SPAN);
        const float *o[BOX];
        for (int k = 0; k < BOX; k++) o[k] = ring[(r + 1 + k) % BOX].p[v]; /* from the oldest, wherever the ring starts */
        for (int i = 0; i < SPAN; i++) total[i] = o[0][i] + o[1][i] + o[2][i] + o[3][i] + o[4][i] + o[5][i] + o[6][i];
    }
}

/* Means over seven columns of sums: pairs, pairs of pairs, and the rest. */
INLINE void box_across(Means *restrict out, const Row *restrict sum) {
    const float share = 1.0f / (BOX * BOX);
    for (int v = 0; v < PLANES; v++) {
        const float *restrict p = sum->p[v];
        float *restrict o = out->p[v];
        _Alignas(64) float two[SPAN];
        for (int i = 0; i < SPAN - 1; i++) two[i] = p[i] + p[i + 1];
        for (int i = 0; i < TILE; i++) o[i] = share * (two[i] + two[i + 2] + (two[i + 4] + p[i + 6]));
    }
}

/* The same with 7×7 windows of equal weight and sample covariance, n/(n−1), as in scikit-image. */
EXPORT WIDE void ssim_box(const void *x, const void *y, int bytes, ptrdiff_t width, ptrdiff_t height, ptrdiff_t start,
                          ptrdiff_t stop, int structure, double *sums, float *map) {
    Pair in = {x, y, bytes, width};
    ptrdiff_t w = width - BOX + 1, h = height - BOX + 1;
    const float area = BOX * BOX, c2 = 2 * C2 * (area - 1) / area;
    Row ring[BOX], column, next;
    Means means;
    for (ptrdiff_t from = start, to; from < stop; from = to) {
        ptrdiff_t plane = from / h, top = plane * height + from % h, end = (plane + 1) * height * width;
        to = from + BAND < stop ? from + BAND : stop;
        if (to > (plane + 1) * h) to = (plane + 1) * h;
        int rows = (int)(to - from) + BOX - 1;
        for (ptrdiff_t left = 0; left < w; left += TILE) {
            int n = w - left < TILE ? (int)(w - left) : TILE;
            memset(ring, 0, sizeof ring), memset(&column, 0, sizeof column);
            for (int r = 0; r < rows; r++) {
                read_row(&next, &in, (top + r) * width + left, end);
                box_down(&column, ring, &next, r, bytes);
                if (r < BOX - 1) continue;
                box_across(&means, &column);
                ptrdiff_t out = from + r - BOX + 1;
                sums[out] += similarity(&means, c2, structure, n, map ? map + out * w + left : NULL);
            }
        }
    }
}
