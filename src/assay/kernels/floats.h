/* Floats taken apart: what compilers can make vectors of, where the library's functions answer for one number at a time. */
#ifndef ASSAY_FLOATS_H
#define ASSAY_FLOATS_H

#include <string.h>

#include "kernels.h"

#if defined(__GNUC__)
#define INLINE static inline __attribute__((always_inline)) /* so that it is compiled once for each machine of WIDE */
#else
#define INLINE static inline
#endif

INLINE int32_t bits(float v) {
    int32_t i;
    memcpy(&i, &v, sizeof i);
    return i;
}

INLINE float real(int32_t i) {
    float v;
    memcpy(&v, &i, sizeof v);
    return v;
}

/* log2 of v > 0, normal: of the part in √½ … √2 as 2·artanh. */
INLINE float logarithm(float v) {
    const int32_t shift = (bits(v) - 0x3f3504f3) >> 23;
    const float m = real(bits(v) - shift * (1 << 23)), s = (m - 1) / (m + 1), q = s * s;
    return (float)shift + 2.88539008f * s * (1 + q * (0.333333333f + q * (0.2f + q * (0.142857143f + q * 0.111111111f))));
}

#endif
