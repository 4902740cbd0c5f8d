"""Layers of small convolutional nets, one picture at a time: for the calls of torch alone take longer than their arithmetic."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from assay import kernels

LANES = 16  # outputs come in multiples of it


class Layer(NamedTuple):
    """A convolution, its norm folded in: of each channel alone and cut off at zero first, or at once of all."""

    side: int
    stride: int
    depth: Tensor | None  # side·side×C
    depth_bias: Tensor | None
    weight: Tensor  # inputs×outputs, the outputs filled up with zeros to a multiple of 16
    bias: Tensor
    outputs: int
    relu: bool
    adds: bool  # the input is added to the output


def layer(mix: nn.Conv2d, *, own: nn.Conv2d | None = None, relu: bool = True, adds: bool = False) -> Layer:
    """relu(mix(x)), or relu(mix(relu(own(x)))) with a 1×1 mix, of plain convolutions that keep the size but for their stride."""
    first = own or mix
    if mix.bias is None or first.bias is None or first.padding != (first.kernel_size[0] // 2,) * 2:
        raise ValueError("a layer takes convolutions with a bias that are padded by half of their side")
    fill = -mix.out_channels % LANES
    weight = pad(mix.weight.permute(2, 3, 1, 0).flatten(0, 2), (0, fill)).contiguous()
    depth = None if own is None else own.weight.permute(2, 3, 1, 0).flatten(0, 2).contiguous()
    return Layer(
        first.kernel_size[0],
        first.stride[0],
        depth,
        None if own is None else own.bias,
        weight,
        pad(mix.bias, (0, fill)).contiguous(),
        mix.out_channels,
        relu,
        adds,
    )


def can(x: Tensor) -> bool:
    """Whether `run` may take this."""
    return kernels.can(x, dtypes=(torch.float32,))


def run(layers: Sequence[Layer], x: Tensor) -> Tensor:
    """One picture, H×W×C, through the layers, as the convolutions they were made of would have it: h×w×D."""
    for one in layers:
        x = _run(one, x)
    return x[..., : layers[-1].outputs] if layers else x


def _run(one: Layer, x: Tensor) -> Tensor:
    x = x.contiguous()
    height, width, channels = x.shape
    h, w = ((n - 1) // one.stride + 1 for n in (height, width))
    inputs, wide = one.weight.shape
    out = x.new_empty(h, w, wide)
    parts = [None if t is None else kernels.pointer(t) for t in (one.depth, one.depth_bias, one.weight, one.bias)]
    source, to = kernels.pointer(x), kernels.pointer(out)

    def work(start: int, stop: int) -> None:
        room = x.new_empty(48 * inputs + LANES)
        _kernel()(
            source, height, width, channels, one.side, one.stride, *parts, wide, one.relu, one.adds, start, stop, kernels.pointer(room), to
        )

    kernels.split(work, h * w, grain=max(48, (1 << 22) // (inputs * wide)))
    return out


@cache
def _kernel() -> ctypes._NamedFuncPointer:
    library = kernels.library()
    if library is None:
        raise RuntimeError("the kernels are not built; ask can first")
    size, address, flag = ctypes.c_ssize_t, ctypes.c_void_p, ctypes.c_int
    library.layer.argtypes = [address, *[size] * 5, *[address] * 4, size, flag, flag, size, size, address, address]
    library.layer.restype = None
    return library.layer
