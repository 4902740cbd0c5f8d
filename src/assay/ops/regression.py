"""What quality models are trained with and read by: losses that see correlation and order, and the four-parameter logistic."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import mse_loss

from assay.types import CannotAssess

Floats = NDArray[np.floating]


def plcc_loss(told: Tensor, truth: Tensor) -> Tensor:
    """0 where two lists of N rise together in a line, .375 where they have nothing in common, .5 where one falls.

    Efficient-FIQA's utils.py: both are standardised over the batch; half the mean of a quarter of their squared distance and of
    a quarter of the distance after the prediction is scaled by the correlation.
    """
    a, b = standardised(told), standardised(truth)
    together = (a * b).mean()
    return (mse_loss(a, b) / 4 + mse_loss(together * a, b) / 4) / 2


def mse_plcc(told: Tensor, truth: Tensor) -> Tensor:
    """The loss of Efficient-FIQA (arXiv:2507.15709): the squared error and `plcc_loss`, both with weight 1."""
    return mse_loss(told, truth) + plcc_loss(told, truth)


def standardised(x: Tensor) -> Tensor:
    """Mean 0 and deviation 1 over the batch; of equal values, zeros."""
    sigma, mean = torch.std_mean(x, correction=0)
    return (x - mean) / (sigma + 1e-8)


def preferred(difference: Tensor) -> Tensor:
    """How likely the first of two is preferred: the normal distribution of the raw difference of their scores.

    DN-PIQA's code takes the difference's deviation as 1, not √2 as Thurstone's case V does: one unit is 84.13 %.
    """
    return torch.special.ndtr(difference)  # type: ignore[no-any-return]


def fidelity_loss(told: Tensor, truth: Tensor) -> Tensor:
    """How far two lists of probabilities are apart: 0 where equal, 1 − √½ = .2929 for a coin against a certainty (Tsai 2007)."""
    return (1 - (told * truth + 1e-8).sqrt() - ((1 - told) * (1 - truth) + 1e-8).sqrt()).mean()


def logistic(x: Floats, high: float, low: float, middle: float, width: float) -> Floats:
    """The curve that VQEG lays through scores before it asks how linear they are: four parameters."""
    return low + (high - low) / (1 + np.exp(-(x - middle) / abs(width)))  # type: ignore[no-any-return]


def fit_logistic(told: Floats, truth: Floats) -> tuple[float, float, float, float]:
    """The four parameters that bring `told` nearest to `truth`, begun as Efficient-FIQA's utils.py begins them.

    Raises CannotAssess where there are fewer than five pairs or no curve is found.
    """
    from scipy.optimize import least_squares

    if len(told) < 5:
        raise CannotAssess(f"a logistic has four parameters and needs at least five pairs; got {len(told)}.")
    start = (float(truth.max()), float(truth.min()), float(told.mean()), 0.5)
    found = least_squares(lambda p: logistic(told.astype(float), *p) - truth, start, max_nfev=20_000)
    if not found.success:
        raise CannotAssess(f"no logistic curve fits these {len(told)} pairs: {found.message}")
    high, low, middle, width = (float(v) for v in found.x)
    return high, low, middle, width
