"""The error-versus-discard script of CR-FIQA and ViT-FIQA (Boutros et al. 2023, arXiv:2112.06592; ERC/erc.py and ERC/roc.py).

At each of 20 fractions the comparisons of lowest quality go, mated or not; the threshold is set anew to the similarity whose FMR lies
nearest to the target, even above it; and a mated comparison at that very similarity counts as an error.
"""

from __future__ import annotations

import numpy as np

from assay.bench.resample import Bools, Floats
from assay.types import BadInput, CannotAssess

STEPS = np.arange(0, 0.98, 0.05)  # 0, .05, …, .95, rounded as there, because rows are counted with them
FMR = 1e-3


def errors(similarity: Floats, quality: Floats, mated: Bools, fmr: float) -> Floats:
    """FNMR at each of STEPS: N, N, N → 20.  Equal qualities go in the order of the rows.

    The script works on arccos(cosine) / π, which falls with the cosine, so that any similarity gives the same errors.
    Raises BadInput; CannotAssess where mated or non-mated comparisons run out.
    """
    if not 0 < fmr < 1:
        raise BadInput(f"an FMR lies between 0 and 1; got {fmr}.")
    order = np.argsort(quality, kind="stable")
    out = []
    for fraction in STEPS:
        kept = order[int(fraction * len(order)) :]
        s, m = similarity[kept], mated[kept]
        if m.all() or not m.any():
            raise CannotAssess(f"crfiqa needs mated and non-mated comparisons at every step; at {fraction:.0%} discarded one kind is gone.")
        candidates, impostor = np.unique(s), np.sort(s[~m])
        rates = (len(impostor) - np.searchsorted(impostor, candidates, side="left")) / len(impostor)
        out.append(float((s[m] <= candidates[np.abs(rates - fmr).argmin()]).mean()))
    return np.array(out)
