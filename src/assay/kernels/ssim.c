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

#if defined(__GNUC__)
#define FETCH(at) __builtin_prefetch(at)
#else
#define FETCH(at) ((void)(at))
#endif

enum { TILE = 128, LANES = 16, SPAN = TILE + LANES, PLANES = 4, GAUSS = 11, RING = GAUSS + 1, BAND = 256 };
enum { BOX = 7, BOX_TILE = 256, BOX_SPAN = BOX_TILE + LANES }; /* no ring of rows has to stay in the cache: tiles may be wider */
enum { AHEAD = 8, LINE = 64 }; /* rows, and bytes: the row below lies in another page, which the processor does not fetch by itself */

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
    _Alignas(64) float p[PLANES][BOX_SPAN]; /* sums over the rows of the windows, or means over the windows */
} Box;

typedef struct {
    const void *x, *y;
    int bytes;       /* 8-bit pixels, or floats in [0, 1] */
    ptrdiff_t width; /* of a plane */
} Pair;

/* One row of a tile. s is centred on mid-grey: squares stay small, so float32 keeps its digits (and 8 bits stay exact). */
INLINE void mix(float *restrict row, const int span, const void *restrict x, const void *restrict y, int bytes) {
    float *restrict s = row, *restrict d = s + span, *restrict ss = d + span, *restrict dd = ss + span;
    if (bytes) {
        const uint8_t *restrict a = x, *restrict b = y;
        for (int i = 0; i < span; i++) {
            float u = a[i], v = b[i], p = u + v - 255, q = u - v;
            s[i] = p, d[i] = q, ss[i] = p * p, dd[i] = q * q;
        }
    } else {
        const float *restrict a = x, *restrict b = y;
        for (int i = 0; i < span; i++) {
            float p = 255 * ((a[i] - 0.5f) + (b[i] - 0.5f)), q = 255 * (a[i] - b[i]);
            s[i] = p, d[i] = q, ss[i] = p * p, dd[i] = q * q;
        }
    }
}

/* The row that starts at pixel `at`; what lies beyond the tile's own columns is never summed, only kept inside `end`. */
INLINE void read_row(float *restrict row, const int span, const Pair *in, ptrdiff_t at, ptrdiff_t end) {
    size_t size = in->bytes ? sizeof(uint8_t) : sizeof(float);
    const char *x = (const char *)in->x + (size_t)at * size, *y = (const char *)in->y + (size_t)at * size;
    _Alignas(64) float rest[2][BOX_SPAN];
    const size_t below = AHEAD * (size_t)in->width * size;
    for (size_t i = 0; i < span * size; i += LINE) FETCH(x + below + i), FETCH(y + below + i);
    if (end - at < span) {
        memset(rest, 0, sizeof rest);
        x = memcpy(rest[0], x, (size_t)(end - at) * size);
        y = memcpy(rest[1], y, (size_t)(end - at) * size);
    }
    mix(row, span, x, y, in->bytes);
}

/* The sum over a row of n windows of l·cs, or of cs alone (`structure`). `c2` is 2·C2, times (n−1)/n for sample covariance. */
INLINE double similarity(const float *restrict m, const int span, float c2, int structure, int n, float *restrict map) {
    const int tile = span - LANES;
    _Alignas(64) float all[BOX_TILE];
    const float *restrict s = m, *restrict d = s + span, *restrict ss = d + span, *restrict dd = ss + span;
    if (structure)
        for (int i = 0; i < tile; i++) {
            float vs = ss[i] - s[i] * s[i] + c2, vd = dd[i] - d[i] * d[i];
            all[i] = (vs - vd) / (vs + vd);
        }
    else
        for (int i = 0; i < tile; i++) {
            float vs = ss[i] - s[i] * s[i] + c2, vd = dd[i] - d[i] * d[i];
            float ms = (s[i] + 255) * (s[i] + 255) + 2 * C1, md = d[i] * d[i];
            all[i] = ((ms - md) * (vs - vd)) / ((ms + md) * (vs + vd)); /* one division, and exactly 1 for equal pictures */
        }
    for (int i = n; i < tile; i++) all[i] = 0;
    _Alignas(64) float lanes[LANES] = {0};
    for (int i = 0; i < tile; i += LANES)
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
                read_row(row.p[0], SPAN, &in, (top + r) * width + left, end);
                gauss_across(&ring[r % RING], &row);
                if (r < GAUSS - 1 || (r % 2 == 0 && r + 1 < rows)) continue;
                int pair = r % 2 ? 2 : 1; /* an odd last row comes alone: its partner is computed and dropped */
                int first = r - GAUSS + 2 - pair;
                gauss_down(means, ring, first % RING);
                for (int k = 0; k < pair; k++) {
                    ptrdiff_t out = from + first + k;
                    sums[out] += similarity(means[k].p[0], SPAN, 2 * C2, structure, n, map ? map + out * w + left : NULL);
                }
            }
        }
    }
}

/* Sums over seven rows of floats: added afresh for every row, because a running sum would drift. */
INLINE void box_down(Box *restrict sum, Box *restrict ring, const Box *restrict next, int r) {
    for (int v = 0; v < PLANES; v++) {
        float *restrict total = sum->p[v];
        memcpy(ring[r % BOX].p[v], next->p[v], sizeof(float) * BOX_SPAN);
        const float *o[BOX];
        for (int k = 0; k < BOX; k++) o[k] = ring[(r + 1 + k) % BOX].p[v]; /* from the oldest, wherever the ring starts */
        for (int i = 0; i < BOX_SPAN; i++) total[i] = o[0][i] + o[1][i] + o[2][i] + o[3][i] + o[4][i] + o[5][i] + o[6][i];
    }
}

/* Sums over seven rows of 8-bit pixels are whole numbers under 2²⁴, so that adding the row at `at` and taking the one seven
 * above it away, if there is one, is exact. Both are read from the pictures: no row is kept. */
INLINE void box_slide(Box *restrict sum, const Pair *in, ptrdiff_t at, ptrdiff_t end, int full) {
    const uint8_t *restrict x = (const uint8_t *)in->x + at, *restrict y = (const uint8_t *)in->y + at;
    uint8_t rest[2][BOX_SPAN];
    float *restrict s = sum->p[0], *restrict d = sum->p[1], *restrict ss = sum->p[2], *restrict dd = sum->p[3];
    const uint8_t *restrict old_x = x - (full ? BOX * in->width : 0), *restrict old_y = y - (full ? BOX * in->width : 0);
    if (end - at < BOX_SPAN) {
        memset(rest, 0, sizeof rest);
        x = memcpy(rest[0], x, (size_t)(end - at));
        y = memcpy(rest[1], y, (size_t)(end - at));
    }
    for (int i = 0; i < BOX_SPAN; i += LINE) FETCH(x + AHEAD * in->width + i), FETCH(y + AHEAD * in->width + i);
    if (full)
        for (int i = 0; i < BOX_SPAN; i++) {
            const float p = (float)(x[i] + y[i] - 255), q = (float)(x[i] - y[i]);
            const float left = (float)(old_x[i] + old_y[i] - 255), gone = (float)(old_x[i] - old_y[i]);
            s[i] += p - left, d[i] += q - gone, ss[i] += p * p - left * left, dd[i] += q * q - gone * gone;
        }
    else
        for (int i = 0; i < BOX_SPAN; i++) {
            const float p = (float)(x[i] + y[i] - 255), q = (float)(x[i] - y[i]);
            s[i] += p, d[i] += q, ss[i] += p * p, dd[i] += q * q;
        }
}

/* Means over seven columns of sums: pairs, pairs of pairs, and the rest. */
INLINE void box_across(Box *restrict out, const Box *restrict sum) {
    const float share = 1.0f / (BOX * BOX);
    for (int v = 0; v < PLANES; v++) {
        const float *restrict p = sum->p[v];
        float *restrict o = out->p[v];
        _Alignas(64) float two[BOX_SPAN];
        for (int i = 0; i < BOX_SPAN - 1; i++) two[i] = p[i] + p[i + 1];
        for (int i = 0; i < BOX_TILE; i++) o[i] = share * (two[i] + two[i + 2] + (two[i + 4] + p[i + 6]));
    }
}

/* The same with 7×7 windows of equal weight and sample covariance, n/(n−1), as in scikit-image. */
EXPORT WIDE void ssim_box(const void *x, const void *y, int bytes, ptrdiff_t width, ptrdiff_t height, ptrdiff_t start,
                          ptrdiff_t stop, int structure, double *sums, float *map) {
    Pair in = {x, y, bytes, width};
    ptrdiff_t w = width - BOX + 1, h = height - BOX + 1;
    const float area = BOX * BOX, c2 = 2 * C2 * (area - 1) / area;
    Box ring[BOX], column, next, means;
    for (ptrdiff_t from = start, to; from < stop; from = to) {
        ptrdiff_t plane = from / h, top = plane * height + from % h, end = (plane + 1) * height * width;
        to = from + BAND < stop ? from + BAND : stop;
        if (to > (plane + 1) * h) to = (plane + 1) * h;
        int rows = (int)(to - from) + BOX - 1;
        for (ptrdiff_t left = 0; left < w; left += BOX_TILE) {
            int n = w - left < BOX_TILE ? (int)(w - left) : BOX_TILE;
            memset(ring, 0, bytes ? 0 : sizeof ring), memset(&column, 0, sizeof column);
            for (int r = 0; r < rows; r++) {
                const ptrdiff_t at = (top + r) * width + left;
                if (bytes)
                    box_slide(&column, &in, at, end, r >= BOX);
                else {
                    read_row(next.p[0], BOX_SPAN, &in, at, end);
                    box_down(&column, ring, &next, r);
                }
                if (r < BOX - 1) continue;
                box_across(&means, &column);
                ptrdiff_t out = from + r - BOX + 1;
                sums[out] += similarity(means.p[0], BOX_SPAN, c2, structure, n, map ? map + out * w + left : NULL);
            }
        }
    }
}
