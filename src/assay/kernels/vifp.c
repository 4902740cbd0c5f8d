/* Pixel-domain visual information fidelity: one pass over two grey planes per scale, no full-size temporaries.
 *
 * Five windowed means (x, y, x², y², xy) are taken in column tiles whose rows stay in the nearest cache. The score needs
 * only Σ log(1 + signal/noise), so up to FACTORS ratios are multiplied before one logarithm is taken of the product.
 */
#include <math.h>
#include <string.h>

#include "kernels.h"

#if defined(__GNUC__)
#define INLINE static inline __attribute__((always_inline))
#else
#define INLINE static inline
#endif

/* FACTORS: the largest ratio is 1 + 255²/4/2 = 8129, and 8129⁹ < 2¹²⁸, the largest float. */
enum { TILE = 64, MOST = 17, SPAN = TILE + MOST - 1, MEANS = 5, BAND = 256, FACTORS = 8, LANES = 16 };

#define EPS 1e-10f /* vifp_mscale.m: variances below this are none */
#define NOISE 2.0f /* vifp_mscale.m: variance of the visual noise, for pixels in [0, 255] */

typedef struct {
    _Alignas(64) float p[MEANS][TILE];
} Means;

/* Grey in 0..255 less 128, so that squares stay small and float32 keeps its digits: rows start..stop of all images. */
EXPORT WIDE void vifp_grey(const void *from, int bytes, int colours, ptrdiff_t width, ptrdiff_t height, ptrdiff_t start,
                           ptrdiff_t stop, const float *luma, float *to) {
    const float r = luma[0], g = luma[1], b = luma[2];
    for (ptrdiff_t row = start; row < stop; row++) {
        ptrdiff_t plane = width * height, at = row / height * colours * plane + row % height * width;
        float *restrict o = to + row * width;
        if (bytes) {
            const uint8_t *restrict p = (const uint8_t *)from + at;
            if (colours == 1)
                for (ptrdiff_t i = 0; i < width; i++) o[i] = (float)p[i] - 128;
            else
                for (ptrdiff_t i = 0; i < width; i++)
                    o[i] = r * (float)p[i] + g * (float)p[i + plane] + b * (float)p[i + 2 * plane] - 128;
        } else {
            const float *restrict p = (const float *)from + at;
            if (colours == 1)
                for (ptrdiff_t i = 0; i < width; i++) o[i] = 255 * p[i] - 128;
            else
                for (ptrdiff_t i = 0; i < width; i++)
                    o[i] = 255 * (r * p[i] + g * p[i + plane] + b * p[i + 2 * plane]) - 128;
        }
    }
}

/* A symmetric window of n taps: `w` is its middle weight and those to one side, AT(k) the value k places from the middle.
 * Written out, because compilers do not vectorise over pixels when the taps are a loop. */
#define TAPS3(AT) w[0] * AT(0) + w[1] * (AT(-1) + AT(1))
#define TAPS5(AT) TAPS3(AT) + w[2] * (AT(-2) + AT(2))
#define TAPS9(AT) TAPS5(AT) + w[3] * (AT(-3) + AT(3)) + w[4] * (AT(-4) + AT(4))
#define TAPS17(AT)                                                                                                    \
    (TAPS9(AT)) + (w[5] * (AT(-5) + AT(5)) + w[6] * (AT(-6) + AT(6)) + w[7] * (AT(-7) + AT(7)) + w[8] * (AT(-8) + AT(8)))
#define LEFT_RIGHT(k) q[i + m + (k)]
#define UP_DOWN(k) r[m + (k)][i]

INLINE void across_plane(float *restrict o, const float *restrict q, const float *restrict w, const int n) {
    const int m = n / 2;
    if (n == 3) for (int i = 0; i < TILE; i++) o[i] = TAPS3(LEFT_RIGHT);
    if (n == 5) for (int i = 0; i < TILE; i++) o[i] = TAPS5(LEFT_RIGHT);
    if (n == 9) for (int i = 0; i < TILE; i++) o[i] = TAPS9(LEFT_RIGHT);
    if (n == 17) for (int i = 0; i < TILE; i++) o[i] = TAPS17(LEFT_RIGHT);
}

INLINE void down_plane(float *restrict o, const float *const *r, const float *restrict w, const int n) {
    const int m = n / 2;
    if (n == 3) for (int i = 0; i < TILE; i++) o[i] = TAPS3(UP_DOWN);
    if (n == 5) for (int i = 0; i < TILE; i++) o[i] = TAPS5(UP_DOWN);
    if (n == 9) for (int i = 0; i < TILE; i++) o[i] = TAPS9(UP_DOWN);
    if (n == 17) for (int i = 0; i < TILE; i++) o[i] = TAPS17(UP_DOWN);
}

/* One row of a tile: the five products, and their weighted sums over n columns. */
INLINE void across(Means *restrict out, const float *restrict x, const float *restrict y, const float *restrict w, const int n) {
    _Alignas(64) float p[MEANS][SPAN];
    for (int i = 0; i < SPAN; i++) {
        float a = x[i], b = y[i];
        p[0][i] = a, p[1][i] = b, p[2][i] = a * a, p[3][i] = b * b, p[4][i] = a * b;
    }
    for (int v = 0; v < MEANS; v++) across_plane(out->p[v], p[v], w, n);
}

/* Weighted sums over n rows of the ring, the oldest at `first`. */
INLINE void down(Means *restrict out, const Means *restrict ring, int first, const float *restrict w, const int n) {
    for (int v = 0; v < MEANS; v++) {
        const float *r[MOST];
        for (int k = 0; k < n; k++) r[k] = ring[(first + k) % n].p[v];
        down_plane(out->p[v], r, w, n);
    }
}

/* Multiplies the ratios whose logarithms are to be added: what the damaged picture still tells, and what there was. */
INLINE void ratios(const Means *restrict m, float *restrict kept, float *restrict all, int n) {
    _Alignas(64) float k[TILE], a[TILE];
    const float *restrict mx = m->p[0], *restrict my = m->p[1], *restrict xx = m->p[2], *restrict yy = m->p[3], *restrict xy = m->p[4];
    for (int i = 0; i < TILE; i++) {
        float sx = xx[i] - mx[i] * mx[i], sy = yy[i] - my[i] * my[i], c = xy[i] - mx[i] * my[i];
        sx = sx > 0 ? sx : 0;
        sy = sy > 0 ? sy : 0;
        float g = c / (sy + EPS);
        g = sx >= EPS ? g : 0;
        g = sy >= EPS ? g : 0;
        g = c > 0 ? g : 0;
        float rest = sx - g * c;
        rest = rest > EPS ? rest : EPS;
        sy = sy >= EPS ? sy : 0;
        k[i] = 1 + g * g * sy / (rest + NOISE);
        a[i] = 1 + sy / NOISE;
    }
    for (int i = n; i < TILE; i++) k[i] = a[i] = 1;
    for (int i = 0; i < TILE; i++) kept[i] *= k[i], all[i] *= a[i];
}

INLINE double logs(float *restrict products) {
    double sum = 0;
    for (int i = 0; i < TILE; i += 4) /* four floats multiply to less than 2⁵¹², well inside a double */
        sum += log((double)products[i] * products[i + 1] * ((double)products[i + 2] * products[i + 3]));
    for (int i = 0; i < TILE; i++) products[i] = 1;
    return sum;
}

/* A band of rows whose logarithms are summed together: `sums` gets two numbers. */
INLINE void band(const float *x, const float *y, ptrdiff_t width, ptrdiff_t top, int rows, ptrdiff_t end, const float *w,
                 const int n, double *sums) {
    Means ring[MOST], means;
    _Alignas(64) float kept[TILE], all[TILE], rest[2][SPAN];
    for (int i = 0; i < TILE; i++) kept[i] = all[i] = 1;
    for (ptrdiff_t left = 0; left < width - n + 1; left += TILE) {
        int wide = width - n + 1 - left < TILE ? (int)(width - n + 1 - left) : TILE;
        for (int r = 0; r < rows + n - 1; r++) {
            ptrdiff_t at = (top + r) * width + left;
            const float *a = x + at, *b = y + at;
            if (end - at < SPAN) { /* the last pixels: what lies beyond them is never used, but must be readable */
                memset(rest, 0, sizeof rest);
                a = memcpy(rest[0], a, sizeof(float) * (size_t)(end - at));
                b = memcpy(rest[1], b, sizeof(float) * (size_t)(end - at));
            }
            across(&ring[r % n], a, b, w, n);
            if (r < n - 1) continue;
            down(&means, ring, (r + 1) % n, w, n);
            ratios(&means, kept, all, wide);
            if ((r - n + 2) % FACTORS == 0) sums[0] += logs(kept), sums[1] += logs(all);
        }
        sums[0] += logs(kept), sums[1] += logs(all);
    }
}

/* Bands start..stop of all planes: BAND rows of windows each, that lie inside. sums: two doubles a band, zeroed by the caller.
 * x: the damaged plane, y: the pristine one; w: the middle weight of the window and those to one side of it. */
EXPORT WIDE void vifp_scale(const float *x, const float *y, ptrdiff_t width, ptrdiff_t height, ptrdiff_t start, ptrdiff_t stop,
                            const float *w, int n, double *sums) {
    ptrdiff_t h = height - n + 1, bands = (h + BAND - 1) / BAND;
    for (ptrdiff_t i = start; i < stop; i++) {
        ptrdiff_t plane = i / bands, from = i % bands * BAND, to = from + BAND < h ? from + BAND : h;
        ptrdiff_t top = plane * height + from, end = (plane + 1) * height * width;
        int rows = (int)(to - from);
        if (n == 17) band(x, y, width, top, rows, end, w, 17, sums + 2 * i);
        if (n == 9) band(x, y, width, top, rows, end, w, 9, sums + 2 * i);
        if (n == 5) band(x, y, width, top, rows, end, w, 5, sums + 2 * i);
        if (n == 3) band(x, y, width, top, rows, end, w, 3, sums + 2 * i);
    }
}

/* Rows start..stop of all planes at half the size: windows inside only, every second one. */
EXPORT WIDE void vifp_halve(const float *from, ptrdiff_t width, ptrdiff_t height, ptrdiff_t start, ptrdiff_t stop,
                            const float *w, int n, float *to) {
    ptrdiff_t m = n / 2, h = (height - n + 2) / 2, wide = (width - n + 2) / 2;
    for (ptrdiff_t row = start; row < stop; row++) {
        const float *top = from + (row / h * height + row % h * 2) * width;
        for (ptrdiff_t left = 0; left < wide; left += TILE) {
            int count = wide - left < TILE ? (int)(wide - left) : TILE, span = 2 * count + n - 2;
            _Alignas(64) float column[2 * TILE + MOST], sum[TILE];
            for (int i = 0; i < span; i++) column[i] = w[0] * top[m * width + 2 * left + i];
            for (ptrdiff_t k = 1; k <= m; k++) {
                const float *restrict p = top + (m - k) * width + 2 * left, *restrict q = top + (m + k) * width + 2 * left;
                for (int i = 0; i < span; i++) column[i] += w[k] * (p[i] + q[i]);
            }
            for (int i = 0; i < count; i++) sum[i] = w[0] * column[2 * i + m];
            for (ptrdiff_t k = 1; k <= m; k++)
                for (int i = 0; i < count; i++) sum[i] += w[k] * (column[2 * i + m - k] + column[2 * i + m + k]);
            memcpy(to + row * wide + left, sum, sizeof(float) * (size_t)count);
        }
    }
}
