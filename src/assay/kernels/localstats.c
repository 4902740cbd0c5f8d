/* Local statistics: means over small squares of what is asked of every pixel. The definitions are in ops/localstats.py.
 *
 * Planes are whole numbers of squares wide and high. Every function takes a range of rows of squares, counted over all
 * pictures, and writes planes of one number a square. Beyond the border lies the nearest pixel, if nothing else is said. */
#include <math.h>

#include "floats.h"

enum { CELL = 16, TILE = 256 };
static const float LN2 = 0.693147181f;

INLINE ptrdiff_t clamped(ptrdiff_t v, ptrdiff_t most) { return v < 0 ? 0 : v > most ? most : v; }

/* Row y of a plane from left - 1 to left + n: n + 2 numbers. */
INLINE void line(const float *plane, ptrdiff_t height, ptrdiff_t width, ptrdiff_t y, ptrdiff_t left, int n, float *restrict to) {
    const float *row = plane + clamped(y, height - 1) * width + left;
    memcpy(to + 1, row, sizeof(float) * (size_t)n);
    to[0] = left > 0 ? row[-1] : row[0];
    to[n + 1] = left + n < width ? row[n] : row[n - 1];
}

/* Means of `side` columns each of n sums that are over `side` rows, of `count` planes that lie `apart`. */
INLINE void gathered(const float (*sums)[TILE], int count, int n, int side, ptrdiff_t apart, float *restrict to) {
    for (int k = 0; k < count; k++)
        for (int j = 0; j < n / side; j++) {
            float total = 0;
            for (int l = 0; l < side; l++) total += sums[k][j * side + l];
            to[k * apart + j] = total / (float)(side * side);
        }
}

/* Means over side×side pixels; rows of squares as everywhere. */
EXPORT WIDE void local_means(const float *from, ptrdiff_t height, ptrdiff_t width, ptrdiff_t side, ptrdiff_t start, ptrdiff_t stop, float *to) {
    const ptrdiff_t h = height / side, w = width / side;
    for (ptrdiff_t at = start; at < stop; at++) {
        const float *restrict rows = from + (at / h * height + at % h * side) * width;
        float *restrict out = to + at * w;
        for (ptrdiff_t j = 0; j < w; j++) out[j] = 0;
        for (ptrdiff_t y = 0; y < side; y++)
            for (ptrdiff_t x = 0; x < side; x++)
                for (ptrdiff_t j = 0; j < w; j++) out[j] += rows[y * width + j * side + x];
        for (ptrdiff_t j = 0; j < w; j++) out[j] /= (float)(side * side);
    }
}

/* Light, colour, clipping and flatness (12 planes), and products of the channels' gradients: rr, gg, bb, rg, bg.
 * rgb: N×3×height×width, y: its luma. */
EXPORT WIDE void local_colours(const float *rgb, const float *luma, ptrdiff_t height, ptrdiff_t width, ptrdiff_t start, ptrdiff_t stop, float *to) {
    enum { PLAIN = 12, PLANES = 17 };
    const ptrdiff_t h = height / CELL, w = width / CELL, size = height * width;
    float sums[PLANES][TILE], up[4][TILE + 2], mid[4][TILE + 2], low[4][TILE + 2]; /* r, g, b, luma */
    for (ptrdiff_t at = start; at < stop; at++)
        for (ptrdiff_t left = 0; left < width; left += TILE) {
            const int n = width - left < TILE ? (int)(width - left) : TILE;
            memset(sums, 0, sizeof sums);
            for (ptrdiff_t y = at % h * CELL; y < at % h * CELL + CELL; y++) {
                for (int c = 0; c < 4; c++) {
                    const float *plane = c < 3 ? rgb + (3 * (at / h) + c) * size : luma + at / h * size;
                    line(plane, height, width, y - 1, left, n, up[c]);
                    line(plane, height, width, y, left, n, mid[c]);
                    line(plane, height, width, y + 1, left, n, low[c]);
                }
                for (int i = 0; i < n; i++) {
                    const float r = mid[0][i + 1], g = mid[1][i + 1], b = mid[2][i + 1], v = mid[3][i + 1];
                    const float cb = 0.564f * (b - v), cr = 0.713f * (r - v), both = cb * cb + cr * cr;
                    const float rg = r > g ? r : g, top = rg > b ? rg : b, gr = r < g ? r : g, bottom = gr < b ? gr : b;
                    sums[0][i] += v, sums[1][i] += v * v, sums[2][i] += cb, sums[3][i] += cr;
                    sums[4][i] += sqrtf(both + 1e-8f), sums[5][i] += both;
                    sums[6][i] += top > 0.995f ? 1.f : 0.f, sums[7][i] += bottom < 0.005f ? 1.f : 0.f;
                    sums[11][i] += top - bottom;
                }
                for (int i = 0; i < n; i++) {
                    const float v = mid[3][i + 1], near = (up[3][i + 1] + low[3][i + 1] + mid[3][i] + mid[3][i + 2]) * 0.25f;
                    sums[8][i] += v > 0.97f ? 1.f : 0.f, sums[9][i] += v < 0.03f ? 1.f : 0.f;
                    sums[10][i] += fabsf(v - near) < (float)(0.4 / 255) ? 1.f : 0.f;
                }
                for (int i = 0; i < n; i++) {
                    float across[3], down[3];
                    for (int c = 0; c < 3; c++) across[c] = mid[c][i + 2] - mid[c][i], down[c] = low[c][i + 1] - up[c][i + 1];
                    for (int c = 0; c < 3; c++) sums[PLAIN + c][i] += across[c] * across[c] + down[c] * down[c];
                    sums[15][i] += across[0] * across[1] + down[0] * down[1], sums[16][i] += across[2] * across[1] + down[2] * down[1];
                }
            }
            gathered((const float (*)[TILE])sums, PLANES, n, CELL, h * w, to + at / h * PLANES * h * w + at % h * w + left / CELL);
        }
}

/* What differs from the four pixels beside it, squared, and the square of that, for `count` planes: N×2·count planes. */
EXPORT WIDE void local_details(const float *from, ptrdiff_t count, ptrdiff_t height, ptrdiff_t width, ptrdiff_t cell, ptrdiff_t start,
                               ptrdiff_t stop, float *to) {
    const ptrdiff_t h = height / cell, w = width / cell;
    float sums[2][TILE], up[TILE + 2], mid[TILE + 2], low[TILE + 2];
    for (ptrdiff_t at = start; at < stop; at++)
        for (ptrdiff_t c = 0; c < count; c++)
            for (ptrdiff_t left = 0; left < width; left += TILE) {
                const int n = width - left < TILE ? (int)(width - left) : TILE;
                const float *plane = from + (at / h * count + c) * height * width;
                memset(sums, 0, sizeof sums);
                for (ptrdiff_t y = at % h * cell; y < at % h * cell + cell; y++) {
                    line(plane, height, width, y - 1, left, n, up);
                    line(plane, height, width, y, left, n, mid);
                    line(plane, height, width, y + 1, left, n, low);
                    for (int i = 0; i < n; i++) {
                        const float fine = mid[i + 1] - (up[i + 1] + low[i + 1] + mid[i] + mid[i + 2]) * 0.25f, square = fine * fine;
                        sums[0][i] += square, sums[1][i] += square * square;
                    }
                }
                gathered((const float (*)[TILE])sums, 2, n, (int)cell, count * h * w,
                         to + (at / h * 2 * count + c) * h * w + at % h * w + left / cell);
            }
}

/* How far the step before pixel k stands out of its neighbours, from steps k-2 to k on; none before the first pixel and after the last. */
INLINE float excess(const float *step, ptrdiff_t apart, ptrdiff_t k, ptrdiff_t last) {
    return k > 0 && k < last ? step[apart] - (step[0] + step[apart] + step[2 * apart]) / 3 : 0;
}

/* The mean of both sides' excess for eight phases, and of both sides' steps: to[9], from 20 sums over 16 pixels each of the steps
 * first-2 … first+17 (step s lies before pixel s + 1), `apart` from each other. */
INLINE void phases(const float *steps, ptrdiff_t apart, ptrdiff_t first, ptrdiff_t last, ptrdiff_t plane, float *restrict to) {
    float e[CELL + 1], level = 0;
    for (int k = 0; k <= CELL; k++) {
        e[k] = excess(steps + k * apart, apart, first + k, last);
        level += (k > 0 && k < CELL ? 2.f : 1.f) * (first + k > 0 && first + k < last ? steps[(k + 1) * apart] : 0);
    }
    for (int p = 0; p < 8; p++) to[p * plane] = (e[p] + e[p + 1] + e[p + 8] + e[p + 9]) / (4 * CELL);
    to[8 * plane] = level / (CELL * CELL);
}

/* Steps between neighbours down and across, 18 planes: of each direction eight phases and the level.
 * room: 20 rows of width / 16 numbers and one of width + 4. */
EXPORT WIDE void local_steps(const float *luma, ptrdiff_t height, ptrdiff_t width, ptrdiff_t start, ptrdiff_t stop, float *room, float *to) {
    enum { PLANES = 18, SEEN = CELL + 4 };
    const ptrdiff_t h = height / CELL, w = width / CELL;
    float *across = room + SEEN * w;
    for (ptrdiff_t at = start; at < stop; at++) {
        const float *plane = luma + at / h * height * width;
        const ptrdiff_t top = at % h * CELL;
        for (int k = 0; k < SEEN; k++) {
            const float *restrict a = plane + clamped(top - 2 + k, height - 2) * width, *restrict b = a + width;
            for (ptrdiff_t j = 0; j < w; j++) {
                float total = 0;
                for (int l = 0; l < CELL; l++) total += fabsf(b[j * CELL + l] - a[j * CELL + l]);
                room[k * w + j] = total;
            }
        }
        memset(across, 0, sizeof(float) * (size_t)(width + 4));
        for (ptrdiff_t y = top; y < top + CELL; y++) {
            const float *restrict row = plane + y * width;
            float *restrict sums = across + 2;
            for (ptrdiff_t x = 0; x + 1 < width; x++) sums[x] += fabsf(row[x + 1] - row[x]);
        }
        across[0] = across[1] = across[2], across[width + 1] = across[width + 2] = across[width + 3] = across[width];
        float *out = to + at / h * PLANES * h * w + at % h * w;
        for (ptrdiff_t j = 0; j < w; j++) {
            phases(room + j, w, top, height, h * w, out + j);
            phases(across + j * CELL, 1, j * CELL, width, h * w, out + PLANES / 2 * h * w + j);
        }
    }
}

/* Row y, from left - 1 to left + n, of the locally normalised picture, and of the logarithm of the local deviation. */
INLINE void normal(const float *luma, const float *mean, const float *variance, ptrdiff_t height, ptrdiff_t width, ptrdiff_t y,
                   ptrdiff_t left, int n, float calm, float *restrict m, float *restrict deviation) {
    float p[TILE + 2], q[TILE + 2], v[TILE + 2];
    line(luma, height, width, y, left, n, p), line(mean, height, width, y, left, n, q), line(variance, height, width, y, left, n, v);
    for (int i = 0; i < n + 2; i++) {
        const float sigma = sqrtf((v[i] > 0 ? v[i] : 0) + 1e-8f);
        m[i] = (p[i] - q[i]) / (sigma + calm);
        deviation[i] = LN2 * logarithm(sigma + 1e-3f);
    }
}

/* The locally normalised picture: |m|, m², m⁴, m times its neighbours beside and at the corners, and the local deviation. */
EXPORT WIDE void local_textures(const float *luma, const float *mean, const float *variance, ptrdiff_t height, ptrdiff_t width, float calm,
                                ptrdiff_t cell, ptrdiff_t start, ptrdiff_t stop, float *to) {
    enum { PLANES = 6 };
    const ptrdiff_t h = height / cell, w = width / cell;
    float sums[PLANES][TILE], rows[3][TILE + 2], deviations[3][TILE + 2];
    for (ptrdiff_t at = start; at < stop; at++)
        for (ptrdiff_t left = 0; left < width; left += TILE) {
            const int n = width - left < TILE ? (int)(width - left) : TILE;
            const ptrdiff_t skip = at / h * height * width, top = at % h * cell;
            memset(sums, 0, sizeof sums);
            for (ptrdiff_t y = top - 1; y <= top + cell; y++) {
                const int newest = (int)((y - top + 1) % 3);
                normal(luma + skip, mean + skip, variance + skip, height, width, y, left, n, calm, rows[newest], deviations[newest]);
                if (y <= top) continue; /* row y - 1 has its neighbours now */
                const float *restrict low = rows[newest], *restrict mid = rows[(newest + 2) % 3], *restrict up = rows[(newest + 1) % 3];
                const float *restrict deviation = deviations[(newest + 2) % 3];
                for (int i = 0; i < n; i++) {
                    const float m = mid[i + 1], square = m * m;
                    const float near = (up[i + 1] + low[i + 1] + mid[i] + mid[i + 2]) * 0.25f;
                    const float far = (up[i] + up[i + 2] + low[i] + low[i + 2]) * 0.25f;
                    sums[0][i] += fabsf(m), sums[1][i] += square, sums[2][i] += square * square;
                    sums[3][i] += m * near, sums[4][i] += m * far, sums[5][i] += deviation[i + 1];
                }
            }
            gathered((const float (*)[TILE])sums, PLANES, n, (int)cell, h * w, to + at / h * PLANES * h * w + at % h * w + left / cell);
        }
}

enum { FREQUENCIES = 64, RINGS = 10, STEP = 4, SPOTS = 64, ROOM = 96, ROWS = 24 };

INLINE ptrdiff_t mirrored(ptrdiff_t v, ptrdiff_t last) { return v < 0 ? -v : v > last ? 2 * last - v : v; }

/* Along one axis, all eight frequencies of eight values: what they have in common with their mirror image, and what not. */
INLINE void transformed(const float *const in[8], const float *restrict basis, int n, float (*restrict out)[ROOM]) {
    for (int i = 0; i < n; i++) {
        float even[4], odd[4];
        for (int k = 0; k < 4; k++) even[k] = in[k][i] + in[7 - k][i], odd[k] = in[k][i] - in[7 - k][i];
        for (int u = 0; u < 8; u += 2) {
            const float *b = basis + 8 * u, *c = b + 8;
            out[u][i] = b[0] * even[0] + b[1] * even[1] + b[2] * even[2] + b[3] * even[3];
            out[u + 1][i] = c[0] * odd[0] + c[1] * odd[1] + c[2] * odd[2] + c[3] * odd[3];
        }
    }
}

/* Energies of 8×8 transforms at every fourth pixel, the border mirrored: means over the (cell/4 + 1)² of a square of all 64, then of
 * the logarithms of ten rings' energies. basis: 8×8; ring, share: to which ring a frequency counts, how much; 64 each. */
EXPORT WIDE void local_spectra(const float *luma, ptrdiff_t height, ptrdiff_t width, ptrdiff_t cell, const float *basis, const int32_t *ring,
                               const float *share, float tiny, ptrdiff_t start, ptrdiff_t stop, float *to) {
    enum { PLANES = FREQUENCIES + RINGS };
    const ptrdiff_t h = height / cell, w = width / cell;
    const int window = (int)cell / STEP + 1;
    float split[ROWS][STEP][ROOM] = {{{0}}}; /* pixel rows, every fourth pixel together */
    float down[STEP][8][ROOM], both[8][ROOM], rings[RINGS][ROOM], sums[PLANES][ROOM];
    for (ptrdiff_t at = start; at < stop; at++)
        for (ptrdiff_t left = 0; left < width; left += STEP * SPOTS) {
            const int spots = width - left < STEP * SPOTS ? (int)((width - left) / STEP) : SPOTS, n = (spots + 1 + 15) / 16 * 16;
            const float *plane = luma + at / h * height * width;
            for (int r = 0; r < (window + 1) * STEP; r++) {
                const float *row = plane + mirrored(at % h * cell - STEP + r, height - 1) * width;
                for (int j = 0; j < spots + 2; j++)
                    for (int p = 0; p < STEP; p++) split[r][p][j] = row[mirrored(left + STEP * (j - 1) + p, width - 1)];
            }
            memset(sums, 0, sizeof sums);
            for (int spot = 0; spot < window; spot++) {
                for (int p = 0; p < STEP; p++) {
                    const float *in[8];
                    for (int k = 0; k < 8; k++) in[k] = split[spot * STEP + k][p];
                    transformed(in, basis, spots + 2 > n ? spots + 2 : n, down[p]);
                }
                memset(rings, 0, sizeof rings);
                for (int u = 0; u < 8; u++) {
                    const float *in[8];
                    for (int k = 0; k < 8; k++) in[k] = down[k % STEP][u] + k / STEP;
                    transformed(in, basis, n, both);
                    for (int v = 0; v < 8; v++) {
                        float *restrict sum = sums[8 * u + v], *restrict part = rings[ring[8 * u + v]];
                        const float much = share[8 * u + v];
                        for (int i = 0; i < n; i++) {
                            const float power = both[v][i] * both[v][i];
                            sum[i] += power, part[i] += much * power;
                        }
                    }
                }
                for (int k = 0; k < RINGS; k++)
                    for (int i = 0; i < n; i++) sums[FREQUENCIES + k][i] += LN2 * logarithm(rings[k][i] + tiny);
            }
            float *out = to + at / h * PLANES * h * w + at % h * w + left / cell;
            for (int k = 0; k < PLANES; k++)
                for (int j = 0; j < spots * STEP / cell; j++) {
                    float total = 0;
                    for (int l = 0; l < window; l++) total += sums[k][j * (window - 1) + l];
                    out[k * h * w + j] = total / (float)(window * window);
                }
        }
}
