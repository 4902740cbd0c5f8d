/* What BRISQUE needs to know of a picture, fused: grey, half size, local contrast, and the moments of its products.

   Rows go through once: seven rows of window sums and two of contrast are all that is held. Means are in double, so that
   flat areas stay exactly flat; the contrast and its products are float, and are added up over eight rows at most.
   The definition is ops/brisque.py. */
#include <math.h>
#include <string.h>

#include "kernels.h"

#if defined(__GNUC__)
#define INLINE static inline __attribute__((always_inline)) /* so that it is compiled once for each machine of WIDE */
#else
#define INLINE static inline
#endif

enum {
    REACH = 3,     /* of the 7-tap window */
    TAPS = 7,
    LANES = 64,    /* columns added up apart, and the room beside a row */
    BAND = 8,      /* rows that share one set of sums */
    SUMS = 25      /* 5 × (Σ|p|, Σp² where p<0, Σp² where p>0, count p<0, count p>0) */
};

/* Pixels start..stop of a channels×plane picture, as grey on 0..255: 8-bit rounded as MATLAB's rgb2gray does, float not. */
#define GREY(NAME, PIXEL, LUMA3, LUMA1)                                                                               \
    EXPORT WIDE void NAME(const PIXEL *restrict x, int channels, ptrdiff_t plane, const double *luma, ptrdiff_t start, \
                          ptrdiff_t stop, float *restrict out) {                                                      \
        const PIXEL *restrict g = x + plane, *restrict b = g + plane;                                                 \
        const double wr = luma[0], wg = luma[1], wb = luma[2];                                                        \
        if (channels == 3)                                                                                            \
            for (ptrdiff_t i = start; i < stop; i++) out[i] = LUMA3;                                                  \
        else                                                                                                          \
            for (ptrdiff_t i = start; i < stop; i++) out[i] = LUMA1;                                                  \
    }

GREY(brisque_grey_u8, uint8_t, (float)(int)(wr * x[i] + wg * g[i] + wb * b[i] + .5), x[i])
GREY(brisque_grey_f32, float, (float)(255 * (wr * x[i] + wg * g[i] + wb * b[i])), (float)(255. * x[i]))

/* Rows start..stop of the picture at half size: bicubic with antialiasing, eight taps on x[2i-3 .. 2i+4], mirrored with
   the edge twice. `row` has room for width + 8 numbers. Sums are in double; halves of 8-bit grey need no more than 26 bits. */
EXPORT WIDE void brisque_halve(const float *restrict p, ptrdiff_t height, ptrdiff_t width, ptrdiff_t start, ptrdiff_t stop,
                               double *restrict row, float *restrict out) {
    static const double TAP[4] = {111. / 256, 29. / 256, -9. / 256, -3. / 256};
    const ptrdiff_t half = (width + 1) / 2;
    double *restrict r = row + REACH;
    for (ptrdiff_t y = start; y < stop; y++) {
        const float *s[8];
        for (int k = 0; k < 8; k++) {
            ptrdiff_t at = 2 * y - REACH + k;
            if (at < 0) at = -1 - at;
            if (at >= height) at = 2 * height - 1 - at;
            s[k] = p + at * width;
        }
        for (ptrdiff_t x = 0; x < width; x++)
            r[x] = TAP[0] * ((double)s[3][x] + s[4][x]) + TAP[1] * ((double)s[2][x] + s[5][x]) +
                   TAP[2] * ((double)s[1][x] + s[6][x]) + TAP[3] * ((double)s[0][x] + s[7][x]);
        for (int k = 0; k < 4; k++) r[width + k] = r[width - 1 - k];
        for (int k = 0; k < REACH; k++) r[-1 - k] = r[k];
        for (ptrdiff_t x = 0; x < half; x++) {
            const double *c = r + 2 * x;
            out[y * half + x] = (float)(TAP[0] * (c[0] + c[1]) + TAP[1] * (c[-1] + c[2]) + TAP[2] * (c[-2] + c[3]) + TAP[3] * (c[-3] + c[4]));
        }
    }
}

/* The window's sums along row y of the values and of their squares; nothing lies beyond the picture. */
INLINE void along(const float *restrict p, ptrdiff_t height, ptrdiff_t width, ptrdiff_t y, const double *restrict w, double *restrict pad,
                  double *restrict h, double *restrict g) {
    if (y < 0 || y >= height) {
        memset(h, 0, (size_t)width * sizeof *h);
        memset(g, 0, (size_t)width * sizeof *g);
        return;
    }
    const double w0 = w[0], w1 = w[1], w2 = w[2], w3 = w[3];
    const float *restrict s = p + y * width;
    double *restrict r = pad + REACH, *restrict q = r + width + 2 * REACH;
    for (ptrdiff_t x = 0; x < width; x++) r[x] = s[x], q[x] = r[x] * r[x];
    for (ptrdiff_t x = 0; x < width; x++) h[x] = w0 * r[x] + w1 * (r[x - 1] + r[x + 1]) + w2 * (r[x - 2] + r[x + 2]) + w3 * (r[x - 3] + r[x + 3]);
    for (ptrdiff_t x = 0; x < width; x++) g[x] = w0 * q[x] + w1 * (q[x - 1] + q[x + 1]) + w2 * (q[x - 2] + q[x + 2]) + w3 * (q[x - 3] + q[x + 3]);
}

/* Normalised contrast (x-μ)/(σ+1) of row y, from the seven rows of sums around it. It wraps around: m[-1] and m[width]. */
INLINE void contrast(const float *restrict p, ptrdiff_t width, ptrdiff_t y, const double *restrict w, double flat, double *const *a,
                     double *const *b, float *restrict m) {
    const double w0 = w[0], w1 = w[1], w2 = w[2], w3 = w[3];
    const float *restrict s = p + y * width;
    for (ptrdiff_t x = 0; x < width; x++) {
        const double mu = w0 * a[3][x] + w1 * (a[2][x] + a[4][x]) + w2 * (a[1][x] + a[5][x]) + w3 * (a[0][x] + a[6][x]);
        const double e2 = w0 * b[3][x] + w1 * (b[2][x] + b[4][x]) + w2 * (b[1][x] + b[5][x]) + w3 * (b[0][x] + b[6][x]);
        const double d = s[x] - mu;
        const float sigma = sqrtf((float)fabs(e2 - mu * mu)), c = (float)d / (sigma + 1);
        m[x] = fabs(d) < flat ? 0 : c;
    }
    m[-1] = m[width - 1];
    m[width] = m[0];
}

/* Add one row of products to the lanes. Beyond its end the row holds zeros, which add nothing. */
INLINE void tally(const float *restrict a, const float *restrict b, ptrdiff_t width, float (*restrict s)[LANES]) {
    for (ptrdiff_t x = 0; x < width; x += LANES)
        for (int l = 0; l < LANES; l++) {
            const float p = a[x + l] * b[x + l], size = fabsf(p), left = size - p, right = size + p; /* one is 0, the other 2|p| */
            s[0][l] += size;
            s[1][l] += left * left;
            s[2][l] += right * right;
            s[3][l] += p < 0 ? 1.f : 0.f;
            s[4][l] += p > 0 ? 1.f : 0.f;
        }
}

/* Contrast of row y into m, with all seven rows of sums worked out anew. */
INLINE void alone(const float *p, ptrdiff_t height, ptrdiff_t width, ptrdiff_t y, const double *w, double flat, double *pad, double *const *mean,
                  double *const *square, float *m) {
    for (int i = 0; i < TAPS; i++) along(p, height, width, y - REACH + i, w, pad, mean[i], square[i]);
    contrast(p, width, y, w, flat, mean, square, m);
}

/* The 25 sums of bands start..stop, eight rows each, of a height×width plane of grey. window: four weights from its centre
   outwards, then what counts as flat. Neighbours are found around the picture's edge, as circshift does.
   Room: `rows` 16·width + 12 doubles, `line` 3·(width + 128) floats, zero at first. */
EXPORT WIDE void brisque_sums(const float *restrict p, ptrdiff_t height, ptrdiff_t width, const double *window, ptrdiff_t start,
                              ptrdiff_t stop, double *rows, float *line, double *restrict out) {
    const double flat = window[4];
    const ptrdiff_t room = width + 2 * LANES, first = start * BAND, end = stop * BAND < height ? stop * BAND : height;
    double *mean[TAPS], *square[TAPS], *pad = rows + 14 * width;
    float *up = line + LANES, *now = up + room, *one = line + 2 * room + LANES, s[SUMS][LANES] = {{0}};
    for (int i = 0; i < TAPS; i++) mean[i] = rows + i * width, square[i] = rows + (TAPS + i) * width;
    for (int i = 0; i < REACH; i++) /* beside the row of values and the row of squares lies nothing */
        pad[i] = pad[REACH + width + i] = pad[2 * REACH + width + i] = pad[3 * REACH + 2 * width + i] = 0;
    for (ptrdiff_t x = 0; x < width; x++) one[x] = 1;
    alone(p, height, width, (first + height - 1) % height, window, flat, pad, mean, square, up);
    alone(p, height, width, first, window, flat, pad, mean, square, now);
    for (ptrdiff_t y = first; y < end; y++) {
        now[width] = 0; /* as a row it ends here; as the row above it goes around */
        tally(now, one, width, s);
        tally(now, now - 1, width, s + 5);
        tally(now, up, width, s + 10);
        tally(now, up - 1, width, s + 15);
        tally(now, up + 1, width, s + 20);
        now[width] = now[0];
        if (y % BAND == BAND - 1 || y == end - 1) {
            for (int i = 0; i < SUMS; i++) {
                for (int half = LANES / 2; half; half /= 2)
                    for (int l = 0; l < half; l++) s[i][l] += s[i][l + half];
                out[y / BAND * SUMS + i] = i % 5 == 1 || i % 5 == 2 ? s[i][0] / 4. : s[i][0];
            }
            memset(s, 0, sizeof s);
        }
        if (y == end - 1) break;
        double *a = mean[0], *b = square[0];
        float *old = up;
        memmove(mean, mean + 1, (TAPS - 1) * sizeof *mean);
        memmove(square, square + 1, (TAPS - 1) * sizeof *square);
        mean[TAPS - 1] = a, square[TAPS - 1] = b;
        along(p, height, width, y + 1 + REACH, window, pad, a, b);
        up = now, now = old;
        contrast(p, width, y + 1, window, flat, mean, square, now);
    }
}
