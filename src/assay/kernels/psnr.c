/* Sums of squared differences of 8-bit pixels, exact whole numbers. */
#include "kernels.h"

enum { PIECE = 1 << 15 }; /* 2¹⁵ squares of at most 255² stay below 2³¹ */

/* Parts start..stop of `items` runs of `size` pixels, each cut into parts of `part` pixels: one sum a part. */
EXPORT WIDE void squared_differences(const uint8_t *x, const uint8_t *y, ptrdiff_t size, ptrdiff_t part, ptrdiff_t start,
                                     ptrdiff_t stop, int64_t *sums) {
    ptrdiff_t parts = (size + part - 1) / part;
    for (ptrdiff_t p = start; p < stop; p++) {
        ptrdiff_t from = p / parts * size + p % parts * part, to = from + part, end = (p / parts + 1) * size;
        if (to > end) to = end;
        int64_t total = 0;
        for (ptrdiff_t at = from; at < to; at += PIECE) {
            const uint8_t *restrict a = x + at, *restrict b = y + at;
            int n = to - at < PIECE ? (int)(to - at) : PIECE;
            int32_t sum = 0;
            for (int i = 0; i < n; i++) {
                int16_t d = (int16_t)(a[i] - b[i]);
                sum += d * d;
            }
            total += sum;
        }
        sums[p] = total;
    }
}
