/* A filter in the frequency plane. Complex numbers are pairs of numbers. */
#include "kernels.h"

/* out = spectrum · radial · angular. */
#define FILTER(NAME, REAL)                                                                                                             \
    EXPORT WIDE void NAME(const REAL *restrict spectrum, const REAL *restrict radial, const REAL *restrict angular, ptrdiff_t n,        \
                          REAL *restrict out) {                                                                                        \
        for (ptrdiff_t i = 0; i < n; i++) {                                                                                            \
            const REAL f = radial[i] * angular[i];                                                                                     \
            out[2 * i] = f * spectrum[2 * i];                                                                                          \
            out[2 * i + 1] = f * spectrum[2 * i + 1];                                                                                  \
        }                                                                                                                              \
    }

FILTER(fourier_filter_f32, float)
FILTER(fourier_filter_f64, double)
