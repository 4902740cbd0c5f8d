/* The errors of 8×8 blocks as an eye sees them, with and without masking. The definition is ops/hvs.py. */
#include <math.h>

#include "kernels.h"

#if defined(__GNUC__)
#define INLINE static inline __attribute__((always_inline))
#else
#define INLINE static inline
#endif

enum { N = 8, SIZE = 64, MANY = 32 }; /* MANY blocks side by side, so that every step works on vectors */

typedef float Blocks[SIZE][MANY];

/* out = D·in along rows of blocks: out[k] = Σ d[k][i] in[i], first down, then across. */
INLINE void transform(const Blocks in, const float *restrict d, Blocks out) {
    Blocks half;
    for (int k = 0; k < N; k++)
        for (int c = 0; c < N; c++) {
            float sum[MANY] = {0};
            for (int i = 0; i < N; i++)
                for (int b = 0; b < MANY; b++) sum[b] += d[N * k + i] * in[N * i + c][b];
            for (int b = 0; b < MANY; b++) half[N * k + c][b] = sum[b];
        }
    for (int r = 0; r < N; r++)
        for (int k = 0; k < N; k++) {
            float sum[MANY] = {0};
            for (int i = 0; i < N; i++)
                for (int b = 0; b < MANY; b++) sum[b] += d[N * k + i] * half[N * r + i][b];
            for (int b = 0; b < MANY; b++) out[N * r + k][b] = sum[b];
        }
}

/* Variance sums about the mean of the four quarters and of the whole, each times n / (n-1). */
INLINE void hiding(const Blocks pixels, const Blocks dct, const float *restrict strength, float *restrict most) {
    float energy[MANY] = {0}, mean[MANY] = {0}, parts[MANY] = {0}, whole[MANY] = {0};
    for (int k = 1; k < SIZE; k++)
        for (int b = 0; b < MANY; b++) energy[b] += dct[k][b] * dct[k][b] * strength[k];
    for (int i = 0; i < SIZE; i++)
        for (int b = 0; b < MANY; b++) mean[b] += pixels[i][b] / SIZE;
    for (int q = 0; q < 4; q++) {
        const int top = q / 2 * 4, left = q % 2 * 4;
        float own[MANY] = {0}, about[MANY] = {0};
        for (int i = 0; i < 16; i++)
            for (int b = 0; b < MANY; b++) own[b] += pixels[N * (top + i / 4) + left + i % 4][b] / 16;
        for (int i = 0; i < 16; i++)
            for (int b = 0; b < MANY; b++) {
                const float v = pixels[N * (top + i / 4) + left + i % 4][b], d = v - own[b], e = v - mean[b];
                about[b] += d * d, whole[b] += e * e;
            }
        for (int b = 0; b < MANY; b++) parts[b] += about[b] * (16.f / 15);
    }
    for (int b = 0; b < MANY; b++) {
        const float all = whole[b] * (64.f / 63), even = all > 0 ? parts[b] / all : 0, hidden = sqrtf(energy[b] * even) / 32;
        most[b] = hidden > most[b] ? hidden : most[b];
    }
}

/* Rows start..stop of blocks of height×width planes: the sums of squared weighted differences, all and what is not hidden.
 * d: the transform; tables: SIZE factors each of what is seen, of what a coefficient hides (squared), of what is hidden. */
EXPORT WIDE void hvs_rows(const float *x, const float *y, ptrdiff_t height, ptrdiff_t width, const float *d, const float *tables,
                          ptrdiff_t start, ptrdiff_t stop, double *sums) {
    const ptrdiff_t h = height / N, w = width / N;
    const float *restrict seen = tables, *restrict strength = tables + SIZE, *restrict step = tables + 2 * SIZE;
    for (ptrdiff_t row = start; row < stop; row++) {
        const ptrdiff_t top = (row / h * height + row % h * N) * width;
        double all = 0, left_over = 0;
        for (ptrdiff_t left = 0; left < w; left += MANY) {
            const int many = w - left < MANY ? (int)(w - left) : MANY;
            const float *in[2] = {x + top + left * N, y + top + left * N};
            Blocks pixels[2], dct[2];
            float most[MANY] = {0}, total[MANY] = {0}, some[MANY] = {0};
            for (int s = 0; s < 2; s++) {
                for (int r = 0; r < N; r++)
                    for (int c = 0; c < N; c++)
                        for (int b = 0; b < MANY; b++) pixels[s][N * r + c][b] = b < many ? in[s][r * width + N * b + c] : 0;
                transform(pixels[s], d, dct[s]);
                hiding(pixels[s], dct[s], strength, most);
            }
            for (int k = 0; k < SIZE; k++)
                for (int b = 0; b < MANY; b++) {
                    const float e = fabsf(dct[0][k][b] - dct[1][k][b]), u = seen[k] * e;
                    const float rest = e - most[b] * step[k], v = seen[k] * (rest > 0 ? rest : 0);
                    total[b] += u * u, some[b] += v * v;
                }
            for (int b = 0; b < many; b++) all += total[b], left_over += some[b];
        }
        sums[2 * row] = all, sums[2 * row + 1] = left_over;
    }
}
