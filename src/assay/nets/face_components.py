"""The tiny nets of three face components: one hidden layer each, as a handful of measurements needs."""

from __future__ import annotations

from torch import Tensor

from assay import weights
from assay.types import Weights

MODEL = Weights(
    file="face_components.safetensors",
    sha256="44a2ac61a47803fb79c2b0e42040c83b0dbc66cf68e4b6ea848282d605a42a7d",
    license="Apache-2.0; trained on 271 official portraits (MIT)",
    recipe="recipes/face_components.py",
)


def perceptron(x: Tensor, w: dict[str, Tensor], name: str) -> Tensor:
    """N×F measurements → N numbers, by the tensors NAME.mean, .spread, .in, .bias, .out and .last of `w`."""
    part = {k: w[f"{name}.{k}"].float() for k in ("mean", "spread", "in", "bias", "out", "last")}
    hidden = ((x - part["mean"]) / part["spread"] @ part["in"] + part["bias"]).tanh()
    return hidden @ part["out"] + part["last"]


def said(x: Tensor, name: str) -> Tensor:
    """What the shipped net of that name ("blur", "compression", "eyes") makes of N×F measurements."""
    return perceptron(x, weights.load_safetensors(MODEL), name)
