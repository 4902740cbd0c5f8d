"""Deterministic diffusion, there and back: Song, Meng & Ermon 2021 (DDIM), arXiv:2010.02502, eq. 12 and its reverse, as DIRE runs it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from assay.types import BadInput

TRAINED = 1000  # steps of the chain that nets are trained on
BETAS = (1e-4, 0.02)  # Ho et al. 2020, arXiv:2006.11239: the linear schedule's ends
Noise = Callable[[Tensor, Tensor], Tensor]  # N×C×H×W and N steps of the chain → the noise that is seen there


def alphas(count: int = TRAINED) -> Tensor:
    """ᾱ of each step: how much of the picture's variance is left."""
    scale = TRAINED / count
    return (1 - torch.linspace(BETAS[0] * scale, BETAS[1] * scale, count, dtype=torch.float64)).cumprod(0)


def spaced(steps: int, count: int = TRAINED) -> list[int]:
    """`steps` steps of the chain, evenly apart from 0 on.  Raises BadInput where no whole distance gives so many."""
    for stride in range(1, count):
        if len(range(0, count, stride)) == steps:
            return list(range(0, count, stride))
    raise BadInput(f"steps must be a number into which {count} steps can be thinned evenly, as 10, 20 or 50; got {steps}.")


def reconstructed(x: Tensor, noise: Noise, *, steps: int = 20, depth: int = 0, clip: bool = True, count: int = TRAINED) -> Tensor:
    """N×C×H×W in [-1, 1], made noise and a picture again.

    depth: how many of the steps are gone there and back; 0 is all of them, where nothing but the noise is carried over.
    clip: what is taken for the picture on the way is held to [-1, 1]. On the way there a step is told to the net as the one before,
    and the way back begins at that one too: the release's pairing, which its classifiers learned from.
    """
    if not 0 <= depth <= steps:
        raise BadInput(f"depth must be 0 (all) to steps, which is {steps}; got {depth}.")
    at = spaced(steps, count)
    kept = alphas(count)[at]
    more, less = torch.cat([kept[1:], kept.new_zeros(1)]), torch.cat([kept.new_ones(1), kept[:-1]])
    way = range(depth or steps)
    for i in way:
        x = _moved(x, noise, at[i], float(kept[i]), float(more[i]), clip)
    for i in reversed(way):
        x = _moved(x, noise, at[i], float(kept[i]), float(less[i]), clip)
    return x


def _moved(x: Tensor, noise: Noise, at: int, here: float, there: float, clip: bool) -> Tensor:
    """One step, from where `here` of the variance is the picture's to where `there` is."""
    seen = noise(x, torch.full((len(x),), at, device=x.device))[:, : x.shape[1]]  # a net may tell the noise's variance beside
    first = (x - (1 - here) ** 0.5 * seen) / here**0.5
    if clip:
        first = first.clamp(-1, 1)
    seen = (x - here**0.5 * first) / (1 - here) ** 0.5
    stepped: Tensor = there**0.5 * first + (1 - there) ** 0.5 * seen
    return stepped
