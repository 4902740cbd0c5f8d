/* Colours as people see them, pixel by pixel: CIEDE2000 and the pixelwise parts of FLIP. The definitions are in ops/colourspaces.py
 * and quality/flip.py. */
#include <math.h>

#include "floats.h"

#define PI 3.14159265358979f
enum { TILE = 512 };

/* The nearest whole number of |v| < 2²²: beside 3·2²² there is no room for a fraction. */
INLINE float whole(float v) { return (v + 12582912.0f) - 12582912.0f; }

/* 2^v, at least 2⁻¹²⁶. Here as below nothing is computed on one side of a choice only, so that compilers make vectors of it. */
INLINE float exponential(float v) {
    const float n = whole(v < -126 ? -126 : v), f = (v < -126 ? -126 : v) - n;
    const float p = 1 + f * (0.693147181f + f * (0.240226507f + f * (0.0555041087f + f * (0.00961812911f + f * (0.00133335581f + f * 1.54035304e-4f)))));
    return p * real(((int32_t)n + 127) * (1 << 23));
}

/* v^e of v ≥ 0, 0 at 0 and below 1e-12, where the definitions cut the slope off. */
INLINE float power(float v, float e) {
    return exponential(e * logarithm(v > 1e-12f ? v : 1)) * (float)(v > 1e-12f);
}

INLINE float root(float v) { return sqrtf(v > 1e-12f ? v : 0); }

/* The cube root of v > 0, normal: an estimate from the exponent, twice improved by Halley. */
INLINE float cube_root(float v) {
    float y = real((int32_t)((float)bits(v) * 0.333333333f) + 709921077);
    for (int i = 0; i < 2; i++) {
        const float c = y * y * y;
        y = y * (c + 2 * v) / (2 * c + v);
    }
    return y;
}

INLINE float sine(float v) {
    const float n = whole(v * (1 / PI)), r = (v - n * 3.140625f) - n * 9.67653589793e-4f, q = r * r;
    const float s = r * (1 + q * (-0.166666667f + q * (8.33333333e-3f + q * (-1.98412698e-4f + q * (2.75573192e-6f - q * 2.50521084e-8f)))));
    return ((int32_t)n & 1) ? -s : s;
}

INLINE float cosine(float v) { return sine(v + PI / 2); }

/* The angle of (x, y) in 0 … 2π; 0 at the origin. As in pixels.c: minimax in t² for 0 ≤ t ≤ 1, error below 2e-8 before rounding. */
INLINE float hue(float y, float x) {
    const float u = fabsf(x), v = fabsf(y), high = u > v ? u : v, t = (u > v ? v : u) / (high > 0 ? high : 1), s = t * t;
    float p = 0.00282363896258175373077393f;
    p = p * s - 0.0159569028764963150024414f;
    p = p * s + 0.0425049886107444763183594f;
    p = p * s - 0.0748900920152664184570312f;
    p = p * s + 0.106347933411598205566406f;
    p = p * s - 0.142027363181114196777344f;
    p = p * s + 0.199926957488059997558594f;
    p = p * s - 0.333331018686294555664062f;
    float a = t + t * s * p;
    a = v > u ? PI / 2 - a : a;
    a = x < 0 ? PI - a : a;
    return y < 0 ? 2 * PI - a : a;
}

INLINE float seven(float c) {
    const float r = c * 0.04f, s = r * r * r, q = s * s * r;
    return root(q / (q + 1));
}

/* n pixels of light in 0 … 1 from sRGB. */
INLINE void light_u8(const uint8_t *restrict in, const float *restrict table, int n, float *restrict out) {
    for (int i = 0; i < n; i++) out[i] = table[in[i]];
}

INLINE void light_f32(const float *restrict in, const float *restrict table, int n, float *restrict out) {
    (void)table;
    for (int i = 0; i < n; i++) {
        const float v = ((in[i] > 0.04045f ? in[i] : 0.04045f) + 0.055f) * (1 / 1.055f);
        const float curve = exponential(2.4f * logarithm(v));
        const float line = in[i] * (1 / 12.92f);
        out[i] = line + (float)(in[i] > 0.04045f) * (curve - line);
    }
}

/* XYZ over white from light. shares: those of red and blue in each; the three sum to 1, so that grey stays grey. */
INLINE void tristimulus(const float *shares, float r, float g, float b, float *xyz) {
    for (int k = 0; k < 3; k++) xyz[k] = g + shares[2 * k] * (r - g) + shares[2 * k + 1] * (b - g);
}

INLINE float lightness(float t) {
    const float low = 216.0f / 24389, curve = cube_root(t > low ? t : low), line = t * (841.0f / 108) + 4.0f / 29;
    return curve < line ? curve : line; /* the line is a tangent, from above */
}

INLINE float difference(float l1, float a1, float b1, float l2, float a2, float b2) {
    const float g = 1.5f - 0.5f * seven((root(a1 * a1 + b1 * b1) + root(a2 * a2 + b2 * b2)) / 2);
    a1 *= g, a2 *= g;
    const float c1 = root(a1 * a1 + b1 * b1), c2 = root(a2 * a2 + b2 * b2), h1 = hue(b1, a1), h2 = hue(b2, a2);
    float turn = h2 - h1;
    turn -= 2 * PI * whole(turn / (2 * PI));
    float middle = h1 + turn / 2; /* where a colour is grey it does not count, as dh is 0 */
    middle -= 2 * PI * whole(middle / (2 * PI) - 0.5f);
    const float light = (l1 + l2) / 2 - 50, c = (c1 + c2) / 2, deg = PI / 180;
    const float t = 1 - 0.17f * cosine(middle - 30 * deg) + 0.24f * cosine(2 * middle) + 0.32f * cosine(3 * middle + 6 * deg) -
                    0.2f * cosine(4 * middle - 63 * deg);
    const float dl = (l2 - l1) / (1 + 0.015f * light * light / sqrtf(20 + light * light));
    const float dc = (c2 - c1) / (1 + 0.045f * c), dh = 2 * root(c1 * c2) * sine(turn / 2) / (1 + 0.015f * c * t);
    const float away = (middle - 275 * deg) * (1 / (25 * deg));
    const float twist = -2 * seven(c) * sine(PI / 3 * exponential(-1.44269504f * away * away));
    return root(dl * dl + dc * dc + dh * dh + twist * dc * dh);
}

INLINE void lab_of(const float *restrict r, const float *restrict g, const float *restrict b, const float *shares, int n, float *restrict l,
                   float *restrict u, float *restrict v) {
    for (int i = 0; i < n; i++) {
        float t[3];
        tristimulus(shares, r[i], g[i], b[i], t);
        const float fx = lightness(t[0]), fy = lightness(t[1]), fz = lightness(t[2]);
        l[i] = 116 * fy - 16, u[i] = 500 * (fx - fy), v[i] = 200 * (fy - fz);
    }
}

INLINE void opponents(const float *restrict rgb, const float *shares, int n, float *restrict y, float *restrict cx, float *restrict cz) {
    for (int i = 0; i < n; i++) {
        float t[3];
        tristimulus(shares, rgb[i], rgb[i + TILE], rgb[i + 2 * TILE], t);
        y[i] = 116 * t[1] - 16, cx[i] = 500 * (t[0] - t[1]), cz[i] = 200 * (t[1] - t[2]);
    }
}

INLINE void differences(const float *restrict one, const float *restrict two, int n, float *restrict to) {
    for (int i = 0; i < n; i++) to[i] = difference(one[i], one[i + TILE], one[i + 2 * TILE], two[i], two[i + TILE], two[i + 2 * TILE]);
}

/* Pixels start..stop of x and y, pictures of `planes` (1 or 3) planes of `size` pixels: ΔE00. */
#define CIEDE2000(NAME, TYPE, LIGHT)                                                                                                 \
    EXPORT WIDE void NAME(const TYPE *x, const TYPE *y, ptrdiff_t planes, ptrdiff_t size, const float *table, const float *shares,   \
                          ptrdiff_t start, ptrdiff_t stop, float *to) {                                                              \
        float rgb[3 * TILE], lab[2][3 * TILE];                                                                                       \
        for (ptrdiff_t at = start; at < stop; at += TILE) {                                                                          \
            const int n = stop - at < TILE ? (int)(stop - at) : TILE;                                                                \
            for (int picture = 0; picture < 2; picture++) {                                                                          \
                float *to = lab[picture];                                                                                            \
                for (int k = 0; k < 3; k++) LIGHT((picture ? y : x) + (planes == 3 ? k : 0) * size + at, table, n, rgb + k * TILE);  \
                lab_of(rgb, rgb + TILE, rgb + 2 * TILE, shares, n, to, to + TILE, to + 2 * TILE);                                    \
            }                                                                                                                        \
            differences(lab[0], lab[1], n, to + at);                                                                                 \
        }                                                                                                                            \
    }

CIEDE2000(ciede2000_u8, uint8_t, light_u8)
CIEDE2000(ciede2000_f32, float, light_f32)

/* Pixels start..stop of a picture as above: FLIP's YCxCz in three planes. */
#define OPPONENT(NAME, TYPE, LIGHT)                                                                                                  \
    EXPORT WIDE void NAME(const TYPE *x, ptrdiff_t planes, ptrdiff_t size, const float *table, const float *shares, ptrdiff_t start, \
                          ptrdiff_t stop, float *to) {                                                                               \
        float rgb[3 * TILE];                                                                                                         \
        for (ptrdiff_t at = start; at < stop; at += TILE) {                                                                          \
            const int n = stop - at < TILE ? (int)(stop - at) : TILE;                                                                \
            for (int k = 0; k < 3; k++) LIGHT(x + (planes == 3 ? k : 0) * size + at, table, n, rgb + k * TILE);                      \
            opponents(rgb, shares, n, to + at, to + size + at, to + 2 * size + at);                                                  \
        }                                                                                                                            \
    }

OPPONENT(opponent_u8, uint8_t, light_u8)
OPPONENT(opponent_f32, float, light_f32)

/* L*a*b* in which dark colours are less vivid, from what contrast sensitivity leaves of YCxCz. */
INLINE void vivid(const float *shares, const float *inverse, float y, float cx, float cz, float *lab) {
    float rgb[3], t[3];
    y = (y + 16) * (1 / 116.0f);
    const float x = y + cx * (1 / 500.0f), z = y - cz * (1 / 200.0f);
    for (int k = 0; k < 3; k++) {
        const float v = inverse[3 * k] * x + inverse[3 * k + 1] * y + inverse[3 * k + 2] * z, low = v < 0 ? 0 : v;
        rgb[k] = low > 1 ? 1 : low;
    }
    tristimulus(shares, rgb[0], rgb[1], rgb[2], t);
    const float fx = lightness(t[0]), fy = lightness(t[1]), fz = lightness(t[2]), l = 116 * fy - 16;
    lab[0] = l, lab[1] = 5 * l * (fx - fy), lab[2] = 2 * l * (fy - fz);
}

/* Pixels start..stop. seen, features: of both pictures, four planes of `size` each: Y, Cx and the two parts of Cz as seen; edges across
 * and down, points across and down. inverse: RGB from XYZ over white. */
EXPORT WIDE void flip_pixels(const float *restrict seen, const float *restrict features, ptrdiff_t size, const float *shares,
                             const float *inverse, float knee, float largest, float share, ptrdiff_t start, ptrdiff_t stop,
                             float *restrict to) {
    for (ptrdiff_t i = start; i < stop; i++) {
        const float *a = seen + i, *b = a + 4 * size, *f = features + i, *g = f + 4 * size;
        float one[3], two[3];
        vivid(shares, inverse, a[0], a[size], a[2 * size] + a[3 * size], one);
        vivid(shares, inverse, b[0], b[size], b[2 * size] + b[3 * size], two);
        const float u = one[1] - two[1], v = one[2] - two[2];
        const float e = power(fabsf(one[0] - two[0]) + root(u * u + v * v), 0.7f);
        const float low = e < knee ? e : knee, colour = low * (share / knee) + (e - low) * ((1 - share) / (largest - knee));
        const float edge = fabsf(root(f[0] * f[0] + f[size] * f[size]) - root(g[0] * g[0] + g[size] * g[size]));
        const float point = fabsf(root(f[2 * size] * f[2 * size] + f[3 * size] * f[3 * size]) -
                                  root(g[2 * size] * g[2 * size] + g[3 * size] * g[3 * size]));
        to[i] = power(colour, 1 - root((edge > point ? edge : point) * 0.707106781f));
    }
}
