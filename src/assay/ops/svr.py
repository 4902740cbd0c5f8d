"""Support vector regression: the text files of LIBSVM read and applied."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from assay.types import BadInput


@dataclass(frozen=True, slots=True, eq=False)
class Svr:
    """Σ weights[i]·exp(-gamma·|f - vectors[i]|²) + bias."""

    vectors: Tensor  # n×features, float64
    weights: Tensor  # n
    gamma: float
    bias: float


@dataclass(frozen=True, slots=True, eq=False)
class Ranges:
    """Features go from [low, high] to [first, last]; what lies outside is not clipped."""

    low: Tensor
    high: Tensor
    first: float
    last: float


def predict(f: Tensor, model: Svr, ranges: Ranges) -> Tensor:
    """…×features, unscaled → … values."""
    low, high, vectors, weights = (t.to(f) for t in (ranges.low, ranges.high, model.vectors, model.weights))
    f = ranges.first + (ranges.last - ranges.first) * (f - low) / (high - low)
    near = torch.exp(-model.gamma * (f.unsqueeze(-2) - vectors).square().sum(-1))
    return (near * weights).sum(-1) + model.bias


def read_model(text: str) -> Svr:
    """The text of a model file that `svm-train -s 3 -t 2` wrote. Raises BadInput on any other kind."""
    head, found, body = text.replace("\r", "").partition("\nSV\n")
    facts = dict(line.partition(" ")[::2] for line in head.split("\n"))
    if not found or facts.get("svm_type") != "epsilon_svr" or facts.get("kernel_type") != "rbf":
        raise BadInput("this is not a LIBSVM model of epsilon regression with an RBF kernel; train it with svm-train -s 3 -t 2.")
    rows = [line.split() for line in body.split("\n") if line.strip()]
    pairs = [[p.partition(":") for p in row[1:]] for row in rows]
    vectors = torch.zeros(len(rows), max(int(at) for row in pairs for at, _, _ in row), dtype=torch.float64)
    for i, row in enumerate(pairs):  # what is not written is zero
        for at, _, value in row:
            vectors[i, int(at) - 1] = float(value)
    weights = torch.tensor([float(row[0]) for row in rows], dtype=torch.float64)
    if len(rows) != int(facts["total_sv"]):
        raise BadInput(f"the model names {facts['total_sv']} support vectors but holds {len(rows)}; it is cut off.")
    return Svr(vectors, weights, float(facts["gamma"]), -float(facts["rho"]))


def read_ranges(text: str) -> Ranges:
    """The text of a range file that `svm-scale -s` wrote."""
    lines = [line.split() for line in text.split("\n") if line.strip()]
    if len(lines) < 3 or lines[0] != ["x"]:
        raise BadInput('this is not a range file of svm-scale: it should begin with "x" and go on with two numbers.')
    table = torch.tensor([[float(v) for v in line[1:3]] for line in lines[2:]], dtype=torch.float64)
    return Ranges(table[:, 0], table[:, 1], float(lines[1][0]), float(lines[1][1]))
