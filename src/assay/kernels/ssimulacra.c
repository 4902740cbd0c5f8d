/* SSIMULACRA 2: from light to the XYB colours of JPEG XL, and the damage of a plane under JPEG XL's Gaussian of nine pixels. */
#include <math.h>
#include <string.h>

#include "kernels.h"

enum { REACH = 4, TILE = 496, LANES = 16, SUMS = 6 };

typedef struct {
    float lms[9], bias, root; /* root: of the bias */
    float scale[3], lift[3];  /* of X, Y and B */
} Colours;

/* The cube root of v > 0: a guess from the exponent, good to 5 %, then Halley's step twice, each cubing the error. */
static inline float cube_root(float v) {
    int32_t bits;
    float y;
    memcpy(&bits, &v, 4);
    bits = (int32_t)((float)bits * (1.0f / 3)) + 709921077;
    memcpy(&y, &bits, 4);
    for (int step = 0; step < 2; step++) {
        float cube = y * y * y;
        y *= (cube + 2 * v) / (2 * cube + v);
    }
    return y;
}

/* Pixels start..stop of three planes of light. */
EXPORT WIDE void xyb_from_light(const float *light, ptrdiff_t pixels, const Colours *by, ptrdiff_t start, ptrdiff_t stop, float *out) {
    const float *restrict r = light, *restrict g = light + pixels, *restrict b = light + 2 * pixels;
    float *restrict x_to = out, *restrict y_to = out + pixels, *restrict b_to = out + 2 * pixels;
    const Colours c = *by;
    for (ptrdiff_t i = start; i < stop; i++) {
        float l = cube_root(c.lms[0] * r[i] + c.lms[1] * g[i] + c.lms[2] * b[i] + c.bias) - c.root;
        float m = cube_root(c.lms[3] * r[i] + c.lms[4] * g[i] + c.lms[5] * b[i] + c.bias) - c.root;
        float s = cube_root(c.lms[6] * r[i] + c.lms[7] * g[i] + c.lms[8] * b[i] + c.bias) - c.root;
        float y = 0.5f * (l + m);
        x_to[i] = c.scale[0] * 0.5f * (l - m) + c.lift[0];
        y_to[i] = c.scale[1] * y + c.lift[1];
        b_to[i] = c.scale[2] * (s - y) + c.lift[2];
    }
}

/* Columns left-REACH..left+n+REACH of row y of both planes, of their squared difference and of their product, blurred down. */
static inline __attribute__((always_inline)) void down(const float *ref, const float *x, ptrdiff_t h, ptrdiff_t w, ptrdiff_t y,
                                                       ptrdiff_t left, int n, const float *window, float (*out)[TILE + 2 * REACH]) {
    ptrdiff_t first = left < REACH ? REACH - left : 0, last = left + n + REACH > w ? w - left + REACH : n + 2 * REACH;
    memset(out, 0, 4 * sizeof *out);
    for (ptrdiff_t row = y - REACH; row <= y + REACH; row++) {
        if (row < 0 || row >= h) continue;
        float weight = window[row < y ? y - row : row - y];
        const float *a = ref + row * w + left - REACH, *b = x + row * w + left - REACH;
        for (ptrdiff_t i = first; i < last; i++) {
            out[0][i] += weight * a[i];
            out[1][i] += weight * b[i];
            out[2][i] += weight * ((a[i] - b[i]) * (a[i] - b[i]));
            out[3][i] += weight * (a[i] * b[i]);
        }
    }
}

/* Rows start..stop: of each, the sums of structure, ringing and blur, then of their fourth powers. */
EXPORT WIDE void ssimulacra_rows(const float *ref, const float *x, ptrdiff_t h, ptrdiff_t w, const float *window, float c2,
                                 ptrdiff_t start, ptrdiff_t stop, double *sums) {
    float column[4][TILE + 2 * REACH];
    for (ptrdiff_t y = start; y < stop; y++) {
        double *to = sums + SUMS * y;
        memset(to, 0, SUMS * sizeof *to);
        for (ptrdiff_t left = 0; left < w; left += TILE) {
            int n = w - left < TILE ? (int)(w - left) : TILE;
            float total[SUMS][LANES] = {0};
            down(ref, x, h, w, y, left, n, window, column);
            const float *a = ref + y * w + left, *b = x + y * w + left;
            for (int i = 0; i < n; i += LANES) {
                int lanes = n - i < LANES ? n - i : LANES;
                for (int k = 0; k < lanes; k++) {
                    float mean[4];
                    for (int q = 0; q < 4; q++) {
                        const float *p = column[q] + i + k;
                        mean[q] = window[0] * p[4] + window[1] * (p[3] + p[5]) + window[2] * (p[2] + p[6]) + window[3] * (p[1] + p[7]) +
                                  window[4] * (p[0] + p[8]);
                    }
                    float apart = (mean[0] - mean[1]) * (mean[0] - mean[1]), shared = 2 * (mean[3] - mean[0] * mean[1]) + c2;
                    float d = 1 - (1 - apart) * shared / (shared + (mean[2] - apart));
                    float edge = (1 + fabsf(b[i + k] - mean[1])) / (1 + fabsf(a[i + k] - mean[0])) - 1;
                    float map[3] = {d > 0 ? d : 0, edge > 0 ? edge : 0, edge < 0 ? -edge : 0};
                    for (int q = 0; q < 3; q++) {
                        float square = map[q] * map[q];
                        total[q][k] += map[q];
                        total[q + 3][k] += square * square;
                    }
                }
            }
            for (int q = 0; q < SUMS; q++)
                for (int k = 0; k < LANES; k++) to[q] += total[q][k];
        }
    }
}
