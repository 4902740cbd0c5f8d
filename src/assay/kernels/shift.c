/* Values of a few DCT coefficients on each of the 64 possible 8×8 grids, counted. ops/jpegshift.py holds the definition. */
#include "kernels.h"

#include <math.h>

enum { TILE = 256, WAVES = 3, KINDS = 6, MEAN = 2049, OTHER = 601 };

/* luma: rows + 7 rows of width pixels, of which the first lies on row 0 of the picture's grid; basis: WAVES×8; vertical,
   horizontal and scales: of KINDS frequencies, the mean first; counts: 64×MEAN, then (KINDS-1)×64×OTHER, are added to. */
EXPORT WIDE void shift_counts(const uint8_t *luma, ptrdiff_t width, ptrdiff_t rows, const float *basis, const int32_t *vertical,
                              const int32_t *horizontal, const float *scales, int64_t *counts) {
    for (ptrdiff_t x = 0; x < width - 7; x += TILE) {
        const ptrdiff_t wide = width - 7 - x < TILE ? width - 7 - x : TILE;
        float ring[8][WAVES][TILE] = {{{0}}};
        for (ptrdiff_t y = 0; y < rows + 7; y++) {
            float p[TILE + 7] = {0};
            for (ptrdiff_t i = 0; i < wide + 7; i++) p[i] = (float)luma[y * width + x + i] - 128;
            for (int v = 0; v < WAVES; v++) {
                const float *restrict d = basis + 8 * v;
                float *restrict out = ring[y & 7][v];
                for (int i = 0; i < TILE; i++)
                    out[i] = d[0] * p[i] + d[1] * p[i + 1] + d[2] * p[i + 2] + d[3] * p[i + 3] + d[4] * p[i + 4] + d[5] * p[i + 5] +
                             d[6] * p[i + 6] + d[7] * p[i + 7];
            }
            if (y < 7) continue;
            int64_t *to = counts;
            for (int k = 0; k < KINDS; k++) {
                const float *restrict d = basis + 8 * vertical[k];
                const int kinds = k ? OTHER : MEAN;
                int32_t at[TILE];
                float sum[TILE] = {0};
                for (int r = 0; r < 8; r++) {
                    const float *restrict row = ring[(y - 7 + r) & 7][horizontal[k]];
                    for (int i = 0; i < TILE; i++) sum[i] += d[r] * row[i];
                }
                for (int i = 0; i < TILE; i++) {
                    const int32_t value = (int32_t)rintf(scales[k] * sum[i]), size = value < 0 ? -value : value;
                    at[i] = k ? (size < OTHER - 1 ? size : OTHER - 1) : value + 1024;
                }
                int64_t *grid = to + 8 * ((y - 7) & 7) * kinds;
                for (ptrdiff_t i = 0; i < wide; i++) grid[((x + i) & 7) * kinds + at[i]]++;
                to += 64 * kinds;
            }
        }
    }
}
