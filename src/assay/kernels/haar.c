/* Haar wavelet similarity of a pair of pictures, tile by tile. The definition is ops/haar.py.
 *
 * The wavelet of scale k needs sums over quarters of a 2^k window. Sums over 2^k×2^k are made of four over 2^(k-1), so each
 * scale costs nine additions a pixel, whatever its size. */
#include <math.h>
#include <string.h>

#include "kernels.h"

#if defined(__GNUC__)
#define INLINE static inline __attribute__((always_inline)) /* so that it is compiled once for each machine of WIDE */
#else
#define INLINE static inline
#endif

enum { BAND = 32, TILE = 128, BEFORE = 3, AFTER = 4, ROWS = BAND + BEFORE + AFTER, COLS = TILE + 16, LANES = 16 };

typedef struct {
    _Alignas(64) float p[ROWS][COLS]; /* row r is picture row top - BEFORE + r, column c is left - BEFORE + c */
} Patch;

INLINE void load(Patch *patch, const float *plane, ptrdiff_t height, ptrdiff_t width, ptrdiff_t top, ptrdiff_t left) {
    memset(patch, 0, sizeof *patch);
    const ptrdiff_t x0 = left - BEFORE > 0 ? left - BEFORE : 0, x1 = left + TILE + AFTER < width ? left + TILE + AFTER : width;
    for (ptrdiff_t r = 0; r < ROWS; r++) {
        const ptrdiff_t y = top - BEFORE + r;
        if (y < 0 || y >= height) continue;
        memcpy(patch->p[r] + (x0 - left + BEFORE), plane + y * width + x0, sizeof(float) * (size_t)(x1 - x0));
    }
}

/* Sums over twice the size: s(y, x) + s(y, x+m) + s(y+m, x) + s(y+m, x+m). */
INLINE void doubled(const Patch *restrict in, Patch *restrict out, int m) {
    for (int r = 0; r + m < ROWS; r++)
        for (int c = 0; c < COLS - 8; c++) out->p[r][c] = in->p[r][c] + in->p[r][c + m] + in->p[r + m][c] + in->p[r + m][c + m];
}

/* Magnitudes of one row of wavelets of size 2m from sums over m×m; `at` is the row and column where its windows begin. */
INLINE void wavelets(const Patch *in, int row, int m, float scale, float *restrict flat, float *restrict upright) {
    const int at = BEFORE - (m - 1);
    const float *restrict u = in->p[row + at] + at, *restrict d = in->p[row + at + m] + at;
    for (int i = 0; i < TILE; i++) {
        const float left = u[i] + d[i], right = u[i + m] + d[i + m], upper = u[i] + u[i + m], lower = d[i] + d[i + m];
        flat[i] = scale * fabsf(lower - upper);
        upright[i] = scale * fabsf(right - left);
    }
}

INLINE float alike(float a, float b, float c) { return (2 * a * b + c) / (a * a + b * b + c); }

/* 1 / (1 + e^-t) for |t| ≤ 80: 2^i by the exponent's bits, 2^f on [-½, ½] by its Taylor series (error 2e-7). */
INLINE float sigmoid(float t) {
    const float v = -1.44269504f * t, whole = nearbyintf(v), f = 0.69314718f * (v - whole);
    const float p = 1 + f * (1 + f * (0.5f + f * (1.f / 6 + f * (1.f / 24 + f * (1.f / 120 + f * (1.f / 720))))));
    union {
        int32_t bits;
        float value;
    } power = {((int32_t)whole + 127) * (1 << 23)};
    return 1 / (1 + p * power.value);
}

/* Bands start..stop of BAND rows, of all N pictures together; planes: 1 (luma) or 3 (Y, I, Q). sums: two doubles a band,
 * zeroed by the caller: Σ w·sigmoid(alpha·s) and Σ w. */
EXPORT WIDE void haar_similarity(const float *x, const float *y, ptrdiff_t planes, ptrdiff_t height, ptrdiff_t width, float c,
                                 float alpha, ptrdiff_t start, ptrdiff_t stop, double *sums) {
    const ptrdiff_t bands = (height + BAND - 1) / BAND, area = height * width;
    const int directions = planes == 3 ? 3 : 2;
    Patch one[2], two[2], four[2];
    _Alignas(64) float a[2][TILE], b[2][TILE], s[3][TILE], w[3][TILE];
    memset(two, 0, sizeof two);
    memset(four, 0, sizeof four);
    for (ptrdiff_t band = start; band < stop; band++) {
        const ptrdiff_t picture = band / bands, top = band % bands * BAND;
        const ptrdiff_t rows = height - top < BAND ? height - top : BAND;
        const float *in[2] = {x + picture * planes * area, y + picture * planes * area};
        double all = 0, weight = 0;
        for (ptrdiff_t left = 0; left < width; left += TILE) {
            const int n = width - left < TILE ? (int)(width - left) : TILE;
            for (int k = 0; k < 2; k++) {
                load(&one[k], in[k], height, width, top, left);
                doubled(&one[k], &two[k], 1);
                doubled(&two[k], &four[k], 2);
            }
            _Alignas(64) float lanes[2][LANES] = {{0}};
            for (int r = 0; r < rows; r++) {
                wavelets(&four[0], r, 4, 0.125f, a[0], a[1]);
                wavelets(&four[1], r, 4, 0.125f, b[0], b[1]);
                for (int k = 0; k < 2; k++)
                    for (int i = 0; i < TILE; i++) w[k][i] = a[k][i] > b[k][i] ? a[k][i] : b[k][i];
                wavelets(&one[0], r, 1, 0.5f, a[0], a[1]);
                wavelets(&one[1], r, 1, 0.5f, b[0], b[1]);
                for (int k = 0; k < 2; k++)
                    for (int i = 0; i < TILE; i++) s[k][i] = alike(a[k][i], b[k][i], c);
                wavelets(&two[0], r, 2, 0.25f, a[0], a[1]);
                wavelets(&two[1], r, 2, 0.25f, b[0], b[1]);
                for (int k = 0; k < 2; k++)
                    for (int i = 0; i < TILE; i++) s[k][i] = (s[k][i] + alike(a[k][i], b[k][i], c)) / 2;
                if (planes == 3) {
                    memset(s[2], 0, sizeof s[2]);
                    const ptrdiff_t at = (top + r) * width + left;
                    const int below = top + r + 1 < height, edge = left + n < width ? n : n - 1;
                    for (int v = 1; v < 3; v++) {
                        const float *restrict p = in[0] + v * area + at, *restrict q = in[1] + v * area + at;
                        const float *restrict pd = below ? p + width : p, *restrict qd = below ? q + width : q;
                        const float down = below ? 0.25f : 0;
                        for (int i = 0; i < edge; i++)
                            s[2][i] += alike(fabsf(0.25f * (p[i] + p[i + 1]) + down * (pd[i] + pd[i + 1])),
                                             fabsf(0.25f * (q[i] + q[i + 1]) + down * (qd[i] + qd[i + 1])), c) / 2;
                        if (edge < n) s[2][edge] += alike(fabsf(0.25f * p[edge] + down * pd[edge]), fabsf(0.25f * q[edge] + down * qd[edge]), c) / 2;
                    }
                    for (int i = 0; i < TILE; i++) w[2][i] = (w[0][i] + w[1][i]) / 2;
                }
                for (int k = 0; k < directions; k++) {
                    for (int i = n; i < TILE; i++) w[k][i] = 0;
                    for (int i = 0; i < TILE; i += LANES)
                        for (int j = 0; j < LANES; j++) {
                            lanes[0][j] += w[k][i + j] * sigmoid(alpha * s[k][i + j]);
                            lanes[1][j] += w[k][i + j];
                        }
                }
            }
            for (int j = 0; j < LANES; j++) all += lanes[0][j], weight += lanes[1][j];
        }
        sums[2 * band] += all;
        sums[2 * band + 1] += weight;
    }
}
