/* What NIQE needs to know of each 96×96 block, in one pass: luminance, half size, local contrast, and their moments.

   A block reads its own pixels and nine around them, so blocks depend on nothing but the picture: any range of them may
   be done on any thread, and no full-size buffer exists. Everything is in double: flat areas then stay exactly flat,
   where float32 would leave noise whose signs the fit would take for texture. The torch definition is ops/mscn.py. */
#include <math.h>
#include <string.h>

#include "kernels.h"

#if defined(__GNUC__)
#define INLINE static inline __attribute__((always_inline)) /* so that it is compiled for each of WIDE's machines */
#else
#define INLINE static inline
#endif

enum {
    SIDE = 96,                 /* a block */
    REACH = 3,                 /* of the 7-tap window */
    MARGIN = 3 * REACH,        /* at half size the window reaches 2·3 pixels, and imresize 3 more */
    PATCH = SIDE + 2 * MARGIN,
    SMALL = SIDE / 2 + 2 * REACH,
    SUMS = 26                  /* per size: 5 × (Σ|p|, Σp² of p<0, Σp² of p>0, count p<0, count p>0), Σσ */
};

static const double WINDOW[4] = {0.0131605194, 0.0, 0.0, 0.0}; /* replaced by the caller's weights, see below */

/* Fill the pixels beyond the picture's edge: mirrored as imresize does, or repeated as imfilter(…, 'replicate') does. */
INLINE void beyond(double *p, int side, int margin, int mirrored, int top, int bottom, int left, int right) {
    const int width = side + 2 * margin, last = margin + side - 1;
    for (int j = 0; j < margin; j++) {
        const int k = mirrored ? j : 0;
        if (left)
            for (int y = 0; y < width; y++) p[y * width + margin - 1 - j] = p[y * width + margin + k];
        if (right)
            for (int y = 0; y < width; y++) p[y * width + last + 1 + j] = p[y * width + last - k];
    }
    for (int j = 0; j < margin; j++) {
        const int k = mirrored ? j : 0;
        if (top) memcpy(p + (margin - 1 - j) * width, p + (margin + k) * width, width * sizeof *p);
        if (bottom) memcpy(p + (last + 1 + j) * width, p + (last - k) * width, width * sizeof *p);
    }
}
