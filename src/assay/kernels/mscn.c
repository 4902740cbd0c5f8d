/* What NIQE needs to know of each 96×96 block, fused: luminance, half size, local contrast, and their moments.

   A block reads its own pixels and nine around them and nothing else, so any range of blocks may be done on any thread,
   and no buffer of the picture's size exists. Everything is in double: flat areas then stay exactly flat, where float32
   would leave noise whose signs the fit takes for texture. The definition is ops/niqe.py. */
#include <math.h>
#include <string.h>

#include "kernels.h"

#if defined(__GNUC__)
#define INLINE static inline __attribute__((always_inline)) /* so that it is compiled once for each machine of WIDE */
#else
#define INLINE static inline
#endif

enum {
    SIDE = 96,           /* a block */
    REACH = 3,           /* of the 7-tap window */
    MARGIN = 9,          /* at half size the window reaches 2·3 pixels, and the 8 taps 3 more */
    PATCH = SIDE + 2 * MARGIN,
    SMALL = SIDE / 2 + 2 * REACH,
    SUMS = 26            /* 5 × (Σ|p|, Σp² where p<0, Σp² where p>0, count p<0, count p>0), then Σσ */
};

typedef struct {
    double luma[3], window[4], flat; /* weights of R, G, B; the window from its centre outwards; |x-μ| below this is 0 */
} Constants;

/* Fill what lies beyond the picture: mirrored (as imresize does) or repeated (as the window's filter does). */
INLINE void beyond(double *p, int side, int margin, int mirrored, int top, int bottom, int left, int right) {
    const int width = side + 2 * margin, last = margin + side - 1;
    for (int j = 0; j < margin; j++) {
        const int k = mirrored ? j : 0;
        for (int y = 0; left && y < width; y++) p[y * width + margin - 1 - j] = p[y * width + margin + k];
        for (int y = 0; right && y < width; y++) p[y * width + last + 1 + j] = p[y * width + last - k];
    }
    for (int j = 0; j < margin; j++) {
        const int k = mirrored ? j : 0;
        if (top) memcpy(p + (margin - 1 - j) * width, p + (margin + k) * width, (size_t)width * sizeof *p);
        if (bottom) memcpy(p + (last + 1 + j) * width, p + (last - k) * width, (size_t)width * sizeof *p);
    }
}

/* Bicubic with antialiasing at one half, columns then rows: eight taps on x[2i-3 .. 2i+4]. */
INLINE void halve(const double *restrict p, double *restrict out) {
    static const double TAP[4] = {111. / 256, 29. / 256, -9. / 256, -3. / 256};
    double row[PATCH];
    for (int y = 0; y < SMALL; y++) {
        const double *r = p + (2 * y + REACH) * PATCH;
        for (int x = 0; x < PATCH; x++)
            row[x] = TAP[0] * (r[x] + r[x + PATCH]) + TAP[1] * (r[x - PATCH] + r[x + 2 * PATCH]) +
                     TAP[2] * (r[x - 2 * PATCH] + r[x + 3 * PATCH]) + TAP[3] * (r[x - 3 * PATCH] + r[x + 4 * PATCH]);
        for (int x = 0; x < SMALL; x++) {
            const double *c = row + 2 * x + REACH;
            out[y * SMALL + x] = TAP[0] * (c[0] + c[1]) + TAP[1] * (c[-1] + c[2]) + TAP[2] * (c[-2] + c[3]) + TAP[3] * (c[-3] + c[4]);
        }
    }
}

/* Normalised contrast (x-μ)/(σ+1) of the block whose first pixel is p; `m` has a column more on either side. Returns Σσ. */
INLINE double contrast(const double *restrict p, int stride, int side, const Constants *c, double *restrict m) {
    const double w0 = c->window[0], w1 = c->window[1], w2 = c->window[2], w3 = c->window[3], flat = c->flat;
    double mean[2 * REACH + 1][SIDE], square[2 * REACH + 1][SIDE], sq[SIDE + 2 * REACH], deviation[SIDE] = {0};
    for (int y = -REACH; y < side + REACH; y++) {
        const double *r = p + y * stride;
        double *h = mean[(y + REACH) % 7], *g = square[(y + REACH) % 7];
        for (int x = 0; x < side + 2 * REACH; x++) sq[x] = r[x - REACH] * r[x - REACH];
        for (int x = 0; x < side; x++) h[x] = w0 * r[x] + w1 * (r[x - 1] + r[x + 1]) + w2 * (r[x - 2] + r[x + 2]) + w3 * (r[x - 3] + r[x + 3]);
        for (int x = 0; x < side; x++) g[x] = w0 * sq[x + 3] + w1 * (sq[x + 2] + sq[x + 4]) + w2 * (sq[x + 1] + sq[x + 5]) + w3 * (sq[x] + sq[x + 6]);
        if (y < REACH) continue;
        const int now = y - REACH; /* the row in the middle of the seven */
        double *a[7], *b[7], *out = m + now * (side + 2) + 1;
        for (int i = 0; i < 7; i++) a[i] = mean[(now + i) % 7], b[i] = square[(now + i) % 7];
        const double *x0 = p + now * stride;
        for (int x = 0; x < side; x++) {
            const double mu = w0 * a[3][x] + w1 * (a[2][x] + a[4][x]) + w2 * (a[1][x] + a[5][x]) + w3 * (a[0][x] + a[6][x]);
            const double e2 = w0 * b[3][x] + w1 * (b[2][x] + b[4][x]) + w2 * (b[1][x] + b[5][x]) + w3 * (b[0][x] + b[6][x]);
            const double sigma = sqrt(fabs(e2 - mu * mu)), d = x0[x] - mu;
            deviation[x] += sigma;
            out[x] = fabs(d) < flat ? 0 : d / (sigma + 1);
        }
        out[-1] = out[side - 1]; /* a shift inside the block wraps around */
        out[side] = out[0];
    }
    double sum = 0;
    for (int x = 0; x < side; x++) sum += deviation[x];
    return sum;
}

/* Add one row of products to the column sums, in the order of SUMS. */
INLINE void tally(const double *restrict a, const double *restrict b, int side, double (*restrict s)[SIDE]) {
    for (int x = 0; x < side; x++) {
        const double p = a[x] * b[x], size = fabs(p), l = size - p, r = size + p; /* no branch: one of l, r is 0, the other 2|p| */
        s[0][x] += size;
        s[1][x] += l * l;
        s[2][x] += r * r;
        s[3][x] += p < 0;
        s[4][x] += p > 0;
    }
}

/* The 26 sums of one block at one size: of the contrast itself, and of its products with four shifted copies. */
INLINE void sums(const double *restrict p, int stride, int side, const Constants *c, double *restrict out) {
    double m[SIDE * (SIDE + 2)], one[SIDE], s[5][5][SIDE] = {{{0}}};
    const int width = side + 2;
    for (int x = 0; x < side; x++) one[x] = 1;
    out[SUMS - 1] = contrast(p, stride, side, c, m);
    for (int y = 0; y < side; y++) {
        const double *row = m + y * width + 1, *up = m + (y ? y - 1 : side - 1) * width + 1;
        tally(row, one, side, s[0]);
        tally(row, row - 1, side, s[1]);
        tally(row, up, side, s[2]);
        tally(row, up - 1, side, s[3]);
        tally(row, up + 1, side, s[4]);
    }
    for (int i = 0; i < 25; i++) {
        double total = 0;
        for (int x = 0; x < side; x++) total += s[i / 5][i % 5][x];
        out[i] = i % 5 == 1 || i % 5 == 2 ? total / 4 : total;
    }
}

static WIDE void block(double *restrict patch, const Constants *c, int top, int bottom, int left, int right, double *restrict out) {
    double small[SMALL * SMALL];
    beyond(patch, SIDE, MARGIN, 1, top, bottom, left, right);
    halve(patch, small);
    beyond(small, SIDE / 2, REACH, 0, top, bottom, left, right);
    beyond(patch, SIDE, MARGIN, 0, top, bottom, left, right);
    sums(patch + MARGIN * PATCH + MARGIN, PATCH, SIDE, c, out);
    sums(small + REACH * SMALL + REACH, SMALL, SIDE / 2, c, out + SUMS);
}

/* Blocks start..stop, counted row by row, of a channels×height×width picture; out: 2 × 26 sums for each.
   8-bit luminance is rounded as MATLAB's rgb2gray does; float pixels in [0, 1] are scaled to 255 and not rounded. */
#define BLOCKS(NAME, PIXEL, LUMA3, LUMA1)                                                                                        \
    EXPORT WIDE void NAME(const PIXEL *x, int channels, ptrdiff_t height, ptrdiff_t width, const double *constants, ptrdiff_t start, \
                          ptrdiff_t stop, double *out) {                                                                         \
        const ptrdiff_t across = width / SIDE, down = height / SIDE, plane = height * width;                                     \
        Constants c;                                                                                                             \
        memcpy(&c, constants, sizeof c);                                                                                         \
        for (ptrdiff_t i = start; i < stop; i++) {                                                                               \
            const ptrdiff_t row = i / across, column = i % across;                                                               \
            const int top = row == 0, bottom = row == down - 1, left = column == 0, right = column == across - 1;                \
            double patch[PATCH * PATCH] = {0};                                                                                   \
            const int from = left ? 0 : -MARGIN, to = SIDE + (right ? 0 : MARGIN);                                               \
            for (int y = top ? 0 : -MARGIN; y < SIDE + (bottom ? 0 : MARGIN); y++) {                                             \
                const PIXEL *r = x + (row * SIDE + y) * width + column * SIDE, *g = r + plane, *b = g + plane;                   \
                double *p = patch + (MARGIN + y) * PATCH + MARGIN;                                                               \
                if (channels == 3)                                                                                               \
                    for (int k = from; k < to; k++) p[k] = LUMA3;                                                                \
                else                                                                                                             \
                    for (int k = from; k < to; k++) p[k] = LUMA1;                                                                \
            }                                                                                                                    \
            block(patch, &c, top, bottom, left, right, out + i * 2 * SUMS);                                                      \
        }                                                                                                                        \
    }

BLOCKS(niqe_blocks_u8, uint8_t, (double)(int)(c.luma[0] * r[k] + c.luma[1] * g[k] + c.luma[2] * b[k] + .5), r[k])
BLOCKS(niqe_blocks_f32, float, 255 * (c.luma[0] * r[k] + c.luma[1] * g[k] + c.luma[2] * b[k]), 255. * r[k])
