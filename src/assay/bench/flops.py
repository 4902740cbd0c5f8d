"""What a net costs: parameters, and multiply-accumulates of one forward pass.

Convention: one multiply-accumulate counts 1, as papers on small nets and fvcore have it, though they call it a FLOP; a count of
floating-point operations is twice that. Counted are convolutions, linear layers, matrix products and attention, functional or in
modules; not counted are additions, activations, norms, pooling, and what happens outside torch.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from assay.types import BadInput


@dataclass(frozen=True, slots=True)
class Cost:
    """macs: multiply-accumulates of the pass; parameters: all numbers that were learned, each once."""

    macs: int
    parameters: int

    def __str__(self) -> str:
        return f"{self.macs / 1e9:.4f} G multiply-accumulates, {self.parameters / 1e6:.4f} M parameters"


def cost(net: nn.Module, *inputs: Tensor) -> Cost:
    """Run `net` once on `inputs` and count; its mode (train or eval) is left as it was.

    The fused attention of torch hides its products from any counter, so it is switched off while counting.
    Raises BadInput for anything but an nn.Module and its tensors.
    """
    if not isinstance(net, nn.Module) or not inputs:
        raise BadInput("cost takes a torch.nn.Module and the tensors that it is called with: cost(net, torch.zeros(1, 3, 352, 352)).")
    training, fast = net.training, torch.backends.mha.get_fastpath_enabled()
    counter = FlopCounterMode(display=False)
    try:
        net.eval()
        torch.backends.mha.set_fastpath_enabled(False)
        with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), counter:
            net(*inputs)
    finally:
        net.train(training)
        torch.backends.mha.set_fastpath_enabled(fast)
    return Cost(counter.get_total_flops() // 2, sum(p.numel() for p in net.parameters()))
