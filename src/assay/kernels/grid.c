/* Which of the 64 possible 8×8 grids does each pixel vote for? ops/dct.py holds the definition and the reasons.

   grid_zeros: for every place of an 8×8 block, how many of its 63 AC coefficients are zero after rounding.
   grid_votes: for every pixel, the phase of the covering block that has the most of them. */
#include "kernels.h"

#include <math.h>
#include <string.h>

enum { TILE = 64, WIDE_TILE = 256, NONE = 255, FLAT = 128 };

/* The 8-point DCT with every output divided by its largest factor, which leaves 28 operations; `least` puts the
   factors back into the threshold. Outputs 0 and 4 of integers are exact integers. */
#define TAN_PI_8 0.41421356237309503f
#define C3 0.84775906502257350f /* cos(3π/16) / cos(π/16) */
#define C5 0.56645449735052140f
#define C7 0.19891236737965800f
#define DCT8(x0, x1, x2, x3, x4, x5, x6, x7, OUT)                                                                  \
    do {                                                                                                           \
        const float s0 = x0 + x7, s1 = x1 + x6, s2 = x2 + x5, s3 = x3 + x4;                                        \
        const float d0 = x0 - x7, d1 = x1 - x6, d2 = x2 - x5, d3 = x3 - x4;                                        \
        const float e0 = s0 + s3, e1 = s1 + s2, e2 = s0 - s3, e3 = s1 - s2;                                        \
        OUT(0, e0 + e1);                                                                                           \
        OUT(1, d0 + C3 * d1 + C5 * d2 + C7 * d3);                                                                  \
        OUT(2, e2 + TAN_PI_8 * e3);                                                                                \
        OUT(3, C3 * d0 - C7 * d1 - d2 - C5 * d3);                                                                  \
        OUT(4, e0 - e1);                                                                                           \
        OUT(5, C5 * d0 - d1 + C7 * d2 + C3 * d3);                                                                  \
        OUT(6, TAN_PI_8 * e2 - e3);                                                                                \
        OUT(7, C7 * d0 - C5 * d1 + C3 * d2 - d3);                                                                  \
    } while (0)

typedef float Rows[8][8][TILE]; /* [row of the picture mod 8][horizontal frequency][column] */

/* Counts, for one horizontal frequency of TILE blocks, the vertical frequencies that are below `least`. */
static inline __attribute__((always_inline)) void count(Rows rows, int top, int u, const float *restrict least, int32_t *restrict zeros) {
    const float *restrict r0 = rows[top & 7][u], *restrict r1 = rows[(top + 1) & 7][u], *restrict r2 = rows[(top + 2) & 7][u];
    const float *restrict r3 = rows[(top + 3) & 7][u], *restrict r4 = rows[(top + 4) & 7][u], *restrict r5 = rows[(top + 5) & 7][u];
    const float *restrict r6 = rows[(top + 6) & 7][u], *restrict r7 = rows[(top + 7) & 7][u];
    for (int i = 0; i < TILE; i++) {
        int32_t n = zeros[i];
#define OUT(v, c) n += fabsf(c) < least[v]
        DCT8(r0[i], r1[i], r2[i], r3[i], r4[i], r5[i], r6[i], r7[i], OUT);
#undef OUT
        zeros[i] = n;
    }
}

/* Marks the blocks whose rows are all constant, or whose columns are: 0 in `changes` along that direction. */
static inline __attribute__((always_inline)) void flat(const uint8_t (*rows)[TILE + 8], int top, uint8_t *restrict is_flat) {
    uint8_t across[TILE + 8] = {0}, down[TILE + 8] = {0};
    for (int r = 0; r < 8; r++) {
        const uint8_t *restrict row = rows[(top + r) & 7], *restrict next = rows[(top + r + 1) & 7];
        for (int i = 0; i < TILE + 7; i++) across[i] |= row[i] ^ row[i + 1];
        if (r < 7)
            for (int i = 0; i < TILE + 7; i++) down[i] |= row[i] ^ next[i];
    }
    for (int i = 0; i < TILE; i++) {
        uint8_t a = across[i], d = down[i];
        for (int j = 1; j < 7; j++) a |= across[i + j];
        for (int j = 1; j < 8; j++) d |= down[i + j];
        is_flat[i] = a && d ? 0 : FLAT;
    }
}

/* Pixels start..stop of luma as whole numbers, from planes of `size` pixels. */
EXPORT WIDE void grid_luma(const uint8_t *restrict from, ptrdiff_t size, ptrdiff_t start, ptrdiff_t stop, uint8_t *restrict luma) {
    const uint8_t *restrict g = from + size, *restrict b = g + size;
    for (ptrdiff_t i = start; i < stop; i++) luma[i] = (uint8_t)((299u * from[i] + 587u * g[i] + 114u * b[i] + 500u) / 1000u);
}

/* luma: height×width; zeros: (height-7)×(width-7), of which rows first..last-1 are written: the count of AC
   coefficients below their `least` (8×8, by horizontal then vertical frequency), + 128 if constant along a direction. */
EXPORT WIDE void grid_zeros(const uint8_t *luma, ptrdiff_t width, ptrdiff_t first, ptrdiff_t last, const float *least, uint8_t *zeros) {
    const ptrdiff_t across = width - 7;
    for (ptrdiff_t x = 0; x < across; x += TILE) {
        const ptrdiff_t wide = across - x < TILE ? across - x : TILE;
        Rows rows;
        uint8_t bytes[8][TILE + 8] = {{0}}, is_flat[TILE];
        for (ptrdiff_t y = first; y < last + 7; y++) {
            float p[TILE + 8];
            memcpy(bytes[y & 7], luma + y * width + x, (size_t)(wide + 7));
            for (int i = 0; i < TILE + 8; i++) p[i] = bytes[y & 7][i];
            float(*restrict row)[TILE] = rows[y & 7];
            for (int i = 0; i < TILE; i++) {
#define OUT(u, c) row[u][i] = c
                DCT8(p[i], p[i + 1], p[i + 2], p[i + 3], p[i + 4], p[i + 5], p[i + 6], p[i + 7], OUT);
#undef OUT
            }
            if (y < first + 7) continue;
            int32_t n[TILE] = {0};
            for (int u = 0; u < 8; u++) count(rows, (int)((y - 7) & 7), u, least + 8 * u, n);
            flat(bytes, (int)((y - 7) & 7), is_flat);
            uint8_t *out = zeros + (y - 7) * across + x;
            for (ptrdiff_t i = 0; i < wide; i++) out[i] = (uint8_t)(n[i] | is_flat[i]);
        }
    }
}

/* votes: height×width, rows first..last-1 are written: phase x%8 + 8 (y%8) of the winning block, or 255.
   The largest (count, phase) and the largest (count, 63 - phase) name the same block only if no other block has as
   many zeros; a flat block gets phase 63 in both, so that the two can never agree on it. */
EXPORT WIDE void grid_votes(const uint8_t *zeros, ptrdiff_t height, ptrdiff_t width, ptrdiff_t first, ptrdiff_t last, uint8_t *votes) {
    memset(votes + first * width, NONE, (size_t)((last - first) * width));
    const ptrdiff_t across = width - 7;
    for (ptrdiff_t y = first > 7 ? first : 7; y < last && y < height - 7; y++) {
        for (ptrdiff_t x = 7; x < across; x += WIDE_TILE) {
            const ptrdiff_t wide = across - x < WIDE_TILE ? across - x : WIDE_TILE;
            uint16_t up[WIDE_TILE + 8] = {0}, down[WIDE_TILE + 8] = {0};
            for (ptrdiff_t r = y - 7; r <= y; r++) {
                const uint8_t *restrict z = zeros + r * across + x - 7;
                const uint16_t high = (uint16_t)(8 * (r & 7));
                for (ptrdiff_t i = 0; i < wide + 7; i++) {
                    const uint16_t key = (uint16_t)((z[i] & 127) << 6), tie = z[i] & FLAT ? 63 : 0;
                    const uint16_t phase = (uint16_t)(high | ((x - 7 + i) & 7));
                    const uint16_t a = key | tie | phase, b = key | tie | (uint16_t)(63 - phase);
                    up[i] = up[i] > a ? up[i] : a;
                    down[i] = down[i] > b ? down[i] : b;
                }
            }
            for (int step = 1; step < 8; step *= 2)
                for (int i = 0; i < WIDE_TILE + 8 - step; i++) { /* in place: i + step is read before it is written */
                    up[i] = up[i] > up[i + step] ? up[i] : up[i + step];
                    down[i] = down[i] > down[i + step] ? down[i] : down[i + step];
                }
            for (ptrdiff_t i = 0; i < wide; i++) {
                const uint16_t phase = up[i] & 63;
                votes[y * width + x + i] = phase == 63 - (down[i] & 63) ? (uint8_t)phase : NONE;
            }
        }
    }
}
