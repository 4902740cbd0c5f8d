/* Layers of small convolutional nets on one picture, height×width×channels. The definitions are in ops/layers.py.
 *
 * A layer first gathers, for each place of its output, what the weights are multiplied with: the k×k places around it, or
 * each channel's own k×k weighted and cut off at zero. Then comes one product of matrices for some places at a time. */
#include "floats.h"

enum { BLOCK = 48, LANES = 16, MOST = 4 }; /* places gathered at a time; floats of one vector; places multiplied together */

#if defined(__GNUC__)
typedef float Vector __attribute__((vector_size(LANES * sizeof(float)), aligned(4), may_alias));
typedef int32_t Bits __attribute__((vector_size(LANES * sizeof(float)), aligned(4)));
#endif

/* to = bias + in · weight, cut off at zero if wanted, plus `add`, for `rows` places and columns·LANES numbers each: constants, so
 * that all sums stay in registers. */
INLINE void product(const float *in, ptrdiff_t n, const float *weight, const float *bias, ptrdiff_t wide, const int rows, const int columns,
                    int relu, const float *add, float *to) {
#if defined(__GNUC__)
    Vector sums[MOST][2];
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < columns; c++) sums[r][c] = *(const Vector *)(bias + c * LANES);
    for (ptrdiff_t k = 0; k < n; k++)
        for (int c = 0; c < columns; c++) {
            const Vector w = *(const Vector *)(weight + k * wide + c * LANES);
            for (int r = 0; r < rows; r++) sums[r][c] += in[r * n + k] * w;
        }
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < columns; c++) {
            Vector v = sums[r][c];
            if (relu) v = (Vector)((Bits)v & (Bits)(v > 0));
            if (add) v += *(const Vector *)(add + r * wide + c * LANES);
            *(Vector *)(to + r * wide + c * LANES) = v;
        }
#else
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < columns * LANES; c++) {
            float v = bias[c];
            for (ptrdiff_t k = 0; k < n; k++) v += in[r * n + k] * weight[k * wide + c];
            v = relu && v < 0 ? 0 : v;
            to[r * wide + c] = add ? v + add[r * wide + c] : v;
        }
#endif
}

INLINE void multiplied(const float *in, ptrdiff_t places, ptrdiff_t n, const float *weight, const float *bias, ptrdiff_t wide, int relu,
                       const float *add, float *to) {
    for (ptrdiff_t left = 0; left < wide; left += 2 * LANES)
        for (ptrdiff_t p = 0; p < places; p += places - p < MOST ? 1 : MOST) {
            const float *w = weight + left, *b = bias + left, *more = add ? add + p * wide + left : 0;
            float *out = to + p * wide + left;
            const int pair = wide - left > LANES;
            if (places - p < MOST) {
                if (pair) product(in + p * n, n, w, b, wide, 1, 2, relu, more, out);
                else product(in + p * n, n, w, b, wide, 1, 1, relu, more, out);
            } else {
                if (pair) product(in + p * n, n, w, b, wide, MOST, 2, relu, more, out);
                else product(in + p * n, n, w, b, wide, MOST, 1, relu, more, out);
            }
        }
}

/* Each channel's own k×k around a place, weighted and cut off at zero. */
INLINE void own(const float *from, ptrdiff_t height, ptrdiff_t width, ptrdiff_t channels, ptrdiff_t top, ptrdiff_t left, ptrdiff_t k,
                const float *weight, const float *bias, float *to) {
    const ptrdiff_t y0 = top < 0 ? -top : 0, y1 = top + k > height ? height - top : k;
    const ptrdiff_t x0 = left < 0 ? -left : 0, x1 = left + k > width ? width - left : k;
    ptrdiff_t at = 0;
#if defined(__GNUC__)
    for (; at + 2 * LANES <= channels; at += 2 * LANES) {
        Vector a = *(const Vector *)(bias + at), b = *(const Vector *)(bias + at + LANES);
        for (ptrdiff_t y = y0; y < y1; y++)
            for (ptrdiff_t x = x0; x < x1; x++) {
                const float *in = from + ((top + y) * width + left + x) * channels + at, *w = weight + (y * k + x) * channels + at;
                a += *(const Vector *)in * *(const Vector *)w;
                b += *(const Vector *)(in + LANES) * *(const Vector *)(w + LANES);
            }
        *(Vector *)(to + at) = (Vector)((Bits)a & (a > 0));
        *(Vector *)(to + at + LANES) = (Vector)((Bits)b & (b > 0));
    }
#endif
    for (; at < channels; at++) {
        float sum = bias[at];
        for (ptrdiff_t y = y0; y < y1; y++)
            for (ptrdiff_t x = x0; x < x1; x++)
                sum += from[((top + y) * width + left + x) * channels + at] * weight[(y * k + x) * channels + at];
        to[at] = sum < 0 ? 0 : sum;
    }
}

/* The k×k places around one, nothing beyond the border. Leaves up to LANES - 1 numbers behind the last undefined. */
INLINE void around(const float *from, ptrdiff_t height, ptrdiff_t width, ptrdiff_t channels, ptrdiff_t top, ptrdiff_t left, ptrdiff_t k, float *to) {
    const ptrdiff_t n = k * channels, first = left < 0 ? -left * channels : 0, last = left + k > width ? (width - left) * channels : n;
    const ptrdiff_t begin = (top * width + left) * channels, end = height * width * channels;
    for (ptrdiff_t y = 0; y < k; y++) {
        const ptrdiff_t at = begin + y * width * channels;
        float *row = to + y * n;
        if (first == 0 && last == n && top + y >= 0 && top + y < height && at + n + LANES <= end) {
            for (ptrdiff_t i = 0; i < n; i += LANES) memcpy(row + i, from + at + i, LANES * sizeof(float)); /* the next row begins where this one ends */
            continue;
        }
        const int inside = top + y >= 0 && top + y < height;
        for (ptrdiff_t i = 0; i < n; i++) row[i] = inside && i >= first && i < last ? from[at + i] : 0;
    }
}

/* Places start..stop of the output of one layer: k×k with zeros around, every `stride` places; `wide` outputs, a multiple of 16.
 * depth: k×k×channels weights of each channel's own and their `channels` biases, or none: then all channels are mixed k×k.
 * weight: inputs×wide. adds: the input is added to the output. room: 48 × (channels, or k·k·channels) + 16 floats. */
EXPORT WIDE void layer(const float *from, ptrdiff_t height, ptrdiff_t width, ptrdiff_t channels, ptrdiff_t k, ptrdiff_t stride, const float *depth,
                       const float *depth_bias, const float *weight, const float *bias, ptrdiff_t wide, int relu, int adds, ptrdiff_t start,
                       ptrdiff_t stop, float *room, float *to) {
    const ptrdiff_t w = (width - 1) / stride + 1, n = depth ? channels : k * k * channels;
    ptrdiff_t row = start / w, column = start % w;
    for (ptrdiff_t at = start; at < stop; at += BLOCK) {
        const ptrdiff_t places = stop - at < BLOCK ? stop - at : BLOCK;
        for (ptrdiff_t p = 0; p < places; p++) {
            const ptrdiff_t top = row * stride - k / 2, left = column * stride - k / 2;
            if (depth) own(from, height, width, channels, top, left, k, depth, depth_bias, room + p * n);
            else around(from, height, width, channels, top, left, k, room + p * n);
            if (++column == w) column = 0, row++;
        }
        multiplied(room, places, n, weight, bias, wide, relu, adds ? from + at * channels : 0, to + at * wide);
    }
}
