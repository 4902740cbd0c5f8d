/* Exact sums over the pixels of a pair: products of the differences of channels, and angles between colours. */
#include <math.h>

#include "kernels.h"

#if defined(__GNUC__)
#define INLINE static inline __attribute__((always_inline))
#else
#define INLINE static inline
#endif

enum { PIECE = 1 << 15 }; /* 2¹⁵ products of at most 255² stay below 2³¹ */

/* Parts start..stop, of `part` pixels each, of one picture of three planes of `size` pixels: the sums of rr, gg, bb, rg, rb, gb of
 * the differences x - y. */
EXPORT WIDE void difference_products(const uint8_t *x, const uint8_t *y, ptrdiff_t size, ptrdiff_t part, ptrdiff_t start, ptrdiff_t stop,
                                     int64_t *sums) {
    for (ptrdiff_t p = start; p < stop; p++) {
        int64_t *to = sums + 6 * p;
        const ptrdiff_t end = (p + 1) * part < size ? (p + 1) * part : size;
        for (int k = 0; k < 6; k++) to[k] = 0;
        for (ptrdiff_t at = p * part; at < end; at += PIECE) {
            const uint8_t *restrict a = x + at, *restrict b = y + at;
            const int n = end - at < PIECE ? (int)(end - at) : PIECE;
            int32_t rr = 0, gg = 0, bb = 0, rg = 0, rb = 0, gb = 0;
            for (int i = 0; i < n; i++) {
                const int16_t u = (int16_t)(a[i] - b[i]), v = (int16_t)(a[i + size] - b[i + size]),
                              w = (int16_t)(a[i + 2 * size] - b[i + 2 * size]);
                rr += u * u, gg += v * v, bb += w * w, rg += u * v, rb += u * w, gb += v * w;
            }
            to[0] += rr, to[1] += gg, to[2] += bb, to[3] += rg, to[4] += rb, to[5] += gb;
        }
    }
}

/* atan(t) for 0 ≤ t ≤ 1, error below 2e-8 before rounding (minimax in t²). */
INLINE float arctangent(float t) {
    const float s = t * t;
    float p = 0.00282363896258175373077393f;
    p = p * s - 0.0159569028764963150024414f;
    p = p * s + 0.0425049886107444763183594f;
    p = p * s - 0.0748900920152664184570312f;
    p = p * s + 0.106347933411598205566406f;
    p = p * s - 0.142027363181114196777344f;
    p = p * s + 0.199926957488059997558594f;
    p = p * s - 0.333331018686294555664062f;
    return t + t * s * p;
}

/* Parts start..stop of one picture as above: the sum of the angles between the colours of x and y where neither is black, and how
 * many there are. */
EXPORT WIDE void colour_angles(const uint8_t *x, const uint8_t *y, ptrdiff_t size, ptrdiff_t part, ptrdiff_t start, ptrdiff_t stop,
                               double *sums) {
    enum { ROW = 4096 };
    for (ptrdiff_t p = start; p < stop; p++) {
        const ptrdiff_t end = (p + 1) * part < size ? (p + 1) * part : size;
        double total = 0, count = 0;
        for (ptrdiff_t at = p * part; at < end; at += ROW) {
            const uint8_t *restrict a = x + at, *restrict b = y + at;
            const int n = end - at < ROW ? (int)(end - at) : ROW;
            float angles[ROW];
            int32_t seen = 0;
            for (int i = 0; i < n; i++) {
                const int32_t r = a[i], g = a[i + size], l = a[i + 2 * size], u = b[i], v = b[i + size], w = b[i + 2 * size];
                const float i0 = (float)(g * w - l * v), i1 = (float)(l * u - r * w), i2 = (float)(r * v - g * u);
                const float across = sqrtf(i0 * i0 + i1 * i1 + i2 * i2), along = (float)(r * u + g * v + l * w);
                const float low = across < along ? across : along, high = across < along ? along : across;
                const float angle = arctangent(low / (high > 0 ? high : 1));
                const int there = (r | g | l) && (u | v | w);
                angles[i] = there ? (across > along ? 1.57079637f - angle : angle) : 0;
                seen += there;
            }
            float some = 0;
            double sum = 0;
            for (int from = 0; from < n; from += 64) {
                some = 0;
                for (int i = from; i < n && i < from + 64; i++) some += angles[i];
                sum += some;
            }
            total += sum, count += seen;
        }
        sums[2 * p] = total, sums[2 * p + 1] = count;
    }
}
