/* A filter in the frequency plane. Complex numbers are pairs of floats. */
#include "kernels.h"

/* out = spectrum · radial · angular. */
EXPORT WIDE void fourier_filter(const float *restrict spectrum, const float *restrict radial, const float *restrict angular,
                                ptrdiff_t n, float *restrict out) {
    for (ptrdiff_t i = 0; i < n; i++) {
        const float f = radial[i] * angular[i];
        out[2 * i] = f * spectrum[2 * i];
        out[2 * i + 1] = f * spectrum[2 * i + 1];
    }
}
