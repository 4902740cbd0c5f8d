/* What IL-NIQE needs to know of each block of a plane, fused: the moments of its pixels and of its two Gaussian derivatives,
   and the Weibull distribution of its gradients.

   A block reads its own pixels and five around them, so any range of blocks may be done on any thread. Everything is in
   double, and the taps are added one after another from the first, as a product of matrices adds them: where a picture is
   flat its gradients are rounding noise, and the logarithms of that noise count. The definition is ops/ilniqe_fits.py. */
#include <math.h>
#include <string.h>

#include "kernels.h"

#if defined(__GNUC__)
#define INLINE static inline __attribute__((always_inline)) /* so that it is compiled once for each machine of WIDE */
#else
#define INLINE static inline
#endif

enum {
    SIDE = 84, /* a block at full size; half of it at half size */
    BLOCKS = 6,
    REACH = 5, /* of the 11 taps */
    PATCH = SIDE + 2 * REACH,
    SUMS = 5,            /* Σ|p|, Σp² where p<0, Σp² where p>0, count p<0, count p>0 */
    OUT = 3 * SUMS + 2,  /* of the pixels, of the derivatives across and down; scale and shape */
    NEWTON = 5
};
static const double NEAR = 1e-4; /* a step smaller than this part of the shape leaves an error of its square */

#define ALONG(w, at) \
    (w[0] * at(0) + w[1] * at(1) + w[2] * at(2) + w[3] * at(3) + w[4] * at(4) + w[5] * at(5) + w[6] * at(6) + w[7] * at(7) + \
     w[8] * at(8) + w[9] * at(9) + w[10] * at(10))

INLINE void tally(const double *restrict row, int side, double (*restrict s)[SIDE]) {
    for (int x = 0; x < side; x++) {
        const double p = row[x], size = fabs(p), l = size - p, r = size + p; /* no branch: one of l, r is 0, the other 2|p| */
        s[0][x] += size;
        s[1][x] += l * l;
        s[2][x] += r * r;
        s[3][x] += p < 0;
        s[4][x] += p > 0;
    }
}

INLINE double total(const double *s, int side) {
    double sum = 0;
    for (int x = 0; x < side; x++) sum += s[x];
    return sum;
}

/* ln v of 0 < v < ∞, not subnormal: v = m·2ᵉ, and 2·artanh((m-1)/(m+1)) as a series for √½ ≤ m < √2. */
INLINE double logarithm(double v) {
    const uint64_t half_root = 0x3fe6a09e667f3bcdu, thousand = (uint64_t)1024 << 52, one = 0x4330000000000000u;
    uint64_t bits, exponent;
    double m, e;
    memcpy(&bits, &v, sizeof bits);
    exponent = (bits - half_root + thousand) >> 52;
    bits -= (exponent << 52) - thousand;
    memcpy(&m, &bits, sizeof m);
    exponent |= one; /* 2⁵² + exponent */
    memcpy(&e, &exponent, sizeof e);
    const double s = (m - 1) / (m + 1), q = s * s;
    const double series = 1 + q * (1. / 3 + q * (1. / 5 + q * (1. / 7 + q * (1. / 9 + q * (1. / 11 + q * (1. / 13 + q / 15))))));
    return (e - 0x1p52 - 1024) * 0x1.62e42fefa39efp-1 + 2 * s * series;
}

/* eˣ to eleven digits: x = n·ln 2 + r, and Taylor's series of r. */
INLINE double exponential(double x) {
    const double low = x < -700 ? -700 : x, shifted = low * 0x1.71547652b82fep0 + 0x1.8p52, n = shifted - 0x1.8p52;
    const double r = low - n * 0x1.62e42fefa39efp-1;
    double y = 1 + r * (1 + r * (1. / 2 + r * (1. / 6 + r * (1. / 24 + r * (1. / 120 + r * (1. / 720 + r * (1. / 5040 +
               r * (1. / 40320 + r * (1. / 362880)))))))));
    uint64_t bits, power;
    memcpy(&bits, &y, sizeof bits);
    memcpy(&power, &shifted, sizeof power);
    bits += power << 52;
    memcpy(&y, &bits, sizeof y);
    return x > 709 ? INFINITY : y;
}

/* Scale and shape of the likeliest Weibull distribution of side×side sizes, whose logarithms this leaves in `t`. */
INLINE void weibull(double *restrict t, int side, double *restrict out) {
    const double n = (double)side * side;
    double a[SIDE] = {0}, b[SIDE] = {0};
    for (int y = 0; y < side; y++)
        for (int x = 0; x < side; x++) {
            t[y * side + x] = logarithm(t[y * side + x] + 0x1p-52);
            a[x] += t[y * side + x];
        }
    const double mean = total(a, side) / n;
    for (int y = 0; y < side; y++)
        for (int x = 0; x < side; x++) {
            const double d = t[y * side + x] - mean;
            t[y * side + x] = d;
            b[x] += d * d;
        }
    double k = 1.2 / sqrt(total(b, side) / (n - 1)), sum = 0;
    for (int step = 0; step <= NEWTON; step++) {
        double s[3][SIDE] = {{0}};
        for (int y = 0; y < side; y++)
            for (int x = 0; x < side; x++) {
                const double v = t[y * side + x], power = exponential(k * v), first = power * v;
                s[0][x] += power;
                s[1][x] += first;
                s[2][x] += first * v;
            }
        sum = total(s[0], side);
        if (step == NEWTON) break;
        const double first = total(s[1], side) / sum, second = total(s[2], side) / sum;
        double next = k - (first - 1 / k) / (second - first * first + 1 / (k * k));
        next = next < k / 2 ? k / 2 : next > 2 * k ? 2 * k : next;
        const double change = next - k;
        k = next;
        if (fabs(change) < NEAR * k) {
            sum *= 1 + change * (first + change / 2 * second);
            break;
        }
    }
    out[0] = exp(mean + log(sum / n) / k);
    out[1] = k;
}

/* patch: the block's pixels and five on every side. */
INLINE void block(const double *restrict patch, int side, const double *restrict bell, const double *restrict slope, double *restrict out) {
    double size[SIDE * SIDE], b[PATCH], s[PATCH], across[SIDE], down[SIDE], sums[3 * SUMS][SIDE] = {{0}};
    for (int y = 0; y < side; y++) {
        const double *p = patch + y * PATCH;
        for (int x = 0; x < side + 2 * REACH; x++) {
#define BELOW(i) p[(i) * PATCH + x]
            b[x] = ALONG(bell, BELOW);
            s[x] = ALONG(slope, BELOW);
        }
        for (int x = 0; x < side; x++) {
#define OF_B(i) b[x + (i)]
#define OF_S(i) s[x + (i)]
            across[x] = ALONG(slope, OF_B);
            down[x] = ALONG(bell, OF_S);
            size[y * side + x] = sqrt(across[x] * across[x] + down[x] * down[x]);
        }
        tally(p + REACH * PATCH + REACH, side, sums);
        tally(across, side, sums + SUMS);
        tally(down, side, sums + 2 * SUMS);
    }
    for (int i = 0; i < 3 * SUMS; i++) out[i] = total(sums[i], side) / (i % SUMS == 1 || i % SUMS == 2 ? 4 : 1);
    weibull(size, side, out + 3 * SUMS);
}

/* Blocks start..stop, counted row by row, of `planes` square planes whose pixels take turns; out: 17 numbers of each plane of
   each block. The taps are those of the bell and of the slope; black lies around the picture. */
EXPORT WIDE void ilniqe_blocks(const double *x, ptrdiff_t planes, ptrdiff_t side, const double *taps, ptrdiff_t start, ptrdiff_t stop,
                               double *out) {
    const ptrdiff_t width = side * BLOCKS;
    double bell[2 * REACH + 1], slope[2 * REACH + 1];
    memcpy(bell, taps, sizeof bell);
    memcpy(slope, taps + 2 * REACH + 1, sizeof slope);
    for (ptrdiff_t i = start; i < stop; i++)
        for (ptrdiff_t plane = 0; plane < planes; plane++) {
            const ptrdiff_t top = i / BLOCKS * side - REACH, left = i % BLOCKS * side - REACH, reach = side + 2 * REACH;
            double patch[PATCH * PATCH] = {0};
            const ptrdiff_t from = left < 0 ? REACH : 0, to = left + reach > width ? reach - REACH : reach;
            for (ptrdiff_t y = 0; y < reach; y++) {
                if (top + y < 0 || top + y >= width) continue;
                const double *row = x + ((top + y) * width + left) * planes + plane;
                for (ptrdiff_t k = from; k < to; k++) patch[y * PATCH + k] = row[k * planes];
            }
            double *to_here = out + (i * planes + plane) * OUT;
            if (side == SIDE)
                block(patch, SIDE, bell, slope, to_here);
            else
                block(patch, SIDE / 2, bell, slope, to_here);
        }
}
